"""The tiers of isolation, and the steps with which a worker confines itself in one.

The steps run once per worker, in its own freshly exec'ed process and before any program; every program that
the worker forks inherits the result. `inside/worker_process.py` calls them in order.
"""

import os
import resource
import socket
import sys
from enum import StrEnum

from . import kernel
from .seccomp_filters import worker_filter

TMP_MB = 64
"""MiB that a program's private folder may hold."""
TMP_FILES = 4096
"""Files that a program's private folder may hold."""
_OPEN_FILES = 512
"""Descriptors that a process may have open."""
_USER = 0x60000000
"""A worker that root starts gets the user id `_USER` + its pid, which nobody else is likely to have."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_SYSTEM = (
    "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/lib", "/lib64", "/usr/include",
    "/usr/bin", "/bin", "/usr/local/bin", "/usr/share/zoneinfo", "/etc/ld.so.cache", "/etc/localtime",
    "/etc/alternatives", "/etc/ssl/openssl.cnf",
)  # fmt: skip
"""Paths of libraries, tools and settings that programs may read and execute."""


class Tier(StrEnum):
    """A way to confine programs, strongest first; `PROMISES` says what each one guarantees."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"
    RLIMITS = "rlimits"
    REMOTE = "remote"


PROMISES = {
    Tier.NAMESPACES: "a program sees no network, no other process and no files but libraries and a private"
    " folder of 64 MB; it may be allowed to start processes, which all end with it",
    Tier.LANDLOCK: "a program reads libraries and uses a private folder, but no other files; it opens no"
    " network socket, signals no other process and starts none; it can see whether a path exists",
    Tier.SECCOMP: "a program has no network and starts no processes, but READS AND WRITES every file that the"
    " user can",
    Tier.RLIMITS: "a program's time, memory and output are limited, but it DOES whatever the user can",
    Tier.REMOTE: "a program is confined as far as the server promises",
}
SAFE = (Tier.NAMESPACES, Tier.LANDLOCK)
"""The tiers that are used without being asked for by name."""


def library_path() -> list[str]:
    """Return the entries of sys.path that belong to the interpreter or its environment."""
    prefixes = tuple(os.path.join(prefix, "") for prefix in {sys.prefix, sys.base_prefix})
    return [entry for entry in sys.path if entry.startswith(prefixes)]


def readable_paths() -> list[str]:
    """Return the paths that a program may read and execute: the interpreter, libraries and tools, no data."""
    python = [sys.executable, os.path.realpath(sys.executable), os.path.join(sys.prefix, "pyvenv.cfg")]
    candidates = [*_SYSTEM, *library_path(), os.path.join(sys.base_prefix, "lib"), *python]
    readable: list[str] = []
    for path in sorted({os.path.normpath(path) for path in candidates}):  # a folder precedes its content
        inside = any(path.startswith(os.path.join(parent, "")) for parent in readable)
        if os.path.exists(path) and not inside:
            readable.append(path)
    return readable


def enter_namespaces() -> int:
    """Enter new namespaces; the next child will be process 1 of the new process namespace.

    Returns:
        The user id that the worker should take: another one if this process is root, else its present one.

    Raises:
        OSError: the kernel or a container's profile does not allow it.
    """
    spaces = kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS | kernel.NEW_MOUNTS | kernel.NEW_PIDS
    user, group = os.geteuid(), os.getegid()
    # Root in a container may lack the right or the user ids, and then needs a user namespace as others do.
    if user == 0 and _is_mapped(_USER + os.getpid()):
        try:
            kernel.unshare(spaces)
            return _USER + os.getpid()
        except PermissionError:
            pass
    kernel.unshare(spaces | kernel.NEW_USER)
    for file, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{file}", "w") as out:
            out.write(line)
    return user


def _is_mapped(number: int) -> bool:
    """Return whether this process may take a number as its user and group id."""
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/self/{name}") as lines:
            ranges = [tuple(map(int, line.split())) for line in lines]
        if not any(first <= number < first + count for first, _, count in ranges):
            return False
    return True


def private_root(user: int) -> tuple[str, frozenset[str]]:
    """Make a new root that holds nothing but the readable paths, some devices and an empty folder.

    Returns:
        The program's folder, and the entries of /tmp that must stay when it is emptied. The folder is /tmp
        itself, unless there are libraries below /tmp: then their entries must stay, and the folder is /box.
    """
    readable = [*readable_paths(), *_DEVICES]
    kept = frozenset(path.split("/")[2] for path in readable if path.startswith("/tmp/"))
    folder = "/box" if kept else "/tmp"
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    # The new root is mounted on a folder that holds none of the readable paths, because it hides its content.
    root = "/sys" if os.path.isdir("/sys") else "/mnt"
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOATIME
    kernel.mount("tmpfs", root, "tmpfs", flags, "mode=0755,size=1m")
    space = f"mode=0700,size={TMP_MB}m,nr_inodes={TMP_FILES}"
    owner = f",uid={user},gid={user}" if os.geteuid() == 0 and user != 0 else ""
    for empty in sorted({"/tmp", folder}):
        os.mkdir(root + empty)
        kernel.mount("tmpfs", root + empty, "tmpfs", flags, space + owner)
    for path in readable:
        if os.path.isdir(path):
            os.makedirs(root + path, exist_ok=True)
        elif os.path.exists(path):
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            open(root + path, "x").close()  # a file can only be mounted over a file
        else:
            continue
        kernel.mount(os.path.realpath(path), root + path, None, kernel.MS_BIND | kernel.MS_REC)
    os.makedirs(f"{root}/dev/shm")
    kernel.mount(root + folder, f"{root}/dev/shm", None, kernel.MS_BIND)  # for semaphores
    kernel.change_root(root)
    return folder, kept


def switch_user(user: int) -> None:
    """Become another user, who owns nothing, and a group of the same number, for good."""
    if user != os.geteuid():
        kernel.keep_capabilities()  # until `confine` gives them up
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def own_user() -> int:
    """Return the user id that a worker without namespaces should take.

    A worker that root starts gets an id of its own, provided that this user can reach every readable path,
    which a child tries out. Otherwise the id stays as it is.
    """
    if os.geteuid() != 0:
        return os.geteuid()
    user, needed = _USER + os.getpid(), readable_paths()
    child = os.fork()
    if child == 0:
        try:
            switch_user(user)
            for path in needed:
                os.stat(path)
            os._exit(0)
        finally:
            os._exit(1)
    return user if os.waitpid(child, 0)[1] == 0 else 0


def confine(tier: Tier, tmp: str) -> None:
    """Give up privileges and access to files, as far as the tier promises.

    Raises:
        OSError: the tier needs a newer Landlock.
    """
    if tier in SAFE:
        version = kernel.landlock_version()
        if version < 3:
            raise OSError(f"the kernel has Landlock ABI {version}; 3 or higher is needed (Linux 6.2)")
        kernel.give_up_privileges(*((kernel.SET_PIDS,) if tier is Tier.NAMESPACES else ()))
        devices = [path for path in _DEVICES if os.path.exists(path)]
        kernel.restrict_files([*readable_paths(), *devices], _writable(tier, tmp))
    elif tier is Tier.SECCOMP:
        kernel.give_up_privileges()


def _writable(tier: Tier, tmp: str) -> list[str]:
    return [*{tmp, "/tmp"}, "/dev/null", "/dev/shm"] if tier is Tier.NAMESPACES else [tmp, "/dev/null"]


def set_fixed_limits(tier: Tier) -> None:
    """Set the limits that are the same for every program, and enter the worker's filter."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    if tier is not Tier.RLIMITS:
        kernel.Filter(worker_filter()).enter()


def check_confinement(tier: Tier) -> None:
    """Try what the tier forbids, so that a confinement that failed silently is noticed before programs run.

    Raises:
        OSError: one of the attempts succeeded.
    """
    forbidden = [] if tier is Tier.RLIMITS else [("make a socket", socket.socket)]
    if tier in SAFE:
        forbidden += [
            ("list the root", lambda: os.listdir("/")),
            ("read /proc", lambda: os.open("/proc/version", os.O_RDONLY)),
            ("write outside", lambda: os.open("/dev/markscheme", os.O_WRONLY | os.O_CREAT)),
        ]
    for what, attempt in forbidden:
        try:
            attempt()
        except OSError:
            continue
        raise OSError(f"the worker could still {what}, which tier {tier} forbids")

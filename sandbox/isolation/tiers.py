"""How a worker shuts itself in: the tiers, strongest first, and entering one.

Runs in the worker's own process, freshly exec'ed, before any program. Everything here is paid once
a worker and inherited by every program that it forks.
"""

import os
import resource
import socket
import sys
from enum import StrEnum

from . import kernel
from .seccomp import worker_filter

TMP_MB = 64
"""Size of a program's private /tmp."""
TMP_FILES = 4096
_FILES = 512
_USER = 0x60000000
"""Where the user ids begin that workers of root take, one each."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_SYSTEM = (
    "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/lib", "/lib64", "/usr/include",
    "/usr/bin", "/bin", "/usr/local/bin", "/usr/share/zoneinfo", "/etc/ld.so.cache", "/etc/localtime",
    "/etc/alternatives", "/etc/ssl/openssl.cnf",
)  # fmt: skip


class Tier(StrEnum):
    """What holds a program, strongest first."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"
    RLIMITS = "rlimits"
    REMOTE = "remote"


PROMISES = {
    Tier.NAMESPACES: "sees no network, no process and no file but libraries and a private /tmp of 64 MB;"
    " the whole tree dies with it; may be given processes",
    Tier.LANDLOCK: "no file outside libraries and a private folder, no socket, no signal, no process of its"
    " own; sees whether paths exist",
    Tier.SECCOMP: "no network, no process of its own; READS AND WRITES every file that the user can",
    Tier.RLIMITS: "time, memory and output limits only; DOES whatever the user can",
    Tier.REMOTE: "whatever the other machine promises",
}
SAFE = (Tier.NAMESPACES, Tier.LANDLOCK)


def library_path() -> list[str]:
    """Return the entries of sys.path that belong to the interpreter or its environment."""
    prefixes = tuple(os.path.join(prefix, "") for prefix in {sys.prefix, sys.base_prefix})
    return [entry for entry in sys.path if entry.startswith(prefixes)]


def readable_paths() -> list[str]:
    """Return what a program may read and execute: the interpreter, libraries, tools; nobody's data."""
    python = [sys.executable, os.path.realpath(sys.executable), os.path.join(sys.prefix, "pyvenv.cfg")]
    wanted = [*_SYSTEM, *library_path(), os.path.join(sys.base_prefix, "lib"), *python]
    found: list[str] = []
    for path in sorted({os.path.normpath(path) for path in wanted}):
        inside = any(path.startswith(os.path.join(parent, "")) for parent in found)
        if os.path.exists(path) and not inside:
            found.append(path)
    return found


def leave_namespaces() -> int:
    """Enter new namespaces but for the processes', which the next fork does.

    Returns:
        The user id that the worker is to take; its own where there is no other.

    Raises:
        OSError: the kernel or a container's profile does not allow it.
    """
    spaces = kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS | kernel.NEW_MOUNTS | kernel.NEW_PIDS
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        try:
            kernel.unshare(spaces)
            return _USER + os.getpid()
        except PermissionError:
            pass  # root of a container: as any user, then
    kernel.unshare(spaces | kernel.NEW_USER)
    for file, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{file}", "w") as out:
            out.write(line)
    return user


def private_root(user: int) -> tuple[str, frozenset[str]]:
    """Make a root of nothing but the readable paths, some devices and an empty /tmp.

    Returns:
        The program's folder, and what stands in /tmp and must stay: the libraries, where they are
        below /tmp. The folder is then another one.
    """
    readable = [*readable_paths(), *_DEVICES]
    kept = frozenset(path.split("/")[2] for path in readable if path.startswith("/tmp/"))
    folder = "/box" if kept else "/tmp"
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    root = "/sys" if os.path.isdir("/sys") else "/mnt"  # anywhere that holds none of them
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", root, "tmpfs", flags, "mode=0755,size=1m")
    space = f"mode=0700,size={TMP_MB}m,nr_inodes={TMP_FILES}"
    owner = f",uid={user},gid={user}" if os.geteuid() == 0 != user else ""
    for empty in sorted({"/tmp", folder}):
        os.mkdir(root + empty)
        kernel.mount("tmpfs", root + empty, "tmpfs", flags, space + owner)
    for path in readable:
        if os.path.isdir(path):
            os.makedirs(root + path, exist_ok=True)
        elif os.path.exists(path):
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            open(root + path, "x").close()
        else:
            continue
        kernel.mount(os.path.realpath(path), root + path, None, kernel.MS_BIND | kernel.MS_REC)
    os.makedirs(f"{root}/dev/shm")
    kernel.mount(root + folder, f"{root}/dev/shm", None, kernel.MS_BIND)  # semaphores of multiprocessing
    kernel.change_root(root)
    return folder, kept


def take_user(user: int) -> None:
    """Become a user that owns nothing, for good."""
    if user != os.geteuid():
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def user_of_its_own() -> int:
    """Return a user id for a worker of root that has no namespaces, where that can read the libraries."""
    if os.geteuid() != 0:
        return os.geteuid()
    user, needed = _USER + os.getpid(), readable_paths()
    child = os.fork()
    if child == 0:
        try:
            take_user(user)
            for path in needed:
                os.stat(path)
            os._exit(0)
        finally:
            os._exit(1)
    return user if os.waitpid(child, 0)[1] == 0 else 0


def shut_in(tier: Tier, tmp: str) -> None:
    """Give up privileges and files, as far as the tier says; filters come after the preloading."""
    if tier in SAFE:
        if kernel.landlock_version() < 3:
            raise OSError(f"Landlock ABI {kernel.landlock_version()}; 3 is needed (Linux 6.2)")
        kernel.give_up_privileges()
        devices = [path for path in _DEVICES if os.path.exists(path)]
        kernel.restrict_files([*readable_paths(), *devices], _writable(tier, tmp))
    elif tier is Tier.SECCOMP:
        kernel.give_up_privileges()


def _writable(tier: Tier, tmp: str) -> list[str]:
    return [*{tmp, "/tmp"}, "/dev/null", "/dev/shm"] if tier is Tier.NAMESPACES else [tmp, "/dev/null"]


def limit_for_good(tier: Tier) -> None:
    """Set the limits that are the same for every program, and the filter of the worker."""
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, _FILES)):
        resource.setrlimit(kind, (most, most))
    if tier is not Tier.RLIMITS:
        kernel.Filter(worker_filter()).enter()


def prove(tier: Tier) -> None:
    """Try what the tier forbids.

    Raises:
        OSError: something of it worked.
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
        raise OSError(f"a trial could {what} although tier {tier} forbids it")

"""System calls that confine a process: thin wrappers, made with ctypes, that raise OSError on failure."""

import ctypes
import os
import platform
import sys

from .allowed_syscalls import ARCHITECTURES, setting_up

_libc = ctypes.CDLL(None, use_errno=True)
_locked = ctypes.PyDLL(None)
"""Like `_libc`, but keeps the interpreter's lock during a call, so that a forked child holds it too."""
_NUMBERS = setting_up() if platform.machine() in ARCHITECTURES else {}

# Constants of linux/sched.h (CLONE_*), sys/mount.h and linux/prctl.h
NEW_USER, NEW_NET, NEW_IPC, NEW_UTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000
NEW_MOUNTS, NEW_PIDS = 0x00020000, 0x20000000
MS_NOSUID, MS_NODEV, MS_NOATIME, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 0x400, 0x1000, 0x4000, 0x40000
_DETACH = 2
_PDEATHSIG, _SET_DUMPABLE, _KEEP_CAPS, _SET_SECCOMP, _NO_NEW_PRIVS, _SUBREAPER = 1, 4, 8, 22, 38, 36
SET_PIDS = 40
"""The capability to choose the pids of one's own process namespace (CAP_CHECKPOINT_RESTORE).

A worker keeps it. So do its programs, but the system calls and files that it is for are closed to them."""


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _call(name: str, *arguments: object) -> int:
    # The C function is variadic: a plain int would be passed as 32 bits, with garbage in the upper half.
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(_libc.syscall(ctypes.c_long(_NUMBERS[name]), *wide), name)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero), f"prctl {option}")


def unshare(flags: int) -> None:
    """Leave the namespaces in `flags` (NEW_*) for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount a file system of a kind at `target`; with MS_BIND and no kind, mount what is at `source`."""
    encoded = (source.encode(), target.encode(), kind.encode() if kind else None)
    _checked(_libc.mount(*encoded, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def change_root(folder: str) -> None:
    """Make a mount point the root folder, and detach the old root."""
    os.chdir(folder)
    # Given the same folder twice, this stacks the old root on the new one, and the next call takes it off.
    _call("pivot_root", b".", b".")
    _checked(_libc.umount2(b".", _DETACH), "umount2")
    os.chdir("/")


def die_with_parent(signal: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    _prctl(_PDEATHSIG, signal)


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ends, so that it can wait for them."""
    _prctl(_SUBREAPER, 1)


def keep_capabilities() -> None:
    """Keep the permitted capabilities when this process changes its user, until `give_up_privileges`."""
    _prctl(_KEEP_CAPS, 1)


def give_up_privileges(*kept: int) -> None:
    """Drop all capabilities but those `kept`, and hide this process's memory from the user's other ones."""
    _prctl(_NO_NEW_PRIVS, 1)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same for those from 32 on
    for capability in kept:
        for kind in (0, 1):
            sets[3 * (capability // 32) + kind] |= 1 << capability % 32
    try:
        _call("capset", ctypes.byref(_CAPABILITIES_OF), ctypes.byref(sets))
    except PermissionError:  # a container's root may lack those to keep
        _call("capset", ctypes.byref(_CAPABILITIES_OF), ctypes.byref(_NO_CAPABILITIES))
    _prctl(_SET_DUMPABLE, 0)


_CAPABILITIES_OF = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
_NO_CAPABILITIES = (ctypes.c_uint32 * 6)()


def fork() -> int:
    """Fork a process that has only one thread; return 0 in the child and its pid in the parent.

    This calls the C library's fork. `os.fork` also repairs locks that other threads may have held. There are
    no other threads here, and the repair writes to 180 pages, each of which the child then has to copy. That
    would be a quarter of the cost of running a program.
    """
    return _checked(_locked.fork(), "fork")


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


class Filter:
    """A seccomp filter, prepared so that entering it costs one system call.

    Args:
        code: instructions, from `seccomp_filters.py`.
        blank: a 32-bit number; `enter` replaces every occurrence of it in the code by another number.
    """

    def __init__(self, code: bytes, blank: int | None = None):
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _FilterProgram(len(code) // 8, ctypes.addressof(self._code))
        self._blanks: list[ctypes.c_uint32] = []
        if blank is not None:
            pattern = blank.to_bytes(4, sys.byteorder)
            at = code.find(pattern)
            while at >= 0:
                self._blanks.append(ctypes.c_uint32.from_buffer(self._code, at))
                at = code.find(pattern, at + 1)
        self._arguments = (_SET_SECCOMP, 2, ctypes.byref(self._program), 0, 0)  # 2 = SECCOMP_MODE_FILTER

    def enter(self, value: int = 0) -> None:
        """Apply the filter to this process and all that it will fork, with `value` in place of the blank."""
        for blank in self._blanks:
            blank.value = value
        if _locked.prctl(*self._arguments) != 0:
            raise OSError("the kernel refuses the seccomp filter")


def landlock_version() -> int:
    """Return the version of the kernel's Landlock ABI; 0 if it has none."""
    create = ctypes.c_long(_NUMBERS["landlock_create_ruleset"])
    ask_for_version = ctypes.c_long(1)
    return max(0, _libc.syscall(create, None, ctypes.c_long(0), ask_for_version))


# Landlock's rights, as bits (linux/landlock.h)
_ALL_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights to files and folders that there are from an ABI version on."""
_READ = 0b1101  # execute, read a file, read a folder
_FILE_RIGHTS = 0b111 | 1 << 14  # execute, write, read, truncate: the rights that apply to a single file


class _RuleSet(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # Python 3.14 requires it next to _pack_
    _fields_ = (("access", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict_files(readable: list[str], writable: list[str]) -> None:
    """Confine this process, and everything that it forks, to paths and what is below them (Landlock).

    From ABI 4 on this also forbids TCP, and from ABI 6 on signals and abstract sockets to processes outside.
    """
    abi = landlock_version()
    all_rights = _ALL_RIGHTS[max(version for version in _ALL_RIGHTS if version <= abi)]
    rules = _RuleSet(all_rights, 0b11 if abi >= 4 else 0, 0b11 if abi >= 6 else 0)
    size = 8 * (1 + (abi >= 4) + (abi >= 6))  # bytes of the fields that this ABI has
    ruleset = _call("landlock_create_ruleset", ctypes.byref(rules), size, 0)
    for paths, access in ((readable, _READ), (writable, all_rights)):
        for path in paths:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            allowed = access if os.path.isdir(path) else access & _FILE_RIGHTS & all_rights
            rule = ctypes.byref(_PathRule(allowed, descriptor))
            _call("landlock_add_rule", ruleset, 1, rule, 0)  # 1 = LANDLOCK_RULE_PATH_BENEATH
            os.close(descriptor)
    _call("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)

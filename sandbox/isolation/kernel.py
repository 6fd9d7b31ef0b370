"""The kernel's own calls that entering a sandbox takes, through ctypes: thin, and they raise OSError."""

import ctypes
import os
import platform
import sys

from .syscalls import setting_up

_libc = ctypes.CDLL(None, use_errno=True)
_locked = ctypes.PyDLL(None)
"""Keeps the interpreter's lock during a call."""
_NUMBERS = setting_up() if platform.machine() in ("x86_64", "aarch64") else {}

NEW_USER, NEW_NET, NEW_IPC, NEW_UTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000
NEW_MOUNTS, NEW_PIDS = 0x00020000, 0x20000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 0x1000, 0x4000, 0x40000
_DETACH = 2
_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _NO_NEW_PRIVS, _SUBREAPER = 1, 4, 22, 38, 36


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _call(name: str, *arguments: object) -> int:
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(_libc.syscall(ctypes.c_long(_NUMBERS[name]), *wide), name)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero), f"prctl {option}")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount a file system, or bind what is at `source`."""
    encoded = (source.encode(), target.encode(), kind.encode() if kind else None)
    _checked(_libc.mount(*encoded, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def change_root(folder: str) -> None:
    """Make a mount the root, and let go of the old one."""
    os.chdir(folder)
    _call("pivot_root", b".", b".")
    _checked(_libc.umount2(b".", _DETACH), "umount2")
    os.chdir("/")


def die_with_parent(signal: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    _prctl(_PDEATHSIG, signal)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent has ended."""
    _prctl(_SUBREAPER, 1)


def give_up_privileges() -> None:
    """Drop all capabilities, and any way to new ones; hide memory from same-user processes."""
    _prctl(_NO_NEW_PRIVS, 1)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    _call("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))
    _prctl(_SET_DUMPABLE, 0)


def fork() -> int:
    """Fork a process that has one thread only.

    The C library's own: `os.fork` repairs, in the child, what other threads may have held, and in
    doing so touches 180 pages that the child then needs copies of: a quarter of a program's cost.
    """
    return _checked(_locked.fork(), "fork")


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


class Filter:
    """A seccomp filter, ready to be entered.

    Args:
        code: instructions (`seccomp.py`).
        blank: 32 bits in it that `enter` fills in.
    """

    def __init__(self, code: bytes, blank: int | None = None):
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _FilterProgram(len(code) // 8, ctypes.addressof(self._code))
        self._blanks: list[ctypes.c_uint32] = []
        if blank is not None:
            pattern, at = blank.to_bytes(4, sys.byteorder), -1
            while (at := code.find(pattern, at + 1)) >= 0:
                self._blanks.append(ctypes.c_uint32.from_buffer(self._code, at))
        self._arguments = (_SET_SECCOMP, 2, ctypes.byref(self._program), 0, 0)

    def enter(self, value: int = 0) -> None:
        """Hold this process, and all that it forks, to the filter."""
        for blank in self._blanks:
            blank.value = value
        if _locked.prctl(*self._arguments) != 0:
            raise OSError("the kernel refuses the seccomp filter")


def landlock_version() -> int:
    """Return the kernel's Landlock ABI; 0 where there is none."""
    create = ctypes.c_long(_NUMBERS["landlock_create_ruleset"])
    return max(0, _libc.syscall(create, None, ctypes.c_long(0), ctypes.c_long(1)))


_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_READ = 0b1101  # execute, read a file, read a folder
_WRITE_FILE = 1 << 1


class _RuleSet(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("access", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict_files(readable: list[str], writable: list[str]) -> None:
    """Confine this process, and all that it forks, to paths below those given (Landlock).

    From ABI 4 on TCP too is closed, from 6 on signals and abstract sockets to the outside.
    """
    abi = landlock_version()
    files = _FILE_RIGHTS[max(version for version in _FILE_RIGHTS if version <= abi)]
    rules = _RuleSet(files, 0b11 if abi >= 4 else 0, 0b11 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _call("landlock_create_ruleset", ctypes.byref(rules), size, 0)
    for paths, access in ((readable, _READ), (writable, files)):
        for path in paths:
            here = os.open(path, os.O_PATH | os.O_CLOEXEC)
            only_file = not os.path.isdir(path)
            wanted = (access & (0b101 | _WRITE_FILE | 1 << 14)) & files if only_file else access
            rule = _PathRule(wanted, here)
            _call("landlock_add_rule", ruleset, 1, ctypes.byref(rule), 0)
            os.close(here)
    _call("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)

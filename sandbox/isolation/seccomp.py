"""Which system calls a sandboxed process may make: two filters, as BPF programs.

The first is entered once a worker and holds for the worker and every program: an allow-list as a
balanced tree of compares (the kernel walks a filter for every call number when it is entered, so
its depth is paid). The second is small and entered by every program for itself: it takes away what
the worker itself still needs, forking above all.
"""

import errno
import platform
import struct
from collections.abc import Mapping

from .syscalls import AUDIT_ARCH, allowed

Code = tuple[tuple[int, int, int, int], ...]
"""Instructions: opcode, jump if true, jump if false, operand (linux/filter.h)."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ARCH_AT = 4
_KILL = 0x80000000


def _errno(number: int) -> Code:
    return ((_RETURN, 0, 0, 0x00050000 | number),)


ALLOW: Code = ((_RETURN, 0, 0, 0x7FFF0000),)
DENY = _errno(errno.EPERM)
NOTHING_DONE = _errno(0)
"""Pretend success: what has no effect that a program could miss, and must have none outside."""
ABSENT = _errno(errno.ENOSYS)
"""As on an older kernel: the C library then falls back to what it did there."""


def _load(argument: int, *, high: bool = False) -> tuple[int, int, int, int]:
    return (_LOAD, 0, 0, 16 + 8 * argument + 4 * high)


def _one_of(argument: int, values: tuple[int, ...], *, mask: int | None = None) -> Code:
    """Allow a call whose argument (its low 32 bits) is one of `values`."""
    masked = ((_AND, 0, 0, mask),) if mask is not None else ()
    tests = tuple((_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values))
    return (_load(argument), *masked, *tests, *DENY, *ALLOW)


def _all_of(*codes: Code) -> Code:
    """Go through codes that end in (deny, allow); the next takes the place of `allow`."""
    joined = codes[-1]
    for code in reversed(codes[:-1]):
        joined = (*code[:-1], *joined)
    return joined


_THREAD: Code = (_load(0), (_ANY_BIT, 1, 0, 0x10000), *DENY, *ALLOW)  # CLONE_THREAD
_NO_ADDRESS: Code = (_load(4), (_EQUAL, 0, 2, 0), _load(4, high=True), (_EQUAL, 1, 0, 0), *DENY, *ALLOW)
_NAMES = (15, 16)  # PR_SET_NAME, PR_GET_NAME
_SPECIAL: dict[str, Code] = {
    "clone3": ABSENT,
    # Landlock does not hold these, and a program may own the libraries that it can read.
    **dict.fromkeys("chmod fchmod fchmodat utime utimes utimensat futimesat".split(), NOTHING_DONE),
    # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
    "ioctl": _one_of(1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),
    # Duplicate, flags, record locks: no leases, no signals to others, no seals. 1030 = F_DUPFD_CLOEXEC
    "fcntl": _one_of(1, (*range(8), *range(36, 39), 1030, 1034)),
    "prctl": _one_of(0, (1, 3, 22, *_NAMES)),  # 1 = PDEATHSIG, 3 = GET_DUMPABLE, 22 = SECCOMP
    # Connected streams only: a datagram could be addressed to a socket outside.
    "socketpair": _all_of(_one_of(0, (1,)), _one_of(1, (1, 5), mask=0xF)),
    "sendto": _NO_ADDRESS,
}  # fmt: skip


def worker_filter(machine: str = platform.machine()) -> bytes:
    """Return the allow-list, for the worker and all that it forks."""
    numbers = allowed(machine)
    rules = {number: _SPECIAL.get(name, ALLOW) for name, number in numbers.items()}
    return _program(rules, DENY, machine)


def program_filter(pid: int, *, forks: bool = False, machine: str = platform.machine()) -> bytes:
    """Return what a program additionally may not do.

    Args:
        pid: the program's own, in its own namespace: the only one that it may signal or limit.
        forks: whether it may start processes and other programs.
        machine: the architecture.
    """
    rules: dict[str, Code] = {
        "prctl": _one_of(0, _NAMES),
        "pidfd_open": DENY,
        "prlimit64": _one_of(0, (0, pid)),
    }
    if not forks:
        rules |= {
            "execve": DENY,
            "clone": _THREAD,
            **dict.fromkeys(("fork", "vfork", "setpgid", "setsid"), DENY),
            **dict.fromkeys(("kill", "tgkill"), _one_of(0, (pid,))),
        }
    numbers = allowed(machine)
    return _program({numbers[name]: code for name, code in rules.items() if name in numbers}, ALLOW, machine)


def _program(rules: Mapping[int, Code], default: Code, machine: str) -> bytes:
    starts: dict[int, Code] = {0: default}
    for number in sorted(rules):
        starts[number] = rules[number]
        starts[number + 1] = default
    merged: list[tuple[int, Code]] = []
    for start, code in sorted(starts.items()):
        if not merged or merged[-1][1] != code:
            merged.append((start, code))
    known = AUDIT_ARCH[machine]
    arch = ((_LOAD, 0, 0, _ARCH_AT), (_EQUAL, 1, 0, known), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0))
    return b"".join(struct.pack("=HBBI", *step) for step in (*arch, *_tree(merged)))


def _tree(segments: list[tuple[int, Code]]) -> Code:
    """Return code that finds the segment of the number that is loaded, by halves."""
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    below, above = _tree(segments[:middle]), _tree(segments[middle:])
    return ((_AT_LEAST, len(below), 0, segments[middle][0]), *below, *above)

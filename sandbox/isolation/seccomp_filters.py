"""Two seccomp filters, as BPF programs, that restrict the system calls of a sandboxed process.

The first one is an allow-list that a worker enters once, for itself and every program that it forks. It is a
balanced tree of comparisons, because the kernel runs a new filter once for every call number, and with a list
that would be slow. The second one is small, and every program enters it for itself: it forbids what only the
worker needs, above all forking.
"""

import errno
import platform
import signal
import struct
from collections.abc import Mapping

from .allowed_syscalls import AUDIT_ARCH, allowed

Code = tuple[tuple[int, int, int, int], ...]
"""Instructions: opcode, how many to skip if true, how many to skip if false, operand (linux/filter.h)."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ARCH_AT = 4  # offsets in struct seccomp_data: call number at 0, architecture at 4, arguments from 16 on
_KILL = 0x80000000  # SECCOMP_RET_KILL_PROCESS


def _errno(number: int) -> Code:
    return ((_RETURN, 0, 0, 0x00050000 | number),)  # SECCOMP_RET_ERRNO


ALLOW: Code = ((_RETURN, 0, 0, 0x7FFF0000),)  # SECCOMP_RET_ALLOW
DENY = _errno(errno.EPERM)
NOTHING_DONE = _errno(0)
"""Report success without making the call: for calls that could change files outside, and whose effect a
program can do without."""
UNSUPPORTED = _errno(errno.ENOTSUP)
ABSENT = _errno(errno.ENOSYS)
"""Fail as a kernel does that lacks the call; the C library then uses an older one."""


def _load(argument: int, *, high: bool = False) -> tuple[int, int, int, int]:
    """Return the instruction that loads the low or high 32 bits of an argument."""
    return (_LOAD, 0, 0, 16 + 8 * argument + 4 * high)


def _one_of(argument: int, values: tuple[int, ...], *, mask: int | None = None) -> Code:
    """Return code that allows a call only if the low 32 bits of an argument are one of `values`."""
    masked = ((_AND, 0, 0, mask),) if mask is not None else ()
    tests = tuple((_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values))
    return (_load(argument), *masked, *tests, *DENY, *ALLOW)


def _all_of(*codes: Code) -> Code:
    """Return code that allows a call only if each of `codes` does, all of which end in (deny, allow)."""
    joined = codes[-1]
    for code in reversed(codes[:-1]):
        joined = (*code[:-1], *joined)  # where a code would allow, the next one follows
    return joined


def _without_effect(argument: int, values: tuple[int, ...], otherwise: Code) -> Code:
    """Return code that reports success and does nothing if an argument's low 32 bits are one of `values`."""
    tests = tuple(
        (_EQUAL, len(values) - i - 1, 0 if i + 1 < len(values) else 1, value)
        for i, value in enumerate(values)
    )
    return (_load(argument), *tests, *NOTHING_DONE, *otherwise)


_THREAD: Code = (_load(0), (_ANY_BIT, 1, 0, 0x10000), *DENY, *ALLOW)  # CLONE_THREAD
# Both halves of the fifth argument, an address, must be 0.
_NO_ADDRESS: Code = (_load(4), (_EQUAL, 0, 2, 0), _load(4, high=True), (_EQUAL, 1, 0, 0), *DENY, *ALLOW)
# The clocks of the system (0 to 11), of this process and of its thread (-6 and above).
_OWN_CLOCKS: Code = (_load(0), (_AT_LEAST, 2, 0, 0xFFFFFFFA), (_AT_LEAST, 0, 1, 12), *DENY, *ALLOW)
_NAMES = (15, 16)  # PR_SET_NAME, PR_GET_NAME
_SPECIAL: dict[str, Code] = {
    "clone3": ABSENT,
    # Landlock does not restrict these, and the program's user may own the libraries that it can read.
    **dict.fromkeys("chmod fchmod fchmodat utime utimes utimensat futimesat".split(), NOTHING_DONE),
    # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
    "ioctl": _one_of(1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),
    # A lock on a library's file would be seen by programs outside, and a lock on a file that the worker has
    # open would outlive the program. A program is alone with its own files, so it can do without.
    "flock": NOTHING_DONE,
    # Duplicating (1030 = F_DUPFD_CLOEXEC), flags, asking for locks, reading seals (1034). No leases and no
    # signals; setting a lock (6, 7, 37, 38) does nothing.
    "fcntl": _without_effect(1, (6, 7, 37, 38), _one_of(1, (*range(6), 36, 1030, 1034))),
    # As on a file system that has none; shutil then copies a file without them.
    **dict.fromkeys("listxattr llistxattr flistxattr getxattr lgetxattr fgetxattr".split(), UNSUPPORTED),
    "prctl": _one_of(0, (1, 3, 22, *_NAMES)),  # 1 = PDEATHSIG, 3 = GET_DUMPABLE, 22 = SECCOMP
    # Only streams, which are connected; a datagram could be addressed to a socket outside.
    "socketpair": _all_of(_one_of(0, (1,)), _one_of(1, (1, 5), mask=0xF)),
    "sendto": _NO_ADDRESS,
}  # fmt: skip


def worker_filter(machine: str = platform.machine()) -> bytes:
    """Return the allow-list, as a filter for a worker and everything that it forks."""
    numbers = allowed(machine)
    rules = {number: _SPECIAL.get(name, ALLOW) for name, number in numbers.items()}
    return _program(rules, DENY, machine)


def program_filter(
    pid: int, *, forks: bool = False, with_clocks: bool = False, machine: str = platform.machine()
) -> bytes:
    """Return the filter that a program enters in addition.

    Args:
        pid: the program's own pid, as it sees it. It may not signal another process, nor set its limits.
        forks: whether it may start processes and other programs. If so, it may signal every process it sees.
        with_clocks: whether it may read the clocks of other processes, as tests do.
        machine: the architecture, a key of `AUDIT_ARCH`.
    """
    rules: dict[str, Code] = {
        "prctl": _one_of(0, _NAMES),
        "pidfd_open": DENY,
        "prlimit64": _one_of(0, (0, pid)),
    }
    if not with_clocks:
        # Not the clocks of other processes, which tell how long these have computed.
        rules |= dict.fromkeys(("clock_gettime", "clock_nanosleep", "timer_create"), _OWN_CLOCKS)
    if forks:
        # A process that ignores its children's ends also hides the processor time that they have used.
        rules["rt_sigaction"] = _without_effect(0, (signal.SIGCHLD,), ALLOW)
    else:
        rules |= {
            "execve": DENY,
            "clone": _THREAD,
            **dict.fromkeys(("fork", "vfork", "setpgid", "setsid"), DENY),
            **dict.fromkeys(("kill", "tgkill"), _one_of(0, (pid,))),
        }
    numbers = allowed(machine)
    return _program({numbers[name]: code for name, code in rules.items() if name in numbers}, ALLOW, machine)


def _program(rules: Mapping[int, Code], default: Code, machine: str) -> bytes:
    """Return a filter that runs the code that `rules` has for the call number, or else `default`."""
    starts: dict[int, Code] = {0: default}
    for number in sorted(rules):
        starts[number] = rules[number]
        starts[number + 1] = default
    merged: list[tuple[int, Code]] = []
    for start, code in sorted(starts.items()):  # neighbours with the same code become one segment
        if not merged or merged[-1][1] != code:
            merged.append((start, code))
    known = AUDIT_ARCH[machine]
    # On another architecture, the numbers would mean other calls.
    arch = ((_LOAD, 0, 0, _ARCH_AT), (_EQUAL, 1, 0, known), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0))
    return b"".join(struct.pack("=HBBI", *step) for step in (*arch, *_tree(merged)))


def _tree(segments: list[tuple[int, Code]]) -> Code:
    """Return code that finds the loaded call number's segment by binary search, and runs its code."""
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    below, above = _tree(segments[:middle]), _tree(segments[middle:])
    return ((_AT_LEAST, len(below), 0, segments[middle][0]), *below, *above)

"""The system-call filters: their call numbers against the kernel's headers, and what they decide.

An interpreter of BPF runs the filters for both architectures, so that each is tested on any machine.
"""

import errno
import re
import struct
from pathlib import Path

import pytest

from markscheme.sandbox.isolation.allowed_syscalls import ARCHITECTURES, AUDIT_ARCH, allowed, setting_up
from markscheme.sandbox.isolation.seccomp_filters import program_filter, worker_filter

HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}
# What a filter returns: SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with an error number, or SECCOMP_RET_KILL_PROCESS.
ALLOWED = 0x7FFF0000
DENIED = 0x50000 | errno.EPERM
PRETENDED = 0x50000  # nothing is done, and success is reported
ABSENT = 0x50000 | errno.ENOSYS
KILLED = 0x80000000


def numbers_in_header(machine: str) -> dict[str, int]:
    """Return the number of each system call by its name, or skip the test where there is no header."""
    paths = [Path(path) for path in HEADERS[machine] if Path(path).exists()]
    if not paths:
        pytest.skip(f"no kernel header for {machine} here (package linux-libc-dev)")
    text = paths[0].read_text()
    numbers = {name: int(n) for name, n in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    # Calls that 32-bit systems name differently are defined by way of a second name.
    for name, shared in re.findall(r"#define __NR_(\w+)\s+__NR3264_(\w+)", text):
        if shared in numbers:
            numbers.setdefault(name, numbers[shared])
    return numbers


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_call_numbers_are_those_of_the_kernel(machine: str) -> None:
    expected = numbers_in_header(machine)
    ours = {**allowed(machine), **setting_up(machine)}
    assert len(ours) > 150
    assert {name: expected.get(name) for name in ours} == ours


def run_filter(code: bytes, machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Return what a filter decides about a call, by the rules for BPF in the kernel's filter.rst."""
    steps = list(struct.iter_unpack("=HBBI", code))
    padded = [argument & 0xFFFFFFFFFFFFFFFF for argument in (*arguments, 0, 0, 0, 0, 0, 0)][:6]
    data = struct.pack("<iIQ6Q", number, arch or AUDIT_ARCH[machine], 0, *padded)  # struct seccomp_data
    position = 0
    register = 0
    while True:
        opcode, skip_if_true, skip_if_false, operand = steps[position]
        position += 1
        if opcode == 0x06:  # return
            return operand
        if opcode == 0x20:  # load
            (register,) = struct.unpack_from("<I", data, operand)
        elif opcode == 0x54:  # and
            register &= operand
        else:  # jump if equal, if greater or equal, if any bit is set
            outcomes = {
                0x15: register == operand,
                0x35: register >= operand,
                0x45: bool(register & operand),
            }
            position += skip_if_true if outcomes[opcode] else skip_if_false


DECIDED_BY_ARGUMENTS = set(
    "clone3 chmod fchmod fchmodat utime utimes utimensat futimesat ioctl fcntl prctl socketpair sendto flock"
    " listxattr llistxattr flistxattr getxattr lgetxattr fgetxattr".split()
)
MUST_BE_ABSENT = set("socket ptrace mount unshare bpf setns memfd_create execveat io_uring_setup".split())


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_filter_of_the_worker_allows_its_list_and_nothing_else(machine: str) -> None:
    code, numbers = worker_filter(machine), allowed(machine)
    names = {number: name for name, number in numbers.items()}
    for number in range(600):
        if names.get(number) not in DECIDED_BY_ARGUMENTS:
            expected = ALLOWED if number in names else DENIED
            assert run_filter(code, machine, number) == expected, names.get(number, number)
    x32_clone = 0x40000000 + numbers["clone"]
    assert run_filter(code, machine, x32_clone) == DENIED
    i386 = 0x40000003
    assert run_filter(code, machine, numbers["read"], arch=i386) == KILLED
    assert not MUST_BE_ABSENT & set(numbers)


# A call, its arguments and the decision. The numbers are those of the headers fcntl.h, ioctls.h and prctl.h.
ARGUMENTS = [
    ("clone3", (), ABSENT), ("fchmodat", (), PRETENDED), ("utimensat", (), PRETENDED),
    ("ioctl", (1, 0x5401), ALLOWED), ("ioctl", (1, 0x5412), DENIED),
    ("flock", (1, 2), PRETENDED), ("fcntl", (1, 6), PRETENDED), ("fcntl", (1, 38), PRETENDED), ("fcntl", (1, 5), ALLOWED),
    ("fcntl", (1, 3), ALLOWED), ("fcntl", (1, 1030), ALLOWED), ("fcntl", (1, 1024), DENIED), ("fcntl", (1, 8), DENIED),
    ("socketpair", (1, 1), ALLOWED), ("socketpair", (1, 1 | 0x80000), ALLOWED), ("socketpair", (1, 5), ALLOWED),
    ("socketpair", (1, 2), DENIED), ("socketpair", (2, 1), DENIED),
    ("sendto", (3, 0, 0, 0, 0, 0), ALLOWED), ("sendto", (3, 0, 0, 0, 4096, 0), DENIED),
    ("sendto", (3, 0, 0, 0, 1 << 40, 0), DENIED), ("prctl", (22,), ALLOWED), ("prctl", (4,), DENIED),
]  # fmt: skip


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(("name", "arguments", "decision"), ARGUMENTS)
def test_some_calls_are_decided_by_their_arguments(
    machine: str, name: str, arguments: tuple[int, ...], decision: int
) -> None:
    assert run_filter(worker_filter(machine), machine, allowed(machine)[name], *arguments) == decision


PROGRAM_PID = 77
# A call, its arguments, and whether a program may make it: one without, and one with the right to fork.
CALLS_OF_PROGRAMS = [
    ("clone", (0x10F00,), True, True),  # CLONE_THREAD
    ("clone", (17,), False, True),  # SIGCHLD, as fork() passes it
    ("fork", (), False, True),
    ("vfork", (), False, True),
    ("execve", (), False, True),
    ("kill", (PROGRAM_PID, 9), True, True),
    ("kill", (1, 9), False, True),
    ("kill", (-1, 9), False, True),
    ("tgkill", (PROGRAM_PID, 78, 6), True, True),
    ("tgkill", (1, 1, 9), False, True),
    ("prlimit64", (0,), True, True),
    ("prlimit64", (PROGRAM_PID,), True, True),
    ("prlimit64", (1,), False, False),
    ("pidfd_open", (1,), False, False),
    ("prctl", (22,), False, False),  # PR_SET_SECCOMP
    ("prctl", (15,), True, True),  # PR_SET_NAME
    ("clock_gettime", (2,), True, True),  # CLOCK_PROCESS_CPUTIME_ID
    ("clock_gettime", ((~1 << 3) | 2,), False, False),  # that of process 1
    ("timer_create", ((~1 << 3) | 2,), False, False),
    ("read", (), True, True),
]


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_filter_of_a_program_forbids_what_only_the_worker_needs(machine: str) -> None:
    numbers = allowed(machine)
    without_forks = program_filter(PROGRAM_PID, machine=machine)
    with_forks = program_filter(PROGRAM_PID, forks=True, machine=machine)
    for name, arguments, *expected in CALLS_OF_PROGRAMS:
        if name in ("fork", "vfork") and machine == "aarch64":
            continue  # this architecture has only clone
        decisions = [
            run_filter(code, machine, numbers[name], *arguments) for code in (without_forks, with_forks)
        ]
        assert [decision == ALLOWED for decision in decisions] == expected, (name, arguments)

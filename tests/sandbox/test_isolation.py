"""The filters, run as the kernel runs them, on both architectures; and the codec against hostile text."""

import errno
import re
import struct
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markscheme.sandbox.isolation.seccomp import program_filter, worker_filter
from markscheme.sandbox.isolation.syscalls import ARCHITECTURES, AUDIT_ARCH, allowed, setting_up
from markscheme.sandbox.wire.codec import DEPTH, Items, NotPlainError, decode, encode

HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}
ALLOWED, DENIED, PRETENDED, ABSENT = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000, 0x50000 | errno.ENOSYS


def header(machine: str) -> dict[str, int]:
    path = next((Path(p) for p in HEADERS[machine] if Path(p).exists()), None)
    if path is None:
        pytest.skip(f"no kernel header for {machine} here (package linux-libc-dev)")
    text = path.read_text()
    numbers = {name: int(n) for name, n in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    for name, shared in re.findall(r"#define __NR_(\w+)\s+__NR3264_(\w+)", text):
        if shared in numbers:
            numbers.setdefault(name, numbers[shared])
    return numbers


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_call_numbers_are_the_kernel_s(machine: str) -> None:
    kernel = header(machine)
    ours = {**allowed(machine), **setting_up(machine)}
    assert len(ours) > 150
    assert {name: kernel.get(name) for name in ours} == ours


def run_filter(code: bytes, machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Return what a BPF program returns for a call: the kernel's own rules, written down again."""
    steps = list(struct.iter_unpack("=HBBI", code))
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack(
        "<iIQ6Q", number, arch or AUDIT_ARCH[machine], 0, *(a & 0xFFFFFFFFFFFFFFFF for a in padded)
    )
    at, register = 0, 0
    while True:
        opcode, if_true, if_false, operand = steps[at]
        at += 1
        if opcode == 0x06:
            return operand
        if opcode == 0x20:
            (register,) = struct.unpack_from("<I", data, operand)
        elif opcode == 0x54:
            register &= operand
        else:
            test = {0x15: register == operand, 0x35: register >= operand, 0x45: bool(register & operand)}[
                opcode
            ]
            at += if_true if test else if_false


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_worker_s_filter_allows_its_list_and_nothing_else(machine: str) -> None:
    code, numbers = worker_filter(machine), allowed(machine)
    special = {
        "clone3",
        "chmod",
        "fchmod",
        "fchmodat",
        "utime",
        "utimes",
        "utimensat",
        "futimesat",
        "ioctl",
        "fcntl",
    }
    special |= {"prctl", "socketpair", "sendto"}
    by_number = {number: name for name, number in numbers.items()}
    for number in range(600):
        got = run_filter(code, machine, number)
        if by_number.get(number) not in special:
            assert got == (ALLOWED if number in by_number else DENIED), by_number.get(number, number)
    assert run_filter(code, machine, 0x40000000 + numbers["clone"]) == DENIED  # x32
    assert (
        run_filter(code, machine, numbers["read"], arch=0x40000003) == 0x80000000
    )  # another architecture: killed
    for refused in (
        "socket",
        "ptrace",
        "mount",
        "unshare",
        "bpf",
        "setns",
        "memfd_create",
        "execveat",
        "io_uring_setup",
    ):
        assert refused not in numbers


ARGUMENTS = [
    ("clone3", (), ABSENT), ("fchmodat", (), PRETENDED), ("utimensat", (), PRETENDED),
    ("ioctl", (1, 0x5401), ALLOWED), ("ioctl", (1, 0x5412), DENIED),
    ("fcntl", (1, 3), ALLOWED), ("fcntl", (1, 1030), ALLOWED), ("fcntl", (1, 1024), DENIED), ("fcntl", (1, 8), DENIED),
    ("socketpair", (1, 1), ALLOWED), ("socketpair", (1, 1 | 0x80000), ALLOWED), ("socketpair", (1, 5), ALLOWED),
    ("socketpair", (1, 2), DENIED), ("socketpair", (2, 1), DENIED),
    ("sendto", (3, 0, 0, 0, 0, 0), ALLOWED), ("sendto", (3, 0, 0, 0, 4096, 0), DENIED),
    ("sendto", (3, 0, 0, 0, 1 << 40, 0), DENIED), ("prctl", (22,), ALLOWED), ("prctl", (4,), DENIED),
]  # fmt: skip


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(("name", "arguments", "result"), ARGUMENTS)
def test_arguments_decide(machine: str, name: str, arguments: tuple[int, ...], result: int) -> None:
    if name in allowed(machine):
        assert run_filter(worker_filter(machine), machine, allowed(machine)[name], *arguments) == result


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_program_s_filter_takes_away_what_the_worker_needs(machine: str) -> None:
    numbers = allowed(machine)
    alone, forks = (
        program_filter(77, machine=machine),
        program_filter(77, forks=True, machine=machine),
    )
    table: list[tuple[str, tuple[int, ...], bool, bool]] = [
        ("clone", (0x10F00,), True, True),  # a thread
        ("clone", (17,), False, True),
        ("fork", (), False, True),
        ("vfork", (), False, True),
        ("execve", (), False, True),
        ("kill", (77, 9), True, True),
        ("kill", (1, 9), False, True),
        ("kill", (-1, 9), False, True),
        ("tgkill", (77, 78, 6), True, True),
        ("tgkill", (1, 1, 9), False, True),
        ("prlimit64", (0,), True, True),
        ("prlimit64", (77,), True, True),
        ("prlimit64", (1,), False, False),
        ("pidfd_open", (1,), False, False),
        ("prctl", (22,), False, False),
        ("prctl", (15,), True, True),
        ("read", (), True, True),
    ]
    for name, arguments, *may in table:
        if name in numbers:
            got = [run_filter(code, machine, numbers[name], *arguments) == ALLOWED for code in (alone, forks)]
            assert got == may, (name, arguments)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.complex_numbers(allow_nan=False) | st.fractions() | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)  # fmt: skip


@given(plain)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)


@given(
    st.text()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda i: (
            st.lists(i)
            | st.dictionaries(
                st.sampled_from(["i", "f", "b", "d", "s", "n", "F", "D", "@", "x", "date", "timedelta", "C"]),
                i,
                max_size=1,
            )
        ),
    )
    .map(str)
    .map(lambda s: s.replace("'", '"').replace("None", "null"))
)
def test_hostile_text_is_a_value_or_a_value_error(text: str) -> None:
    try:
        decode(text)
    except ValueError:
        return


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"i": "' + "f" * (1 << 21) + '"}',
        "1" * 10_000,
        '{"n": ["x; import os", ["a"], [1]]}',
        '{"n": ["class", ["a"], [1]]}',
        '{"q": 3}',
        '{"d": [1]}',
        '{"s": [[1]]}',
        "NaN x",
        "\x00",
    ],
)
def test_text_made_to_harm_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode(text)


def test_what_is_derived_from_plain_data_counts_as_its_data() -> None:
    import collections
    import enum

    class Level(enum.IntEnum):
        LOW = 1

    class Liar(list[int]):
        def __iter__(self) -> Any:
            return iter([9])

        def __len__(self) -> int:
            return 7

    point = collections.namedtuple("point", "x y")(1, 2)
    assert decode(encode([Level.LOW, Liar([1, 2]), point, collections.Counter("aab")])) == [
        1,
        [1, 2],
        (1, 2),
        {"a": 2, "b": 1},
    ]
    assert decode(encode(point)).y == 2
    assert type(decode(encode(Liar([1])))) is list
    assert decode(encode(Decimal("1.10"))) == Decimal("1.1")
    assert decode(encode(Fraction(1, 3))) == Fraction(1, 3)
    drained = decode(encode(x for x in range(3)))
    assert isinstance(drained, Items)
    assert drained != [0, 1, 2]
    assert list(drained) == [0, 1, 2]


@pytest.mark.parametrize("value", [object(), len, [object()], {1: object()}, type])
def test_what_is_not_plain_is_said(value: Any) -> None:
    with pytest.raises(NotPlainError, match="not plain data"):
        encode(value)


def test_depth_and_size_are_bounded() -> None:
    deep: list[Any] = []
    for _ in range(DEPTH + 5):
        deep = [deep]
    with pytest.raises(NotPlainError, match="too deeply"):
        encode(deep)
    with pytest.raises(NotPlainError, match="too large"):
        encode([[0] * 1500] * 1500)

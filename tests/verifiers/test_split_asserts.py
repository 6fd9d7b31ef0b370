"""Asserts are split: the calls go out to the program, and the rest of the assert is evaluated in this process."""

import gc
import marshal
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from markscheme.sandbox import Limits, Sandbox
from markscheme.sandbox.cases import Outcome
from markscheme.sandbox.execution import RunVerdict
from markscheme.sandbox.wire.codec import encode
from markscheme.verifiers.programs.asserts.split_asserts import plan_asserts
from markscheme.verifiers.programs.judge_answers import AnswerJudge

Call = tuple[str, tuple[Any, ...], dict[str, Any]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1) as sandbox:
        yield sandbox


def call(*args: Any, entry: str = "f", **kwargs: Any) -> Call:
    return entry, args, kwargs


SPLIT: list[tuple[str, str, list[Call], str]] = [
    # assert, setup, the calls that go out, the source of what a single answer is compared with
    ("assert f(2) == 4", "", [call(2)], "4"),
    ("assert 4 == f(2)", "", [call(2)], "4"),
    ("assert f(1, b=2) == (1, 2)", "", [call(1, b=2)], "(1, 2)"),
    ("assert f([1] * 3) == []", "", [call([1, 1, 1])], "[]"),
    ("assert abs(f(2) - 3.5) < 1e-6", "", [call(2)], ""),
    ("assert f(1) == f(2)", "", [call(1), call(2)], ""),
    ("assert f('a').lower() == 'a'", "", [call("a")], ""),
    ("assert f(2)[0] == 1 and f(3)", "", [call(2), call(3)], ""),
    ("assert f(float('inf')) != -1", "", [call(math.inf)], ""),
    ("assert Solution().f(1) == 2", "", [call(1, entry="Solution().f")], "2"),
    ("assert f(2)", "", [call(2)], "True"),
    ("assert math.isclose(f(2), math.pi)", "", [call(2)], ""),
    ("assert Counter(f(2)) == Counter([1])", "from collections import Counter", [call(2)], ""),
]
UNSPLIT = [
    # assert, setup
    ("assert f(g(2)) == 4", ""),  # the program's own value would be an argument
    ("assert f(Node(1)) == 4", ""),
    ("assert close(f(2), 4)", "def close(a, b): return abs(a - b) < 1"),
    ("assert f(x) == 4", "x = 3"),
    ("x = f(2)\nassert x == 4", ""),
    ("assert all(v > 0 for v in f(2))", ""),
    ("assert f(2).value == 4", ""),
    ("assert f(*[1]) == 4", ""),
    ("assert open('x').read() == f(2)", ""),
    ("assert __import__('os').system('x') == f(2)", ""),
    ("assert f(2) == (lambda: 4)()", ""),
    ("for i in range(3): assert f(i) == i", ""),
]


@pytest.mark.parametrize(("line", "setup", "calls", "expected"), SPLIT)
def test_only_calls_and_their_arguments_go_out_to_the_program(
    line: str, setup: str, calls: list[Call], expected: str
) -> None:
    (split,) = plan_asserts((line,), setup).splits
    assert split is not None
    assert [(entry, *marshal.loads(arguments)) for entry, arguments in split.calls] == calls
    assert split.expected == expected


@pytest.mark.parametrize(("line", "setup"), UNSPLIT)
def test_asserts_that_cannot_be_split_are_left_to_another_process(line: str, setup: str) -> None:
    assert plan_asserts((line,), setup).splits == (None,)


HOLDS: list[tuple[str, list[Any], bool]] = [
    # assert, the program's answers to its calls, whether it holds
    ("assert f(2) == 4", [4], True),
    ("assert f(2) == 4", [4.0], True),  # equal in Python
    ("assert f(2) == 4", [5], False),
    ("assert f(2) == 4", ["4"], False),
    ("assert f(2) < 4", ["a"], False),  # raises
    ("assert 10 ** f(2) > 0", [10**10], False),  # too large to compute
    ("assert sum(f(2)) == 3", [range(10**12)], False),  # takes too long
    ("assert sum(f(2)) == 3", [range(3)], True),
    ("assert max(f(2), key=len) == 'abc'", [["a", "abc"]], True),
    ("assert f(2) * 10**9 == 0", ["a" * 1000], False),
    ("assert f(2)[5] == 0", [[]], False),
    ("assert not f(2)", [[]], True),
    ("assert 1 < f(2) < 3", [2], True),
]


@pytest.mark.parametrize(("line", "answers", "holds"), HOLDS)
def test_the_rest_of_an_assert_is_evaluated_within_bounds_and_never_raises(
    sandbox: Sandbox, line: str, answers: list[Any], holds: bool
) -> None:
    (split,) = plan_asserts((line,), "").splits
    assert split is not None
    outcome = Outcome(RunVerdict.OK, encode(answers).encode())
    (ruling,) = AnswerJudge(sandbox, Limits(cpu_s=0.5, memory_mb=300)).decide([(split.rule, outcome)])
    assert ruling.right is holds


def test_asserts_are_parsed_right_while_other_threads_parse() -> None:
    """Up to 3.11.7, CPython can fail to parse correct source if the collector lets another thread parse."""

    def switch_threads(*_: object) -> None:
        time.sleep(1e-4)

    def parsed_asserts(thread: int) -> int:
        lines = [f"assert f([{thread}, {i}]) == {{'a': [{i}, (1, 2)]}}" for i in range(150)]
        return sum(len(plan_asserts((line,), "").splits) for line in lines)

    threshold = gc.get_threshold()
    gc.callbacks.append(switch_threads)
    gc.set_threshold(20)  # collects after 20 new objects, so many times while one text is parsed
    try:
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(parsed_asserts, range(4))) == [150] * 4
    finally:
        gc.callbacks.remove(switch_threads)
        gc.set_threshold(*threshold)

"""Splitting a text into steps: policies, spans, parts, and time that stays linear."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markscheme.sandbox import TaskError
from markscheme.verifiers import verify_steps
from markscheme.verifiers.steps.split import SplitPolicy, split_steps

FENCED = "a\n```python\nx = 1\ny = 2\n```\nb"
SOLUTION = "<code>def f(a):\n a=[x for x in a if x%2==0]\n a=sorted(a)\n return sum(a)</code>"

SPLITS: list[tuple[str, SplitPolicy | str, list[str]]] = [
    # text, policy, the texts of its steps
    ("a\nb\n\n\nc\n", "lines", ["a", "b", "c"]),
    ("a\r\nb\rc", "lines", ["a", "b", "c"]),
    ("", "lines", []),
    (" \n\t\n", "lines", []),
    ("<think>\n</think>\n", "lines", []),
    ("<think>7+6=13\n3+5=8\n</think>\\boxed{81}", "lines", ["7+6=13", "3+5=8", "\\boxed{81}"]),
    ("thought\n</think>\n42", "lines", ["thought", "42"]),
    (FENCED, "lines", ["a", "```python\nx = 1\ny = 2\n```", "b"]),
    ("a\n```\nnever closed\nb", "lines", ["a", "```", "never closed", "b"]),
    ("x\n$$\na\nb\n$$\ny", "lines", ["x", "$$\na\nb\n$$", "y"]),
    ("x\n\\[\na\n\\]\ny", "lines", ["x", "\\[\na\n\\]", "y"]),
    ("x\n\\begin{align}\na\\\\\nb\n\\end{align}\ny", "lines", ["x", "\\begin{align}\na\\\\\nb\n\\end{align}", "y"]),
    ("x\n$$ open\ny", "lines", ["x", "$$ open", "y"]),
    ("a\n\nb\nc\n\n\n\nd", "separator", ["a", "b\nc", "d"]),
    ("a ;; b;;c", SplitPolicy(by="separator", separator=";;"), ["a", "b", "c"]),
    ("Step 1: a\nmore\nStep 2: b\n### Step 3: c", "numbered", ["Step 1: a\nmore", "Step 2: b", "### Step 3: c"]),
    ("1. a\n2) b\n12.5 is no step", "numbered", ["1. a", "2) b\n12.5 is no step"]),
    ("It costs $5. He pays $6. Done!", "sentences", ["It costs $5.", "He pays $6.", "Done!"]),
    ("Mr. Smith has 3.5 of them, e.g. two. So?", "sentences", ["Mr. Smith has 3.5 of them, e.g. two.", "So?"]),
    ("因为三。所以四。", "sentences", ["因为三。", "所以四。"]),
    ("Take $x. y$ here. Next", "sentences", ["Take $x. y$ here.", "Next"]),
    (SOLUTION, "code", ["def f(a):", " a=[x for x in a if x%2==0]", " a=sorted(a)", " return sum(a)"]),
    ("Here:\n```python\nx = (1,\n  2)\n# note\n\ny = x\n```\nThat is it.", "code", ["x = (1,\n  2)", "# note\n\ny = x"]),
    ("<think>first\nplan</think><code>a = 1\nb = 2</code>", "code", ["a = 1", "b = 2"]),
    ("def f(:\n x = (1\n y", "code", ["def f(:", " x = (1", " y"]),
    ("a\nb\nlong line", SplitPolicy(min_chars=3), ["a\nb", "long line"]),
    ("1. Do:\n   ```py\n   a = 1\n\n   b = 2\n   ```\nDone", "lines", ["1. Do:", "```py\n   a = 1\n\n   b = 2\n   ```", "Done"]),
    ("<think>a</think>```py\nx=1\n\ny=2\n```", "lines", ["a", "```py\nx=1\n\ny=2\n```"]),
    ("````\n```\na\n```\n````\nb", "lines", ["````\n```\na\n```\n````", "b"]),
    ("  </code>", "code", []),
    ("a</think> <answer>", "lines", ["a"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "policy", "expected"), SPLITS)
def test_a_text_is_split_into_steps(text: str, policy: SplitPolicy | str, expected: list[str]) -> None:
    assert [text[step.start : step.end] for step in split_steps(text, policy)] == expected


def test_no_step_crosses_the_end_of_the_thinking_part() -> None:
    def parts(text: str, prefill: str = "") -> list[str]:
        return [step.part for step in split_steps(text, prefill=prefill)]

    text = "<think>one\ntwo</think>three\nfour"
    assert parts(text) == ["thinking", "thinking", "answer", "answer"]
    # The chat template has opened the thinking part, and nothing closes it.
    assert parts("one\ntwo", prefill="<think>\n") == ["thinking", "thinking"]
    assert parts("one\n</think>\ntwo", prefill="<think>\n") == ["thinking", "answer"]


def test_an_unknown_policy_is_an_error_that_shows_the_known_ones() -> None:
    with pytest.raises(TaskError, match="did you mean 'lines'"):
        split_steps("a", "line")
    with pytest.raises(TaskError, match="separator"):
        split_steps("a", {"by": "separator", "separator": ""})  # type: ignore[arg-type]


PIECES = [
    "a", "é", "日", "🙂", " ", "\n", "\n\n", "\r\n", ".", "$", "$$", "```\n", "Step 1: ", "1. ",
    "<think>", "</think>", "<code>", "</code>", "\\[", "\\]", "(", ")", "def f():", "\ud800",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(text=TEXTS, by=st.sampled_from(["lines", "separator", "numbered", "sentences", "code"]))
def test_steps_cover_the_text_in_order_and_are_never_empty(text: str, by: str) -> None:
    steps = split_steps(text, by)
    assert all(text[step.start : step.end].strip() for step in steps)
    assert all(one.cut <= two.start for one, two in pairwise(steps))
    assert all(step.start < step.end <= step.cut for step in steps)
    assert not steps or steps[-1].cut == len(text)
    encoded = text.encode("utf-8", "surrogatepass")
    for step in steps:
        for characters, bytes_before in (
            (step.start, step.byte_start),
            (step.end, step.byte_end),
            (step.cut, step.byte_cut),
        ):
            assert encoded[:bytes_before] == text[:characters].encode("utf-8", "surrogatepass")


REPEATED = [
    "a ```\n",
    "\\[", "$", "$a ", "```\n", "\\begin{a}", "a. ", "1. ", "(", "<think>", "......", "*", "# ", "1 x ", "1-", "((((", "=", "5 = ",
]  # fmt: skip
"""Pieces of text whose repetition once took quadratic time to split or to check."""


@pytest.mark.parametrize("piece", REPEATED)
def test_splitting_and_checking_take_linear_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    began = time.process_time()
    for by in ("lines", "sentences", "numbered", "code"):
        split_steps(text, by)
    verify_steps(text)
    assert time.process_time() - began < 10  # seconds; in quadratic time it takes minutes

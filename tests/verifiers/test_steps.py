"""Steps of a text, and verdicts on them by rule."""

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markscheme.sandbox import RewardError, TaskError, UnknownNameError
from markscheme.tasks import Problem, load_problems, load_task
from markscheme.verifiers import Verdict, verify_steps
from markscheme.verifiers.steps.arithmetic import claims_of, holds
from markscheme.verifiers.steps.split import SplitPolicy, split_steps

FENCED = "a\n```python\nx = 1\ny = 2\n```\nb"
TEACHER = "<code>def f(a):\n a=[x for x in a if x%2==0]\n a=sorted(a)\n return sum(a)</code>"

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
    (TEACHER, "code", ["def f(a):", " a=[x for x in a if x%2==0]", " a=sorted(a)", " return sum(a)"]),
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


@pytest.mark.parametrize(("text", "policy", "wanted"), SPLITS)
def test_a_text_s_steps(text: str, policy: SplitPolicy | str, wanted: list[str]) -> None:
    assert [text[step.start : step.end] for step in split_steps(text, policy)] == wanted


def test_parts_are_told_and_never_crossed() -> None:
    text = "<think>one\ntwo</think>three\nfour"
    assert [step.part for step in split_steps(text)] == ["thinking", "thinking", "answer", "answer"]
    # The chat template opened the thinking part and nothing closed it.
    assert [step.part for step in split_steps("one\ntwo", prefill="<think>\n")] == ["thinking", "thinking"]
    assert [step.part for step in split_steps("one\n</think>\ntwo", prefill="<think>\n")] == [
        "thinking",
        "answer",
    ]


def test_an_unknown_policy_shows_what_is_known() -> None:
    with pytest.raises(TaskError, match="did you mean 'lines'"):
        split_steps("a", "line")
    with pytest.raises(TaskError, match="separator"):
        split_steps("a", {"by": "separator", "separator": ""})  # type: ignore[arg-type]


PIECES = st.lists(
    st.sampled_from(["a", "é", "日", "🙂", " ", "\n", "\n\n", "\r\n", ".", "$", "$$", "```\n", "Step 1: ", "1. ",
                     "<think>", "</think>", "<code>", "</code>", "\\[", "\\]", "(", ")", "def f():", "\ud800"]),
    max_size=40,
).map("".join)  # fmt: skip


@given(text=PIECES, by=st.sampled_from(["lines", "separator", "numbered", "sentences", "code"]))
def test_steps_tile_the_text_and_are_never_empty(text: str, by: str) -> None:
    steps = split_steps(text, by)
    raw = text.encode("utf-8", "surrogatepass")
    assert all(text[step.start : step.end].strip() for step in steps)
    assert all(one.cut <= two.start for one, two in pairwise(steps))
    assert all(step.start < step.end <= step.cut for step in steps)
    assert not steps or steps[-1].cut == len(text)
    for step in steps:
        for place, at in (
            (step.start, step.byte_start),
            (step.end, step.byte_end),
            (step.cut, step.byte_cut),
        ):
            assert raw[:at] == text[:place].encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "piece", ["\\[", "$", "$a ", "```\n", "\\begin{a}", "a. ", "1. ", "(", "<think>", "......", "*", "# ", "1 x ", "1-", "((((", "=", "5 = "]
)  # fmt: skip
def test_splitting_and_checking_stay_linear(piece: str) -> None:
    """A completion of any kind costs little: these were quadratic once, and took minutes."""
    text = piece * (60_000 // len(piece))
    began = time.process_time()
    for by in ("lines", "sentences", "numbered", "code"):
        split_steps(text, by)
    verify_steps(text)
    assert time.process_time() - began < 10  # a quadratic one takes minutes


ARITHMETIC: list[tuple[str, bool | None]] = [
    ("16 - 3 = <<16-3=13>>13 ducks eggs", True),
    ("13 * 2 = $<<13*2=26>>26", True),
    ("<<3*6=18>>20", False),  # what is written is not what was calculated
    ("<<25*3=7500>>7500", False),
    ("<<10*(2/3)=8>>8", False),
    ("<<54/2=27.0>>27 candies", True),
    ("450 - 468 = <<450-468=-18>>-18", True),
    ("3 x 4 = 12", True),
    ("3 × 5 = 15, 12 ÷ 4 = 3", True),
    ("7+6+0=13", True),
    ("4 + 4 = 8 = 2^3", True),
    ("7*8=56=57", False),
    ("10/3 = 3.33", True),  # rounded
    ("200/3 = 66.66", True),  # cut
    ("10/3 = 3.4", False),
    ("7/2 = 3", False),
    ("11 / 5 = <<11/5=2.2>>2 trays", True),  # rounded to whole trays
    ("4.20 + 9.45 + 1.35 = <<4.20+9.45+1.35=14.999999999999998>>15", True),
    ("100% - 45% = 55%", True),
    ("25/100 x 100 = 25%", True),
    ("1,000 * 2 = 2,000", True),
    ("$60+$100 = $160", True),
    ("2 * (3 + 4) = 14", True),
    ("A+4 = 4+4 = 8", True),
    ("no number at all", None),
    ("A: 26", None),
    ("x = 5", None),
    ("x + 3 = 5", None),  # letters: no claim
    ("20% of 50 = 10", None),  # a part of something larger
    ("half of 5 + 3 = 4", None),
    ("5 + 3 = 8 + y", None),
    ("500/month * 12 = 7000", None),
    ("1/0 = 5", None),
    ("9^9^9^9 = 5", None),  # nobody reads that
    ("6 * 7 = 42k", None),
    # Real ones that were marked wrongly once.
    ("2 \\cdot 5 + 1 = 11", True),
    ("28 = 2^2 \\times 7", True),
    ("\\frac{1}{31} \\div \\frac{1}{93} = \\frac{1}{31} \\times \\frac{93}{1}", True),
    ("\\frac{5}{4} = 1 \\frac{1}{4}", None),
    ("8 x 1 1/2 = 12", None),
    ("10 / 4 = 2½", None),
    ("17/3 = 5 and 2/3", None),
    ("17 / 3 = 5 R 2", None),
    ("120 – 80 - 15 = 25", True),
    ("80 000 x 20/100 = 16 000", None),
    ("14, 400 / 80 = 180", None),
    ("(3/2)x+7=43", None),
    ("2 x -5 = 15", None),
    ("1/2 (68) + 10 = 44", None),
    ("25 / 1/3 = 75", None),
    ("$1 / 2 = 50 cents", None),
    ("100 * 0.75 = $0.75", None),
    ("Week 1 + Week 2 = 35 + 35", None),
    ("lines 3-5 = 3 lines", None),
    ("10/3 ≈ 3", True),
    ("10/3 ≈ 5", None),
    ("2/3 = 67%", True),
    ("√16 + 3 = 7", None),
    ("5 x 4 x 3 x 2 x 1 = 5! = 120", None),
    ("50 + 10% = 55", None),
    ("25 - 5 = <<25-5=20>>20%", True),
    ("20 / 26 = <<20/26=0.7692307692307693>>0.769", True),
    ("28% - 0.5 = 27.5%", None),
    ("5/100*$400 000 = $<<5/100*400000=20000.0>>20 000.", True),
    # And wrong ones that passed once.
    ("20% x 50 = 1000", False),
    ("<<1/2=0.5>>1", False),
    ("<<2+2=4>>**5**", False),
    ("0.04 * 1 = 0.0", False),
    ("<<=5>>5", None),
    ("- 2 + 2 = 5", False),
    ("**2 + 2 = 5**", False),
    ("\\(2 + 2 = 5\\)", False),
    ("\\boxed{2 + 2 = 5}", False),
    ("$$12 * 5 = 61$$", False),
    ("$$12 \\times 5 = 61$$", False),
    ("12 * 5 = 61 \\boxed{61}", False),
    ("12 * 5 = 61 \\text{ pages}", False),
    ("12 * 5 = 61 - that is it", False),
    ("12 * 5 = 61 - x", None),
    ("12 * 5 == 61", False),
]


@pytest.mark.parametrize(("text", "wanted"), ARITHMETIC)
def test_arithmetic_in_a_step(text: str, wanted: bool | None) -> None:
    assert [verdict.correct for verdict in verify_steps(text)] == [wanted]


def test_a_number_from_nowhere_is_unsupported() -> None:
    problem = Problem(prompt="Tom has 3 boxes with 20% of forty-five pens each.")
    verdicts = verify_steps("45 * .2 = 9\n9 * 3 = 27\n27 * 17 = 459\n459 - 27 = 432", problem=problem)
    assert [(v.correct, v.reason.value) for v in verdicts] == [
        (True, "passed"),
        (True, "passed"),
        (None, "unsupported"),
        (True, "passed"),
    ]
    assert verdicts[2].evidence["numbers"] == ["17"]


@given(a=st.integers(0, 999), b=st.integers(1, 999), off=st.integers(1, 9), op=st.sampled_from("+-*"))
def test_right_sums_pass_and_wrong_ones_fail(a: int, b: int, off: int, op: str) -> None:
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    assert [holds(claim) for claim in claims_of(f"so {a} {op} {b} = {value}.")] == [True]
    assert [holds(claim) for claim in claims_of(f"so {a} {op} {b} = {value + off} ok")] == [False]


def test_lines_of_programs_run_in_the_sandbox() -> None:
    problem = next(iter(load_problems(load_task("list_programs"), limit=1)))
    good = str(problem.solution)

    def marks(program: str, check: str) -> list[bool | None]:
        return [v.correct for v in verify_steps(program, check=check, split="code", problem=problem)]

    assert marks(good, "code_runs") == marks(good, "code_as_solution") == [True] * 5
    lines = good.split("\n")
    raising = "\n".join([*lines[:2], " a=b[:1]", *lines[3:]])
    assert marks(raising, "code_runs") == [True, True, False, None, None]
    # Each line by itself: the wrong one is one, those behind it are as right as they were.
    other = "\n".join([*lines[:2], " a=a[:1]+[77]", *lines[3:]])
    assert marks(other, "code_runs") == [True] * 5
    assert marks(other, "code_as_solution") == [True, True, False, True, True]
    broken = "\n".join([*lines[:2], " a=(((", *lines[3:]])
    assert False in marks(broken, "code_runs")


def test_prefixes_run_for_asserts_and_without_tests_nothing_is_judged() -> None:
    tests = {"type": "asserts", "asserts": ["assert add(2, 3) == 5"]}
    text = "```python\ndef add(a, b):\n    c = a + b\n    d = c / 0\n    return c\n```"
    verdicts = verify_steps(text, check="code_runs", split="code", problem=Problem(prompt="p", tests=tests))
    assert [v.correct for v in verdicts] == [True, True, False, None]
    assert "ZeroDivisionError" in verdicts[2].evidence["error"]
    assert {v.correct for v in verify_steps(text, check="code_runs", split="code")} == {None}


def test_a_line_that_reaches_out_of_its_function_harms_nobody(tmp_path: Path) -> None:
    """Lines are untrusted code: they run where they can do nothing."""
    target = tmp_path / "written"
    tests = {"type": "calls", "entry": "f", "cases": [{"args": [1], "expected": 1}]}
    text = f"```python\ndef f(a):\n    open({str(target)!r}, 'w').write('x')\n    while True: pass\n    return a\n```"
    verdicts = verify_steps(text, check="code_runs", split="code", problem=Problem(prompt="p", tests=tests))
    assert [v.correct for v in verdicts][1:3] != [True, True]
    assert not target.exists()


def test_a_check_of_your_own() -> None:
    def long_enough(problem: Problem, steps: list[str]) -> list[bool | Verdict | None]:
        return [None if step == "?" else len(step) > 3 for step in steps]

    verdicts = verify_steps("a\nlong\n?", check=long_enough)
    assert [v.correct for v in verdicts] == [False, True, None]
    assert [v.evidence["span"] for v in verdicts] == [(0, 1), (2, 6), (7, 8)]
    with pytest.raises(RewardError, match="1 marks for 2 steps"):
        verify_steps("a\nb", check=lambda problem, steps: [True])
    with pytest.raises(RewardError, match="bool, None or Verdict"):
        verify_steps("a", check=lambda problem, steps: [0.5])  # type: ignore[list-item]
    with pytest.raises(UnknownNameError, match="did you mean 'arithmetic'"):
        verify_steps("a", check="aritmetic")


def test_lines_of_an_addition_are_judged_by_what_stands_before_them() -> None:
    problem = Problem(prompt="347+586=")

    def marks(text: str) -> list[bool | None]:
        return [v.correct for v in verify_steps(text, check="addition_lines", problem=problem)]

    right = "<think>7+6+0=13\n4+8+1=13\n3+5+1=9\n</think>\\boxed{933}"
    assert marks(right) == [True] * 4
    assert marks(right.replace("4+8+1=13", "4+8+0=12").replace("933", "923")) == [True, False, True, True]
    assert marks(right.replace("933", "934")) == [True, True, True, False]
    assert marks("7+6+0=13\n" + right) == [True, False, False, False, False]  # a line too many
    assert marks("\\boxed{933}") == [False]

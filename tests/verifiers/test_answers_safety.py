"""Limits of the answer verifier, whatever a model writes: it never evaluates text, hangs, grows or varies."""

import builtins
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sympy
import sympy.parsing.sympy_parser as sympy_parser

from markscheme.sandbox import with_deadline
from markscheme.sandbox.deadline.shared import shared_pool
from markscheme.verifiers import compare_answers, verify_answer
from markscheme.verifiers.answers import compare as answer_module
from markscheme.verifiers.answers import math_verify
from markscheme.verifiers.answers.compare import KEPT, KEPT_CHARS, compare_all
from markscheme.verifiers.verdict import Reason
from support import HANGING_PAIRS, LABELLED_ANSWERS, LAST_TIER_PAIR, judge_labelled

CODE = [
    "__import__('os').system('touch {}')", "open('{}', 'w')", r"\text{{__import__('os').system('touch {}')}}",
    r"\int_0^1 \text{{open('{}','w')}} dx", r"\begin{{pmatrix}} open('{}','w') \\ 2 \end{{pmatrix}} \begin{{pmatrix}}1\\2\end{{pmatrix}}",
    r"\sum_{{n=1}}^{{3}} \operatorname{{eval}}(open('{}','w'))", "x.__class__.__mro__[1].__subclasses__()", "lambda: open('{}','w')",
]  # fmt: skip
"""Answers that would write a file, or reach every class of the process, if they were evaluated."""


@pytest.fixture(autouse=True)
def no_kept_verdicts() -> Iterator[None]:
    answer_module._kept.clear()
    yield
    answer_module._kept.clear()


def refuse(text: Any, *_: Any, **__: Any) -> Any:
    raise AssertionError(f"evaluated: {text!r}")


def test_text_is_never_evaluated_in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module, name in (
        (builtins, "eval"),
        (sympy, "sympify"),
        # Not `sympy.core.sympify`, because that attribute is the function of the same name.
        (sys.modules["sympy.core.sympify"], "sympify"),
        (sympy_parser, "parse_expr"),
        (sympy_parser, "eval_expr"),
    ):
        monkeypatch.setattr(module, name, refuse)
    for row in LABELLED_ANSWERS:
        assert judge_labelled(row).correct is row["correct"]
    for code in CODE:
        text = code.format(tmp_path / "made")
        for reference in ("4", "x^2", "(1, 2)", r"\int_0^1 x dx", r"\begin{pmatrix}1\\2\end{pmatrix}", "yes"):
            assert compare_answers(reference, text).correct is False
            assert verify_answer(reference, rf"\boxed{{{text}}}").correct is False
    assert not (tmp_path / "made").exists()


def test_text_is_never_evaluated_in_the_last_tier_either(tmp_path: Path) -> None:
    reference, equal = LAST_TIER_PAIR
    pairs = []
    for code in CODE:
        text = code.format(tmp_path / "made")
        pairs += [(text, text), (reference, text), (text, equal)]
    outcomes = with_deadline("worker_jobs:judge_and_list_evaluations", [*pairs, LAST_TIER_PAIR], timeout_s=30)
    assert [evaluated for evaluated, _ in outcomes] == [[]] * len(outcomes)
    assert outcomes[-1][1] == (True, True, True)
    assert not (tmp_path / "made").exists()


TOO_LARGE = [
    "9" * 1001, "1" * 100_000, "(" * 500 + "1" + ")" * 500, "{" * 400 + "6" + "}" * 400, "-" * 900 + "5",
    "+".join(["x"] * 400), r"\sqrt{" * 60 + "2" + "}" * 60, "10^{10^{10^{10}}}+\\pi", "e^{e^{e^{e^{e}}}}",
    r"(10^{9})!+\sqrt{2}", r"\sqrt{2}+(99999999)!!", r"\sin(10^{10^{10}})", r"2^{2^{2^{2^{2^2}}}}-\sqrt{3}",
    r"\binom{10^{12}}{10^{11}}\pi", "((((9^9)^9)^9)^9)^9+e", ", ".join(map(str, range(400))),
]  # fmt: skip


@pytest.mark.parametrize("text", TOO_LARGE)
@pytest.mark.parametrize("reference", ["5", r"\sqrt{2}", "x+1", "(1, 2)"])
def test_hostile_answers_never_reach_the_last_tier(reference: str, text: str) -> None:
    """Every size is checked before anything is computed, and an answer that is too large is wrong."""
    verdict = compare_answers(reference, text)
    assert verdict.correct is False
    assert verdict.tier != "last"
    assert verdict.reason in (Reason.TOO_LARGE, Reason.DIFFERENT, Reason.UNPARSABLE_ANSWER), verdict


def test_the_verdict_on_a_huge_formula_is_that_it_is_too_large() -> None:
    reasons = {text: compare_answers(r"\sqrt{2}", text).reason for text in TOO_LARGE[:8]}
    assert reasons == dict.fromkeys(TOO_LARGE[:8], Reason.TOO_LARGE)


QUADRATIC = [
    "{" * 50_000, "\\boxed{" * 5_000, "9" * 60_000, "$" * 50_000, "1/" * 30_000, "\\frac" * 10_000, "<think>" * 10_000,
    "**" * 20_000, "answer is " * 5_000, "answer is" + "\n" * 50_000, "\\boxed{1}" + " " * 60_000 + "\\boxed{2}",
    "\\frac" + " " * 50_000, "<answer>}" + " " * 60_000 + "x</answer>",
]  # fmt: skip
"""Texts on which a careless pattern or parser would take minutes."""


@pytest.mark.parametrize("text", QUADRATIC)
def test_long_hostile_texts_are_judged_in_linear_time(text: str) -> None:
    """Nothing is timed: in quadratic time the test would not finish."""
    compare_answers("4", text)
    assert verify_answer("4", text, extract="lenient").correct is not True
    assert verify_answer("4", f"\\boxed{{{text}}}").correct is not True


def test_hanging_answers_are_wrong_and_cost_their_neighbours_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(math_verify, "LIMIT_S", 1.0)
    easy = [(str(n), str(n + n % 2)) for n in range(990)]  # every other one is wrong
    pairs = [*easy[:500], *HANGING_PAIRS, *easy[500:], LAST_TIER_PAIR]
    verdicts = dict(zip(pairs, compare_all(pairs), strict=True))
    of_hanging = [verdicts[pair] for pair in HANGING_PAIRS]
    assert {(verdict.correct, verdict.reason, verdict.tier) for verdict in of_hanging} == {
        (False, Reason.TIMEOUT, "last")
    }
    assert all(verdicts[pair].correct is (pair[0] == pair[1]) for pair in easy)
    assert verdicts[LAST_TIER_PAIR].correct is True


def test_the_caller_s_own_alarm_still_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    """math-verify bounds its time by the signal ALRM, which would take the caller's timer away."""
    monkeypatch.setattr(math_verify, "LIMIT_S", 0.3)
    rings: list[int] = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rings.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)  # rings while an answer hangs
        assert compare_answers(*HANGING_PAIRS[0]).reason is Reason.TIMEOUT
        signal.setitimer(signal.ITIMER_REAL, 30)
        assert compare_answers("18", "18").correct is True
        assert 25 < signal.setitimer(signal.ITIMER_REAL, 0)[0] <= 30
        assert rings
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def run_in_eight_threads(work: Callable[[int], None]) -> None:
    """Call a function with 0 to 7, each in a thread of its own, and wait for all."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_eight_threads_give_the_same_verdicts_as_one() -> None:
    def verdicts() -> list[tuple[bool | None, Reason]]:
        return [(verdict.correct, verdict.reason) for verdict in map(judge_labelled, LABELLED_ANSWERS)]

    of_one = verdicts()
    answer_module._kept.clear()
    of_thread: dict[int, list[tuple[bool | None, Reason]]] = {}

    def work(number: int) -> None:
        of_thread[number] = verdicts()

    run_in_eight_threads(work)
    assert of_thread == dict.fromkeys(range(8), of_one)


def test_threads_may_clear_each_other_s_kept_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_module, "KEPT", 1)  # so that almost every verdict clears the memory
    failures: list[Any] = []

    def work(number: int) -> None:
        try:
            for count in range(200):
                pairs = [(str(number), str(i % 2 + number)) for i in range(count % 50)]
                expected = [one == two for one, two in pairs]
                if [verdict.correct for verdict in compare_all(pairs)] != expected:
                    failures.append(pairs)
        except Exception as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # seconds; Python then switches threads as often as it can
    try:
        run_in_eight_threads(work)
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


def test_without_worker_processes_the_answer_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    shared_pool().close()
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nonexistent/python")
        verdict = compare_answers(*LAST_TIER_PAIR)
        assert (verdict.correct, verdict.reason, verdict.tier) == (None, Reason.UNAVAILABLE, "last")
        assert "no worker process" in verdict.evidence["error"]
        assert compare_answers("18", "18").correct is True
    assert shared_pool().is_warm(math_verify._WORKER_MODULE, wait_s=60)
    assert compare_answers(*LAST_TIER_PAIR).correct is True, "the failure was kept"


def test_verdicts_are_kept_within_bounds_and_not_shared() -> None:
    for n in range(KEPT + 100):
        compare_answers(str(n), str(n + 1))
    assert len(answer_module._kept) <= KEPT
    answer_module._kept.clear()
    compare_answers("5", "5 " * KEPT_CHARS)
    assert not answer_module._kept
    first = compare_answers("18", "18.0")
    first.evidence["mine"] = True
    assert "mine" not in compare_answers("18", "18.0").evidence


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_answers() -> None:
    def resident_mb() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6

    def pair(n: int) -> tuple[str, str]:
        if n % 3:
            return rf"\frac{{{n}}}{{7}}", f"{n}/7"
        return f"x^2+{n}", f"{n + n % 2}+x^2"

    for n in range(10_000):
        compare_answers(*pair(n))
    before = resident_mb()
    for n in range(10_000, 110_000):
        compare_answers(*pair(n))
    assert resident_mb() - before < 50


@pytest.mark.parametrize(
    "answer",
    [
        "sinxx" * 60 + "zzzz",
        "(1) " + "a (2) " * 200 + "a (3) " * 200 + "a (4) " * 200 + ";x",
        "个" + "1" * 9500,
        "万" * 1100,
        "1" * 9500 + "元",
        "1" + "\n" * 9000 + "x",
    ],
)
def test_answers_that_make_patterns_try_every_division_are_judged(answer: str) -> None:
    assert compare_answers("dog", answer).correct is False  # it returns at all: some took hours


@pytest.mark.parametrize("extract", ["strict", "lenient"])
@pytest.mark.parametrize(
    "completion",
    [
        "It has = " + "√1+" * 40 + "!a",
        "<answer>5 (=1 " + "aa " * 30_000 + "</answer>",
        "<answer>5" + ")" * 90_000 + "</answer>",
        "<answer>" + "is 5 " * 18_000 + "</answer>",
        "<!--" * 24_000 + r"\boxed{6}",
        r"\boxed{1" + " " * 90_000 + r"1}, \boxed{2}",
        "（" * 19_000 + "6",
        "\n" * 30_000,
        "12３" * 30_000,
    ],
)
def test_completions_that_make_patterns_try_every_division_are_judged(completion: str, extract: str) -> None:
    assert verify_answer("5", completion, extract=extract).correct is False

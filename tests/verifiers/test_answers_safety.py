"""What the answer verifier may never do, whatever a model writes: evaluate it, hang, grow, differ."""

import builtins
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sympy
import sympy.parsing.sympy_parser as sympy_parser

from markscheme.sandbox.deadline.pool import shared_pool, with_deadline
from markscheme.verifiers import compare_answers, verify_answer
from markscheme.verifiers.answers import math_verify
from markscheme.verifiers.answers import verify as answer_module
from markscheme.verifiers.answers.verify import KEPT, KEPT_CHARS, compare_all
from markscheme.verifiers.verdict import Reason
from support import LABELLED, judged

HARD = (r"\sum_{n=1}^{3} n^2", r"\sum_{n=1}^{3} n n")
"""Only the last tier reads it."""
HANGING = [
    (
        rf"\int_0^1 \frac{{\ln(1+x+x^5)}}{{1+x^{{{n}}}}} dx",
        rf"\int_0^1 \frac{{\ln(1+x+x^5)}}{{1+x^{{{n + 2}}}}} dx",
    )
    for n in range(9, 29, 2)
]
"""Minutes of sympy's time each."""
CODE = [
    "__import__('os').system('touch {}')", "open('{}', 'w')", r"\text{{__import__('os').system('touch {}')}}",
    r"\int_0^1 \text{{open('{}','w')}} dx", r"\begin{{pmatrix}} open('{}','w') \\ 2 \end{{pmatrix}} \begin{{pmatrix}}1\\2\end{{pmatrix}}",
    r"\sum_{{n=1}}^{{3}} \operatorname{{eval}}(open('{}','w'))", "x.__class__.__mro__[1].__subclasses__()", "lambda: open('{}','w')",
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    answer_module._kept.clear()
    yield
    answer_module._kept.clear()


def refuse(text: Any, *_: Any, **__: Any) -> Any:
    raise AssertionError(f"evaluated: {text!r}")


def test_text_is_never_evaluated_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module, name in (
        (builtins, "eval"),
        (sympy, "sympify"),
        (sys.modules["sympy.core.sympify"], "sympify"),
        (sympy_parser, "parse_expr"),
        (sympy_parser, "eval_expr"),
    ):
        monkeypatch.setattr(module, name, refuse)
    for row in LABELLED:
        assert judged(row).correct is row["correct"]
    for code in CODE:
        text = code.format(tmp_path / "made")
        for reference in ("4", "x^2", "(1, 2)", r"\int_0^1 x dx", r"\begin{pmatrix}1\\2\end{pmatrix}", "yes"):
            assert compare_answers(reference, text).correct is False
            assert verify_answer(reference, rf"\boxed{{{text}}}").correct is False
    assert not (tmp_path / "made").exists()


def test_text_is_never_evaluated_in_the_last_tier_either(tmp_path: Path) -> None:
    texts = [code.format(tmp_path / "made") for code in CODE]
    calls = [(one, two) for text in texts for one, two in ((text, text), (HARD[0], text), (text, HARD[1]))]
    outcomes = with_deadline("worker_jobs:judge_guarded", [*calls, HARD], timeout_s=30)
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
    """Caps stand before any evaluation: exceeded, the answer is wrong, by a tier that cannot hang."""
    verdict = compare_answers(reference, text)
    assert verdict.correct is False
    assert verdict.tier != "last"
    assert verdict.reason in (Reason.TOO_LARGE, Reason.DIFFERENT, Reason.UNPARSABLE_ANSWER), verdict


def test_too_large_is_what_a_hostile_answer_is_called() -> None:
    assert {text: compare_answers(r"\sqrt{2}", text).reason for text in TOO_LARGE[:8]} == dict.fromkeys(
        TOO_LARGE[:8], Reason.TOO_LARGE
    )


def test_a_hang_is_wrong_and_costs_its_neighbours_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(math_verify, "LIMIT_S", 1.0)
    easy = [(str(n), str(n + n % 2)) for n in range(990)]
    pairs = [*easy[:500], *HANGING, *easy[500:], HARD]
    verdicts = dict(zip(pairs, compare_all(pairs), strict=True))
    assert {(verdicts[pair].correct, verdicts[pair].reason, verdicts[pair].tier) for pair in HANGING} == {
        (False, Reason.TIMEOUT, "last")
    }
    assert all(verdicts[pair].correct is (pair[0] == pair[1]) for pair in easy)
    assert verdicts[HARD].correct is True


def test_the_callers_alarm_rings_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(math_verify, "LIMIT_S", 0.3)
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)  # while an answer hangs
        assert compare_answers(*HANGING[0]).reason is Reason.TIMEOUT
        signal.setitimer(signal.ITIMER_REAL, 30)
        assert compare_answers("18", "18").correct is True
        assert 25 < signal.setitimer(signal.ITIMER_REAL, 0)[0] <= 30
        assert rung
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_eight_threads_give_the_same_verdicts() -> None:
    alone = [judged(row) for row in LABELLED]
    answer_module._kept.clear()
    found: dict[int, list[Any]] = {}

    def work(k: int) -> None:
        found[k] = [judged(row) for row in LABELLED]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(8):
        assert [(v.correct, v.reason) for v in found[k]] == [(v.correct, v.reason) for v in alone]


def test_threads_may_empty_each_others_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_module, "KEPT", 1)
    wrong: list[Any] = []

    def work(k: int) -> None:
        try:
            for n in range(200):
                pairs = [(str(k), str(i % 2 + k)) for i in range(n % 50)]
                if [verdict.correct for verdict in compare_all(pairs)] != [one == two for one, two in pairs]:
                    wrong.append(pairs)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []


def test_where_no_worker_can_be_had_the_answer_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    shared_pool().close()
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nonexistent/python")
        verdict = compare_answers(*HARD)
        assert (verdict.correct, verdict.reason, verdict.tier) == (None, Reason.UNAVAILABLE, "last")
        assert "no worker process" in verdict.evidence["error"]
        assert compare_answers("18", "18").correct is True
    assert compare_answers(*HARD).correct is True, "the failure was kept"


def test_verdicts_are_kept_within_bounds() -> None:
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
    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

    def spellings(n: int) -> tuple[str, str]:
        return (rf"\frac{{{n}}}{{7}}", f"{n}/7") if n % 3 else (f"x^2+{n}", f"{n + n % 2}+x^2")

    for n in range(10_000):
        compare_answers(*spellings(n))
    before = resident()
    for n in range(10_000, 110_000):
        compare_answers(*spellings(n))
    assert resident() - before < 50

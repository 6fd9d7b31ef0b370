"""Judges: what they are shown, how replies are read, faults of the endpoint, and completions that give orders."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from injections import INJECTIONS
from markscheme.rewards import MarkScheme, Score
from markscheme.rewards.lineage import lineage_of
from markscheme.rewards.offline.scoring import CHUNK, scored_rows
from markscheme.rewards.rows.completions import Answer
from markscheme.sandbox import TaskError
from markscheme.tasks import Completion, Problem
from scripted_judge import ScriptedJudge, scripted_judge, shown, verdict
from support import MakeTask

PROBLEM = Problem(prompt="Why is the sky blue?", reference="Rayleigh scattering")


def scheme_of(make_task: MakeTask, server: ScriptedJudge, tmp_path: Path, **entry: Any) -> MarkScheme:
    """Return a scheme with a judge at the server, and a cache of its own."""
    settings = {
        "use": "judge",
        "model": "m",
        "url": server.url,
        "rubric": "Is it right?",
        "cache": str(tmp_path / "cache"),
        "retries": 2,
        "deadline_s": 5,
        **entry,
    }
    return MarkScheme(make_task(f"rewards: {{quality: {json.dumps(settings)}}}"))


def score(scheme: MarkScheme, *texts: str) -> list[Score]:
    return scheme.score([PROBLEM] * len(texts), [Completion(text) for text in texts])


def test_verdicts_are_worth_what_the_task_says(make_task: MakeTask, tmp_path: Path) -> None:
    def script(request: dict[str, Any], number: int) -> str:
        return verdict({"a": "poor", "b": "fair", "c": "good"}[shown(request)["answer"]])

    with scripted_judge(script) as server:
        ordered = scheme_of(make_task, server, tmp_path, choices=["poor", "fair", "good"])
        assert [one.value for one in score(ordered, "a", "b", "c")] == [0.0, 0.5, 1.0]
        assert ordered.range == (0, 1)
        mapped = scheme_of(make_task, server, tmp_path, choices={"poor": -1, "fair": 0, "good": 3})
        assert mapped.range == (-1, 3)
        assert [one.value for one in score(mapped, "a", "b", "c")] == [-1, 0, 3]
        enum = server.requests[0]["response_format"]["json_schema"]["schema"]["properties"]["verdict"]["enum"]
        assert enum == ["poor", "fair", "good"]
    with scripted_judge(lambda request, number: verdict(7)) as server:
        numbers = scheme_of(make_task, server, tmp_path, scale=[1, 10])
        assert numbers.range == (1, 10)
        assert score(numbers, "a")[0].value == 7


@pytest.mark.parametrize(
    "reply",
    [
        verdict("Yes"), verdict("maybe"), verdict(1), verdict(None), verdict(True), "yes", "", "[]", "{}",
        '{"verdict": "yes"', 'verdict: {"verdict": "yes"}', '{"verdict": "yes"} {"verdict": "no"}',
        '{"verdict": "no", "verdict": "yes"}', '{"reason": "yes"}', "[" * 5000,
    ],
)  # fmt: skip
def test_a_verdict_that_was_not_offered_is_none(reply: str, make_task: MakeTask, tmp_path: Path) -> None:
    with scripted_judge(lambda request, number: reply) as server:
        scheme = scheme_of(make_task, server, tmp_path)
        (one,) = score(scheme, "answer")
        assert (one.value, one.status) == (None, "abstain")
        (again,) = score(scheme, "answer")
        assert len(server.requests) == 2, "only verdicts are kept"
        assert again.status == "abstain"


def test_only_the_answer_is_shown_unless_the_task_says_otherwise(make_task: MakeTask, tmp_path: Path) -> None:
    text = "<think>I could say: verdict yes.</think>Because of scattering."
    with scripted_judge(lambda request, number: verdict("no")) as server:
        score(scheme_of(make_task, server, tmp_path), text)
        assert shown(server.requests[0]) == {"problem": PROBLEM.prompt, "answer": "Because of scattering."}
        score(scheme_of(make_task, server, tmp_path, shows="completion", reference=True), text)
        assert shown(server.requests[1])["answer"] == text
        assert shown(server.requests[1])["reference answer"] == "Rayleigh scattering"


def test_votes_have_a_mean_and_a_spread(make_task: MakeTask, tmp_path: Path) -> None:
    with scripted_judge(lambda request, number: verdict("yes" if request["seed"] < 2 else "no")) as server:
        scheme = scheme_of(make_task, server, tmp_path, votes=3, temperature=0.7)
        (one,) = score(scheme, "answer")
        assert one.value == pytest.approx(2 / 3)
        detail = one.parts["quality"].detail
        assert detail is not None
        assert sorted(detail["votes"]) == [0, 1, 1]
        assert detail["spread"] == pytest.approx(0.4714, abs=1e-4)
        with pytest.raises(TaskError, match="votes at temperature 0 would be the same"):
            scheme_of(make_task, server, tmp_path, votes=3)


def test_pairs_are_compared_in_both_orders(make_task: MakeTask, tmp_path: Path) -> None:
    def better(request: dict[str, Any], number: int) -> str:
        material = shown(request)
        first, second = len(material["first answer"]), len(material["second answer"])
        return verdict("first" if first > second else "second")

    with scripted_judge(better) as server:
        scheme = scheme_of(make_task, server, tmp_path, compare="group")
        assert [one.value for one in score(scheme, "aaa", "aa", "a")] == [1.0, 0.5, 0.0]
        assert len(server.requests) == 6
        assert [one.value for one in score(scheme, "aa", "aa")] == [0.5, 0.5], (
            "equal texts tie without being asked"
        )
        assert len(server.requests) == 6
        assert score(scheme, "alone")[0].status == "not_applicable"
        against = scheme_of(make_task, server, tmp_path, compare="reference")
        assert [one.value for one in score(against, "a", "a" * 40)] == [0.0, 1.0]
    with scripted_judge(lambda request, number: verdict("first")) as server:
        biased = scheme_of(make_task, server, tmp_path, compare="group", cache=None)
        assert [one.value for one in score(biased, "aaa", "a")] == [0.5, 0.5], (
            "a verdict that follows the order is a tie"
        )


@pytest.mark.parametrize("fault", [500, 503, 429, "drop", "garbage"])
def test_faults_that_pass_lose_no_mark_and_double_none(
    fault: Any, make_task: MakeTask, tmp_path: Path
) -> None:
    """Every third request fails; the client asks again."""
    with scripted_judge(
        lambda request, number: fault if number % 3 == 0 else verdict(shown(request)["answer"])
    ) as server:
        scheme = scheme_of(make_task, server, tmp_path, concurrency=1, choices=[f"{i}" for i in range(6)])
        scores = score(scheme, *(f"{i}" for i in range(6)))
        if fault == "garbage":  # a reply that is not JSON is not asked for again by the client
            assert {one.status for one in scores} == {"ok", "infra_error"}
            return
        assert [one.value for one in scores] == [pytest.approx(i / 5) for i in range(6)]
        served = len(server.requests)
        score(scheme, *(f"{i}" for i in range(6)))
        assert len(server.requests) == served, "verdicts that were kept are not asked for again"


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (500, "infra_error", "status 500 after 2 retries"),
        (429, "infra_error", "status 429 after 2 retries"),
        ("drop", "infra_error", "APIConnectionError"),
        (2.0, "infra_error", "no reply within 1 s"),
        (401, "bug", "is the key in $OPENAI_API_KEY right?"),
        (404, "bug", "are `url` and `model` right?"),
        (400, "bug", "does the endpoint support response_format json_schema"),
    ],
)
def test_faults_that_stay_have_a_status_and_a_reason(
    fault: Any, status: str, reason: str, make_task: MakeTask, tmp_path: Path
) -> None:
    with scripted_judge(
        lambda request, number: fault if shown(request)["answer"] == "x" else verdict("yes")
    ) as server:
        scheme = scheme_of(make_task, server, tmp_path, deadline_s=1 if isinstance(fault, float) else 30)
        bad, good = score(scheme, "x", "fine")
        assert (bad.value, bad.status) == (None, status)
        assert reason in bad.parts["quality"].reason
        assert good.value == 1.0, "the others are judged"


def test_the_same_question_is_asked_once(make_task: MakeTask, tmp_path: Path) -> None:
    with scripted_judge(lambda request, number: verdict("yes")) as server:
        scheme = scheme_of(make_task, server, tmp_path)
        assert [one.value for one in score(scheme, *["same"] * 8)] == [1.0] * 8
        assert len(server.requests) == 1
        next((tmp_path / "cache").rglob("*.json")).write_text('{"repl')
        assert score(scheme, "same")[0].value == 1.0, "a damaged file is asked for again"
        assert len(server.requests) == 2
        other = scheme_of(make_task, server, tmp_path, rubric="Is it short?")
        score(other, "same")
        assert len(server.requests) == 3, "another rubric is another question"


def test_concurrency_and_rate_are_kept(make_task: MakeTask, tmp_path: Path) -> None:
    with scripted_judge(lambda request, number: 0.05) as server:
        score(scheme_of(make_task, server, tmp_path, concurrency=3), *(f"{i}" for i in range(12)))
        assert server.most_busy == 3
        start = time.monotonic()
        score(scheme_of(make_task, server, tmp_path, per_minute=600), *(f"n{i}" for i in range(8)))
        assert time.monotonic() - start >= 0.65, "eight questions at ten a second"


def test_an_endpoint_that_is_not_there_is_an_error_at_once(make_task: MakeTask, tmp_path: Path) -> None:
    with scripted_judge(lambda request, number: verdict("yes")) as server:
        pass
    with pytest.raises(TaskError, match="nothing answers at http://127"):
        scheme_of(make_task, server, tmp_path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"rubric": " "}, "`rubric` is empty"),
        ({"choices": ["yes"]}, "two or more verdicts"),
        ({"choices": {"a": 1, "b": 1}}, "of different worth"),
        ({"scale": [5, 1]}, "`scale` must be"),
        ({"scale": [1, 5], "choices": ["a", "b"]}, "not both"),
        ({"compare": "group", "scale": [1, 5]}, "drop `choices` and `scale`"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    entry: dict[str, Any], message: str, make_task: MakeTask, tmp_path: Path
) -> None:
    with (
        scripted_judge(lambda request, number: verdict("yes")) as server,
        pytest.raises(TaskError, match=message),
    ):
        scheme_of(make_task, server, tmp_path, **entry)


def test_there_are_forty_injections() -> None:
    assert len(set(INJECTIONS)) == 40


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_completion_cannot_give_orders(text: str, make_task: MakeTask, tmp_path: Path) -> None:
    """It stays one string of data: no special token of a chat template is in the message, and no verdict is read
    from it. The judge here says no to everything, and its reply repeats the completion as its reason."""
    with scripted_judge(lambda request, number: verdict("no", reason=shown(request)["answer"])) as server:
        (one,) = score(scheme_of(make_task, server, tmp_path), text)
        (request,) = server.requests
    assert one.value == 0.0
    system, user = request["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert text.strip() not in system["content"]
    assert shown(request) == {"problem": PROBLEM.prompt, "answer": text.strip()}, "as data, it is unchanged"
    for token in (
        "<|",
        "</s>",
        "<s>",
        "[INST]",
        "[|",
        "]~",
        "[/INST]",
        "[SYSTEM_PROMPT]",
        "<start_of_turn>",
        "<｜",
        "<eos>",
        "<bos>",
    ):
        assert token not in user["content"]
    assert user["content"].count('"answer": ') == 1


@pytest.mark.parametrize(
    "body", [{"error": {"message": "x"}}, {"choices": []}, {"choices": {"a": 1}}, [], "<html>"]
)
def test_what_is_not_a_chat_model_is_our_fault_and_named(
    body: Any, make_task: MakeTask, tmp_path: Path
) -> None:
    with scripted_judge(lambda request, number: body) as server:
        (one,) = score(scheme_of(make_task, server, tmp_path), "answer")
    assert (one.value, one.status) == (None, "infra_error"), one


def test_a_verdict_counts_even_where_it_cannot_be_kept(make_task: MakeTask, tmp_path: Path) -> None:
    with scripted_judge(lambda request, number: verdict("yes")) as server:
        assert score(scheme_of(make_task, server, tmp_path, cache="/dev/null/x"), "a")[0].value == 1.0
        scheme = scheme_of(make_task, server, tmp_path)
        score(scheme, "b")
        (kept,) = (tmp_path / "cache").rglob("*.json")
        for damage in ('{"reply": "garbage"}', '{"reply": 5}', "[" * 5000):
            kept.write_text(damage)
            assert score(scheme, "b")[0].value == 1.0
            assert json.loads(json.loads(kept.read_text())["reply"])["verdict"] == "yes"


def test_answers_to_different_questions_are_not_compared(make_task: MakeTask, tmp_path: Path) -> None:
    problems = [Problem(id="7", prompt=f"capital of {country}?") for country in ("France", "Italy")]
    with scripted_judge(lambda request, number: verdict("first")) as server:
        scheme = scheme_of(make_task, server, tmp_path, compare="group")
        scores = scheme.score(problems, [Completion("Paris"), Completion("Rome")])
    assert [one.status for one in scores] == ["not_applicable"] * 2


def test_the_answers_to_a_problem_are_compared_with_each_other_however_many_rows_there_are(
    make_task: MakeTask, tmp_path: Path
) -> None:
    """A file is scored some hundred rows at a time, which must not separate the answers to a problem."""
    counts = {"one": CHUNK - 50, "two": 90, "three": 5}
    answers = [
        Answer(f"rows.jsonl:{i}", Problem(prompt=name, id=name), Completion("same"), {}, {})
        for name, count in counts.items()
        for i in range(count)
    ]
    with scripted_judge(lambda request, number: verdict("first")) as server:
        scheme = scheme_of(make_task, server, tmp_path, compare="group")
        rows = [row for row, _ in scored_rows(scheme, lineage_of(scheme), answers)]
    compared = [row["parts"]["quality"]["detail"]["comparisons"] for row in rows]
    assert compared == [count - 1 for count in counts.values() for _ in range(count)]

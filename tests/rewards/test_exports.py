"""TRL's and verl's signatures, both ways. The real trainers run in the slow tests."""

from collections.abc import Iterator

import pytest

from markscheme.rewards import MarkScheme, as_trl, as_verl, from_trl
from markscheme.rewards.composition.registry import REWARDS
from markscheme.sandbox import RewardError
from markscheme.tasks import Completion, Problem, load_task
from support import MakeTask, boxed


@pytest.fixture(autouse=True)
def clean_table() -> Iterator[None]:
    before = dict(REWARDS.decorated)
    yield
    REWARDS.decorated = before


def test_as_trl_marks_as_we_do() -> None:
    scheme = MarkScheme(load_task("gsm8k", overrides=["rewards.correct.use=doubtful"]))
    texts = [boxed("4").text, boxed("5").text, "none", boxed("x+1").text]
    (function,) = as_trl(scheme)
    logged: dict[str, float] = {}
    values = function(
        prompts=[[{"role": "user", "content": "q"}]] * 4,
        completions=[[{"role": "assistant", "content": text}] for text in texts],
        completion_ids=[[1]] * 4, question=["q"] * 4, answer=["so #### 4"] * 4, log_metric=logged.__setitem__,
    )  # fmt: skip
    ours = scheme.score([Problem(prompt="q", reference="4")] * 4, [Completion(text) for text in texts])
    assert values == [score.value for score in ours] == [1.1, 0.1, 0.0, None]
    assert logged == {"gsm8k/correct": pytest.approx(1 / 3), "gsm8k/format": 0.75}
    assert function.__name__ == "gsm8k"


def test_as_trl_counts_what_the_template_opened() -> None:
    scheme = MarkScheme(load_task("gsm8k"))
    arguments = {
        "prompts": ["q"],
        "completions": [r"so</think>\boxed{4}"],
        "question": ["q"],
        "answer": ["#### 4"],
    }
    assert as_trl(scheme)[0](**arguments) == [1.0]
    assert as_trl(scheme, prefill="<think>")[0](**arguments) == [1.1]


def test_as_verl_has_the_same_keys_for_every_row() -> None:
    compute_score = as_verl(MarkScheme(load_task("gsm8k", overrides=["rewards.correct.use=doubtful"])))
    rows = [
        compute_score("gsm8k", text, "4", {"split": "train"})
        for text in (boxed("4").text, "none", boxed("x+1").text)
    ]
    assert len({tuple(row) for row in rows}) == 1
    assert [(row["score"], row["acc"], row["left_out"]) for row in rows] == [
        (1.1, 1.0, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 1.0),
    ]
    assert all(type(value) is float for row in rows for value in row.values())


def test_from_trl_gives_the_function_what_trl_gives_it(make_task: MakeTask) -> None:
    seen = {}

    def graded(prompts, completions, completion_ids, grade, **columns):  # type: ignore[no-untyped-def]
        seen.update(
            prompts=prompts, completions=completions, ids=completion_ids, grade=grade, columns=columns
        )
        return [1.0, None]

    from_trl(graded, range=(0, 1))
    scheme = MarkScheme(make_task("rewards: {a: {use: graded}}"))
    chat = Problem(prompt=({"role": "user", "content": "q"},), info={"grade": 3, "prompt": "raw"})
    scores = scheme.score(
        [chat, Problem(prompt="q", info={"grade": 4})], [Completion("x", token_ids=[7]), Completion("y")]
    )
    assert [(s.value, s.status) for s in scores] == [(1.0, "ok"), (None, "not_applicable")]
    assert seen["prompts"] == [[{"role": "user", "content": "q"}], "q"]
    assert seen["completions"] == [[{"role": "assistant", "content": "x"}], "y"]
    assert (seen["ids"], seen["grade"]) == ([[7], []], [3, 4])


def test_from_trl_takes_asynchronous_functions(make_task: MakeTask) -> None:
    async def patient(prompts, completions, **columns):  # type: ignore[no-untyped-def]
        return [0.5] * len(completions)

    from_trl(patient, name="waiting")
    assert (
        MarkScheme(make_task("rewards: {a: {use: waiting}}"))
        .score([Problem(prompt="q")], [Completion("x")])[0]
        .value
        == 0.5
    )
    with pytest.raises(RewardError, match="no name"):
        from_trl(lambda prompts, completions: [])

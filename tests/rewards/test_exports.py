"""Schemes as reward functions of TRL and verl, and TRL's functions as rewards.

The real trainers run in `test_slow_peers.py`.
"""

from typing import Any

import pytest

from markscheme.rewards import MarkScheme, as_trl, as_verl, from_trl
from markscheme.sandbox import RewardError
from markscheme.tasks import Completion, Problem, load_task
from support import MakeTask, boxed, score_one
from tokenizers_of_kinds import character_tokenizer


def test_as_trl_gives_the_scheme_s_own_values() -> None:
    scheme = MarkScheme(load_task("gsm8k", overrides=["rewards.correct.use=doubtful"]))
    texts = [boxed("4").text, boxed("5").text, "none", boxed("x+1").text]
    (function,) = as_trl(scheme)
    logged: dict[str, float] = {}
    values = function(
        prompts=[[{"role": "user", "content": "q"}]] * 4,
        completions=[[{"role": "assistant", "content": text}] for text in texts],
        completion_ids=[[1]] * 4,
        question=["q"] * 4,
        answer=["so #### 4"] * 4,
        log_metric=logged.__setitem__,
    )
    scores = scheme.score([Problem(prompt="q", reference="4")] * 4, [Completion(text) for text in texts])
    assert values == [score.value for score in scores] == [1.1, 0.1, 0.0, None]
    assert logged == {"gsm8k/correct": pytest.approx(1 / 3), "gsm8k/format": 0.75}
    assert function.__name__ == "gsm8k"


def test_as_trl_counts_what_the_chat_template_has_opened() -> None:
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
    texts = [boxed("4").text, "none", boxed("x+1").text]
    rows = [compute_score("gsm8k", text, "4", {"split": "train"}) for text in texts]
    assert len({tuple(row) for row in rows}) == 1
    assert [(row["score"], row["acc"], row["left_out"]) for row in rows] == [
        (1.1, 1.0, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 1.0),
    ]
    assert all(type(value) is float for row in rows for value in row.values())


@pytest.mark.parametrize("name", ["score", "acc", "left_out", "reward", "uid", "data_source"])
@pytest.mark.parametrize("section", ["rewards", "watch"])
def test_an_entry_overwrites_no_key_of_as_verl(make_task: MakeTask, name: str, section: str) -> None:
    entries = {"rewards": "correct: {use: answer, weight: 2}", "watch": "form: {use: boxed}"}
    entries[section] = f"{entries[section]}, {name}: {{use: regex, pattern: never}}"
    task = make_task(f"rewards: {{{entries['rewards']}}}\nwatch: {{{entries['watch']}}}")
    result = as_verl(MarkScheme(task))("mine", r"\boxed{4}", "4")
    assert (result["score"], result["acc"], result["left_out"]) == (2.0, 1.0, 0.0)
    assert result[f"entry_{name}"] == 0.0
    assert set(result) - {"score", "acc", "left_out"} == {"correct", "form", f"entry_{name}"}


CUT_OFF = r"<think>so</think>\boxed{4"


def test_a_box_that_is_never_closed_pays_only_where_the_completion_is_known_to_be_finished() -> None:
    scheme = MarkScheme(load_task("gsm8k"))
    tokenizer = character_tokenizer()
    cut_ids = tokenizer(CUT_OFF)["input_ids"]
    ended_ids = [*cut_ids, tokenizer.eos_token_id]
    arguments = {
        "prompts": ["q"] * 2,
        "completions": [CUT_OFF] * 2,
        "completion_ids": [cut_ids, ended_ids],
        "question": ["q"] * 2,
        "answer": ["#### 4"] * 2,
    }
    assert as_trl(scheme)[0](**arguments) == [0.1, 0.1]
    assert as_trl(scheme, tokenizer=tokenizer)[0](**arguments) == [0.1, 1.1]
    del arguments["completion_ids"]
    assert as_trl(scheme, tokenizer=tokenizer)[0](**arguments) == [0.1, 0.1]
    assert as_verl(scheme)("gsm8k", CUT_OFF, "4")["score"] == 0.1


def test_as_trl_reads_special_tokens_from_the_ids_if_it_has_the_tokenizer() -> None:
    scheme = MarkScheme(load_task("gsm8k"))
    tokenizer = character_tokenizer("<think>", "</think>", "<|im_end|>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}"
    texts = [r"<think>so</think>\boxed{4}<|im_end|>", r"<think>\boxed{4}</think>none<|im_end|>"]
    all_ids = [tokenizer(text)["input_ids"] for text in texts]
    contents = tokenizer.batch_decode(all_ids, skip_special_tokens=True)  # as TRL does
    assert contents == [r"so\boxed{4}", r"\boxed{4}none"]
    arguments = {
        "prompts": [[{"role": "user", "content": "q"}]] * 2,
        "completions": [[{"role": "assistant", "content": content}] for content in contents],
        "completion_ids": all_ids,
        "question": ["q"] * 2,
        "answer": ["#### 4"] * 2,
    }
    assert as_trl(scheme)[0](**arguments) == [1.0, 1.0]  # what TRL's texts show
    assert as_trl(scheme, tokenizer=tokenizer)[0](**arguments) == [1.1, 0.1]


def test_from_trl_calls_a_function_as_trl_does(make_task: MakeTask) -> None:
    seen: dict[str, Any] = {}

    def graded(
        prompts: Any, completions: Any, completion_ids: Any, grade: Any, **columns: Any
    ) -> list[float | None]:
        seen.update(prompts=prompts, completions=completions, ids=completion_ids, grade=grade)
        return [1.0, None]

    from_trl(graded, range=(0, 1))
    scheme = MarkScheme(make_task("rewards: {a: {use: graded}}"))
    problems = [
        Problem(prompt=({"role": "user", "content": "q"},), info={"grade": 3, "prompt": "raw"}),
        Problem(prompt="q", info={"grade": 4}),
    ]
    scores = scheme.score(problems, [Completion("x", token_ids=[7]), Completion("y")])
    assert [(score.value, score.status) for score in scores] == [(1.0, "ok"), (None, "not_applicable")]
    assert seen["prompts"] == [[{"role": "user", "content": "q"}], "q"]
    assert seen["completions"] == [[{"role": "assistant", "content": "x"}], "y"]
    assert (seen["ids"], seen["grade"]) == ([[7], []], [3, 4])


def test_from_trl_takes_asynchronous_functions_and_refuses_those_without_a_name(
    make_task: MakeTask,
) -> None:
    async def patient(prompts: Any, completions: Any, **columns: Any) -> list[float]:
        return [0.5] * len(completions)

    from_trl(patient, name="waiting")
    score = score_one(make_task("rewards: {a: {use: waiting}}"), Completion("x"))
    assert score.value == 0.5
    with pytest.raises(RewardError, match="no name"):
        from_trl(lambda prompts, completions: [])

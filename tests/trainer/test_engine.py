"""Sampling and prompts, on real architectures with random weights."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from markscheme.rewards import MarkScheme
from markscheme.sandbox import PolicyError
from markscheme.tasks import Problem, load_task
from markscheme.trainer.config.run_config import PolicyConfig, SamplingConfig
from markscheme.trainer.engines.hf import HfEngine, sampling_logprobs
from markscheme.trainer.loop.rollout import LoadedTask, scored_groups
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import EncodedPrompt, Policy
from support import MakeTask, small_policy

CPU = torch.device("cpu")
ARCHITECTURES = {
    "llama": {},
    "llama_tied": {"tie_word_embeddings": True},
    "qwen3": {},
    "gemma2": {"sliding_window": 8, "query_pre_attn_scalar": 16, "final_logit_softcapping": 5.0},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
}


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    made = {}
    for name, changes in ARCHITECTURES.items():
        folder = small_policy(tmp_path_factory.mktemp(name), name.split("_")[0], **changes)
        made[name] = load_policy(PolicyConfig(model=str(folder)), folder, CPU)
    return made


def prompts_of(policy: Policy, *texts: str) -> list[EncodedPrompt]:
    return [EncodedPrompt(policy.tokenizer(text)["input_ids"]) for text in texts]


PROMPTS = ("1+1=", "what is the sum of seventeen and four?", "a")


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampler_and_plain_forward_agree(policies: dict[str, Policy], name: str, temperature: float) -> None:
    """To 1e-5, through left padding, a shared prompt, compaction and sliding windows."""
    policy = policies[name]
    sampling = SamplingConfig(temperature=temperature, max_new_tokens=24)
    groups = HfEngine(policy).groups(prompts_of(policy, *PROMPTS), 6, sampling, seed=3)
    completions = [completion for group in groups for completion in group]
    assert len({c.finish_reason for c in completions}) == 2, "rows must end at different times"
    for completion in completions:
        ids = torch.tensor([completion.prompt_token_ids + completion.token_ids])
        with torch.no_grad():
            logits = policy.model(input_ids=ids).logits[0, len(completion.prompt_token_ids) - 1 : -1]
        plain = torch.log_softmax(logits.float() / temperature, -1)
        expected = plain.gather(-1, torch.tensor(completion.token_ids)[:, None])[:, 0]
        assert torch.allclose(torch.tensor(completion.logprobs), expected, atol=1e-5)


def test_the_same_seed_gives_the_same_completions(policies: dict[str, Policy]) -> None:
    policy = policies["llama"]
    engine, sampling = HfEngine(policy), SamplingConfig(max_new_tokens=12)

    def texts(seed: int) -> list[str]:
        return [
            c.text
            for group in engine.groups(prompts_of(policy, "a", "bb"), 3, sampling, seed=seed)
            for c in group
        ]

    assert texts(1) == texts(1) != texts(2)
    assert len(set(texts(1))) > 1


def test_greedy_takes_the_likeliest_token(policies: dict[str, Policy]) -> None:
    policy = policies["llama"]
    greedy = SamplingConfig(temperature=0, max_new_tokens=8)
    ((completion,),) = HfEngine(policy).groups(prompts_of(policy, "1+1="), 1, greedy, seed=0)
    ids = list(completion.prompt_token_ids)
    for token in completion.token_ids:
        with torch.no_grad():
            assert policy.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax() == token
        ids.append(token)
    assert completion.logprobs == [0.0] * len(completion.token_ids)


def test_top_p_keeps_the_smallest_set_and_renormalises() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert sampling_logprobs(logits, 1.0, 0.7).exp().tolist() == pytest.approx([0.625, 0.375, 0, 0])
    assert sampling_logprobs(logits, 1.0, 0.1).exp().tolist() == pytest.approx([1, 0, 0, 0])
    assert sampling_logprobs(logits, 0.5).exp().tolist() == pytest.approx(
        (torch.tensor([0.25, 0.09, 0.0225, 0.0025]) / 0.365).tolist()
    )


def test_what_is_drawn_follows_the_distribution(policies: dict[str, Policy]) -> None:
    """One token, many draws: frequencies against the model's own probabilities, top-p included."""
    policy = policies["llama"]
    sampling = SamplingConfig(max_new_tokens=1, top_p=0.6, temperature=1.3)
    engine = HfEngine(policy, max_rows=4000)
    (group,) = engine.groups(prompts_of(policy, "ab"), 4000, sampling, seed=5)
    with torch.no_grad():
        logits = policy.model(input_ids=torch.tensor([group[0].prompt_token_ids])).logits[0, -1]
    expected = sampling_logprobs(logits, 1.3, 0.6).exp()
    drawn = torch.bincount(torch.tensor([c.token_ids[0] for c in group]), minlength=len(expected)) / 4000
    assert (drawn - expected).abs().max() < 0.03
    assert not drawn[expected == 0].any()
    assert all(
        c.logprobs[0] == pytest.approx(expected[c.token_ids[0]].log().item(), abs=1e-4) for c in group[:50]
    )
    assert not engine.is_exact(sampling)


def test_several_end_tokens_end_and_stay_out_of_the_text(tmp_path: Path) -> None:
    folder = small_policy(tmp_path)
    policy = load_policy(PolicyConfig(), folder, CPU)
    letters = [policy.tokenizer.convert_tokens_to_ids(letter) for letter in "aeiou"]
    policy.model.generation_config.eos_token_id = [1, *letters]
    policy.model.save_pretrained(folder)
    policy = load_policy(PolicyConfig(), folder, CPU)
    assert set(policy.eos_ids) == {1, *letters}
    groups = HfEngine(policy).groups(prompts_of(policy, "x"), 32, SamplingConfig(max_new_tokens=40), seed=0)
    for completion in groups[0]:
        inner = completion.token_ids[:-1]
        assert not set(inner) & set(policy.eos_ids)
        assert (completion.token_ids[-1] in policy.eos_ids) == (completion.finish_reason == "stop")
        assert not set(completion.text) & set("aeiou")


def test_small_batches_change_nothing_but_the_random_numbers(policies: dict[str, Policy]) -> None:
    policy = policies["llama"]
    greedy = SamplingConfig(temperature=0, max_new_tokens=8)
    prompts = prompts_of(policy, "a", "bcd", "ef", "g+1=")
    together = HfEngine(policy).groups(prompts, 1, greedy, seed=0)
    apart = HfEngine(policy, max_rows=1).groups(prompts, 1, greedy, seed=0)
    assert [g[0].token_ids for g in together] == [g[0].token_ids for g in apart]


def test_prompts_go_through_the_chat_template(tmp_path: Path, make_task: MakeTask) -> None:
    folder = small_policy(tmp_path, chat=True)
    policy = load_policy(PolicyConfig(), folder, CPU)
    task = load_task("gsm8k", overrides=["system=be kind"])
    text, prefill = policy.render(task, Problem(prompt="one?"))
    assert text == "<|system|>be kind\n<|user|>one?\n<|assistant|><think>\n"
    assert prefill == "<think>\n"
    prompt = policy.encode(task, Problem(prompt="one?"), max_new_tokens=8)
    (group,) = HfEngine(policy).groups([prompt], 2, SamplingConfig(max_new_tokens=8), seed=0)
    assert [completion.prefill for completion in group] == ["<think>\n"] * 2
    plain = make_task("rewards: {a: {use: answer}}")
    assert policy.render(plain, Problem(prompt="one?"))[0] == "<|user|>one?\n<|assistant|><think>\n"
    raw = load_policy(PolicyConfig(chat_template=False), folder, CPU)
    assert raw.render(plain, Problem(prompt="one?")) == ("one?", "")


def test_chat_prompts_need_a_chat_template(policies: dict[str, Policy], make_task: MakeTask) -> None:
    plain = make_task("rewards: {a: {use: answer}}")
    with pytest.raises(PolicyError, match="chat messages, and the tokenizer .* has no chat template"):
        policies["llama"].render(plain, Problem(prompt=({"role": "user", "content": "q"},)))
    with pytest.raises(PolicyError, match="has a system text"):
        policies["llama"].render(load_task("gsm8k"), Problem(prompt="q"))


def test_prompts_that_cannot_be_are_refused(policies: dict[str, Policy], make_task: MakeTask) -> None:
    task, policy = make_task("rewards: {a: {use: answer}}"), policies["llama"]
    with pytest.raises(PolicyError, match="prompt of 300 tokens and 8 new tokens exceed the context of 256"):
        policy.encode(task, Problem(prompt="x" * 300), max_new_tokens=8)
    with pytest.raises(PolicyError, match="no tokens for parts"):
        policy.encode(task, Problem(prompt="was heißt 你好?"), max_new_tokens=8)
    with pytest.raises(PolicyError, match="has no tokens"):
        policy.encode(task, Problem(prompt=""), max_new_tokens=8)


def test_a_tokenizer_without_an_end_is_refused(tmp_path: Path) -> None:
    import json

    folder = small_policy(tmp_path, eos_token_id=None)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("eos_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(PolicyError, match="no end-of-sequence token"):
        load_policy(PolicyConfig(model="mine"), folder, CPU)


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="does not load"):
        load_policy(PolicyConfig(model="gone"), tmp_path / "gone", CPU)


def test_groups_are_scored_while_others_are_sampled(policies: dict[str, Policy], make_task: MakeTask) -> None:
    """The last group waits for the scores of the first: it would wait for ever if scoring came after."""
    task, policy = (
        make_task("rewards: {long: {use: length, target: 10, unit: tokens}}"),
        policies["llama"],
    )
    problems = [Problem(prompt=text, reference="1") for text in ("1+1=", "what is it?", "a", "b")]
    prompts = [policy.encode(task, problem, max_new_tokens=40) for problem in problems]
    scheme, scored = MarkScheme(task), threading.Event()
    score = scheme.score

    def watched(*args: Any, **kwargs: Any) -> Any:
        found = score(*args, **kwargs)
        scored.set()
        return found

    scheme.score = watched  # type: ignore[method-assign]

    engine = HfEngine(policy)
    generate = engine.generate

    def waiting(*args: Any, **kwargs: Any) -> Iterator[Any]:
        *first, last = generate(*args, **kwargs)
        yield from first
        assert scored.wait(timeout=60), "nothing is scored before the last group is whole"
        yield last

    engine.generate = waiting  # type: ignore[method-assign]
    loaded, sampling = {"t": LoadedTask(task, scheme, problems, prompts)}, SamplingConfig(max_new_tokens=40)
    taken = [("t", i) for i in (2, 0, 3, 1)]
    groups, _ = scored_groups(engine, loaded, taken, 3, sampling, seed=4, step=1)
    assert [group.problem.prompt for group in groups] == ["a", "1+1=", "b", "what is it?"]
    plain = HfEngine(policy).groups([prompts[i] for _, i in taken], 3, sampling, seed=4)
    assert [[c.text for c in group.completions] for group in groups] == [[c.text for c in g] for g in plain]
    for group in groups:
        again = score([group.problem] * 3, group.completions, step=1)
        assert [s.value for s in group.scores] == [s.value for s in again]


def test_what_fails_while_scoring_is_raised_and_not_lost(
    policies: dict[str, Policy], make_task: MakeTask
) -> None:
    task, policy = make_task("rewards: {a: {use: answer}}"), policies["llama"]
    problems = [Problem(prompt="1+1=", reference="2")] * 2
    prompts = [policy.encode(task, problem, max_new_tokens=8) for problem in problems]
    scheme = MarkScheme(task)

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("out of paper")

    scheme.score = broken  # type: ignore[method-assign]
    loaded = {"t": LoadedTask(task, scheme, problems, prompts)}
    with pytest.raises(RuntimeError, match="out of paper"):
        scored_groups(
            HfEngine(policy),
            loaded,
            [("t", 0), ("t", 1)],
            2,
            SamplingConfig(max_new_tokens=8),
            seed=1,
            step=1,
        )


def test_a_tokenizer_that_drops_spaces_is_refused(tmp_path: Path, make_task: MakeTask) -> None:
    """transformers picks Qwen2Tokenizer for a qwen2 folder, whatever its files say; ours has no such pieces."""
    folder = small_policy(tmp_path, "qwen2")
    policy = load_policy(PolicyConfig(), folder, CPU)
    task = make_task("rewards: {a: {use: answer}}")
    with pytest.raises(PolicyError, match="drops the spaces of the prompt"):
        policy.encode(task, Problem(prompt="what is one and one?"), max_new_tokens=8)


def test_a_context_ends_where_longer_ones_would_change_all_positions(
    tmp_path: Path, make_task: MakeTask
) -> None:
    """Longrope picks other factors once anything in the batch is longer than the model was first trained for."""
    factors = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 8,
        "long_factor": [4.0] * 8,
    }
    folder = small_policy(
        tmp_path, "phi3", original_max_position_embeddings=32,
        rope_parameters={**factors, "original_max_position_embeddings": 32},
    )  # fmt: skip
    policy = load_policy(PolicyConfig(), folder, CPU)
    assert policy.context == 32
    task = make_task("rewards: {a: {use: answer}}")
    policy.encode(task, Problem(prompt="x" * 20), max_new_tokens=12)
    with pytest.raises(PolicyError, match="exceed the context of 32"):
        policy.encode(task, Problem(prompt="x" * 20), max_new_tokens=13)

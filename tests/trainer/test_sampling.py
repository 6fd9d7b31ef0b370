"""Sampling with transformers on small real models: log-probabilities, distributions, seeds, end tokens."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from gradients import CPU, NOT_SHARED, random_completions
from markscheme.sandbox import PolicyError
from markscheme.tasks import Completion
from markscheme.trainer.config.run_config import PolicyConfig, SamplingConfig
from markscheme.trainer.engines.hf import HfEngine, sampling_logprobs
from markscheme.trainer.models.forward import own_logprobs
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import EncodedPrompt, Policy
from support import small_policy

PROMPTS = ("1+1=", "what is the sum of seventeen and four?", "a")


def prompts_of(policy: Policy, *texts: str) -> list[EncodedPrompt]:
    return [EncodedPrompt(policy.tokenizer(text)["input_ids"]) for text in texts]


def flat(groups: Sequence[Sequence[Completion]]) -> list[Completion]:
    return [completion for group in groups for completion in group]


@pytest.mark.parametrize(
    "name",
    ["llama", "llama tied", "qwen3, grouped heads", "gemma2, windows and soft-capping", "mixtral"],
)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probabilities_are_those_of_a_plain_forward_pass(
    policies: dict[str, Policy], name: str, temperature: float
) -> None:
    """To 1e-5, despite left padding, shared prompts, sliding windows, and rows that leave the batch."""
    policy = policies[name]
    sampling = SamplingConfig(temperature=temperature, max_new_tokens=24)
    completions = flat(HfEngine(policy).groups(prompts_of(policy, *PROMPTS), 6, sampling, seed=3))
    assert {c.finish_reason for c in completions} == {"stop", "length"}, "rows must end at different times"
    for completion in completions:
        ids = torch.tensor([completion.prompt_token_ids + completion.token_ids])
        with torch.no_grad():
            logits = policy.model(input_ids=ids).logits[0, len(completion.prompt_token_ids) - 1 : -1]
        plain = torch.log_softmax(logits.float() / temperature, -1)
        expected = plain.gather(-1, torch.tensor(completion.token_ids)[:, None])[:, 0]
        assert torch.allclose(torch.tensor(completion.logprobs), expected, atol=1e-5)


@pytest.mark.parametrize("name", NOT_SHARED)
def test_log_probabilities_of_models_with_other_caches(policies: dict[str, Policy], name: str) -> None:
    policy = policies[name]
    prompts = [EncodedPrompt(c.prompt_token_ids) for c in random_completions(policy)[::4]]
    for completion in flat(HfEngine(policy).groups(prompts, 3, SamplingConfig(max_new_tokens=12), seed=2)):
        with torch.no_grad():
            own = own_logprobs(policy.model, completion)
        assert completion.logprobs == pytest.approx(own, abs=3e-5)


def test_a_model_whose_cache_cannot_be_used_is_refused(tmp_path: Path) -> None:
    folder = small_policy(
        tmp_path,
        "recurrent_gemma",
        lru_width=32,
        attention_window_size=16,
        block_types=["recurrent", "attention"],
    )
    policy = load_policy(PolicyConfig(), folder, CPU)
    with pytest.raises(PolicyError, match="does not give the model's own log-probabilities"):
        HfEngine(policy)


def test_the_same_seed_gives_the_same_completions(policies: dict[str, Policy]) -> None:
    policy = policies["llama"]
    engine, sampling = HfEngine(policy), SamplingConfig(max_new_tokens=12)

    def texts(seed: int) -> list[str]:
        return [c.text for c in flat(engine.groups(prompts_of(policy, "a", "bb"), 3, sampling, seed=seed))]

    assert texts(1) == texts(1) != texts(2)
    assert len(set(texts(1))) > 1


def test_temperature_0_takes_the_likeliest_token(policies: dict[str, Policy]) -> None:
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
    # Temperature 0.5 squares the probabilities; their squares sum to 0.365.
    squares = (torch.tensor([0.25, 0.09, 0.0225, 0.0025]) / 0.365).tolist()
    assert sampling_logprobs(logits, 0.5).exp().tolist() == pytest.approx(squares)


def test_tokens_are_drawn_from_the_distribution_of_the_model(policies: dict[str, Policy]) -> None:
    """4,000 draws of one token, with top-p and a temperature: frequencies against probabilities."""
    policy = policies["llama"]
    sampling = SamplingConfig(max_new_tokens=1, top_p=0.6, temperature=1.3)
    engine = HfEngine(policy, max_rows=4000)
    (group,) = engine.groups(prompts_of(policy, "ab"), 4000, sampling, seed=5)
    with torch.no_grad():
        logits = policy.model(input_ids=torch.tensor([group[0].prompt_token_ids])).logits[0, -1]
    expected = sampling_logprobs(logits, 1.3, 0.6).exp()
    drawn = torch.tensor([completion.token_ids[0] for completion in group])
    frequencies = torch.bincount(drawn, minlength=len(expected)) / 4000
    assert (frequencies - expected).abs().max() < 0.03
    assert not frequencies[expected == 0].any()
    for completion in group[:50]:
        own = expected[completion.token_ids[0]].log().item()
        assert completion.logprobs[0] == pytest.approx(own, abs=1e-4)
    assert not engine.is_exact(sampling)


def test_every_end_token_ends_a_completion_and_stays_out_of_its_text(tmp_path: Path) -> None:
    folder = small_policy(tmp_path)
    policy = load_policy(PolicyConfig(), folder, CPU)
    vowels = [policy.tokenizer.convert_tokens_to_ids(letter) for letter in "aeiou"]
    policy.model.generation_config.eos_token_id = [1, *vowels]
    policy.model.save_pretrained(folder)
    policy = load_policy(PolicyConfig(), folder, CPU)
    assert set(policy.eos_ids) == {1, *vowels}
    groups = HfEngine(policy).groups(prompts_of(policy, "x"), 32, SamplingConfig(max_new_tokens=40), seed=0)
    for completion in groups[0]:
        assert not set(completion.token_ids[:-1]) & set(policy.eos_ids)
        assert (completion.token_ids[-1] in policy.eos_ids) == (completion.finish_reason == "stop")
        text = completion.text.replace("<unk>", "").replace("<pad>", "")
        assert not set(text) & set("aeiou")


def test_the_size_of_a_batch_changes_no_greedy_completion(policies: dict[str, Policy]) -> None:
    policy = policies["llama"]
    greedy = SamplingConfig(temperature=0, max_new_tokens=8)
    prompts = prompts_of(policy, "a", "bcd", "ef", "g+1=")
    together = HfEngine(policy).groups(prompts, 1, greedy, seed=0)
    one_by_one = HfEngine(policy, max_rows=1).groups(prompts, 1, greedy, seed=0)
    assert [c.token_ids for c in flat(together)] == [c.token_ids for c in flat(one_by_one)]

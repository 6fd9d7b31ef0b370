"""Loading a policy and encoding prompts: chat templates, contexts, and models or tokenizers that do not fit."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from gradients import CPU, random_completions
from markscheme.rewards import MarkScheme
from markscheme.rewards.check.finding import Finding
from markscheme.sandbox import PolicyError
from markscheme.tasks import Problem, Task, load_task
from markscheme.trainer.commands.check_model import check_model
from markscheme.trainer.config.run_config import PolicyConfig, SamplingConfig
from markscheme.trainer.engines.base import completion_of
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.models.forward import own_logprobs
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import EncodedPrompt, Policy
from markscheme.trainer.models.prompts import encode_prompt, render_prompt
from support import MakeTask, small_policy


def with_special_tokens(folder: Path, *tokens: str) -> Policy:
    """Return a small policy whose tokenizer declares these tokens as special ones."""
    small_policy(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": list(tokens)})
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>{% endif %}"
    )
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    return load_policy(PolicyConfig(model=str(folder)), folder, CPU)


TAGS = ("<think>", "</think>", "<answer>", "</answer>", "<|im_start|>", "<|im_end|>")


def test_rewards_see_tags_that_are_special_tokens_but_not_the_end_of_the_turn(
    tmp_path: Path, make_task: MakeTask
) -> None:
    policy = with_special_tokens(tmp_path, *TAGS)
    scheme = MarkScheme(
        make_task(
            "rewards: {a: {use: answer}, t: {use: think_answer}, tag: {use: think_answer, answer_tag: true}}"
        )
    )
    for text, shown, values in (
        (r"<think>so</think>\boxed{4}<|im_end|><eos>", r"<think>so</think>\boxed{4}", [1, 1, 0]),
        ("<think>so</think><answer>4</answer><|im_end|>", "<think>so</think><answer>4</answer>", [1, 1, 1]),
        ("<think>so</think><answer>4</answer>", "<think>so</think><answer>4</answer>", [1, 1, 1]),
        (r"<think>\boxed{4}</think>none<eos>", r"<think>\boxed{4}</think>none", [0, 1, 0]),
        (r"<think>\boxed{4}", r"<think>\boxed{4}", [0, 0, 0]),
    ):
        ids = policy.tokenizer(text, add_special_tokens=False)["input_ids"]
        completion = completion_of(policy, EncodedPrompt([3]), ids, [0.0] * len(ids), 0)
        assert completion.text == shown
        (score,) = scheme.score([Problem(prompt="q", reference="4")], [completion])
        assert [part.value for part in score.parts.values()] == values, text


def test_check_says_which_tags_are_special_tokens_and_which_the_tokenizer_loses(
    tmp_path: Path, make_task: MakeTask
) -> None:
    task = make_task("rewards: {a: {use: answer}, t: {use: think_answer, answer_tag: true}}")

    def tags_finding(name: str, *special: str, task: Task = task) -> Finding:
        folder = tmp_path / name
        with_special_tokens(folder, *special)
        (finding,) = [one for one in check_model(task, str(folder)) if one.name == "tags"]
        return finding

    found = tags_finding("special", "<think>", "</think>")
    assert found.good is True
    assert "rewards see <think>, </think>, <answer>, </answer>" in found.said
    assert "; <think>, </think>: special tokens" in found.said
    assert "special" not in tags_finding("plain").said
    found = tags_finding("brackets", "[THINK]", task=make_task("rewards: {a: {use: answer}}"))
    assert (found.good, found.said.split(":")[0]) == (
        True,
        "rewards see [THINK] as the model writes them; [THINK]",
    )
    unwritable = make_task("rewards: {a: {use: regex, pattern: '(?P<name>x)<réponse>'}}")
    found = tags_finding("unknown", task=unwritable)
    assert (found.good, len(found.details)) == (False, 1)
    assert "'<réponse>' becomes '<r<unk>ponse>'" in found.details[0]
    assert tags_finding("none", task=make_task("rewards: {a: {use: answer}}")).good is None
    (tmp_path / "eos").mkdir()
    policy = with_special_tokens(tmp_path / "eos", "</answer>")
    policy.tokenizer.eos_token = "</answer>"
    policy.tokenizer.save_pretrained(tmp_path / "eos")
    (found,) = [one for one in check_model(task, str(tmp_path / "eos")) if one.name == "tags"]
    assert found.good is False
    assert any("'</answer>' becomes ''" in line for line in found.details)


@pytest.fixture
def task(make_task: MakeTask) -> Task:
    return make_task("rewards: {a: {use: answer}}")


def test_prompts_go_through_the_chat_template(tmp_path: Path, task: Task) -> None:
    folder = small_policy(tmp_path, chat=True)
    policy = load_policy(PolicyConfig(), folder, CPU)
    with_system = load_task("gsm8k", overrides=["system=be kind"])
    text, prefill = render_prompt(policy, with_system, Problem(prompt="one?"))
    assert text == "<|system|>be kind\n<|user|>one?\n<|assistant|><think>\n"
    assert prefill == "<think>\n"
    prompt = encode_prompt(policy, with_system, Problem(prompt="one?"), max_new_tokens=8)
    (group,) = HfEngine(policy).groups([prompt], 2, SamplingConfig(max_new_tokens=8), seed=0)
    assert [completion.prefill for completion in group] == ["<think>\n"] * 2
    assert render_prompt(policy, task, Problem(prompt="one?"))[0] == "<|user|>one?\n<|assistant|><think>\n"
    raw = load_policy(PolicyConfig(chat_template=False), folder, CPU)
    assert render_prompt(raw, task, Problem(prompt="one?")) == ("one?", "")


def test_chat_prompts_need_a_chat_template(policies: dict[str, Policy], task: Task) -> None:
    messages = ({"role": "user", "content": "q"},)
    with pytest.raises(PolicyError, match="chat messages, and the tokenizer .* has no chat template"):
        render_prompt(policies["llama"], task, Problem(prompt=messages))
    with pytest.raises(PolicyError, match="has a system text"):
        render_prompt(policies["llama"], load_task("gsm8k"), Problem(prompt="q"))


def test_prompts_that_the_policy_cannot_read_are_refused(policies: dict[str, Policy], task: Task) -> None:
    policy = policies["llama"]
    with pytest.raises(PolicyError, match="prompt of 300 tokens and 8 new tokens exceed the context of 256"):
        encode_prompt(policy, task, Problem(prompt="x" * 300), max_new_tokens=8)
    with pytest.raises(PolicyError, match="no tokens for parts"):
        encode_prompt(policy, task, Problem(prompt="was heißt 你好?"), max_new_tokens=8)
    with pytest.raises(PolicyError, match="has no tokens"):
        encode_prompt(policy, task, Problem(prompt=""), max_new_tokens=8)


def test_a_tokenizer_that_drops_spaces_is_refused(tmp_path: Path, task: Task) -> None:
    """transformers picks Qwen2Tokenizer for a qwen2 folder whatever its files say, and ours do not fit it."""
    policy = load_policy(PolicyConfig(), small_policy(tmp_path, "qwen2"), CPU)
    with pytest.raises(PolicyError, match="drops the spaces of the prompt"):
        encode_prompt(policy, task, Problem(prompt="what is one and one?"), max_new_tokens=8)


def test_the_context_of_longrope_ends_where_all_positions_would_change(tmp_path: Path, task: Task) -> None:
    """Its factors change for a whole batch once anything in it is longer than the original context."""
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 8,
        "long_factor": [4.0] * 8,
        "original_max_position_embeddings": 32,
    }
    folder = small_policy(tmp_path, "phi3", original_max_position_embeddings=32, rope_parameters=rope)
    policy = load_policy(PolicyConfig(), folder, CPU)
    assert policy.context == 32
    encode_prompt(policy, task, Problem(prompt="x" * 20), max_new_tokens=12)
    with pytest.raises(PolicyError, match="exceed the context of 32"):
        encode_prompt(policy, task, Problem(prompt="x" * 20), max_new_tokens=13)


def test_a_tokenizer_without_an_end_token_is_refused(tmp_path: Path) -> None:
    folder = small_policy(tmp_path, eos_token_id=None)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("eos_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(PolicyError, match="no end-of-sequence token"):
        load_policy(PolicyConfig(model="mine"), folder, CPU)


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="does not load"):
        load_policy(PolicyConfig(model="gone"), tmp_path / "gone", CPU)


def test_dropout_is_switched_off_with_a_note(tmp_path: Path) -> None:
    folder = small_policy(tmp_path, attention_dropout=0.3)
    notes: list[str] = []
    policy = load_policy(PolicyConfig(), folder, CPU, note=notes.append)
    assert notes == [
        "dropout is set to 0 (attention_dropout 0.3), so that sampling and training use one distribution"
    ]
    completion = random_completions(policy)[2]
    with torch.no_grad():
        assert own_logprobs(policy.model, completion) == own_logprobs(policy.model, completion)

"""What a policy reads and where it stops: chat templates of five shapes, begun answers, BOS, stop texts, adapters."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from gradients import CPU
from markscheme.sandbox import PolicyError, RunError
from markscheme.tasks import Problem, Task
from markscheme.trainer import train
from markscheme.trainer.commands.check_model import check_model
from markscheme.trainer.config.run_config import PolicyConfig, SamplingConfig
from markscheme.trainer.engines.base import completion_of
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.loop.credit import credits_of
from markscheme.trainer.models.forward import own_logprobs
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import EncodedPrompt, Policy
from markscheme.trainer.models.prompts import encode_prompt, render_prompt
from small_runs import assert_equal_weights, metrics_of, notes_of, small_run
from support import MakeTask, small_policy
from vllm_engines import STOPS, check_stops

CHATML = (
    "{% for m in messages %}<im_start>{{ m.role }}\n{{ m.content }}<im_end>\n{% endfor %}"
    "{% if add_generation_prompt %}<im_start>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<INST> {{ m.content }} </INST>"
    "{% elif m.role == 'assistant' %} {{ m.content }} {{ eos_token }}{% else %}<SYS>{{ m.content }}</SYS>{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<head>{{ m.role }}</head>\n\n{{ m.content }}<eot>{% endfor %}"
    "{% if add_generation_prompt %}<head>assistant</head>\n\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}<turn>{{ 'model' if m.role == 'assistant' else 'user' }}\n"
    "{{ m.content }}</turn>\n{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<User>{{ m.content }}"
    "{% elif m.role == 'assistant' %}<Assistant>{{ m.content }}<end>{% else %}{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<Assistant><think>\n{% endif %}"
)
SHAPES: dict[str, tuple[str, str, str]] = {
    # a template; what is read of a question; and of a question whose answer is begun with "It is "
    "chatml": (
        CHATML,
        "<im_start>user\none?<im_end>\n<im_start>assistant\n",
        "<im_start>user\none?<im_end>\n<im_start>assistant\nIt is ",
    ),
    "llama 2": (LLAMA2, "{B}<INST> one? </INST>", "{B}<INST> one? </INST> It is "),
    "llama 3": (
        LLAMA3,
        "{B}<head>user</head>\n\none?<eot><head>assistant</head>\n\n",
        "{B}<head>user</head>\n\none?<eot><head>assistant</head>\n\nIt is ",
    ),
    "gemma": (
        GEMMA,
        "{B}<turn>user\none?</turn>\n<turn>model\n",
        "{B}<turn>user\none?</turn>\n<turn>model\nIt is ",
    ),
    "r1": (R1, "{B}<User>one?<Assistant><think>\n", "{B}<User>one?<Assistant>It is "),
}
QUESTION = {"role": "user", "content": "one?"}
BEGUN = {"role": "assistant", "content": "It is "}


def policy_with(folder: Path, chat: str | None, **config: Any) -> Policy:
    """Return a small policy with a chat template and a BOS token, which its tokenizer adds to plain texts."""
    from tokenizers.processors import TemplateProcessing

    small_policy(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"bos_token": "<bos>"})
    bos = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing("<bos> $A", None, [("<bos>", bos)])
    tokenizer.chat_template = chat
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    return load_policy(PolicyConfig(model=str(folder), **config), folder, CPU)


@pytest.fixture
def task(make_task: MakeTask) -> Task:
    return make_task("rewards: {a: {use: answer}}")


def ids_of(policy: Policy, text: str) -> list[int]:
    return policy.tokenizer(text.replace("{B}", "<bos>"), add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("shape", SHAPES)
def test_prompts_of_every_shape_are_read_as_they_should(tmp_path: Path, task: Task, shape: str) -> None:
    template, asked, begun = SHAPES[shape]
    policy = policy_with(tmp_path, template)
    for messages, expected, prefill in (
        ((QUESTION,), asked, "<think>\n" if shape == "r1" else ""),
        ((QUESTION, BEGUN), begun, "It is "),
    ):
        prompt = encode_prompt(policy, task, Problem(prompt=messages), max_new_tokens=8)
        assert prompt.token_ids == ids_of(policy, expected)
        assert prompt.prefill == prefill
        (group,) = HfEngine(policy).groups([prompt], 2, SamplingConfig(max_new_tokens=8), seed=0)
        for completion in group:
            assert completion.prompt_token_ids == prompt.token_ids
            with torch.no_grad():
                assert completion.logprobs == pytest.approx(own_logprobs(policy.model, completion), abs=1e-5)


def test_a_bos_that_the_prompt_brings_along_is_not_doubled(tmp_path: Path, task: Task) -> None:
    policy = policy_with(tmp_path, None)
    for text in ("<bos>one?", "one?"):
        prompt = encode_prompt(policy, task, Problem(prompt=text), max_new_tokens=8)
        assert prompt.token_ids == ids_of(policy, "{B}one?")


def test_arguments_of_the_template_arrive_and_useless_ones_are_told(tmp_path: Path, task: Task) -> None:
    policy = policy_with(tmp_path, CHATML, template={"enable_thinking": False})
    assert render_prompt(policy, task, Problem(prompt="one?"))[0].endswith("<think>\n\n</think>\n\n")
    notes: list[str] = []
    config = PolicyConfig(model=str(tmp_path), template={"enable_thinkin": False})
    load_policy(config, tmp_path, CPU, note=notes.append)
    assert notes == [
        "policy.template: enable_thinkin has no effect, because the chat template does not read it"
    ]


def test_check_shows_the_ids_that_the_model_reads(tmp_path: Path, task: Task) -> None:
    policy = policy_with(tmp_path / "model", CHATML)
    (task.folder / "data.jsonl").write_text('{"prompt": "one?", "reference": "1"}\n')
    (found,) = [one for one in check_model(task, str(tmp_path / "model")) if one.name == "prompts"]
    first, second = ids_of(policy, "<i")
    assert re.match(rf"its \d+ token ids: {first} '<', {second} 'i', ", found.details[-1])


def test_stop_texts_end_completions(tmp_path: Path) -> None:
    policy = load_policy(PolicyConfig(), small_policy(tmp_path), CPU)
    prompts = [EncodedPrompt([5, 6, 7]), EncodedPrompt([8, 9])]
    groups = HfEngine(policy).groups(prompts, 8, STOPS, seed=0)
    assert check_stops(policy, groups) >= 4


@pytest.mark.parametrize("logprobs", [[-0.1], [-0.1, float("nan")], [-0.1, None], [-0.1, -float("inf")]])
def test_missing_log_probabilities_are_the_engines_fault(tmp_path: Path, logprobs: list[Any]) -> None:
    policy = load_policy(PolicyConfig(), small_policy(tmp_path), CPU)
    with pytest.raises(RunError, match=r"^the server returned .* which is the engine's fault"):
        completion_of(policy, EncodedPrompt([3]), [4, 5], logprobs, 0, where="the server")


@pytest.fixture
def adapter(task_folder: Path) -> Path:
    """The folder of an adapter that was trained on the small policy, as SFT would leave it."""
    folder = train(
        small_run(task_folder, "sft", policy={"lora": {"r": 4}}, algorithm={"steps": 2}, eval=[])
    ).folder
    return folder / "checkpoints/step-000002/adapter"


def test_training_starts_from_an_adapter(task_folder: Path, adapter: Path) -> None:
    merged = load_policy(PolicyConfig(model=str(adapter)), adapter, CPU)
    config = PolicyConfig.model_validate({"model": str(adapter), "lora": {}})
    continued = load_policy(config, adapter, CPU)
    base = load_policy(PolicyConfig(), task_folder / "policy", CPU)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        logits = [policy.model(input_ids=ids).logits for policy in (merged, continued, base)]
    assert torch.allclose(logits[0], logits[1], atol=1e-5)
    assert not torch.allclose(logits[0], logits[2], atol=1e-3)
    assert all(parameter.requires_grad for parameter in merged.model.parameters())
    for lora in (None, {}):
        policy: dict[str, Any] = {"model": str(adapter), "lora": lora}
        name = "merged" if lora is None else "continued"
        folder = train(small_run(task_folder, name, policy=policy, eval=[])).folder
        assert metrics_of(folder)[0]["kl"] == pytest.approx(0, abs=1e-9), (
            "the reference is the policy as it came"
        )
        short = train(
            small_run(task_folder, f"short {name}", policy=policy, eval=[], algorithm={"steps": 4})
        ).folder
        train(short, resume=True, overrides=["algorithm.steps=6"])
        assert_equal_weights(folder / "final/model.safetensors", short / "final/model.safetensors")


def test_an_adapter_that_names_no_model_is_refused(adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(PolicyError, match="names no base_model_name_or_path"):
        load_policy(PolicyConfig(model=str(adapter)), adapter, CPU)


def test_long_prompts_are_dropped_where_that_is_asked_for(task_folder: Path) -> None:
    rows = (task_folder / "rows.jsonl").read_text()
    (task_folder / "rows.jsonl").write_text(rows + '{"prompt": "' + "9" * 300 + '=", "reference": "9"}\n')
    with pytest.raises(PolicyError, match="exceed the context of 256"):
        train(small_run(task_folder))
    run = small_run(task_folder, data={"drop_long_prompts": True}, algorithm={"steps": 1}, eval=[])
    folder = train(run).folder
    assert any(
        "are dropped: their prompts and 16 new tokens exceed the context" in note for note in notes_of(folder)
    )


@pytest.mark.parametrize("truncated", ["keep", "mask", "leave_out"])
def test_truncated_completions_are_kept_masked_or_left_out(task_folder: Path, truncated: str) -> None:
    from markscheme.rewards import Score
    from markscheme.tasks import Completion
    from markscheme.trainer.config.algorithm_config import AlgorithmConfig
    from markscheme.trainer.loop.rollout import Group

    completions = [Completion("x", [1], finish_reason="length" if i == 3 else "stop") for i in range(4)]
    scores = [Score(value) for value in (1.0, 0.0, 1.0, 0.0)]
    group = Group("t", Problem(prompt="q"), completions, scores)
    config = AlgorithmConfig.model_validate({"preset": "deepseekmath"})
    ((*row,),) = credits_of([group], {}, config, None, 1, truncated)  # pyright: ignore[reportArgumentType]
    expected = {
        "keep": [[1.0], [-1.0], [1.0], [-1.0]],
        "mask": [[1.0], [-1.0], [1.0], None],
        "leave_out": [pytest.approx([2**-0.5]), pytest.approx([-(2**0.5)]), pytest.approx([2**-0.5]), None],
    }
    assert [credit.advantages for credit in row] == expected[truncated]

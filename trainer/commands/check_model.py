"""`markscheme check --model`: how a model reads a task's prompts, and at which tokens its answers end."""

import re
from collections.abc import Mapping
from typing import Any

from ...rewards.check.finding import Finding
from ...sandbox.errors import MarkschemeError
from ...tasks.load_problems import load_problems
from ...tasks.problem import Problem
from ...tasks.schema import Task
from ...verifiers.completion import thinking_end
from ...verifiers.decoding import special_ids
from ..loop.sample import SamplerSettings, policy_for
from ..models.policy import EncodedPrompt, Policy
from ..models.prompts import EncodedPrompts, encode_prompt, render_prompt

SHOWN_IDS = 40
"""Token ids of a prompt that are shown from its start and from its end."""


def check_model(
    task: Task, model: str, *, limit: int | None = 1000, template: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Return findings on a model for a task: its end tokens, tags, chat template, context and prompts.

    Args:
        task: the task whose prompts the model is to read.
        model: `tiny`, `smollm2`, a folder or a hub id.
        limit: encode at most this many problems; None = all.
        template: arguments of the chat template.
    """
    notes: list[str] = []
    try:
        policy = policy_for(task, SamplerSettings(model=model, template=template), notes.append)
    except MarkschemeError as error:
        return [Finding("model", False, str(error))]
    findings = [Finding("model", True, _description(policy), notes), _tags(policy, task)]
    try:
        problems = load_problems(task, limit=limit)
    except MarkschemeError:
        return [*findings, Finding("prompts", None, "not read, because the task's data cannot be loaded")]
    prompts = EncodedPrompts(policy, task, problems, 1)
    try:
        longest = max(len(prompt.token_ids) for prompt in prompts)
    except MarkschemeError as error:
        return [*findings, Finding("prompts", False, str(error))]
    summary = f"{len(prompts)} prompts, the longest of {longest} tokens"
    return [
        *findings,
        Finding("prompts", True, summary, _first_prompt(policy, task, problems[0])),
        _thinking_prefix(prompts[0]),
    ]


def _description(policy: Policy) -> str:
    end_tokens = ", ".join(f"{i} {policy.tokenizer.convert_ids_to_tokens(i)!r}" for i in policy.eos_ids)
    template = "has a chat template" if policy.tokenizer.chat_template else "has no chat template"
    context = "states no longest context" if policy.context is None else f"reads {policy.context} tokens"
    return f"{policy.name}: an answer ends at token {end_tokens}; the model {template} and {context}"


def _tags(policy: Policy, task: Task) -> Finding:
    """Check that tags that the rewards look for survive the tokenizer, and name those that are special."""
    special = special_ids(policy.tokenizer)
    marks = policy.tokenizer.convert_ids_to_tokens(sorted(special))
    tags = list(dict.fromkeys([*_tags_of(task), *(mark for mark in marks if thinking_end(mark))]))
    if not tags:
        return Finding("tags", None, "the rewards look for no tags, and none is a special token")
    lost, hidden = [], []
    for tag in tags:
        ids = policy.tokenizer(tag, add_special_tokens=False)["input_ids"]
        text = policy.decode(ids)
        if text.strip() != tag:
            lost.append(f"{tag!r} becomes {text!r}: a completion with it looks to rewards as if it lacked it")
        elif set(ids) & special:
            hidden.append(tag)
    if lost:
        return Finding("tags", False, f"the tokenizer loses {len(lost)} of {len(tags)} tags", lost)
    summary = f"rewards see {', '.join(tags)} as the model writes them"
    if hidden:
        summary += (
            f"; {', '.join(hidden)}: special tokens, which verl drops, and TRL unless as_trl has the"
            " tokenizer, so that rewards there miss them"
        )
    return Finding("tags", True, summary)


_TAG = re.compile(r"(?<!\?P)</?[A-Za-z][\w:-]*>")


def _tags_of(task: Task) -> list[str]:
    """Return the tags that a task names in its prompts, patterns and rewards."""
    text = task.model_dump_json()
    tags = _TAG.findall(text)
    if '"think_answer"' in text:
        tags += ["<think>", "</think>"]
    if '"answer_tag":true' in text:
        tags += ["<answer>", "</answer>"]
    return tags


def _first_prompt(policy: Policy, task: Task, problem: Problem) -> list[str]:
    text, _ = render_prompt(policy, task, problem)
    ids = encode_prompt(policy, task, problem, max_new_tokens=1).token_ids
    tokens = [
        f"{i} {token!r}" for i, token in zip(ids, policy.tokenizer.convert_ids_to_tokens(ids), strict=True)
    ]
    shown = tokens if len(tokens) <= 2 * SHOWN_IDS else [*tokens[:SHOWN_IDS], "...", *tokens[-SHOWN_IDS:]]
    return [
        "the first prompt, as the model reads it:",
        *(f"| {line}" for line in text.splitlines()),
        f"its {len(ids)} token ids: {', '.join(shown)}",
    ]


def _thinking_prefix(prompt: EncodedPrompt) -> Finding:
    if prompt.prefill:
        message = f"the prompt ends with {prompt.prefill!r}, which is scored as the start of the answer"
    else:
        message = "the prompt does not open a thinking part"
    return Finding("thinking prefix", True, message)

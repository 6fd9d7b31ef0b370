"""`markscheme check --model`: how a model reads a task's prompts, and at which tokens its answers end."""

from ...rewards.check.finding import Finding
from ...sandbox.errors import MarkschemeError
from ...tasks.load_problems import load_problems
from ...tasks.problem import Problem
from ...tasks.schema import Task
from ..models.policy import EncodedPrompt, Policy
from ..models.prompts import encode_prompt, render_prompt
from .sampling import policy_for


def check_model(task: Task, model: str, *, limit: int | None = 1000) -> list[Finding]:
    """Return findings on a model for a task: its end tokens, chat template, context and prompts.

    Args:
        task: the task whose prompts the model is to read.
        model: `tiny`, a folder or a hub id.
        limit: encode at most this many problems; None = all.
    """
    try:
        policy = policy_for(task, model)
    except MarkschemeError as error:
        return [Finding("model", False, str(error))]
    findings = [Finding("model", True, _description(policy))]
    try:
        problems = load_problems(task, limit=limit)
    except MarkschemeError:
        return [*findings, Finding("prompts", None, "not read, because the task's data cannot be loaded")]
    try:
        prompts = [encode_prompt(policy, task, problem, max_new_tokens=1) for problem in problems]
    except MarkschemeError as error:
        return [*findings, Finding("prompts", False, str(error))]
    longest = max(len(prompt.token_ids) for prompt in prompts)
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


def _first_prompt(policy: Policy, task: Task, problem: Problem) -> list[str]:
    text, _ = render_prompt(policy, task, problem)
    return ["the first prompt, as the model reads it:", *(f"| {line}" for line in text.splitlines())]


def _thinking_prefix(prompt: EncodedPrompt) -> Finding:
    if prompt.prefill:
        message = f"the chat template opens {prompt.prefill!r}, which is scored as the start of the answer"
    else:
        message = "the prompt does not open a thinking part"
    return Finding("thinking prefix", True, message)

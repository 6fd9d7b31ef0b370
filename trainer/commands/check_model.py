"""Looking at a model for a task: its chat template as really rendered, end tokens, lengths."""

from ...rewards.check.finding import Finding
from ...sandbox.errors import MarkschemeError
from ...tasks.problems import load_problems
from ...tasks.schema import Task
from ..models.policy import Policy
from .sampling import policy_for


def check_model(task: Task, model: str, *, limit: int | None = 1000) -> list[Finding]:
    """Load a model and show how it would read the task's prompts."""
    try:
        policy = policy_for(task, model)
    except MarkschemeError as error:
        return [Finding("model", False, str(error))]
    tokens = ", ".join(f"{i} {policy.tokenizer.convert_ids_to_tokens(i)!r}" for i in policy.eos_ids)
    template = "has a chat template" if policy.tokenizer.chat_template else "no chat template"
    findings = [
        Finding("model", True, f"{policy.name}: ends at {tokens}; {template}; context {policy.context}")
    ]
    try:
        problems = load_problems(task, limit=limit)
    except MarkschemeError:
        return [*findings, Finding("prompts", None, "no data to render")]
    try:
        encoded = [policy.encode(task, problem, max_new_tokens=1) for problem in problems]
    except MarkschemeError as error:
        return [*findings, Finding("prompts", False, str(error))]
    longest = max(len(prompt.token_ids) for prompt in encoded)
    opened = encoded[0].prefill
    findings.append(
        Finding(
            "prompts",
            True,
            f"{len(encoded)} prompts, the longest has {longest} tokens",
            _shown(policy, task, problems),
        )
    )
    said = (
        f"the template opens {opened!r}; checks count it" if opened else "the template opens no thinking part"
    )
    return [*findings, Finding("thinking prefix", True, said)]


def _shown(policy: Policy, task: Task, problems: object) -> list[str]:
    assert isinstance(problems, list)
    text, _ = policy.render(task, problems[0])
    return ["the first, as the model reads it:", *(f"| {line}" for line in text.splitlines())]

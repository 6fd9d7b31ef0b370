"""From a problem to a prompt as the policy reads it: chat template, opened thinking, token ids."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

from jinja2 import TemplateError

from ...sandbox.errors import PolicyError
from ...tasks.load_problems import place_in, prompt_size, prompt_sizes
from ...tasks.problem import Problem, said_by
from ...tasks.schema import Task
from ...verifiers.completion import Marks, thinking_end, thinking_marks
from ...verifiers.steps.token_positions import common_length
from .policy import EncodedPrompt, Policy


def render_prompt(policy: Policy, task: Task, problem: Problem) -> tuple[str, str]:
    """Return the prompt's text as the policy reads it, and its `prefill` (see `EncodedPrompt`).

    Raises:
        PolicyError: the task has chat messages or a system text, and the tokenizer no chat template.
    """
    has_template = bool(policy.tokenizer.chat_template)
    is_chat = not isinstance(problem.prompt, str)
    needs_template = is_chat or bool(task.system)
    if needs_template and not has_template:
        reason = "prompts are chat messages" if is_chat else "has a system text"
        raise PolicyError(
            f"task {task.name!r} {reason}, and the tokenizer of {policy.name!r} has no chat template;"
            " give a chat model, or make the prompt one text and drop `system:`"
        )
    if not needs_template and not (has_template and policy.use_chat_template):
        return str(problem.prompt), ""
    messages: list[Any] = [{"role": "system", "content": task.system}] if task.system else []
    if isinstance(problem.prompt, str):
        messages.append({"role": "user", "content": problem.prompt})
    else:
        messages += problem.prompt
    if messages[-1].get("role") == "assistant":
        # The policy continues the answer that the prompt begins.
        text = _templated(policy, task, messages, continue_final_message=True)
        begun = said_by("assistant", messages[-1:])
        return text, begun if text.endswith(begun) else begun.strip()
    with_opening = _templated(policy, task, messages, add_generation_prompt=True)
    without_opening = _templated(policy, task, messages)
    opening = with_opening[common_length(with_opening, without_opening) :]
    return with_opening, _unclosed_thinking(opening, thinking_marks(task.thinking or ()))


def _templated(policy: Policy, task: Task, messages: Sequence[Any], **how: bool) -> str:
    """Return messages as the chat template renders them; `how` says how the text ends."""
    try:
        return policy.tokenizer.apply_chat_template(messages, tokenize=False, **policy.template, **how)
    except (TemplateError, ValueError, TypeError) as error:
        raise PolicyError(
            f"task {task.name!r}: the chat template of {policy.name!r} rejects the messages: {error};"
            " change the prompt, `system:` or policy.template"
        ) from error


class PromptTooLong(PolicyError):
    """A prompt does not fit into the context together with the new tokens."""


def encode_prompt(
    policy: Policy, task: Task, problem: Problem, *, max_new_tokens: int, place: str = ""
) -> EncodedPrompt:
    """Return a problem's prompt as token ids; messages call it by its `place`, or else by its id.

    Raises:
        PolicyError: the prompt is empty, does not fit into the context together with `max_new_tokens`,
            or cannot be written in the tokenizer's tokens.
    """
    text, prefill = render_prompt(policy, task, problem)
    from_template = bool(policy.tokenizer.chat_template) and text != problem.prompt
    # A chat template writes the special tokens itself; adding them again would double BOS.
    ids = policy.tokenizer(text, add_special_tokens=not from_template)["input_ids"]
    bos = policy.tokenizer.bos_token_id
    if not from_template and bos is not None and ids[:2] == [bos, bos]:
        ids = ids[1:]  # the prompt brings its own, and the tokenizer has added another
    where = f"{place or f'problem {problem.id}'} of {task.name!r}"
    if not ids:
        raise PolicyError(f"{where}: the prompt {text!r} has no tokens; drop the row or give it a prompt")
    if policy.context is not None and len(ids) + max_new_tokens > policy.context:
        raise PromptTooLong(
            f"{where}: a prompt of {len(ids)} tokens and {max_new_tokens} new tokens exceed the context"
            f" of {policy.context}; lower max_new_tokens, or drop such prompts (in a run"
            " data.drop_long_prompts: true, else --skip-bad)"
        )
    _check_tokenizer(policy, text, ids, where)
    return EncodedPrompt(list(ids), prefill)


class EncodedPrompts(Sequence[EncodedPrompt]):
    """The prompts of problems as token ids, each of which is encoded when it is asked for.

    A data set of any size is ready at once. `check` finds the prompts that are too long at the start, and
    what else may be wrong with a prompt in the first `CHECKED` of them.
    """

    CHECKED = 1000

    def __init__(self, policy: Policy, task: Task, problems: Sequence[Problem], max_new_tokens: int):
        self._policy, self._task, self._problems = policy, task, problems
        self._max_new_tokens = max_new_tokens

    def __len__(self) -> int:
        return len(self._problems)

    @overload
    def __getitem__(self, index: int) -> EncodedPrompt: ...
    @overload
    def __getitem__(self, index: slice) -> list[EncodedPrompt]: ...
    def __getitem__(self, index: int | slice) -> EncodedPrompt | list[EncodedPrompt]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        problem = self._problems[index]
        room, place = self._max_new_tokens, place_in(self._problems, index)
        return encode_prompt(self._policy, self._task, problem, max_new_tokens=room, place=place)

    def check(self) -> None:
        """Encode the first prompts, and all that may be too long.

        Raises:
            PolicyError: see `encode_prompt`.
        """
        for index in range(min(self.CHECKED, len(self))):
            self[index]
        for _, error in self.too_long():
            raise error

    def too_long(self) -> Iterator[tuple[int, PromptTooLong]]:
        """Yield the indices of prompts that leave no room for the new tokens, each with its error.

        A prompt has at most as many tokens as bytes, so most need not be encoded for that.
        """
        context = self._policy.context
        if context is None or not self._problems:
            return
        first = self._problems[0]
        written, _ = render_prompt(self._policy, self._task, first)
        added = len(written.encode(errors="backslashreplace")) - prompt_size(first) + 2  # BOS and EOS
        room = context - self._max_new_tokens - max(added, 2)
        for index, size in enumerate(prompt_sizes(self._problems)):
            if size > room:
                try:
                    self[index]
                except PromptTooLong as error:
                    yield index, error


def _check_tokenizer(policy: Policy, text: str, ids: Sequence[int], where: str) -> None:
    """Reject a tokenizer that loses parts of a prompt, because the policy would be asked something else.

    Raises:
        PolicyError: a part has become the unknown token, or most spaces are gone.
    """
    unknown = policy.tokenizer.unk_token_id
    if unknown is not None and unknown in ids and policy.tokenizer.unk_token not in text:
        raise PolicyError(
            f"{where}: the tokenizer of {policy.name!r} has no tokens for parts of the prompt"
            f" {text[:80]!r}; give another policy.model"
        )
    # Decoding may tidy a few spaces, so they only count as lost if fewer than half of the words return.
    words = len(text.split())
    if words >= 4 and 2 * len(policy.tokenizer.decode(list(ids)).split()) < words:
        raise PolicyError(
            f"{where}: the tokenizer of {policy.name!r} ({type(policy.tokenizer).__name__}) drops the spaces"
            f" of the prompt {text[:80]!r}; transformers chose this class by the model's type, but the"
            " tokenizer files belong to another class: give a model whose files fit its type"
        )


def _unclosed_thinking(opening: str, marks: Marks) -> str:
    """Return `opening` from its last mark of thinking on, or an empty string if none is open."""
    last = max((opening.rfind(mark) for mark, _ in marks), default=-1)
    return opening[last:] if last >= 0 and thinking_end(opening, marks) == len(opening) else ""

"""Which prompts are held out from training: the same ones for reward models and for the policy."""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from ...tasks.problem import Prompt, prompt_key

T = TypeVar("T")


def is_held_out(prompt: Prompt, share: float) -> bool:
    """Return whether a prompt is held out, as about `share` of all prompts are.

    That depends on the prompt alone, whatever its white space and case, so a prompt is never held out in one
    file and trained on in another; the prompts of a smaller share are among those of a larger one.
    """
    digest = hashlib.sha256(f"held out/{prompt_key(prompt)}".encode()).digest()
    return int.from_bytes(digest[:4]) < share * 2**32


def split_by_prompt(
    rows: Sequence[T], share: float, prompt_of: Callable[[T], Prompt]
) -> tuple[list[T], list[T]]:
    """Return the rows to train on, and those that are held out; no prompt is in both."""
    held = [is_held_out(prompt_of(row), share) for row in rows]
    of_kind = {
        kind: [row for row, one in zip(rows, held, strict=True) if one is kind] for kind in (False, True)
    }
    return of_kind[False], of_kind[True]

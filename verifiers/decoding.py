"""From sampled token ids to the text that rewards see.

Decoding as it is usually done drops every special token. Some tokenizers declare `<think>` or `</answer>` as
special, and then the text would lack the tags that rewards look for: a format could never be right, and a box
inside the thinking part would look like the answer. So special tokens are kept, except for those at the end
that only say that the completion is over.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

_ANSWER = "an answer in between"


def decoded(token_ids: Sequence[int], tokenizer: Any, *, end_ids: Collection[int] = ()) -> str:
    """Return sampled ids as text, with special tokens, but without end tokens at the end.

    Args:
        token_ids: the ids of a completion.
        tokenizer: a tokenizer of transformers.
        end_ids: further ids that end a completion, beside those of `end_ids_of`.
    """
    ids, closing = list(token_ids), end_ids_of(tokenizer)
    while ids and (ids[-1] in closing or ids[-1] in end_ids):
        ids.pop()
    return tokenizer.decode(
        ids,
        skip_special_tokens=False,
        clean_up_tokenization_spaces=False,
        spaces_between_special_tokens=False,
    )


@lru_cache(maxsize=8)
def end_ids_of(tokenizer: Any) -> frozenset[int]:
    """Return the ids that say that a completion is over: end of sequence, padding, end of turn.

    The end of a turn is whatever special token the chat template writes after an answer.
    """
    named = {tokenizer.eos_token_id, tokenizer.pad_token_id} - {None}
    if not getattr(tokenizer, "chat_template", None):
        return frozenset(named)
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _ANSWER}]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False)
    except Exception:  # a template may refuse the messages in any way; then it names no end of a turn
        return frozenset(named)
    _, _, after = text.rpartition(_ANSWER)
    closing = tokenizer(after, add_special_tokens=False)["input_ids"]
    return frozenset({*named, *(set(closing) & special_ids(tokenizer))})


@lru_cache(maxsize=8)
def special_ids(tokenizer: Any) -> frozenset[int]:
    """Return the ids that usual decoding drops: the declared special tokens, and tokens added as special."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return frozenset([*tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)])

r"""From spans of a text to positions of the generated ids that it was decoded from.

Step ends come from the ids that were sampled: encoding the text again can give others, and looking for a
separator token fails where the separator is fused with what precedes it (`.\n\n` is one token). A cut
stands behind its separator, and a step's last token is the last one that starts before its cut, so
a token that straddles a boundary belongs to the earlier step.
"""

import codecs
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

from ...sandbox.errors import PolicyError
from .split import Step

Tail = Literal["extend", "zero"]


def step_ends(
    token_ids: Sequence[int], text: str, steps: Sequence[Step], tokenizer: Any, *, tail: Tail = "extend"
) -> list[int]:
    """Return the 0-based index of each step's last token; several steps may end in one.

    Args:
        token_ids: as sampled, special tokens included.
        text: what they decode to without special tokens.
        steps: spans of that text.
        tokenizer: of transformers; the one that decoded the text.
        tail: `extend` lets a step that reaches to the end of the text reach to the last id (an end token is
            then its own), `zero` leaves it where its text ends.

    Raises:
        PolicyError: the ids do not decode to the text.
    """
    if not steps:
        return []
    starts = token_starts(token_ids, text, tokenizer)
    ends = [last_before(starts, step.cut) for step in steps]
    if tail == "extend" and steps[-1].cut >= len(text):
        ends[-1] = len(token_ids) - 1
    return ends


def last_before(starts: Sequence[int], cut: int) -> int:
    """Return the last token that starts before a cut; `starts` ascend. The first where none does."""
    return max(bisect_left(starts, cut) - 1, 0)


def token_starts(token_ids: Sequence[int], text: str, tokenizer: Any) -> list[int]:
    """Return where in the text, in characters, each token starts.

    A token that holds part of a character starts where the character does. For byte-level and
    SentencePiece-like tokenizers this adds up the tokens' own bytes; what those do not explain is
    decoded from prefix to prefix.

    Raises:
        PolicyError: the ids do not decode to the text.
    """
    special = _special_ids(tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(list(token_ids))
    for bytes_of in (_byte_level, _sentence_piece):
        # An id that the tokenizer does not know (a padded vocabulary's) decodes to nothing.
        pieces = [
            b"" if i in special or t is None else bytes_of(t) for i, t in zip(token_ids, tokens, strict=True)
        ]
        starts = _added_up(pieces, text)
        if starts is not None:
            return starts
    return _by_prefixes(token_ids, text, tokenizer)


@lru_cache(maxsize=8)
def _special_ids(tokenizer: Any) -> frozenset[int]:
    """Return the ids that decode to nothing: those declared, and those added as special."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return frozenset([*tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)])


@lru_cache(maxsize=1)
def _bytes_of_characters() -> dict[str, int]:
    """Return GPT-2's table: printable bytes stand for themselves, the others for what follows U+0100."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(byte): byte for byte in own}
    others = [byte for byte in range(256) if byte not in set(own)]
    return table | {chr(256 + place): byte for place, byte in enumerate(others)}


def _byte_level(token: str) -> bytes:
    table = _bytes_of_characters()
    if any(c not in table for c in token):
        return token.encode("utf-8", "surrogatepass")  # an added token
    return bytes(table[c] for c in token)


def _sentence_piece(token: str) -> bytes:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        try:
            return bytes([int(token[3:5], 16)])
        except ValueError:
            pass
    return token.replace("\u2581", " ").encode("utf-8", "surrogatepass")


def _added_up(pieces: Sequence[bytes], text: str) -> list[int] | None:
    """Return the starts if the pieces are the text, but perhaps for a space at its start; else None."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    starts: list[int | None] = []
    made = ""
    for piece in pieces:
        open_bytes, before = decoder.getstate()[0], len(made)
        made += decoder.decode(piece)
        never_closed = bool(open_bytes) and made[before : before + 1] == "\ufffd"
        # A token of no bytes (a special one) starts where the next one does.
        starts.append(before + never_closed if piece else None)
    made += decoder.decode(b"", final=True)
    following = len(made)
    for i in range(len(starts) - 1, -1, -1):
        following = starts[i] = following if (start := starts[i]) is None else start
    known = [start for start in starts if start is not None]
    if made == text:
        return known
    return [max(start - 1, 0) for start in known] if made == " " + text else None


def _by_prefixes(token_ids: Sequence[int], text: str, tokenizer: Any) -> list[int]:
    """Return the starts by decoding prefixes: a token starts where the text of those before it ends."""
    decode = _decoder(tokenizer)
    if decode(token_ids) != text:
        raise PolicyError(
            f"the ids decode to {decode(token_ids)[:60]!r}, not to the completion's text {text[:60]!r}:"
            " steps cannot be placed; give the tokenizer that sampled them"
        )
    starts: list[int] = []
    for count in range(len(token_ids)):
        reached = _common(decode(token_ids[:count]), text)
        starts.append(max(reached, starts[-1] if starts else 0))
    return starts


def _decoder(tokenizer: Any) -> Callable[[Sequence[int]], str]:
    return lambda ids: tokenizer.decode(
        list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
    )


def _common(one: str, two: str) -> int:
    """Return how many characters two texts start with alike."""
    if two.startswith(one):
        return len(one)
    return next(i for i, (a, b) in enumerate(zip(one, two + "\0" * len(one), strict=False)) if a != b)

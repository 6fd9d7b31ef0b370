r"""Finding the last token of each step in the generated ids: from spans of the text to positions of tokens.

A step's last token is the last one that starts before the step's `cut`; a token that crosses the boundary
belongs to the earlier step. Positions always refer to the ids that were sampled. Encoding the text again
can give other ids, and a search for the separator's token fails where the tokenizer fused it with the text
before it (`.\n\n` is often one token).
"""

import codecs
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from ...sandbox.errors import PolicyError
from ..decoding import decoded, special_ids
from .split import Step

Tail = Literal["extend", "zero"]
"""Where the last step ends; see `step_ends`."""


def step_ends(
    token_ids: Sequence[int], text: str, steps: Sequence[Step], tokenizer: Any, *, tail: Tail = "extend"
) -> list[int]:
    """Return the 0-based index of each step's last token; two steps may share their last token.

    Args:
        token_ids: the ids as sampled, with special tokens.
        text: the text that they decode to; it may lack special tokens, such as an end token.
        steps: spans of that text.
        tokenizer: the tokenizer of transformers that decoded the text.
        tail: `extend` lets a last step that reaches the end of the text reach the last id, so that an end
            token belongs to it; `zero` lets it end where its text ends.

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
    """Return the index of the last token that starts before `cut`, or 0; `starts` are in ascending order."""
    return max(bisect_left(starts, cut) - 1, 0)


def token_starts(token_ids: Sequence[int], text: str, tokenizer: Any) -> list[int]:
    """Return where each token starts in the text, in characters.

    A token that holds only part of a character starts where the character does. The bytes of the tokens are
    joined, first as byte-level tokenizers write them and then as SentencePiece does. If neither gives the
    text, every prefix of the ids is decoded instead, which takes quadratic time.

    Raises:
        PolicyError: the ids do not decode to the text.
    """
    special = special_ids(tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(list(token_ids))
    for bytes_of in (_byte_level_bytes, _sentence_piece_bytes):
        # A model may sample ids beyond its tokenizer's vocabulary: they have no token and decode to nothing.
        pieces = [
            _Piece(b"" if token is None else bytes_of(token), is_special=token_id in special)
            for token_id, token in zip(token_ids, tokens, strict=True)
        ]
        for start in ("", " "):  # SentencePiece drops a space at the beginning when it decodes
            starts = _starts_of(pieces, start + text)
            if starts is not None:
                return [max(place - len(start), 0) for place in starts]
    return _starts_by_prefixes(token_ids, text, tokenizer)


class _Piece(NamedTuple):
    """The bytes of a token."""

    content: bytes
    is_special: bool
    """Whether the text may lack it: texts have special tokens such as `<think>`, but not an end token."""


@lru_cache(maxsize=1)
def _byte_of_character() -> dict[str, int]:
    """Return GPT-2's table from the characters in its tokens to bytes.

    A printable byte is written as the character of the same number. The other bytes are written, in order,
    as the characters from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if byte not in set(printable)]
    return table | {chr(256 + i): byte for i, byte in enumerate(others)}


def _byte_level_bytes(token: str) -> bytes:
    table = _byte_of_character()
    if any(c not in table for c in token):
        return token.encode("utf-8", "surrogatepass")  # an added token is written as it is
    return bytes(table[c] for c in token)


def _sentence_piece_bytes(token: str) -> bytes:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):  # a single byte, as `<0x0A>`
        try:
            return bytes([int(token[3:5], 16)])
        except ValueError:
            pass
    return token.replace("\u2581", " ").encode("utf-8", "surrogatepass")


def _starts_of(pieces: Sequence[_Piece], text: str) -> list[int] | None:
    """Return where each piece starts in the text; None if the pieces do not make the text."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    starts: list[int | None] = []
    so_far = ""
    for piece in pieces:
        has_open_character = bool(decoder.getstate()[0])
        before = len(so_far)
        if piece.is_special:
            special = piece.content.decode("utf-8", "replace")
            if not text.startswith(special, before + has_open_character):
                starts.append(None)
                continue
        so_far += decoder.decode(piece.content)
        # If the bytes of an unfinished character became U+FFFD just now, the piece starts after that.
        is_after_broken = has_open_character and so_far[before : before + 1] == "\ufffd"
        starts.append(before + is_after_broken if piece.content else None)
    so_far += decoder.decode(b"", final=True)
    return _with_next_start(starts, len(so_far)) if so_far == text else None


def _with_next_start(starts: Sequence[int | None], end: int) -> list[int]:
    """Return the starts; a token that the text lacks starts with the next one, or at `end`."""
    known = [end] * len(starts)
    following = end
    for i in range(len(starts) - 1, -1, -1):
        start = starts[i]
        if start is not None:
            following = start
        known[i] = following
    return known


def _starts_by_prefixes(token_ids: Sequence[int], text: str, tokenizer: Any) -> list[int]:
    """Return the starts by decoding prefixes: a token starts where the text of the tokens before it ends."""
    for shown, without_special in _readings(token_ids, special_ids(tokenizer)):
        if _decoded(token_ids[:shown], tokenizer, without_special) == text:
            break
    else:
        whole = decoded(token_ids, tokenizer)
        raise PolicyError(
            f"the ids decode to {whole[:60]!r}, not to the completion's text {text[:60]!r}:"
            " steps cannot be placed; give the tokenizer that sampled them"
        )
    starts: list[int] = []
    for count in range(len(token_ids)):
        prefix = _decoded(token_ids[: min(count, shown)], tokenizer, without_special)
        starts.append(max(common_length(prefix, text), starts[-1] if starts else 0))
    return starts


def _readings(token_ids: Sequence[int], special: Collection[int]) -> Iterator[tuple[int, bool]]:
    """Yield how many of the ids a text may show, and whether it may lack the special tokens among them."""
    yield len(token_ids), True
    yield len(token_ids), False
    for count in range(len(token_ids) - 1, -1, -1):
        if token_ids[count] not in special:
            return
        yield count, False


def _decoded(token_ids: Sequence[int], tokenizer: Any, without_special: bool) -> str:
    return tokenizer.decode(
        list(token_ids),
        skip_special_tokens=without_special,
        clean_up_tokenization_spaces=False,
        spaces_between_special_tokens=False,
    )


def common_length(one: str, two: str) -> int:
    """Return the length of the longest common start of two texts."""
    if two.startswith(one):
        return len(one)
    differing = (i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    return next(differing, len(two))

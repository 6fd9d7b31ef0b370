"""The token at which a step ends among the sampled ids, with tokenizers of every kind."""

from itertools import pairwise
from random import Random
from typing import Any

import pytest

from markscheme.sandbox import PolicyError
from markscheme.verifiers.decoding import decoded as text_with_special
from markscheme.verifiers.steps.split import SplitPolicy, split_steps
from markscheme.verifiers.steps.token_positions import step_ends, token_starts
from tokenizers_of_kinds import KINDS, random_text, tokenizer_of

POLICIES = (
    SplitPolicy(by="lines"),
    SplitPolicy(by="sentences"),
    SplitPolicy(by="separator", separator="\n\n"),
    SplitPolicy(by="separator", separator=" ; "),
    SplitPolicy(by="numbered"),
)


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def decoded(tokenizer: Any, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def end_by_prefixes(tokenizer: Any, ids: list[int], text: str, cut: int) -> int:
    """Return the last token that starts before a cut, found by decoding every prefix of the ids."""
    last = start = 0
    for i in range(len(ids)):
        prefix = decoded(tokenizer, ids[:i])
        continues_a_character = (
            prefix.endswith("\ufffd")  # as an unfinished character decodes
            and decoded(tokenizer, ids[: i + 1]) == prefix
            and decoded(tokenizer, [ids[i]])  # a special token adds nothing either, but continues nothing
        )
        if not continues_a_character:
            start = max(start, common_length(prefix, text))
        if start < cut:
            last = i
    return last


def common_length(one: str, two: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    for place, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b:
            return place
    return min(len(one), len(two))


def sampled_ids(tokenizer: Any, rng: Random) -> list[int]:
    """Return ids as a policy may sample them: of a text, of a text in another spelling, or any at all."""
    ids = ids_of(tokenizer, random_text(rng))
    kind = rng.random()
    if kind < 0.3:  # more tokens somewhere in the middle, so that the text would be encoded otherwise
        place = rng.randrange(len(ids) + 1)
        ids[place:place] = ids_of(tokenizer, random_text(rng)[:3])
    elif kind < 0.4:
        ids = rng.choices(range(len(tokenizer)), k=rng.randint(0, 30))
    if rng.random() < 0.5:
        ids.append(tokenizer.eos_token_id)
    return ids


def check_ends_of_random_texts(kind: str, count: int, seed: str) -> int:
    """Compare the ends of steps with `end_by_prefixes`; return the number of steps."""
    tokenizer, rng = tokenizer_of(kind), Random(seed)
    compared = 0
    for _ in range(count):
        ids = sampled_ids(tokenizer, rng)
        text = decoded(tokenizer, ids)
        steps = split_steps(text, rng.choice(POLICIES))
        ends = step_ends(ids, text, steps, tokenizer, tail="zero")
        assert ends == [end_by_prefixes(tokenizer, ids, text, step.cut) for step in steps], (ids, text)
        assert all(one <= two for one, two in pairwise(ends))
        assert all(0 <= end < len(ids) for end in ends)
        expected = [*ends[:-1], len(ids) - 1] if steps else []
        assert step_ends(ids, text, steps, tokenizer) == expected
        compared += len(steps)
    return compared


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_ends_at_the_last_token_that_starts_before_its_cut(kind: str) -> None:
    assert check_ends_of_random_texts(kind, 150, "fast") > 150


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_in_the_text_have_a_place_and_those_at_its_end_have_none(kind: str) -> None:
    tokenizer, rng = tokenizer_of(kind), Random("special")
    turn_end, eos = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<eos>"])
    for _ in range(50):
        ids = [*ids_of(tokenizer, random_text(rng)), turn_end, *ids_of(tokenizer, "is two"), eos]
        text = text_with_special(ids, tokenizer)
        assert text.count("<|im_end|>") == 1
        assert "<eos>" not in text
        starts = token_starts(ids, text, tokenizer)
        spaces = text.index("<|im_end|>") - starts[ids.index(turn_end)]
        assert spaces == 0 or (kind == "word_piece" and spaces == 1)  # it joins tokens by spaces
        assert starts[-1] == len(text)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_ten_thousand_texts_end_where_they_should(kind: str) -> None:
    assert check_ends_of_random_texts(kind, 10_000, "slow") > 10_000


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "word_piece"])
def test_tokens_start_where_the_tokenizer_s_own_offsets_say(kind: str) -> None:
    """Where a text is encoded as usual, the tokenizer itself says where its tokens start."""
    tokenizer, rng = tokenizer_of(kind), Random("offsets")
    compared = 0
    for _ in range(100):
        text = random_text(rng)
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if decoded(tokenizer, encoded["input_ids"]) != text:
            continue  # the text has characters that the tokenizer has no tokens for
        starts = token_starts(encoded["input_ids"], text, tokenizer)
        assert starts == [start for start, _ in encoded["offset_mapping"]]
        compared += len(starts)
    assert compared > 500


def test_separators_are_fused_with_the_text_before_them() -> None:
    """A search for the separator's token would find almost nothing: `.` and line breaks are one token."""
    tokenizer = tokenizer_of("byte_level")
    text = "the sum is two.\n\nof numbers.\n\nis"
    ids, separator = ids_of(tokenizer, text), ids_of(tokenizer, "\n\n")
    steps = split_steps(text, "separator")
    ends = step_ends(ids, text, steps, tokenizer, tail="zero")
    assert not any(ids[end : end + len(separator)] == separator for end in ends)
    assert [tokenizer.decode(ids[: end + 1]) for end in ends] == [text[: step.cut] for step in steps]


def test_broken_characters_and_special_tokens_in_the_middle_have_places() -> None:
    tokenizer = tokenizer_of("byte_level")
    broken = tokenizer.convert_tokens_to_ids("ð")  # byte 0xF0, the start of a character that never comes
    first, *rest = ids_of(tokenizer, "a\nb")
    ids = [broken, first, *rest, tokenizer.eos_token_id]
    text = decoded(tokenizer, ids)
    assert text == "\ufffda\nb"
    steps = split_steps(text)
    first_end = end_by_prefixes(tokenizer, ids, text, steps[0].cut)
    assert step_ends(ids, text, steps, tokenizer) == [first_end, len(ids) - 1]

    ids = [first, tokenizer.eos_token_id, *rest, tokenizer.eos_token_id]
    text = decoded(tokenizer, ids)
    steps = split_steps(text)
    ends = step_ends(ids, text, steps, tokenizer, tail="zero")
    assert ends == [end_by_prefixes(tokenizer, ids, text, step.cut) for step in steps]


def test_ids_of_another_text_are_refused() -> None:
    tokenizer = tokenizer_of("byte_level")
    with pytest.raises(PolicyError, match="not to the completion's text"):
        step_ends(tokenizer("a\nb")["input_ids"], "a\nc", split_steps("a\nc"), tokenizer)


def test_two_steps_may_share_their_last_token() -> None:
    tokenizer = tokenizer_of("byte_level")
    text = "the sum"
    ids = ids_of(tokenizer, text)
    assert [tokenizer.decode([token_id]) for token_id in ids] == ["the", " sum"]
    steps = split_steps(text, SplitPolicy(by="separator", separator="u"))
    assert [text[step.start : step.end] for step in steps] == ["the s", "m"]
    assert step_ends(ids, text, steps, tokenizer, tail="zero") == [1, 1]


def test_only_a_step_that_reaches_the_end_of_the_text_reaches_the_last_id() -> None:
    tokenizer = tokenizer_of("byte_level")
    assert step_ends(ids_of(tokenizer, "a"), "a", split_steps("a"), tokenizer) == [0]
    ids = [*ids_of(tokenizer, "a\nb"), tokenizer.eos_token_id]
    steps = split_steps("a\nb")
    assert step_ends(ids, "a\nb", steps, tokenizer)[-1] == len(ids) - 1
    assert step_ends(ids, "a\nb", steps[:1], tokenizer)[-1] < len(ids) - 2

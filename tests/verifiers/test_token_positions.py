"""Where a step ends in the sampled ids, on tokenizers of every kind."""

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from tokenizers_of_kinds import KINDS, random_text, tokenizer_of

from markscheme.sandbox import PolicyError
from markscheme.verifiers.steps.split import SplitPolicy, split_steps
from markscheme.verifiers.steps.token_positions import step_ends, token_starts

POLICIES = (
    SplitPolicy(by="lines"), SplitPolicy(by="sentences"), SplitPolicy(by="separator", separator="\n\n"),
    SplitPolicy(by="separator", separator=" ; "), SplitPolicy(by="numbered"),
)  # fmt: skip


def decoded(tokenizer: Any, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def by_hand(tokenizer: Any, ids: list[int], text: str, cut: int) -> int:
    """The last token that starts before a cut, from nothing but decoded prefixes."""
    last = start = 0
    for i in range(len(ids)):
        prefix = decoded(tokenizer, ids[:i])
        within = prefix.endswith("\ufffd") and decoded(tokenizer, ids[: i + 1]) == prefix
        # What adds nothing to a broken end is more of a character that never ends; a special token is not.
        if not within or not decoded(tokenizer, [ids[i]]):
            pairs = enumerate(zip(prefix, text, strict=False))
            start = max(start, next((n for n, (a, b) in pairs if a != b), min(len(prefix), len(text))))
        if start < cut:
            last = i
    return last


def sampled(tokenizer: Any, rng: Random) -> list[int]:
    """Ids as a policy may sample them: of a text, or another spelling of it, or anything at all."""
    ids = list(tokenizer(random_text(rng), add_special_tokens=False)["input_ids"])
    kind = rng.random()
    if kind < 0.3:  # some tokens taken apart: not how the text would be encoded
        at = rng.randrange(len(ids) + 1)
        ids[at:at] = tokenizer(random_text(rng)[:3], add_special_tokens=False)["input_ids"]
    elif kind < 0.4:
        ids = rng.choices(range(len(tokenizer)), k=rng.randint(0, 30))
    if rng.random() < 0.5:
        ids.append(tokenizer.eos_token_id)
    return ids


def check(kind: str, count: int, seed: str) -> int:
    """Compare with the way by hand; return how many steps were placed."""
    tokenizer, rng = tokenizer_of(kind), Random(seed)
    placed = 0
    for _ in range(count):
        ids = sampled(tokenizer, rng)
        text = decoded(tokenizer, ids)
        steps = split_steps(text, rng.choice(POLICIES))
        ends = step_ends(ids, text, steps, tokenizer, tail="zero")
        assert ends == [by_hand(tokenizer, ids, text, step.cut) for step in steps], (ids, text)
        assert all(a <= b for a, b in pairwise(ends))
        assert all(0 <= end < len(ids) for end in ends)
        extended = step_ends(ids, text, steps, tokenizer)
        assert extended == [*ends[:-1], len(ids) - 1] if steps else extended == []
        placed += len(steps)
    return placed


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_ends_at_the_last_token_that_starts_before_its_cut(kind: str) -> None:
    assert check(kind, 150, "fast") > 150


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_texts_none_wrong(kind: str) -> None:
    assert check(kind, 10_000, "slow") > 10_000


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "word_piece"])
def test_starts_are_the_tokenizer_s_own_offsets(kind: str) -> None:
    """Where a text is encoded as it is, the tokenizer says itself where its tokens start."""
    tokenizer, rng = tokenizer_of(kind), Random("offsets")
    compared = 0
    for _ in range(100):
        text = random_text(rng)
        made = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if decoded(tokenizer, made["input_ids"]) != text:
            continue
        starts = token_starts(made["input_ids"], text, tokenizer)
        wanted = [a for a, _ in made["offset_mapping"]]
        # A character of several tokens: they all start where it does.
        assert [text[:s] for s in starts] == [text[:w] for w in wanted] or kind == "sentence_piece"
        compared += len(starts)
    assert compared > 500


def test_separators_are_fused_with_what_precedes_them() -> None:
    """Looking for a separator's token would find almost nothing: `.` and line breaks are one token."""
    tokenizer = tokenizer_of("byte_level")
    text = "the sum is two.\n\nof numbers.\n\nis"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    alone = tokenizer("\n\n", add_special_tokens=False)["input_ids"]
    steps = split_steps(text, "separator")
    ends = step_ends(ids, text, steps, tokenizer, tail="zero")
    assert not any(ids[i : i + len(alone)] == alone for i in ends)
    assert [tokenizer.decode(ids[: end + 1]) for end in ends] == [text[: step.cut] for step in steps]


def test_bytes_that_are_no_text_and_special_tokens_in_the_middle() -> None:
    tokenizer = tokenizer_of("byte_level")
    broken = tokenizer.convert_tokens_to_ids("ð")  # 0xF0, the start of a character that never comes
    ids = [broken, *tokenizer("a\nb", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    text = decoded(tokenizer, ids)
    assert text == "\ufffda\nb"
    steps = split_steps(text)
    assert step_ends(ids, text, steps, tokenizer) == [
        by_hand(tokenizer, ids, text, steps[0].cut),
        len(ids) - 1,
    ]
    middle = [ids[1], tokenizer.eos_token_id, *ids[2:]]
    text = decoded(tokenizer, middle)
    steps = split_steps(text)
    ends = step_ends(middle, text, steps, tokenizer, tail="zero")
    assert ends == [by_hand(tokenizer, middle, text, step.cut) for step in steps]


def test_ids_of_another_text_are_refused() -> None:
    tokenizer = tokenizer_of("byte_level")
    with pytest.raises(PolicyError, match="not to the completion's text"):
        step_ends(tokenizer("a\nb")["input_ids"], "a\nc", split_steps("a\nc"), tokenizer)


def test_two_steps_may_share_their_last_token() -> None:
    tokenizer = tokenizer_of("byte_level")
    ids = tokenizer("\n\n", add_special_tokens=False)["input_ids"]
    text = "\n\n"
    assert split_steps(text) == []
    steps = split_steps("a\nb")
    fused = [*tokenizer("a", add_special_tokens=False)["input_ids"]]
    assert step_ends(fused, "a", split_steps("a"), tokenizer) == [0]
    assert len(ids) >= 1
    # Only a step that reaches to the end of the text reaches to the last id.
    both = [*tokenizer("a\nb", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    assert step_ends(both, "a\nb", steps, tokenizer)[-1] == len(both) - 1
    assert step_ends(both, "a\nb", steps[:1], tokenizer)[-1] < len(both) - 2

"""Checks of a completion's format, and the measures of text that rewards use."""

import pytest

from markscheme.rewards import MarkScheme
from markscheme.sandbox import RewardError, TaskError
from markscheme.tasks import Completion, Problem
from markscheme.verifiers.format import (
    boxed,
    json_schema,
    language_share,
    length_of,
    regex,
    repetition_share,
    think_answer,
)
from support import MakeTask

PROBLEM = Problem(prompt="q")

THINKING = [
    # completion, prefill (the start of the answer that the chat template has already written), whether it holds
    ("<think>a</think>b", "", True),
    ("<think>\na\n</think>\n\nb\n", "", True),
    ("  <think>a</think>b", "", True),
    ("a</think>b", "<think>", True),  # as with DeepSeek-R1 (TRL issue 6966)
    ("a</think>b", "<think>\n", True),
    ("a</think>b", "", False),  # nobody opened it
    ("<think>a</think>b", "<think>\n", False),  # opened twice
    ("<think>a</think><think>c</think>b", "", False),
    ("<think>a</think>", "", False),  # nothing follows
    ("<think></think>b", "", False),  # nothing was thought
    ("</think>a<think>b", "", False),
    ("x<think>a</think>b", "", False),
    ("<think>a", "", False),
    ("b", "", False),
    ("", "", False),
]


@pytest.mark.parametrize(("text", "prefill", "holds"), THINKING)
def test_thinking_comes_first_and_only_once(text: str, prefill: str, holds: bool) -> None:
    assert think_answer(PROBLEM, Completion(text, prefill=prefill)).correct is holds


def test_a_text_prompt_may_open_the_thinking_part() -> None:
    opened = Problem(prompt="User: q\nAssistant: <think>\n")
    assert think_answer(opened, Completion("a</think>b")).correct is True
    assert think_answer(opened, Completion("<think>a</think>b")).correct is False


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("<think>a</think><answer>b</answer>", True),
        ("<think>a</think> <answer>b</answer> ", True),
        ("<think>a</think>b", False),
        ("<think>a</think><answer></answer>", False),
        ("<think>a</think>x<answer>b</answer>", False),
        ("<think>a</think><answer>b</answer>x", False),
        ("<answer>b</answer><think>a</think>", False),
        ("<think>a<answer>b</answer></think>", False),
        ("<think>a</think><answer>b</answer><answer>c</answer>", False),
    ],
)
def test_answer_tags_can_be_required(text: str, holds: bool) -> None:
    assert think_answer(PROBLEM, Completion(text), answer_tag=True).correct is holds


def test_only_a_filled_box_outside_the_thinking_part_counts() -> None:
    assert boxed(PROBLEM, Completion(r"\boxed{4}")).correct is True
    assert boxed(PROBLEM, Completion(r"<think>\boxed{4}</think>")).correct is False
    assert boxed(PROBLEM, Completion(r"\boxed{4}", prefill="<think>")).correct is False
    assert boxed(PROBLEM, Completion(r"\boxed{}")).correct is False


def test_a_pattern_is_searched_for_or_matches_the_whole_text() -> None:
    assert regex(PROBLEM, Completion("a\nb"), pattern="a.b").correct is True
    assert regex(PROBLEM, Completion("xa\nb"), pattern="a.b", full=True).correct is False


SCHEMA = {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('{"x": 1}', True),
        ('<think>{"x": "no"}</think>\n{"x": 1}', True),
        ('Here:\n```json\n{"x": 1}\n```', True),
        ('{"x": "1"}', False),
        ("{}", False),
        ('{"x": 1', False),
        ("", False),
        ("[" * 100_000, False),
    ],
)
def test_json_is_checked_by_its_schema(text: str, holds: bool) -> None:
    assert json_schema(PROBLEM, Completion(text), schema=SCHEMA).correct is holds


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{use: regex, pattern: '('}", "not a regular expression"),
        ("{use: json_schema, schema: {type: objekt}}", "not a valid JSON Schema"),
        ("{use: language, to: tlh}", "unknown 'tlh'"),
        ("{use: length, target: -5}", "greater than 0"),
    ],
)
def test_impossible_parameters_are_errors_when_the_scheme_is_built(
    make_task: MakeTask, entry: str, message: str
) -> None:
    with pytest.raises(TaskError, match=message):
        MarkScheme(make_task(f"rewards: {{a: {entry}}}"))


@pytest.mark.parametrize(
    "hostile", ["[" + "1" * 5000 + "]", "NaN", "1e400", "[" * 3000 + "]" * 3000, "```" + "\n" * 50_000]
)
def test_hostile_json_is_wrong_and_never_raises(hostile: str) -> None:
    schema = {"multipleOf": 0.5, "items": {"$ref": "#"}}
    assert json_schema(PROBLEM, Completion(hostile), schema=schema).correct is False


def test_invisible_characters_do_not_count_as_text() -> None:
    assert think_answer(PROBLEM, Completion("<think>\u200b</think>x")).correct is False
    assert boxed(PROBLEM, Completion(r"\boxed{\,}")).correct is False


def test_lengths_are_in_tokens_words_or_characters() -> None:
    completion = Completion("one two", token_ids=[5, 6, 7])
    assert [length_of(completion, unit) for unit in ("tokens", "words", "characters")] == [3, 2, 7]
    assert length_of(Completion("no ids"), "tokens") is None


@pytest.mark.parametrize(
    ("text", "n", "share"),
    [("a b c d", 3, 0.0), ("a b a b a b", 2, 0.6), ("x x x x", 1, 0.75), ("", 3, 0.0), ("a b", 3, 0.0)],
)
def test_repetition_is_one_minus_distinct_over_all_n_grams(text: str, n: int, share: float) -> None:
    assert repetition_share(text, n) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "language", "share"),
    [
        ("so we add two and two", "en", 1.0),
        ("so 我们 add", "en", 0.5),  # two characters, two words
        ("我们", "zh", 1.0),
        ("also übermäßig groß", "de", 1.0),
        ("Привет мир", "ru", 1.0),
        ("hello мир", "ru", 0.5),
        (r"<think>\frac{1}{2} = 0.5</think>", "zh", 1.0),  # no words at all
    ],
)
def test_language_share_is_words_of_the_script_over_all_words(text: str, language: str, share: float) -> None:
    assert language_share(text, language) == pytest.approx(share)


def test_an_unknown_language_is_an_error() -> None:
    with pytest.raises(RewardError, match="known: en"):
        language_share("x", "tlh")

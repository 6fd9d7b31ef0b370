"""Checks of form, and the measures that rewards use."""

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

Q = Problem(prompt="q")

THINK = [
    ("<think>a</think>b", "", True),
    ("<think>\na\n</think>\n\nb\n", "", True),
    ("  <think>a</think>b", "", True),
    ("a</think>b", "<think>", True),  # the chat template opened it (R1-style; TRL #6966)
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


@pytest.mark.parametrize(("text", "prefill", "holds"), THINK)
def test_thinking_comes_first_and_once(text: str, prefill: str, holds: bool) -> None:
    assert think_answer(Q, Completion(text, prefill=prefill)).correct is holds


def test_a_text_prompt_that_ends_in_the_opened_tag_counts() -> None:
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
def test_answer_tags_on_demand(text: str, holds: bool) -> None:
    assert think_answer(Q, Completion(text), answer_tag=True).correct is holds


def test_boxes_outside_the_thinking_part() -> None:
    assert boxed(Q, Completion(r"\boxed{4}")).correct is True
    assert boxed(Q, Completion(r"<think>\boxed{4}</think>")).correct is False
    assert boxed(Q, Completion(r"\boxed{4}", prefill="<think>")).correct is False
    assert boxed(Q, Completion(r"\boxed{}")).correct is False


def test_regular_expressions() -> None:
    assert regex(Q, Completion("a\nb"), pattern="a.b").correct is True
    assert regex(Q, Completion("xa\nb"), pattern="a.b", full=True).correct is False


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
def test_json_by_schema(text: str, holds: bool) -> None:
    assert json_schema(Q, Completion(text), schema=SCHEMA).correct is holds


@pytest.mark.parametrize(
    "entry",
    [
        "{use: regex, pattern: '('}",
        "{use: json_schema, schema: {type: objekt}}",
        "{use: language, to: tlh}",
        "{use: length, target: -5}",
    ],
)
def test_parameters_that_cannot_be_are_told_at_load(make_task: MakeTask, entry: str) -> None:
    with pytest.raises(TaskError, match="not a|unknown 'tlh'|greater than 0"):
        MarkScheme(make_task(f"rewards: {{a: {entry}}}"))


@pytest.mark.parametrize(
    "hostile", ["[" + "1" * 5000 + "]", "NaN", "1e400", "[" * 3000 + "]" * 3000, "```" + "\n" * 50_000]
)
def test_hostile_json_is_wrong_and_no_bug(hostile: str) -> None:
    schema = {"multipleOf": 0.5, "items": {"$ref": "#"}}
    assert json_schema(Q, Completion(hostile), schema=schema).correct is False


def test_invisible_characters_are_nothing() -> None:
    assert think_answer(Q, Completion("<think>\u200b</think>x")).correct is False
    assert boxed(Q, Completion(r"\boxed{\,}")).correct is False


def test_lengths() -> None:
    completion = Completion("one two", token_ids=[5, 6, 7])
    assert [length_of(completion, unit) for unit in ("tokens", "words", "characters")] == [3, 2, 7]
    assert length_of(Completion("no ids"), "tokens") is None


@pytest.mark.parametrize(
    ("text", "n", "share"),
    [("a b c d", 3, 0.0), ("a b a b a b", 2, 0.6), ("x x x x", 1, 0.75), ("", 3, 0.0), ("a b", 3, 0.0)],
)
def test_repetition_is_one_minus_distinct_over_all(text: str, n: int, share: float) -> None:
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


def test_an_unknown_language_is_told() -> None:
    with pytest.raises(RewardError, match="known: en"):
        language_share("x", "tlh")

r"""Verifiers of a completion's form (tags, boxes, patterns, JSON), and measures on which rewards are built.

Every verifier here reads the whole answer, which includes what the chat template wrote at its start (an
opened `<think>`): the completion's `prefill`, or the end of a prompt that is text.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

import regex as regex_engine
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from ..sandbox.errors import RewardError
from ..tasks.problem import Completion, Problem
from .completion import SEARCHED_CHARS, ThinkingMark, thinking_end, thinking_marks, whole_answer
from .extraction.extract import extract_answer
from .extraction.rules import PATTERN_S
from .spelling.normalise import normalise
from .verdict import Reason, Verdict, verdict_of, verifier


@verifier("think_answer")
def think_answer(problem: Problem, completion: Completion, *, answer_tag: bool = False) -> Verdict:
    """Check that the text is one closed <think> part with something in it, followed by an answer.

    Each tag must occur exactly once, and nothing may come before <think>.

    In a task: `{use: think_answer, answer_tag: true, weight: 0.1}`.

    Args:
        problem: its prompt, if it is text, may end in an opened <think>, which then counts.
        completion: the completion; its `prefill` counts too.
        answer_tag: whether the answer must also be inside one <answer>...</answer>, with no text around it.
    """
    text = whole_answer(problem, completion)
    tags = ["<think>", "</think>"]
    if answer_tag:
        tags += ["<answer>", "</answer>"]
    counts = {tag: text.count(tag) for tag in tags}
    wrong = {tag: count for tag, count in counts.items() if count != 1}
    if wrong:
        return verdict_of(False, tags=wrong)
    places = [text.index(tag) for tag in tags]
    before = text[: places[0]].strip()
    thought = _visible(text[places[0] + len("<think>") : places[1]])
    rest = _visible(text[places[1] + len("</think>") :])
    if places != sorted(places) or before or not thought:
        return verdict_of(False, order=places, before=before[:40], thought=bool(thought))
    if answer_tag:
        is_inside = rest.startswith("<answer>") and rest.endswith("</answer>")
        return verdict_of(is_inside and bool(rest[len("<answer>") : -len("</answer>")].strip()))
    return verdict_of(bool(rest))


@verifier("boxed")
def boxed(problem: Problem, completion: Completion, *, thinking: Sequence[ThinkingMark] = ()) -> Verdict:
    r"""Check that there is a \boxed{...} with something in it outside the thinking part.

    In a task: `{use: boxed, weight: 0.1}`.

    Args:
        problem: its prompt, if it is text, may end in an opened mark of thinking, which then counts.
        completion: the completion; its `prefill` counts too.
        thinking: further marks of the thinking part; an entry without it takes the task's own.
    """
    text = whole_answer(problem, completion, thinking)
    found = extract_answer(text, extract=["boxed"], thinking=thinking)
    return verdict_of(bool(found.text and normalise(found.text)), box=found.text)


def _check_pattern(pattern: str) -> str:
    try:
        regex_engine.compile(pattern)
    except regex_engine.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_check_pattern)]


def _visible(text: str) -> str:
    """Return a text without invisible characters (Unicode's Cf) and without space around it."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf").strip()


@verifier("regex")
def regex(problem: Problem, completion: Completion, *, pattern: Pattern, full: bool = False) -> Verdict:
    r"""Check that the text, thinking part included, matches a regular expression.

    In a task: `{use: regex, pattern: '\nAnswer: \d+$', weight: 0.1}`.

    Args:
        problem: its prompt, if it is text, may end in an opened <think>, which then counts.
        completion: the completion; its `prefill` counts too.
        pattern: a Python regular expression, in which `.` matches line breaks too. A search that takes
            longer than a second, as patterns that backtrack may, fails with the reason `timeout`.
        full: whether the pattern must match the whole text, not just some part of it.
    """
    compiled = _compiled(pattern)
    text = whole_answer(problem, completion)
    search = compiled.fullmatch if full else compiled.search
    try:
        return verdict_of(search(text, timeout=PATTERN_S) is not None)
    except TimeoutError:
        return Verdict(False, Reason.TIMEOUT)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    return regex_engine.compile(pattern, regex_engine.DOTALL)


def _check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"not a valid JSON Schema: {error.message}") from error
    resource = DRAFT202012.create_resource(schema)
    _check_references(resource, Registry().resolver_with_root(resource))
    return schema


def _check_references(part: Resource[Any], resolver: Any) -> None:
    """Check that every `$ref` of a schema names a part of it: nothing is fetched when a row is judged."""
    resolver = resolver.in_subresource(part)
    reference = part.contents.get("$ref") if isinstance(part.contents, dict) else None
    if reference is not None:
        try:
            resolver.lookup(reference)
        except Unresolvable as error:
            raise ValueError(
                f"the schema has no part {reference!r} for its $ref; define it, such as under `$defs`"
            ) from error
    for inner in part.subresources():
        _check_references(inner, resolver)


Schema = Annotated[dict[str, Any], AfterValidator(_check_schema)]
_FENCE = "```"


@verifier("json_schema")
def json_schema(
    problem: Problem, completion: Completion, *, schema: Schema, thinking: Sequence[ThinkingMark] = ()
) -> Verdict:
    """Check that the answer after the thinking part is JSON that fits a JSON Schema.

    The JSON is either the whole answer, or in its last code fence.

    In a task: `{use: json_schema, schema: {type: object, required: [answer]}}`.

    Args:
        problem: its prompt, if it is text, may end in an opened <think>, which then counts.
        completion: the completion; its `prefill` counts too.
        schema: a JSON Schema (draft 2020-12), written as YAML.
        thinking: further marks of the thinking part; an entry without it takes the task's own.
    """
    _, value = answer_json(problem, completion, thinking)
    if isinstance(value, ValueError):
        return verdict_of(False, error=str(value)[:200])
    validator = _validator(json.dumps(schema, sort_keys=True))
    try:
        first = next(iter(validator.iter_errors(value)), None)
    except (ValueError, ArithmeticError, RecursionError) as error:
        return verdict_of(False, error=f"{type(error).__name__}: {error}"[:200])
    return verdict_of(first is None, error=first.message[:200] if first else None)


def answer_json(
    problem: Problem, completion: Completion, thinking: Sequence[ThinkingMark]
) -> tuple[str, Any]:
    """Return the JSON after the thinking part: its text, and its value or the ValueError that it is none.

    The JSON is either the whole answer, or in its last code fence. A key that comes twice in an object is an
    error: which of the two values counts would depend on the reader.
    """
    text = whole_answer(problem, completion, thinking)
    body = text[max(thinking_end(text, thinking_marks(thinking)), len(text) - SEARCHED_CHARS) :].strip()
    body = _without_fence(body)
    try:
        return body, json.loads(body, parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, ArithmeticError, RecursionError) as error:
        return body, ValueError(f"{type(error).__name__}: {error}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, whose keys must differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice in an object")
    return found


def _without_fence(body: str) -> str:
    """Return the contents of the last code fence, or the whole body if it has none."""
    end = body.rfind(_FENCE)
    start = body.rfind(_FENCE, 0, max(end, 0))
    if start < 0:
        return body
    return body[start + len(_FENCE) : end].strip().removeprefix("json")


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python's parser accepts."""
    raise ValueError(f"{constant} is not JSON")


@lru_cache(maxsize=64)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))


def length_of(completion: Completion, unit: str) -> int | None:
    """Return the completion's length in `tokens`, `words` or `characters`.

    None if the unit is tokens and the completion has text but came without its token ids.
    """
    if unit == "characters":
        return len(completion.text)
    if unit == "words":
        return len(completion.text.split())
    if completion.text and not completion.token_ids:
        return None
    return len(completion.token_ids)


def repetition_share(text: str, n: int = 3) -> float:
    """Return the share of word n-grams that are repetitions: 1 - distinct / all, from 0 to nearly 1.

    Case does not count. A text of fewer than n words has no n-grams, and a share of 0.
    """
    words = text.casefold().split()
    grams = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    total = sum(grams.values())
    return 1 - len(grams) / total if total else 0.0


_SCRIPTS: dict[str, str] = {
    "en": "A-Za-z", "de": "A-Za-zÄÖÜäöüß", "fr": "A-Za-zÀ-ÖØ-öø-ÿŒœ", "es": "A-Za-zÁÉÍÑÓÚÜáéíñóúü",
    "it": "A-Za-zÀ-ÖØ-öø-ù", "pt": "A-Za-zÀ-ÖØ-öø-ü", "ru": "Ѐ-ӿ", "el": "Ͱ-Ͽ", "ar": "؀-ۿ", "hi": "ऀ-ॿ",
    "he": "֐-׿", "zh": "一-鿿㐀-䶿", "ja": "぀-ヿ一-鿿", "ko": "가-힯ᄀ-ᇿ",
}  # fmt: skip
"""The letters of each language's script, as the inside of a character class."""
# Chinese and Japanese are written without spaces, so that each character counts as a word.
_WORD = re.compile(r"[一-鿿㐀-䶿぀-ヿ]|[^\W\d_]+")


def known_language(language: str) -> str:
    """Return a language's code, after checking that its script is listed here.

    Raises:
        RewardError: it is not.
    """
    if language not in _SCRIPTS:
        raise RewardError(f"language: unknown {language!r} (known: {', '.join(_SCRIPTS)})")
    return language


def language_share(text: str, language: str) -> float:
    """Return the share of words that are written in a language's script, 0 to 1; 1 if there are no words.

    Source: DeepSeek-R1 (arXiv 2501.12948), the language consistency reward: words in the target language
    over all words. Only the script is examined here, so languages that share one (English and French) are
    hardly distinguished. LaTeX commands and tags are left out, and every Chinese or Japanese character counts
    as a word.

    Raises:
        RewardError: the language's script is not listed here.
    """
    letters = _SCRIPTS[known_language(language)]
    in_script = re.compile(f"[{letters}]+")
    plain = re.sub(r"\\[A-Za-z]+|</?[A-Za-z_]+>", " ", text)
    words = _WORD.findall(plain)
    if not words:
        return 1.0
    return sum(bool(in_script.fullmatch(word)) for word in words) / len(words)

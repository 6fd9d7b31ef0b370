r"""Is the form right? Checks of tags, boxes, patterns and JSON, and the measures that rewards use.

Every check reads the *whole answer*: what the chat template opened in the prompt counts too
(`Completion.prefill`; a prompt given as text that ends in an open `<think>`).
"""

import json
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Annotated, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator

from ..sandbox.errors import RewardError
from ..tasks.problem import Completion, Problem
from .completion import SEARCHED_CHARS, thinking_end, whole_answer
from .extraction.extract import extract_answer
from .text.normalise import normalise
from .verdict import Reason, Verdict, verifier


def _held(holds: bool, **evidence: Any) -> Verdict:
    return Verdict(holds, Reason.PASSED if holds else Reason.FAILED, evidence=evidence)


@verifier("think_answer")
def think_answer(problem: Problem, completion: Completion, *, answer_tag: bool = False) -> Verdict:
    """Hold if one thinking part, in order and exactly once, opens the answer and text follows it.

    Args:
        problem: a prompt given as text may end in the opened tag.
        completion: the completion; its `prefill` counts.
        answer_tag: also ask for exactly one `<answer>...</answer>` after it, with nothing around.
    """
    text = whole_answer(problem, completion)
    tags = ["<think>", "</think>", *(["<answer>", "</answer>"] if answer_tag else [])]
    wrong = {tag: n for tag in tags if (n := text.count(tag)) != 1}
    if wrong:
        return _held(False, tags=wrong)
    places = [text.index(tag) for tag in tags]
    before = text[: places[0]].strip()
    thought = _visible(text[places[0] + len("<think>") : places[1]])
    rest = _visible(text[places[1] + len("</think>") :])
    if places != sorted(places) or before or not thought:
        return _held(False, order=places, before=before[:40], thought=bool(thought))
    if answer_tag:
        inside = rest.startswith("<answer>") and rest.endswith("</answer>")
        return _held(inside and bool(rest[len("<answer>") : -len("</answer>")].strip()))
    return _held(bool(rest))


@verifier("boxed")
def boxed(problem: Problem, completion: Completion) -> Verdict:
    r"""Hold if a closed, non-empty \boxed{...} stands outside the thinking part."""
    found = extract_answer(whole_answer(problem, completion), extract=["boxed"])
    return _held(bool(found.text and normalise(found.text)), box=found.text)


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_check_pattern)]


def _visible(text: str) -> str:
    """Return a text without invisible characters and outer space."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf").strip()


@verifier("regex")
def regex(problem: Problem, completion: Completion, *, pattern: Pattern, full: bool = False) -> Verdict:
    """Hold if a regular expression is found in the whole answer (`full`: matches all of it).

    `.` matches line breaks too. The pattern is the author's: one that backtracks is slow.
    """
    compiled = _compiled(pattern)
    text = whole_answer(problem, completion)
    return _held((compiled.fullmatch(text) if full else compiled.search(text)) is not None)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def _check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"not a valid JSON Schema: {error.message}") from error
    return schema


Schema = Annotated[dict[str, Any], AfterValidator(_check_schema)]
_FENCE = "```"


@verifier("json_schema")
def json_schema(problem: Problem, completion: Completion, *, schema: Schema) -> Verdict:
    """Hold if the answer after the thinking part is JSON (bare or in a fence) that fits a schema."""
    text = whole_answer(problem, completion)
    body = text[max(thinking_end(text), len(text) - SEARCHED_CHARS) :].strip()
    try:
        value = json.loads(_fenced(body), parse_constant=_refuse)
        validator = _validator(json.dumps(schema, sort_keys=True))
        first = next(iter(validator.iter_errors(value)), None)
    except (ValueError, ArithmeticError, RecursionError) as error:
        return _held(False, error=f"{type(error).__name__}: {error}"[:200])
    return _held(first is None, error=first.message[:200] if first else None)


def _fenced(body: str) -> str:
    """Return what the last fence holds, or the body where there is none."""
    end = body.rfind(_FENCE)
    start = body.rfind(_FENCE, 0, max(end, 0))
    return body[start + len(_FENCE) : end].strip().removeprefix("json") if start >= 0 else body


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


@lru_cache(maxsize=64)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))


def length_of(completion: Completion, unit: str) -> int | None:
    """Return the completion's length in `tokens`, `words` or `characters`.

    None if tokens are asked for and the completion came without its ids.
    """
    if unit == "characters":
        return len(completion.text)
    if unit == "words":
        return len(completion.text.split())
    return len(completion.token_ids) if completion.token_ids or not completion.text else None


def repetition_share(text: str, n: int = 3) -> float:
    """Return the share of repeated word n-grams, 0 (none) to nearly 1: 1 - distinct / all."""
    words = text.casefold().split()
    grams = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    total = sum(grams.values())
    return 1 - len(grams) / total if total else 0.0


_SCRIPTS: dict[str, str] = {
    "en": "A-Za-z", "de": "A-Za-zÄÖÜäöüß", "fr": "A-Za-zÀ-ÖØ-öø-ÿŒœ", "es": "A-Za-zÁÉÍÑÓÚÜáéíñóúü",
    "it": "A-Za-zÀ-ÖØ-öø-ù", "pt": "A-Za-zÀ-ÖØ-öø-ü", "ru": "Ѐ-ӿ", "el": "Ͱ-Ͽ", "ar": "؀-ۿ", "hi": "ऀ-ॿ",
    "he": "֐-׿", "zh": "一-鿿㐀-䶿", "ja": "぀-ヿ一-鿿", "ko": "가-힯ᄀ-ᇿ",
}  # fmt: skip
_WORD = re.compile(r"[一-鿿㐀-䶿぀-ヿ]|[^\W\d_]+")


def known_language(language: str) -> str:
    """Return a language's code if its script is listed.

    Raises:
        RewardError: it is not.
    """
    if language not in _SCRIPTS:
        raise RewardError(f"language: unknown {language!r} (known: {', '.join(_SCRIPTS)})")
    return language


def language_share(text: str, language: str) -> float:
    """Return the share of words written in a language's script, 0 to 1; 1 if there are no words.

    Source: DeepSeek-R1 (arXiv 2501.12948), stage 1: words in the target language over all words.
    Told by script, LaTeX commands and tags left out; languages of one script are not told apart.
    Every Chinese or Japanese character counts as a word.

    Raises:
        RewardError: a language that is not listed.
    """
    inside = re.compile(f"[{_SCRIPTS[known_language(language)]}]+")
    plain = re.sub(r"\\[A-Za-z]+|</?[A-Za-z_]+>", " ", text)
    words = _WORD.findall(plain)
    return sum(bool(inside.fullmatch(word)) for word in words) / len(words) if words else 1.0

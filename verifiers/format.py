r"""Is the form right? Checks of tags, boxes, patterns and JSON, and the measures that rewards use.

Every check reads the *whole answer*: what the chat template opened in the prompt counts too
(`Completion.prefill`; a prompt given as text that ends in an open `<think>`).
"""

import json
import re
from collections import Counter
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from ..sandbox.errors import RewardError
from ..tasks.problem import Completion, Problem
from .answer import answered
from .extract import extract_answer, thinking_end
from .verdict import Reason, Verdict, verifier


def whole_answer(problem: Problem, completion: Completion) -> str:
    """Return the answer from its first tag on, whoever wrote it: the template or the policy."""
    text = answered(completion)
    if completion.prefill or not isinstance(problem.prompt, str):
        return text
    opened = re.search(r"<think>\s*$", problem.prompt)
    return opened.group() + text if opened else text


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
    thought = text[places[0] + len("<think>") : places[1]].strip()
    rest = text[places[1] + len("</think>") :].strip()
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
    return _held(bool(found.text), box=found.text)


@verifier("regex")
def regex(problem: Problem, completion: Completion, *, pattern: str, full: bool = False) -> Verdict:
    """Hold if a regular expression is found in the whole answer (`full`: matches all of it)."""
    compiled = _compiled(pattern)
    text = whole_answer(problem, completion)
    return _held((compiled.fullmatch(text) if full else compiled.search(text)) is not None)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise RewardError(f"regex: {pattern!r} is not a regular expression: {error}") from error


@verifier("json_schema")
def json_schema(problem: Problem, completion: Completion, *, schema: dict[str, Any]) -> Verdict:
    """Hold if the answer after the thinking part is JSON (bare or in a fence) that fits a schema."""
    text = whole_answer(problem, completion)
    body = text[thinking_end(text) :].strip()
    fenced = re.findall(r"```(?:json)?\s*\n(.*?)```", body, re.DOTALL)
    try:
        value = json.loads(fenced[-1] if fenced else body)
    except (json.JSONDecodeError, RecursionError) as error:
        return _held(False, error=str(error))
    first = next(iter(_validator(json.dumps(schema, sort_keys=True)).iter_errors(value)), None)
    return _held(first is None, error=first.message if first else None)


@lru_cache(maxsize=64)
def _validator(schema: str) -> Draft202012Validator:
    try:
        Draft202012Validator.check_schema(json.loads(schema))
    except SchemaError as error:
        raise RewardError(f"json_schema: not a valid JSON Schema: {error.message}") from error
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


def language_share(text: str, language: str) -> float:
    """Return the share of words written in a language's script, 0 to 1; 1 if there are no words.

    Source: DeepSeek-R1 (arXiv 2501.12948), stage 1: words in the target language over all words.
    Told by script, LaTeX commands and tags left out; languages of one script are not told apart.
    Every Chinese or Japanese character counts as a word.

    Raises:
        RewardError: a language that is not listed.
    """
    if language not in _SCRIPTS:
        raise RewardError(f"language: unknown {language!r} (known: {', '.join(_SCRIPTS)})")
    plain = re.sub(r"\\[A-Za-z]+|</?[A-Za-z_]+>", " ", text)
    words = _WORD.findall(plain)
    inside = re.compile(f"[{_SCRIPTS[language]}]+")
    return sum(bool(inside.fullmatch(word)) for word in words) / len(words) if words else 1.0

"""Whether problems of a task are in its held-out split too, or in another file, such as a benchmark."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ...tasks.problem import Problem, asked_in, prompt_key, said_by
from ...tasks.rows.row_files import Row, read_rows
from .finding import Finding, Lines

WORDS = 13
"""The length of an n-gram in words, as in GPT-3's report (Brown et al. 2020, arXiv 2005.14165, appendix C); a
shorter text is one n-gram."""
FEWEST = 6
"""Texts of fewer words are not looked for: they are common phrases."""
SHARE = 0.5
"""The share of a problem's n-grams that another text must have to count as the same problem."""
_SIGNS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
COMMON = 0.5
"""N-grams of more than this share of the task's problems are its instructions, and do not count."""
_TEXTS = ("prompt", "question", "problem", "text", "input", "instruction", "content")
"""Columns of other files that may hold a question; without any, all texts of the row are taken."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; a Chinese, Japanese or Korean sign is a word of its own."""
    return re.findall(rf"[{_SIGNS}]|[^\W{_SIGNS}]+", text.casefold())


def ngrams(words: Sequence[str], size: int) -> Iterator[str]:
    """Yield the n-grams of a text."""
    for start in range(len(words) - size + 1):
        yield " ".join(words[start : start + size])


def duplicates(problems: Sequence[Problem], held_out: Sequence[Problem] | None) -> Finding:
    """Return the finding on problems that are in the held-out split too.

    White space and case do not count. None = there is no such split.
    """
    if held_out is None:
        return Finding("duplicates", None, "there is no held-out split to compare with")
    # Not by the words alone: `12 + 3` and `12 - 3` are different problems.
    asked = {prompt_key(problem.prompt) for problem in held_out}
    lines = Lines()
    for problem in problems:
        if prompt_key(problem.prompt) in asked:
            lines.add(f"problem {problem.id}: {asked_in(problem.prompt)[:100]!r}")
    said = (
        f"{lines.count} of {len(problems)} problems are in the held-out split too ({len(held_out)} problems)"
    )
    return Finding("duplicates", not lines.count, said, lines.first)


def contamination(problems: Iterable[tuple[str, Problem]], path: Path) -> Finding:
    """Return the finding on problems whose text is in a file of other problems.

    A problem counts if one row of the file has `SHARE` of its n-grams or, of a short one, the whole text.

    Raises:
        DataError: the file cannot be read.
    """
    placed: list[tuple[str, str]] = []
    owners: dict[int, dict[int, set[int]]] = {}
    for place, problem in problems:
        words = words_of(asked_in(problem.prompt))
        size = min(WORDS, len(words))
        for gram in {hash(gram) for gram in ngrams(words, size)} if size >= FEWEST else ():
            owners.setdefault(size, {}).setdefault(gram, set()).add(len(placed))
        placed.append((place, asked_in(problem.prompt)[-80:]))
    counts: Counter[int] = Counter()
    for by_gram in owners.values():
        for gram in [gram for gram, own in by_gram.items() if len(own) > max(1, COMMON * len(placed))]:
            del by_gram[gram]
        for own in by_gram.values():
            counts.update(own)
    best: dict[int, tuple[int, str]] = {}
    rows = 0
    for row_place, row in read_rows(path):
        rows += 1
        words = words_of(" ".join(map(_text, _texts_of(row))))
        hits: Counter[int] = Counter()
        for size, by_gram in owners.items():
            for gram in {hash(gram) for gram in ngrams(words, size)}:
                hits.update(by_gram.get(gram, ()))
        for number, count in hits.items():
            if count > best.get(number, (0, ""))[0]:
                best[number] = count, row_place
    lines = Lines()
    for number, (hit, row_place) in sorted(best.items()):
        place, shown = placed[number]
        if hit >= SHARE * counts[number]:
            lines.add(f"{place}: {hit} of its {counts[number]} n-grams are in {row_place}: {shown!r}")
    said = f"{lines.count} of {len(placed)} problems are in {path} ({rows} rows)"
    if len(counts) < len(placed):
        said += f"; {len(placed) - len(counts)} are too short, or too much like the others, to tell"
    return Finding("contamination", not lines.count, said, lines.first)


def _texts_of(row: Row) -> list[Any]:
    """Return the values of a row that may be its question."""
    return [row[name] for name in _TEXTS if row.get(name)] or list(row.values())


def _text(value: Any) -> str:
    is_chat = isinstance(value, list | tuple) and value and isinstance(value[0], dict)
    return said_by("user", value) if is_chat else str(value)

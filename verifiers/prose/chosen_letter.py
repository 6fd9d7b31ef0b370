r"""The rule for a choice letter in prose: `I would pick B`, `A, B and D are out, which leaves C`.

Only letters that the prose affirms count, and those that it rejects do not. If the last sentence that affirms
any letter affirms several, no answer is found.
"""

import re

from ..completion import AnswerSpan

CHOICE_LINE = re.compile(r"\s*\*{0,2}\(?[A-J](?:[).:]\*{0,2}|\*{2}| [—–]) [^\n]{1,200}\s*")
"""Matches a line that starts with a choice letter: it is that choice, with the option's text."""
# One letter, but neither a pronoun, an article (`A number of`), the start of a word, nor a part of a formula.
_LETTER = (
    r"[\s*_\"'$(\[（【]{0,4}([A-HJ]|(?<=\()I(?=\)))(?![A-Za-z'’]|\s+(?:\w+ ){0,3}[a-z]+(?:ly)? of\b"
    r"|\s*[=<>+*/^_\\(]|\s*[-−]\s*\d)"
)
_REJECTED = (
    r"(?!,? (?:is|was|seems|looks) "
    r"(?:out|wrong|incorrect|false|not|eliminated|excluded|the worst|tempting)\b)"
)
_AFFIRMED = re.compile(
    r"(?:\b(?:[Pp]ick|[Cc]hoose|chose|[Ss]elect|go(?:ing)? with|went with|leav(?:es?|ing)|makes"
    r"|it(?:['’]s| is)|\bone that is [a-z]+ is|left with|opt for|settle on|must be|has to be|answer(?: is)?:?"
    r"|[Oo]nly|[Ss]o|[Hh]ence|[Tt]hus|[Tt]herefore),?"
    rf"(?: (?:the |with |is |just |only |option |choice |answer )*)?|(?<![不非没勿误别])[选選][:：]?"
    rf"|[—–,:-] (?:choice|option|answer)|(?:corresponds to|matches)(?: option| choice| answer)?"
    rf"|\b(?:is|are)(?= [A-J][:.)] [A-Z$\d])|[的应][是为][:：]?"
    rf"|[,—–-](?= \([A-J]\)[.!]?\s*$)){_LETTER}{_REJECTED}"
)
"""Matches words that choose the letter after them."""
_CORRECT = re.compile(
    rf"{_LETTER}[*_)\]\"'$]{{0,4}}(?:,? [^.\n]{{0,30}}?,)?"
    r" (?:is|must be|would be|fits|works|remains|matches|satisfies|seems|looks)"
    r"(?! (?:not|wrong|incorrect|false|out|excluded|eliminated|ruled|too|impossible|invalid|also)\b)"
    r"(?![^.\n]{0,40}\b(?:but (?:it )?(?:isn['’]t|is not)|worst)\b)"
    r"(?=(?:(?! but\b)[^.\n]){0,60}(?:correct|right|best|only|consistent|true|answer|fits|works|remains"
    r"|left|choice"
    r"|matches|satisfies))"
    rf"|(?<![、和与A-J])(?<![A-J][,，]){_LETTER}[*_)\]\"'$]{{0,4}} ?(?:选?项|说法)?(?:是|为|才)?"
    r"(?:正确|对(?!于|应)|符合|成立)(?!的?(?:吗|是))"
    rf"|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ss]tatement) {_LETTER} (?:best|correctly|fully|only) [a-z]+s\b"
    rf"|(?:which|that) leaves(?: us with)?(?: only)?(?: option| choice)? {_LETTER}"
)
"""Matches a letter that is said to be correct."""
_REJECTING = re.compile(
    r"\b(?:students?|people|fools?|one might|often|tempting|tempted|trap|mistakes?)\b(?:(?!"
    r" but\b)[^.\n]){0,60}$"
    r"|\b(?:not|never|neither|nor|wrong|incorrect)\b[^.,\n]{0,12}$|n['’]t\b[^.\n]{0,12}$",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n。]+(?:[.!?\n。]|$)")
_FIRST_LINE = re.compile(
    r"\s*[*_#(\[$]{0,4}([A-J])[*_)\].:$]{0,4}[ \t]*(?=\n)(?!\s*[*_#(\[$]{0,4}[A-J][*_)\].:$]{0,4}\s*(?:\n|$))"
)
_OTHERS = re.compile(r"\b(?:between|or|either|and) \(?([A-J])\b")
_REJECTS = re.compile(r"\b(?:not|neither|cannot)\b|n['’]t\b")
_WINDOW = 1500
"""How many characters at the end of a text are searched."""


def chosen_letter(text: str) -> AnswerSpan | None:
    """Find the letter that the last sentence to choose one chooses, or the one alone on the first line."""
    offset = max(0, len(text) - _WINDOW)
    for sentence in reversed(list(_SENTENCE.finditer(text, offset))):
        spans = _chosen(text, *sentence.span())
        if len({text[span.start] for span in spans}) == 1:
            return spans[0]
        if spans:
            return None
    first = _FIRST_LINE.match(text)
    return AnswerSpan(*first.span(1)) if first else None


def _chosen(text: str, start: int, end: int) -> list[AnswerSpan]:
    """Return the spans of the letters that a sentence affirms, with those that it offers beside them."""
    found = [
        AnswerSpan(*match.span(match.lastindex or 0))
        for pattern in (_AFFIRMED, _CORRECT)
        for match in pattern.finditer(text, start, end)
        if not _REJECTING.search(text[start : match.start()])
    ]
    if found and re.search(r"\b(?:between|or|either)\b", text[start:end]):
        found += [
            AnswerSpan(*other.span(1))
            for other in _OTHERS.finditer(text, start, end)
            if not _REJECTS.search(text[start : other.start()].rpartition(";")[2])
        ]
    return found

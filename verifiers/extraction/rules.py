r"""The extraction rules: one function per form in which a final answer is given.

A rule takes the text after the thinking part and returns the span of an answer, or None. All rules prefer
the last candidate. Each takes linear time, whatever a model writes; a `{regex: R}` of the task's author has a
time limit.
"""

import re
from collections import deque
from collections.abc import Callable

import regex

from ..completion import AnswerSpan
from ..prose.chosen_letter import CHOICE_LINE, chosen_letter
from ..prose.last_formula import last_formula
from ..prose.last_number import last_number
from ..prose.lead_ins import lead_ins, names_answer
from ..prose.places import DESCRIBES, place_at, value_in
from ..prose.words_before import (
    is_supposed,
)
from ..spelling.east_asian import CHARACTERS
from .boxes import boxed
from .second_thoughts import LATER_CHARS, second_thought

Rule = Callable[[str], AnswerSpan | None]
"""Returns the span of the answer that it finds in a text."""

_OPENED = re.compile(r"<(?:final[_ ]?)?answer>", re.IGNORECASE)
_CLOSED = re.compile(r"</(?:final[_ ]?)?answer>", re.IGNORECASE)


def answer_tag(text: str) -> AnswerSpan | None:
    """Find the contents of the last <answer>...</answer>; one that was never closed ends with the text."""
    opened = deque(_OPENED.finditer(text), maxlen=2) if "<" in text else None
    if not opened:
        return None
    start = opened[-1].end()
    closed = _CLOSED.search(text, start)
    if closed is None:
        return AnswerSpan(start, len(text), closed=False)
    again = _CLOSED.match(text, closed.end())
    if again is not None and len(opened) == 2 and _CLOSED.search(text, opened[0].end(), start) is None:
        return AnswerSpan(opened[0].end(), again.start())  # one tag within another: the outer one counts
    return AnswerSpan(start, closed.start())


def line_after(marker: str) -> Rule:
    """Return a rule that finds what follows the last `marker`, to the end of the line."""

    def find(text: str) -> AnswerSpan | None:
        at = text.rfind(marker)
        if at < 0:
            return None
        start = at + len(marker)
        end = text.find("\n", start)
        return AnswerSpan(start, len(text) if end < 0 else end)

    return find


PATTERN_S = 1.0
"""Seconds that a pattern of a task's author may take on one text."""


def last_match(pattern: str) -> Rule:
    """Return a rule that finds the last match of a task's pattern: its group 1, or the whole without groups.

    The rule raises TimeoutError if the search takes longer than PATTERN_S.
    """
    compiled = regex.compile(pattern)
    group = 1 if compiled.groups else 0

    def find(text: str) -> AnswerSpan | None:
        last = deque(compiled.finditer(text, timeout=PATTERN_S), maxlen=1)
        if not last:
            return None
        start, end = last[0].span(group)
        return AnswerSpan(start, end) if start >= 0 else None  # the group may have taken no part in the match

    return find


_STEP = re.compile(
    r"(?:\d+[.)] ?[A-Za-z]|(?:step|case|part|phase|method|stage|note|check|verification|option|question"
    r"|problem|claim|lemma)\b"
    r"(?! [A-J]\b))",
    re.IGNORECASE,
)
"""Matches at the start of a heading that counts or names a part of the solution."""


def _last_but_headings(pattern: re.Pattern[str]) -> Rule:
    """Return a rule that finds group 1 of the last match which is not a heading.

    `**Answer:**` and `#### Final Answer` are headings.
    """

    def find(text: str) -> AnswerSpan | None:
        for match in reversed(list(pattern.finditer(text))):
            words = match[1].strip()
            next_character = text[match.end() : match.end() + 1]
            ends_line = next_character in (":", "：", "\n") and re.search(r"\d", words) is None
            is_heading = words.endswith((":", "：")) or ends_line or _STEP.match(words) is not None
            is_choice = re.match(r"\(?[A-J][).:]", words) is not None
            if words and (is_choice or not (is_heading and len(words) > 2)):
                return AnswerSpan(*match.span(1))
        return None

    return find


MAX_SHORT = 40
"""Longest text, in characters, that is an answer as it stands."""
_CONCLUDED = re.compile(
    r"(?:^|[\n.!?])[ \t*_]{0,8}(?:so|therefore|thus|hence|consequently|in conclusion)\b"
    r"[^.\n]{1,200}?\b(?:is|are|was|were) "
    r"\*{0,2}((?:[A-Z]?[a-z'’]+|[A-Z]+)(?: [A-Za-z'’]+){0,2})\*{0,2}[.!]?\s*$",
    re.IGNORECASE,
)


MAX_SENTENCE = 120
"""Longest text, in characters, that is read as a single sentence."""
_SO = r"\s*(?:(?:so|thus|hence|therefore),? )?"
_SHORT_SENTENCES = (
    re.compile(
        rf"{_SO}(?:the|it|this|that)\b[^.,;:\n$]{{0,60}}? (?:is|are|was|were|will be)(?: called| named)? "
        rf"(?:an? )?"
        r"(?P<value>(?!(?:the|a|an|not|in|at|on|no)\b)[A-Za-zÀ-ÿ₀-₉]+(?: [A-Za-z'’-]+)?)\W*",
        re.IGNORECASE,
    ),  # `The capital is Paris.`
    re.compile(
        r"\s*(?:(?:While|(?:Al|Even )?[Tt]hough) [^.,;:\n$]{1,60}, )?(?:(?:[Tt]he|[Dd]er|[Dd]ie|[Dd]as"
        r"|[Ll]as?|[Ll]es?|[Ee]l|[Ii]l) |[*_\"«“])[^.,;:\n$]{1,60} (?:is|was|ist|est|es|è|é"
        r"|was (?:written|painted|discovered|invented|composed|founded) by)"
        r" (?P<value>[A-ZÀ-Þ][^\W\d_]+(?: [A-ZÀ-Þ][^\W\d_]+){0,2})(?:, (?:al|even )?though [^.\n]{1,60})?\W*"
    ),  # `La capitale de la France est Paris.`
    re.compile(
        rf"\s*(?![所因故]|答案)[{CHARACTERS}《》“”「」A-Za-z]{{2,40}}(?:是|为|叫|は|が)(?P<value>[{CHARACTERS}]{{1,10}}?)"
        rf"(?:的|です|である|だ)?(?:（[{CHARACTERS}]{{1,10}}）)?[。.！]?\s*"
    ),  # `这首诗的作者是李白。`
    re.compile(
        r"\s*(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore),? (?P<value>[A-Z][a-z]+) (?:is|was|has|won) the "
        r"[^.,;\n]{1,60}\W*"
    ),
)


def short_text(text: str) -> AnswerSpan | None:
    """Find the whole of a text that is one short line (`B`, `Yes.`, `five`) or a choice with its text.

    In a longer text, it is the name with which a last sentence concludes: `So the fastest is Evelyn.`
    """
    stripped = text.strip()
    for pattern in _SHORT_SENTENCES:
        said = pattern.fullmatch(text) if len(stripped) <= MAX_SENTENCE else None
        if said is not None:
            return AnswerSpan(*said.span("value"))
    is_short = len(stripped) <= MAX_SHORT and "\n" not in stripped and len(stripped.split()) <= 5
    if not stripped or not (is_short or CHOICE_LINE.fullmatch(text)):
        concluded = _CONCLUDED.search(text, max(0, len(text) - 400))
        return AnswerSpan(*concluded.span(1)) if concluded else None
    start = text.index(stripped)
    return AnswerSpan(start, start + len(stripped))


_HASHES = re.compile(r"####+([^\n]*)")
_hashes = _last_but_headings(_HASHES)


def hashes(text: str) -> AnswerSpan | None:
    """Find what follows the last `####`; a heading such as `#### Final Answer` does not count."""
    span = _hashes(text) if "####" in text else None
    return value_in(text, span.start, span.end) if span else None


_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_bold = _last_but_headings(_BOLD)


def bold(text: str) -> AnswerSpan | None:
    """Find the value of the last `**...**` that is not a heading."""
    span = _bold(text) if "**" in text else None
    if span is None or _CONCLUSION.search(text, span.end):
        return None
    for joined in _JOINED_BOLD.finditer(text):
        if joined.end() == span.end + 2:
            return AnswerSpan(*joined.span(1))
    base = _BASE_AFTER.match(text, span.end)
    return AnswerSpan(span.start, base.end()) if base else value_in(text, span.start, span.end)


_JOINED_BOLD = re.compile(
    r"\*\*([^*\n]{1,60}\*\*(?:(?:, | and | or |, and |, or )\*\*[^*\n]{1,60}\*\*){1,9})(?<=\*\*)"
)
"""Matches several emphasised values that are one answer: `**5** and **7**`."""
_BASE_AFTER = re.compile(r"\*\*,? \(?(?:in )?base[ -]\w+\)?")
_CONCLUSION = re.compile(
    r"(?:^|[\n.] *)(?:therefore|thus|hence|so|consequently|in conclusion|in total|altogether)\b[^\n]*[\d\\$]",
    re.IGNORECASE,
)
"""Matches a sentence with which a text concludes; a value that was emphasised before it is not the answer."""


_NO_STATEMENT = re.compile(
    r"(?:let(?:['’]s| us)|valid|complete|as follows|given by|correct|right|wrong|incorrect|unique|found"
    r"|obtained|the same|verified"
    r"|required|not unique"
    r"|in the form|expressed|checked|clear|confirmed)\b",
    re.IGNORECASE,
)
"""Matches after `the answer is` where no answer is stated."""


def answer_is(text: str) -> AnswerSpan | None:
    """Find the answer after the last lead-in (`the answer is`, `Answer:`), or in `option C is correct`."""
    other = None  # what holds in another case counts only if nothing else does
    for lead_in in reversed(lead_ins(text)):
        if lead_in.chosen is not None:
            return AnswerSpan(*lead_in.chosen)
        if _NO_STATEMENT.match(text, lead_in.place) or is_supposed(text, lead_in.place):
            continue
        span = place_at(text, lead_in.place)
        if span is None or span.start == span.end or _is_description(text, span):
            continue
        if not names_answer(text, lead_in.place) and _SELECTS.search(text, span.end):
            continue  # `the roots are 2 and 5. Since x > 3, x = 5`
        about = _SAYS_SOMETHING.match(text, lead_in.place) and not _GOES_ON_WITH.search(
            text, lead_in.place, span.start
        )
        if about or not names_answer(text, lead_in.place) or is_supposed(text, lead_in.place, otherwise=True):
            other = other or span
            continue
        value = text[span.start : span.end]
        return second_thought(text, span.end, min(len(text), span.end + LATER_CHARS), value) or span
    if other is not None:
        return other
    explained = _EXPLAINED.match(text) or _SO_YES.search(text, max(0, len(text) - 400)) or _YES.match(text)
    return AnswerSpan(*explained.span(1)) if explained else None


_GOES_ON_WITH = re.compile(r"\b(?:but|sondern|sino|mais|ma|а)\b|而是|\bnot\b[^.]*[.;]")
"""Matches between a value that is denied and the answer: `the answer is not 15 but 17`."""


def _is_description(text: str, span: AnswerSpan) -> bool:
    return (
        DESCRIBES.match(text, span.start) is not None
        and re.search(r"[\d$]", text[span.start : span.end]) is not None
    )


_SAYS_SOMETHING = re.compile(
    r"\W*(?:(?:not|between|(?:greater|less|more|larger|smaller|fewer) than)\b|(?:prime|odd|even|exact"
    r"|independent|divisible|positive"
    r"|negative|reasonable|plausible|consistent|an? (?:integer|whole number|positive|negative"
    r"|multiple))\b(?! \d))",
    re.IGNORECASE,
)
"""Matches what is said about an answer: `the answer is prime`."""
_YES = re.compile(r"\s*\**(Yes|No|True|False)\**[,.]\**\s(?=(?:since|because|as|a|the|for)\b)", re.IGNORECASE)
_SO_YES = re.compile(r"(?:^|[\n.])\s*(?:So|Thus|Hence|Therefore),? (yes|no), [^.\n]{1,200}[.]?\s*$")
_SELECTS = re.compile(
    r"[.\n] *(?:since|because|as|so|therefore|thus|hence|but|only)\b[^.\n]*(?:=|\b(?:is|get|have"
    r"|take)\b)[^.\n]*[\d$]",
    re.IGNORECASE,
)
"""Matches a sentence that chooses among several values."""
_EXPLAINED = re.compile(
    r"\s*(\S[^\n]{0,40})\n+[\s*#]*(?:Explanation|Reason(?:ing)?|Solution|Justification|解释|解析)\b"
)
"""Matches an answer alone on the first line, with its explanation under it."""


RULES: dict[str, Rule] = {
    "answer_tag": answer_tag,
    "boxed": boxed,
    "hashes": hashes,
    "answer_is": answer_is,
    "bold": bold,
    "chosen_letter": chosen_letter,
    "last_formula": last_formula,
    "last_number": last_number,
    "short_text": short_text,
}
STATED = ("answer_tag", "boxed", "hashes", "answer_is")
"""Rules for answers that are announced as such; in `lenient`, the latest of them counts."""
PLAIN_TEXT = ("hashes", "answer_is", "bold", "chosen_letter", "last_formula", "last_number", "short_text")
"""Rules that read plain text, whose result may end in punctuation."""

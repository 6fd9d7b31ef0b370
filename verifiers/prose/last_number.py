"""The rule that takes the number of the last sentence that has one, where nothing else states an answer."""

import re
from collections import deque

from ..completion import AnswerSpan
from ..spelling.east_asian import CHARACTERS, NAMES_AT_NUMBERS
from ..spelling.lexicon import BELOW_TWENTY, LARGE, TENS
from ..units.reader import read_unit
from .chosen_letter import CHOICE_LINE
from .sentences import (
    ADJUSTED,
    DOUBTS,
    GIVES_UP,
    sentence_end,
    sentence_start,
    without_asides,
)
from .words_before import (
    REJECTED_BEFORE,
    SUPPOSES,
)

_MONTH = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|Aug(?:ust|\.)?|Sept?(?:ember|\.)?"
    r"|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_NUMBER = re.compile(
    r"(?:(?<![\w)\]}])(?:[-−–] ?|(?i:minus|negative) ))?[$€£]?"
    r"(?:[0-9]+(?:\.[0-9]+)? ?(?:×|\\times|x|\*) ?10 ?(?:\^ ?\{?[-−]?[0-9]+\}?|[⁻⁰¹²³⁴-⁹]+)"
    rf"|{_MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?(?:,? [0-9]{{4}})?|[0-9]{{1,2}}(?:st|nd|rd|th)?(?: of)?"
    rf" {_MONTH}(?:,? [0-9]{{4}})?"
    r"|[0-9]{4}年(?:[0-9]{1,2}月(?:[0-9]{1,2}[日号])?)?|[0-9]{1,2}月[0-9]{1,2}[日号]|[0-9]{1,2}[时点時][0-9]{1,2}分"
    r"|[0-9]+ in [0-9]+(?=[\s.]*$)|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?: ?(?i:[ap]\.?m\b\.?))?"
    r"|(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)(?: [0-9]{3}(?![0-9]))*(?: [0-9]+/[0-9]+|/[0-9]+)?%?)"
)
# A number after one of these is a label.
_LABEL_BEFORE = re.compile(
    r"(?:_\{?|(?i:\b(?:disregard|ignor(?:e|ing)) (?:the )?|\b(?:step|case|part|question|problem|example"
    r"|figure|equation|section|line) ))$"
)
_LINE_START = re.compile(r"(?:^|\n)[ *#]{0,6}$")
_NEXT_WORDS = re.compile(
    r" ?(\^\\circ|°)? ?(?:[A-Za-zµ²³/^]+(?=[\s.,;:!?)*。，；、）]|$))(?: (?:per [a-z]+|(?:of )?dollars"
    r"|cents)(?=[\s.,;:!?)*]|$))?"
)
_ITEM_MARK = re.compile(r"[.)](?:\s|$)")


_REASON = re.compile(
    r"(?<=[\w).*$]),? because\b|(?:,|(?<=\d)) (?:since|which(?![^\n]*=)|as|whereas|while|attained"
    r"|achieved|reached|occurring)\b|, not\b"
    r"|, (?=[$€£]?\d[\d.,]*%? (?:less|more|fewer) than\b)"
    r"|, (?:roughly|approximately|about|or about|nearly) (?=[\d.])|, (?:that is|i\.e\.),? (?=\d)"
    r"|, with (?=\d+ (?:left|remaining|to spare|extra))|,? or (?=[$€£]?\d[\d.,]* per\b)"
)
_EQUALS = re.compile(r"=\s*(?:in )?(?=[-$€£\d(.])")
_STATES = re.compile(r"\b(?:is|are|be|equals?|cost|costs)\s+(?:only |about |exactly |now )?(?=[-$€£\d(.√π])")
# A number behind one of these belongs to a phrase that qualifies another number of the sentence.
_QUALIFIES = re.compile(
    r"\b(?:for|in|out of|of the|of all|of (?:his|her|their|its|my)|from|after|at|by|within|before|over"
    r"|per|during|into|among|between"
    r"|since|every|than|to [a-z]+(?: [a-z]+)?"
    r"|to be|on) (?:the |a |all |each |only |these |those |his |her |their |last |first |next "
    r"|[a-z]+ ?){0,3}$"
)


_NOT_BUT = re.compile(
    r"\bnot [^.!?\n]{1,60}?,? but (?:rather )?(?=[-$\\\d(])"
    r"|\b(?:at first glance|seems? to be|(?:might|may|could|would) (?:think|say|guess|expect)|tempt\w+)\b"
    r"[^.!?\n]{1,80}?,? but (?:(?:it['’]s|it is|really|actually|in fact|the (?:[a-z]+ )?answer is),?"
    r" )+(?=[-$\\\d(])"
)
"""Matches a value that is rejected before the right one: `not 25, as one might think, but 23`."""
_BOUNDED_BEFORE = re.compile(
    r"\b(?:at most|bounded (?:above|below) by|close to|(?:more|less|fewer|greater) than"
    r"|over)\s*[$(]*$",
    re.IGNORECASE,
)
"""Matches before a number that only bounds the value."""
_UNDETERMINED = re.compile(
    r"\b(?:cannot|can['’]t|could not) be determined\b|\bnot enough information\b", re.IGNORECASE
)
_NUMBER_WORD = f"(?:{'|'.join([*list(BELOW_TWENTY)[2:], *TENS])})"  # without `zero` and `one`
IN_WORDS = re.compile(
    r"\b(?:is|are|be|equals|has|have|took|takes?|needs?|exactly|there are)\s+(?:exactly |only |a total of )?"
    rf"({_NUMBER_WORD}(?:[- ](?:{_NUMBER_WORD}|hundred|thousand|million)){{0,5}}(?: [a-z]+)?)\b"
)
"""Matches a number in words: `the sum is thirty-six`."""


def last_number(text: str) -> AnswerSpan | None:
    """Find the number that the last sentence with a number states, with all that is attached to it.

    It is the one after the last `=` or `is`, or else the last one outside phrases that qualify another one:
    `She earns $42 for 6 hours` states 42. Indices (`x_2`), numbers of steps (`step 3`) and of list items do
    not count. There is no answer if the text after it gives up.
    """
    if CHOICE_LINE.fullmatch(text):
        return None
    text = _NOT_BUT.sub(lambda match: " " * len(match[0]), without_asides(text))
    adjusted = deque(ADJUSTED.finditer(text), maxlen=1)
    if adjusted:
        first = sentence_start(text, adjusted[0].start())
        text = text[:first] + " " * (adjusted[0].end() - first) + text[adjusted[0].end() :]
    numbers = [match for match in _NUMBER.finditer(text) if _is_value(text, match)]
    in_words = deque(IN_WORDS.finditer(text, numbers[-1].end() if numbers else 0), maxlen=1)
    if in_words and not re.search(r"\d", text[sentence_start(text, in_words[0].start()) :]):
        return AnswerSpan(*in_words[0].span(1))
    if not numbers or GIVES_UP.search(text, numbers[-1].end()):
        return None
    start = sentence_start(text, numbers[-1].start())
    end = max(sentence_end(text, start, len(text)), numbers[-1].end())
    if DOUBTS.search(text, start, end):
        return None
    own = [match for match in numbers if start <= match.start()]
    for reason in _REASON.finditer(text, start, end):
        before = [match for match in own if match.end() <= reason.start()]
        if before:
            own, end = before, reason.start()
            break
    number = _stated(text, own, start, end)
    if SUPPOSES.search(text[start : number.start()]) or _BOUNDED_BEFORE.search(text, start, number.start()):
        return None
    if _WOULD.search(text, start, number.start()) and _UNDETERMINED.search(text, 0, number.start()):
        return None
    formula = _FORMULA_AFTER.search(text[:end], max(start, end - FORMULA_CHARS))
    if formula is not None and formula.start(1) <= number.start():
        return AnswerSpan(*formula.span(1))
    return _with_neighbours(text, number, max(start, number.start() - FORMULA_CHARS), end) or _with_attached(
        text, number
    )


FORMULA_CHARS = 200
"""How far, in characters, from the end of a sentence its last formula may start."""
_TERM = r"(?:[\d.]{0,20}[√π(][^\sA-Za-z+*/×·−-]{0,20}|[\d.]{1,20}[a-z]?)"
_LEFT_SIDE = r"[A-Za-z](?:_\w{1,9})? ?= ?"
_FORMULA_AFTER = re.compile(
    r"(?:[=:]|\b(?:is|are|be|equals?|of)|[为是]) ?"
    rf"((?:{_LEFT_SIDE})?[-−+]? ?{_TERM}(?: ?[-−+*/×·^] ?{_TERM}){{1,9}}"
    rf"|{_LEFT_SIDE}[-−]?[\d.]{{0,20}}[a-z])[.\s]*$"
)
"""Matches a formula in plain text at the end of a sentence: `k = 3 + 2√2`, `x = 3z`."""


_ITEM = r"(?:[A-Za-z](?:_\w)? ?= ?)?[-−]?\d[\d./]{0,20}(?<!\.)"
_SEVERAL = re.compile(
    rf"{_ITEM}(?:(?:, | and | or |, and |, or | ?[或和、] ?){_ITEM}){{1,20}}(?=[\s.,;*?!。，；]"
    rf"|$)"  # `the zeros are 3 and 7`
    r"|(?:\d[spdf](?:\^?\{?\d{1,2}\}?|[¹²³⁴⁵⁶⁷⁸⁹⁰]{1,2}) ?){2,12}(?=[\s.,;]|$)"  # electrons by shell
    r"|[(\[] ?[-−]?[\d./]+(?: ?, [-−]?[\d./]+){1,9} ?[)\]]"  # a tuple or an interval
    r"|(?<![\d:])\d+(?: ?: ?\d+){1,4}(?![\d:])|(?<=\bis )\d+ to \d+"  # a ratio
)
_LEFT_SIDE_BEFORE = re.compile(
    r"(?<![=\w]) ?(?P<left>[-−]?[\d.]{0,9}[A-Za-z](?:\^\d|_\w)?(?: ?[-+*/] "
    r"?[\d.]{0,9}[A-Za-z]?(?:\^\d)?){0,4})"
    r" ?(?P<mark>[=<>≤≥]|\\[lg]eq?) ?$"
)
"""Matches the left side of an equation or inequality up to its sign: `2x = `, `x < `."""
_CHANGED_AFTER = re.compile(
    r" (?:or (?:less|more|fewer|greater)\b|and (?:a|an|one|two|three) (?:half|hal|quarter|third)"
    r"|(?:squared|cubed|factorial)\b"
    r"|(?:over|minus|plus|times) (?=[\d(])|(?:divided|multiplied) by|\(?in base \w|[-+*/÷×] ?\d)"
)
"""Matches after a number what makes another value of it: `3 and a half`, `3 over 4`."""


def _with_neighbours(text: str, number: re.Match[str], start: int, end: int) -> AnswerSpan | None:
    """Return the span of the list, tuple, ratio, equation or calculation of which a number is a part."""
    for several in _SEVERAL.finditer(text, start, end):
        if several.start() <= number.start() + 1 and number.end() <= several.end():
            is_time = ":" in several[0] and ":" in number[0]
            return None if is_time else AnswerSpan(*several.span())
    left = _LEFT_SIDE_BEFORE.search(text[: number.start()], start)
    if left is not None and (left["mark"] != "=" or len(left["left"]) > 1):
        is_chain = text[: left.start("left")].rstrip().endswith("=")  # `A = 2r = 42`
        return None if is_chain else AnswerSpan(left.start("left"), number.end())
    if _CHANGED_AFTER.match(text, number.end(), end):
        return AnswerSpan(number.start(), end)
    return None


_WOULD = re.compile(r"\b(?:would|['’]d)\b")


def _is_value(text: str, match: re.Match[str]) -> bool:
    """Return whether a number is a value, and not an index or the number of a step or list item."""
    before = text[max(match.start() - 20, 0) : match.start()]
    is_item = _LINE_START.search(before) and _ITEM_MARK.match(text, match.end())
    return not (is_item or _LABEL_BEFORE.search(before))


_VERB_BETWEEN = re.compile(r"\b(?:has|have|is|are|gives?|makes?|needs?|gets?)\b")


def _stated(text: str, numbers: list[re.Match[str]], start: int, end: int) -> re.Match[str]:
    """Return the number that the sentence in text[start:end] states."""
    for pattern in (_EQUALS, _STATES):
        states = deque(pattern.finditer(text, start, end), maxlen=1)
        after = [number for number in numbers if states and number.start() >= states[0].end() - 1]
        if after and not _VERB_BETWEEN.search(text[after[0].end() : after[-1].start()]):
            return after[0]
    chosen = numbers[-1]
    if len(numbers) > 1 and REJECTED_BEFORE.search(text[start : chosen.start()]):
        return numbers[-2]
    for number in reversed(numbers[:-1]):
        is_apart = re.search(r", | so ", text[number.end() : chosen.start()])
        if is_apart or not _QUALIFIES.search(text[start : chosen.start()].lower()):
            break
        chosen = number
    return chosen


_ENDS_AFTER = re.compile(r"[*,;:!?\]，。；：！？]|_(?![{\d])")
_ENDS_BEFORE = re.compile(f"[*_=:,，：{CHARACTERS}]")


def _with_attached(text: str, number: re.Match[str]) -> AnswerSpan:
    """Return the span of a number with its unit and all that touches it: a piece of `x^2` is not it."""
    start, end = number.span()
    if text[end - 1] in "年月日号分" or _DATE.fullmatch(number[0]):
        return AnswerSpan(start, end)
    while start > 0 and not text[start - 1].isspace() and not _ENDS_BEFORE.match(text[start - 1]):
        start -= 1
    while end < len(text) and not text[end].isspace() and not _ENDS_AFTER.match(text, end):
        end += 1
    if end - start > 1 and text[end - 1] == ".":
        end -= 1
    in_cjk = _CJK_UNIT.match(text, number.end())
    if in_cjk is not None:
        end = in_cjk.end()
    if text[start] == "(" and text[end - 1] == ")" and "," not in text[start:end]:
        start, end = start + 1, end - 1
    while start < number.start() and text[start] in "([" and not _is_closed_after(text[start:end]):
        start += 1
    power = _POWER_OF_UNIT.fullmatch(text[start:end])
    if power is not None and read_unit(power[1]) is not None:  # the number was the 2 of `5 m^2`
        value = _VALUE_BEFORE.search(text[max(start - 24, 0) : start])
        start -= len(value.group()) if value else 0
    while end - start > 1 and (
        text[end - 1] == "." or (text[end - 1] in ")）" and not _is_closed(text[start:end]))
    ):
        end -= 1
    if text[end : end + 1] == ".":
        return AnswerSpan(start, end)
    return AnswerSpan(start, _end_with_unit(text, end))


def _is_closed_after(text: str) -> bool:
    return text.count("(") <= text.count(")") and text.count("[") <= text.count("]")


def _is_closed(text: str) -> bool:
    return text.count("(") + text.count("（") >= text.count(")") + text.count("）")


_CJK_UNIT = re.compile(rf" ?(?:{NAMES_AT_NUMBERS})(?=[をがはにで。、，]|이|가|을|를|은|는|에|입|\s|$)")
"""Matches the unit or counter of a number with which a sentence goes on: `18ドルを手に入れる`."""
_POWER_OF_UNIT = re.compile(r"((?:[A-Za-z]{1,9}/)?[A-Za-z]{1,9}(?:\^\{?[23]\}?|[²³]))\.?")
_VALUE_BEFORE = re.compile(r"(?<![^\s($])[-−]?\d[\d.,]*(?:/\d+)? ?$")


def _end_with_unit(text: str, end: int) -> int:
    """Return the end of the unit, or of a word such as `million`, that follows a number; else `end`."""
    match = _NEXT_WORDS.match(text, end)
    if match is None or match.end() == end:
        return end
    word = match.group().strip()
    if word.lower().split(" ")[0] in _COUNTING_WORDS:
        return end if _IN_DOZENS.search(text[max(end - 40, 0) : match.end()]) else match.end()
    if word in ("BC", "BCE"):
        return match.end()
    unit = read_unit(word.replace("²", "^2").replace("³", "^3"))
    is_measure = unit is not None and bool(unit.dimensions) and not unit.nouns
    if is_measure and word not in ("in", "a", "A", "s"):  # these are more likely words of the sentence
        directed = _DIRECTED.match(text, match.end())
        return directed.end() if directed else match.end()
    return end


_DATE = re.compile(rf".*\b{_MONTH}.*")
_DIRECTED = re.compile(
    r",? (?:directed |pointing )?(?:to(?:wards?)? the |due )(?:left|right|(?:nor|sou)th|(?:ea|we)st)\b"
)
_IN_DOZENS = re.compile(r"/ ?12 ?= ?\d+ dozen$")
"""Matches a calculation whose result is a number of dozens, so that the word is its unit."""
_COUNTING_WORDS = (*LARGE, "hundred", "dozen", "percent")

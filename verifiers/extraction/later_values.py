r"""Finding the values that a text states after its answer, which must be right too: `\boxed{42} or 43`."""

import re

from ..prose.lead_ins import lead_ins, names_answer
from ..prose.places import is_value, place_at
from ..prose.sentences import has_any, sentence_end
from ..prose.words_before import is_supposed
from .second_thoughts import LATER_CHARS, has_value, second_thought

MAX_LATER = 4
"""At most this many later values are compared."""
_OFFERED_AFTER = re.compile(
    r"[\s$*)\]\\.}]{0,6}(?:\\text\s?\{\s?)?,? ?\(?\bor\b"
    r"(?! (?:equivalently|simply|about|approximately|roughly|in other words|more precisely|if you|just"
    r"|better|exactly))"
    r"(?: (?:was it|is it|perhaps|maybe|possibly|else|also|even))*"
    r"(?P<place>[\s$*(\\\[]{0,6})(?:[-\d]|\\|[A-J]\b)",
    re.IGNORECASE,
)
_ALSO_CUES = ("also", "equally", "just as", "could", "would", "might", " may ", "better", "best")
"""Words of which every match of `_ALSO_LETTER` contains one."""
_CONCLUDED = re.compile(r"[\s$*)\]\\}]{0,6}, (?:so|thus|hence|therefore)(?P<place> )(?=[$\\(\d-])")
"""Matches after an answer that its sentence gives in another form too: `a = 2, b = 3, so (a, b) = (2, 3)`."""
_DIGITS_OR_LETTERS = re.compile(r"\d|\$.|\\(?![)\]])|\b[A-J]\b")
"""Matches in every text that states a value."""


_LETTER_OR_NUMBER = r"\(?\$?([A-J]|-?\d[\d.,/]*)\$?\)?"
_RIGHT = r"(?:correct|right|valid|possible|plausible|fine|acceptable|an? answer|the answer|likely)\b"
_ALSO_LETTER = re.compile(
    rf"(?<![\w.]){_LETTER_OR_NUMBER} (?:is|are|seems) (?:also|equally|just as) {_RIGHT}"
    rf"|(?<![\w.]){_LETTER_OR_NUMBER} (?:would|could|might|may) (?:also )?be (?:also |just as )?{_RIGHT}"
    r"(?! (?:answer )?(?:only )?(?:if|in|for|when|under)\b)"
    r"|\b(?:and|but) also \(?([A-J])(?![A-Za-z])"
    r"|\bbut \(?([A-J])\)? (?:is|seems|looks|fits) (?:the )?(?:better|best)\b"
)
"""Matches another letter or number that is said to be right too: `But C is also correct.`"""
_LEADS_TO_VALUE = re.compile(
    r"[\W_]*(?:(?:therefore|thus|indeed|simply|then|also|now|actually|really|in fact|equal to|exactly"
    r"|about|approximately|still"
    r"|option|choice|letter|perhaps|maybe|possibly|else|is|the|correct)[\W_]+)*"
)
"""Matches what may stand between a lead-in and a later value: a sentence about the answer is none."""


def later_values(text: str, end: int, value: str = "") -> tuple[str, ...]:
    """Return the values that the text after the end of an answer states: they must be right too.

    These are values after a lead-in (`so the answer is 17`), and the one with which the text ends once it
    reconsiders (`Actually, it is 17`). A statement that repeats the answer, `value`, adds none.
    """
    stop = min(len(text), end + LATER_CHARS)
    after = text[end:stop]
    values = _stated_later(text, after, end, value) if _DIGITS_OR_LETTERS.search(after) else []
    lowered = after.lower()
    if has_any(lowered, _ALSO_CUES):
        values += [match[match.lastindex or 0] for match in _ALSO_LETTER.finditer(after)]
    if has_any(lowered, ("both ", "either ", "also be ")):
        values += [
            other
            for found in _BOTH.finditer(after)
            for other in found.groups()
            if other and not has_value(value, other)
        ]
    other = second_thought(text, end, stop, value)
    if other is not None:
        values.append(text[other.start : other.end])
    return tuple(dict.fromkeys(values))[-MAX_LATER:]


_ONE = r"([\d.,/]{1,12}(?<![.,])|\$[^$\n]{1,60}\$|[A-J](?![A-Za-z]))"
_BOTH = re.compile(
    rf"\b(?:both|either) (?:that|this|it|{_ONE}) (?:and|or) {_ONE} (?:(?:could|might|may|would) (?:be"
    rf"|have|work)"
    r"|are (?:acceptable|possible|correct|valid|right|fine|solutions|answers)|work|fit|is (?:acceptable"
    r"|fine))\b"
    rf"|\b(?:might|could|may) (?:also|just as well|equally well) be {_ONE}",
    re.IGNORECASE,
)
"""Matches a value that is said to be as good as another: `both 12 and 13 are acceptable`."""


_PART = r"\$?(?:[a-z] ?= ?)?[-−]?[\d./]{1,12}\$?"
_SEVERAL = re.compile(rf"{_PART}(?:,? (?:and|or) {_PART})+")


def _stated_later(text: str, after: str, end: int, value: str) -> list[str]:
    """Return the values after lead-ins in the text `after` an answer, which ends at `end`."""
    places = [end + lead_in.place for lead_in in lead_ins(after) if lead_in.chosen is None]
    places = [
        place
        for place in places
        if names_answer(text, place, after=end) and not is_supposed(text, place, after=end, otherwise=True)
    ]
    joined = _CONCLUDED.match(text, end) or _OFFERED_AFTER.match(text, end)
    if joined:
        places.append(joined.end("place"))
    values = []
    for place in sorted(set(places))[-MAX_LATER:]:
        stated = place_at(text, place)
        if stated is None:
            continue
        said = text[stated.start : stated.end]
        is_longer = (
            _SEVERAL.fullmatch(said) is not None and not _SEVERAL.fullmatch(value) and "," not in value
        )
        if (
            (is_longer or not _repeats(text, place, value))
            and is_value(text, stated)
            and _LEADS_TO_VALUE.fullmatch(text, place, stated.start)
        ):
            values.append(said)
    return values


def _repeats(text: str, place: int, value: str) -> bool:
    """Return whether the sentence at a place has the answer in it, or gives it only about: `about 2.83`."""
    sentence = text[place : sentence_end(text, place, min(len(text), place + 200))]
    if re.match(r"[\s$*]*(?:approximately|about|roughly|\\approx|≈)", sentence):
        return True
    return has_value(sentence, value)

r"""Tier 1: text. Number words, yes and no, choice letters, names; all else that is words is text.

Texts are equal if they are spelt alike but for case, articles and punctuation, or say the same
thing of a short list (`no solution`, `\emptyset`). Other texts differ: nothing here guesses.
"""

import re
from fractions import Fraction
from functools import lru_cache

_UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "twentieth": 20, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
_NUMBER_WORD = frozenset(
    [*_UNITS, *_TENS, *_LARGE, *_PARTS, *(part + "s" for part in _PARTS), "halves", "hundred", "and", "a", "an", "minus",
     "negative", "point", "over", "dozen"]
)  # fmt: skip
_WORDS = re.compile(r"[A-Za-z]+")


def spelt_number(text: str) -> tuple[str, str] | None:
    """Read number words at the start of a text: (digits, the rest), or None.

    `twenty-one apples` gives ("21", "apples"), `two thirds` ("2/3", "").
    """
    if not re.match(r"[A-Za-z -]", text) or len(text) > 200:
        return None
    if _ROMAN.fullmatch(text) and len(text) > 1:
        return str(_roman(text)), ""
    words, end = [], 0
    for match in _WORDS.finditer(text):
        word = match.group().lower()
        if word not in _NUMBER_WORD or not re.fullmatch(r"[\s,-]*", text[end : match.start()]):
            break
        words.append(word)
        end = match.end()
    while words and words[-1] in ("and", "a", "an"):
        end = text.lower().rindex(words.pop(), 0, end)
    value = _value(words)
    if value is None:
        return None
    spelt = str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    return spelt, text[end:].strip()


_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_NUMERALS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def _roman(text: str) -> int:
    values = [_NUMERALS[letter] for letter in text]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))


def _value(words: list[str]) -> Fraction | None:
    if not words:
        return None
    if words[0] in ("minus", "negative"):
        rest = _value(words[1:])
        return None if rest is None else -rest
    if words[-1] == "dozen":
        many = Fraction(1) if words[:-1] in ([], ["a"]) else _value(words[:-1])
        return None if many is None else 12 * many
    if "over" in words or "point" in words:
        at = words.index("over" if "over" in words else "point")
        top, low = _value(words[:at]), words[at + 1 :]
        if words[at] == "over":
            bottom = _value(low)
            return None if top is None or not bottom else top / bottom
        digits = [str(_UNITS[word]) for word in low if word in _UNITS and _UNITS[word] < 10]
        if top is None or not digits or len(digits) != len(low):
            return None
        return top + Fraction(int("".join(digits)), 10 ** len(digits))
    last = words[-1].removesuffix("s") if words[-1] != "halves" else "half"
    if last in _PARTS and words[-1] not in _UNITS:
        return _fraction(words[:-1], _PARTS[last])
    whole = _whole(words)
    return None if whole is None else Fraction(whole)


def _fraction(words: list[str], bottom: int) -> Fraction | None:
    """`two` thirds, `three and a` half, `a` quarter; an ordinal alone (`third`) is no number."""
    if words[-1:] in (["a"], ["an"], ["one"]):
        before = words[:-1]
        if not before:
            return Fraction(1, bottom)
        whole = _whole(before[:-1]) if before[-1] == "and" else None
        return None if whole is None else whole + Fraction(1, bottom)
    if "and" in words and "hundred" not in words:
        at = words.index("and")
        whole, top = _whole(words[:at]), _whole(words[at + 1 :])
        return None if whole is None or top is None else whole + Fraction(top, bottom)
    if not words:
        return Fraction(1, 2) if bottom == 2 else None
    top = _whole(words)
    return None if top is None else Fraction(top, bottom)


def _whole(words: list[str]) -> int | None:
    """`one hundred and twenty three thousand and five`; None for what is no cardinal."""
    total, current, seen, last = 0, 0, False, 1000
    for word in words:
        if word in _UNITS or word in _TENS:
            size = _UNITS.get(word, _TENS.get(word, 0))
            if last < 20 or (last < 100 and size >= 10):
                return None  # `two three`: two numbers
            current, last, seen = current + size, size if size < 20 else 20, True
            last = max(last, 1) if size < 20 else 20
        elif word == "hundred":
            current, last, seen = max(current, 1) * 100, 100, True
        elif word in _LARGE:
            total, current, last, seen = total + max(current, 1) * _LARGE[word], 0, 1000, True
        elif word not in ("and", "a"):
            return None
    return total + current if seen else None


_MEANINGS = [
    {"no solution", "no solutions", "no real solution", "no real solutions", r"\emptyset", "empty set", "none", "null set",
     "there are no solutions", "there is no solution", "no such values exist", "no answer exists", "does not exist any",
     "no real roots", "no values", "no value", "{}", "no integer solutions", "no such x", "no such n", "impossible",
     "not possible", "it is impossible", "cannot be done"},
    {"does not exist", "dne", "doesn't exist", "undefined", "not defined", "limit does not exist", "nonexistent"},
    {"infinitely many", "infinite", "infinitely many solutions", "infinite solutions", "infinite number of solutions",
     "infinite number", "infinitely many values"},
    {"all real numbers", r"\mathbb{r}", r"(-\infty, \infty)", r"(-\infty,\infty)", "all reals", "all real", "r", "reals",
     "any real number", "every real number", "all real values", "x in \\mathbb{r}", "the real numbers", "real numbers"},
    {"yes", "true", "correct", "not false"},
    {"no", "false", "incorrect", "not true"},
    {"cannot be determined", "not enough information", "can not be determined", "insufficient information",
     "cannot determine", "it cannot be determined"},
]  # fmt: skip
_MEANING = {text: i for i, texts in enumerate(_MEANINGS) for text in texts}
_TRUTHS = (_MEANING["yes"], _MEANING["no"])
_TRUTH = re.compile(r"(yes|no|true|false)(?:[,.;:!]| -|$)", re.IGNORECASE)


def folded(text: str) -> str:
    """Return a text without case, articles and punctuation."""
    text = re.sub(r"\b(?:the|a|an) (?=\w)", "", text.casefold().replace("\\", " \\"))
    return " ".join(re.sub(r"[-_ ]+", " ", re.sub(r"[.,;:!?'\"`*]", "", text)).split())


def meaning(text: str) -> int | None:
    """Return which of a short list of meanings a text has (`no solution`, `yes`)."""
    plain = " ".join(text.casefold().split()).strip(" .!")
    return _MEANING.get(plain)


_PLAIN_TEXT = re.compile(r"[^\W\d_]{2,}(?:[ .'’&/-]+[^\W\d_]+)*[.!?']?")
_LISTED = re.compile(r"(?<![A-Za-z])(?:and|or)(?![A-Za-z])")
_NAMES = frozenset("sin cos tan log ln exp sqrt pi inf infinity oo alpha beta gamma theta phi lambda mu sigma omega noon midnight".split())


def is_text(text: str) -> bool:
    """Whether a normalised answer is words only: no digits, no operators, no commands."""
    if not _PLAIN_TEXT.fullmatch(text) or text.lower() in _NAMES or _LISTED.search(text):
        return False
    return len(text) > 3 or " " in text or not text.islower() or meaning(text) is not None


_LETTER = "[A-Ja-j]"
_CHOICE = re.compile(
    rf"(?:(?:[Tt]he )?(?:[Cc]orrect |[Rr]ight )?(?:[Aa]nswer|[Oo]ption|[Cc]hoice)(?: is)?:? ?)?"
    rf"(?:\(({_LETTER})\)[.:]?|\[({_LETTER})\]|({_LETTER})[).:]?)(?:$|(?<=[)\].:]) (?=[\w$\\])(.*)| - (?=[A-Za-z]{{2}})(.*))",
    re.DOTALL,
)


@lru_cache(maxsize=4096)
def read_choice(text: str) -> tuple[str, str] | None:
    """Return (letter, text behind it) of `B`, `(b)`, `B) Paris`, `Option B`; None if it is none.

    Letters go up to `J`; a bare lower-case one is none if it is `e` or `i`, which are numbers too.
    """
    match = _CHOICE.fullmatch(text)
    if match is None:
        return None
    letter = next(group for group in match.groups()[:3] if group)
    if text in ("e", "i"):
        return None
    return letter.upper(), (match[4] or match[5] or "").strip()


def other_letters(text: str, letter: str) -> bool:
    """Whether the text behind a choice names another letter: `(B) and (C)`."""
    found = re.findall(r"\(([A-Z])\)|(?<![\w'])([B-HJ-Z])(?![\w'])", text)
    return any((one or two) != letter for one, two in found)


def same_text(reference: str, answer: str) -> bool | None:
    """Compare two texts; None where neither side is words."""
    if reference == answer:
        return True
    said, given = meaning(reference), meaning(answer)
    if said in _TRUTHS and given is None and (truth := _TRUTH.match(answer)) is not None:
        rest = set(re.findall(r"[a-z]+", answer[truth.end() :].lower()))
        return said == meaning(truth[1]) and not rest & {"yes", "no", "not", "true", "false", "but", "or"}
    if said is not None and (given is not None or is_text(answer)):
        return said == given
    if is_text(reference):
        return folded(reference) == folded(answer)
    return False if is_text(answer) and not is_text(reference) else None

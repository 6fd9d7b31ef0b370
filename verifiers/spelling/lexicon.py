"""Lists of words that say something about a value: numbers, hedges, denials, operators, comparisons.

An answer may add a noun to its value: `12 apples` is 12. A word in one of these lists is not such a noun, so
`12 thirteen`, `12 doubled`, `12, wrong` and `12 binary` are not 12. Any other word counts as a noun or a name
and does not change the value.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

BELOW_TWENTY = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip
"""The tens, with the common misspelling `fourty`."""
LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "twentieth": 20, "hundredth": 100,
    "thousandth": 1000,
}  # fmt: skip
"""Fraction words with their denominators."""

_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_COUNTING = (
    "hundred halve halves hundreds thousands millions billions trillions quadrillion quintillion"
    " googol dozen dozens score gross pair pairs couple mil mill mln bn lakh lakhs crore crores"
    " percent percents percentage pct ppm ppb mille tens odd infinite infinity millón millones"
    " milliard milliards million millionen milliarde milliarden tausend hundert milhão milhões тысяч"
    " тысячи тысяча миллион миллиона миллионов миллиард docena douzaine dutzend"
)
NUMBERS = (
    {*BELOW_TWENTY, *TENS, *LARGE, *PARTS, *(part + "s" for part in PARTS), *_COUNTING.split(), *_ORDINALS}
    - {"second"}
)  # fmt: skip
"""Every word that denotes a number; `second` is left out because it is a unit of time."""
HEDGES = frozenset(
    "suppose assume imagine either maybe perhaps possibly probably presumably likely unlikely unsure "
    "guess guessing might could"
    " roughly somewhere alternatively vielleicht wahrscheinlich quizás quizá probablemente peut-être"
    " probablement возможно наверное скорее talvez forse 可能 也许 大概 或许".split()
)
"""Words that show doubt about a value."""
ALTERNATIVES = frozenset("or xor oder ou или versus vs".split())
"""Words that join alternatives."""
DENIALS = frozenset(
    "not no nor neither never nothing cannot wrong incorrect incorrectly false untrue fake nope"
    " invalid mistaken mistake rejected discarded excluded extraneous but without rather instead"
    " unless fails failed nicht kein keine falsch nein не нет pas non não".split()
)
"""Words that deny what is said."""
RETRACTIONS = frozenset(
    "wait actually scratch correction kidding oops sorry hmm strike struck crossed".split()
)
"""Words that take back what was said before."""
OPERATORS = frozenset(
    "plus minus times over divided multiplied twice thrice double doubled triple tripled squared"
    " cubed square root inverse reciprocal negative negated opposite factorial choose mod modulo"
    " remainder power raised complement absolute log point dot out binary octal hex hexadecimal"
    " decimal base".split()
)
COMPARISONS = frozenset(
    "least most minimum maximum than less below above between until through thru inclusive"
    " exclusive bound to from except excluding".split()
)
_CONNECTORS = frozenset(
    "and if is are was were be when where for otherwise else with by so because since iff also"
    " then while as that which".split()
)

_WORD = re.compile(r"[^\W\d_]+(?:'t)?")
_MARKED = NUMBERS | HEDGES | ALTERNATIVES | DENIALS | RETRACTIONS | OPERATORS | COMPARISONS | _CONNECTORS


@lru_cache(maxsize=4096)
def words_of(text: str) -> frozenset[str]:
    """Return the words of a text in lower case; `isn't` adds `not`."""
    words = _WORD.findall(text.lower().replace("’", "'"))
    negated = ["not"] if any(word.endswith("n't") for word in words) else []
    return frozenset([*words, *negated])


def is_plain(words: str | Iterable[str]) -> bool:
    """Return whether words only name things, so that they do not change a value beside them.

    >>> is_plain("red apples"), is_plain("apples or pears"), is_plain("dozen")
    (True, False, False)
    """
    return not _MARKED & (words_of(words) if isinstance(words, str) else frozenset(words))

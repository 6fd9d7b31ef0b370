r"""Small changes to answers that nearly always make them wrong, for `answers_mutations.py`.

Each function takes a seeded generator and a text, and returns the changed text, or None if the text has no place
for such a change. `KINDS` groups the functions.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

Mutation = Callable[[Random, str], str | None]
NUMBER = r"\d+(?:\.\d+)?"
UNITS = [
    ["mm", "cm", "m", "km", "inches", "feet", "yards", "miles"],
    ["mg", "g", "kg", "pounds", "ounces", "tons"],
    ["mL", "L", "gallons", "cups"],
    ["seconds", "minutes", "hours", "days", "weeks", "months", "years"],
    ["km/h", "mph", "m/s", "m/s^2"],
    ["W", "kW", "MW", "J", "kJ", "N", "V", "A", "Hz", "MHz", "K", "Pa"],
    ["degrees", "radians", "^\\circ C", "^\\circ F"],
    ["dollars", "cents", "euros"],
    ["apples", "oranges", "boys", "girls", "students"],
]
"""Units of one dimension, or nouns of one kind, per list; no two name the same quantity."""
ALL_UNITS = [unit for units in UNITS for unit in units]
UNIT = "|".join(re.escape(unit) for unit in sorted(ALL_UNITS, key=len, reverse=True))
UNIT_BEHIND_NUMBER = rf"(?<=[\d{{ ])(?:{UNIT})(?![A-Za-z/^²³])"


def change_one(rng: Random, text: str, pattern: str, change: Callable[[re.Match[str]], str]) -> str | None:
    """Replace one of the matches of a pattern, chosen at random; None if there is none."""
    matches = list(re.finditer(pattern, text))
    if not matches:
        return None
    match = rng.choice(matches)
    return text[: match.start()] + change(match) + text[match.end() :]


def replacement(old: str, new: str) -> Mutation:
    """Return a mutation that replaces one match of a pattern by a fixed text (or a template with groups)."""
    return lambda rng, text: change_one(rng, text, old, lambda match: match.expand(new))


def drop_minus(rng: Random, text: str) -> str | None:
    return change_one(rng, text, r"(?:^|(?<=[(\[{,=<>&\s]))-\s*(?=[\d\w\\])", lambda _: "")


def add_minus(rng: Random, text: str) -> str | None:
    before = r"(?:^|(?<=[(\[,=<>&]))\s*"
    return change_one(rng, text, before + r"(?=\d|\\frac|\\sqrt|[a-z]\b)", lambda match: match[0] + "-")


def change_digit(rng: Random, text: str) -> str | None:
    return change_one(rng, text, r"\d", lambda match: str((int(match[0]) + rng.randint(1, 9)) % 10))


def add_digit(rng: Random, text: str) -> str | None:
    return change_one(rng, text, r"(?<=\d)|(?=[1-9])", lambda _: str(rng.randint(1, 9)))


def swap_digits(rng: Random, text: str) -> str | None:
    return change_one(rng, text, r"(\d)(?!\1)(\d)", lambda match: match[2] + match[1])


def move_point(rng: Random, text: str) -> str | None:
    def moved(match: re.Match[str]) -> str:
        digits = match[0].replace(".", "")
        place = rng.randint(1, len(digits))
        return f"{digits[:place]}.{digits[place:]}".rstrip(".")

    return change_one(rng, text, NUMBER, moved)


def change_last_decimal(rng: Random, text: str) -> str | None:
    def changed(match: re.Match[str]) -> str:
        return match[1] + str((int(match[2]) + rng.choice((1, 9))) % 10)

    return change_one(rng, text, r"(\d+\.\d*)(\d)", changed)


def other_unit(rng: Random, text: str, *, same_dimension: bool) -> str | None:
    """Replace a unit behind a number by another one, of the same dimension or of a different one."""

    def changed(match: re.Match[str]) -> str:
        choices = [
            unit
            for units in UNITS
            if (match[0] in units) is same_dimension
            for unit in units
            if unit != match[0]
        ]
        return rng.choice(choices)

    return change_one(rng, text, UNIT_BEHIND_NUMBER, changed)


def unit_of_dimension(rng: Random, text: str) -> str | None:
    return other_unit(rng, text, same_dimension=True)


def unit_of_other_dimension(rng: Random, text: str) -> str | None:
    return other_unit(rng, text, same_dimension=False)


def unit_to_a_power(rng: Random, text: str) -> str | None:
    return change_one(rng, text, UNIT_BEHIND_NUMBER, lambda match: match[0] + rng.choice(("^2", "^3")))


def swap_items(rng: Random, text: str) -> str | None:
    """Swap two neighbours of a list, tuple, set, interval, matrix row, or of a function's arguments."""
    item = r"([^,&()\[\]{}\\\s][^,&()\[\]{}\\]*|\\[a-z]+(?:\{[^{}]*\})*)"
    return change_one(
        rng, text, item + r"(\s*[,&:]\s*)" + item, lambda match: match[3].strip() + match[2] + match[1]
    )


def change_letter(rng: Random, text: str) -> str | None:
    """Replace a letter that stands alone, as variables and choices do, by its neighbour in the alphabet."""

    def changed(match: re.Match[str]) -> str:
        first = "A" if match[0].isupper() else "a"
        return chr(ord(first) + (ord(match[0]) - ord(first) + rng.choice((1, 25))) % 26)

    return change_one(rng, text, r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", changed)


def change_letter_of_word(rng: Random, text: str) -> str | None:
    return change_one(rng, text, r"(?<=[A-Za-z])(?<!\\)[a-z](?![a-z]*[{}])", lambda _: rng.choice("bdfgkpz"))


def rounded(rng: Random, text: str) -> str | None:
    def with_fewer_digits(match: re.Match[str]) -> str:
        digits = len(match[0].partition(".")[2])
        return f"{float(match[0]):.{rng.randrange(digits)}f}"

    return change_one(rng, text, r"\d+\.\d+", with_fewer_digits)


def cut_off(rng: Random, text: str) -> str | None:
    return change_one(
        rng, text, r"(\d+\.\d+?)\d+|(\d+)\.\d+(?!\d)", lambda match: match[1] or match[2] or match[0]
    )


KINDS: dict[str, dict[str, Mutation]] = {
    "sign": {"dropped": drop_minus, "added": add_minus},
    "digit": {
        "changed": change_digit,
        "dropped": replacement(r"(?<=\d)\d|\d(?=\d)", ""),
        "added": add_digit,
        "swapped": swap_digits,
        "point moved": move_point,
        "zero added": replacement(r"\d(?!\d|[.,]\d)", r"\g<0>0"),
    },
    "operator": {
        "+ to -": replacement(r"\+", "-"),
        "- to +": replacement(r"(?<=[\w)} ])-", "+"),
        "times to plus": replacement(r"\\cdot|\\times|\*", "+"),
        "divided to times": replacement(r"(?<=\d)/(?=\d)|\\div", "*"),
        "fraction to product": replacement(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1 \\cdot \2"),
        "power dropped": replacement(r"\^(?:\{[^{}]*\}|\w)", ""),
        "power changed": replacement(r"\^\{?[\d\w]\}?", "^{7}"),
        "root dropped": replacement(r"\\sqrt", ""),
        "root's index": replacement(r"\\sqrt(?!\[)", r"\\sqrt[3]"),
        "plus-minus to plus": replacement(r"\\pm|±", "+"),
        "plus to plus-minus": replacement(r"\+|^(?=\d)", r"\\pm "),
        "factorial added": replacement(r"(?<=[3-9])(?!\d)", "!"),
        "function": replacement(r"\\(?:sin|cos|tan|ln|log|exp)\b", r"\\cot"),
    },
    "relation": {
        "< to <=": replacement(r"(?<!\\)<(?!=)", r"\\le "),
        "> to >=": replacement(r"(?<!\\)>(?!=)", r"\\ge "),
        "<= to <": replacement(r"\\leq?(?:slant)?(?![a-z])|<=|≤", "<"),
        ">= to >": replacement(r"\\geq?(?:slant)?(?![a-z])|>=|≥", ">"),
        "< to >": replacement(r"<(?!=)", ">"),
        "> to <": replacement(r">(?!=)", "<"),
        "= to !=": replacement(r"(?<![<>!])=", r"\\ne "),
        "!= to =": replacement(r"\\neq?(?![a-z])|!=", "="),
        "cup to cap": replacement(r"\\cup", r"\\cap"),
        "cap to cup": replacement(r"\\cap", r"\\cup"),
        "and to or": replacement(r"\band\b", "or"),
        "or to and": replacement(r"\bor\b", "and"),
        "in to not in": replacement(r"\\in(?![a-z])", r"\\notin"),
    },
    "unit": {
        "other, same dimension": unit_of_dimension,
        "other dimension": unit_of_other_dimension,
        "to a power": unit_to_a_power,
        "power dropped": replacement(rf"({UNIT})(?:\^\{{?[23]\}}?|²|³)", r"\1"),
        "inverted": replacement(rf"(?<=[\d ]){UNIT_BEHIND_NUMBER}", r"/\g<0>"),
    },
    "order": {
        "neighbours": swap_items,
        "fraction": replacement(
            r"(\\[dt]?frac)\{([^{}]*)\}\{(?!\2\})([^{}]*)\}|(\d+)/(?!\4\b)(\d+)", r"\1{\3}{\2}"
        ),
        "slash": replacement(r"(\d+)\s*/\s*(?!\1\b)(\d+)", r"\2/\1"),
        "difference": replacement(r"\b(\w+)\s*-\s*(?!\1\b)(\w+)", r"\2-\1"),
        "power": replacement(r"\b(\w)\^\{?(?!\1)(\w)\}?(?!\w)", r"\2^\1"),
        "matrix rows": replacement(r"([^{}\\]+)\\\\\s*(?!\1)([^{}\\]+)", r"\2\\\\\1"),
    },
    "brackets": {
        "[ to (": replacement(r"\[", "("),
        "( to [": replacement(r"\((?=[^()]*,)", "["),
        "] to )": replacement(r"\]", ")"),
        ") to ]": replacement(r"(?<=[\d\w])\)", "]"),
        "set to tuple": replacement(r"\\\{([^{}]*,[^{}]*)\\\}", r"(\1)"),
        "tuple to set": replacement(r"^\(([^()]*,[^()]*)\)$", r"\\{\1\\}"),
        "dropped": replacement(r"\(([^()]*[-+][^()]*)\)", r"\1"),
        "bars added": replacement(r"^[^|]*-[^|]*$", r"|\g<0>|"),
    },
    "letter": {
        "neighbour": change_letter,
        "case": lambda rng, text: change_one(
            rng, text, r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", lambda match: match[0].swapcase()
        ),
        "of a word": change_letter_of_word,
        "index": replacement(r"_\{?(\d|[a-z])\}?", "_{9}"),
        "index dropped": replacement(r"_\{?(\w+)\}?", ""),
        "constant": replacement(r"\\pi(?![a-z])", "e"),
        "imaginary": replacement(r"(?<=\d)i\b", ""),
    },
    "decimal": {"last digit": change_last_decimal, "rounded": rounded, "cut off": cut_off},
    "percent": {
        "added": replacement(rf"^{NUMBER}$", r"\g<0>\\%"),
        "dropped": replacement(r"\\?%|\bpercent\b", ""),
        "per mille": replacement(r"\\?%|\bpercent\b", "‰"),
        "percentage points": replacement(r"\\?%|\bpercent\b", " percentage points"),
        "of": replacement(r"\\?%|\bpercent\b", r"\\% of 3"),
        "divided by 100, sign kept": replacement(r"(\d+)(?=\\?%)", r"0.0\1"),
    },
}
"""The mutations by kind and name. Most of the names say what becomes of what."""


def mutate(rng: Random, text: str, kind: str, name: str) -> str | None:
    """Return the mutated text; None if the mutation has no place in the text, or changes only spaces."""
    mutated = KINDS[kind][name](rng, text)
    if mutated is None or "".join(mutated.split()) == "".join(text.split()):
        return None
    return mutated


def built_references(rng: Random, numbers: Sequence[str]) -> list[str]:
    """Return quantities, percentages and decimals made from numbers, because real references have few of these."""
    return [
        *(f"{number} {rng.choice(ALL_UNITS)}" for number in numbers),
        *(rf"{number}{rng.choice(('%', chr(92) + '%', ' percent'))}" for number in numbers),
        *(f"{number}.{rng.randrange(1, 1000):03}" for number in numbers),
    ]

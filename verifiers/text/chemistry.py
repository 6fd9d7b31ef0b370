r"""Chemical formulas and reactions in one spelling: `\ce{Fe2O3}`, `Fe_2O_3` and `Fe₂O₃` are the same.

Nothing is balanced or reordered within a formula, because `C_2H_6O` and `CH_3OCH_3` are different answers.
"""

import re

_ELEMENTS = frozenset(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
    "Rb Sr Y"
    " Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf "
    "Ta W Re"
    " Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am e".split()
)
_CAPITAL = re.compile("[A-Z]")
_ARROW = re.compile(r"\\(?:long)?rightarrow|\\to(?![a-z])|-->|->|\\rightleftharpoons|<=>|=")
_SPECIES = re.compile(
    r"(?P<count>\d*)(?P<atoms>(?:[A-Z][a-z]?\d*|[(\[](?:[A-Z][a-z]?\d*)+[)\]]\d*)+)(?P<charge>\^?\d*[+-])?(?P<state>\((?:s|l|g|aq)\))?"
)


_ISOTOPE = re.compile(
    r"(?:\{ ?\})? ?(?P<first>[\^_] ?\{? ?\d{1,3} ?\}?) ?(?P<second>[\^_] ?\{? ?\d{1,3} ?\}?)? ?"
    r"(?:\\(?:text|mathrm|unit) ?\{ ?)?(?P<symbol>[A-Z][a-z]?)(?: ?\})?"
)
r"""Matches an isotope: `{}^{14}_{6}C`."""


def read_chemistry(text: str) -> str | None:
    r"""Return a chemical formula or reaction in one spelling; None for other texts.

    >>> read_chemistry(r"\ce{Fe2O3}") == read_chemistry("Fe_{2}O_{3}") == "Fe2O3"
    True
    """
    if len(text) > 200 or _CAPITAL.search(text) is None:
        return None
    isotope = _ISOTOPE.fullmatch(text)
    if isotope is not None and isotope["symbol"] in _ELEMENTS:
        numbers = [re.sub(r"[{} ]", "", number) for number in (isotope["first"], isotope["second"] or "")]
        return f"{''.join(sorted(numbers))}{isotope['symbol']}"
    inner = re.sub(r"\\ce ?\{(.*)\}$", r"\1", text)
    sides = [_side(side) for side in _ARROW.split(inner)]
    known = [side for side in sides if side is not None]
    return "->".join(known) if len(known) == len(sides) <= 2 else None


_ION = re.compile(r"[A-Z][a-z]?[2-9]")
_STATE = re.compile("@[a-z]+")


def same_chemistry(one: str, two: str) -> bool:
    """Return whether two formulas or reactions that were read are the same; only one may give states."""
    if one != two and not ("@" in one and "@" in two):
        one, two = _STATE.sub("", one), _STATE.sub("", two)
    return one == two


def is_surely_chemistry(text: str) -> bool:
    """Return whether a text can be nothing but chemistry: it says so, or it is a reaction."""
    return r"\ce" in text or re.search(r"->|\\(?:long)?rightarrow", text) is not None


def _side(text: str) -> str | None:
    """Return the species of one side of a reaction, sorted; None if one of them is not chemical."""
    found = []
    plain = re.sub(r"[\s_{}]|\\(?:ce|unit)", "", text).replace(r"\cdot", "*")
    for part in re.split(r"\+(?=\d*[A-Z(\[])", plain):
        hydrated, _, water = part.partition("*")
        match = _SPECIES.fullmatch(hydrated)
        if (
            match is None
            or (water and not _SPECIES.fullmatch(water))
            or not set(re.findall("[A-Z][a-z]?", match["atoms"])) <= _ELEMENTS
        ):
            return None
        atoms, charge = match["atoms"], (match["charge"] or "").lstrip("^")
        if charge == match["charge"] and len(charge) == 1 and _ION.fullmatch(atoms):
            atoms, charge = atoms[:-1], atoms[-1] + charge  # `Fe2+` is an ion of iron with two charges
        count = "" if match["count"] == "1" else match["count"]
        state = f"@{match['state'][1:-1]}" if match["state"] else ""
        parts = (count, atoms, "^" * bool(charge), charge, "*" * bool(water), water, state)
        found.append("".join(parts))
    return "+".join(sorted(found))

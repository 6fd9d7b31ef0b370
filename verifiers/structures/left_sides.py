r"""Tier 3, heads: what a value may be given to. `x`, `f(2)`, `|S|`, `\angle ABC` and `the area` name a value.

`x^3`, `x(x - 1)` and `twice the area` do not: a value of theirs is not the answer's.
"""

import re

from ..formulas.finite_field import names_in
from ..formulas.parser import parse
from ..formulas.tokens import Node, TooLarge, Unreadable
from ..text.latex_names import CONSTANTS, FUNCTIONS
from ..text.lexicon import is_plain

_LETTER = r"(?:[A-Za-z]|\\[a-z]+)(?:_(?:\{[A-Za-z0-9,+\\ -]+\}|[A-Za-z0-9]))?'*"
VARIABLE = re.compile(_LETTER)
NAMES = re.compile(rf"\( ?{_LETTER}(?:, ?{_LETTER})+ ?\)|{_LETTER}(?:, ?{_LETTER})+")
_DERIVATIVE = re.compile(r"\\frac ?\{ ?d[^{}]*\} ?\{ ?d ?[a-z][^{}]*\}|d ?[a-z] ?/ ?d ?[a-z]")
_SIGNS_OF_SHAPES = r"\\(?:m ?)?(?:angle|measuredangle|triangle|odot|square|parallelogram) ?"
_NAME = (
    rf"(?:m ?)?(?:{_SIGNS_OF_SHAPES})*(?:{_LETTER}|[A-Z]{{1,4}}\d?|\\(?:overline|vec|bar|hat|mathbf"
    rf"|mathbb) ?\{{[^{{}}]*\}})"
)
_HEAD = re.compile(
    rf"{_NAME}"  # x, A_1, \angle ABC, \overline{AB}
    rf"|[A-Zfgh] ?\^ ?\{{? ?(?:-1|\(n\)) ?\}}?"  # f^{-1}
    rf"|[A-Z]{{2}} ?\^ ?\{{?2\}}?|\\(?:sigma|chi) ?\^ ?\{{?2\}}?|R\^ ?\{{?2\}}?"  # AB^2
    rf"|\|(?!x\|)[A-Za-z]{{1,3}}\||\|\\vec ?\{{[^{{}}]*\}}\|"
    rf"|\\\|[^|\\]{{1,12}}\\\||\[ ?(?:{_SIGNS_OF_SHAPES})?[A-Z]{{3,6}} ?\]"  # |S|, [ABC]
)
_CALL = re.compile(
    r"(?P<name>(?:\\(?!frac|sqrt)[A-Za-z]+|[A-Za-z]+)(?:_(?:\{[^{}]*\}|\w))?'*(?:\^\{?(?:-1"
    r"|\(\w\))\}?)?) ?(?:\((?P<args>.*)\)|\[(?P<more>.*)\])"
)
_SIMPLE = re.compile(r"[\w\\ ,|{}=<>']*")
_OF_SEVERAL = frozenset(
    [r"\max", r"\min", r"\gcd", r"\lcm", r"\Re", r"\Im", "max", "min", "gcd", "lcm", "Re", "Im"]
)
_NO_HEAD = (
    frozenset(
        name for function in [*FUNCTIONS, *CONSTANTS, "sqrt", "det"] for name in (function, f"\\{function}")
    )
    - _OF_SEVERAL
)
_QUOTIENT = re.compile(r"\\frac ?\{([^{}]*)\} ?\{([^{}]*)\}")
_EXTREME = re.compile(
    r"(?:\\?(?:max|min|sup|inf)|\\(?:dim|deg|ker|arg|det)|rank|tr)(?:_(?:\{[^{}]*\}|\w))? ?(?=[A-Za-z\\|])"
)
_PHRASE = re.compile(
    r"(?:[A-Za-z]+|\\(?:triangle|angle|text) ?)(?:[ '-]+(?:[A-Za-z]+|\\(?:triangle|angle) ?))*"
)


def is_head(text: str) -> bool:
    r"""Whether a value may be given to a text: a name, `f(x)`, `|S|`, `\angle ABC`, `(x, y)`, words."""
    if text in CONSTANTS or text in _NO_HEAD or len(text) > 200:
        return False
    if extreme := _EXTREME.match(text):
        text = text[extreme.end() :]
    if _HEAD.fullmatch(text) or NAMES.fullmatch(text) or _DERIVATIVE.fullmatch(text) or _is_call(text):
        return text.lstrip("\\") not in CONSTANTS
    return (
        _PHRASE.fullmatch(text) is not None and re.search("[A-Za-z]{3}", text) is not None and is_plain(text)
    )


def _is_call(text: str) -> bool:
    """Whether a text is a function's value, `f(2)`, and no product, `x(x-1)`."""
    match = _CALL.fullmatch(text)
    if match is None or match["name"] in _NO_HEAD:
        return False
    inside = match["args"] or match["more"] or ""
    if match["name"] in _OF_SEVERAL:
        return re.search(r"[A-Za-z]", inside) is not None and re.search(r"\d", inside) is None
    if len(match["name"]) == 1 and match["name"] not in "fghpPEFGHTVNS" and not _SIMPLE.fullmatch(inside):
        return False
    return (inside.count("("), inside.count("[")) == (inside.count(")"), inside.count("]"))


def is_wanted(text: str) -> bool:
    """Whether a formula may be what is asked for, as in `m + n = 12`: names, no constants to solve for."""
    if re.match(r"\\(?:sum|prod|i{0,3}nt|lim)(?![a-z])", text):
        return True
    try:
        node = parse(text)
    except (Unreadable, TooLarge):
        return False
    return len(names_in(node)) > 1 and _is_combination(node)


def _is_combination(node: Node) -> bool:
    """Whether a formula is made of names by sums, products, quotients and powers only."""
    if node.op == "add":
        return all(_is_combination(arg) and names_in(arg) for arg in node.args)
    if node.op == "pow":
        return _is_combination(node.args[0]) and node.args[1].op == "num"
    if node.op == "div":
        return all(_is_combination(arg) and names_in(arg) for arg in node.args)
    return node.op in ("sym", "num") or (node.op in ("mul", "neg") and all(map(_is_combination, node.args)))


def same_head(one: str, two: str) -> bool:
    """Whether two heads may be the same: `x` and `y` are not, `f(x)` and `y` are, `x` and `Area` too."""
    if not one or not two:
        return True
    first, second = (re.sub(r"[ {}]", "", _QUOTIENT.sub(r"\1/\2", head)) for head in (one, two))
    if first == second:
        return True
    if (_PHRASE.fullmatch(one) and _worded(one)) or (_PHRASE.fullmatch(two) and _worded(two)):
        return True
    return {"y"} == {first, second} - {
        head for head in (first, second) if re.fullmatch(r"[a-zA-Z]\([a-z]\)", head)
    }


def _worded(head: str) -> bool:
    return "\\" not in head and re.search(r"[a-z]{3}", head) is not None

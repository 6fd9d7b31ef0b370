r"""Heads: the left sides of assignments, that is, names to which a value may be given.

`x`, `f(2)`, `|S|`, `\angle ABC` and `the area` are heads, so `x = 5` and `the area is 5` mean 5. `x^3`,
`x(x - 1)` and `twice the area` are not heads: their value is not the answer.
"""

import re

from ..formulas.finite_field import names_in
from ..formulas.parser import parse
from ..formulas.tokens import Node, TooLarge, Unreadable
from ..spelling.latex_names import CONSTANTS, FUNCTIONS
from ..spelling.lexicon import is_plain, words_of

_LETTER = r"(?:[A-Za-z]|\\[A-Z]?[a-z]+)(?:_(?:\{[A-Za-z0-9,+\\ -]+\}|\\[a-z]+|[a-z]{2,4}|[A-Za-z0-9]))?'*"
VARIABLE = re.compile(_LETTER)
NAMES = re.compile(rf"\( ?{_LETTER}(?:, ?{_LETTER})+ ?\)|{_LETTER}(?:, ?{_LETTER})+")
_DERIVATIVE = re.compile(
    r"(?:\\frac ?\{ ?d[^{}]*\} ?\{ ?d ?[a-z][^{}]*\}|d ?[a-z] ?/ ?d ?[a-z])(?: ?\| ?_ ?\{[^{}]{1,30}\})?"
    r"|\(?[fgh](?: ?\\circ ?[fgh]){1,3}\)? ?\([^()]{1,30}\)"
)
_SIGNS_OF_SHAPES = r"\\(?:m ?)?(?:angle|measuredangle|triangle|odot|square|parallelogram) ?"
_NAME = (
    rf"(?:m ?)?(?:{_SIGNS_OF_SHAPES})*(?:{_LETTER}|[A-Z]{{1,4}}\d?|\\(?:overline|vec|bar|hat|tilde|dot|ddot"
    rf"|widehat|mathbf|mathrm|mathcal|mathbb) ?\{{[^{{}}]*\}})"
)
_HEAD = re.compile(
    rf"(?:\\(?:Delta|delta)(?:_\{{? ?[a-z]+ ?\}}?)? ?)?{_NAME}(?: ?\^ ?\{{? ?\\(?:ominus|circ|theta) "
    rf"?\}}?)?"  # x, A_1, \angle ABC, \overline{AB}
    rf"|\\Delta ?[A-Z](?: ?[_^] ?(?:\{{[^{{}}]*\}}|\\circ|\w)){{0,2}} ?\([^()=]{{1,40}}\)"
    rf"|[A-Zfgh] ?\^ ?\{{? ?(?:-1|\(n\)) ?\}}?"  # f^{-1}
    rf"|[A-Z]{{2}} ?\^ ?\{{?2\}}?|\\(?:sigma|chi) ?\^ ?\{{?2\}}?|R\^ ?\{{?2\}}?"  # AB^2
    rf"|[A-Z](?: ?\\(?:cap|cup|setminus) ?[A-Z]){{1,3}}"  # A \cap B
    rf"|\| ?(?!x ?\|)[A-Za-z]{{1,3}} ?\||\|\\vec ?\{{[^{{}}]*\}}\|"  # |S|, |\vec{v}|; |x| is a formula
    rf"|\\\|[^|\\]{{1,12}}\\\||\[ ?(?:{_SIGNS_OF_SHAPES})?[A-Z]{{3,6}} ?\]|\[ "
    rf"?[A-Z][A-Za-z0-9_^{{}}+-]{{0,12}} ?\]"  # \|v\|, [ABC]
)
_CALL = re.compile(
    r"(?P<name>(?:\\(?!frac|sqrt)[A-Za-z]+|[A-Za-z]+)(?:_(?:\{[^{}]*\}|\w))?'*(?:\^\{?(?:-1"
    r"|\(\w\))\}?)?) ?(?:\((?P<args>.*)\)|\[(?P<more>.*)\])"
)
_SIMPLE = re.compile(r"[\w\\ ,|{}=<>']*")
_NAMED_FUNCTIONS = frozenset(
    [
        r"\max",
        r"\min",
        r"\gcd",
        r"\lcm",
        r"\Re",
        r"\Im",
        r"\det",
        "max",
        "min",
        "gcd",
        "lcm",
        "Re",
        "Im",
        "det",
    ]
)
_NO_HEAD = (
    frozenset(
        name for function in [*FUNCTIONS, *CONSTANTS, "sqrt", "det"] for name in (function, f"\\{function}")
    )
    - _NAMED_FUNCTIONS
)
r"""Functions and constants that are never heads: `\sin(x) = 1` is an equation, `\max(a, b) = 1` is not."""
_LETTERS_OF_FUNCTIONS = "fghpPEFGHTVNS"
_QUOTIENT = re.compile(r"\\frac ?\{([^{}]*)\} ?\{([^{}]*)\}")
_EXTREME = re.compile(
    r"(?:\\?(?:max|min|sup|inf)|\\(?:dim|deg|ker|arg|det)|rank|tr)(?:_(?:\{[^{}]*\}|\w))? ?(?=[A-Za-z\\|])"
)
_ANGLE = r"(?:\\(?:alpha|beta|gamma|delta|theta|phi|psi|omega)|\\angle ?[A-Z]{1,3}|[A-Z]{1,3})"
_FUNCTION_OF_ANGLE = re.compile(
    rf"\\?(?:sin|cos|tan|cot|sec|csc)(?:\^ ?\{{?2\}}?)? ?(?:{_ANGLE}|\( ?{_ANGLE}(?: ?[-+] ?{_ANGLE})? ?\))"
)
r"""Matches `\cos \theta` and `\sin A`, quantities of a figure; `\sin x` is a part of an equation."""
_PHRASE = re.compile(
    r"(?:[A-Za-z]+|\\(?:triangle|angle|text) ?)(?:[ '-]+(?:[A-Za-z]+|\\(?:triangle|angle) ?))*"
)


def is_head(text: str) -> bool:
    r"""Return whether a text is a head: a name, `f(x)`, `|S|`, `\angle ABC`, `(x, y)`, or plain words.

    >>> is_head("f(2)"), is_head("the area"), is_head("x^3"), is_head("x(x - 1)")
    (True, True, False, False)
    """
    if text in CONSTANTS or text in _NO_HEAD or len(text) > 200:
        return False
    if extreme := _EXTREME.match(text):
        text = text[extreme.end() :]
    if _FUNCTION_OF_ANGLE.fullmatch(text):
        return True
    if _HEAD.fullmatch(text) or NAMES.fullmatch(text) or _DERIVATIVE.fullmatch(text) or _is_call(text):
        return text.lstrip("\\") not in CONSTANTS
    if not _PHRASE.fullmatch(text) or not re.search("[A-Za-z]{3}", text):
        return False
    return is_plain(text)


def _is_call(text: str) -> bool:
    """Return whether a text is the value of a function, `f(2)`, and not a product, `x(x - 1)`."""
    match = _CALL.fullmatch(text)
    if match is None or match["name"] in _NO_HEAD:
        return False
    name = match["name"]
    inside = match["args"] or match["more"] or ""
    if name in _NAMED_FUNCTIONS:
        return re.search(r"[A-Za-z]", inside) is not None and re.search(r"\d", inside) is None
    if len(name) == 1 and name not in _LETTERS_OF_FUNCTIONS and not _SIMPLE.fullmatch(inside):
        return False
    return (inside.count("("), inside.count("[")) == (inside.count(")"), inside.count("]"))


def is_wanted(text: str) -> bool:
    r"""Return whether a question may ask for a formula: `m + n`, `\int_0^1 f(x) dx`, but not `x + 1`."""
    if re.match(r"\\(?:sum|prod|i{0,3}nt|lim)(?![a-z])", text):
        return True
    try:
        node = parse(text)
    except (Unreadable, TooLarge):
        return False
    names = names_in(node)
    is_equation = bool(names & {"x", "y", "z"} and names & {"a", "b", "c", "k", "m"})
    return len(names) > 1 and not is_equation and _is_combination(node)


def _is_combination(node: Node) -> bool:
    """Return whether a formula combines variables by signs alone: `m + n`, `ab - cd`, `p/q`.

    With a number or a power in it, as `3x^2 + 4y^2` has, it is rather the left side of an equation to solve.
    """
    if node.op in ("add", "div", "mul", "neg"):
        return all(map(_is_combination, node.args))
    return node.op == "sym"


_FUNCTION_VALUE = re.compile(r"[a-zA-Z]\([a-z]\)")


def same_head(one: str, two: str) -> bool:
    """Return whether two heads may mean the same.

    Words may name any variable, and y may name the value of any function.

    >>> same_head("x", "y"), same_head("f(x)", "y"), same_head("x", "the area")
    (False, True, True)
    """
    if not one or not two:
        return True
    first, second = (re.sub(r"[ {}]", "", _QUOTIENT.sub(r"\1/\2", head)) for head in (one, two))
    if first == second:
        return True
    if _is_words(one) and _is_words(two):
        words = words_of(one), words_of(two)
        return bool(words[0] & words[1]) or bool((words[0] | words[1]) & _GENERAL)
    if _is_words(one) or _is_words(two):
        return True
    if second in ("y", first[:1]):
        first, second = second, first
    return first in ("y", second[:1]) and _FUNCTION_VALUE.fullmatch(second) is not None


_GENERAL = frozenset(
    "answer result value total sum solution number amount quantity expression limit probability".split()
)
"""Words that may name any quantity."""


def _is_words(head: str) -> bool:
    is_phrase = _PHRASE.fullmatch(head) is not None and "\\" not in head
    return is_phrase and re.search(r"[a-z]{3}", head) is not None

r"""A recursive-descent parser from LaTeX and plain formulas to a small tree of `Node`s.

Nothing is evaluated: a model's text never reaches `eval`, sympy's `parse_expr` or `sympify`. Products without
a sign bind like those with one (`1/2x` is `x/2`), a function takes all the factors that follow (`\sin 2x`),
and a run of four letters or more that is not a function is one name, so that anagrams are not equal.

This file has the operators; numbers, names, brackets and commands are in `atoms.py`.
"""

import re
from fractions import Fraction
from functools import lru_cache

from ..spelling.latex_names import FUNCTIONS, VECTORS
from .atoms import Atoms
from .finite_field import Irrational, residue
from .tokens import MAX_DEPTH, Node, TooLarge, Unreadable


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Return the tree of a normalised formula.

    Raises:
        Unreadable: the text is not a formula.
        TooLarge: the formula is too long or nested too deeply.
    """
    parser = _Parser(text)
    try:
        node = parser.whole()
    except RecursionError:
        raise TooLarge("nested too deeply") from None
    if parser.peek() != ("", ""):
        raise Unreadable(f"unexpected {parser.peek()[1]!r}")
    return node


_DEGREE = Node("div", (Node("const", value="pi"), Node("num", value=Fraction(180))))
_WORD_SUBSCRIPTS = frozenset("max min avg tot eq in out net rms".split())
"""Subscripts that are one word even without braces: `v_max`, but `x_ab` is `x_a b`."""
_NOT_A_FACTOR = frozenset(r"\} \rfloor \rceil \rangle \choose \over \% \\".split())
"""Commands that cannot start a factor."""


class _Parser(Atoms):
    """The operators, with one method per level of precedence, from `sum` (binds loosest) to `power`."""

    def whole(self) -> Node:
        r"""Return the contents of a group: a sum, `10 \choose 3` or `5 \over 8`."""
        node = self.sum()
        if self.peek()[1] not in (r"\choose", r"\over"):
            return node
        op = "binom" if self.take() == r"\choose" else "div"
        return Node(op, (node, self.sum()))

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooLarge("nested too deeply")
        terms = [self.product()]
        while self.peek()[1] in ("+", "-"):
            sign = self.take()
            term = self.product()
            terms.append(Node("neg", (term,)) if sign == "-" else term)
        self.depth -= 1
        return terms[0] if len(terms) == 1 else Node("add", tuple(terms))

    def product(self) -> Node:
        """Return a chain of factors, with and without a sign between them; `a/b*c` is `(a/b)*c`."""
        if self.peek()[1] in ("+", "-"):
            sign = self.take()
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise TooLarge("nested too deeply")
            node = self.product()
            self.depth -= 1
            return Node("neg", (node,)) if sign == "-" else node
        node = self.power()
        while True:
            kind, token = self.peek()
            if token in ("*", r"\cdot", r"\times", r"\ast"):
                self.take()
                node = _mul(node, self.signed())
                if token == r"\times" and all(_is_vector(arg) for arg in node.args[-2:]):
                    raise Unreadable("a cross product, which does not commute")
            elif token in ("/", r"\div"):
                self.take()
                node = Node("div", (node, self.signed()))
            elif self.starts_factor(kind, token):
                node = self.juxtaposed(node)
            else:
                return node

    def signed(self) -> Node:
        if self.peek()[1] in ("+", "-"):
            sign = self.take()
            node = self.power()
            return Node("neg", (node,)) if sign == "-" else node
        return self.power()

    def starts_factor(self, kind: str, token: str) -> bool:
        if kind in ("num", "word"):
            return True
        if token in ("|", r"\|"):
            return self.bars == 0  # between bars, the next bar closes them
        if kind == "cmd":
            return token not in _NOT_A_FACTOR
        return token in ("(", "[", "{")

    def juxtaposed(self, left: Node) -> Node:
        r"""Return `left` times the factor that follows; `3\frac{1}{2}` and `3 1/2` are mixed numbers."""
        kind, token = self.peek()
        is_whole = left.op == "num" and left.value.denominator == 1
        if is_whole and token == r"\frac":
            right = self.power()
            numbers = [arg.value for arg in right.args if arg.op == "num"]
            if right.op == "div" and len(numbers) == 2 and 0 < numbers[0] < numbers[1]:
                return Node("num", value=left.value + numbers[0] / numbers[1])
            return _mul(left, right)
        if kind == "num" and is_whole and self.is_fraction():
            top = self.take_number()
            self.take()
            bottom = self.take_number()
            if 0 < top < bottom:
                return Node("num", value=left.value + top / bottom)
            raise Unreadable("two numbers side by side")
        if kind == "num" and left.op == "num":
            raise Unreadable("two numbers side by side")
        return _mul(left, self.power())

    def is_fraction(self) -> bool:
        """Return whether the number that comes next is divided by a number: `1/2`."""
        return len(self.tokens) >= 3 and self.tokens[-2][1] == "/" and self.tokens[-3][0] == "num"

    def power(self) -> Node:
        base = self.atom()
        while True:
            token = self.peek()[1]
            if token == "!":
                self.take()
                base = Node("fact", (base,), self.factorial_step())
            elif token in ("%", r"\%"):
                self.take()
                base = Node("div", (base, Node("num", value=Fraction(100))))
            elif token == "'":
                self.take()
                if base.op != "sym":
                    raise Unreadable("a prime after something other than a name")
                base = Node("sym", value=base.value + "'")
            elif token in ("^", "**"):
                self.take()
                if self.peek()[1] == r"\circ":
                    self.take()
                    base = Node("mul", (base, _DEGREE))
                else:
                    base = Node("pow", (base, self.exponent()))
            elif token == "_" and base.op == "sym":
                base = self.subscript(base)
            elif token == "_" and base.op == "pow" and base.args[0].op == "sym":  # v^2_0 is v_0^2
                base = Node("pow", (self.subscript(base.args[0]), base.args[1]))
            else:
                return base

    def factorial_step(self) -> int:
        """Take the second `!`, if there is one; return 2 for this double factorial, else 1."""
        if self.peek()[1] == "!":
            self.take()
            return 2
        return 1

    def exponent(self) -> Node:
        """Return an exponent: a group, or one factor with its sign; `2^-1`, `x^10`, `2^{3^2}`, `e^x y`."""
        if self.peek()[1] in ("+", "-"):
            sign = self.take()
            inner = self.exponent()
            return Node("neg", (inner,)) if sign == "-" else inner
        kind, token = self.peek()
        if kind == "word" and token not in FUNCTIONS and len(token) > 1:  # x^ab is x^a b in LaTeX
            self.take()
            self.tokens.append(("word", token[1:]))
            self.tokens.append(("word", token[0]))
        ahead = [text for _, text in self.tokens[:-6:-1]]  # the next five tokens
        if ahead[:2] == ["{", "("] and ahead[3:] == [")", "}"]:
            raise Unreadable("the order of a derivative")  # f^{(4)} is not a power
        node = self.atom()
        if self.peek()[1] in ("^", "**"):
            self.take()
            node = Node("pow", (node, self.exponent()))
        return node

    def subscript(self, base: Node) -> Node:
        self.expect("_")
        kind, token = self.peek()
        if token == "{":
            return Node("sym", value=f"{base.value}_{self.index()}")
        if kind not in ("num", "word", "cmd"):
            raise Unreadable("an empty subscript")
        token = self.take()
        if kind == "word" and len(token) > 1 and token not in _WORD_SUBSCRIPTS:
            self.tokens.append(("word", token[1:]))
            token = token[0]
        name = token.removeprefix("\\")
        return Node("sym", value=f"{base.value}_{name}")

    def index(self) -> str:
        r"""Take a subscript in braces; equal calculations, such as `n+1` and `1+n`, give the same text."""
        ahead = list(self.tokens)
        text = self.raw_argument()
        if not re.search(r"\w[-+*/^]|\d[a-z]", text):
            return text
        after, self.tokens = self.tokens, ahead
        try:
            node = self.group()
            return f"#{residue(node, 0)}"
        except (Unreadable, Irrational, ZeroDivisionError):
            return text
        finally:
            self.tokens = after


def _is_vector(node: Node) -> bool:
    return node.op == "sym" and node.value.startswith(VECTORS)


def _mul(left: Node, right: Node) -> Node:
    return Node("mul", (*left.args, right)) if left.op == "mul" else Node("mul", (left, right))

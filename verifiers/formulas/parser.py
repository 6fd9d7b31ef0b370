r"""Tier 4, reading: a parser of LaTeX and plain formulas to a small tree.

Own grammar, no evaluation: text of a model never reaches `eval`, `parse_expr` or string `sympify`.
Depth is capped here, characters and tokens before (`tokens.py`). Implicit products bind like explicit ones
(`1/2x` is `x/2`), a function takes the factors behind it (`\sin 2x`), and runs of four letters or
more that are no function are one name, so that anagrams are not equal.
"""

from fractions import Fraction
from functools import lru_cache

from ..text.latex_names import FUNCTIONS, VECTORS
from .atoms import Atoms
from .tokens import MAX_DEPTH, Node, TooLarge, Unreadable


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Return the tree of a normalised formula.

    Raises:
        Unreadable: it is no formula. TooLarge: it passes a cap.
    """
    parser = _Parser(text)
    try:
        node = parser.whole()
    except RecursionError:
        raise TooLarge("nested too deeply") from None
    if parser.peek() != ("", ""):
        raise Unreadable(f"unexpected {parser.peek()[1]!r}")
    return node


_SUBSCRIPTS = frozenset("max min avg tot eq in out net rms".split())


class _Parser(Atoms):
    """Recursive descent over the tokens; one method a level of precedence."""

    def whole(self) -> Node:
        r"""Return what a group holds: a sum, or `10 \choose 3` and `5 \over 8`."""
        node = self.sum()
        if self.peek()[1] not in (r"\choose", r"\over"):
            return node
        return Node("binom" if self.take() == r"\choose" else "div", (node, self.sum()))

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
        """Return a chain of factors, explicit and implicit; `a/b*c` goes from left to right."""
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
                    raise Unreadable("a product of vectors")
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
            return self.bars == 0
        if kind == "cmd":
            return token not in (r"\}", r"\rfloor", r"\rceil", r"\rangle", r"\choose", r"\over", r"\%", r"\\")
        return token in ("(", "[", "{")

    def juxtaposed(self, left: Node) -> Node:
        r"""Return a product without a sign; `3\frac{1}{2}` and `3 1/2` are mixed numbers."""
        kind, token = self.peek()
        whole = left.op == "num" and left.value.denominator == 1
        if whole and token == r"\frac":
            right = self.power()
            top_bottom = [arg.value for arg in right.args if arg.op == "num"]
            if right.op == "div" and len(top_bottom) == 2 and 0 < top_bottom[0] < top_bottom[1]:
                return Node("num", value=left.value + top_bottom[0] / top_bottom[1])
            return _mul(left, right)
        if (
            whole
            and kind == "num"
            and len(self.tokens) >= 3
            and self.tokens[-2][1] == "/"
            and self.tokens[-3][0] == "num"
        ):
            top, _, bottom = (
                Fraction(self.take().replace(",", "")),
                self.take(),
                Fraction(self.take().replace(",", "")),
            )
            if 0 < top < bottom:
                return Node("num", value=left.value + top / bottom)
            raise Unreadable("two numbers side by side")
        if kind == "num" and left.op == "num":
            raise Unreadable("two numbers side by side")
        return _mul(left, self.power())

    def power(self) -> Node:
        base = self.atom()
        while True:
            token = self.peek()[1]
            if token == "!":
                self.take()
                base = Node("fact", (base,), self.double_mark())
            elif token in ("%", r"\%"):
                self.take()
                base = Node("div", (base, Node("num", value=Fraction(100))))
            elif token == "'":
                self.take()
                if base.op != "sym":
                    raise Unreadable("a prime behind what is no name")
                base = Node("sym", value=base.value + "'")
            elif token in ("^", "**"):
                self.take()
                if self.peek()[1] == r"\circ":
                    self.take()
                    base = Node(
                        "mul",
                        (base, Node("div", (Node("const", value="pi"), Node("num", value=Fraction(180))))),
                    )
                else:
                    base = Node("pow", (base, self.exponent()))
            elif token == "_" and base.op == "sym":
                base = self.subscript(base)
            else:
                return base

    def double_mark(self) -> int:
        if self.peek()[1] == "!":
            self.take()
            return 2
        return 1

    def exponent(self) -> Node:
        """Return an exponent: a group, or one signed factor; `2^-1`, `x^10`, `2^{3^2}`, `e^x y`."""
        if self.peek()[1] in ("+", "-"):
            sign = self.take()
            inner = self.exponent()
            return Node("neg", (inner,)) if sign == "-" else inner
        kind, token = self.peek()
        if kind == "word" and token not in FUNCTIONS and len(token) > 1:  # x^ab is x^a b in LaTeX
            self.take()
            self.tokens.append(("word", token[1:]))
            self.tokens.append(("word", token[0]))
        if [pair[1] for pair in self.tokens[:-3:-1]] == ["{", "("] and [
            pair[1] for pair in self.tokens[-4:-6:-1]
        ] == [")", "}"]:
            raise Unreadable("a derivative's order")
        node = self.atom()
        if self.peek()[1] in ("^", "**"):
            self.take()
            node = Node("pow", (node, self.exponent()))
        return node

    def subscript(self, base: Node) -> Node:
        self.expect("_")
        kind, token = self.peek()
        if token == "{":
            return Node("sym", value=f"{base.value}_{self.raw_argument()}")
        if kind not in ("num", "word", "cmd"):
            raise Unreadable("an empty subscript")
        token = self.take()
        if kind == "word" and len(token) > 1 and token not in _SUBSCRIPTS:
            self.tokens.append(("word", token[1:]))
            token = token[0]
        return Node("sym", value=f"{base.value}_{token.removeprefix(chr(92))}")


def _is_vector(node: Node) -> bool:
    return node.op == "sym" and node.value.startswith(VECTORS)


def _mul(left: Node, right: Node) -> Node:
    return Node("mul", (*left.args, right)) if left.op == "mul" else Node("mul", (left, right))

r"""Tier 4, reading: a parser of LaTeX and plain formulas to a small tree.

Own grammar, no evaluation: text of a model never reaches `eval`, `parse_expr` or string `sympify`.
Depth is capped here, characters and tokens before (`tokens.py`). Implicit products bind like explicit ones
(`1/2x` is `x/2`), a function takes the factors behind it (`\sin 2x`), and runs of four letters or
more that are no function are one name, so that anagrams are not equal.
"""

from fractions import Fraction
from functools import lru_cache

from .tokens import (
    CONSTANTS,
    FUNCTIONS,
    GREEK,
    INVERSE,
    MARKS,
    MAX_DEPTH,
    VECTORS,
    Node,
    Tokens,
    TooLarge,
    Unreadable,
)


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
_ONE, _PI = Node("num", value=Fraction(1)), Node("const", value="pi")
_ENDS_ARGUMENT = ("sqrt", r"\cdot", r"\times", r"\ast", r"\div")
_SEVERAL = ("min", "max", "gcd", "lcm")
"""Functions of more than one argument."""


class _Parser(Tokens):
    """Recursive descent over the tokens; one method a level of precedence."""

    def __init__(self, text: str):
        super().__init__(text)
        self.depth = 0
        self.bars = 0

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

    def atom(self) -> Node:
        kind, token = self.peek()
        if kind == "num":
            return Node("num", value=Fraction(self.take().replace(",", "")))
        if kind == "word":
            return self.word()
        if kind == "cmd":
            return self.command()
        if token in ("(", "[", "{"):
            return self.group()
        if token == "|":
            return self.absolute("|")
        raise Unreadable(f"unexpected {token!r}" if token else "it ends too early")

    def group(self) -> Node:
        opening = self.take()
        bars, self.bars = self.bars, 0
        node = self.whole() if opening == "{" else self.sum()
        self.bars = bars
        self.expect({"(": ")", "[": "]", "{": "}"}[opening])
        return node

    def absolute(self, closing: str) -> Node:
        self.take()
        self.bars += 1
        node = self.sum()
        self.bars -= 1
        self.expect(closing)
        return Node("abs", (node,))

    def word(self) -> Node:
        """Return a function, a constant or a name; `xy` is a product, `apples` one name."""
        token = self.take()
        if token in FUNCTIONS:
            return self.function(FUNCTIONS[token])
        if token in ("sqrt", "cbrt"):
            return Node("root", (self.argument(),), 2 if token == "sqrt" else 3)
        if token in CONSTANTS:
            return Node("const", value=CONSTANTS[token])
        if token in GREEK:
            return Node("sym", value=token)
        if len(token) == 1:
            return self.named(token, always=self.is_function(token))
        if token[1:].isdigit() and token[0] == "i":  # i4 is 4i
            self.tokens.append(("num", token[1:]))
            return Node("const", value="i")
        if token[1:].isdigit():
            return Node("sym", value=f"{token[0]}_{token[1:]}")
        if len(token) > 3:
            return Node("sym", value=token)
        self.tokens.append(("word", token[1:]))
        self.tokens.append(("word", token[0]))
        return self.atom()

    def is_function(self, letter: str) -> bool:
        r"""Whether a letter before a bracket is a function: `f(2x)`, `P(2)`, not `g(\sin a - \cos a)`."""
        if letter in "hpqFGHPQ":
            return self.one_letter()
        return letter == "f" or (letter == "g" and not self.has_function())

    def named(self, name: str, *, always: bool = False) -> Node:
        r"""Return a name, or the call of an unknown function: `f(x)`, `C(n, k)`, `\phi(n)`."""
        if self.peek()[1] != "(" or not (always or self.has_comma()):
            return Node("sym", value=name)
        arguments = self.arguments()
        if name == "C" and len(arguments) == 2:
            return Node("binom", arguments)
        return Node("call", arguments, f"{name}()")

    def command(self) -> Node:
        token = self.take()
        name = token[1:]
        if token == r"\frac":
            top = self.latex_argument(digits=True)
            return Node("div", (top, self.latex_argument(digits=True)))
        if token == r"\sqrt":
            degree = 2
            if self.peek()[1] == "[":
                self.take()
                degree = self.sum()
                self.expect("]")
                if degree.op != "num" or degree.value.denominator != 1 or not degree.value:
                    return Node("root", (self.latex_argument(), degree))
                degree = int(degree.value)
            return Node("root", (self.latex_argument(),), degree)
        if token == r"\binom":
            top = self.latex_argument(digits=True)
            return Node("binom", (top, self.latex_argument(digits=True)))
        if name in FUNCTIONS:
            return self.function(FUNCTIONS[name])
        if name in CONSTANTS:
            return Node("const", value=CONSTANTS[name])
        if token in (r"\lfloor", r"\lceil"):
            node = self.sum()
            self.expect(r"\rfloor" if token == r"\lfloor" else r"\rceil")
            return Node("call", (node,), "floor" if token == r"\lfloor" else "ceil")
        if token == r"\{":
            node = self.sum()
            self.expect(r"\}")
            return node
        if token == r"\|":
            self.tokens.append(("cmd", token))
            return self.absolute(r"\|")
        if token in MARKS:
            return Node("sym", value=f"{token}{{{self.raw_argument()}}}")
        if token == r"\unit":
            return Node("sym", value=f"unit {self.raw_argument()}")
        if name not in GREEK:
            raise Unreadable(f"{token} is not read here")
        return self.named(
            name, always=name == "zeta" or (name in ("phi", "tau", "sigma", "mu") and self.one_letter())
        )

    def latex_argument(self, *, digits: bool = False) -> Node:
        r"""Return what LaTeX takes as one argument: a group, or one letter.

        With `digits` one digit, as LaTeX does (`\binom52`); `\sqrt12` is nearly always meant as 12.
        """
        kind, token = self.peek()
        if token in ("{", "("):
            return self.group()
        word = kind == "word" and token not in FUNCTIONS and token not in CONSTANTS
        if len(token) > 1 and (word or (digits and token.isdigit())):
            self.take()
            self.tokens.append((kind, token[1:]))
            self.tokens.append((kind, token[0]))
        if digits and kind == "num":
            return Node("num", value=Fraction(self.take().replace(",", "")))
        return self.atom()

    def function(self, name: str) -> Node:
        r"""Return a call: `\sin x`, `\sin^2 x`, `\sin^{-1} x`, `\log_2 8`, `\gcd(a, b)`."""
        base: Node | None = None
        power: Node | None = None
        for _ in range(2):
            if self.peek()[1] == "_" and name in ("log", "ln"):
                self.take()
                base = self.latex_argument() if self.peek()[1] == "{" else self.atom()
            elif self.peek()[1] in ("^", "**"):
                self.take()
                power = self.exponent()
        if name in _SEVERAL:
            return Node("call", self.arguments(), name)
        argument = self.argument()
        inverse = power is not None and power.op == "neg" and power.args[0] == _ONE and name in INVERSE
        node = Node("call", (argument,), INVERSE[name] if inverse else name)
        if name == "abs":
            node = Node("abs", (argument,))
        if base is not None:
            node = Node("div", (Node("call", (argument,), "ln"), Node("call", (base,), "ln")))
        return node if power is None or inverse else Node("pow", (node, power))

    def is_exponential(self) -> bool:
        r"""Whether `e^` comes next, a function of its own: `\cos y e^{-x}`."""
        return [pair[1] for pair in self.tokens[:-3:-1]] in (["e", "^"], ["e", "**"])

    def arguments(self) -> tuple[Node, ...]:
        self.expect("(", r"\{")
        found = [self.sum()]
        while self.peek()[1] == ",":
            self.take()
            found.append(self.sum())
        self.expect(")", r"\}")
        return tuple(found)

    def argument(self) -> Node:
        r"""Return a function's argument: one bracket, or the factors up to a sign, a dot or a function."""
        kind, token = self.peek()
        if token in ("(", "[", "{", "|"):
            return self.atom()
        node = self.power() if token not in ("-",) else self.signed()
        while True:
            kind, token = self.peek()
            ends = token.removeprefix("\\") in FUNCTIONS or token in _ENDS_ARGUMENT or self.is_exponential()
            if kind in ("num", "word", "cmd") and self.starts_factor(kind, token) and not ends:
                node = self.juxtaposed(node)
            elif token == "/" and _PI in (node, *node.args):  # sin 3pi/2
                self.take()
                node = Node("div", (node, self.power()))
            else:
                return node


def _is_vector(node: Node) -> bool:
    return node.op == "sym" and node.value.startswith(VECTORS)


def _mul(left: Node, right: Node) -> Node:
    return Node("mul", (*left.args, right)) if left.op == "mul" else Node("mul", (left, right))

"""Tables of mathematical names in LaTeX and plain text: functions, constants, letters, commands."""

FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "sec": "sec", "csc": "csc", "cosec": "csc", "cot": "cot",
    "tg": "tan", "ctg": "cot", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "asin": "asin",
    "acos": "acos", "atan": "atan", "arctg": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "coth": "coth", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "ln": "ln", "log": "log",
    "lg": "log", "exp": "exp", "floor": "floor", "ceil": "ceil", "abs": "abs", "sgn": "sign", "sign": "sign",
    "min": "min", "max": "max", "gcd": "gcd", "lcm": "lcm", "Gamma": "gamma", "arccot": "acot", "Re": "re",
    "Im": "im", "arg": "arg", "conj": "conj", "cis": "cis",
}  # fmt: skip
"""Every spelling of a function, with the name under which `verifiers/formulas` evaluates it."""
INVERSE = {
    "sin": "asin", "cos": "acos", "tan": "atan", "sinh": "asinh", "cosh": "acosh", "tanh": "atanh",
    "cot": "acot",
}  # fmt: skip
r"""The function that an exponent of -1 makes of another: `\sin^{-1}` is the arcsine."""
CONSTANTS = {"pi": "pi", "e": "e", "i": "i", "infty": "inf", "inf": "inf", "infinity": "inf", "oo": "inf"}
"""Every spelling of a constant, with the name under which `verifiers/formulas` evaluates it."""
GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau"
    " upsilon phi chi psi omega Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar aleph prime".split()
)
"""Commands that may name a variable: letters, and the few symbols that are used as such."""
COMMANDS = (
    GREEK | frozenset(FUNCTIONS) | frozenset(CONSTANTS)
    | frozenset(
        "frac sqrt binom cdot times div pm mp left right le ge ne in notin ni subset subseteq"
        " supset supseteq cup cap setminus emptyset to rightarrow leftarrow Rightarrow Leftarrow"
        " Leftrightarrow leftrightarrow mapsto implies iff neg lnot forall exists nexists wedge vee"
        " oplus otimes odot ominus partial nabla langle rangle lfloor rfloor lceil rceil mid"
        " parallel perp angle triangle square sim simeq cong equiv approx propto circ bullet star"
        " ast dagger prime overline bar vec hat tilde dot ddot overrightarrow overleftrightarrow"
        " widehat underline mathbb unit ldots therefore because models vdash top bot Box Diamond"
        " infty Omega rightleftharpoons longrightarrow uparrow downarrow pmod mathrm text".split()
    )
)  # fmt: skip
"""Commands that a person can read, including those that no tier can evaluate."""
VECTORS = ("\\vec{", "\\overrightarrow{", "\\hat{")
"""The starts of a name that denotes a vector."""
MARKS = frozenset(
    r"\overline \bar \vec \hat \tilde \overrightarrow \overleftrightarrow \widehat \mathbb"
    r" \underline \dot \ddot".split()
)
r"""Commands that mark the letter after them: `\bar{x}` is another variable than `x`."""
REAL_LINE = r"\\mathbb ?\{?R\}?"
r"""A pattern that matches the set of real numbers: `\mathbb{R}`, `\mathbb R`."""
IN_REAL_LINE = rf" ?\\in ?{REAL_LINE}"
r"""A pattern that matches the statement after a name that it is a real number: ` \in \mathbb{R}`."""

"""Names of mathematics as LaTeX and plain text write them: functions, constants, letters, other commands."""

FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "sec": "sec", "csc": "csc", "cosec": "csc", "cot": "cot",
    "tg": "tan", "ctg": "cot", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "asin": "asin",
    "acos": "acos", "atan": "atan", "arctg": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "coth": "coth", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "ln": "ln", "log": "log",
    "lg": "log", "exp": "exp", "floor": "floor", "ceil": "ceil", "abs": "abs", "sgn": "sign", "sign": "sign",
    "min": "min", "max": "max", "gcd": "gcd", "lcm": "lcm", "Gamma": "gamma", "arccot": "acot", "Re": "re",
    "Im": "im", "arg": "arg", "conj": "conj", "cis": "cis",
}  # fmt: skip
INVERSE = {
    "sin": "asin", "cos": "acos", "tan": "atan", "sinh": "asinh", "cosh": "acosh", "tanh": "atanh",
    "cot": "acot",
}  # fmt: skip
CONSTANTS = {"pi": "pi", "e": "e", "i": "i", "infty": "inf", "inf": "inf", "infinity": "inf", "oo": "inf"}
GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau"
    " upsilon phi chi psi omega Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar aleph prime".split()
)
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
"""Commands that a reader knows, whether or not this parser does."""
VECTORS = ("\\vec{", "\\overrightarrow{", "\\hat{")
MARKS = frozenset(
    r"\overline \bar \vec \hat \tilde \overrightarrow \overleftrightarrow \widehat \mathbb"
    r" \underline \dot \ddot".split()
)
REAL_LINE = r"\\mathbb ?\{?R\}?"
"""Pattern of the set of real numbers as LaTeX writes it."""

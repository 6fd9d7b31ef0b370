r"""Comparing answers with conditions: families such as `2\pi k, k \in \mathbb{Z}`, and `x^2 if x > 0`."""

from ..formulas.free_letters import renamed
from .conditions import Parameter, shifted, without_clause, without_idle_clause, without_parameter
from .outline import Same
from .progressions import same_numbers
from .real_sets import is_region


def compare_conditions(reference: str, answer: str, same: Same) -> bool | None:
    r"""Compare `2\pi k, k \in \mathbb{Z}` and `x^2 if x > 0`; None if neither side has a condition."""
    if not any(mark in text for text in (reference, answer) for mark in " ,"):
        return None
    plain = without_idle_clause(reference), without_idle_clause(answer)
    if plain != (reference, answer):
        return same(*plain)
    (formula, running), (given, given_running) = without_parameter(reference), without_parameter(answer)
    if running is not None and given_running is not None:
        return _same_family(formula, running, given, given_running, same)
    only = running or given_running
    if only is not None:
        return _same_without_parameter(formula, given, only, same)
    (main, condition), (given_main, given_condition) = without_clause(reference), without_clause(answer)
    if not condition and not given_condition:
        return None
    if not condition or not given_condition or same(main, given_main) is not True:
        return False
    return condition == given_condition or same(condition, given_condition) is True


_SHIFTS = (1, -1, 2, -2, 3, -3)


def _same_family(
    formula: str, running: Parameter, given: str, given_running: Parameter, same: Same
) -> bool | None:
    r"""Compare two families: for all integers, `k\pi` and `(n + 1)\pi` are the same numbers."""
    own_letter = renamed(given, given_running.letter, running.letter) or given
    if running.start is not None and given_running.start is not None:
        steps = given_running.start - running.start
        return same(formula, shifted(own_letter, running.letter, steps) if steps else own_letter)
    if running.domain != given_running.domain:
        return False
    outcome = same(formula, own_letter)
    if outcome is not False or running.domain != "Z":
        return outcome
    as_numbers = same_numbers(formula, own_letter, running.letter)
    if as_numbers is not None:
        return as_numbers
    other_ways = [shifted(own_letter, running.letter, steps) for steps in _SHIFTS]
    other_ways += [shifted(own_letter, running.letter, steps, sign="-") for steps in (0, *_SHIFTS)]
    return any(same(formula, other) for other in other_ways)


def _same_without_parameter(formula: str, given: str, parameter: Parameter, same: Same) -> bool | None:
    """Compare two formulas of which only one gives the domain of a letter."""
    # `x > 3, x an integer` is a smaller set than `x > 3`.
    is_subset = parameter.domain != "R" and (is_region(formula) or is_region(given))
    if is_subset or not parameter.is_customary:
        return False
    outcome = same(formula, given)
    if outcome is False and parameter.domain == "Z":
        return same_numbers(formula, given, parameter.letter) or False
    return outcome

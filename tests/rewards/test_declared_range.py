"""No score leaves the range that its scheme declares: random schemes on rows to which parts do not apply."""

import json
import math
from typing import Any

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from markscheme.rewards import MarkScheme, Score, reward
from markscheme.sandbox import DataError, TaskError
from markscheme.tasks import Completion, Problem
from markscheme.verifiers import verifier
from support import MakeTask

RANGES = {
    "unit": (0.0, 1.0),
    "penalty": (-1.0, 0.0),
    "signed": (-1.0, 1.0),
    "graded": (1.0, 5.0),
    "strict_penalty": (-3.0, -0.5),
    "wide": (0.0, 10.0),
    "open_above": (0.0, math.inf),
    "open_below": (-math.inf, 0.0),
    "open": (-math.inf, math.inf),
}
"""Rewards of every kind of range; each gives what the row has in the column of its name."""
COMPONENTS = [*list(RANGES)[:6] * 6, *list(RANGES)[6:], "maybe"]
"""What entries use: open ranges seldom, because one of them makes the range of the whole scheme open."""
FAILED = ["timeout", "abstain", "bug", "infra_error"]


def results_within(bounds: tuple[float, float]) -> st.SearchStrategy[Any]:
    low, high = max(bounds[0], -1e308), min(bounds[1], 1e308)
    results = {
        "end": st.sampled_from([low, high]),
        "value": st.floats(low, high),
        "not_applicable": st.just("not_applicable"),
        "failure": st.sampled_from(FAILED),
    }
    kinds = [*["end"] * 6, "value", *["not_applicable"] * 4, "failure"]
    return st.sampled_from(kinds).flatmap(results.__getitem__)


ROWS = st.fixed_dictionaries({name: results_within(bounds) for name, bounds in RANGES.items()})
ENTRY_NAMES = [f"e{i}" for i in range(5)]


def member_entries(depth: int) -> st.SearchStrategy[Any]:
    """Entries as a task file writes them, without what only an entry of its own may have."""
    options = {
        "clip": st.sampled_from([[-0.5, 2], [-3, 0.5]]),
        "on_failure": st.dictionaries(
            st.sampled_from(["timeout", "abstain", "bug"]), st.sampled_from([0.5, -0.5, 0.0, "leave_out"])
        ),
    }
    simple = st.fixed_dictionaries({"use": st.sampled_from(COMPONENTS)}, optional=options)
    if depth == 0:
        return simple
    member = st.one_of(member_entries(depth - 1), st.sampled_from([*ENTRY_NAMES * 2, *COMPONENTS]))
    members = st.lists(member, min_size=1, max_size=3)
    composites = [
        st.fixed_dictionaries({"use": st.just(use), "of": members}, optional=options)
        for use in ("cascade", "any_of")
    ]
    reduce = {"reduce": st.sampled_from(["mean", "median", "min"])}
    ensembles = st.fixed_dictionaries(
        {"use": st.just("ensemble"), "of": members}, optional={**options, **reduce}
    )
    return st.one_of(*[simple] * 6, *composites, ensembles)


WEIGHT = st.sampled_from([0, 1, 1, 1, 0.1, 3, -0.5, -2])
ENTRIES = st.tuples(
    member_entries(2),
    st.fixed_dictionaries(
        {},
        optional={
            "weight": st.one_of(WEIGHT, st.fixed_dictionaries({0: WEIGHT, 10: WEIGHT})),
            "ramp": st.booleans(),
            "when": st.sampled_from([{"kind": "math"}, {"kind": ["code"]}, {"gone": 1}, *ENTRY_NAMES]),
        },
    ),
).map(lambda pair: {**pair[0], **pair[1]})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(ENTRIES, min_size=1, max_size=4),
    combine=st.sampled_from(["sum", "sum", "sum", "min", "product", "all_of", "any_of"]),
    results=st.lists(ROWS, min_size=1, max_size=3),
    maybe=st.sampled_from([True, False, None]),
    step=st.sampled_from([None, 0, 5, 12]),
)
def test_no_score_leaves_the_declared_range(
    make_task: MakeTask,
    entries: list[dict[str, Any]],
    combine: str,
    results: list[dict[str, Any]],
    maybe: bool | None,
    step: int | None,
) -> None:
    for name, bounds in RANGES.items():

        @reward(name, range=bounds)
        def given_result(problem: Problem, completion: Completion, *, name: str = name) -> float | Score:
            result = problem.info[name]
            return Score(None, result) if isinstance(result, str) else result

    verifier("maybe")(lambda problem, completion: maybe)
    rewards = {
        name: _acyclic(entry, i) for i, (name, entry) in enumerate(zip(ENTRY_NAMES, entries, strict=False))
    }
    text = "\n".join(f"  {name}: {_flow(entry)}" for name, entry in rewards.items())
    try:
        scheme = MarkScheme(make_task(f"combine: {combine}\nrewards:\n{text}"))
    except (TaskError, DataError):  # such as a circle, or a clip outside the range
        reject()
    problems = [Problem(prompt="q", reference="4", info={"kind": "math", **row}) for row in results]
    scores = scheme.score(problems, [Completion("x")] * len(problems), step=step)
    low, high = scheme.range_at(step)
    for score in scores:
        for name, part in score.parts.items():
            bounds = scheme.bounds_of(name)
            gated = isinstance(rewards[name].get("when"), str) and part.value == 0
            assert part.value is None or gated or bounds[0] <= part.value <= bounds[1]
        if score.value is not None:
            slack = 1e-9 * max(abs(end) for end in (low, high, 0.0) if math.isfinite(end))
            assert low - slack <= score.value <= high + slack, (score, (low, high))
            assert math.isfinite(score.value)


def _acyclic(entry: Any, place: int) -> Any:
    """Return an entry, or a member of one, in which names of entries are those of earlier ones."""
    if isinstance(entry, dict):
        return {
            key: _acyclic(value, place) if key in ("of", "when") else value for key, value in entry.items()
        }
    if isinstance(entry, list):
        return [_acyclic(member, place) for member in entry]
    if entry not in ENTRY_NAMES:
        return entry
    return ENTRY_NAMES[ENTRY_NAMES.index(entry) % place] if place else "unit"


def _flow(entry: dict[str, Any]) -> str:
    """Return an entry in YAML's flow style; JSON would turn the steps of a schedule into text."""
    text = json.dumps(entry)
    return text.replace('"0": ', "0: ").replace('"10": ', "10: ")

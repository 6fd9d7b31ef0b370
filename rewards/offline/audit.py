"""`audit`: score rows from another tool's log, as it recorded them and as a task of ours marks them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...sandbox.errors import DataError, MarkschemeError, TaskError
from ...tasks.load_problems import load_problems
from ...tasks.problem import Completion, Problem, asked_in, content_id
from ...tasks.rows.problem_maker import ProblemMaker
from ...tasks.rows.row_files import OnBad
from ..rows.scores import Lineage, score_row
from ..rows.trainer_logs import LoggedRow
from ..scheme import MarkScheme
from ..score import Part, Score, Status
from .scoring import in_chunks

RIGHT_FROM = 1.0
"""The lowest recorded score that calls a completion right."""


def recorded_row(
    logged: LoggedRow,
    source: str,
    right: str | None,
    weights: Sequence[float],
    ours: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a logged completion as a score row with the marks that its log records.

    Args:
        logged: the completion.
        source: the name of the tool, which stands for the task's.
        right: the score that says what is right, if it is `RIGHT_FROM` or more; None = the first.
        weights: of the recorded scores in the total; empty = all 1.
        ours: the row of our own marks, which is the label that the recorded one is compared with.

    Raises:
        DataError: there is no score of that name, or not one weight per score.
    """
    names = list(logged.recorded)
    if right is not None and names and right not in names:
        raise DataError(
            f"{logged.place}: there is no recorded score {right!r} (there are: {', '.join(names)})"
        )
    if weights and names and len(weights) != len(names):
        raise DataError(
            f"{logged.place}: expected one weight for each of {', '.join(names)} (given: {weights})"
        )
    parts = {}
    for name, weight in zip(names, weights or [1.0] * len(names), strict=False):
        value = logged.recorded[name]
        status = Status.NOT_APPLICABLE if value is None else Status.OK
        parts[name] = Part(value, weight, status, reason="recorded")
    known = [part.weight * part.value for part in parts.values() if part.value is not None]
    says = logged.recorded.get(right or (names[0] if names else ""))
    known_id = "" if ours is None else ours["problem"]
    problem = Problem(id=known_id, prompt=_prompt(logged.prompt), reference=_reference(logged.reference))
    return score_row(
        Lineage(source, source, {}),
        problem,
        Completion(logged.completion),
        Score(sum(known) if known else None, Status.OK if known else Status.ABSTAIN, parts),
        right=None if says is None else says >= RIGHT_FROM,
        label=None if ours is None else ours["right"],
        **_place(logged),
    )


def _prompt(given: Any) -> Any:
    return given if isinstance(given, str) else tuple(given)


def _reference(given: Any) -> Any:
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [str(one) for one in given]
    return None if given is None else str(given)


def _place(logged: LoggedRow) -> dict[str, Any]:
    return {
        "place": logged.place,
        "step": logged.step,
        "group": logged.group,
        "advantage": logged.advantage,
    }


def remarked(
    scheme: MarkScheme, lineage: Lineage, rows: Iterable[LoggedRow], split: str | None, on_bad: OnBad | None
) -> Iterator[tuple[LoggedRow, dict[str, Any] | None]]:
    """Yield each logged completion with the score row that our scheme gives it.

    The row is None if its problem is not known and `on_bad` took the error.

    Args:
        scheme: marks the completions.
        lineage: of the scheme.
        rows: the log.
        split: the split of the task's data in which prompts are looked up.
        on_bad: takes the errors of completions whose problem is not known; None = raise them.

    Raises:
        DataError: see `on_bad`.
    """
    finder = _PromptFinder(scheme, split)
    for chunk in in_chunks(rows, lambda logged: logged.prompt):
        found: dict[int, Problem] = {}
        for i, logged in enumerate(chunk):
            try:
                found[i] = finder.find(logged)
            except DataError as error:
                if on_bad is None:
                    raise
                on_bad(error)
        answers = [Completion(chunk[i].completion) for i in found]
        scores = dict(zip(found, scheme.score(list(found.values()), answers), strict=True))
        for i, logged in enumerate(chunk):
            if i not in found:
                yield logged, None
                continue
            completion, score = Completion(logged.completion), scores[i]
            right = scheme.is_right(score)
            yield logged, score_row(lineage, found[i], completion, score, right=right, **_place(logged))


class _PromptFinder:
    """Finds the problem that a logged completion answers: by the log's own columns, or by the prompt."""

    def __init__(self, scheme: MarkScheme, split: str | None):
        self._scheme, self._split = scheme, split
        # What only checks and messages read may be missing in a log.
        self._maker = ProblemMaker(scheme.task, leave_out=("solution", "id", "info"))
        self._by_prompt: dict[str, Problem] | None = None
        self._found: dict[str, Problem | None] = {}

    def find(self, logged: LoggedRow) -> Problem:
        prompt = logged.prompt
        text = asked_in(prompt)
        given = {"prompt": text, "question": text, "reference": logged.reference, **logged.columns}
        columns = {name: value for name, value in given.items() if value is not None}
        if self._maker.columns <= columns.keys():
            problem = self._maker(columns, logged.place)
        else:
            problem = self._in_the_data(prompt, text)
        if problem is None:
            missing = ", ".join(sorted(self._maker.columns - set(columns))) or "reference"
            raise DataError(
                f"{logged.place}: no problem of task {self._scheme.task.name!r} has the prompt {text[:60]!r},"
                f" and the log lacks what the task's templates read ({missing}); give the data with --set"
                " data.path=FILE and perhaps --split, or log the reference"
            )
        faults = self._scheme.faults_of(problem)
        if faults:
            raise DataError(f"{logged.place}: {'; '.join(faults)}")
        return problem

    def _in_the_data(self, prompt: Any, text: str) -> Problem | None:
        """Return the problem with this prompt, or the longest one whose prompt is within it."""
        if self._by_prompt is None:
            self._by_prompt = self._load()
        key = content_id(prompt)
        if key not in self._found:
            exact = self._by_prompt.get(text)
            inside = [known for known in self._by_prompt if exact is None and known in text]
            longest = max(inside, key=len, default=None)
            self._found[key] = exact if longest is None else self._by_prompt[longest]
        return self._found[key]

    def _load(self) -> dict[str, Problem]:
        try:
            problems = load_problems(self._scheme.task, split=self._split)
        except TaskError:
            raise
        except MarkschemeError:
            return {}  # such as a hub data set without a network; the log may still have what is needed
        by_prompt = {}
        for problem in problems:
            by_prompt[asked_in(problem.prompt)] = problem
        return by_prompt

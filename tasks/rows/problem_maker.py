"""`ProblemMaker`: from rows to problems, by the templates of a task."""

from collections.abc import Sequence

from pydantic import ValidationError

from ...sandbox.errors import DataError, TaskError
from ..problem import Problem
from ..schema import Task
from ..templates import check_columns, compile_template, render
from ..validation import first_fault
from .row_files import Row


class ProblemMaker:
    """A callable that turns rows into problems, by a task's templates, which it compiles once.

    Args:
        task: the task.
        leave_out: names of templates, such as `solution`, that are left out.
    """

    def __init__(self, task: Task, *, leave_out: Sequence[str] = ()):
        self.task = task
        self._templates = {
            name: compile_template(value, task.where("problem", name))
            for name, value in vars(task.problem).items()
            if value is not None and value != {} and name not in leave_out
        }
        self._complete: set[frozenset[str]] = set()
        """Sets of columns that are known to satisfy every template."""

    @property
    def columns(self) -> frozenset[str]:
        """Every column that the templates read."""
        return frozenset[str]().union(*(columns for _, columns in self._templates.values()))

    def __call__(self, row: Row, place: str) -> Problem:
        """Return the problem that a row describes; `place` says in messages where the row comes from.

        Raises:
            TaskError: a template reads a column that the row does not have, nor any row before it.
            DataError: a template cannot be filled from this row, or its value has the wrong type.
        """
        keys = frozenset(map(str, row))
        if keys not in self._complete:
            self._check_columns(row, place)
            self._complete.add(keys)
        values = {
            name: render(template, row, f"{place}: problem.{name}")
            for name, (template, _) in self._templates.items()
        }
        values["info"] = {**row, **values.get("info", {})}
        try:
            return Problem.model_validate(values)
        except ValidationError as error:
            fault = first_fault(error)
            raise DataError(f"{place}: problem.{fault.keys[0]}: {fault.rule}") from error

    def _check_columns(self, row: Row, place: str) -> None:
        for name, (_, columns) in self._templates.items():
            try:
                check_columns(columns, row, self.task.where("problem", name))
            except TaskError as error:
                if (
                    self._complete
                ):  # other rows have the column, so that the row is wrong and not the template
                    raise DataError(f"{place}: {error}") from error
                raise

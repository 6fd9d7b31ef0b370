"""The shapes of a program's tests, as pydantic models.

A problem's `tests` are plain data, which is checked before any program is run. Rows of data sets that have a
shape of their own are converted first (`dataset_shapes.py`).
"""

import ast
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from ...sandbox.errors import TaskError
from ...sandbox.wire.codec import NotPlainError
from ...tasks.validation import first_fault
from .dataset_shapes import SHAPES, converted
from .parse import parse
from .split_asserts import AssertPlan, packed_arguments, plan_asserts


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class _Tests(_Model):
    prelude: str = ""
    """Source that runs before the program and that it may rely on, such as the imports in its prompt."""
    subsets: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Named groups of cases for `score: {name: weight}`: for each name, the 0-based numbers of its cases."""

    @property
    def count(self) -> int:
        """The number of cases; for a test module, of test functions."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _check_subsets(self) -> "_Tests":
        for name, cases in self.subsets.items():
            if not cases or not all(0 <= case < self.count for case in cases):
                raise ValueError(
                    f"subset {name!r} must list at least one case, each numbered from 0 to {self.count - 1};"
                    f" it lists {list(cases)}"
                )
        return self


class Asserts(_Tests):
    """Statements that must hold (MBPP), or one `check(f)` whose definition is in `setup` (HumanEval)."""

    type: Literal["asserts"]
    """`asserts`: Python statements that call the program."""
    setup: str = ""
    """Source that runs before the asserts: imports, helper functions, objects to test with."""
    asserts: tuple[str, ...] = Field(min_length=1)
    """The statements. Each is a case, and they run in this order."""

    @property
    def plan(self) -> AssertPlan:
        """How each assert will be judged."""
        return plan_asserts(self.asserts, self.setup)

    @property
    def count(self) -> int:
        """The number of asserts; those in a `check` that could be inlined count one by one."""
        return len(self.plan.asserts)

    @model_validator(mode="before")
    @classmethod
    def _check_python(cls, data: Any) -> Any:
        """Parse the asserts first, so that source that is not Python is reported before other errors."""
        if isinstance(data, Mapping) and isinstance(data.get("asserts"), list | tuple):
            statements, setup = tuple(data["asserts"]), data.get("setup", "")
            if isinstance(setup, str) and all(isinstance(statement, str) for statement in statements):
                plan_asserts(statements, setup)  # the result is cached; `plan` needs it
        return data


class CallCase(_Model):
    """One call and the value that it must return."""

    args: tuple[Any, ...] = ()
    """Positional arguments, as plain data."""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments, as plain data."""
    expected: Any
    """The value that the call must return, as plain data."""

    @model_validator(mode="after")
    def _check_arguments(self) -> "CallCase":
        try:
            packed_arguments(self.args, self.kwargs)
        except NotPlainError as error:
            raise ValueError(f"the arguments must be plain data: {error}") from error
        return self


class Calls(_Tests):
    """Calls of one function with the values that they must return. No case depends on another."""

    type: Literal["calls"]
    """`calls`: one function, called with different arguments."""
    entry: str = Field(pattern=r"^[^\W\d]\w*(\(\))?(\.[^\W\d]\w*)*$")
    """The function: `f`, or a method of a new object: `Solution().twoSum`."""
    cases: tuple[CallCase, ...] = Field(min_length=1)
    """The calls, each with its expected value."""
    float_tolerance: float = Field(default=0.0, ge=0)
    """Relative and absolute tolerance, 0 or more, where the expected or the returned number is a float."""
    exact_types: bool = False
    """Whether a tuple differs from a list, and 2.0 from 2. A bool differs from a number in any case."""

    @property
    def count(self) -> int:
        """The number of calls."""
        return len(self.cases)


class StdioCase(_Model):
    """One standard input and the output that the program must print for it."""

    stdin: str = ""
    """Text that the program reads from standard input."""
    stdout: str
    """Text that the program must print to standard output."""


class Stdio(_Tests):
    """A whole program that reads standard input and prints to standard output, run once per case."""

    type: Literal["stdio"]
    """`stdio`: a program that is run once per input."""
    cases: tuple[StdioCase, ...] = Field(min_length=1)
    """The inputs, each with its expected output."""
    whitespace: Literal["exact", "lines", "tokens"] = "lines"
    """Which white space counts. `exact`: all of it. `lines`: all except at the ends of lines, and empty lines
    at the end of the output. `tokens`: only line breaks, and that words are separated. With a
    `float_tolerance`, `exact` means the same as `lines`."""
    float_tolerance: float = Field(default=0.0, ge=0)
    """Relative and absolute tolerance, 0 or more, for expected words that are numbers with a point or an
    exponent."""

    @property
    def count(self) -> int:
        """The number of inputs."""
        return len(self.cases)


class _Module(_Tests):
    code: str
    """Source of the test module. It may use the program's names directly, or import them from a module of any
    name."""

    @property
    def count(self) -> int:
        """The number of test functions."""
        return _count_tests(ast.walk(parse(self.code)))

    @model_validator(mode="after")
    def _check_functions(self) -> "_Module":
        try:
            count = self.count
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(f"the tests are not Python: {error}") from error
        if count == 0:
            raise ValueError(
                "there are no tests: each is a function (for unittest, a method of a class) whose name starts"
                " with `test`"
            )
        return self


class Unittest(_Module):
    """A module of `unittest.TestCase` classes."""

    type: Literal["unittest"]
    """`unittest`: test methods of classes."""

    @property
    def count(self) -> int:
        """The number of test methods."""
        classes = [node for node in ast.walk(parse(self.code)) if isinstance(node, ast.ClassDef)]
        return _count_tests(node for definition in classes for node in definition.body)


class Pytest(_Module):
    """A module of pytest functions."""

    type: Literal["pytest"]
    """`pytest`: test functions, with fixtures and parameters."""


def _count_tests(nodes: Iterable[ast.AST]) -> int:
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return sum(node.name.startswith("test") for node in functions)


ProgramTests = Asserts | Calls | Stdio | Unittest | Pytest
_ADAPTER: TypeAdapter[ProgramTests] = TypeAdapter(Annotated[ProgramTests, Field(discriminator="type")])
_TYPES = ("asserts", "calls", "stdio", "unittest", "pytest", *SHAPES)


def program_tests(tests: Any, where: str = "tests") -> ProgramTests:
    """Return tests as typed data.

    Args:
        tests: a mapping whose `type` is `asserts`, `calls`, `stdio`, `unittest` or `pytest`, or for the rows
            of a data set `apps` (APPS, TACO) or `livecodebench`; typed tests are returned as they are.
        where: the file, line and key with which an error message begins.

    Raises:
        TaskError: the tests have another shape, contain no cases, or are not Python.
    """
    if isinstance(tests, _Tests):
        return tests  # pyright: ignore[reportReturnType]
    if not isinstance(tests, Mapping) or "type" not in tests:
        raise TaskError(
            f"{where}: expected a mapping with `type`, one of {', '.join(_TYPES)}"
            f" (given: {repr(tests)[:100]})"
        )
    try:
        return _ADAPTER.validate_python(converted(tests, where))
    except ValidationError as error:
        fault = first_fault(error)
        if fault.kind == "too_short":
            key = ".".join(map(str, fault.keys))
            raise TaskError(f"{where}: {key}: there are no tests; give at least one") from error
        if fault.kind == "union_tag_invalid":
            raise TaskError(
                f"{where}: type must be one of {', '.join(_TYPES)} (given: {tests['type']!r})"
            ) from error
        raise TaskError(f"{where}: {fault}") from error
    except RecursionError as error:
        raise TaskError(f"{where}: nested too deeply to be read; simplify the tests") from error

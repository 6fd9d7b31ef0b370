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
from .asserts.split_asserts import AssertPlan, packed_arguments, plan_asserts
from .dataset_shapes import SHAPES, converted
from .parse import parse
from .same_value import Numbers, Whitespace


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


_ENTRY = r"^[^\W\d]\w*(\(\)|\?\.[^\W\d]\w*)?(\.[^\W\d]\w*)*$"


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
        return plan_asserts(self.asserts, self.setup, self.prelude)

    @property
    def count(self) -> int:
        """The number of asserts; those in a `check` that could be inlined count one by one."""
        return len(self.plan.asserts)

    @model_validator(mode="before")
    @classmethod
    def _check_python(cls, data: Any) -> Any:
        """Parse the asserts first, so that source that is not Python is reported before other errors."""
        if isinstance(data, Mapping) and isinstance(data.get("asserts"), list | tuple):
            statements = tuple(data["asserts"])
            setup, prelude = data.get("setup", ""), data.get("prelude", "")
            if all(isinstance(text, str) for text in (setup, prelude, *statements)):
                plan_asserts(statements, setup, prelude)  # the result is cached; `plan` needs it
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
    entry: str = Field(pattern=_ENTRY)
    """The function: `f`, or a method of a new object: `Solution().twoSum`. `Solution?.twoSum` is a method if
    the program has a class `Solution`, and else a function."""
    cases: tuple[CallCase, ...] = Field(min_length=1)
    """The calls, each with its expected value."""
    float_tolerance: float = Field(default=0.0, ge=0)
    """Relative and absolute tolerance, 0 or more, where the expected number is a float. Whole numbers are
    compared exactly."""
    wrapped: bool = False
    """Whether an expected list of one item may also be returned as this item, as in some rows of APPS."""
    exact_types: bool = False
    """Whether a tuple differs from a list, and 2.0 from 2."""
    bool_is_number: bool = False
    """Whether True equals 1, as in Python and in the graders of data sets; else a bool is not a number."""

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
    whitespace: Whitespace = "lines"
    """Which white space counts. `exact`: all of it. `lines`: all except at the ends of lines, and empty lines
    at the end of the output. `trimmed`: all but at both ends of lines and of the output. `nonblank`: as
    `trimmed`, and empty lines do not count at all. `tokens`: only line breaks, and that words are separated.
    With a `float_tolerance`, `exact` means the same as `lines`."""
    numbers: Numbers = "text"
    """How numbers are compared. `text`: as they are written, but see `float_tolerance`. `value`: a line of
    numbers equals one of the same numbers, however they are written (`2.0` for `2`). `close`: a line that is
    one number equals one within 1e-5 of it, or the same whole number."""
    float_tolerance: float = Field(default=0.0, ge=0)
    """Relative and absolute tolerance, 0 or more, for expected words that are numbers with a point or an
    exponent."""

    @property
    def count(self) -> int:
        """The number of inputs."""
        return len(self.cases)


class CheckedCase(_Model):
    """What a program is given, and what its checker may compare the output with."""

    stdin: str = ""
    """Text that the program reads from standard input."""
    stdout: str = ""
    """Text that the checker gets as `expected`, such as one of several right outputs."""


class Checked(_Tests):
    """Programs whose output a function of the task judges, because several outputs are right."""

    type: Literal["checked"]
    """`checked`: a checker judges each case."""
    entry: str | None = Field(default=None, pattern=_ENTRY)
    """The function that is called, as for `calls`; if there is none, the program reads and prints."""
    cases: tuple[CheckedCase, ...] | tuple[CallCase, ...] = Field(min_length=1)
    """The inputs: as for `stdio`, or as for `calls` if there is an `entry`."""
    checker: str
    """Python source that defines `check(input, expected, output)`, which returns whether the output is right,
    as a bool. It gets texts, or for calls the list of arguments, the expected and the returned value. It runs
    in the sandbox under the limits of a case, in a process that the program never enters. An exception means
    that the output is wrong."""

    @property
    def count(self) -> int:
        """The number of cases."""
        return len(self.cases)

    @model_validator(mode="after")
    def _check_checker(self) -> "Checked":
        try:
            functions = [node for node in parse(self.checker).body if isinstance(node, ast.FunctionDef)]
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(f"the checker is not Python: {error}") from error
        if not any(function.name == "check" for function in functions):
            raise ValueError("the checker must define a function check(input, expected, output)")
        if any(isinstance(case, CallCase) is (self.entry is None) for case in self.cases):
            raise ValueError(
                "cases have stdin and stdout; or args, kwargs and expected, if there is an `entry`"
            )
        return self


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


ProgramTests = Asserts | Calls | Stdio | Checked | Unittest | Pytest
_ADAPTER: TypeAdapter[ProgramTests] = TypeAdapter(Annotated[ProgramTests, Field(discriminator="type")])
_TYPES = ("asserts", "calls", "stdio", "checked", "unittest", "pytest", *SHAPES)


def program_tests(tests: Any, where: str = "tests") -> ProgramTests:
    """Return tests as typed data.

    Args:
        tests: a mapping whose `type` is `asserts`, `calls`, `stdio`, `checked`, `unittest` or `pytest`, or
            for the rows of a data set `apps`, `taco` or `livecodebench`; typed tests are returned as they
            are.
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

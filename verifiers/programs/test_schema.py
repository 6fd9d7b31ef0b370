"""What a program's tests look like: plain data, checked; and the shapes that data sets give them in."""

import ast
import base64
import binascii
import io
import json
import pickle
import zlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from ...sandbox.errors import TaskError
from ...tasks.validation import first_fault
from .parse import parse
from .split_asserts import AssertPlan, packed_arguments, plan_asserts


class _Tests(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prelude: str = ""
    """Code that the program may count on, such as the imports of its prompt; runs before it."""
    subsets: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Places of cases that earn marks together, by name."""

    @property
    def count(self) -> int:
        """How many cases there are; of a test module, how many test functions."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _places(self) -> "_Tests":
        for name, places in self.subsets.items():
            if not places or not all(0 <= place < self.count for place in places):
                raise ValueError(f"subset {name!r} names cases that are not there (there are {self.count})")
        return self


class Asserts(_Tests):
    """Statements that must hold (MBPP), or one `check(f)` with its definition in `setup` (HumanEval)."""

    type: Literal["asserts"]
    setup: str = ""
    """What stands before them: imports, objects to test with."""
    asserts: tuple[str, ...] = Field(min_length=1)

    @property
    def plan(self) -> AssertPlan:
        """The asserts, split where that is possible."""
        return plan_asserts(self.asserts, self.setup)

    @property
    def count(self) -> int:
        """How many asserts there are, those of a `check` counted one by one."""
        return len(self.plan.asserts)

    @model_validator(mode="before")
    @classmethod
    def _python(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("asserts"), list | tuple):
            statements, setup = tuple(data["asserts"]), data.get("setup", "")
            if isinstance(setup, str) and all(isinstance(statement, str) for statement in statements):
                plan_asserts(statements, setup)
        return data


class CallCase(BaseModel):
    """One call and what it must return."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = Field(default_factory=dict)
    expected: Any

    @model_validator(mode="after")
    def _plain(self) -> "CallCase":
        packed_arguments(self.args, self.kwargs)
        return self


class Calls(_Tests):
    """A function that is called: `f`, or a method: `Solution().twoSum`."""

    type: Literal["calls"]
    entry: str = Field(pattern=r"^[^\W\d]\w*(\(\))?(\.[^\W\d]\w*)*$")
    cases: tuple[CallCase, ...] = Field(min_length=1)
    float_tolerance: float = Field(default=0.0, ge=0)
    """Relative and absolute, where a float is expected."""
    exact_types: bool = False
    """Tell tuples from lists and 2.0 from 2. A bool is never a number."""

    @property
    def count(self) -> int:
        """How many calls there are."""
        return len(self.cases)


class StdioCase(BaseModel):
    """One standard input and the output that must come."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    stdin: str = ""
    stdout: str


class Stdio(_Tests):
    """A whole program: standard input to standard output."""

    type: Literal["stdio"]
    cases: tuple[StdioCase, ...] = Field(min_length=1)
    whitespace: Literal["exact", "lines", "tokens"] = "lines"
    """`lines`: not at the ends of lines, nor empty lines at the end; `tokens`: nor between words."""
    float_tolerance: float = Field(default=0.0, ge=0)
    """Relative and absolute, for words that are numbers with a point or an exponent."""

    @property
    def count(self) -> int:
        """How many inputs there are."""
        return len(self.cases)


class _Module(_Tests):
    code: str

    def _functions(self) -> int:
        tree = parse(self.code)
        functions = (
            node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        return sum(node.name.startswith("test") for node in functions)

    @property
    def count(self) -> int:
        """How many test functions there are."""
        return self._functions()

    @model_validator(mode="after")
    def _has_tests(self) -> "_Module":
        try:
            count = self._functions()
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(f"the tests are not Python: {error}") from error
        if count == 0:
            raise ValueError("there are no tests: no function (of a class) whose name starts with `test`")
        return self


class Unittest(_Module):
    """A module of unittest.TestCase classes. The program's names are known in it, under any import."""

    type: Literal["unittest"]

    def _functions(self) -> int:
        classes = [node for node in ast.walk(parse(self.code)) if isinstance(node, ast.ClassDef)]
        methods = (node for made in classes for node in made.body)
        functions = (node for node in methods if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        return sum(node.name.startswith("test") for node in functions)


class Pytest(_Module):
    """A module of pytest functions. The program's names are known in it, under any import."""

    type: Literal["pytest"]


ProgramTests = Asserts | Calls | Stdio | Unittest | Pytest
_ADAPTER: TypeAdapter[ProgramTests] = TypeAdapter(Annotated[ProgramTests, Field(discriminator="type")])


def program_tests(tests: Any, where: str = "tests") -> ProgramTests:
    """Return tests as typed data.

    Args:
        tests: a mapping with `type`: asserts, calls, stdio, unittest, pytest; or, as data sets have
            them, `apps` (APPS, TACO: `input_output`) or `livecodebench`.
        where: stands before an error.

    Raises:
        TaskError: they are none, there are none, or they do not parse.
    """
    if isinstance(tests, _Tests):
        return tests  # pyright: ignore[reportReturnType]
    if not isinstance(tests, Mapping) or "type" not in tests:
        raise TaskError(
            f"{where}: expected a mapping with `type`: {', '.join((*_NAMES, *_SHAPES))}"
            f" (given: {str(tests)[:100]!r})"
        )
    shape = _SHAPES.get(tests["type"]) if isinstance(tests["type"], str) else None
    try:
        return _ADAPTER.validate_python(shape(dict(tests)) if shape is not None else tests)
    except ValidationError as error:
        fault = first_fault(error)
        if fault.kind == "too_short":
            place = ".".join(map(str, fault.keys))
            raise TaskError(f"{where}: {place}: there are no tests; give at least one") from error
        raise TaskError(f"{where}: {fault}") from error
    except RecursionError as error:
        raise TaskError(f"{where}: nested too deeply") from error
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error, pickle.UnpicklingError) as error:
        if isinstance(error, TaskError):
            raise
        raise TaskError(
            f"{where}: not in the shape of {tests['type']}: {type(error).__name__}: {error}"
        ) from error


_NAMES = ("asserts", "calls", "stdio", "unittest", "pytest")


def _apps(tests: dict[str, Any]) -> dict[str, Any]:
    """APPS and TACO: `input_output` is JSON with inputs, outputs and, for functions, fn_name."""
    del tests["type"]
    in_class = "class Solution" in (tests.pop("starter_code", "") or "")
    shown = tests.pop("input_output")
    shown = json.loads(shown) if isinstance(shown, str) else shown
    inputs, outputs = shown["inputs"], shown["outputs"]
    if len(inputs) != len(outputs):
        raise ValueError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    if not (name := shown.get("fn_name")):
        cases = [{"stdin": _text(i), "stdout": _text(o)} for i, o in zip(inputs, outputs, strict=True)]
        return {"type": "stdio", "cases": cases, "whitespace": "tokens", **tests}
    # Where every output stands in a list of its own, the list is the data set's.
    wrapped = all(isinstance(output, list) and len(output) == 1 for output in outputs)
    cases = [{"args": i, "expected": o[0] if wrapped else o} for i, o in zip(inputs, outputs, strict=True)]
    return {"type": "calls", "entry": f"Solution().{name}" if in_class else name, "cases": cases, **tests}


def _text(shown: Any) -> str:
    return "\n".join(map(str, shown)) if isinstance(shown, list) else str(shown)


class _NothingButText(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"the tests name {module}.{name}")


def _livecodebench(tests: dict[str, Any]) -> dict[str, Any]:
    """LiveCodeBench: public cases as JSON, private ones packed; `metadata` names the function."""
    del tests["type"]
    rows = [*_listed(tests.pop("public_test_cases", [])), *_listed(tests.pop("private_test_cases", []))]
    metadata = tests.pop("metadata", {})
    metadata = json.loads(metadata) if isinstance(metadata, str) else metadata or {}
    if not (name := metadata.get("func_name")):
        cases = [{"stdin": row["input"], "stdout": row["output"]} for row in rows]
        return {"type": "stdio", "cases": cases, "whitespace": "tokens", **tests}
    cases = [
        {
            "args": [json.loads(line) for line in row["input"].split("\n") if line],
            "expected": json.loads(row["output"]),
        }
        for row in rows
    ]
    return {"type": "calls", "entry": f"Solution().{name}", "cases": cases, **tests}


def _listed(rows: Any) -> list[Any]:
    if not isinstance(rows, str):
        return rows
    try:
        return json.loads(rows)
    except ValueError:  # a pickled text of JSON, compressed, in base64
        packed = zlib.decompress(base64.b64decode(rows.encode(), validate=True))
        return json.loads(_NothingButText(io.BytesIO(packed)).load())


_SHAPES = {"apps": _apps, "livecodebench": _livecodebench}

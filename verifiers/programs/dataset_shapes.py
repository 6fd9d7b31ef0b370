"""Converting rows of APPS, TACO and LiveCodeBench to the shapes of tests in `tests_schema.py`.

Each conversion gets the mapping under `tests:` of a task, with the data set's own columns as keys. It
returns `calls` tests if the row names a function, else `stdio` tests. Keys that it does not know, such as
`subsets` or `float_tolerance`, are passed on.

The grader that comes with a data set is part of the task: it gives every program some imports and a recursion
limit, and has its own rules for numbers. They are followed here. What differs on purpose: whole numbers are
exact, a tuple in a list is as good as a list, and every case runs the program anew.
"""

import base64
import io
import json
import pickle
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ...sandbox.errors import TaskError

Tests = dict[str, Any]


_STARRED = (
    "string re datetime collections heapq bisect copy math random statistics itertools functools operator io"
    " sys json builtins typing"
).split()
"""The modules whose names the data sets' own graders give to every program, in this order."""
_HARNESS = "".join(f"from {name} import *\n" for name in _STARRED) + "".join(
    f"import {name}\n" for name in _STARRED if name not in ("builtins", "typing")
)
_APPS_RECURSION, _LIVECODEBENCH_RECURSION = 600_000, 50_000


def apps_tests(tests: Mapping[str, Any]) -> Tests:
    """Convert a row of APPS or TACO, to be judged as their own grader does.

    Its `input_output` is JSON with the lists `inputs` and `outputs`, and with `fn_name` if a function is to
    be called. That function is a method of `Solution` if the program defines this class. `starter_code` is
    accepted, but does not decide anything.

    Raises:
        KeyError, TypeError, ValueError: the row does not have this shape.
    """
    cases = _parsed(tests["input_output"])
    inputs, outputs = cases["inputs"], cases["outputs"]
    if len(inputs) != len(outputs):
        raise ValueError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    harness = _HARNESS + f"sys.setrecursionlimit({_APPS_RECURSION})\n"
    others = _without(tests, harness, "type", "input_output", "starter_code")
    function = cases.get("fn_name")
    if not function:
        texts = [(_joined(given), _joined(printed)) for given, printed in zip(inputs, outputs, strict=True)]
        return {"whitespace": "nonblank", "numbers": "close", **_stdio(texts, others)}
    arguments = [_with_whole_keys(_lines_of_json(given)) for given in inputs]
    expected = [
        _with_whole_keys(json.loads(output) if isinstance(given, str) else output)
        for given, output in zip(inputs, outputs, strict=True)
    ]
    return {"wrapped": True, **_calls(function, arguments, expected, others)}


def livecodebench_tests(tests: Mapping[str, Any]) -> Tests:
    """Convert a row of LiveCodeBench, to be judged as its own grader does.

    `public_test_cases` is JSON; `private_test_cases` is JSON too, or its compressed form. `metadata` is JSON
    that names the function to call, if there is one, as `func_name`: a method of `Solution` if the program
    defines this class. Arguments are JSON, one per line of a case's input.

    Raises:
        KeyError, TypeError, ValueError, zlib.error, UnpicklingError: the row does not have this shape.
    """
    public, private = tests.get("public_test_cases", []), tests.get("private_test_cases", [])
    rows = [*_unpacked(public), *_unpacked(private)]
    metadata = _parsed(tests.get("metadata", {})) or {}
    harness = (
        _HARNESS + f"sys.setrecursionlimit({_LIVECODEBENCH_RECURSION})\nsys.set_int_max_str_digits(50_000)\n"
    )
    others = _without(
        tests, harness, "type", "public_test_cases", "private_test_cases", "metadata", "starter_code"
    )
    function = metadata.get("func_name")
    if not function:
        texts = [(row["input"], row["output"]) for row in rows]
        return {"whitespace": "trimmed", "numbers": "value", **_stdio(texts, others)}
    arguments = [_lines_of_json(row["input"]) for row in rows]
    expected = [json.loads(row["output"]) for row in rows]
    return _calls(function, arguments, expected, others)


def _stdio(texts: Sequence[tuple[str, str]], others: Tests) -> Tests:
    cases = [{"stdin": stdin, "stdout": stdout} for stdin, stdout in texts]
    return {"type": "stdio", "cases": cases, **others}


def _calls(function: str, arguments: Sequence[Any], expected: Sequence[Any], others: Tests) -> Tests:
    cases = [{"args": args, "expected": value} for args, value in zip(arguments, expected, strict=True)]
    return {
        "type": "calls",
        "entry": f"Solution?.{function}",
        "cases": cases,
        "bool_is_number": True,
        **others,
    }


def _lines_of_json(given: Any) -> Any:
    """Return a call's arguments, which are a list, or a text with the JSON of each on a line of its own."""
    return [json.loads(line) for line in given.split("\n") if line] if isinstance(given, str) else given


def _with_whole_keys(value: Any) -> Any:
    """Return a dictionary, or a list whose first item is one, with numbers as keys where JSON has text."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_with_whole_keys(value[0]), *value[1:]]
    if isinstance(value, dict):
        with suppress(ValueError):
            return {int(key): item for key, item in value.items()}
    return value


def _without(tests: Mapping[str, Any], harness: str, *keys: str) -> Tests:
    """Return what a task adds to a row, with the grader's imports before its own `prelude`."""
    others = {key: value for key, value in tests.items() if key not in keys}
    return {**others, "prelude": harness + others.get("prelude", "")}


def _parsed(value: Any) -> Any:
    """Return a column that is JSON text as data; some loaders have parsed it already."""
    return json.loads(value) if isinstance(value, str) else value


def _joined(value: Any) -> str:
    """Return standard input or output as text; some rows give a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


class _TextUnpickler(pickle.Unpickler):
    """Unpickles plain values only: a pickle that names any class or function could run code."""

    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"the packed tests name {module}.{name}, and may hold nothing but text")


def _unpacked(rows: Any) -> Any:
    """Return test cases from JSON, or from the base64 text of a compressed pickle of the JSON string."""
    if not isinstance(rows, str):
        return rows
    try:
        return json.loads(rows)
    except ValueError:
        packed = zlib.decompress(base64.b64decode(rows.encode(), validate=True))
        return json.loads(_TextUnpickler(io.BytesIO(packed)).load())


_CONVERSIONS: dict[str, tuple[Callable[[Mapping[str, Any]], Tests], str]] = {
    "apps": (apps_tests, "input_output as JSON with inputs, outputs and perhaps fn_name"),
    "taco": (apps_tests, "input_output as JSON with inputs, outputs and perhaps fn_name"),
    "livecodebench": (
        livecodebench_tests,
        "public_test_cases, private_test_cases and metadata as JSON",
    ),
}
"""For each data set's shape: its conversion, and the columns that this expects."""
SHAPES = tuple(_CONVERSIONS)


def converted(tests: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return tests in a shape of `tests_schema.py`: converted if they have a data set's, else as they are.

    Raises:
        TaskError: the row does not have the shape that its `type` names; the message begins with `where`.
    """
    kind = tests["type"]
    if not isinstance(kind, str) or kind not in _CONVERSIONS:
        return tests
    convert, expected = _CONVERSIONS[kind]
    try:
        return convert(tests)
    except (KeyError, TypeError, ValueError, zlib.error, pickle.UnpicklingError) as error:
        given = repr({key: value for key, value in tests.items() if key != "type"})[:100]
        raise TaskError(
            f"{where}: not in the shape of {kind}: {type(error).__name__}: {error}; expected {expected}"
            f" (given: {given})"
        ) from error

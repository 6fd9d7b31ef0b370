"""Converting rows of APPS, TACO and LiveCodeBench to the shapes of tests in `test_schema.py`.

Each conversion gets the mapping under `tests:` of a task, with the data set's own columns as keys. It
returns `calls` tests if the row names a function, else `stdio` tests. Keys that it does not know, such as
`subsets` or `float_tolerance`, are passed on.
"""

import base64
import io
import json
import pickle
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...sandbox.errors import TaskError

Tests = dict[str, Any]


def apps_tests(tests: Mapping[str, Any]) -> Tests:
    """Convert a row of APPS or TACO.

    Its `input_output` is JSON with the lists `inputs` and `outputs`, and with `fn_name` if a function is to
    be called. That function is a method of `Solution` if `starter_code` defines this class.

    Raises:
        KeyError, TypeError, ValueError: the row does not have this shape.
    """
    cases = _parsed(tests["input_output"])
    inputs, outputs = cases["inputs"], cases["outputs"]
    if len(inputs) != len(outputs):
        raise ValueError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    others = _without(tests, "type", "input_output", "starter_code")
    function = cases.get("fn_name")
    if not function:
        texts = [(_joined(given), _joined(printed)) for given, printed in zip(inputs, outputs, strict=True)]
        return _stdio(texts, others)
    if "class Solution" in (tests.get("starter_code") or ""):
        function = f"Solution().{function}"
    # Some rows wrap every expected value in a list of its own. A list that is itself the expected value of
    # a function would hardly have exactly one item in every case.
    is_wrapped = all(isinstance(output, list) and len(output) == 1 for output in outputs)
    expected = [output[0] for output in outputs] if is_wrapped else outputs
    return _calls(function, inputs, expected, others)


def livecodebench_tests(tests: Mapping[str, Any]) -> Tests:
    """Convert a row of LiveCodeBench.

    `public_test_cases` is JSON; `private_test_cases` is JSON too, or its compressed form. `metadata` is
    JSON that names the method of `Solution` to call, if there is one, as `func_name`. Arguments are JSON,
    one per line of a case's input.

    Raises:
        KeyError, TypeError, ValueError, zlib.error, UnpicklingError: the row does not have this shape.
    """
    public, private = tests.get("public_test_cases", []), tests.get("private_test_cases", [])
    rows = [*_unpacked(public), *_unpacked(private)]
    metadata = _parsed(tests.get("metadata", {})) or {}
    others = _without(tests, "type", "public_test_cases", "private_test_cases", "metadata")
    function = metadata.get("func_name")
    if not function:
        return _stdio([(row["input"], row["output"]) for row in rows], others)
    arguments = [[json.loads(line) for line in row["input"].split("\n") if line] for row in rows]
    expected = [json.loads(row["output"]) for row in rows]
    return _calls(f"Solution().{function}", arguments, expected, others)


def _stdio(texts: Sequence[tuple[str, str]], others: Tests) -> Tests:
    cases = [{"stdin": stdin, "stdout": stdout} for stdin, stdout in texts]
    return {"type": "stdio", "cases": cases, "whitespace": "tokens", **others}


def _calls(entry: str, arguments: Sequence[Any], expected: Sequence[Any], others: Tests) -> Tests:
    cases = [{"args": args, "expected": value} for args, value in zip(arguments, expected, strict=True)]
    return {"type": "calls", "entry": entry, "cases": cases, **others}


def _without(tests: Mapping[str, Any], *keys: str) -> Tests:
    return {key: value for key, value in tests.items() if key not in keys}


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
    "livecodebench": (
        livecodebench_tests,
        "public_test_cases, private_test_cases and metadata as JSON",
    ),
}
"""For each data set's shape: its conversion, and the columns that this expects."""
SHAPES = tuple(_CONVERSIONS)


def converted(tests: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return tests in a shape of `test_schema.py`: converted if they have a data set's, else as they are.

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
        given = repr(_without(tests, "type"))[:100]
        raise TaskError(
            f"{where}: not in the shape of {kind}: {type(error).__name__}: {error}; expected {expected}"
            f" (given: {given})"
        ) from error

"""The tests' process: it holds the tests and what they expect, and none of the program's code.

Runs asserts, unittest or pytest modules against stand-ins (`proxies.py`) and writes one record a
test. In shared mode, which must be asked for, the same tests meet the program's own module in the
program's own process, where it can reach them.
"""

import ast
import builtins
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .proxies import Program, ProgramEndedError, Refused
from .records import TESTS, Records

FILE = "tests.py"
NEEDS_SHARED = "test_needs_shared_process"


def check(job: dict[str, Any], descriptor: int, records: Records) -> int:
    """Run tests against a program in another process; return the exit status.

    Args:
        job: `kind` (asserts, unittest, pytest), `code`, `asserts`, `only` (places of asserts), and
            `names` (of the program's functions that have a built-in's name and are meant).
        descriptor: to the program's side.
        records: for what comes of each test.
    """
    os.environ["HOME"] = "/nonexistent"  # the program writes where the worker's is
    nowhere = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    program = Program(descriptor, records.heard)
    try:
        names, failed = program.names()
    except ProgramEndedError:
        return 1
    if failed is not None:
        records.failed(failed[1], failed[0])
        return 1
    module = ModuleType("solution")
    module.__dict__.update(names)
    return run_tests(job, module, records, lambda: program.ended)


def run_tests(
    job: dict[str, Any], solution: ModuleType, records: Records, gone: Callable[[], bool] = lambda: False
) -> int:
    """Run tests that see `solution`'s names as their own, and can import it by any name."""
    own = [name for name in vars(solution) if name[:2] != "__" and not hasattr(builtins, name)]
    # `import *` leaves what judges, such as `abs`, as it is
    solution.__dict__["__all__"] = [name for name in own if name[0] != "_"]
    sys.meta_path.append(_AnyName(solution))
    named = {*own, *(name for name in job["names"] if name in vars(solution))}
    space = {**{name: vars(solution)[name] for name in named}, **_modules(job)}
    try:
        _RUNNERS[job["kind"]](job, space, _Recorder(records, gone))
    except ProgramEndedError:
        return 1
    except BaseException as error:
        records.failed(error, TESTS)
        return 1
    records.write({"done": True})
    return 0


def _modules(job: dict[str, Any]) -> dict[str, ModuleType]:
    """Return the libraries whose attributes the tests use, imported or not.

    Tests may count on the program's imports; but what they compare with must not be the program's.
    """
    found = {}
    for source in (job["code"], *job["asserts"]):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = _ALIASES.get(node.value.id, node.value.id)
                if name in sys.stdlib_module_names or name in _LIBRARIES:
                    with contextlib.suppress(ImportError):
                        found[node.value.id] = importlib.import_module(name)
    return found


_ALIASES = {"np": "numpy", "pd": "pandas"}
_LIBRARIES = frozenset("numpy pandas scipy sympy sklearn torch pytest unittest hypothesis networkx".split())


class _Recorder:
    def __init__(self, records: Records, gone: Callable[[], bool]):
        self._records, self.gone = records, gone

    def begin(self, place: int) -> None:
        self._records.begin(place)

    def told(self, name: str, error: BaseException | str | None, place: int | None = None) -> None:
        """Write what came of a test; one that hid the program's end is left to those that were not run."""
        if self.gone():
            raise ProgramEndedError
        record: dict[str, Any] = {"test": name, "passed": error is None}
        if place is not None:
            record["case"] = place
        if error is not None:
            text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
            record["error"] = text[:2000]
            if isinstance(error, Refused):
                record["why"] = NEEDS_SHARED
        self._records.write(record)


class _AnyName(MetaPathFinder, Loader):
    """Finds the program under every module name that nothing else has: tests import it by one."""

    def __init__(self, solution: ModuleType):
        self._solution = solution

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if path is not None or fullname.startswith("_") or fullname in _LIBRARIES:
            return None
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._solution

    def exec_module(self, module: ModuleType) -> None:
        return None


def _asserts(job: dict[str, Any], space: dict[str, Any], recorder: _Recorder) -> None:
    space["__name__"] = "tests"
    exec(compile(job["code"], FILE, "exec", dont_inherit=True), space)
    for place in job["only"]:
        recorder.begin(place)
        source = job["asserts"][place]
        error: BaseException | None = None
        try:
            exec(compile(source, FILE, "exec", dont_inherit=True), space)
        except ProgramEndedError:
            raise
        except BaseException as raised:
            error = raised
        recorder.told(source[:200], error, place)


def _module(job: dict[str, Any], space: dict[str, Any]) -> ModuleType:
    module = ModuleType("tests")
    module.__dict__.update(space, __name__="tests", __file__=FILE)
    sys.modules["tests"] = module
    exec(compile(job["code"], FILE, "exec", dont_inherit=True), module.__dict__)
    return module


def _unittest(job: dict[str, Any], space: dict[str, Any], recorder: _Recorder) -> None:
    import unittest

    class Result(unittest.TestResult):
        """Tells each test's end; a test that was skipped tells nothing."""

        def startTest(self, test: unittest.TestCase) -> None:
            super().startTest(test)
            recorder.begin(self.testsRun - 1)
            self.failed: Any = None

        def stopTest(self, test: unittest.TestCase) -> None:
            super().stopTest(test)
            if not any(test is skipped for skipped, _ in self.skipped):
                recorder.told(test.id(), self.failed)

        def _fail(self, error: Any) -> None:
            self.failed = self.failed or error[1]

        def addFailure(self, test: unittest.TestCase, err: Any) -> None:
            self._fail(err)

        def addError(self, test: unittest.TestCase, err: Any) -> None:
            self._fail(err)

        def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
            self.failed = "an unexpected success"

        def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
            if err is not None:
                self._fail(err)

    result = Result()
    suite = unittest.defaultTestLoader.loadTestsFromModule(_module(job, space))
    suite.run(result)
    for _, _ in result.errors:  # of a class's or module's set-up, which belong to no test
        recorder.told("setUp", "set-up failed")


def _pytest(job: dict[str, Any], space: dict[str, Any], recorder: _Recorder) -> None:
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    # A module needs a path, and pytest runs what it finds around it: so one where nobody can write.
    path = os.__file__
    folder = os.path.dirname(path)

    class InMemory(pytest.Module):
        """A module that was never a file."""

        def _getobj(self) -> ModuleType:
            return _module(job, space)

    class Plugin:
        """Collects the module, and tells each test's end."""

        count = 0

        def pytest_pycollect_makemodule(self, module_path: Any, parent: Any) -> Any:
            return InMemory.from_parent(parent, path=module_path)

        def pytest_runtest_logstart(self) -> None:
            recorder.begin(self.count)
            self.count += 1
            self.failed: str | None = None
            self.passed = False

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
            report = yield
            error = call.excinfo.value if call.excinfo is not None else None
            self.passed = self.passed or (report.when == "call" and report.passed)
            if report.failed:
                self.failed = self.failed or f"{type(error).__name__}: {error}"
            return report

        def pytest_runtest_logfinish(self, nodeid: str) -> None:
            if self.failed is not None or self.passed:
                recorder.told(nodeid.rpartition("::")[2], self.failed)

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                recorder.told("collect", str(report.longrepr)[-1000:])

    plugin = Plugin()
    sys.stdout = sys.stderr = io.StringIO()
    options = [
        "-c",
        "/dev/null",
        "--rootdir",
        folder,
        "--confcutdir",
        folder,
        "--noconftest",
        "--assert=plain",
        "--import-mode=importlib",
    ]
    pytest.main([path, "-q", *options, *_WITHOUT, "--capture=sys"], plugins=[plugin])
    if recorder.gone():
        raise ProgramEndedError


_WITHOUT = [
    part
    for plugin in "cacheprovider pastebin junitxml doctest faulthandler setuponly setupplan stepwise".split()
    for part in ("-p", f"no:{plugin}")
]
_RUNNERS: dict[str, Callable[[dict[str, Any], dict[str, Any], _Recorder], None]] = {
    "asserts": _asserts,
    "unittest": _unittest,
    "pytest": _pytest,
}

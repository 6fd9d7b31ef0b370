"""The tests' process: it holds the tests and what they expect, and none of the program's code.

Runs asserts, unittest or pytest modules against stand-ins (`proxies.py`) and writes one record a
test. In shared mode, which must be asked for, the same tests meet the program's own module in the
program's own process, where it can reach them.
"""

import ast
import builtins
import io
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..wire.records import TESTS, Records, told
from .imports import AnyName, imported, libraries
from .program import Program, ProgramEndedError
from .stand_ins import Remote

FILE = "tests.py"


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
    return run_tests(job, _Solution(program, names), names, _Recorder(records, program))


class _Solution(ModuleType):
    """The program as a module: plain values are read when they are asked for, since they may change."""

    def __init__(self, program: Program, names: Mapping[str, Any]):
        super().__init__("solution")
        self.__dict__.update({name: made for name, made in names.items() if _is_stand_in(made)})
        self.__dict__["_markscheme"] = program, set(names)

    def __getattr__(self, name: str) -> Any:
        program, names = self.__dict__["_markscheme"]
        if name not in names:
            raise AttributeError(f"module 'solution' has no attribute {name!r}")
        return program.get(0, name)


def _is_stand_in(value: Any) -> bool:
    return isinstance(value, Remote | type)


def share(job: dict[str, Any], module: ModuleType, records: Records) -> int:
    """Run tests in the program's own process, where it can reach them."""
    names = {name: value for name, value in vars(module).items() if not name.startswith("__")}
    return run_tests(job, module, names, _Recorder(records, None))


def run_tests(
    job: dict[str, Any], solution: ModuleType, names: Mapping[str, Any], recorder: "_Recorder"
) -> int:
    """Run tests that see `solution`'s names as their own, and can import it by any name."""
    trees = [ast.parse(source) for source in (job["code"], *job["asserts"])]
    known = libraries(trees, names)
    named = imported(trees)
    own = [name for name in names if not hasattr(builtins, name)]
    # `import *` leaves what judges, such as `abs` or `math`, as it is.
    judging = {*known, *named.values()}
    solution.__dict__["__all__"] = [n for n in own if n[0] != "_" and n not in judging]
    sys.meta_path.append(AnyName(solution, named))
    meant = {*own, *(name for name in job["names"] if name in names)}
    try:
        _RUNNERS[job["kind"]](job, {**{name: names[name] for name in meant}, **known}, recorder)
    except ProgramEndedError:
        return 1
    except BaseException as error:
        recorder.records.failed(error, TESTS)
        return 1
    return 0


class _Recorder:
    """Writes what comes of each test, and at the end that all were run."""

    def __init__(self, records: Records, program: Program | None):
        self.records, self._program = records, program

    @property
    def gone(self) -> bool:
        """Whether the program's process has ended."""
        return self._program is not None and self._program.ended

    def begin(self, place: int) -> None:
        """Say that a test begins."""
        self.records.begin(place)
        if self._program is not None:
            self._program.refused = ""

    def told(self, name: str, error: BaseException | str | None, place: int | None = None) -> None:
        """Write what came of a test; one that hid the program's end is left to those that were not run."""
        if self.gone:
            raise ProgramEndedError
        refused = self._program.refused if self._program is not None else ""
        error = error or refused or None  # a test that hid a refusal has failed
        record: dict[str, Any] = {"test": name, "passed": error is None}
        if place is not None:
            record["case"] = place
        if error is not None:
            record["error"] = (error if isinstance(error, str) else told(error))[:2000]
        self.records.write(record)

    def done(self) -> None:
        """Say that every test was run."""
        if self.gone:
            raise ProgramEndedError
        self.records.write({"done": True})


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
    recorder.done()


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
            if isinstance(test, unittest.TestCase):
                self._fail(err)
            else:  # a class's or a module's set-up or tear-down
                recorder.told(str(test), err[1])

        def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
            self.failed = "an unexpected success"

        def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
            if err is not None:
                self._fail(err)

    result = Result()
    suite = unittest.defaultTestLoader.loadTestsFromModule(_module(job, space))
    suite.run(result)
    recorder.done()


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

        count = finished = 0
        collected = -1

        def pytest_collection_finish(self, session: Any) -> None:
            self.collected = len(session.items)

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
                self.failed = self.failed or (told(error) if error is not None else "failed")
            return report

        def pytest_runtest_logfinish(self, nodeid: str) -> None:
            self.finished += 1
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
    code = pytest.main([path, "-q", *options, *_WITHOUT, "--capture=sys"], plugins=[plugin])
    if plugin.finished != plugin.collected or code not in (0, 1):
        recorder.told("pytest", f"ended before its tests did (exit code {int(code)})")
    recorder.done()


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

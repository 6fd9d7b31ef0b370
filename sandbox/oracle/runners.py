"""Runners for the three kinds of tests: asserts, unittest modules and pytest modules.

unittest and pytest are imported only where they are needed; the worker then imported them before it forked.
"""

import ast
import io
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..wire.records import describe
from .lent_objects import TESTS
from .names import compares
from .recorder import Recorder
from .tests_side import ProgramEndedError

FILE = "tests.py"
"""The tests' file name in tracebacks."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests that are ready to run."""

    tree: ast.Module
    """The tests' module, or for asserts the code before them."""
    asserts: dict[int, tuple[str, ast.Module]]
    """The asserts to run: the source and the code of each, by its place."""
    names: dict[str, Any]
    """What the tests see besides their own names."""
    live: Mapping[str, Callable[[], Any]]
    """Functions that read the program's plain values, by name."""
    skip: int
    """How many tests to leave out, because they have been run."""
    comparing: frozenset[str]
    """The tests' functions that compare something."""
    may_skip: frozenset[str]
    """The functions and classes that may be skipped, because the program does not decide that."""
    decorated: frozenset[str]
    """The functions and classes with a decorator that depends on the program."""

    def missing(self, found: Collection[str]) -> list[str]:
        """Return the test functions that stand in the module and are not among those found."""
        return [
            name for name in _test_functions(self.tree) if name not in found and name not in self.may_skip
        ]


def _run_asserts(suite: Suite, recorder: Recorder) -> None:
    namespace = {**suite.names, "__name__": TESTS}
    visible = _Names(namespace, suite.live)
    exec(compile(suite.tree, FILE, "exec", dont_inherit=True), namespace, visible)
    for place, (source, tree) in suite.asserts.items():
        recorder.begin(place, must_compare=compares(tree, suite.comparing))
        error: BaseException | None = None
        try:
            exec(compile(tree, FILE, "exec", dont_inherit=True), namespace, visible)
        except ProgramEndedError:
            raise
        except BaseException as raised:
            error = raised
        recorder.add(source[:200], error, place)
    recorder.finish()


class _Names(dict[str, Any]):
    """The names that asserts see. The program's plain values are read at each use, as it may change them."""

    def __init__(self, namespace: dict[str, Any], live: Mapping[str, Callable[[], Any]]):
        super().__init__()
        self._namespace, self._live = namespace, dict(live)

    def __getitem__(self, name: str) -> Any:
        return self._live[name]() if name in self._live else self._namespace[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._live.pop(name, None)
        self._namespace[name] = value

    def __delitem__(self, name: str) -> None:
        self._live.pop(name, None)
        del self._namespace[name]


def _run_unittest(suite: Suite, recorder: Recorder) -> None:
    import unittest

    loaded = unittest.defaultTestLoader.loadTestsFromModule(_tests_module(suite))
    tests = list(_single_tests(loaded))
    unittest.TestSuite(tests[suite.skip :]).run(_unittest_result(suite, recorder))
    found = {_method(test) for test in tests if isinstance(test, unittest.TestCase)}
    for name in () if suite.skip else suite.missing(found):
        if name in suite.decorated:
            recorder.add(name, "the test was not found: the program has replaced it")
    recorder.finish()


def _single_tests(tests: Any) -> Iterator[Any]:
    """Yield the tests of nested suites in their order."""
    for test in tests:
        if hasattr(test, "__iter__"):
            yield from _single_tests(test)
        else:
            yield test


def _unittest_result(suite: Suite, recorder: Recorder) -> Any:
    """Return a unittest.TestResult that records each test."""
    import unittest

    class Result(unittest.TestResult):
        def startTest(self, test: unittest.TestCase) -> None:
            super().startTest(test)
            recorder.begin(suite.skip + self.testsRun - 1, must_compare=_method(test) in suite.comparing)
            self.failed: Any = None
            self.uncounted = False

        def stopTest(self, test: unittest.TestCase) -> None:
            super().stopTest(test)
            recorder.add(test.id(), self.failed, suite.skip + self.testsRun - 1, counts=not self.uncounted)

        def _fail(self, error: Any) -> None:
            self.failed = self.failed or error[1]

        def addFailure(self, test: unittest.TestCase, err: Any) -> None:
            self._fail(err)

        def addError(self, test: unittest.TestCase, err: Any) -> None:
            if isinstance(test, unittest.TestCase):
                self._fail(err)
            else:  # the error is in the set-up or tear-down of a class or module
                recorder.add(str(test), err[1])

        def addSkip(self, test: unittest.TestCase, reason: str) -> None:
            if not isinstance(test, unittest.TestCase):
                recorder.add(str(test), f"skipped: {reason}")
            elif {_method(test), type(test).__name__} & suite.may_skip:
                self.uncounted = True
            else:
                self.failed = self.failed or f"skipped: {reason}"

        def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
            if {_method(test), type(test).__name__} & suite.decorated:
                self._fail(err)

        def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
            self.failed = "an unexpected success"

        def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
            if err is not None:
                self._fail(err)

    return Result()


def _method(test: Any) -> str:
    return test._testMethodName


def _run_pytest(suite: Suite, recorder: Recorder) -> None:
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    # The module is not in a file, but pytest needs a path and reads what it finds around it, so the path is
    # one where a program cannot write.
    path = os.__file__
    folder = os.path.dirname(path)
    plugin = _pytest_plugin(suite, recorder, _pytest_module(suite))
    sys.stdout = sys.stderr = io.StringIO()
    options = "-q -c /dev/null --noconftest --assert=plain --import-mode=importlib --capture=sys".split()
    options += ["--rootdir", folder, "--confcutdir", folder, *_WITHOUT_PLUGINS]
    code = pytest.main([path, *options], plugins=[plugin])
    no_more = suite.skip > 0 and plugin.collected == 0
    if not suite.skip:
        for name in suite.missing(plugin.names):
            recorder.add(name, "the test was not found: the program has hidden or replaced it")
    if not no_more and (
        plugin.finished != plugin.collected or code not in (0, 1)
    ):  # 0 = passed, 1 = some failed
        recorder.add("pytest", f"pytest ended before its tests did (exit code {int(code)})")
    recorder.finish()


def _pytest_module(suite: Suite) -> Any:
    """Return a pytest.Module class whose module is the tests', which exists only in memory."""
    import pytest

    class InMemory(pytest.Module):
        def _getobj(self) -> ModuleType:
            return _tests_module(suite)

    return InMemory


def _pytest_plugin(suite: Suite, recorder: Recorder, module_class: Any) -> Any:
    """Return a pytest plugin that collects the tests' module and records each test."""
    import pytest

    class Plugin:
        count = suite.skip
        finished = 0
        collected = -1
        names: Collection[str] = ()

        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            self.names = {item.name.partition("[")[0] for item in items}
            del items[: suite.skip]

        def pytest_collection_finish(self, session: Any) -> None:
            self.collected = len(session.items)

        def pytest_pycollect_makemodule(self, module_path: Any, parent: Any) -> Any:
            return module_class.from_parent(parent, path=module_path)

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> None:
            name = item.name.partition("[")[0]
            recorder.begin(self.count, must_compare=name in suite.comparing)
            self.count += 1
            self.failed: str | None = None
            self.passed = self.uncounted = False

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
            report = yield
            error = call.excinfo.value if call.excinfo is not None else None
            self.passed = self.passed or (report.when == "call" and report.passed)
            if report.failed:
                self.failed = self.failed or (describe(error) if error is not None else "failed")
            if report.skipped:
                classes = {node.name for node in item.listchain()}
                is_decided = {item.name.partition("[")[0], *classes} & suite.decorated
                if (hasattr(report, "wasxfail") and not is_decided) or {
                    item.name.partition("[")[0],
                    *classes,
                } & suite.may_skip:
                    self.uncounted = True
                else:
                    self.failed = self.failed or f"skipped: {error}"
            return report

        def pytest_runtest_logfinish(self, nodeid: str) -> None:
            self.finished += 1
            counts = self.failed is not None or self.passed or not self.uncounted
            recorder.add(nodeid.rpartition("::")[2], self.failed, self.count - 1, counts=counts)

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                recorder.add("collect", str(report.longrepr)[-1000:])

    return Plugin()


def _test_functions(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the test functions of a module, and of the test methods of its classes."""
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test") else [node]
        for member in members:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and member.name.startswith("test"):
                yield member.name


def _tests_module(suite: Suite) -> ModuleType:
    module = ModuleType(TESTS)
    module.__dict__.update(suite.names, __name__=TESTS, __file__=FILE)
    sys.modules[TESTS] = module
    exec(compile(suite.tree, FILE, "exec", dont_inherit=True), module.__dict__)
    return module


# These plugins are part of pytest, and would look for files or write them.
_WITHOUT_PLUGINS = [
    part
    for plugin in "cacheprovider pastebin junitxml doctest faulthandler setuponly setupplan stepwise".split()
    for part in ("-p", f"no:{plugin}")
]
RUNNERS: dict[str, Callable[[Suite, Recorder], None]] = {
    "asserts": _run_asserts,
    "unittest": _run_unittest,
    "pytest": _run_pytest,
}
"""The runners by the job's `kind`."""

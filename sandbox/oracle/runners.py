"""Runners for the three kinds of tests: asserts, unittest modules and pytest modules.

unittest and pytest are imported only where they are needed; the worker then imported them before it forked.
"""

import io
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..wire.records import describe
from .recorder import Recorder
from .tests_side import ProgramEndedError

FILE = "tests.py"
"""The tests' file name in tracebacks."""


def _run_asserts(job: dict[str, Any], namespace: dict[str, Any], recorder: Recorder) -> None:
    namespace["__name__"] = "tests"
    exec(compile(job["code"], FILE, "exec", dont_inherit=True), namespace)
    for place in job["only"]:
        recorder.begin(place)
        source = job["asserts"][place]
        error: BaseException | None = None
        try:
            exec(compile(source, FILE, "exec", dont_inherit=True), namespace)
        except ProgramEndedError:
            raise
        except BaseException as raised:
            error = raised
        recorder.add(source[:200], error, place)
    recorder.finish()


def _run_unittest(job: dict[str, Any], namespace: dict[str, Any], recorder: Recorder) -> None:
    import unittest

    result = _unittest_result(recorder)
    suite = unittest.defaultTestLoader.loadTestsFromModule(_tests_module(job, namespace))
    suite.run(result)
    recorder.finish()


def _unittest_result(recorder: Recorder) -> Any:
    """Return a unittest.TestResult that records each test that is not skipped."""
    import unittest

    class Result(unittest.TestResult):
        def startTest(self, test: unittest.TestCase) -> None:
            super().startTest(test)
            recorder.begin(self.testsRun - 1)
            self.failed: Any = None

        def stopTest(self, test: unittest.TestCase) -> None:
            super().stopTest(test)
            if not any(test is skipped for skipped, _ in self.skipped):
                recorder.add(test.id(), self.failed)

        def _fail(self, error: Any) -> None:
            self.failed = self.failed or error[1]

        def addFailure(self, test: unittest.TestCase, err: Any) -> None:
            self._fail(err)

        def addError(self, test: unittest.TestCase, err: Any) -> None:
            if isinstance(test, unittest.TestCase):
                self._fail(err)
            else:  # the error is in the set-up or tear-down of a class or module
                recorder.add(str(test), err[1])

        def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
            self.failed = "an unexpected success"

        def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
            if err is not None:
                self._fail(err)

    return Result()


def _run_pytest(job: dict[str, Any], namespace: dict[str, Any], recorder: Recorder) -> None:
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    # The module is not in a file, but pytest needs a path and reads what it finds around it, so the path is
    # one where a program cannot write.
    path = os.__file__
    folder = os.path.dirname(path)
    plugin = _pytest_plugin(recorder, _pytest_module(job, namespace))
    sys.stdout = sys.stderr = io.StringIO()
    options = "-q -c /dev/null --noconftest --assert=plain --import-mode=importlib --capture=sys".split()
    options += ["--rootdir", folder, "--confcutdir", folder, *_WITHOUT_PLUGINS]
    code = pytest.main([path, *options], plugins=[plugin])
    if plugin.finished != plugin.collected or code not in (0, 1):  # 0 = all passed, 1 = some failed
        recorder.add("pytest", f"pytest ended before its tests did (exit code {int(code)})")
    recorder.finish()


def _pytest_module(job: dict[str, Any], namespace: dict[str, Any]) -> Any:
    """Return a pytest.Module class whose module is the tests', which exists only in memory."""
    import pytest

    class InMemory(pytest.Module):
        def _getobj(self) -> ModuleType:
            return _tests_module(job, namespace)

    return InMemory


def _pytest_plugin(recorder: Recorder, module_class: Any) -> Any:
    """Return a pytest plugin that collects the tests' module and records each test that is not skipped."""
    import pytest

    class Plugin:
        count = finished = 0
        collected = -1

        def pytest_collection_finish(self, session: Any) -> None:
            self.collected = len(session.items)

        def pytest_pycollect_makemodule(self, module_path: Any, parent: Any) -> Any:
            return module_class.from_parent(parent, path=module_path)

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
                self.failed = self.failed or (describe(error) if error is not None else "failed")
            return report

        def pytest_runtest_logfinish(self, nodeid: str) -> None:
            self.finished += 1
            if self.failed is not None or self.passed:
                recorder.add(nodeid.rpartition("::")[2], self.failed)

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                recorder.add("collect", str(report.longrepr)[-1000:])

    return Plugin()


def _tests_module(job: dict[str, Any], namespace: dict[str, Any]) -> ModuleType:
    module = ModuleType("tests")
    module.__dict__.update(namespace, __name__="tests", __file__=FILE)
    sys.modules["tests"] = module
    exec(compile(job["code"], FILE, "exec", dont_inherit=True), module.__dict__)
    return module


# These plugins are part of pytest, and would look for files or write them.
_WITHOUT_PLUGINS = [
    part
    for plugin in "cacheprovider pastebin junitxml doctest faulthandler setuponly setupplan stepwise".split()
    for part in ("-p", f"no:{plugin}")
]
RUNNERS: dict[str, Callable[[dict[str, Any], dict[str, Any], Recorder], None]] = {
    "asserts": _run_asserts,
    "unittest": _run_unittest,
    "pytest": _run_pytest,
}
"""The runners by the job's `kind`. Each takes the job, the names that the tests see, and the recorder."""

"""`RemoteSandbox`, which runs programs through a server that speaks SandboxFusion's HTTP API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from markscheme.rewards import MarkScheme
from markscheme.sandbox import (
    Execution,
    InfraError,
    Limits,
    RemoteSandbox,
    Sandbox,
    SandboxError,
    TaskError,
)
from markscheme.sandbox.execution import RunVerdict
from markscheme.tasks import Completion, load_problems
from markscheme.verifiers import verify_program
from support import MakeTask

NOBODY_LISTENS = "http://127.0.0.1:9"
"""The port of the discard service, which no current system runs."""


class FusionServer(BaseHTTPRequestHandler):
    """SandboxFusion's `/run_code`, with a local sandbox that runs the programs."""

    sandbox: Sandbox
    broken = False

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.broken:
            self.send_error(500)
            return
        assert request["language"] == "python"
        limits = Limits(cpu_s=request["run_timeout"], wall_s=request["run_timeout"])
        execution = self.sandbox.run(request["code"], request["stdin"], limits=limits)
        body = json.dumps(fusion_response(execution)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing: the base class writes every request to stderr."""


def fusion_response(execution: Execution) -> dict[str, Any]:
    """Return an execution as SandboxFusion's response describes it."""
    timed_out = execution.verdict in (RunVerdict.TIMEOUT, RunVerdict.WALL_TIMEOUT)
    if timed_out:
        return_code = None
    elif execution.signal is not None:
        return_code = -execution.signal
    else:
        return_code = execution.exit_code
    result = {
        "status": "TimeLimitExceeded" if timed_out else "Finished",
        "execution_time": execution.wall_s,
        "return_code": return_code,
        "stdout": execution.stdout,
        "stderr": execution.stderr,
    }
    compiled = execution.verdict != RunVerdict.COMPILE_ERROR
    return {
        "status": "Success" if execution.verdict == RunVerdict.OK else "Failed",
        "message": "",
        "compile_result": None if compiled else result,
        "run_result": result if compiled else None,
        "executor_pod_name": None,
        "files": {},
    }


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteSandbox]:
    with Sandbox(2) as local, ThreadingHTTPServer(("127.0.0.1", 0), FusionServer) as server:
        monkeypatch.setattr(FusionServer, "sandbox", local, raising=False)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield RemoteSandbox(f"http://127.0.0.1:{server.server_port}/", limits=Limits(cpu_s=0.5, wall_s=1))
        server.shutdown()
        thread.join()


def test_a_remote_sandbox_is_used_like_a_local_one(remote: RemoteSandbox) -> None:
    assert remote.run("print(int(input()) + 1)", "41").stdout == "42\n"
    assert remote.run("1 / 0").verdict == "error"
    assert remote.run("while True: pass").verdict == "wall_timeout"
    assert remote.run("def f(:").verdict == "compile_error"
    assert remote.run("import os\nos.abort()").signal == 6
    assert remote.run("print(1)").tier == "remote"
    batch = remote.run_batch(["print(1)", "print(2)"])
    assert [execution.stdout for execution in batch] == ["1\n", "2\n"]


def test_programs_are_judged_on_a_remote_sandbox(remote: RemoteSandbox) -> None:
    code = "import collections\ndef f(x): return collections.Counter({x: x * x})\n"
    calls = {"type": "calls", "entry": "f", "cases": [{"args": [n], "expected": {n: n * n}} for n in (2, 3)]}
    asserts = {"type": "asserts", "asserts": ["assert f(2) == {2: 4}", "assert len(f(3)) == 1"]}
    stdio = {"type": "stdio", "cases": [{"stdin": f"{n}\n", "stdout": f"{n}\n"} for n in range(3)]}
    assert verify_program(code, calls, sandbox=remote).correct is True
    assert verify_program(code, asserts, sandbox=remote).correct is True
    assert verify_program("print(input())", stdio, sandbox=remote).correct is True
    assert verify_program("print(1)", stdio, sandbox=remote).share == pytest.approx(1 / 3)
    equals_everything = "class Y:\n    __eq__ = lambda s, o: True\ndef f(x): return Y()"
    for tests in (calls, asserts):
        assert verify_program(equals_everything, tests, sandbox=remote).correct is False
    assert verify_program("def f(:", calls, sandbox=remote).reason == "compile_error"
    with pytest.raises(SandboxError, match="cannot run tests in a process beside"):
        verify_program(code, {"type": "pytest", "code": "def test_a(): assert f(1)"}, sandbox=remote)


def test_a_task_names_the_server_that_its_programs_run_on(
    remote: RemoteSandbox, make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        pytest.fail("the task used the local sandbox")

    monkeypatch.setattr("markscheme.sandbox.remote.shared_sandbox", fail)
    task = make_task(
        f"sandbox: {{url: '{remote.url}'}}\n"
        "problem: {tests: {type: calls, entry: f, cases: [{args: [2], expected: 4}]}}\n"
        "rewards: {correct: {use: unit_tests}}"
    )
    problem = load_problems(task)[0]
    right, wrong = MarkScheme(task).score(
        [problem] * 2, [Completion("def f(x): return x * x"), Completion("def f(x): return x")]
    )
    assert (right.value, wrong.value) == (1.0, 0.0)
    assert right.parts["correct"].verdict is not None
    assert right.parts["correct"].verdict.evidence["tier"] == "remote"
    with pytest.raises(TaskError, match=r"sandbox.url.*pattern"):
        make_task("sandbox: {url: localhost}\nrewards: {r: {use: answer}}")


def test_a_server_that_fails_does_not_blame_the_program(
    monkeypatch: pytest.MonkeyPatch, remote: RemoteSandbox
) -> None:
    monkeypatch.setattr(FusionServer, "broken", True)
    assert remote.run("print(1)").verdict == "sandbox_error"
    unreachable = RemoteSandbox(NOBODY_LISTENS)
    execution = unreachable.run("print(1)")
    assert execution.verdict == "sandbox_error"
    assert "gave no result" in execution.detail["error"]
    with pytest.raises(SandboxError, match="http"):
        RemoteSandbox("localhost:80")


def test_an_unreachable_server_gives_no_verdict() -> None:
    assert issubclass(InfraError, RuntimeError)
    unreachable = RemoteSandbox(NOBODY_LISTENS)
    tests = {"type": "stdio", "cases": [{"stdout": "1"}]}
    verdict = verify_program("print(1)", tests, sandbox=unreachable)
    assert (verdict.correct, verdict.reason) == (None, "unavailable")

"""The sandbox as its users meet it: verdicts, limits, tiers, threads, ends; another machine."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from markscheme.rewards import MarkScheme
from markscheme.sandbox import (
    DataError,
    Execution,
    InfraError,
    Limits,
    LimitsError,
    RemoteSandbox,
    Sandbox,
    SandboxError,
    TaskError,
)
from markscheme.sandbox.execution import RunVerdict
from markscheme.sandbox.isolation.tiers import SAFE, Tier
from markscheme.tasks import Completion, load_problems
from markscheme.verifiers import verify_program
from support import MakeTask
from tiers import needs_tier

SMALL = Limits(cpu_s=0.3, wall_s=0.9, memory_mb=200, output_mb=0.5)


@pytest.fixture(scope="module", params=SAFE)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    needs_tier(request.param)
    with Sandbox(2, limits=SMALL, tier=request.param) as made:
        yield made


VERDICTS = [
    ("print(1 + 1)", "ok", "2\n", 0, None),
    ("import sys\nprint(sys.stdin.read())\nsys.exit(3)", "error", "in\n", 3, None),
    ("import sys\nsys.exit('text')", "error", "", 1, None),
    ("print('before')\n1 / 0", "error", "before\n", 1, None),
    ("def f(:", "compile_error", "", 1, None),
    ("x = '\ud800'", "compile_error", "", 1, None),
    ("while True: pass", "timeout", "", None, 9),
    ("import time\ntime.sleep(60)", "wall_timeout", "", None, 9),
    ("x = ' ' * 10**9", "memory", "", 1, None),
    ("print('x' * 600_000)", "output_limit", None, None, None),
    ("import os\nos.abort()", "killed", "", None, 6),
    ("raise KeyboardInterrupt", "error", "", 1, None),
    ("", "ok", "", 0, None),
]


@pytest.mark.parametrize(("code", "verdict", "stdout", "exit_code", "by_signal"), VERDICTS)
def test_every_end_has_its_verdict(
    sandbox: Sandbox,
    code: str,
    verdict: str,
    stdout: str | None,
    exit_code: int | None,
    by_signal: int | None,
) -> None:
    ran = sandbox.run(code, "in")
    assert ran.verdict == verdict
    assert ran.tier == sandbox.tier
    if stdout is not None:
        assert ran.stdout == stdout
        assert (ran.exit_code, ran.signal) == (exit_code, by_signal)
    else:
        assert len(ran.stdout) == 1 << 19


def test_errors_are_limited_like_output(sandbox: Sandbox) -> None:
    ran = sandbox.run("import sys\nsys.stderr.write('x' * 600_000)")
    assert (ran.verdict, len(ran.stderr)) == ("output_limit", 1 << 19)


def test_a_traceback_shows_the_program_and_nothing_of_ours(sandbox: Sandbox) -> None:
    said = sandbox.run("def f():\n    return 1 / 0\nf()").stderr
    assert 'File "solution.py", line 2, in f' in said
    assert said.endswith("ZeroDivisionError: division by zero\n")
    assert "harness" not in said
    assert sandbox.run("def f(:").detail["error"].startswith("SyntaxError")


def test_time_is_judged_by_the_processor(sandbox: Sandbox) -> None:
    ran = sandbox.run("while True: pass")
    assert SMALL.cpu_s <= ran.cpu_s < SMALL.cpu_s + 0.2
    slept = sandbox.run("import time\ntime.sleep(0.5)")
    assert (slept.verdict, slept.cpu_s < 0.1, slept.wall_s >= 0.5) == ("ok", True, True)


def test_waiting_for_a_processor_is_not_counted(sandbox: Sandbox) -> None:
    """A program that computes for 0.25 s among many others takes far longer than its wall limit."""
    command = [sys.executable, "-c", "while True: pass"]  # in sessions of their own, as the workers are
    burners = [subprocess.Popen(command, start_new_session=True) for _ in range(8)]
    try:
        code = "import time\nwhile time.process_time() < 0.25: pass"
        limits = Limits(cpu_s=0.5, wall_s=0.5)
        runs = [sandbox.run(code, limits=limits) for _ in range(2)]
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert [ran.verdict for ran in runs] == ["ok", "ok"]
    assert max(ran.wall_s for ran in runs) > 0.5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cpu_s": 0}, "cpu_s must be a number of seconds above 0"),
        ({"cpu_s": -1}, "cpu_s"),
        ({"cpu_s": float("nan")}, "cpu_s"),
        ({"cpu_s": float("inf")}, "cpu_s"),
        ({"cpu_s": "4"}, "given: '4'"),
        ({"cpu_s": True}, "cpu_s"),
        ({"cpu_s": 5, "wall_s": 1}, "wall_s must be at least cpu_s"),
        ({"memory_mb": 0}, "memory_mb must be a whole number"),
        ({"memory_mb": 0.5}, "memory_mb"),
        ({"output_mb": 0}, "output_mb"),
        ({"processes": 0}, "processes"),
        ({"processes": 1.5}, "processes"),
    ],
)
def test_limits_that_make_no_sense_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(LimitsError, match=said):
        Limits(**given)


def test_limits_have_an_order_and_a_default() -> None:
    assert Limits(2.0, 6.0, 512, 4.0, 1) == Limits(cpu_s=2, memory_mb=512, output_mb=4)
    assert Limits().wall_s == 3 * Limits().cpu_s


@pytest.mark.parametrize("code", [b"print(1)", None, 7, ["print(1)"]])
def test_code_that_is_no_text_is_refused(sandbox: Sandbox, code: Any) -> None:
    with pytest.raises(DataError, match="code must be text"):
        sandbox.run(code)
    with pytest.raises(DataError, match="stdin must be text"):
        sandbox.run("pass", code)


def test_ten_megabytes_of_code_get_a_verdict(sandbox: Sandbox) -> None:
    ran = sandbox.run("x = 1\n" * 1_700_000)
    assert ran.verdict in ("timeout", "memory", "compile_error", "ok")
    assert sandbox.run("print(1)").stdout == "1\n"
    assert (
        sandbox.run("x = '" + "y" * 10_000_000 + "'\nprint(len(x))", limits=Limits()).stdout == "10000000\n"
    )


def test_a_batch_keeps_its_order(sandbox: Sandbox) -> None:
    programs = [f"import time\ntime.sleep({0.02 * (i % 3)})\nprint({i})" for i in range(20)]
    assert [ran.stdout for ran in sandbox.run_batch(programs)] == [f"{i}\n" for i in range(20)]
    assert [r.stdout for r in sandbox.run_batch([("print(input())", str(i)) for i in range(5)])] == [
        f"{i}\n" for i in range(5)
    ]
    assert sandbox.run_batch([]) == []


def test_threads_and_tasks_share_it(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(8) as threads:
        outs = list(threads.map(lambda i: sandbox.run("print(input())", str(i)).stdout, range(60)))
    assert outs == [f"{i}\n" for i in range(60)]

    async def gathered() -> list[Execution]:
        return await asyncio.gather(*(sandbox.run_async(f"print({i})") for i in range(20)))

    assert [ran.stdout for ran in asyncio.run(gathered())] == [f"{i}\n" for i in range(20)]


def test_a_lost_worker_is_replaced_and_the_program_run_again() -> None:
    before = set(children(os.getpid(), "zygote"))
    with Sandbox(1, limits=Limits(cpu_s=1, wall_s=5)) as sandbox:
        sandbox.run("pass")
        (stub,) = set(children(os.getpid(), "zygote")) - before
        timer = threading.Timer(0.2, lambda: os.kill(stub, signal.SIGKILL))
        timer.start()
        ran = sandbox.run("import time\ntime.sleep(0.6)\nprint('done')")
        timer.join()
        assert (ran.verdict, ran.stdout) == ("ok", "done\n")


def test_a_sandbox_that_fails_twice_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(children(os.getpid(), "zygote"))
    with Sandbox(1, limits=SMALL) as sandbox:
        sandbox.run("pass")
        (stub,) = set(children(os.getpid(), "zygote")) - before
        os.kill(stub, signal.SIGKILL)
        os.waitid(os.P_PID, stub, os.WEXITED | os.WNOWAIT)  # its worker dies with it, by the kernel's hand
        monkeypatch.setattr(sys, "executable", "/nowhere/python")  # no other can be started
        ran = sandbox.run("print(1)")
        assert ran.verdict == "sandbox_error"
        verdict = verify_program(
            "def f(): return 1", {"type": "calls", "entry": "f", "cases": [{"expected": 1}]}, sandbox=sandbox
        )
        assert (verdict.correct, verdict.reason) == (None, "unavailable")


def children(parent: int, what: str) -> list[int]:
    """Return the children of a process whose command line has a word in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            above = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if above == parent and what in (process / "cmdline").read_text():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def descendants(parent: int) -> set[int]:
    found, last = {parent}, -1
    while len(found) != last:
        last = len(found)
        for pid in list(found):
            found |= set(children(pid, ""))
    return found - {parent}


def gone(pids: set[int]) -> bool:
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("tier", SAFE)
def test_closing_leaves_nothing(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_tier(tier)
    before, folder = descendants(os.getpid()), tempfile.mkdtemp()
    os.chmod(folder, 0o755)  # programs run as another user
    monkeypatch.setattr(tempfile, "tempdir", folder)
    sandbox = Sandbox(2, limits=SMALL, tier=tier)
    sandbox.run_batch(["open('x', 'w').write('x')"] * 4)
    made = descendants(os.getpid()) - before
    assert len(made) >= 4  # a stub and a worker each
    threads = [threading.Thread(target=lambda: raises_or_ends(sandbox)) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    sandbox.close()
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert gone(made)
    os.rmdir(folder)  # which is empty
    with pytest.raises(SandboxError, match="closed"):
        sandbox.run("pass")


def raises_or_ends(sandbox: Sandbox) -> None:
    try:
        sandbox.run("import time\ntime.sleep(30)", limits=Limits(cpu_s=30))
    except SandboxError:
        return


@pytest.mark.parametrize("tier", SAFE)
def test_a_killed_caller_leaves_nothing(tier: Tier) -> None:
    needs_tier(tier)
    script = (
        "from markscheme.sandbox import Sandbox, Limits\n"
        f"s = Sandbox(1, tier='{tier}', limits=Limits(cpu_s=60))\ns.run('pass'); print('up', flush=True)\n"
        "s.run('while True: pass')"
    )
    caller = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    assert caller.stdout.readline() == "up\n"
    time.sleep(0.2)
    family = descendants(caller.pid)
    assert len(family) >= 3  # stub, worker, program
    caller.kill()
    caller.wait()
    caller.stdout.close()
    assert gone(family)


def test_a_forked_caller_has_workers_of_its_own() -> None:
    script = (
        "import os\nfrom markscheme.sandbox import Sandbox\ns = Sandbox(1)\ns.run('pass')\n"
        "pid = os.fork()\nout = s.run('print(1)').stdout\n"
        "if pid == 0: os._exit(0 if out == '1\\n' else 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0\nassert s.run('print(2)').stdout == '2\\n'\ns.close()"
    )
    subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", script], check=True, timeout=60)


def test_weak_tiers_must_be_asked_for_by_name() -> None:
    with Sandbox(1, tier="rlimits", limits=SMALL) as weak:
        ran = weak.run("import os\nprint(os.path.exists('/etc/passwd'))")
        assert (ran.stdout, ran.tier) == ("True\n", "rlimits")
        assert weak.run("while True: pass").verdict == "timeout"
    with Sandbox(1, tier="seccomp", limits=SMALL) as weak:
        assert weak.run("import socket\nsocket.socket()").verdict == "error"
    for name in ("strong", "remote", ""):
        with pytest.raises(SandboxError, match="the tiers are namespaces, landlock, seccomp, rlimits"):
            Sandbox(1, tier=name)


NO_SAFE_TIER = """
import errno, struct, sys
from markscheme.sandbox import Sandbox, SandboxError
from markscheme.sandbox.isolation import kernel, seccomp
from markscheme.sandbox.isolation.syscalls import setting_up
numbers = {setting_up()["landlock_create_ruleset"]: seccomp.ABSENT, {"x86_64": 272, "aarch64": 97}[__import__("platform").machine()]: seccomp.DENY}
kernel.give_up_privileges()
kernel.Filter(seccomp._program(numbers, seccomp.ALLOW, __import__("platform").machine())).enter()
try:
    Sandbox(1)
except SandboxError as error:
    print(error)
with Sandbox(1, tier="seccomp") as weak:
    print(weak.run("print(7)").stdout, weak.run("import os\\nos.fork()").verdict)
"""


def test_where_no_safe_tier_works_it_refuses_with_reasons_and_cures() -> None:
    """As in a container: a process that may neither unshare nor use Landlock."""
    ran = subprocess.run([sys.executable, "-c", NO_SAFE_TIER], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    for part in (
        "no safe sandbox can be started here",
        "namespaces: PermissionError",
        "unshare",
        "landlock: OSError",
        "Landlock ABI 0",
        "Sandbox(tier='seccomp')",
        "MARKSCHEME_SANDBOX_TIER=rlimits",
        "sandbox: {url:",
    ):
        assert part in ran.stdout
    assert ran.stdout.endswith("7\n error\n")


def test_the_environment_may_name_a_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKSCHEME_SANDBOX_TIER", "landlock")
    with Sandbox(1) as sandbox:
        assert sandbox.tier == "landlock"


def test_other_systems_are_told_of_the_remote_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="sandbox: {url:"):
        Sandbox(1)


def test_processes_only_where_they_can_be_held() -> None:
    needs_tier(Tier.NAMESPACES)
    limits = Limits(cpu_s=1, processes=6)
    code = "import subprocess\nprint(subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout)"
    with Sandbox(1, tier="namespaces") as sandbox:
        assert sandbox.run(code, limits=limits).stdout == "hi\n\n"
        stay = "import subprocess\nsubprocess.Popen(['sleep', '100'], start_new_session=True)\nprint('left')"
        before = descendants(os.getpid())
        assert sandbox.run(stay, limits=limits).stdout == "left\n"
        assert descendants(os.getpid()) <= before
        bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
        assert sandbox.run(bomb, limits=Limits(cpu_s=0.2, processes=6)).verdict in ("timeout", "wall_timeout")
        assert sandbox.run("print(1)").stdout == "1\n"
    with Sandbox(1, tier="landlock") as sandbox:
        with pytest.raises(SandboxError, match="namespaces"):
            sandbox.run(code, limits=limits)
        for tests in (
            {"type": "stdio", "cases": [{"stdout": "1"}]},
            {"type": "asserts", "asserts": ["assert f()"]},
        ):
            with pytest.raises(SandboxError, match="namespaces"):
                verify_program("print(1)", tests, sandbox=sandbox, limits=limits)


class FusionServer(BaseHTTPRequestHandler):
    """SandboxFusion's `/run_code`, served by a sandbox of our own."""

    sandbox: Sandbox
    broken = False

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if type(self).broken:
            self.send_error(500)
            return
        limits = Limits(cpu_s=asked["run_timeout"], wall_s=asked["run_timeout"])
        assert asked["language"] == "python"
        ran = self.sandbox.run(asked["code"], asked["stdin"], limits=limits)
        body = json.dumps(self.answer(ran)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def answer(ran: Execution) -> dict[str, Any]:
        late = ran.verdict in (RunVerdict.TIMEOUT, RunVerdict.WALL_TIMEOUT)
        part = {
            "status": "TimeLimitExceeded" if late else "Finished",
            "execution_time": ran.wall_s,
            "return_code": None if late else ran.exit_code if ran.signal is None else -ran.signal,
            "stdout": ran.stdout,
            "stderr": ran.stderr,
        }
        uncompiled = ran.verdict == RunVerdict.COMPILE_ERROR
        return {
            "status": "Success" if ran.verdict == RunVerdict.OK else "Failed",
            "message": "",
            "compile_result": part if uncompiled else None,
            "run_result": None if uncompiled else part,
            "executor_pod_name": None,
            "files": {},
        }

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        return


@pytest.fixture
def remote() -> Iterator[RemoteSandbox]:
    with Sandbox(2) as sandbox:
        handler = type("Handler", (FusionServer,), {"sandbox": sandbox})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield RemoteSandbox(f"http://127.0.0.1:{server.server_port}/", limits=Limits(cpu_s=0.5, wall_s=1))
            server.shutdown()
            thread.join()


def test_a_remote_executor_is_used_like_the_local_one(remote: RemoteSandbox) -> None:
    assert remote.run("print(int(input()) + 1)", "41").stdout == "42\n"
    assert remote.run("1 / 0").verdict == "error"
    assert remote.run("while True: pass").verdict == "wall_timeout"
    assert remote.run("def f(:").verdict == "compile_error"
    assert remote.run("import os\nos.abort()").signal == 6
    assert remote.run("print(1)").tier == "remote"
    assert [r.stdout for r in remote.run_batch(["print(1)", "print(2)"])] == ["1\n", "2\n"]


def test_programs_are_judged_on_a_remote_executor(remote: RemoteSandbox) -> None:
    code = "import collections\ndef f(x): return collections.Counter({x: x * x})\n"
    calls = {"type": "calls", "entry": "f", "cases": [{"args": [n], "expected": {n: n * n}} for n in (2, 3)]}
    asserts = {"type": "asserts", "asserts": ["assert f(2) == {2: 4}", "assert len(f(3)) == 1"]}
    stdio = {"type": "stdio", "cases": [{"stdin": f"{n}\n", "stdout": f"{n}\n"} for n in range(3)]}
    assert verify_program(code, calls, sandbox=remote).correct is True
    assert verify_program(code, asserts, sandbox=remote).correct is True
    assert verify_program("print(input())", stdio, sandbox=remote).correct is True
    assert verify_program("print(1)", stdio, sandbox=remote).share == pytest.approx(1 / 3)
    evil = "class Y:\n    __eq__ = lambda s, o: True\ndef f(x): return Y()"
    for tests in (calls, asserts):
        assert verify_program(evil, tests, sandbox=remote).correct is False
    assert verify_program("def f(:", calls, sandbox=remote).reason == "compile_error"
    with pytest.raises(SandboxError, match="cannot run tests in a process beside"):
        verify_program(code, {"type": "pytest", "code": "def test_a(): assert f(1)"}, sandbox=remote)


def test_a_task_names_the_server_that_its_programs_run_on(
    remote: RemoteSandbox, make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "markscheme.sandbox.remote.shared_sandbox", lambda: pytest.fail("ran on this machine")
    )
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


def test_a_remote_executor_that_fails_blames_nobody(
    monkeypatch: pytest.MonkeyPatch, remote: RemoteSandbox
) -> None:
    monkeypatch.setattr(FusionServer, "broken", True)
    assert remote.run("print(1)").verdict == "sandbox_error"
    nowhere = RemoteSandbox("http://127.0.0.1:9")
    ran = nowhere.run("print(1)")
    assert ran.verdict == "sandbox_error"
    assert "gave no result" in ran.detail["error"]
    with pytest.raises(SandboxError, match="http"):
        RemoteSandbox("localhost:80")


def test_infra_errors_are_no_zero() -> None:
    assert issubclass(InfraError, RuntimeError)
    nowhere = RemoteSandbox("http://127.0.0.1:9")
    verdict = verify_program("print(1)", {"type": "stdio", "cases": [{"stdout": "1"}]}, sandbox=nowhere)
    assert (verdict.correct, verdict.reason) == (None, "unavailable")

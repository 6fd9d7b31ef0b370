"""Workers of a local sandbox come and go: lost ones are replaced, and none outlives its sandbox or its caller."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import pytest

from markscheme.sandbox import Limits, Sandbox, SandboxError
from markscheme.sandbox.isolation.tiers import SAFE, Tier
from markscheme.verifiers import verify_program
from processes import children_of, descendants_of, left_after
from tiers import needs_tier

WORKER = "worker_process"
"""A word in the command line of a worker's first process, which the sandbox starts itself."""


def test_a_lost_worker_is_replaced_and_its_program_is_run_again() -> None:
    before = children_of(os.getpid(), WORKER)
    with Sandbox(1, limits=Limits(cpu_s=1, wall_s=5)) as sandbox:
        sandbox.run("pass")
        (worker,) = children_of(os.getpid(), WORKER) - before
        timer = threading.Timer(0.2, os.kill, (worker, signal.SIGKILL))
        timer.start()
        execution = sandbox.run("import time\ntime.sleep(0.6)\nprint('done')")
        timer.join()
        assert (execution.verdict, execution.stdout) == ("ok", "done\n")


def test_a_sandbox_that_fails_twice_does_not_blame_the_program(
    monkeypatch: pytest.MonkeyPatch, small_limits: Limits
) -> None:
    before = children_of(os.getpid(), WORKER)
    with Sandbox(1, limits=small_limits) as sandbox:
        sandbox.run("pass")
        (worker,) = children_of(os.getpid(), WORKER) - before
        os.kill(worker, signal.SIGKILL)
        # Wait until it has died, but leave the zombie to the sandbox. The kernel kills its children with it.
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
        monkeypatch.setattr(sys, "executable", "/nowhere/python")  # so that no other worker can be started
        assert sandbox.run("print(1)").verdict == "sandbox_error"
        tests = {"type": "calls", "entry": "f", "cases": [{"expected": 1}]}
        verdict = verify_program("def f(): return 1", tests, sandbox=sandbox)
        assert (verdict.correct, verdict.reason) == (None, "unavailable")


@pytest.mark.parametrize("tier", SAFE)
def test_closing_leaves_no_process_and_no_file(
    tier: Tier, small_limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_tier(tier)
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)  # the programs of a root user run as another user, who must be able to enter it
    monkeypatch.setattr(tempfile, "tempdir", folder)
    before = descendants_of(os.getpid())
    sandbox = Sandbox(2, limits=small_limits, tier=tier)
    sandbox.run_batch(["print('x')"] * 4)
    workers = descendants_of(os.getpid()) - before
    assert len(workers) >= 4  # at least two processes per worker

    def run_until_closed() -> None:
        try:
            sandbox.run("import time\ntime.sleep(30)", limits=Limits(cpu_s=30))
        except SandboxError:
            return

    threads = [threading.Thread(target=run_until_closed) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    sandbox.close()
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert left_after(workers, timeout_s=5) == []
    os.rmdir(folder)  # fails if anything is left in it
    with pytest.raises(SandboxError, match="closed"):
        sandbox.run("pass")


@pytest.mark.parametrize("tier", SAFE)
def test_a_killed_caller_leaves_no_process(tier: Tier) -> None:
    needs_tier(tier)
    script = f"""
        from markscheme.sandbox import Limits, Sandbox
        sandbox = Sandbox(1, tier="{tier}", limits=Limits(cpu_s=60))
        sandbox.run("pass")
        print("up", flush=True)
        sandbox.run("while True: pass")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    caller = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    assert caller.stdout.readline() == "up\n"
    time.sleep(0.2)  # until the endless program runs
    family = descendants_of(caller.pid)
    assert len(family) >= 3  # two processes of the worker, and the program
    caller.kill()
    caller.wait()
    caller.stdout.close()
    assert left_after(family, timeout_s=5) == []


def test_a_forked_caller_gets_workers_of_its_own() -> None:
    script = """
        import os
        from markscheme.sandbox import Sandbox
        sandbox = Sandbox(1)
        sandbox.run("pass")
        child = os.fork()
        stdout = sandbox.run("print(1)").stdout
        if child == 0:
            os._exit(0 if stdout == "1\\n" else 1)
        assert stdout == "1\\n"
        assert os.waitpid(child, 0)[1] == 0
        assert sandbox.run("print(2)").stdout == "2\\n"
        sandbox.close()
    """
    # Python warns about forking while other threads run, which is what this test is about.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script)]
    subprocess.run(command, check=True, timeout=60)


def test_a_folder_goes_although_its_worker_was_killed(
    small_limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_tier(Tier.LANDLOCK)
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    monkeypatch.setattr(tempfile, "tempdir", folder)
    before = descendants_of(os.getpid())
    with Sandbox(1, limits=small_limits, tier=Tier.LANDLOCK) as sandbox:
        assert os.listdir(folder) != []
        for process in descendants_of(os.getpid()) - before:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        assert sandbox.run("print(1)").stdout == "1\n"
    assert os.listdir(folder) == []
    os.rmdir(folder)


def test_an_idle_worker_holds_no_output(small_limits: Limits) -> None:
    with Sandbox(1, limits=small_limits) as sandbox:
        sandbox.run("print('x' * 900_000)")
        sandbox.run("print('x' * 100)")
        sandbox.run("import os\nos.write(1, b'x' * 900_000)\nos.write(2, b'x' * 900_000)")
        kept = sum(
            os.stat(f"/proc/self/fd/{descriptor}").st_blocks * 512
            for descriptor in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{descriptor}")
            and "memfd:" in os.readlink(f"/proc/self/fd/{descriptor}")
        )
    assert kept < 4 << 20


def test_a_low_limit_of_processes_is_enough(small_limits: Limits) -> None:
    """A sandbox starts in a caller that may have fewer processes than a program may have threads."""
    needs_tier(Tier.NAMESPACES)
    code = (
        "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (200, 200))\n"
        "from markscheme.sandbox import Sandbox\n"
        "with Sandbox(1, tier='namespaces') as sandbox: print(sandbox.run('print(1)').stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "1", done.stderr

"""Hard deadlines: a pool of worker processes that are killed from outside."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from markscheme.sandbox import DeadlineError, InfraError, MemoryLimitError, with_deadline
from markscheme.sandbox.deadline.pool import Pool, shared_pool
from support import ROOT


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(workers=2)
    yield pool
    pool.close()


def test_results_come_back_in_order(pool: Pool) -> None:
    calls = [(i, 1) for i in range(200)]
    assert pool.run("worker_jobs:add", calls, timeout_s=30) == [i + 1 for i in range(200)]
    assert pool.run(("worker_jobs:maker", (5,)), [(1,), (2,)], timeout_s=30) == [6, 7]
    assert pool.run("worker_jobs:add", [], timeout_s=30) == []


def test_a_hang_is_killed_and_costs_its_neighbours_nothing(pool: Pool) -> None:
    found = pool.run("worker_jobs:spin", [(i,) for i in range(35)], timeout_s=0.3)
    late = [i for i, result in enumerate(found) if isinstance(result, DeadlineError)]
    assert late == [0, 10, 20, 30]
    assert [result for i, result in enumerate(found) if i not in late] == [i for i in range(35) if i % 10]
    assert "0.3 s" in str(found[0])


def test_whatever_a_call_does_stands_in_its_place(pool: Pool) -> None:
    (failed,) = pool.run("worker_jobs:fail", [("why",)], timeout_s=30)
    assert isinstance(failed, ValueError)
    assert "in a worker process" in failed.__notes__[0]
    assert "worker_jobs.py" in failed.__notes__[0]
    for target, error in (
        ("worker_jobs:nothing", AttributeError),
        ("no_such_module:f", ModuleNotFoundError),
        ("worker_jobs:crash", InfraError),
        ("worker_jobs:unpicklable", TypeError),
    ):
        (outcome,) = pool.run(target, [()], timeout_s=30)
        assert isinstance(outcome, error), target
    assert pool.run("worker_jobs:add", [(1, 1)], timeout_s=30) == [2]


@pytest.mark.skipif(sys.platform != "linux", reason="memory limits are the Linux kernel's")
def test_memory_is_limited_and_the_worker_replaced(pool: Pool) -> None:
    small, large, after = pool.run(
        "worker_jobs:allocate", [(1,), (4000,), (1,)], timeout_s=30, memory_mb=1000
    )
    assert (small, after) == (1 << 20, 1 << 20)
    assert isinstance(large, MemoryLimitError)


def test_workers_that_die_idle_are_replaced(pool: Pool) -> None:
    for _ in range(2):
        for victim in set(pool.run("worker_jobs:pid", [()] * 8, timeout_s=30)):
            os.kill(victim, signal.SIGKILL)
        assert pool.run("worker_jobs:add", [(1, 1)] * 8, timeout_s=30) == [2] * 8
    assert pool._server is not None
    pool._server.kill()
    pool._server.wait()
    assert [r for r in pool.run("worker_jobs:add", [(1, 1)] * 8, timeout_s=30) if r != 2] == []


def test_sympy_counts_in_plain_python_there(pool: Pool) -> None:
    assert pool.run("worker_jobs:ground_types", [()], timeout_s=60) == ["python"]


def test_threads_share_the_pool() -> None:
    found: dict[int, list[object]] = {}

    def use(k: int) -> None:
        found[k] = with_deadline("worker_jobs:spin", [(k,), (k + 1,)], timeout_s=0.3)

    threads = [threading.Thread(target=use, args=(k,)) for k in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, results in found.items():
        for number, result in zip((k, k + 1), results, strict=True):
            assert isinstance(result, DeadlineError) if number % 10 == 0 else result == number


def test_it_works_inside_a_running_event_loop() -> None:
    async def many() -> list[list[object]]:
        call = asyncio.to_thread(with_deadline, "worker_jobs:add", [(1, 2)], timeout_s=30)
        here = with_deadline("worker_jobs:add", [(2, 2)], timeout_s=30)
        return [here, *await asyncio.gather(call)]

    assert asyncio.run(many()) == [[4], [3]]


def test_a_forked_child_has_a_pool_of_its_own() -> None:
    mine = with_deadline("worker_jobs:pid", [()], timeout_s=30)
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(write, str(with_deadline("worker_jobs:pid", [()], timeout_s=30)[0]).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(read, 100)) not in mine
    assert with_deadline("worker_jobs:pid", [()], timeout_s=30) != []
    os.close(read)
    os.close(write)


def test_the_callers_alarm_is_untouched() -> None:
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        with_deadline("worker_jobs:spin", [(0,), (1,)], timeout_s=0.2)
        assert 25 < signal.setitimer(signal.ITIMER_REAL, 0)[0] <= 30
        assert not rung
    finally:
        signal.signal(signal.SIGALRM, before)


SCRIPT = """
    import os, sys, time
    sys.path.insert(0, {tests!r})
    from markscheme.sandbox.deadline.pool import shared_pool, with_deadline
    print(*with_deadline("worker_jobs:pid", [()] * 4, timeout_s=30), shared_pool()._server.pid, flush=True)
    {last}
"""


@pytest.mark.parametrize(
    "last", ["", "os.kill(os.getpid(), 9)", "with_deadline('worker_jobs:spin', [(0,)] * 2, timeout_s=60)"]
)
def test_nothing_is_left_behind(last: str) -> None:
    """Also when the caller is killed, and when a worker hangs while it is."""
    script = textwrap.dedent(SCRIPT.format(tests=str(ROOT / "tests"), last=last))
    caller = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    pids = {int(pid) for pid in caller.stdout.readline().split()}
    if "spin" in last:
        time.sleep(0.5)
        caller.kill()
    caller.wait(timeout=60)
    caller.stdout.close()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_closing_is_no_end() -> None:
    shared_pool().close()
    assert with_deadline("worker_jobs:add", [(1, 1)], timeout_s=30) == [2]

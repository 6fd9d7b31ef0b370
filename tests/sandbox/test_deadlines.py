"""`with_deadline` and its pool: worker processes call trusted functions, and are killed from outside if late."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest

from markscheme.sandbox import DeadlineError, InfraError, MemoryLimitError, with_deadline
from markscheme.sandbox.deadline.pool import Pool
from markscheme.sandbox.deadline.shared import shared_pool
from processes import left_after
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


def test_a_hanging_call_is_killed_and_the_others_are_unaffected(pool: Pool) -> None:
    # `spin` hangs on every tenth number and returns the others.
    results = pool.run("worker_jobs:spin", [(i,) for i in range(35)], timeout_s=0.3)
    late = [i for i, result in enumerate(results) if isinstance(result, DeadlineError)]
    assert late == [0, 10, 20, 30]
    assert [result for i, result in enumerate(results) if i not in late] == [i for i in range(35) if i % 10]
    assert "0.3 s" in str(results[0])


def test_a_call_that_fails_gives_its_exception_in_place_of_a_result(pool: Pool) -> None:
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
        for worker in set(pool.run("worker_jobs:pid", [()] * 8, timeout_s=30)):
            os.kill(worker, signal.SIGKILL)
        assert pool.run("worker_jobs:add", [(1, 1)] * 8, timeout_s=30) == [2] * 8
    assert pool._server is not None
    pool._server.kill()
    pool._server.wait()
    assert pool.run("worker_jobs:add", [(1, 1)] * 8, timeout_s=30) == [2] * 8


def test_workers_use_sympy_without_gmpy2(pool: Pool) -> None:
    # gmpy2 aborts the process when memory runs out.
    assert pool.run("worker_jobs:ground_types", [()], timeout_s=60) == ["python"]


def test_threads_share_the_pool() -> None:
    results_of: dict[int, list[object]] = {}

    def spin_twice(number: int) -> None:
        results_of[number] = with_deadline("worker_jobs:spin", [(number,), (number + 1,)], timeout_s=0.3)

    threads = [threading.Thread(target=spin_twice, args=(number,)) for number in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results_of) == 20
    for first, results in results_of.items():
        for number, result in zip((first, first + 1), results, strict=True):
            if number % 10 == 0:
                assert isinstance(result, DeadlineError)
            else:
                assert result == number


def test_it_works_inside_a_running_event_loop() -> None:
    async def call_twice() -> list[object]:
        in_thread = asyncio.to_thread(with_deadline, "worker_jobs:add", [(1, 2)], timeout_s=30)
        in_loop = with_deadline("worker_jobs:add", [(2, 2)], timeout_s=30)
        return [*in_loop, *await in_thread]

    assert asyncio.run(call_twice()) == [4, 3]


def test_a_forked_child_gets_a_pool_of_its_own() -> None:
    (our_worker,) = with_deadline("worker_jobs:pid", [()], timeout_s=30)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            (its_worker,) = with_deadline("worker_jobs:pid", [()], timeout_s=30)
            os.write(write, str(its_worker).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(read, 100)) != our_worker
    assert with_deadline("worker_jobs:add", [(1, 1)], timeout_s=30) == [2]  # the parent's pool still works
    os.close(read)
    os.close(write)


def test_the_timer_of_the_caller_is_untouched() -> None:
    alarms = []

    def note_alarm(*_: object) -> None:
        alarms.append(time.monotonic())

    before = signal.signal(signal.SIGALRM, note_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        with_deadline("worker_jobs:spin", [(0,), (1,)], timeout_s=0.2)
        assert 25 < signal.setitimer(signal.ITIMER_REAL, 0)[0] <= 30
        assert not alarms
    finally:
        signal.signal(signal.SIGALRM, before)


CALLER = """
    import os, sys
    sys.path.insert(0, {tests!r})
    from markscheme.sandbox import with_deadline
    from markscheme.sandbox.deadline.shared import shared_pool
    print(*with_deadline("worker_jobs:pid", [()] * 4, timeout_s=30), shared_pool()._server.pid, flush=True)
    {last_line}
"""
HANG = "with_deadline('worker_jobs:spin', [(0,)] * 2, timeout_s=60)"


@pytest.mark.parametrize(
    "last_line",
    [
        pytest.param("", id="caller ends"),
        pytest.param("os.kill(os.getpid(), 9)", id="caller kills itself"),
        pytest.param(HANG, id="caller is killed while a worker hangs"),
    ],
)
def test_no_process_is_left_behind(last_line: str) -> None:
    script = textwrap.dedent(CALLER.format(tests=str(ROOT / "tests"), last_line=last_line))
    caller = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    pids = {int(pid) for pid in caller.stdout.readline().split()}
    assert len(pids) >= 2  # a worker and its server
    if last_line == HANG:
        time.sleep(0.5)
        caller.kill()
    caller.wait(timeout=60)
    caller.stdout.close()
    assert left_after(pids, timeout_s=20) == []


def test_a_closed_pool_starts_again_when_it_is_used() -> None:
    shared_pool().close()
    assert with_deadline("worker_jobs:add", [(1, 1)], timeout_s=30) == [2]

"""The part `attacks` of `sandbox.py`: what results that are made to be costly cost the process that judges them.

The programs are in tests/data/costly_results.jsonl: results that are huge, that collide, or that take for ever to
add up, and outputs of many megabytes. Each is judged once, while a second thread ticks every 5 ms.
"""

import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from markscheme.sandbox import Limits, Sandbox
from markscheme.verifiers import verify_program
from support import ROOT

LIMITS = Limits(cpu_s=0.5, wall_s=3, memory_mb=400)
_TICK_S = 0.005


def attacks(rounds: int) -> None:
    """Print the longest CPU time, the longest stall of another thread, and the growth of this process's memory."""
    with open(ROOT / "tests/data/costly_results.jsonl", encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    cpu: dict[str, float] = {}
    stalls: dict[str, float] = {}
    accepted: list[str] = []
    with Sandbox(1, limits=LIMITS) as sandbox:
        for row in rows:  # so that caches are full and the worker has started
            verify_program("pass", row["tests"], sandbox=sandbox)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for row in rows:
            ticker = Ticker()
            started = time.process_time()
            verdict = verify_program(row["code"], row["tests"], sandbox=sandbox)
            cpu[row["name"]] = time.process_time() - started - ticker.stop()
            stalls[row["name"]] = ticker.longest
            if verdict.correct is not False:
                accepted.append(row["name"])
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    slowest, stalled = max(cpu, key=cpu.__getitem__), max(stalls, key=stalls.__getitem__)
    print(
        f"{len(rows)} costly results: {len(accepted)} accepted {accepted}; longest CPU {cpu[slowest] * 1e3:.0f} ms"
        f" ({slowest}); longest stall of another thread {stalls[stalled] * 1e3:.0f} ms ({stalled}); peak memory"
        f" {grown:+.0f} MiB"
    )


class Ticker:
    """A thread that notes the longest time between two of its ticks."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._cpu = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def _tick(self) -> None:
        last = time.perf_counter()
        while not self._stopped.wait(_TICK_S):
            now = time.perf_counter()
            self.longest = max(self.longest, now - last - _TICK_S)
            last = now
        self._cpu = time.thread_time()

    def stop(self) -> float:
        """End the thread; return the CPU seconds that it has used."""
        self._stopped.set()
        self._thread.join()
        return self._cpu

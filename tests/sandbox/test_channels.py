"""No state passes from one program to the next: each channel that a program could use is tried.

The first program of a pair tries to leave something behind. What the second one prints must be what it prints
in a worker in which no program has run before.
"""

import pytest

from markscheme.sandbox import Limits, Sandbox
from markscheme.sandbox.isolation.tiers import SAFE, Tier
from tiers import needs_tier

LIMITS = Limits(cpu_s=2, wall_s=6, memory_mb=400, output_mb=1)
LOCKS = """
import fcntl, os
for d in range(12):
    for take in (lambda: fcntl.flock(d, fcntl.LOCK_EX), lambda: fcntl.lockf(d, fcntl.LOCK_EX)):
        try: take()
        except OSError: pass
"""
OPEN_LOCKS = """
import fcntl, struct
lock = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)
for d in range(12):
    try: fcntl.fcntl(d, 37, lock)  # F_OFD_SETLK, which belongs to the open file and not to the process
    except OSError: pass
"""
SHOW_LOCKS = """
import fcntl, struct
seen = []
for d in range(12):
    for command in (fcntl.F_GETLK, 36):
        try: seen.append(struct.unpack('hhqqi4x', fcntl.fcntl(d, command, struct.pack('hhqqi4x', 1, 0, 0, 0, 0)))[0])
        except OSError: pass
print(seen)
"""
CHANNELS = [
    # name, what the first program does, what the second one prints, whether it needs a process namespace
    ("locks of descriptors", LOCKS, SHOW_LOCKS, False),
    ("locks of open files", OPEN_LOCKS, SHOW_LOCKS, False),
    (
        "offsets of descriptors",
        "import os\nfor d in range(12):\n    try: os.lseek(d, 77, 0)\n    except OSError: pass",
        "import os\nfor d in range(12):\n    try: print(d, os.lseek(d, 0, 1))\n    except OSError: pass",
        False,
    ),
    (
        "flags of descriptors",
        "import fcntl, os\nfor d in range(12):\n    try: fcntl.fcntl(d, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)\n    except OSError: pass",
        "import fcntl, os\nfor d in range(12):\n    try: print(d, fcntl.fcntl(d, fcntl.F_GETFL))\n    except OSError: pass",
        False,
    ),
    (
        "content of descriptors",
        "import os\nfor d in range(3, 12):\n    try: os.pwrite(d, b'SECRET', 1000)\n    except OSError: pass",
        "import os\nfor d in range(12):\n    try: print(d, b'SECRET' in os.pread(d, 1 << 16, 0))\n    except OSError: pass",
        False,
    ),
    (
        "the counter of pids",
        "import threading\nfor _ in range(200):\n    t = threading.Thread(target=int); t.start(); t.join()",
        "import os, threading\nt = threading.Thread(target=int); t.start()\nprint(os.getpid(), t.native_id)",
        True,
    ),
    (
        "times of the folder",
        "import os\nopen('x', 'w').close()\nos.unlink('x')\nos.utime('.', (7, 7))",
        "import os, time\nnow = time.time()\nprint(os.stat('.').st_mtime < 1000, now - os.stat('.').st_atime > 1e6)",
        False,
    ),
    (
        "numbers of files",
        "for i in range(300): open(str(i), 'w').close()",
        "import os\nopen('y', 'w').close()\nprint(os.stat('y').st_ino)",
        True,
    ),
    ("files", "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')", "import os\nprint(os.listdir('.'), os.listdir(os.environ['TMPDIR']))", False),
    ("environment and folder", "import os\nos.environ['X'] = '1'\nos.chdir('/')\nos.umask(0)", "import os\nprint(os.environ.get('X'), os.getcwd() == os.environ['HOME'], os.umask(18))", False),
    ("limits", "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))", "import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))", False),
    ("names and priorities", "import ctypes, os\nctypes.CDLL(None).prctl(15, b'left')\ntry: os.nice(3)\nexcept OSError: pass", "import ctypes, os\nb = ctypes.create_string_buffer(16)\nctypes.CDLL(None).prctl(16, b)\nprint(b.value != b'left')", False),
    ("random numbers", "import random\nrandom.seed(99)", "import random\nprint(random.random())", False),
]  # fmt: skip


@pytest.fixture(scope="module", params=SAFE)
def tier(request: pytest.FixtureRequest) -> Tier:
    needs_tier(request.param)
    return request.param


@pytest.mark.parametrize(
    ("first", "second", "in_namespace"), [row[1:] for row in CHANNELS], ids=[row[0] for row in CHANNELS]
)
def test_a_program_finds_nothing_of_the_one_before(
    tier: Tier, first: str, second: str, in_namespace: bool
) -> None:
    if in_namespace and tier is not Tier.NAMESPACES:
        pytest.skip("outside a namespace of their own, pids and numbers of files are the machine's")
    with Sandbox(1, tier=tier, limits=LIMITS) as untouched:
        expected = untouched.run(second)
    with Sandbox(1, tier=tier, limits=LIMITS) as used:
        used.run(first)
        found = used.run(second)
    assert (found.verdict, found.stdout) == (expected.verdict, expected.stdout) == ("ok", expected.stdout)


@pytest.mark.parametrize("clock", ["os.getppid()", "1"])
def test_a_program_cannot_read_the_clock_of_another_process(tier: Tier, clock: str) -> None:
    code = f"import os, time\npid = {clock}\nprint(time.clock_gettime((~pid << 3) | 2))"
    with Sandbox(1, tier=tier, limits=LIMITS) as sandbox:
        execution = sandbox.run(code)
        own = sandbox.run(
            "import time\nprint(time.process_time() < 1, time.thread_time() < 1, time.monotonic() > 0)"
        )
    assert "PermissionError" in execution.stderr or "OSError" in execution.stderr
    assert own.stdout == "True True True\n"


def test_a_lock_on_a_library_is_not_seen_outside(tier: Tier) -> None:
    import fcntl
    import json as library

    code = "import fcntl, json, time\nf = open(json.__file__)\nfcntl.flock(f, fcntl.LOCK_EX)\nprint('locked', flush=True)\ntime.sleep(1)"
    with Sandbox(1, tier=tier, limits=LIMITS) as sandbox, open(library.__file__) as file:
        assert sandbox.run(code).stdout == "locked\n"
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises if another process holds it


SPREADING = [
    # name, a program that uses several processes, and the verdict on it
    ("a fork bomb", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "timeout"),
    (
        "children that nobody waits for",
        "import os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True:\n"
        "    if os.fork() == 0:\n        sum(range(300000))\n        os._exit(0)\n    try: os.wait()\n    except OSError: pass",
        "timeout",
    ),
    (
        "a grandchild that computes",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        while True: pass\n"
        "    os._exit(0)\nos.wait()\ntime.sleep(100)",
        "timeout",
    ),
    ("signals to the worker", "import os\nfor s in range(1, 65):\n    try: os.kill(1, s)\n    except OSError: pass\nprint('here')", "ok"),
    ("a pool of processes", "import multiprocessing as m\nif __name__ == '__main__':\n    with m.Pool(2) as pool: print(sum(pool.map(abs, [-1, -2])))", "ok"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "verdict"), [row[1:] for row in SPREADING], ids=[row[0] for row in SPREADING]
)
def test_several_processes_share_the_limits_of_one(code: str, verdict: str) -> None:
    needs_tier(Tier.NAMESPACES)
    limits = Limits(cpu_s=0.5, wall_s=5, processes=8)
    with Sandbox(1, tier=Tier.NAMESPACES, limits=LIMITS) as sandbox:
        execution = sandbox.run(code, limits=limits)
        assert sandbox.run("print(1)").stdout == "1\n"
    assert execution.verdict == verdict
    assert execution.cpu_s < 1.5  # kept to within some hundredths of a second for each processor

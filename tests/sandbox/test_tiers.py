"""Which tier a sandbox runs in: the weak ones only by name, none where none works; and what each tier allows."""

import os
import subprocess
import sys

import pytest

from markscheme.sandbox import Limits, Sandbox, SandboxError
from markscheme.sandbox.isolation.tiers import Tier
from markscheme.verifiers import verify_program
from processes import descendants_of
from tiers import needs_tier


def test_weak_tiers_must_be_asked_for_by_name(small_limits: Limits) -> None:
    with Sandbox(1, tier="rlimits", limits=small_limits) as weak:
        execution = weak.run("import os\nprint(os.path.exists('/etc/passwd'))")
        assert (execution.stdout, execution.tier) == ("True\n", "rlimits")
        assert weak.run("while True: pass").verdict == "timeout"
    with Sandbox(1, tier="seccomp", limits=small_limits) as weak:
        assert weak.run("import socket\nsocket.socket()").verdict == "error"
    for name in ("strong", "remote", ""):
        with pytest.raises(SandboxError, match="the tiers are namespaces, landlock, seccomp, rlimits"):
            Sandbox(1, tier=name)


NO_SAFE_TIER = """
import platform
from markscheme.sandbox import Sandbox, SandboxError
from markscheme.sandbox.isolation import kernel, seccomp_filters
from markscheme.sandbox.isolation.allowed_syscalls import setting_up

machine = platform.machine()
unshare = {"x86_64": 272, "aarch64": 97}[machine]
landlock = setting_up()["landlock_create_ruleset"]
forbidden = {unshare: seccomp_filters.DENY, landlock: seccomp_filters.ABSENT}
kernel.give_up_privileges()
kernel.Filter(seccomp_filters._program(forbidden, seccomp_filters.ALLOW, machine)).enter()
try:
    Sandbox(1)
except SandboxError as error:
    print(error)
with Sandbox(1, tier="seccomp") as weak:
    print(weak.run("print(7)").stdout, weak.run("import os\\nos.fork()").verdict)
"""
"""A script that first forbids itself to unshare and to use Landlock, as many containers do."""


def test_where_no_safe_tier_works_the_error_says_why_and_what_to_do() -> None:
    ended = subprocess.run([sys.executable, "-c", NO_SAFE_TIER], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
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
        assert part in ended.stdout
    assert ended.stdout.endswith("7\n error\n")


def test_an_environment_variable_can_name_the_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKSCHEME_SANDBOX_TIER", "landlock")
    with Sandbox(1) as sandbox:
        assert sandbox.tier == "landlock"


def test_on_other_systems_the_error_names_the_remote_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="sandbox: {url:"):
        Sandbox(1)


ECHO = "import subprocess\nprint(subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout)"
LEAVE_A_PROCESS = """
import subprocess
subprocess.Popen(['sleep', '100'], start_new_session=True)
print('left')
"""
FORK_BOMB = """
import os
while True:
    try: os.fork()
    except OSError: pass
"""


def test_namespaces_confine_several_processes_of_a_program() -> None:
    needs_tier(Tier.NAMESPACES)
    limits = Limits(cpu_s=1, processes=6)
    with Sandbox(1, tier="namespaces") as sandbox:
        assert sandbox.run(ECHO, limits=limits).stdout == "hi\n\n"
        before = descendants_of(os.getpid())
        assert sandbox.run(LEAVE_A_PROCESS, limits=limits).stdout == "left\n"
        assert descendants_of(os.getpid()) <= before
        bomb = sandbox.run(FORK_BOMB, limits=Limits(cpu_s=0.2, processes=6))
        assert bomb.verdict in ("timeout", "wall_timeout")
        assert sandbox.run("print(1)").stdout == "1\n"


def test_other_tiers_refuse_programs_of_several_processes() -> None:
    limits = Limits(cpu_s=1, processes=6)
    stdio = {"type": "stdio", "cases": [{"stdout": "1"}]}
    asserts = {"type": "asserts", "asserts": ["assert f()"]}
    with Sandbox(1, tier="landlock") as sandbox:
        with pytest.raises(SandboxError, match="namespaces"):
            sandbox.run(ECHO, limits=limits)
        for tests in (stdio, asserts):
            with pytest.raises(SandboxError, match="namespaces"):
                verify_program("print(1)", tests, sandbox=sandbox, limits=limits)

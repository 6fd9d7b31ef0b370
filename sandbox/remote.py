"""`RemoteSandbox`: runs programs on another machine, through SandboxFusion's HTTP API.

How well programs are isolated there is that machine's promise, not ours. Expected values still never
leave this machine: for calls, a small driver travels with the program and sends back plain data.
"""

import inspect
import json
import marshal
import time
import urllib.error
import urllib.request
from functools import lru_cache
from typing import Any

from .errors import InfraError, SandboxError
from .execution import Limits
from .executor import Executor
from .isolation.tiers import Tier
from .sandbox import shared_sandbox
from .wire import codec
from .wire.protocol import BY_ITSELF, WALL
from .wire.records import COMPILE, DEFINE
from .worker import Job, Report

_ATTEMPTS = 3
_MARK = "\x1emarkscheme "
_DRIVER = """
import json as _json, sys as _sys, types as _types
_codec = _types.ModuleType("_codec"); _sys.modules["_codec"] = _codec; exec(_CODEC, _codec.__dict__)
def _told(error): return f"{type(error).__name__}: {error}"[:2000]
def _tell(record): _sys.__stdout__.write(_MARK + _json.dumps(record) + "\\n"); _sys.__stdout__.flush()
def _failed(what, error): _tell({"failed": what, "error": _told(error)}); _sys.exit(1)
def _found(module, path):
    found, names = module, path.split(".")
    for i, name in enumerate(names):
        bare = name.removesuffix("()")
        found = getattr(found, bare)
        if bare != name or (isinstance(found, type) and i < len(names) - 1): found = found()
    return found
def _main():
    module = _types.ModuleType("solution"); _sys.modules["solution"] = module
    try: code = compile(_CODE, "solution.py", "exec")
    except BaseException as error: return _failed("compile", error)
    try:
        exec(_PRELUDE, module.__dict__); exec(code, module.__dict__)
    except BaseException as error: return _failed("define", error)
    for case, calls in enumerate(_json.loads(_CASES)):
        record = {"case": case}
        try: record["value"] = _codec.encode([_found(module, entry)(*args, **kwargs)
            for entry, args, kwargs in ((e, *_codec.unpack(a)) for e, a in calls)])
        except BaseException as error: record.update(raised=type(error).__name__, error=_told(error))
        _tell(record)
_main()
"""


class RemoteSandbox(Executor):
    """A SandboxFusion server as an executor. In a task: `sandbox: {url: "http://host:8080"}`.

    It runs `stdio` and `calls` tests, and asserts that can be split into calls; test modules need the
    local sandbox.

    Args:
        url: the server's address, such as `http://host:8080`.
        workers: how many programs are sent to it at the same time.
        limits: for programs that bring none of their own. The server does not report CPU time, so
            `wall_s` is the limit that counts.

    Raises:
        SandboxError: the address is not an HTTP one.
    """

    serves_tests = False

    def __init__(self, url: str, workers: int = 8, *, limits: Limits | None = None):
        if not url.startswith(("http://", "https://")):
            raise SandboxError(
                f"a sandbox server's url must start with http:// or https:// (given: {url!r}); give one such"
                " as http://host:8080"
            )
        self.url, self.workers = url.rstrip("/"), workers
        self.tier, self.limits = Tier.REMOTE, limits or Limits()

    def do(self, job: Job) -> Report:
        """Run a job: of several inputs only the first, of calls all.

        Raises:
            InfraError: the server cannot be reached, or fails.
            SandboxError: the tests need a second process beside the program's.
        """
        if job.mode == "stdio":
            code = "\n".join(filter(None, (job.prelude, job.code)))
            return self._report(self._asked(code, job.inputs[0], job.limits, 1))
        if job.mode != "calls":
            raise SandboxError(
                f"the sandbox server {self.url} cannot run tests in a process beside the program's: it takes"
                " stdio, calls and asserts that can be split; drop `sandbox: {url: ...}` for these tests"
            )
        cases = [[(entry, _packed(arguments)) for entry, arguments in calls] for _, calls in job.calls]
        given = {
            "_CODEC": inspect.getsource(codec),
            "_CODE": job.code,
            "_PRELUDE": job.prelude,
            "_CASES": json.dumps(cases),
            "_MARK": _MARK,
        }
        driver = "".join(f"{name} = {text!r}\n" for name, text in given.items()) + _DRIVER
        report = self._report(self._asked(driver, b"", job.limits, len(cases)))
        said = [line for line in report.stdout.decode(errors="replace").split("\n") if line.startswith(_MARK)]
        report.records = [record for line in said if isinstance(record := _loaded(line[len(_MARK) :]), dict)]
        report.running = -1 if any(r.get("failed") in (COMPILE, DEFINE) for r in report.records) else 0
        return report

    def _asked(self, code: str, stdin: bytes, limits: Limits, cases: int) -> dict[str, Any]:
        """Return the server's answer, after as many attempts as it takes or `_ATTEMPTS`."""
        question = {
            "code": code,
            "language": "python",
            "stdin": stdin.decode(errors="surrogateescape"),
            "run_timeout": limits.wall_s * cases,
            "compile_timeout": 60.0,
            "memory_limit_MB": limits.memory_mb,
            "files": {},
            "fetch_files": [],
        }
        request = urllib.request.Request(
            f"{self.url}/run_code", json.dumps(question).encode(), {"Content-Type": "application/json"}
        )
        last: Exception | str = ""
        for attempt in range(_ATTEMPTS):
            time.sleep(attempt * 0.5)
            try:
                with urllib.request.urlopen(request, timeout=limits.wall_s * cases + 120) as response:
                    answer = json.loads(response.read())
            except urllib.error.HTTPError as error:
                last = f"{error.code} {error.reason}"
                error.close()
                continue
            except (OSError, ValueError) as error:
                last = error
                continue
            if isinstance(answer, dict) and answer.get("status") in ("Success", "Failed"):
                return answer
            last = f"it says {str(answer)[:200]}"
        raise InfraError(f"the sandbox server {self.url} gave no result in {_ATTEMPTS} attempts: {last}")

    def _report(self, answer: dict[str, Any]) -> Report:
        compiled, ran = answer.get("compile_result") or {}, answer.get("run_result") or {}
        part = ran or compiled
        failed_to_compile = bool(compiled) and (compiled.get("return_code") != 0 or not ran)
        code = part.get("return_code")
        status = _wait_status(code)
        cause = WALL if part.get("status") == "TimeLimitExceeded" else BY_ITSELF
        seconds = float(part.get("execution_time") or 0.0)
        out, err = (
            str(part.get(name) or "").encode(errors="surrogateescape") for name in ("stdout", "stderr")
        )
        records = (
            [{"failed": COMPILE, "error": err.decode(errors="replace")[:2000]}] if failed_to_compile else []
        )
        return Report(cause, status, seconds, seconds, 0, out, err, records)


def _wait_status(code: Any) -> int:
    """Return an exit code in the form that wait() gives: a signal as it is, an exit code shifted."""
    if not isinstance(code, int):
        return 1 << 8
    return -code if code < 0 else (code & 0xFF) << 8


@lru_cache
def _server(url: str) -> RemoteSandbox:
    return RemoteSandbox(url)


def shared_executor(url: str | None) -> Executor:
    """Return the executor that everything in this process shares: a server's, or the local sandbox.

    Raises:
        SandboxError: the url is not one, or no safe sandbox can be started on this machine.
    """
    return shared_sandbox() if url is None else _server(url)


def _packed(arguments: bytes) -> Any:
    return json.loads(arguments[1:]) if arguments[:1] == b"\0" else codec.pack(marshal.loads(arguments))


def _loaded(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None

"""`RemoteSandbox`: running programs on a SandboxFusion server, through its HTTP API.

How well programs are isolated is up to the server. Expected values still never leave this machine: for calls,
a small driver is sent along with the program, and sends plain data back.
"""

import inspect
import json
import marshal
import os
import time
from functools import cached_property, lru_cache
from typing import Any

from .errors import InfraError, SandboxError, first_line
from .execution import Limits
from .executor import Executor
from .isolation.tiers import Tier
from .job import Job, Report
from .sandbox import shared_sandbox
from .wire import codec
from .wire.protocol import BY_ITSELF, WALL
from .wire.records import COMPILE, DEFINED, FAILED, RAISED, VALUE, Record

KEY_ENV = "SANDBOX_API_KEY"
"""The environment variable that holds the server's key, where it asks for one."""
_ATTEMPTS = 3
_MARK = "\x1emarkscheme "
"""The start of each line of standard output that holds a record of the driver."""
# Runs on the server, after lines that define _CODEC, _CODE, _PRELUDE, _CASES and _MARK. It makes calls and
# writes records as `inside/harness.py` does.
_DRIVER = """
import json as _json, sys as _sys, types as _types

_codec = _types.ModuleType("_codec")
_sys.modules["_codec"] = _codec
exec(_CODEC, _codec.__dict__)

def _describe(error):
    return f"{type(error).__name__}: {error}"[:2000]

def _write(kind, body, case=0):
    _sys.__stdout__.write(_MARK + _json.dumps([kind, case, body]) + "\\n")
    _sys.__stdout__.flush()

def _fail(what, error):
    _write(_FAILED, what + "\\0" + _describe(error))
    _sys.exit(1)

def _entry(module, path):
    value, names = module, path.split(".")
    for i, name in enumerate(names):
        bare = name.removesuffix("()")
        value = getattr(value, bare)
        if bare != name or (isinstance(value, type) and i < len(names) - 1):
            value = value()
    return value

def _answers(module, calls):
    answers = []
    for entry, packed in calls:
        args, kwargs = _codec.unpack(packed)
        answers.append(_entry(module, entry)(*args, **kwargs))
    return _codec.encode(answers)

def _define(code):
    module = _types.ModuleType("solution")
    _sys.modules["solution"] = module
    exec(_PRELUDE, module.__dict__)
    exec(code, module.__dict__)
    return module

def _main():
    try:
        code = compile(_CODE, "solution.py", "exec")
    except BaseException as error:
        return _fail("compile", error)
    try:
        module = _define(code)
    except BaseException as error:
        return _fail("define", error)
    _write(_DEFINED, "")
    for case, calls in enumerate(_json.loads(_CASES)):
        try:
            if _FRESH and case > 0:
                module = _define(code)
            _write(_VALUE, _answers(module, calls), case)
        except BaseException as error:
            _write(_RAISED, type(error).__name__ + "\\0" + _describe(error), case)

_main()
"""


class RemoteSandbox(Executor):
    """A SandboxFusion server as an executor. A task uses one with `sandbox: {url: "http://host:8080"}`.

    It runs `stdio` and `calls` tests, and asserts that can be split into calls; test modules need the local
    sandbox. Making one does not connect to the server.

    >>> sandbox = RemoteSandbox("http://127.0.0.1:8080/", limits=Limits(cpu_s=2, wall_s=10))
    >>> sandbox.url, str(sandbox.tier), sandbox.limits.wall_s
    ('http://127.0.0.1:8080', 'remote', 10)

    Args:
        url: the server's address, such as `http://host:8080`.
        workers: how many programs are sent to it at the same time.
        limits: limits of programs that are run without their own. The server does not report CPU time, so
            `wall_s` is the limit that counts.

    Raises:
        SandboxError: the address does not start with http:// or https://.
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
        """Run a job: all of its calls, but only the first of its inputs.

        Raises:
            InfraError: the server cannot be reached, or fails.
            SandboxError: the tests need a second process, next to the program's.
        """
        if job.mode == "stdio":
            code = "\n".join(filter(None, (job.prelude, job.code)))
            return _report(self._ask(code, job.inputs[0], job.limits))
        if job.mode != "calls":
            raise SandboxError(
                f"the sandbox server {self.url} cannot run tests in a process beside the program's: it takes"
                " stdio, calls and asserts that can be split; drop `sandbox: {url: ...}` for these tests"
            )
        cases = [[(entry, _packed(arguments)) for entry, arguments in calls] for _, calls in job.calls]
        constants = {
            "_CODEC": inspect.getsource(codec),
            "_CODE": job.code,
            "_PRELUDE": job.prelude,
            "_CASES": json.dumps(cases),
            "_MARK": _MARK,
            "_FRESH": job.fresh,
            "_DEFINED": DEFINED,
            "_VALUE": VALUE,
            "_RAISED": RAISED,
            "_FAILED": FAILED,
        }
        driver = "".join(f"{name} = {value!r}\n" for name, value in constants.items()) + _DRIVER
        report = _report(self._ask(driver, b"", job.limits))
        report.records = _records(report.stdout)
        return report

    @cached_property
    def _client(self) -> Any:
        """The client, which keeps its connections; it is safe to share between threads."""
        import httpx2  # only for remote sandboxes, because it takes a while to import

        key = os.environ.get(KEY_ENV, "").strip()
        headers = {"Content-Type": "application/json"}
        return httpx2.Client(headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}))

    def _ask(self, code: str, stdin: bytes, limits: Limits) -> dict[str, Any]:
        """Have the server run code, with up to `_ATTEMPTS` attempts; return its answer."""
        body = {
            "code": code,
            "language": "python",
            "stdin": stdin.decode(errors="surrogateescape"),
            "run_timeout": limits.wall_s,
            "compile_timeout": 60.0,
            "memory_limit_MB": limits.memory_mb,
            "files": {},
            "fetch_files": [],
        }
        import httpx2

        problem: Exception | str = ""
        for attempt in range(_ATTEMPTS):
            time.sleep(attempt * 0.5)
            try:
                response = self._client.post(
                    f"{self.url}/run_code",
                    content=json.dumps(body),  # not json=body, which fails on lone surrogates
                    timeout=limits.wall_s + 120,
                )
                if response.status_code in (401, 403, 404):
                    raise SandboxError(
                        f"the sandbox server {self.url} answers {response.status_code}: give its address, and"
                        f" its key, if it asks for one, in the environment variable {KEY_ENV}"
                    )
                answer = response.raise_for_status().json()
            except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
                problem = first_line(error)
                continue
            if isinstance(answer, dict) and answer.get("status") in ("Success", "Failed"):
                return answer
            problem = f"it answered {str(answer)[:200]}"
        raise InfraError(
            f"the sandbox server {self.url} gave no result in {_ATTEMPTS} attempts: {problem}; check that it"
            " runs and that this machine can reach it"
        )


def _report(answer: dict[str, Any]) -> Report:
    """Return the facts that a server's answer holds. It has no memory use, and one time for CPU and wall."""
    compiled, ran = answer.get("compile_result") or {}, answer.get("run_result") or {}
    result = ran or compiled
    seconds = float(result.get("execution_time") or 0.0)
    stdout = str(result.get("stdout") or "").encode(errors="surrogateescape")
    stderr = str(result.get("stderr") or "").encode(errors="surrogateescape")
    records: list[Record] = []
    if compiled and (compiled.get("return_code") != 0 or not ran):
        records.append(Record(FAILED, body=COMPILE.encode() + b"\0" + stderr[:2000]))
    return Report(
        cause=WALL if result.get("status") == "TimeLimitExceeded" else BY_ITSELF,
        status=_wait_status(result.get("return_code")),
        cpu_s=seconds,
        wall_s=seconds,
        kib=0,
        stdout=stdout,
        stderr=stderr,
        records=records,
    )


def _wait_status(code: Any) -> int:
    """Return an exit code, or minus a signal, as a wait status of os.wait(); anything else as exit code 1."""
    if not isinstance(code, int):
        return 1 << 8
    return -code if code < 0 else (code & 0xFF) << 8


def _records(stdout: bytes) -> list[Record]:
    """Return the driver's records, found among the lines that the program has printed."""
    records = []
    for line in stdout.decode(errors="replace").split("\n"):
        if line.startswith(_MARK):
            try:
                kind, case, body = json.loads(line[len(_MARK) :])
                records.append(Record(kind, case, body=body.encode(errors="surrogatepass")))
            except (ValueError, TypeError, AttributeError, RecursionError):
                continue  # the program printed it
    return records


@lru_cache
def _server(url: str) -> RemoteSandbox:
    return RemoteSandbox(url)


def shared_executor(url: str | None) -> Executor:
    """Return the executor that this process shares: the server at `url`, or for None the local sandbox.

    Raises:
        SandboxError: the url is not one of http or https, or no safe sandbox can be started on this machine.
    """
    return shared_sandbox() if url is None else _server(url)


def _packed(arguments: bytes) -> Any:
    """Return the arguments of a call (see `Job.calls`) as the codec's JSON."""
    return json.loads(arguments[1:]) if arguments[:1] == b"\0" else codec.pack(marshal.loads(arguments))

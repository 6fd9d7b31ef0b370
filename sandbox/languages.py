"""Programs in other languages through the same door: compiled once, kept by hash, run a case at a time."""

import base64
import hashlib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from .errors import SandboxError
from .execution import Execution, Limits, RunVerdict
from .isolation.tiers import Tier
from .worker import ENVIRONMENT, Job, Report

KEPT = 256
"""Compiled programs that are kept."""
_BUILD = Limits(cpu_s=20, wall_s=60, memory_mb=2048, output_mb=64, processes=16)


@dataclass(frozen=True)
class Language:
    """How programs of a language are run."""

    tool: str
    """The compiler or interpreter."""
    package: str
    """What Debian calls it."""
    source: str
    """The file that it takes."""
    compile: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    reserves: bool = False
    """It reserves far more address space than it uses, so that what it writes is limited instead."""
    processes: int = 1
    """What a program of it cannot do without."""


LANGUAGES = {
    "cpp": Language(
        "g++", "g++", "main.cpp", ("g++", "-O2", "-std=c++17", "-o", "program", "main.cpp"), ("./program",)
    ),
    "javascript": Language(
        "node",
        "nodejs",
        "main.js",
        run=("node", "--max-old-space-size={memory_mb}", "main.js"),
        reserves=True,
    ),
    "shell": Language("sh", "dash", "main.sh", run=("sh", "main.sh"), processes=32),
}


class Programs:
    """Compiled programs of one sandbox.

    Args:
        do: does a job on a worker.
        tier: the sandbox's.
    """

    def __init__(self, do: Callable[[Job], Report], tier: Tier):
        self._do, self._tier = do, tier
        self._kept: OrderedDict[str, bytes | Execution] = OrderedDict()
        self._lock = threading.Lock()

    def job(self, code: str, stdin: bytes, language: str, limits: Limits) -> Job | Execution:
        """Return what a worker is to do, or what became of the program when it was compiled.

        Raises:
            SandboxError: no such language, no compiler, or a tier that cannot hold it.
        """
        how = LANGUAGES.get(language)
        if how is None:
            raise SandboxError(f"language must be python, {', '.join(LANGUAGES)} (given: {language!r})")
        tool = shutil.which(how.tool, path=ENVIRONMENT["PATH"])
        if tool is None:
            raise SandboxError(
                f"{language} needs {how.tool!r}, which is not in {ENVIRONMENT['PATH']}; install it, such as"
                f" by `apt install {how.package}`"
            )
        if how.processes > 1 and self._tier is not Tier.NAMESPACES:
            raise SandboxError(
                f"{language} programs start processes, which only the tier `namespaces` holds"
                f" (this is {self._tier})"
            )
        files = {how.source: code.encode(errors="surrogateescape")}
        if how.compile:
            built = self._built(how, code, language)
            if isinstance(built, Execution):
                return built
            files = {"program": built}
        run = [part.format(memory_mb=limits.memory_mb) for part in how.run]
        run[0] = tool if run[0] == how.tool else run[0]
        limits = replace(limits, processes=max(limits.processes, how.processes))
        body = {"mode": "execute", "code": "", "files": files, "argv": tuple(run), "reserves": how.reserves}
        body["memory"] = limits.memory_mb << 20
        return Job(body, limits, (stdin,))

    def _built(self, how: Language, code: str, language: str) -> bytes | Execution:
        key = hashlib.sha256(f"{language}\0{how.compile}\0{code}".encode(errors="surrogatepass")).hexdigest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        tool = shutil.which(how.tool, path=ENVIRONMENT["PATH"])
        body = {
            "mode": "build", "code": "", "files": {how.source: code.encode(errors="surrogateescape")},
            "argv": (tool, *how.compile[1:]), "made": "program",
        }  # fmt: skip
        report = self._do(Job(body, _BUILD))
        made = next(
            (record["made"] for record in report.records if isinstance(record.get("made"), str)), None
        )
        if made is not None:
            built: bytes | Execution = base64.b64decode(made)
        else:
            said = report.stderr[: 1 << 20].decode(errors="replace") or "the compiler passed its limits"
            built = Execution(
                RunVerdict.COMPILE_ERROR, stderr=said, exit_code=1, cpu_s=report.cpu_s, wall_s=report.wall_s,
                tier=self._tier, detail={"error": said.splitlines()[0] if said.strip() else said},
            )  # fmt: skip
        with self._lock:
            self._kept[key] = built
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return built

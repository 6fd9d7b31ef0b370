"""The grammar of a task file: shapes only. Names are resolved by `MarkScheme`, in rewards/.

A task says where its problems come from, how a row becomes a problem, and how answers earn marks.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from ..sandbox.errors import did_you_mean
from ..sandbox.execution import Limits
from .yaml_file import YamlFile

RESERVED = ("use", "weight", "when", "clip", "ramp", "of", "timeout_s", "on_failure")
PROCESS = "process"
"""The section whose marks of steps become advantages, and the name of its part of a score."""
FAULTS = (
    "no_answer",
    "too_large",
    "timeout",
    "memory",
    "unparsable",
    "infra_error",
    "abstain",
    "bug",
)
Credit = Literal["sum", "clip"]
"""What a token gets from the steps that end at or after it; see `process_advantages`."""
Pool = Literal["steps", "outputs"]
"""What the mean and std of step marks are taken over."""
ExtractSpec = str | tuple[str | dict[str, Any], ...]


class DataSource(BaseModel):
    """Where rows come from: a hub id, a local file or folder, or a generator.

    With `generator`, all other unknown keys are the generator's own parameters.
    """

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    path: str | None = None
    """A hub id (`openai/gsm8k`), or a .jsonl/.json/.csv/.parquet file or a folder of them."""
    generator: str | None = None
    """A built-in generator, `module:attr` or `file.py:attr`."""
    name: str | None = None
    """The hub data set's configuration."""
    revision: str | None = None
    """The hub data set's commit or tag."""
    split: str = "train"
    """The split that is trained on."""
    held_out: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of rows, chosen by a hash of their content, that is the `test` split of unsplit data."""
    shuffle: bool = False
    """Shuffle by `seed` (within a buffer of 10,000 rows when streaming)."""
    seed: int = 0
    """Seed of the shuffle and of a generator."""
    limit: int | None = Field(default=None, ge=1)
    """At most this many problems."""
    streaming: bool = False
    """Read a hub data set row by row and stop at `limit`, instead of downloading it whole."""

    @model_validator(mode="after")
    def _one_source(self) -> "DataSource":
        if (self.path is None) == (self.generator is None):
            raise ValueError("give exactly one of `path` and `generator`")
        if self.path is not None and self.model_extra:
            key = next(iter(self.model_extra))
            known = list(type(self).model_fields)
            raise ValueError(f"unknown key {key!r}{did_you_mean(key, known)} (allowed: {', '.join(known)})")
        if (self.streaming or self.generator) and self.limit is None:
            source = "streaming" if self.streaming else "a generator"
            raise ValueError(f"{source} needs a `limit`: how many problems to take")
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """The generator's own parameters."""
        return dict(self.model_extra or {})


class ProblemTemplates(BaseModel):
    """How a row becomes a `Problem`: jinja2 templates over the row's columns.

    A template that is one bare expression keeps its type (`"{{ tests }}"` stays a list).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prompt: Any = "{{ prompt }}"
    """Text, or a list of messages, or an expression that gives either."""
    reference: Any = None
    """The accepted answer(s)."""
    tests: Any = None
    """Tests of a program."""
    solution: Any = None
    """A right completion, used by checks only."""
    id: Any = None
    """A stable id; without it, a hash of prompt and reference."""
    info: dict[str, Any] = Field(default_factory=dict)
    """More columns for `problem.info`."""

    @field_validator("prompt")
    @classmethod
    def _prompt_shape(cls, value: Any) -> Any:
        if not isinstance(value, str | list):
            raise ValueError("expected a template or a list of chat messages")
        return value


class RewardEntry(BaseModel):
    """One line of `rewards:` or `watch:`. Keys that are not listed here are the component's own."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    use: str
    """A component: built-in name, `module:attr`, `file.py:attr`, or cascade | any_of | ensemble."""
    weight: float | dict[int, float] = 1.0
    """A factor, or `{step: factor}` over training; 0 = logged only."""
    ramp: bool = False
    """Go linearly between the steps of `weight` instead of jumping."""
    when: Annotated[str, Field(min_length=1)] | dict[str, Any] | None = None
    """Another entry (pays only where that one is right), or `{column: value}` of the row."""
    clip: tuple[float, float] | None = None
    """Lowest and highest value."""
    of: tuple["str | RewardEntry", ...] = ()
    """Members of cascade | any_of | ensemble: entries' names, components or inline entries."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Deadline for one completion, in seconds. A synchronous function then runs in a worker process
    that is killed when the time is up."""
    on_failure: dict[str, float | Literal["leave_out", "stop"]] = Field(default_factory=dict)
    """What a failure is worth, by status: a number, `leave_out` or `stop`."""

    @field_validator("weight")
    @classmethod
    def _schedule(cls, weight: float | dict[int, float]) -> float | dict[int, float]:
        if isinstance(weight, dict) and (not weight or min(weight) != 0):
            raise ValueError("a schedule starts at step 0, such as {0: 0, 1300: 1}")
        values = weight.values() if isinstance(weight, dict) else (weight,)
        if not all(abs(value) <= 1e100 for value in values):
            raise ValueError("a weight must be a finite number")
        return weight

    @field_validator("clip")
    @classmethod
    def _ordered(cls, clip: tuple[float, float] | None) -> tuple[float, float] | None:
        if clip is not None and not clip[0] <= clip[1]:
            raise ValueError("expected [lowest, highest]")
        return clip

    @field_validator("on_failure")
    @classmethod
    def _faults(cls, policy: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(policy) - set(FAULTS))
        if unknown:
            raise ValueError(f"unknown status {unknown[0]!r} (allowed: {', '.join(FAULTS)})")
        return policy

    @property
    def parameters(self) -> dict[str, Any]:
        """The component's own parameters."""
        return dict(self.model_extra or {})

    def weight_at(self, step: int | None) -> float:
        """Return the factor at a training step; None = the last one (scoring outside training)."""
        if not isinstance(self.weight, dict):
            return self.weight
        points = sorted(self.weight.items())
        if step is None:
            return points[-1][1]
        step = max(step, 0)
        below = max(p for p in points if p[0] <= step)
        above = next((p for p in points if p[0] > step), None)
        if not self.ramp or above is None:
            return below[1]
        share = (step - below[0]) / (above[0] - below[0])
        return below[1] + share * (above[1] - below[1])


class ProcessEntry(RewardEntry):
    """`process:`, whose marks of steps become advantages of tokens in a run with `mode: process`.

    `use` is a component that marks steps, or the name of an entry of the task that uses one.
    """

    weight: float | dict[int, float] = 1.0
    """Factor of the steps' advantages beside the outcome's, or `{step: factor}`."""
    credit: Credit = "clip"
    """What a token gets of the steps from its own on; see `process_advantages`."""
    pool: Pool = "outputs"
    """What mean and std are of: all steps of a group, or all completions."""
    centred: bool = False
    """Compare a step with the steps of the same index only (not with `clip`)."""
    gate: bool = True
    """No step of a wrong completion is rewarded, none of a right one punished."""
    outcome: bool = True
    """Add the completion's outcome advantage to every token."""
    tail: Literal["extend", "zero"] = "extend"
    """Whether the last step reaches to the last token; `zero` as in DeepSeekMath's equation."""

    @model_validator(mode="after")
    def _marks_every_step(self) -> "ProcessEntry":
        if self.when is not None or self.of:
            raise ValueError("`process` has no `when` and no `of`: it names one component that marks steps")
        if self.clip is not None:
            raise ValueError("`process` has no `clip`: marks stay as they are given")
        if self.centred and self.credit == "clip":
            raise ValueError("`credit: clip` compares whole completions; `centred` is for the other forms")
        weights = self.weight.values() if isinstance(self.weight, dict) else (self.weight,)
        if min(weights) < 0:
            raise ValueError("a negative weight would reward wrong steps")
        return self


class SandboxConfig(BaseModel):
    """`sandbox:`, for programs that are to run on another machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    url: str = Field(pattern=r"^https?://")
    """Address of a SandboxFusion server, such as `http://host:8080`."""


class Task(BaseModel):
    """What is asked and how answers earn marks: the content of one YAML file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """Letters, digits, `_`, `.` and `-`."""
    version: int = 1
    """Raised by the author when marks change on purpose."""
    description: str = ""
    """One sentence for `markscheme list tasks`."""
    data: DataSource
    """Where the rows come from."""
    problem: ProblemTemplates = ProblemTemplates()
    """How a row becomes a problem."""
    system: str | None = None
    """System text; needs a tokenizer with a chat template."""
    extract: ExtractSpec = "strict"
    """How the answer is found: `strict` (tag or box), `lenient`, or an ordered list of rules."""
    limits: Limits | None = None
    """What a program may take: `cpu_s`, `wall_s`, `memory_mb`, `output_mb`, `processes`."""
    sandbox: SandboxConfig | None = None
    """Where programs run; without it, in the sandbox on this machine."""
    rewards: dict[str, RewardEntry] = Field(min_length=1)
    """What is trained on, by name."""
    watch: dict[str, RewardEntry] = Field(default_factory=dict)
    """Scored and logged, never trained on: stricter verifiers that a hacked reward parts from."""
    process: ProcessEntry | None = None
    """What marks the steps; advantages of tokens come from it in a run with `mode: process`."""
    combine: Literal["sum", "min", "product", "all_of", "any_of"] = "sum"
    """How the entries' weighted values become one."""

    _file: YamlFile | None = PrivateAttr(default=None)
    _allow_code: bool = PrivateAttr(default=True)

    @field_validator("limits", mode="before")
    @classmethod
    def _known_limits(cls, limits: Any) -> Any:
        if isinstance(limits, dict):
            known = [field.name for field in dataclasses.fields(Limits)]
            for key in set(limits) - set(known):
                raise ValueError(
                    f"unknown key {key!r}{did_you_mean(str(key), known)} (allowed: {', '.join(known)})"
                )
        return limits

    @field_validator("watch", mode="before")
    @classmethod
    def _short_watch(cls, watch: Any) -> Any:
        """Take `watch: answer` and `watch: [answer, boxed]` as entries without parameters."""
        names = [watch] if isinstance(watch, str) else watch
        if isinstance(names, list):
            return {str(name): {"use": name} for name in names}
        if isinstance(names, dict):
            return {key: {"use": entry} if isinstance(entry, str) else entry for key, entry in names.items()}
        return names

    @model_validator(mode="after")
    def _names_differ(self) -> "Task":
        both = sorted(set(self.rewards) & set(self.watch))
        if both:
            raise ValueError(f"{both[0]!r} stands under `rewards` and under `watch`; rename one")
        if self.process is not None and PROCESS in {*self.rewards, *self.watch}:
            raise ValueError(f"an entry is called {PROCESS!r}, as the section is; rename it")
        return self

    @property
    def allow_code(self) -> bool:
        """Whether `module:attr` and `file.py:attr` may be loaded (`--no-code` says no)."""
        return self._allow_code

    @property
    def sandbox_url(self) -> str | None:
        """Address of the server that programs run on; None = this machine."""
        return None if self.sandbox is None else self.sandbox.url

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the task start from."""
        return self._file.path.parent if self._file and self._file.path else Path()

    def where(self, *keys: str | int) -> str:
        """Return `file:line: key.path` for an error message."""
        return self._file.where(*keys) if self._file else f"task {self.name}: {'.'.join(map(str, keys))}"

    @property
    def hash(self) -> str:
        """sha256 of the resolved task and of the source of every `file.py` that it names."""
        sources = {name: self._source_of(name) for name in sorted(set(self._named_files()))}
        # Sections that came later: a task without them keeps the hash that it had before.
        absent = {name for name in (PROCESS, "sandbox") if getattr(self, name) is None}
        content = {"task": self.model_dump(mode="json", exclude=absent), "sources": sources}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _source_of(self, name: str) -> str:
        path = self.folder / name
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"

    def _named_files(self) -> Iterator[str]:
        entries: list[Any] = [*self.rewards.values(), *self.watch.values()]
        entries += [self.process] if self.process is not None else []
        uses = [self.data.generator or ""]
        while entries:
            entry = entries.pop()
            uses.append(entry if isinstance(entry, str) else entry.use)
            entries.extend(() if isinstance(entry, str) else entry.of)
        return (use.partition(":")[0] for use in uses if ".py:" in use)

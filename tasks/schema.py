"""The schema of a task file: which keys it may have, of which type, and what they mean.

A task says where its rows come from, how a row becomes a problem, and how answers are scored. Only the shape
is checked here: `MarkScheme`, in rewards/, looks up the components that a task names.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from ..sandbox.errors import did_you_mean
from ..sandbox.execution import Limits
from .check_section import CheckSection
from .name_lookup import local_sources
from .reward_entries import PROCESS, ProcessEntry, RewardEntry
from .yaml_file import YamlFile

ExtractRule = str | dict[str, Any]
ExtractSpec = str | tuple[ExtractRule | tuple[ExtractRule, ...], ...]


class DataSource(BaseModel):
    """The `data:` section: rows from a Hugging Face data set, from local files, or from a generator.

    With `generator`, keys that are not listed here are the generator's own parameters.
    """

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    path: str | None = None
    """A Hugging Face data set (`openai/gsm8k`), a .jsonl, .json, .csv or .parquet file, or a folder of such
    files. A local path is looked for beside the task file, then in the current folder."""
    generator: str | None = None
    """A generator of rows, instead of `path`: a built-in name, `module:attr` or `file.py:attr`."""
    name: str | None = None
    """Configuration of the Hugging Face data set, such as `main`; by default the data set's own default."""
    revision: str | None = None
    """Commit, branch or tag of the Hugging Face data set; by default its newest version."""
    split: str = "train"
    """The split that problems are taken from (default `train`)."""
    held_out: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the rows to hold out as the split `test`, from 0 (default) to below 1. Rows are chosen by a
    hash of their prompt, whatever its white space and case, so that a prompt is always on the same side."""
    shuffle: bool = False
    """Shuffle the rows by `seed` before `limit` is applied (default: false); a streamed data set is shuffled
    within a buffer of 10,000 rows."""
    seed: int = 0
    """Random seed of the shuffle and of a generator (default 0)."""
    problems: str | None = None
    """A file that lists the problems to take, such as `markscheme evaluate --problems` writes: rows with
    `problem` (an id) and perhaps `weight` (copies of it in a pass over the data, 1 by default); by default
    all."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many problems; by default all. Required with `streaming`, and with a `generator`
    without a `size`."""
    streaming: bool = False
    """Read a Hugging Face data set row by row up to `limit`, instead of downloading it whole (default:
    false)."""

    @model_validator(mode="after")
    def _one_source(self) -> "DataSource":
        if (self.path is None) == (self.generator is None):
            raise ValueError("give exactly one of `path` and `generator`")
        if self.path is not None and self.model_extra:
            key = next(iter(self.model_extra))
            known = list(type(self).model_fields)
            raise ValueError(f"unknown key {key!r}{did_you_mean(key, known)} (allowed: {', '.join(known)})")
        sized = self.generator is not None and "size" in self.parameters
        if (self.streaming or self.generator) and self.limit is None and not sized:
            source = "streaming" if self.streaming else "a generator"
            raise ValueError(
                f"{source} needs a `limit`, the number of problems to take at most, such as `limit: 1000`"
            )
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """The generator's own parameters: every key that is not a field of `data:`."""
        return dict(self.model_extra or {})


class ProblemTemplates(BaseModel):
    """The `problem:` section: jinja2 templates over a row's columns that build a `Problem`.

    A template that is a single expression keeps the type of its value: `"{{ tests }}"` stays a list.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prompt: Any = "{{ prompt }}"
    """The question that the policy is given: a template for text, a list of chat messages with templates, or
    a single expression whose value is either. Default: the column `prompt`."""
    reference: Any = None
    """The accepted answer, or a list of answers any of which is accepted; the reward `answer` needs it."""
    tests: Any = None
    """The tests that a program must pass, as plain data; the reward `unit_tests` needs them."""
    solution: Any = None
    """A correct completion, never shown to the policy: `markscheme check` reads it, and the reward
    `step_checker` with `check: code_as_solution`."""
    id: Any = None
    """A stable, unique id of the problem; by default a hash of prompt and reference."""
    info: dict[str, Any] = Field(default_factory=dict)
    """Further values to add to `problem.info`, by name; the row's own columns are always in it."""

    @field_validator("prompt")
    @classmethod
    def _text_or_messages(cls, value: Any) -> Any:
        if not isinstance(value, str | list):
            raise ValueError("expected a template or a list of chat messages")
        return value


class SandboxConfig(BaseModel):
    """The `sandbox:` section: where to run programs, if not on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    url: str = Field(pattern=r"^https?://")
    """Address of a SandboxFusion server, such as `http://host:8080`."""


class Task(BaseModel):
    """One task: where its problems come from and how answers are scored; the content of one YAML file.

    Tasks are read with `load_task` and cannot be changed afterwards.

    >>> from markscheme.tasks import load_task
    >>> task = load_task("gsm8k")
    >>> task.data.path, task.extract
    ('openai/gsm8k', 'strict')
    >>> {name: entry.use for name, entry in task.rewards.items()}
    {'correct': 'answer', 'format': 'think_answer'}
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        # The schema's own description, or editors would show the docstring with its example.
        json_schema_extra={"description": "A task: where its problems come from and how answers are scored."},
    )

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """The task's name: letters, digits, `_`, `.` and `-`."""
    version: int = 1
    """A number (default 1) that the author raises when scores change on purpose."""
    description: str = ""
    """One sentence about the task, shown by `markscheme list tasks`."""
    data: DataSource
    """Where the rows come from."""
    problem: ProblemTemplates = ProblemTemplates()
    """How a row becomes a problem: templates over its columns."""
    system: str | None = None
    """A system message put before every prompt; by default none. The tokenizer then needs a chat template."""
    extract: ExtractSpec = "strict"
    r"""How the final answer is found in a completion: `strict` (default: an <answer> tag or \boxed{}),
    `lenient` (anything that looks like a final answer), or a list of rules that are tried in order."""
    thinking: list[str | tuple[str, str]] | None = None
    """Further marks of the thinking part, in which no answer counts: the name of a tag (`plan` for
    `<plan>...</plan>`) or a pair of an opening and a closing text. Those of the usual models are known."""
    limits: Limits | None = None
    """Resources that a program may use: `cpu_s`, `wall_s`, `memory_mb`, `output_mb`, `processes`; by default
    those of the sandbox."""
    sandbox: SandboxConfig | None = None
    """Where programs run; by default in the sandbox on this machine."""
    rewards: dict[str, RewardEntry] = Field(min_length=1)
    """The rewards that are trained on, under names of your choice; one named `correct` also says whether a
    completion is right."""
    watch: dict[str, RewardEntry] = Field(default_factory=dict)
    """Rewards that are scored and logged but never trained on, such as a stricter verifier that exposes
    reward hacking. Short forms: one name, or a list of names."""
    process: ProcessEntry | None = None
    """A reward that marks the steps of a completion; a run with `algorithm.mode: process` learns from it."""
    combine: Literal["sum", "min", "product", "all_of", "any_of"] = "sum"
    """How the weighted values of `rewards` become one score: `sum` (default), `min`, `product`, or, for
    `all_of` and `any_of`, 1 if all or any of them reach the top of their range, else 0."""
    check: CheckSection = CheckSection()
    """What `markscheme check` tolerates: what cheats may earn, and errors on labelled cases."""

    _yaml: YamlFile | None = PrivateAttr(default=None)
    _allow_code: bool = PrivateAttr(default=True)

    @field_validator("limits", mode="before")
    @classmethod
    def _known_limits(cls, limits: Any) -> Any:
        """Reject unknown keys with close matches; pydantic's own message for a dataclass shows none."""
        if isinstance(limits, dict):
            known = [field.name for field in dataclasses.fields(Limits)]
            for key in limits:
                if key not in known:
                    near = did_you_mean(str(key), known)
                    raise ValueError(f"unknown key {key!r}{near} (allowed: {', '.join(known)})")
        return limits

    @field_validator("watch", mode="before")
    @classmethod
    def _short_watch(cls, watch: Any) -> Any:
        """Accept `watch: answer`, `watch: [answer, boxed]` and `watch: {truth: answer}` as full entries."""
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
            raise ValueError(f"{both[0]!r} is an entry under `rewards` and under `watch`; rename one")
        if self.process is not None and PROCESS in {*self.rewards, *self.watch}:
            raise ValueError(
                f"an entry is called {PROCESS!r}, the name that scores give to the `process:` section's part;"
                " rename it"
            )
        return self

    @property
    def allow_code(self) -> bool:
        """Whether `module:attr` and `file.py:attr` may be loaded; `--no-code` forbids it."""
        return self._allow_code

    @property
    def sandbox_url(self) -> str | None:
        """Address of the server that programs run on; None = in the sandbox on this machine."""
        return None if self.sandbox is None else self.sandbox.url

    @property
    def file(self) -> Path | None:
        """The YAML file that the task was read from; None for a task that was not read from a file."""
        return None if self._yaml is None else self._yaml.path

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the task start from: the file's, else the current one."""
        return Path() if self.file is None else self.file.parent

    def where(self, *keys: str | int) -> str:
        """Return the place of a key, for an error message: `file:line: key.path`."""
        if self._yaml is None:
            return f"task {self.name}: {'.'.join(map(str, keys))}"
        return self._yaml.where(*keys)

    @property
    def hash(self) -> str:
        """SHA-256 of the task, overrides included, and of the files that it names for code or problems.

        The `check:` section is not part of it, since it changes no score.
        """
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    @property
    def training_content(self) -> dict[str, Any]:
        """What may not change in the middle of a run, ready for JSON: all but `watch` and every `on_failure`.

        `task` has the sections, `sources` the hashes of the files that are named for code or problems.
        """
        content = self._content()
        content["task"].pop("watch")
        for section in (content["task"]["rewards"].values(), [content["task"].get(PROCESS)]):
            for entry in section:
                _forget_failures(entry)
        return content

    def _content(self) -> dict[str, Any]:
        sources = {name: self._source_hash(name) for name in sorted(set(self._named_files()))}
        # These sections were added to the schema later. A task without them keeps its old hash, so that older
        # runs can still be resumed.
        absent: dict[str, Any] = {"check": True} | {
            name: True for name in (PROCESS, "sandbox", "thinking") if getattr(self, name) is None
        }
        if self.data.problems is None:
            absent["data"] = {"problems"}
        return {"task": self.model_dump(mode="json", exclude=absent), "sources": sources}

    def _source_hash(self, name: str) -> str:
        path = self.folder / name
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"

    def _named_files(self) -> Iterator[str]:
        """Yield `data.problems` and the user's own code that the task executes, also what it imports."""
        if self.data.problems is not None:
            yield self.data.problems
        uses = [self.data.generator or ""]
        entries: list[str | RewardEntry] = [*self.rewards.values(), *self.watch.values()]
        if self.process is not None:
            entries.append(self.process)
        while entries:
            entry = entries.pop()
            if isinstance(entry, str):
                uses.append(entry)
            else:
                uses.append(entry.use)
                entries.extend(entry.of)
        for use in uses:
            if ".py:" in use:
                yield use.partition(":")[0]  # also if it is missing
            if ":" in use:
                named = (self.folder / use.partition(":")[0]).resolve()
                others = [path for path in local_sources(use, self.folder) if path != named]
                yield from (os.path.relpath(path, self.folder.resolve()) for path in others)


def _forget_failures(entry: Any) -> None:
    """Remove `on_failure` from an entry as JSON, and from the entries that it is made of."""
    if isinstance(entry, dict):
        entry.pop("on_failure", None)
        for member in entry.get("of") or ():
            _forget_failures(member)

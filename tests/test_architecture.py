"""The order of the house: who may import whom, what is public, and what the base install may load."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {
    "sandbox": "errors lazy_names display execution wire isolation oracle deadline inside worker executor cases test_runs"
    " sandbox remote",
    "tasks": "problem templates validation whole_files row_files yaml_file starter registry reward_entries schema"
    " generators problems load",
    "verifiers": "verdict completion programs text formulas units structures extraction answers format steps",
    "rewards": "score composition rows scheme builtin models offline check exports",
    "trainer": "objective config models engines loop reward_models run report commands",
}
"""Folders from left to right, and the rooms (wings and single files) of each from left to right.

A module imports only from rooms to the left of its own, or from its own room. A folder's `__init__` is
its public face and stands to the right of all its rooms.
"""
FACE = "__init__"
PUBLIC = {
    "markscheme.sandbox": {"MarkschemeError", "TaskError", "DataError", "UnknownNameError", "RewardError"}
    | {"InfraError", "DeadlineError", "MemoryLimitError", "PolicyError", "RunError", "with_deadline"}
    | {"Sandbox", "Limits", "Execution", "RemoteSandbox", "SandboxError", "LimitsError"},
    "markscheme.tasks": {"Task", "Problem", "Completion", "load_task", "load_problems"},
    "markscheme.verifiers": {"verifier", "Verdict", "verify_answer", "compare_answers", "extract_answer"}
    | {"verify_program", "verify_steps"},
    "markscheme.rewards": {"reward", "Score", "Part", "MarkScheme", "as_trl", "as_verl", "from_trl"},
    "markscheme.trainer": {"train", "outcome_advantages", "process_advantages", "policy_loss"},
}
TORCH = {"torch", "transformers", "safetensors", "tokenizers", "vllm"}
MODEL_BASED = {f"rewards/models/{name}.py" for name in ("batching", "prm_torch", "prm_vllm", "torch_runtime")}
"""Files of rewards/ that run models: loaded when a task asks for one."""


def module_files(root: Path = ROOT) -> dict[str, Path]:
    """Every module of the package, nested ones too, by its dotted name without `markscheme.`."""
    found = {}
    for folder in ROOMS:
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == FACE else parts)] = path
    return found


def imports_of(module: str, path: Path, known: Mapping[str, Path]) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for whatever a file imports, at any depth, or names in a string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    package = module.split(".") if path.stem == FACE else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.removeprefix("markscheme.")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (node.module or "").removeprefix("markscheme.")
            if node.level:
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            for alias in node.names:
                deeper = f"{base}.{alias.name}" if base else alias.name
                yield node.lineno, deeper if deeper in known else base
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from ((node.lineno, name) for name in _named_in(node.value, known))


def _named_in(text: str, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules that a string names: a lazy table's entry, or code that a new process will run."""
    for dotted in re.findall(r"\bmarkscheme\.([a-z_]+(?:\.[a-z_0-9]+)*)", text):
        parts = dotted.split(".")
        while parts and ".".join(parts) not in known:
            parts.pop()
        if parts:
            yield ".".join(parts)


def place_of(module: str, known: Mapping[str, Path]) -> tuple[int, int]:
    """Return a module's place: its folder's number and its room's."""
    folder, *inner = module.split(".")
    rooms = ROOMS[folder].split()
    assert not inner or inner[0] in rooms, f"{module}: add its room to ROOMS, in order"
    return list(ROOMS).index(folder), rooms.index(inner[0]) if inner else len(rooms)


def wrong_imports(root: Path = ROOT) -> list[str]:
    """Return every import that runs back, as `file:line imports module`."""
    known = module_files(root)
    wrong = []
    for module, path in known.items():
        for line, target in imports_of(module, path, known):
            first = target.split(".")[0]
            if target in known and place_of(target, known) > place_of(module, known):
                wrong.append(f"{path.relative_to(root)}:{line} imports {target}")
            elif target not in known and first in ROOMS and target != module:
                wrong.append(f"{path.relative_to(root)}:{line} imports {target}, which is not there")
    return wrong


def circles(root: Path = ROOT) -> list[list[str]]:
    """Return the circles of modules that import each other, at any depth of nesting."""
    known = module_files(root)
    edges = {
        module: {target for _, target in imports_of(module, path, known) if target in known} - {module}
        for module, path in known.items()
    }
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            found.append([*path[path.index(module) :], module])
        elif module not in done:
            for target in sorted(edges[module]):
                visit(target, [*path, module])
            done.add(module)

    for module in edges:
        visit(module, [])
    return found


def test_every_module_imports_only_from_its_left() -> None:
    assert wrong_imports() == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles() == []


PLANTED = {
    "from ..execution import Limits\nfrom ..sandbox import Sandbox\n": "sandbox/wire/planted.py:2 imports sandbox.sandbox",
    "def f():\n    from ...rewards.score import Score\n": "sandbox/wire/planted.py:2 imports rewards.score",
    "from ... import verifiers\n": "sandbox/wire/planted.py:1 imports verifiers",
    "TABLE = {'x': 'markscheme.tasks.load:load_task'}\n": "sandbox/wire/planted.py:1 imports tasks.load",
    "CODE = '''\nimport markscheme.sandbox.inside.zygote as z\n'''\n": "sandbox/wire/planted.py:1 imports sandbox.inside.zygote",
    "import markscheme.trainer\n": "sandbox/wire/planted.py:1 imports trainer",
    "import verifiers.verdict\n": "sandbox/wire/planted.py:1 imports verifiers.verdict",
}


@pytest.fixture
def copied_house(tmp_path: Path) -> Path:
    """A copy of all modules, to plant a violation in."""
    for module, path in module_files().items():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        assert module
    return tmp_path


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_import_that_runs_back_is_found(copied_house: Path, code: str) -> None:
    (copied_house / "sandbox/wire/planted.py").write_text(code)
    assert wrong_imports(copied_house) == [PLANTED[code]]


def test_a_planted_circle_is_found(copied_house: Path) -> None:
    (copied_house / "sandbox/wire/one.py").write_text("from .two import b\na = 1\n")
    (copied_house / "sandbox/wire/two.py").write_text("b = 1\n\ndef f():\n    from .one import a\n")
    assert ["sandbox.wire.one", "sandbox.wire.two", "sandbox.wire.one"] in circles(copied_house)


def test_no_wing_holds_more_than_twelve_files() -> None:
    wings = {path.parent for path in module_files().values()}
    sizes = {
        str(wing.relative_to(ROOT)): len(set(wing.glob("*.py")) - {wing / f"{FACE}.py"}) for wing in wings
    }
    assert {wing: size for wing, size in sizes.items() if size > 12} == {}


def test_every_room_is_shipped_as_a_package() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {f"markscheme.{module}" for module, path in module_files().items() if path.stem == FACE}
    assert there <= set(declared)
    assert all((ROOT / package.replace("markscheme", ".", 1).replace(".", "/", 9)).exists() for package in ())
    assert {"markscheme.tasks.shipped"} >= set(declared) - there - {"markscheme"}


def test_only_the_trainer_and_model_based_rewards_import_torch() -> None:
    known = module_files()
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for module, path in known.items()
        if not module.startswith("trainer") and str(path.relative_to(ROOT)) not in MODEL_BASED
        for line, target in imports_of(module, path, known)
        if target.split(".")[0] in TORCH
    ]
    assert wrong == []


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_the_promised_ones(module: str) -> None:
    loaded = importlib.import_module(module)
    assert set(loaded.__all__) == PUBLIC[module]
    assert all(hasattr(loaded, name) for name in loaded.__all__)


def _modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in ran.stdout.split()}


def test_scoring_does_not_load_torch_or_datasets() -> None:
    loaded = _modules_after(
        "from markscheme.tasks import *; from markscheme.rewards import *\n"
        "t = load_task('addition'); p = load_problems(t, limit=2)\n"
        "assert MarkScheme(t).score(p, [Completion(str(x.solution)) for x in p])[0].value == 1.0"
    )
    assert not loaded & (TORCH | {"datasets"})


def test_the_command_line_answers_help_without_heavy_modules() -> None:
    loaded = _modules_after(
        "from markscheme.trainer.commands.cli import main\nimport contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(['--help'])"
    )
    assert not loaded & (TORCH | {"datasets", "pydantic", "jinja2", "yaml"})


def test_no_module_shadows_the_standard_library() -> None:
    names = {path.stem for path in module_files().values()} - {FACE}
    assert not names & sys.stdlib_module_names
    assert not names & {"utils", "helpers", "common", "math", "code", "types"}

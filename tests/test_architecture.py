"""The order of the package: which module may import which, what is public, and what each import may load.

Imports are read from the source, wherever they stand in a file. Names of modules in strings count as imports
too, because the tables of lazily imported names hold modules as strings, and worker processes run code from them.
"""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support import ROOT

ROOMS = {
    "sandbox": "errors lazy_imports display execution wire isolation oracle deadline inside job worker executor cases oracle_client"
    " sandbox remote",
    "tasks": "problem templates validation whole_files yaml_file starter name_lookup check_section reward_entries schema"
    " generators rows load_problems load_task",
    "verifiers": "verdict policy completion decoding programs spelling text formulas units structures prose extraction answers format json_equal reasoning_gym steps",
    "rewards": "score composition rows gates scheme lineage builtin models offline check exports",
    "trainer": "objective config models engines loop reward_models iterations run report commands",
}
"""The package's folders from left to right, and the rooms of each from left to right: sub-folders and single files.

A module imports only from its own room and from rooms to the left of it. A folder's `__init__` imports from all
of its rooms, as if it were the room on their right.
"""
INIT = "__init__"
PUBLIC = {
    "markscheme.sandbox": {"MarkschemeError", "TaskError", "DataError", "UnknownNameError", "RewardError"}
    | {"InfraError", "DeadlineError", "MemoryLimitError", "PolicyError", "RunError", "with_deadline"}
    | {"Sandbox", "Limits", "Execution", "RemoteSandbox", "SandboxError", "LimitsError"},
    "markscheme.tasks": {"Task", "Problem", "Completion", "load_task", "load_problems"},
    "markscheme.verifiers": {"verifier", "Verdict", "verify_answer", "compare_answers", "extract_answer"}
    | {"verify_program", "verify_steps"},
    "markscheme.rewards": {"reward", "Score", "Part", "MarkScheme", "as_trl", "as_verl", "from_trl"}
    | {"check_task", "evaluate_scores", "score_completions", "signal_forecast"},
    "markscheme.trainer": {
        "train",
        "sample",
        "bradley_terry_loss",
        "outcome_advantages",
        "process_advantages",
        "policy_loss",
    },
}
TORCH = {"torch", "transformers", "safetensors", "tokenizers", "vllm"}
MODEL_BASED = {
    f"rewards/models/{name}.py"
    for name in ("batching", "prm_torch", "rm_torch", "torch_runtime", "vllm_pooling")
}
"""Files of rewards/ that run models: loaded when a task asks for one."""


def module_files(root: Path = ROOT) -> dict[str, Path]:
    """Return the file of every module of the package by its dotted name without `markscheme.`."""
    files = {}
    for folder in ROOMS:
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[-1] == INIT:
                parts = parts[:-1]
            files[".".join(parts)] = path
    return files


def imports_of(module: str, path: Path, known: Mapping[str, Path]) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for everything that a file imports, at any depth, or names in a string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    package = module if path.stem == INIT else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.removeprefix("markscheme.")
        elif isinstance(node, ast.ImportFrom):
            base = imported_from(node, package)
            for alias in node.names:
                submodule = f"{base}.{alias.name}" if base else alias.name
                yield node.lineno, submodule if submodule in known else base
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            for name in modules_in_text(node.value, known):
                yield node.lineno, name


def imported_from(node: ast.ImportFrom, package: str) -> str:
    """Return the module after `from`, as an absolute name without `markscheme.`."""
    name = node.module or ""
    if node.level == 0:
        return name.removeprefix("markscheme.")
    parts = package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, name] if name else parts)


def modules_in_text(text: str, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules that a string names: an entry of a lazy table, or code that a new process will run."""
    for dotted in re.findall(r"\bmarkscheme\.([a-z_]+(?:\.[a-z_0-9]+)*)", text):
        parts = dotted.split(".")
        while parts and ".".join(parts) not in known:
            parts.pop()  # the last part may be an attribute of a module
        if parts:
            yield ".".join(parts)


def position_of(module: str) -> tuple[int, int]:
    """Return how far right a module is: the numbers of its folder and of its room."""
    folder, *inner = module.split(".")
    rooms = ROOMS[folder].split()
    assert not inner or inner[0] in rooms, f"{module}: add its room to ROOMS, in order"
    return list(ROOMS).index(folder), rooms.index(inner[0]) if inner else len(rooms)


def wrong_imports(root: Path = ROOT) -> list[str]:
    """Return every import from the right, or of a module that does not exist, with its file and line."""
    known = module_files(root)
    wrong = []
    for module, path in known.items():
        for line, target in imports_of(module, path, known):
            first = target.split(".")[0]
            if target in known and position_of(target) > position_of(module):
                wrong.append(f"{path.relative_to(root)}:{line} imports {target}")
            elif target not in known and first in ROOMS and target != module:
                wrong.append(f"{path.relative_to(root)}:{line} imports {target}, which does not exist")
    return wrong


def import_cycles(root: Path = ROOT) -> list[list[str]]:
    """Return the cycles of modules that import each other, at any depth of nesting."""
    known = module_files(root)
    edges = {
        module: {target for _, target in imports_of(module, path, known) if target in known} - {module}
        for module, path in known.items()
    }
    cycles: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            cycles.append([*path[path.index(module) :], module])
        elif module not in done:
            for target in sorted(edges[module]):
                visit(target, [*path, module])
            done.add(module)

    for module in edges:
        visit(module, [])
    return cycles


def test_every_module_imports_only_from_its_left() -> None:
    assert wrong_imports() == []


def test_no_modules_import_each_other_in_a_cycle() -> None:
    assert import_cycles() == []


# The text of a module sandbox/wire/planted.py, and the violation that must be found in it.
PLANTED = {
    "from ..execution import Limits\nfrom ..sandbox import Sandbox\n": "sandbox/wire/planted.py:2 imports sandbox.sandbox",
    "def f():\n    from ...rewards.score import Score\n": "sandbox/wire/planted.py:2 imports rewards.score",
    "from ... import verifiers\n": "sandbox/wire/planted.py:1 imports verifiers",
    "TABLE = {'x': 'markscheme.tasks.load_task:load_task'}\n": "sandbox/wire/planted.py:1 imports tasks.load_task",
    "CODE = '''\nimport markscheme.sandbox.inside.worker_process as z\n'''\n": "sandbox/wire/planted.py:1 imports sandbox.inside.worker_process",
    "import markscheme.trainer\n": "sandbox/wire/planted.py:1 imports trainer",
    "import verifiers.verdict\n": "sandbox/wire/planted.py:1 imports verifiers.verdict",
}


@pytest.fixture
def copy_of_package(tmp_path: Path) -> Path:
    """Copy all modules to a folder where a test can plant a violation."""
    for path in module_files().values():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_import_from_the_right_is_found(copy_of_package: Path, code: str) -> None:
    (copy_of_package / "sandbox/wire/planted.py").write_text(code)
    assert wrong_imports(copy_of_package) == [PLANTED[code]]


def test_a_planted_cycle_is_found(copy_of_package: Path) -> None:
    (copy_of_package / "sandbox/wire/one.py").write_text("from .two import b\na = 1\n")
    (copy_of_package / "sandbox/wire/two.py").write_text("b = 1\n\ndef f():\n    from .one import a\n")
    assert ["sandbox.wire.one", "sandbox.wire.two", "sandbox.wire.one"] in import_cycles(copy_of_package)


def test_no_folder_holds_more_than_twelve_files() -> None:
    too_large = {}
    for folder in {path.parent for path in module_files().values()}:
        files = {path.name for path in folder.glob("*.py")} - {f"{INIT}.py"}
        if len(files) > 12:
            too_large[str(folder.relative_to(ROOT))] = sorted(files)
    assert too_large == {}


def test_every_folder_is_shipped_as_a_package() -> None:
    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    packages = {f"markscheme.{module}" for module, path in module_files().items() if path.stem == INIT}
    # The root itself, and a folder that holds only data.
    assert declared == packages | {"markscheme", "markscheme.tasks.shipped"}
    assert (ROOT / "tasks/shipped").is_dir()


def test_files_that_the_code_names_exist() -> None:
    """In backticks; `mine.py` and `file.py` stand for a reader's own file."""
    paths = [str(path.relative_to(ROOT)) for path in module_files().values()]
    missing = []
    for path in module_files().values():
        for name in re.findall(r"`([a-z_/]+\.py)`", path.read_text(encoding="utf-8")):
            if name not in ("mine.py", "file.py") and not any(
                f"/{known}".endswith(f"/{name}") for known in paths
            ):
                missing.append(f"{path.relative_to(ROOT)}: {name}")
    assert missing == []


def test_only_the_trainer_and_model_based_rewards_import_torch() -> None:
    known = module_files()
    wrong = []
    for module, path in known.items():
        name = str(path.relative_to(ROOT))
        if module.startswith("trainer") or name in MODEL_BASED:
            continue
        for line, target in imports_of(module, path, known):
            if target.split(".")[0] in TORCH:
                wrong.append(f"{name}:{line}")
    assert wrong == []


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_the_promised_ones(module: str) -> None:
    loaded = importlib.import_module(module)
    assert set(loaded.__all__) == PUBLIC[module]
    assert all(hasattr(loaded, name) for name in loaded.__all__)


def packages_loaded_by(code: str) -> set[str]:
    """Return the top-level names of all modules that a fresh interpreter has loaded after it has run code."""
    script = f"{code}\nimport sys; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in ended.stdout.split()}


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = packages_loaded_by("import markscheme")
    assert "markscheme" in loaded
    assert not loaded & {"torch", "transformers", "datasets", "pydantic", "sympy", "yaml", "jinja2"}


def test_scoring_does_not_load_torch_or_datasets() -> None:
    loaded = packages_loaded_by(
        "from markscheme.tasks import *; from markscheme.rewards import *\n"
        "task = load_task('addition')\n"
        "problems = load_problems(task, limit=2)\n"
        "completions = [Completion(str(problem.solution)) for problem in problems]\n"
        "assert MarkScheme(task).score(problems, completions)[0].value == 1.0"
    )
    assert not loaded & (TORCH | {"datasets"})


def test_the_command_line_answers_help_without_heavy_modules() -> None:
    loaded = packages_loaded_by(
        "from markscheme.trainer.commands.cli import main\nimport contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(['--help'])"
    )
    assert not loaded & (TORCH | {"datasets", "pydantic", "jinja2", "yaml"})


def test_no_module_shadows_the_standard_library() -> None:
    names = {path.stem for path in module_files().values()} - {INIT}
    assert not names & sys.stdlib_module_names
    assert not names & {"utils", "helpers", "common", "math", "code", "types"}

"""The house rules: imports point left, public names are promises, the base needs no torch."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINE = ["sandbox", "tasks", "verifiers", "rewards", "trainer"]
TORCH = {"torch", "transformers", "safetensors", "tokenizers", "vllm"}

PUBLIC = {
    "markscheme.sandbox": {"MarkschemeError", "TaskError", "DataError", "UnknownNameError", "RewardError"}
    | {"InfraError", "DeadlineError", "MemoryLimitError", "PolicyError", "RunError", "with_deadline"}
    | {"Sandbox", "Limits", "Execution", "RemoteSandbox", "SandboxError", "LimitsError"},
    "markscheme.tasks": {"Task", "Problem", "Completion", "load_task", "load_problems"},
    "markscheme.verifiers": {"verifier", "Verdict", "verify_answer", "compare_answers", "extract_answer"}
    | {"verify_program", "verify_steps"},
    "markscheme.rewards": {"reward", "Score", "MarkScheme", "from_trl"},
    "markscheme.trainer": {"train", "outcome_advantages", "process_advantages", "policy_loss"},
}


def _imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found.append(
                (node.lineno, f"markscheme.{module}" if node.level == 2 else module if not node.level else "")
            )
        elif isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
    return found


@pytest.mark.parametrize("folder", LINE)
def test_every_folder_imports_only_from_its_left(folder: str) -> None:
    wrong = []
    for path in (ROOT / folder).glob("*.py"):
        for line, module in _imports(path):
            parts = module.split(".")
            if parts[0] == "markscheme" and len(parts) > 1 and LINE.index(parts[1]) > LINE.index(folder):
                wrong.append(f"{path.name}:{line} imports {module}")
            if parts[0] in LINE:
                wrong.append(f"{path.name}:{line} imports {module} without its package")
    assert wrong == []


MODEL_BASED = {"prm_model.py", "prm_vllm.py", "prm_training.py"}
"""Files of rewards/ that run models: loaded when a task asks for one."""


def test_only_the_trainer_and_model_based_rewards_import_torch() -> None:
    wrong = [
        f"{path}:{line}"
        for folder in LINE[:-1]
        for path in (ROOT / folder).glob("*.py")
        if path.name not in MODEL_BASED
        for line, module in _imports(path)
        if module.split(".")[0] in TORCH
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
    names = {path.stem for folder in LINE for path in (ROOT / folder).glob("*.py")}
    assert not names & sys.stdlib_module_names
    assert not names & {"utils", "helpers", "common"}

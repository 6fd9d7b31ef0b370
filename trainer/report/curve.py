"""Learning curves: held-out accuracy and training reward over the steps of runs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...sandbox.errors import DataError, RunError

INK = "#848d97"
"""Grey of text and axes: readable on white and on dark pages, since the background is transparent."""
GREEDY, SAMPLED, REWARD = "#2f81f7", "#d29922", "#848d97"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a log of a run's folder; a line that a killed run left unfinished is not counted.

    Raises:
        DataError: the file is not there.
    """
    if not path.is_file():
        raise DataError(f"{path.parent} has no {path.name}; give the folder of a run that has begun")
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def draw_curves(folders: Sequence[Path], out: Path) -> None:
    """Draw the first evaluation and the training reward of one or more runs into one picture.

    Args:
        folders: runs' folders; runs that differ only in their seed are drawn over each other.
        out: the picture, .svg, .png or .pdf; its background is transparent.

    Raises:
        DataError: a folder is not a run's, the ending is another, or the picture cannot be written.
        RunError: matplotlib is not installed.
    """
    if out.suffix not in (".svg", ".png", ".pdf"):
        raise DataError(f"-o must end in .svg, .png or .pdf (given: {out})")
    runs = [(read_rows(folder / "metrics.jsonl"), read_rows(folder / "eval.jsonl")) for folder in folders]
    try:
        import matplotlib
    except ImportError as error:
        raise RunError(f"plot needs matplotlib: pip install matplotlib ({error})") from error
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    # Text stays text, and the same run gives the same bytes.
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "markscheme", "font.family": "sans-serif"}):
        figure, axes = plt.subplots(figsize=(7.2, 3.4))
        for number, (metrics, evaluations) in enumerate(runs):
            _draw(axes, metrics, [row for row in evaluations if row["index"] == 0], labelled=number == 0)
        _style(axes, runs)
        figure.tight_layout()
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            metadata = {"Date": None} if out.suffix == ".svg" else None
            figure.savefig(out, transparent=True, dpi=160, metadata=metadata)
        except OSError as error:
            raise DataError(f"{out}: cannot be written ({error.strerror}); give another -o") from error
        finally:
            plt.close(figure)


def _draw(
    axes: Any,
    metrics: Sequence[Mapping[str, Any]],
    evaluations: Sequence[Mapping[str, Any]],
    *,
    labelled: bool,
) -> None:
    def label(text: str) -> str | None:
        return text if labelled else None

    steps = [row["step"] for row in metrics if row.get("reward") is not None]
    rewards = [row["reward"] for row in metrics if row.get("reward") is not None]
    axes.plot(steps, rewards, color=REWARD, linewidth=1, alpha=0.8, label=label("training reward"))
    at = [row["step"] for row in evaluations]
    for name, interval, colour, text in (
        ("pass_at_1", "pass_at_1_interval", GREEDY, "held-out pass@1, greedy"),
        ("sampled_pass_at_1", "sampled_interval", SAMPLED, "held-out pass@1, sampled"),
    ):
        axes.plot(
            at, [row[name] for row in evaluations], color=colour, marker="o", markersize=4, label=label(text)
        )
        low, high = zip(*(row[interval] for row in evaluations), strict=True) if evaluations else ((), ())
        axes.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)


def _style(axes: Any, runs: Sequence[tuple[Any, Any]]) -> None:
    axes.set_xlabel("step", color=INK)
    axes.set_ylim(0, max([1.0, *(row.get("reward") or 0.0 for metrics, _ in runs for row in metrics)]) * 1.03)
    axes.tick_params(colors=INK)
    axes.grid(color=INK, alpha=0.2, linewidth=0.6)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
    axes.legend(frameon=False, labelcolor=INK, loc="lower right")

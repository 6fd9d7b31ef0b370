"""Drawing learning curves: the held-out accuracy and the training reward of runs over their steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...sandbox.errors import DataError, RunError
from ...tasks.whole_files import written_to
from .run_logs import read_log

INK = "#848d97"
"""Grey of text and axes. The background is transparent; this grey is readable on white and on dark pages."""
GREEDY, SAMPLED, REWARD = "#2f81f7", "#d29922", "#848d97"
FORMATS = (".svg", ".png", ".pdf")

Rows = Sequence[Mapping[str, Any]]


def draw_curves(folders: Sequence[Path], out: Path) -> None:
    """Draw the first evaluation and the training reward of one or more runs into one picture.

    Args:
        folders: the runs' folders. All runs have the same colours: they should differ in their seeds only.
        out: the picture to write: .svg, .png or .pdf.

    Raises:
        DataError: a folder is not that of a run, or `out` has another ending or cannot be written.
        RunError: matplotlib is not installed.
    """
    if out.suffix not in FORMATS:
        raise DataError(f"-o must end in .svg, .png or .pdf (given: {out})")
    runs = [(read_log(folder / "metrics.jsonl"), read_log(folder / "eval.jsonl")) for folder in folders]
    try:
        import matplotlib
    except ImportError as error:
        raise RunError(f"plot needs matplotlib: pip install matplotlib ({error})") from error
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    # Text stays text in an .svg, and the fixed salt gives the same run the same bytes.
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "markscheme", "font.family": "sans-serif"}):
        figure, axes = plt.subplots(figsize=(7.2, 3.4))
        for number, (metrics, evaluations) in enumerate(runs):
            first = [row for row in evaluations if row["index"] == 0]
            # The legend names the curves of one run only.
            _draw_run(axes, metrics, first, labelled=number == 0)
        _style(axes, [metrics for metrics, _ in runs])
        figure.tight_layout()
        try:
            metadata = {"Date": None} if out.suffix == ".svg" else None
            with written_to(out) as path:
                figure.savefig(path, format=out.suffix[1:], transparent=True, dpi=160, metadata=metadata)
        except OSError as error:
            raise DataError(f"{out}: cannot be written ({error.strerror}); give another -o") from error
        finally:
            plt.close(figure)


def _draw_run(axes: Any, metrics: Rows, evaluations: Rows, *, labelled: bool) -> None:
    def label(text: str) -> str | None:
        return text if labelled else None

    rewarded = [row for row in metrics if row.get("reward") is not None]
    steps = [row["step"] for row in rewarded]
    rewards = [row["reward"] for row in rewarded]
    axes.plot(steps, rewards, color=REWARD, linewidth=1, alpha=0.8, label=label("training reward"))
    steps = [row["step"] for row in evaluations]
    for name, interval, colour, text in (
        ("pass_at_1", "pass_at_1_interval", GREEDY, "held-out pass@1, greedy"),
        ("sampled_pass_at_1", "sampled_interval", SAMPLED, "held-out pass@1, sampled"),
    ):
        values = [row[name] for row in evaluations]
        lows = [row[interval][0] for row in evaluations]
        highs = [row[interval][1] for row in evaluations]
        axes.plot(steps, values, color=colour, marker="o", markersize=4, label=label(text))
        axes.fill_between(steps, lows, highs, color=colour, alpha=0.15, linewidth=0)


def _style(axes: Any, runs: Sequence[Rows]) -> None:
    rewards = [row.get("reward") or 0.0 for metrics in runs for row in metrics]
    axes.set_xlabel("step", color=INK)
    axes.set_ylim(0, max([1.0, *rewards]) * 1.03)
    axes.tick_params(colors=INK)
    axes.grid(color=INK, alpha=0.2, linewidth=0.6)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
    axes.legend(frameon=False, labelcolor=INK, loc="lower right")

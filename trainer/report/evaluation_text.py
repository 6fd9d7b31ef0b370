"""Evaluations as lines for a person to read."""

from collections.abc import Iterator, Mapping
from typing import Any

from ...rewards.offline.against_labels import AgainstLabels, ErrorRates
from ...rewards.offline.agreement import Agreement
from ...rewards.offline.evaluation import Evaluation
from ...rewards.offline.group_signal import Signal
from ...rewards.offline.measures import Rate
from ...rewards.rows.scores import ScoreRow

_IN_WORDS = {True: "right", False: "wrong", None: "undecided"}


def evaluation_lines(found: Evaluation) -> Iterator[str]:
    """Yield the lines of an evaluation; sections without figures are left out."""
    mean = "none" if found.mean_value is None else f"{found.mean_value:.4f}"
    marks = ", ".join(f"{count} {name}" for name, count in found.marks.items())
    yield f"{found.rows} rows of {found.task}, {found.problems} problems: {marks}; mean score {mean}"
    yield f"  right, by problem: {found.right}; status: {_counts(found.status)}"
    if found.labels is not None:
        yield from _label_lines(found.labels)
    if found.steps is not None:
        yield f"  steps: {step_figures(found.steps.as_dict())}"
    if found.signal is not None:
        yield from _signal_lines(found.signal)
    if found.forecast:
        yield from _forecast_lines(found)
    if found.by_step:
        yield "  by step:     right     reward     length  no answer  flat groups"
        for step, row in found.by_step.items():
            shown = (_figure(row[name]) for name in ("right", "reward", "length", "no_answer", "flat_groups"))
            yield f"    {step:5d}" + "".join(f"  {figure:>9s}" for figure in shown)


def step_figures(metrics: Mapping[str, Any]) -> str:
    """Return the measures of marks of steps, as `StepMetrics.as_dict` gives them, in one line."""
    return (
        f"{metrics['steps']} steps, balanced accuracy {_figure(metrics['balanced_accuracy'])}, first-error F1"
        f" {_figure(metrics['first_error_f1'])}, AUROC {_figure(metrics['auroc'])}, ECE"
        f" {_figure(metrics['ece'])}, {metrics['unmarked']} labelled but not marked"
    )


def _label_lines(labels: AgainstLabels) -> Iterator[str]:
    yield f"  against {labels.labelled} labels     marked right  marked wrong  undecided"
    for name, marked in labels.confusion.items():
        yield f"    {name:24s}{marked['right']:12d}{marked['wrong']:14d}{marked['undecided']:11d}"
    yield "  error rates, and (w) weighted by |advantage|, with 95 % intervals"
    columns = (
        "false positives",
        "false negatives",
        "false positives (w)",
        "false negatives (w)",
        "wrong sign (w)",
    )
    yield f"    {'':14s}{'rows':>7s}" + "".join(f"  {column:20s}" for column in columns)
    yield _rates("all", labels.all)
    if len(labels.by_difficulty) > 1:
        yield "    by the share that is right in the group:"
        yield from (_rates(name, rates) for name, rates in labels.by_difficulty.items())
    if labels.by_stratum:
        yield "    by stratum:"
        yield from (_rates(name, rates) for name, rates in labels.by_stratum.items())
    ties = "" if labels.ties is None else f"; score of the ties {labels.ties:.3f}"
    yield f"  values as a ranking: AUROC {_figure(labels.auroc)}{ties}"
    if labels.pairs.share is not None:
        yield f"    {'':14s}  right-wrong pairs in order  the best of a group is right"
        strata = {
            name: (pairs, labels.best_of_by_stratum[name]) for name, pairs in labels.pairs_by_stratum.items()
        }
        for name, (pairs, best) in {"all": (labels.pairs, labels.best_of), **strata}.items():
            if pairs.share is not None:
                yield f"    {name:14s}  {_short(pairs):26s}  {_short(best)}"
    if labels.curve:
        curve = " ".join(f"{one.mark:.2f}:{one.right:.2f}({one.rows})" for one in labels.curve)
        yield f"    calibration: ECE {_figure(labels.ece)}; value:share right(rows) {curve}"


def _rates(name: str, rates: ErrorRates) -> str:
    columns = (
        rates.false_positive,
        rates.false_negative,
        rates.weighted_false_positive,
        rates.weighted_false_negative,
        rates.wrong_sign,
    )
    return f"    {name[:14]:14s}{rates.rows:7d}" + "".join(f"  {_short(one):20s}" for one in columns)


def _short(one: Rate) -> str:
    return "-" if one.share is None else f"{one.share:.3f} [{one.low:.3f}, {one.high:.3f}]"


def _signal_lines(signal: Signal) -> Iterator[str]:
    kinds = ", ".join(f"{name} {share:.1%}" for name, share in signal.kinds.items())
    yield f"  signal: {signal.groups} groups: {kinds}"
    yield f"    values differ in {signal.varied} of them; mean |advantage| {signal.abs_advantage:.3f}"
    if len(signal.without) > 1:
        yield f"    they would differ without {_shares(signal.without)}"
    for kind, shares in signal.attribution.items():
        yield f"    the advantages of {kind} groups come from {_shares(shares)}"
    for name, others in signal.correlations.items():
        found = ", ".join(f"{other} {value:+.2f}" for other, value in others.items())
        yield f"    {name} correlates with {found}"


def _forecast_lines(found: Evaluation) -> Iterator[str]:
    passes = ", ".join(f"pass@{k} {share:.3f}" for k, share in found.pass_at_k.items())
    p = found.beta_binomial_p
    fit = "" if p is None or p >= 0.05 else f"; a beta-binomial would not fit (p {p:.3f})"
    yield f"  forecast from {found.forecast_counts}: {passes}{fit}"
    yield "       G  mixed groups [95 %]    |advantage|  phantom  wrong sign"
    for size, one in found.forecast.items():
        yield (
            f"    {size:4d}  {one.mixed:.3f} [{one.low:.3f}, {one.high:.3f}]  {one.abs_advantage:11.3f}"
            f"  {one.phantom:7.3f}  {one.wrong_sign:10.3f}"
        )


def agreement_lines(agreed: Agreement) -> Iterator[str]:
    """Yield the lines of an agreement between files."""
    kappas = ", ".join(
        f"{i + 1}-{j + 1} {_figure(agreed.kappa[i][j])}"
        for i in range(len(agreed.kappa))
        for j in range(i + 1, len(agreed.kappa))
    )
    missing = f"; not in all files: {', '.join(map(str, agreed.missing))}" if any(agreed.missing) else ""
    yield (
        f"agreement on {agreed.completions} completions: Krippendorff's alpha {_figure(agreed.alpha)},"
        f" Cohen's kappa {kappas}{missing}"
    )
    yield f"  {len(agreed.differing)} are marked differently, first those that change an advantage most:"


def row_line(place: str, row: ScoreRow) -> str:
    """Return a score row in one line: its place, its mark, and what each part says."""
    reasons = []
    for name, part in row.parts.items():
        verdict = part.get("verdict") or {}
        found = f" {verdict['extracted'][:40]!r}" if verdict.get("extracted") else ""
        reasons.append(f"{name} {part['reason'] or part['status']}{found}".splitlines()[0][:100])
    return f"{place}: {_IN_WORDS[row.right]} ({'; '.join(reasons)})"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _shares(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

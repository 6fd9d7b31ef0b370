"""The arguments of the commands that look at marks offline. Standard library only, as in `parser.py`."""

import argparse

from ..arguments import TASK_HELP, Commands, add_rows_output, add_skip_bad, count, share

HERE = "markscheme.trainer.commands.offline"


def add_offline(commands: Commands) -> None:
    """Add score, evaluate, compare, rescore, audit and report."""
    _add_score(commands)
    _add_evaluate(commands)
    _add_compare(commands)
    _add_rescore(commands)
    _add_audit(commands)
    _add_report(commands)


def add_cases(commands: Commands) -> None:
    """Add `cases`, whose first argument says what to do."""
    cases = commands.add(
        "cases", "turn cheats and disputed marks into labelled cases of a task", f"{HERE}.case_editing:cases"
    )
    cases.add_argument("what", choices=("add", "review"), help="add one case, or walk through suggestions")
    cases.add_argument("task", nargs="?", help=f"{TASK_HELP} (default: the one that the scores are of)")
    cases.add_argument("--from", dest="scores", metavar="SCORES", help="a file of scores or a run's folder")
    cases.add_argument(
        "--row", type=count, metavar="N", help="add: the row of SCORES, as messages call it in FILE:N"
    )
    cases.add_argument(
        "--from-probe",
        metavar="DEFECT",
        help="add: the examples of a defect that `check` finds, such as hedge_pays",
    )
    cases.add_argument(
        "--correct",
        choices=("true", "false"),
        help="add: whether the completion is right in truth (default: the row's label; without one, a"
        " row that is marked right counts as a cheat, so false)",
    )
    cases.add_argument("--tag", action="append", default=[], help="add: a tag of the case; may be repeated")
    cases.add_argument("--probes", type=count, help="problems to probe, as for `check`")
    cases.add_argument("--seed", type=int, default=0, help="seed of their choice, as for `check`")
    cases.add_argument("--note", default="", help="add: a note on the case")


def _add_score(commands: Commands) -> None:
    score = commands.add("score", "score a file of completions", f"{HERE}.scoring:score")
    score.add_argument("task", help=TASK_HELP)
    score.add_argument("completions", help="JSONL with a `completion` in each row; - is standard input")
    add_rows_output(score, "scores")
    score.add_argument(
        "--no-texts", dest="texts", action="store_false", help="write hashes of prompts and references"
    )
    _add_completions(score)
    _add_labels(score)


def _add_evaluate(commands: Commands) -> None:
    evaluate = commands.add(
        "evaluate",
        "say how good marks are, what they would teach, and what is worth sampling",
        f"{HERE}.evaluating:evaluate",
    )
    evaluate.add_argument(
        "inputs",
        nargs="+",
        metavar="SCORES | TASK COMPLETIONS",
        help="files of scores or run folders (of several, their agreement is shown), or a task and a file of"
        " completions, also rows of RewardBench, ProcessBench or PRM800K",
    )
    evaluate.add_argument("-o", "--output", metavar="FILE", help="where to keep the scores of COMPLETIONS")
    _add_completions(evaluate)
    _add_labels(evaluate)
    evaluate.add_argument("--task", dest="only", metavar="NAME", help="take only the rows of this task")
    evaluate.add_argument("--part", metavar="ENTRY", help="evaluate the values of this entry, not the total")
    evaluate.add_argument(
        "--group-sizes",
        metavar="G,G",
        default="4,8,16,32,64",
        help="sizes to forecast (default 4,8,16,32,64)",
    )
    evaluate.add_argument("--problems", metavar="FILE", help="write a list of problems for `data.problems`")
    evaluate.add_argument(
        "--group-size", type=count, default=8, help="the training's, for --problems (default 8)"
    )
    evaluate.add_argument(
        "--at-least",
        type=share,
        default=0.1,
        metavar="CHANCE",
        help="leave problems out of --problems whose chance of a mixed group is lower (default 0.1)",
    )
    add_skip_bad(evaluate)


def _add_compare(commands: Commands) -> None:
    compare = commands.add(
        "compare",
        "say whether two schemes or two runs differ by more than chance",
        f"{HERE}.comparing:compare",
    )
    compare.add_argument("a", help="scores or a run's folder")
    compare.add_argument("b", help="the scores or the folder that may be better or worse")
    compare.add_argument(
        "--fail-below",
        type=share,
        metavar="X",
        help="exit with 1 if B's share right is more than X below A's, by more than chance",
    )
    compare.add_argument("--task", dest="only", metavar="NAME", help="take only the rows of this task")
    add_skip_bad(compare)


def _add_rescore(commands: Commands) -> None:
    rescore = commands.add(
        "rescore", "score the rows of a file again, and explain what has changed", f"{HERE}.rescoring:rescore"
    )
    rescore.add_argument("scores", help="a file of scores or the folder of a run")
    rescore.add_argument(
        "--diff", action="store_true", help="show what has changed and why; exit with 1 if anything has"
    )
    rescore.add_argument("--task", help="the task's file, if it is not where the scores say")
    rescore.add_argument("-o", "--output", metavar="FILE", help="where to write the new scores (.jsonl)")
    add_skip_bad(rescore)


def _add_audit(commands: Commands) -> None:
    audit = commands.add(
        "audit",
        "look at another trainer's log: signal, drift, and what was paid for wrongly",
        f"{HERE}.auditing:audit",
    )
    audit.add_argument("logs", nargs="+", help="the log's files or folders")
    audit.add_argument(
        "--from",
        dest="source",
        required=True,
        choices=("trl", "verl", "lm-eval", "inspect"),
        help="what log_completions, rollout_data_dir or --log_samples wrote, or .eval files",
    )
    audit.add_argument(
        "--task", help="mark the completions again with this task; problems are found by prompt"
    )
    audit.add_argument("--split", help="the split of the task's data that the log's problems are from")
    audit.add_argument(
        "--right", metavar="NAME", help="the recorded score that says what is right (default: the first)"
    )
    audit.add_argument(
        "--filter", metavar="NAME", help="lm-eval: the filter whose scores count (default: the first)"
    )
    audit.add_argument("--weights", metavar="W,W", help="weights of the recorded scores (default: all 1)")
    audit.add_argument("-o", "--output", metavar="FILE", help="where to write the scores (.jsonl)")
    audit.add_argument("--report", metavar="FILE", help="with --task: write a report on both marks (.html)")
    add_skip_bad(audit)


def _add_report(commands: Commands) -> None:
    report = commands.add(
        "report",
        "write one HTML file on a run, on scores, on a check, or on two that are compared",
        f"{HERE}.reporting:report",
    )
    report.add_argument(
        "inputs",
        nargs="+",
        metavar="RUN | SCORES",
        help="a run's folder, a file of scores, or what `check --json` printed; two of them are compared",
    )
    report.add_argument("-o", "--output", required=True, metavar="FILE", help="the report (.html)")
    report.add_argument("--task", dest="only", metavar="NAME", help="take only the rows of this task")
    report.add_argument(
        "--rows", type=count, default=20_000, help="the most rows of a task to show (default 20000)"
    )
    add_skip_bad(report)


def _add_completions(command: argparse.ArgumentParser) -> None:
    """Add how a file of completions is read."""
    command.add_argument(
        "--completion", metavar="COLUMN", default="completion", help="its column (default completion)"
    )
    command.add_argument("--split", help="split to look problem ids up in (default: the task's own)")
    command.add_argument("--limit", type=count, help="read at most this many rows")
    command.add_argument("--by", metavar="COLUMN", help="a column whose values are shown one by one")


def _add_labels(command: argparse.ArgumentParser) -> None:
    command.add_argument("--label", metavar="COLUMN", help="a column of true/false labels to compare with")
    command.add_argument(
        "--step-labels",
        metavar="COLUMN",
        help="a column of step labels to compare with: a list of true/false/null, or the index of the first"
        " wrong step (-1: there is none)",
    )

r"""The answer verifier on real texts: completions of MATH and GSM8K, and GSM8K's own solutions.

    MARKSCHEME_SHARED=../shared python tests/benchmarks/answers_real.py [--list] [--without-math-verify]

Each set of texts is judged against the labels that its authors gave; the references and the human solutions of
GSM8K are right by construction. Some sets are made harder: the boxes are removed from the MATH completions, and
the human solutions lose their last line (`#### 42`), so that the answer has to be found in plain text. A few human
solutions end in another number than the reference, so that 1,312 of the 1,319 is as good as it gets.
`--list` prints the rows that are judged against their labels.
"""

import argparse
import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from answer_rows import (
    DATA,
    Row,
    judge_row,
    outcome,
    outcomes_of_math_verify,
    print_heading,
    print_outcomes,
    print_row,
    read_rows,
)
from markscheme.verifiers.verdict import Reason

logging.disable(logging.CRITICAL)  # math-verify logs a warning for every timeout
WIDTH = 60
LONGEST_LIST = 60
ANNOTATION = re.compile(r"<<[^<>]*>>")
"""A calculator annotation of GSM8K, such as `<<3*4=12>>`."""
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")


def without_boxes(text: str) -> str:
    r"""Return the text with each `\boxed{X}` replaced by X."""
    while box := BOX.search(text):
        end = _closing_brace(text, box.end())
        text = text[: box.start()] + text[box.end() : end] + text[end + 1 :]
    return text


def _closing_brace(text: str, start: int) -> int:
    """Return the position of the brace that closes the one before `start`; the end of the text if none does."""
    depth = 1
    for place in range(start, len(text)):
        if text[place] == "\\":
            continue
        escaped = text[place - 1] == "\\"
        if text[place] in "{}" and not escaped:
            depth += 1 if text[place] == "{" else -1
            if depth == 0:
                return place
    return len(text)


def sets_of_texts() -> Iterator[tuple[str, tuple[str, ...], list[Row]]]:
    """Yield the name of each set of texts, the ways of extraction to try, and its rows."""
    both = ("strict", "lenient")
    math = read_rows(DATA / "math_model_solutions.jsonl")
    yield "MATH completions", both, math
    without = [{**row, "completion": without_boxes(row["completion"])} for row in math]
    yield "MATH completions without their boxes", ("lenient",), without
    # `strict` finds nothing in these, because their answers stand after `A: ` without a box or a tag.
    yield "GSM8K completions", both, read_rows(DATA / "gsm8k_model_solutions.jsonl")
    test = read_rows(DATA / "gsm8k_test.jsonl")
    yield (
        "GSM8K references on the line after 'The answer is:'",
        ("lenient",),
        [_announced(row) for row in test],
    )
    yield "human GSM8K solutions without the last line", ("lenient",), [_solution(row, "") for row in test]
    annotated = [_solution(row, r"\g<0>") for row in test]
    yield "the same with their calculator annotations", ("lenient",), annotated
    for words in ("", "Let me double-check: "):
        explained = [_explained(row, words) for row in test]
        yield f"a boxed answer before the human solution, {words or 'without words between'}", both, explained


def _announced(row: Row) -> Row:
    reference = row["answer"].rpartition("#### ")[2]
    return _right_row(row, reference, f"The answer is:\n\n{reference}")


def _solution(row: Row, annotation: str) -> Row:
    """Return a row with the human solution, each annotation replaced, as the completion."""
    solution, _, reference = row["answer"].rpartition("\n#### ")
    return _right_row(row, reference, ANNOTATION.sub(annotation, solution))


def _explained(row: Row, words: str) -> Row:
    """Return a row whose boxed answer is followed by the human solution, which takes nothing back."""
    solution = _solution(row, "")
    return {
        **solution,
        "completion": f"\\boxed{{{solution['reference']}}}\n\n{words}{solution['completion']}",
    }


def _right_row(row: Row, reference: str, completion: str) -> Row:
    return {
        "question": row["question"],
        "reference": reference,
        "completion": completion,
        "correct": True,
    }


def judge_set(name: str, extract: str, rows: list[Row], *, list_wrong: bool) -> None:
    """Print our outcomes on one set, and the rows that are judged against their labels if they are wanted."""
    outcomes: Counter[str] = Counter()
    unfound = 0
    against_labels = []
    for row in rows:
        verdict = judge_row({**row, "extract": extract})
        result = outcome(verdict.correct, row["correct"])
        outcomes[result] += 1
        unfound += verdict.reason is Reason.NO_ANSWER
        if result != "right":
            against_labels.append((row, verdict))
    print_outcomes(f"{name}, {extract}", WIDTH, outcomes)
    if unfound:
        print(f"    no answer found in {unfound}")
    if list_wrong:
        for row, verdict in against_labels[:LONGEST_LIST]:
            print_row(row, verdict)
        if len(against_labels) > LONGEST_LIST:
            print(f"    ... and {len(against_labels) - LONGEST_LIST} more")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="print the rows judged against their labels")
    parser.add_argument("--without-math-verify", action="store_true", help="measure our side alone")
    args = parser.parse_args()
    if not DATA.exists():
        print(f"no real data at {DATA}; set MARKSCHEME_SHARED to the folder above `data`")
        return
    print_heading("texts", WIDTH)
    for name, extracts, rows in sets_of_texts():
        for extract in extracts:
            judge_set(name, extract, rows, list_wrong=args.list)
        if not args.without_math_verify:
            print_outcomes("    math-verify", WIDTH, outcomes_of_math_verify(rows))


if __name__ == "__main__":
    main()

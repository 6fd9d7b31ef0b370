"""The report: bytes, time to write, time to open and to search, in headless Chromium.

    python tests/benchmarks/report.py [--data ../shared/data] [--chromium /usr/bin/chromium]

10,000 rows of the task `addition` (1,250 problems, 8 traces of its teacher each), and 10,000 rows with real
completions of MATH (1,200 characters on average; those there are, several times under different problems).
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from markscheme.rewards import MarkScheme
from markscheme.rewards.lineage import lineage_of
from markscheme.rewards.rows.scores import header_row, json_line, score_row
from markscheme.tasks import Completion, Problem, load_problems, load_task
from markscheme.tasks.generators.addition import Addition
from markscheme.trainer.commands.cli import main as command

ROWS = 10_000
Answered = Iterator[tuple[Problem, str]]


def additions() -> Answered:
    generator, rng = Addition(), random.Random(0)
    for problem in load_problems(load_task("addition"), limit=ROWS // 8):
        for _ in range(8):
            yield problem, generator.teacher(problem.info, rng)


def competition(data: Path) -> Answered:
    text = (data / "math_model_solutions.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    rows.sort(key=lambda row: row["problem"])
    for i in range(ROWS):
        row = rows[i % len(rows)]
        turn = f"{i // len(rows):03d}-{row['problem']}"  # the same text is far away, beyond what gzip sees
        yield Problem(id=turn, prompt=row["question"], reference=row["reference"]), row["completion"]


def write_scores(name: str, answered: Answered, path: Path) -> None:
    overrides = [] if name == "addition" else ["data.path=none.jsonl"]
    scheme = MarkScheme(load_task(name, overrides=overrides), process=False)
    lineage = lineage_of(scheme)
    pairs = list(answered)
    scores = scheme.score([problem for problem, _ in pairs], [Completion(text) for _, text in pairs])
    with path.open("w", encoding="utf-8") as file:
        file.write(json_line(header_row("scores", [lineage])))
        for i, ((problem, text), score) in enumerate(zip(pairs, scores, strict=True), 1):
            right = scheme.is_right(score)
            row = score_row(lineage, problem, Completion(text), score, right=right, place=f"c.jsonl:{i}")
            file.write(json_line(row))


def opened(path: Path, chromium: str) -> dict[str, float]:
    """Return the seconds in which a page is ready, and those of searches in it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True).new_page()
        start = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=true]")
        found = {"open": time.perf_counter() - start}
        for name, text in (("first search", "7+"), ("search", "13"), ("search, no hit", "nowhere at all")):
            script = """text => {
                const box = document.getElementById("q");
                box.value = text;
                const start = performance.now();
                box.dispatchEvent(new Event("input"));
                return (performance.now() - start) / 1000;
            }"""
            found[name] = page.evaluate(script, text)
        browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, answered in (("addition", additions()), ("math500", competition(args.data))):
            scores, out = Path(folder) / f"{name}.jsonl", Path(folder) / f"{name}.html"
            write_scores(name, answered, scores)
            start = time.perf_counter()
            assert command(["report", str(scores), "-o", str(out)]) == 0
            seconds = time.perf_counter() - start
            shown = ", ".join(f"{what} {took:.3f} s" for what, took in opened(out, args.chromium).items())
            print(
                f"{name}: {ROWS} rows, {out.stat().st_size / 1000:.0f} kB, written in {seconds:.1f} s; {shown}"
            )


if __name__ == "__main__":
    main()

"""Mistakes that a new user makes on the command line, and what the message must say at least."""

import json
from pathlib import Path

MISTAKES: list[tuple[str, int, tuple[str, ...]]] = [
    # a command, its exit code, parts of its message
    ("check addtion", 2, ("unknown task 'addtion'", "did you mean 'addition'")),
    ("check nowhere.yaml", 2, ("'nowhere.yaml' does not exist", "give a .yaml file")),
    ("check rows.jsonl", 2, ("rows.jsonl:2", "not valid YAML")),
    ("check empty.yaml", 2, ("empty.yaml", "expected a mapping of keys")),
    ("check tabs.yaml", 2, ("tabs.yaml:2", "not valid YAML", "by spaces, not by tabs")),
    ("check run.yaml", 2, ("run.yaml:1", "this is a run file", "markscheme train")),
    ("check mine.yaml --set rewards.correct.wieght=2", 2, ("mine.yaml:5", "did you mean 'weight'")),
    ("check mine.yaml --set combine=summ", 2, ("did you mean 'sum'", "'summ'", "--set combine=summ")),
    ("check mine.yaml --set rewards.correct", 2, ("expected key=value",)),
    ("check mine.yaml --set problem.reference='{{ anser }}'", 1, ("column 'anser'",)),
    ("check mine.yaml --limit 0", 2, ("expected a whole number from 1 up",)),
    ("score mine.yaml nothing.jsonl", 2, ("nothing.jsonl", "there is no such completions file")),
    ("score mine.yaml rows.jsonl", 2, ("rows.jsonl:1: a row needs a `completion`",)),
    ("score mine.yaml broken.jsonl", 2, ("broken.jsonl:2", "not valid JSON")),
    ("score mine.yaml answers.jsonl -o /proc/none/x.jsonl", 2, ("/proc/none/x.jsonl", "cannot be written")),
    ("score mine.yaml answers.jsonl --label right", 2, ("label 'right'", "true or false")),
    ("evaluate answers.jsonl", 2, ("answers.jsonl",)),
    ("rescore answers.jsonl --diff", 2, ("answers.jsonl",)),
    ("compare answers.jsonl nothing.jsonl", 2, ("jsonl",)),
    ("audit answers.jsonl --from trl", 2, ("answers.jsonl",)),
    ("report nowhere -o page.html", 2, ("nowhere",)),
    ("pairs answers.jsonl -o pairs.jsonl", 2, ("answers.jsonl",)),
    ("sample mine.yaml", 2, ("policy.model `tiny` needs a task whose generator has a teacher", "--model")),
    ("sample mine.yaml --model ./nowhere", 2, ("policy.model './nowhere' does not load: there is no folder",)),
    ("sample addition --temperature -1", 2, ("temperature", "greater than or equal to 0")),
    ("sample addition --url http://localhost:1", 2, ("--engine vllm_http",)),
    ("train addition --set lr=1e-3", 2, ("lr: unknown key", "did you mean 'algorithm.lr'")),
    ("train addition --set rewards.format.weight=0.5", 2, ("did you mean 'task.rewards.format.weight'",)),
    ("train addition --set engine.kind=vlm", 2, ("engine.kind", "did you mean 'vllm'")),
    ("train addition --set eval.3.n=2", 2, ("there is no item 3 in a list of 1",)),
    ("train addition --resume", 3, ("addition is not the folder of a run", "markscheme train FOLDER --resume")),
    ("train run.yaml --resume --out r2", 3, ("not the folder of a run", "markscheme train r2 --resume")),
    ("train run.yml", 2, ("'run.yml' does not exist", "did you mean 'run.yaml'")),
    ("train task.yaml", 2, ("task.yaml:1", "task: unknown key", "did you mean 'tasks'")),
    ("train addition --lr 1e-4", 2, ("--lr", "such as --set algorithm.lr")),
    ("train addition --set policy.model=tyni", 2, ("'tyni' is not known", "did you mean 'tiny'")),
    ("train addition --out answers.jsonl", 3, ("answers.jsonl is a file", "give another --out")),
    ("chekc mine.yaml", 2, ("invalid choice: 'chekc'", "did you mean 'check'")),
    ("score answers.jsonl mine.yaml", 2, ("answers.jsonl:2", "are the arguments swapped?")),
    ("score mine.yaml .", 2, ("is a folder; give a file in it",)),
    ("check mine.yaml --set rewards.correct=answer", 2, ("expected a mapping", "{use: answer}")),
    ("train addition --seeds a,b", 2, ("expected whole numbers, such as 0,1,2",)),
    ("plot nowhere -o curve.svg", 2, ("nowhere",)),
    ("init ../task", 2, ("a task's name is made of letters",)),
    ("list rewards answr", 2, ("did you mean 'answer'",)),
]  # fmt: skip


def write_files(folder: Path) -> None:
    """Write the files that the commands name."""
    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(6)]
    lines = [json.dumps(row) + "\n" for row in rows]
    answers = [json.dumps({**row, "completion": "\\boxed{4}"}) + "\n" for row in rows]
    texts = {
        "mine.yaml": "name: mine\ndata: {path: rows.jsonl, held_out: 0.5}\n"
        'problem: {prompt: "{{ question }}", reference: "{{ answer }}"}\nrewards:\n  correct: {use: answer}\n',
        "rows.jsonl": "".join(lines),
        "answers.jsonl": "".join(answers),
        "broken.jsonl": answers[0] + answers[1][:30] + "\n",
        "empty.yaml": "",
        "tabs.yaml": "name: x\n\tdata: y\n",
        "run.yaml": "tasks: [addition]\n",
        "task.yaml": "task: addition\nalgorithm: {steps: 2}\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")

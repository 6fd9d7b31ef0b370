"""Rows to problems: templates, sources, splits, ids, and what goes wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markscheme.sandbox import DataError, TaskError
from markscheme.tasks import Problem, load_problems, load_task
from markscheme.tasks.generators.addition import Addition, trace
from markscheme.tasks.problems import hub_rows, without_overlap
from markscheme.tasks.templates import compile_template, render
from support import MakeTask

BASE = "rewards: {correct: {use: answer}}\n"


@pytest.mark.parametrize(
    ("template", "row", "value"),
    [
        ("{{ tests }}", {"tests": [1, 2]}, [1, 2]),
        ("  {{ n }}  ", {"n": 3}, 3),
        ("{{- n -}}", {"n": 3}, 3),
        ("{{ -n }}", {"n": 3}, -3),
        ("{{ a }}{{ b }}", {"a": 1, "b": 2}, "12"),
        ("n is {{ n }}", {"n": 3}, "n is 3"),
        ("{{ x.split('####')[1] | trim }}", {"x": "so #### 42 "}, "42"),
        ("{{ s | fromjson }}", {"s": "[1]"}, [1]),
        ("{{ s }}", {"s": "{{ n }}"}, "{{ n }}"),
        ("plain", {}, "plain"),
        ([{"role": "user", "content": "{{ q }}"}], {"q": "hi"}, [{"role": "user", "content": "hi"}]),
    ],
)
def test_templates_keep_the_type_of_a_bare_expression(template: object, row: dict, value: object) -> None:
    assert render(compile_template(template, "here")[0], row, "here") == value


def test_templates_run_in_a_sandbox() -> None:
    for attack in ("{{ x.__class__.__mro__ }}", "{{ ''.__class__ }}", "a {{ x.__init__.__globals__ }}"):
        with pytest.raises(DataError):
            render(compile_template(attack, "here")[0], {"x": []}, "row 1")


def test_a_missing_column_shows_those_that_there_are(make_task: MakeTask) -> None:
    task = make_task(BASE + "problem: {prompt: '{{ promt }}'}")
    with pytest.raises(TaskError) as caught:
        load_problems(task)
    for part in ("task.yaml", "problem.prompt", "'promt'", "did you mean 'prompt'", "prompt, reference"):
        assert part in str(caught.value)


def test_rows_that_do_not_fill_a_template_are_all_told(make_task: MakeTask) -> None:
    rows = "".join(json.dumps({"prompt": "q", "reference": r}) + "\n" for r in ("a#1", "b", "c"))
    task = make_task(BASE + "problem: {reference: \"{{ reference.split('#')[1] }}\"}", rows=rows)
    with pytest.raises(DataError) as caught:
        load_problems(task)
    assert "2 row(s)" in str(caught.value)
    assert "rows.jsonl:2" in str(caught.value)
    assert "rows.jsonl:3" in str(caught.value)


def test_a_template_that_is_not_jinja_is_told(make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match="not a valid jinja2 template"):
        load_problems(make_task(BASE + "problem: {prompt: '{{ prompt'}"))


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".csv":
        path.write_text("prompt,reference\n" + "".join(f"{r['prompt']},{r['reference']}\n" for r in rows))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)


ROWS = [{"prompt": f"q{i}", "reference": str(i)} for i in range(50)]


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_all_kinds_of_files_give_the_same_problems(make_task: MakeTask, tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"data{suffix}", ROWS)
    problems = load_problems(make_task(f"data: {{path: data{suffix}}}\n{BASE}"))
    assert [(p.prompt, p.reference) for p in problems] == [(r["prompt"], r["reference"]) for r in ROWS]


def test_a_folder_gives_its_splits(make_task: MakeTask, tmp_path: Path) -> None:
    write(tmp_path / "set/train-00000-of-00002.parquet", ROWS[:20])
    write(tmp_path / "set/train-00001-of-00002.parquet", ROWS[20:30])
    write(tmp_path / "set/test.jsonl", ROWS[30:])
    task = make_task(f"data: {{path: set}}\n{BASE}")
    assert (len(load_problems(task)), len(load_problems(task, split="test"))) == (30, 20)
    with pytest.raises(TaskError, match=r"no split 'dev' \(there are: test, train\)"):
        load_problems(task, split="dev")


def test_held_out_rows_never_overlap_and_do_not_depend_on_order(make_task: MakeTask, tmp_path: Path) -> None:
    sides = []
    for rows in (ROWS, ROWS[::-1]):
        write(tmp_path / "data.jsonl", rows)
        task = make_task(f"data: {{path: data.jsonl, held_out: 0.3, shuffle: true, seed: 1}}\n{BASE}")
        train, test = load_problems(task), load_problems(task, split="test")
        assert len(train) + len(test) == 50
        assert not {p.prompt for p in train} & {p.prompt for p in test}
        sides.append({p.id for p in test})
    assert sides[0] == sides[1]
    assert 5 <= len(sides[0]) <= 25


def test_a_file_without_held_out_rows_says_how_to_hold_some_out(make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match="data.held_out: 0.1"):
        load_problems(make_task(BASE), split="test")


def test_limit_and_seeded_shuffle(make_task: MakeTask, tmp_path: Path) -> None:
    write(tmp_path / "data.jsonl", ROWS)

    def prompts(settings: str, **more: Any) -> list[object]:
        task = make_task(f"data: {{path: data.jsonl, {settings}}}\n{BASE}")
        return [p.prompt for p in load_problems(task, **more)]

    assert prompts("limit: 7", limit=3) == ["q0", "q1", "q2"]
    assert (
        prompts("shuffle: true, seed: 1")
        == prompts("shuffle: true, seed: 1")
        != prompts("shuffle: true, seed: 2")
    )
    assert sorted(map(str, prompts("shuffle: true"))) == sorted(r["prompt"] for r in ROWS)


def test_ids_are_stable_and_must_be_unique(make_task: MakeTask) -> None:
    assert Problem(prompt="q", reference="4").id == Problem(prompt="q", reference=4, info={"x": 1}).id  # type: ignore[arg-type]
    assert Problem(prompt="q", reference="4").id != Problem(prompt="q", reference="5").id
    rows = '{"prompt": "a", "reference": "1"}\n{"prompt": "b", "reference": "1"}\n'
    with pytest.raises(DataError, match="ids must be unique"):
        load_problems(make_task(BASE + "problem: {id: '{{ reference }}'}", rows=rows))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ('{"prompt": "q", "reference": "1"}\n{"prompt": \n', "rows.jsonl:2: not valid JSON"),
        ("[1]\n", "rows.jsonl:1: expected a JSON object"),
        ("", "has no rows"),
        ('{"prompt": null, "reference": "1"}\n', "problem.prompt"),
        ('{"prompt": "q", "reference": {"a": 1}}\n', "problem.reference"),
    ],
)
def test_bad_rows_are_told_with_their_line(make_task: MakeTask, rows: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        load_problems(make_task(BASE, rows=rows))
    assert said in str(caught.value)


def test_missing_files_and_unknown_kinds_are_told(make_task: MakeTask, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder 'gone.jsonl'"):
        load_problems(make_task(f"data: {{path: gone.jsonl}}\n{BASE}"))
    (tmp_path / "x.txt").write_text("a")
    with pytest.raises(DataError, match="unknown kind of file"):
        load_problems(make_task(f"data: {{path: x.txt}}\n{BASE}"))
    (tmp_path / "x.parquet").write_text("a")
    with pytest.raises(DataError, match="not a parquet file"):
        load_problems(make_task(f"data: {{path: x.parquet}}\n{BASE}"))


def test_references_keep_their_forms() -> None:
    assert Problem(prompt="q", reference=["1", 2]).references == ("1", "2")  # type: ignore[arg-type]
    assert Problem(prompt="q", reference=0.5).references == ("0.5",)  # type: ignore[arg-type]
    assert Problem(prompt="q").references == ()


def test_training_problems_that_are_held_out_are_dropped() -> None:
    train = [Problem(prompt=f"q{i}", reference=str(i)) for i in range(4)]
    assert [p.prompt for p in without_overlap(train, [Problem(prompt="q2", reference="9")])] == [
        "q0",
        "q1",
        "q3",
    ]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_an_addition_trace_without_mistakes_is_right(a: int, b: int) -> None:
    assert trace(a, b).endswith(f"\\boxed{{{a + b}}}")


def test_addition_splits_never_overlap_whatever_the_seed() -> None:
    generator = Addition(digits=2)
    splits = [
        {row["prompt"] for row, _ in zip(generator.problems(s, n), range(400), strict=False)}
        for s, n in ((0, "train"), (1, "train"), (2, "test"))
    ]
    assert not (splits[0] | splits[1]) & splits[2]
    assert len(splits[0]) == 400


def test_a_small_generator_ends() -> None:
    task = load_task("addition", overrides=["data.digits=1", "data.limit=1000"])
    assert 60 <= len(load_problems(task)) <= 81


def test_generator_parameters_are_checked() -> None:
    for override, said in (
        ("data.digts=3", "digts"),
        ("data.digits=9", "from 1 to 6"),
        ("data.mistakes=2", "0 to 1"),
    ):
        with pytest.raises(TaskError, match=said):
            load_problems(load_task("addition", overrides=[override]))


def test_code_is_refused_on_demand(make_task: MakeTask) -> None:
    task = make_task(f"data: {{generator: 'os:system', limit: 1}}\n{BASE}", allow_code=False)
    with pytest.raises(TaskError, match="--no-code"):
        load_problems(task)


def test_hub_rows_come_through_datasets(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder in a hub repository's layout, read by the datasets library itself."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "org/set/train.jsonl", ROWS)
    write(tmp_path / "org/set/test.jsonl", ROWS[:5])
    task = make_task(f"data: {{path: org/set, streaming: true, limit: 8, shuffle: true}}\n{BASE}")
    rows = [row for _, row in hub_rows(task, "train")]
    assert sorted(str(row["prompt"]) for row in rows) == sorted(row["prompt"] for row in ROWS)
    assert rows != ROWS
    assert next(hub_rows(task, "test"))[0] == "org/set/test[0]"
    with pytest.raises(DataError, match="--set data.path=rows.jsonl"):
        list(hub_rows(task, "no-such-split"))

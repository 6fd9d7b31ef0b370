"""Problems from rows: templates, files, splits, generators, ids, and errors with their place."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markscheme.sandbox import DataError, TaskError
from markscheme.tasks import Problem, load_problems, load_task
from markscheme.tasks.generators.addition import Addition, trace
from markscheme.tasks.load_problems import without_overlap
from markscheme.tasks.problem import prompt_key
from markscheme.tasks.rows.sources import RowSource, hub_rows
from markscheme.tasks.templates import compile_template, render
from support import MakeTask

REWARDS = "rewards: {correct: {use: answer}}\n"


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
def test_a_template_that_is_a_single_expression_keeps_its_type(
    template: object, row: dict[str, Any], value: object
) -> None:
    assert render(compile_template(template, "here")[0], row, "here") == value


def test_templates_cannot_reach_python_s_internals() -> None:
    for attack in ("{{ x.__class__.__mro__ }}", "{{ ''.__class__ }}", "a {{ x.__init__.__globals__ }}"):
        with pytest.raises(DataError):
            render(compile_template(attack, "here")[0], {"x": []}, "row 1")


def test_the_error_of_a_missing_column_shows_the_columns(make_task: MakeTask) -> None:
    task = make_task(REWARDS + "problem: {prompt: '{{ promt }}'}")
    with pytest.raises(TaskError) as caught:
        load_problems(task)
    for part in ("task.yaml", "problem.prompt", "'promt'", "did you mean 'prompt'", "prompt, reference"):
        assert part in str(caught.value)


def test_all_rows_that_do_not_fit_a_template_are_reported_at_once(make_task: MakeTask) -> None:
    references = ("a#1", "b", "c")  # only the first has a part after #
    rows = "".join(json.dumps({"prompt": "q", "reference": text}) + "\n" for text in references)
    task = make_task(REWARDS + "problem: {reference: \"{{ reference.split('#')[1] }}\"}", rows=rows)
    with pytest.raises(DataError) as caught:
        load_problems(task)
    assert "2 row(s)" in str(caught.value)
    assert "rows.jsonl:2" in str(caught.value)
    assert "rows.jsonl:3" in str(caught.value)


def test_a_template_that_is_not_jinja_is_an_error(make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match="not a valid jinja2 template"):
        load_problems(make_task(REWARDS + "problem: {prompt: '{{ prompt'}"))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows with a prompt and a reference as the kind of file that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".csv":
        lines = [f"{row['prompt']},{row['reference']}\n" for row in rows]
        path.write_text("prompt,reference\n" + "".join(lines))
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


ROWS = [{"prompt": f"q{i}", "reference": str(i)} for i in range(50)]


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_all_kinds_of_files_give_the_same_problems(make_task: MakeTask, tmp_path: Path, suffix: str) -> None:
    write_rows(tmp_path / f"data{suffix}", ROWS)
    problems = load_problems(make_task(f"data: {{path: data{suffix}}}\n{REWARDS}"))
    assert [(problem.prompt, problem.reference) for problem in problems] == [
        (row["prompt"], row["reference"]) for row in ROWS
    ]


def test_a_folder_holds_splits_in_one_file_or_several(make_task: MakeTask, tmp_path: Path) -> None:
    write_rows(tmp_path / "set/train-00000-of-00002.parquet", ROWS[:20])
    write_rows(tmp_path / "set/train-00001-of-00002.parquet", ROWS[20:30])
    write_rows(tmp_path / "set/test.jsonl", ROWS[30:])
    task = make_task(f"data: {{path: set}}\n{REWARDS}")
    assert (len(load_problems(task)), len(load_problems(task, split="test"))) == (30, 20)
    with pytest.raises(TaskError, match=r"no split 'dev' \(there are: test, train\)"):
        load_problems(task, split="dev")


def test_held_out_rows_never_overlap_and_do_not_depend_on_the_order(
    make_task: MakeTask, tmp_path: Path
) -> None:
    held_out_ids = []
    for rows in (ROWS, ROWS[::-1]):
        write_rows(tmp_path / "data.jsonl", rows)
        task = make_task(f"data: {{path: data.jsonl, held_out: 0.3, shuffle: true, seed: 1}}\n{REWARDS}")
        train, test = load_problems(task), load_problems(task, split="test")
        assert len(train) + len(test) == 50
        assert not {problem.prompt for problem in train} & {problem.prompt for problem in test}
        held_out_ids.append({problem.id for problem in test})
    assert held_out_ids[0] == held_out_ids[1]
    assert 5 <= len(held_out_ids[0]) <= 25  # 15 of 50 are expected


def test_prompts_that_differ_in_white_space_and_case_are_held_out_together(
    make_task: MakeTask, tmp_path: Path
) -> None:
    twins = [{**row, "prompt": f"  {row['prompt'].upper()} \n"} for row in ROWS]
    write_rows(tmp_path / "data.jsonl", [*ROWS, *twins])
    task = make_task(f"data: {{path: data.jsonl, held_out: 0.3}}\n{REWARDS}")
    train, test = (
        {prompt_key(problem.prompt) for problem in load_problems(task, split=split)}
        for split in (None, "test")
    )
    assert len(train) + len(test) == 50
    assert not train & test


def test_chats_with_other_instructions_are_other_prompts() -> None:
    user = {"role": "user", "content": "Say  Hello"}
    keys = [
        prompt_key(({"role": "system", "content": "In French."}, user)),
        prompt_key(({"role": "system", "content": "In Dutch."}, user)),
        prompt_key((user, {"role": "assistant", "content": "Hel"})),
        prompt_key((user,)),
    ]
    assert len(set(keys)) == 4
    assert prompt_key("say hello") == keys[3]


def test_a_file_without_held_out_rows_says_how_to_hold_some_out(make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match="data.held_out: 0.1"):
        load_problems(make_task(REWARDS), split="test")


def test_limits_and_seeded_shuffles(make_task: MakeTask, tmp_path: Path) -> None:
    write_rows(tmp_path / "data.jsonl", ROWS)

    def prompts(settings: str, limit: int | None = None) -> list[object]:
        task = make_task(f"data: {{path: data.jsonl, {settings}}}\n{REWARDS}")
        return [problem.prompt for problem in load_problems(task, limit=limit)]

    assert prompts("limit: 7", limit=3) == ["q0", "q1", "q2"]
    first = prompts("shuffle: true, seed: 1")
    assert prompts("shuffle: true, seed: 1") == first
    assert prompts("shuffle: true, seed: 2") != first
    assert sorted(map(str, prompts("shuffle: true"))) == sorted(row["prompt"] for row in ROWS)


def test_ids_are_stable_and_must_be_unique(make_task: MakeTask) -> None:
    problem = Problem(prompt="q", reference="4")
    assert problem.id == Problem(prompt="q", reference=4, info={"x": 1}).id  # type: ignore[arg-type]
    assert problem.id != Problem(prompt="q", reference="5").id
    rows = '{"prompt": "a", "reference": "1"}\n{"prompt": "b", "reference": "1"}\n'
    with pytest.raises(DataError, match="ids must be unique"):
        load_problems(make_task(REWARDS + "problem: {id: '{{ reference }}'}", rows=rows))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('{"prompt": "q", "reference": "1"}\n{"prompt": \n', "rows.jsonl:2: not valid JSON"),
        ("[1]\n", "rows.jsonl:1: expected a JSON object"),
        ("", "has no rows"),
        ('{"prompt": null, "reference": "1"}\n', "problem.prompt"),
        ('{"prompt": "q", "reference": {"a": 1}}\n', "problem.reference"),
    ],
)
def test_errors_in_rows_name_their_line(make_task: MakeTask, rows: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_problems(make_task(REWARDS, rows=rows))
    assert message in str(caught.value)


def test_missing_files_and_unknown_kinds_of_files_are_errors(make_task: MakeTask, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder 'gone.jsonl'"):
        load_problems(make_task(f"data: {{path: gone.jsonl}}\n{REWARDS}"))
    (tmp_path / "x.txt").write_text("a")
    with pytest.raises(DataError, match="unknown kind of file"):
        load_problems(make_task(f"data: {{path: x.txt}}\n{REWARDS}"))
    (tmp_path / "x.parquet").write_text("a")
    with pytest.raises(DataError, match="not a parquet file"):
        load_problems(make_task(f"data: {{path: x.parquet}}\n{REWARDS}"))


def test_references_are_text_one_or_several() -> None:
    assert Problem(prompt="q", reference=["1", 2]).references == ("1", "2")  # type: ignore[arg-type]
    assert Problem(prompt="q", reference=0.5).references == ("0.5",)  # type: ignore[arg-type]
    assert Problem(prompt="q").references == ()


def test_held_out_problems_are_dropped_from_training_by_their_prompt() -> None:
    train = [Problem(prompt=f"q{i}", reference=str(i)) for i in range(4)]
    kept = without_overlap(train, [Problem(prompt="q2", reference="9")])
    assert [problem.prompt for problem in kept] == ["q0", "q1", "q3"]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_an_addition_trace_without_mistakes_is_right(a: int, b: int) -> None:
    assert trace(a, b).endswith(f"\\boxed{{{a + b}}}")


def test_splits_of_additions_never_overlap_whatever_the_seed() -> None:
    generator = Addition(digits=2)

    def prompts(seed: int, split: str) -> set[str]:
        rows = zip(generator.problems(seed, split), range(400), strict=False)
        return {row["prompt"] for row, _ in rows}

    train, other_train, test = prompts(0, "train"), prompts(1, "train"), prompts(2, "test")
    assert not (train | other_train) & test
    assert len(train) == 400


def test_a_generator_with_few_problems_ends() -> None:
    task = load_task("addition", overrides=["data.digits=1", "data.limit=1000"])
    assert 60 <= len(load_problems(task)) <= 81  # of 9 x 9 sums, without the held-out ones


def test_parameters_of_generators_are_checked() -> None:
    for override, message in (
        ("data.digts=3", "digts"),
        ("data.digits=9", "from 1 to 6"),
        ("data.mistakes=2", "0 to 1"),
    ):
        with pytest.raises(TaskError, match=message):
            load_problems(load_task("addition", overrides=[override]))


def test_a_task_that_must_not_run_code_cannot_name_any(make_task: MakeTask) -> None:
    task = make_task(f"data: {{generator: 'os:system', limit: 1}}\n{REWARDS}", allow_code=False)
    with pytest.raises(TaskError, match="--no-code"):
        load_problems(task)


def test_rows_of_the_hub_are_read_by_datasets(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline, the datasets library reads a folder with the layout of a hub repository in the same way."""
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "org/set/train.jsonl", ROWS)
    write_rows(tmp_path / "org/set/test.jsonl", ROWS[:5])
    task = make_task(f"data: {{path: org/set, streaming: true, limit: 8, shuffle: true}}\n{REWARDS}")

    def rows_of(source: RowSource) -> list[Any]:
        return [source[i] for i in source.indices()]

    rows = [row for _, row in rows_of(hub_rows(task, "train"))]
    assert sorted(str(row["prompt"]) for row in rows) == sorted(row["prompt"] for row in ROWS)
    assert rows != ROWS
    assert rows_of(hub_rows(task, "test"))[0][0] == "org/set/test:1"
    with pytest.raises(DataError, match="--set data.path=rows.jsonl"):
        hub_rows(task, "no-such-split")

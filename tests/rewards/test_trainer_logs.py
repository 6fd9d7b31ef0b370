"""Logs of other tools, in files that these tools wrote (TRL 1.16, lm-eval 0.4.13, verl 0.9.1)."""

from collections import Counter
from pathlib import Path

import pytest

from markscheme.rewards.rows.trainer_logs import LoggedRow, read_log
from markscheme.sandbox import DataError
from support import ROOT

LOGS = ROOT / "tests/data/logs"


def rows_of(folder: str, source: str, **options: str) -> list[LoggedRow]:
    return list(read_log(LOGS / folder, source, **options))  # type: ignore[arg-type]


def group_sizes(rows: list[LoggedRow]) -> list[int]:
    return list(Counter((row.step, row.group) for row in rows).values())


def test_tables_of_trl() -> None:
    rows = rows_of("trl", "trl")
    assert group_sizes(rows) == [4] * 6
    assert [row.step for row in rows] == [1] * 8 + [2] * 8 + [3] * 8
    first, last = rows[0], rows[3]
    assert (first.prompt, first.completion, first.reference) == ("12+30=", "42", "42")
    assert first.recorded == {"exact": 1.0, "digit_share": 1.0}
    assert last.recorded["exact"] is None, "a reward that returned None is not a 0"
    assert first.place.endswith("completions_00001.parquet:1")
    assert sum(row.advantage or 0 for row in rows[:4]) == pytest.approx(0, abs=1e-3)


def test_tables_of_trl_with_messages_and_with_repeated_batches() -> None:
    chat = rows_of("trl_chat", "trl")
    assert [message["role"] for message in chat[0].prompt] == ["system", "user"]
    assert chat[0].completion == "42"
    assert group_sizes(chat) == [4] * 4
    repeated = rows_of("trl_repeated", "trl")
    assert {row.step for row in repeated} == {1, 3}, "a batch that is logged at two steps is read once"


def test_samples_of_lm_eval() -> None:
    """Every document is a row per filter; one filter is read, and every repeat of it."""
    file = "lm_eval/samples_toy_gsm8k.jsonl"
    strict, flexible = rows_of(file, "lm-eval"), rows_of(file, "lm-eval", only_filter="flexible-extract")
    assert len(strict) == len(flexible) == 12
    assert strict[0].recorded == {"exact_match": 1.0}
    assert strict[0].reference.endswith("#### 42")
    assert strict[0].columns["question"].startswith("Tom has 12 apples")
    right = [sum(row.recorded["exact_match"] or 0 for row in rows) for rows in (strict, flexible)]
    assert right[0] < right[1]
    repeats = rows_of("lm_eval/samples_toy_gsm8k_repeats.jsonl", "lm-eval")
    assert group_sizes(repeats) == [2] * 12
    assert repeats[1].recorded == {}, "the recorded score is the document's, not that of a repeat"
    chat = rows_of("lm_eval/samples_chat.jsonl", "lm-eval")
    assert chat[0].prompt[0] == {"role": "system", "content": "Think first.", "type": "text"}
    with pytest.raises(DataError, match=r"samples_toy_choice.jsonl:1: the log holds likelihoods"):
        rows_of("lm_eval/samples_toy_choice.jsonl", "lm-eval")


def test_dumps_of_verl() -> None:
    """The groups are in `uid`, or else a step's rows with one prompt, in whatever order."""
    rows = rows_of("verl", "verl")
    assert group_sizes(rows)[:2] == [4, 4]
    assert rows[0].recorded == {"score": 1.0}
    assert rows[0].reference == "42"
    assert {row.step for row in rows} == {1, 2}
    legacy = rows_of("verl_legacy", "verl")
    assert sorted(group_sizes(legacy)) == [4] * 4
    assert set(legacy[0].recorded) >= {"score", "acc"}
    validation = rows_of("verl_validation", "verl")
    assert all(row.recorded["score"] is not None for row in validation), "`reward` stands in for a null score"


@pytest.mark.parametrize(
    ("path", "source", "said"),
    [
        ("nothing", "trl", "there is no log of trl"),
        ("verl", "trl", r"there is no log of trl \(completions_\*.parquet\)"),
        ("verl/1.jsonl", "lm-eval", "1.jsonl:1: is not a row that lm-eval logs .KeyError: 'filter'"),
        ("lm_eval/samples_toy_gsm8k.jsonl", "verl", "is not a row that verl logs"),
    ],
)
def test_other_files_are_refused(path: str, source: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        list(read_log(LOGS / path, source))


def test_inspect_s_reader_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "inspect_ai", None)
    with pytest.raises(DataError, match="pip install inspect-ai"):
        list(read_log(tmp_path, "inspect"))


def test_equal_groups_of_later_steps_are_kept(tmp_path: Path) -> None:
    """A dead group that comes again in the next epoch is no repetition of a batch."""
    import pyarrow
    from pyarrow.parquet import write_table

    for step, other in ((1, "4"), (2, "5")):
        rows = [{"step": step, "prompt": "2+2=", "completion": "4", "r": 1.0, "advantage": 0.0}] * 3
        rows.append({"step": step, "prompt": "2+2=", "completion": other, "r": 1.0, "advantage": 0.0})
        write_table(pyarrow.Table.from_pylist(rows), tmp_path / f"completions_{step:05d}.parquet")
    assert group_sizes(list(read_log(tmp_path, "trl"))) == [4, 4]

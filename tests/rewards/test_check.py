"""The check of a task: cases and their limits, overlaps, what probes may earn, and bad input."""

import json
from pathlib import Path

import pytest

from markscheme.rewards import MarkScheme, check_task
from markscheme.rewards.check.cases import confusion, confusions, run_cases
from markscheme.rewards.check.finding import Finding
from markscheme.rewards.check.overlap import contamination
from markscheme.sandbox import MarkschemeError, TaskError
from markscheme.tasks import Problem, Task, load_problems, load_task
from markscheme.tasks.check_section import DEFECTS, CaseLimits
from support import ROOT, MakeTask

ROWS = "".join(
    json.dumps({"prompt": f"How many are {a} and {b} together?", "reference": str(a + b)}) + "\n"
    for a, b in ((3, 9), (25, 17), (8, 61), (140, 5), (33, 33), (7, 90))
)
ANSWER = "rewards: {correct: {use: answer}}"


def by_name(task: Task, **options: object) -> dict[str, Finding]:
    return {finding.name: finding for finding in check_task(task, **options)}  # pyright: ignore[reportArgumentType]


def test_confusion_has_wilson_intervals() -> None:
    """Wilson's interval of 1 of 10 is 0.0179 to 0.4042 (Wilson 1927; R's binom::binom.wilson)."""
    found = confusion([(False, True)] + [(False, False)] * 9 + [(True, True)] * 5 + [(True, None)])
    rate = found.false_positive
    assert (found.wrong, found.right, found.undecided) == (10, 5, 1)
    assert (rate.share, round(rate.low, 4), round(rate.high, 4)) == (0.1, 0.0179, 0.4042)
    assert found.false_negative.share == 0


@pytest.mark.parametrize(
    ("limits", "within"),
    [
        (CaseLimits(), False),
        (CaseLimits(false_positive=0.1), False),  # one case is undecided
        (CaseLimits(false_positive=0.1, undecided=0.1), True),
        (CaseLimits(false_positive=0.09, undecided=0.1), False),
    ],
)
def test_limits_of_labelled_cases(limits: CaseLimits, within: bool) -> None:
    marks = [(False, True)] + [(False, False)] * 9 + [(True, True)] * 5 + [(True, None)]
    assert confusion(marks).within(limits) is within


def test_cases_are_counted_by_component_and_tag(make_task: MakeTask, tmp_path: Path) -> None:
    text = "rewards: {correct: {use: answer}}\nwatch: {exact: {use: exact_match}}\n"
    cases = [
        ("\\boxed{4}", True, ["plain"]),
        ("\\boxed{4.0}", True, ["decimal"]),
        ("\\boxed{5}", False, ["plain"]),
        ("\\boxed{5}", True, ["mislabelled"]),
    ]
    rows = [
        {"prompt": "q", "reference": "4", "completion": text, "correct": label, "tags": tags}
        for text, label, tags in cases
    ]
    (tmp_path / "task.cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = make_task(text)
    scheme = MarkScheme(task)
    found = confusions(scheme, run_cases(task, scheme, tmp_path / "task.cases.jsonl"))
    assert found["correct"]["all"].false_negative.share == pytest.approx(1 / 3)
    assert found["exact"]["decimal"].false_negative.share == 1  # a text that differs, as it should
    assert found["scheme"]["plain"].within(CaseLimits())
    finding = by_name(task)["cases"]
    assert finding.good is False
    assert any("mislabelled" in line for line in finding.details)
    assert any("task.cases.jsonl:4: labelled right, marked wrong" in line for line in finding.details)
    relaxed = by_name(make_task(f"{text}check: {{cases: {{false_negative: 0.4}}}}"))["cases"]
    assert relaxed.good is True


def test_a_floor_lets_a_format_earn_its_share(make_task: MakeTask) -> None:
    text = f"{ANSWER[:-1]}, format: {{use: think_answer, weight: 0.1}}}}\n"
    refused = by_name(make_task(text, rows=ROWS))
    assert refused["no_answer_pays"].good is False
    assert "check: {probes: {floor: 0.1}}" in refused["no_answer_pays"].said
    assert "none of these is marked right" in refused["no_answer_pays"].said
    assert len(refused["no_answer_pays"].examples) == 3
    allowed = by_name(make_task(f"{text}check: {{probes: {{floor: 0.1}}}}", rows=ROWS))
    assert not DEFECTS.keys() & allowed.keys()


def test_a_defect_that_the_task_does_not_look_for_is_told(make_task: MakeTask) -> None:
    text = "rewards: {correct: {use: answer, weight: 3.0}}\n"
    assert "cancelled_weight" in by_name(make_task(text, rows=ROWS))
    found = by_name(make_task(f"{text}check: {{probes: {{cancelled_weight: false}}}}", rows=ROWS))
    assert "cancelled_weight" not in found
    assert "not looked for: cancelled_weight" in found["probes"].said


@pytest.mark.parametrize(
    ("probes", "said"),
    [
        ("{hedge_pay: 0.1}", "did you mean 'hedge_pays'"),
        ("{hedge_pays: 2}", "expected a share from 0 to 1"),
        ("{floor: false}", "floor: expected a share from 0 to 1"),
        ("{hedge_pays: true}", "or false to leave it out (given: true)"),
    ],
)
def test_wrong_settings_of_probes_are_errors(probes: str, said: str, make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match="check") as caught:
        make_task(f"{ANSWER}\ncheck: {{probes: {probes}}}")
    assert said in str(caught.value)


def test_what_is_tolerated_is_no_part_of_the_hash(make_task: MakeTask) -> None:
    plain, tolerant = make_task(ANSWER), make_task(f"{ANSWER}\ncheck: {{probes: {{floor: 0.3}}}}")
    assert plain.hash == tolerant.hash


def test_a_probe_that_cannot_be_judged_fails(make_task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from markscheme.verifiers import verifier\n"
        '@verifier("number")\n'
        "def number(problem, completion):\n"
        '    return float(completion.text.strip("\\\\boxed{}")) == float(problem.reference)\n'
    )
    found = by_name(make_task("rewards: {correct: {use: 'mine.py:number'}}", rows=ROWS))
    assert found["probes"].good is False
    assert "could not be judged" in found["probes"].said
    assert "ValueError" in found["probes"].details[0]


def test_a_scheme_that_marks_nothing_right_fails(make_task: MakeTask) -> None:
    found = by_name(make_task("rewards: {correct: {use: regex, pattern: 'never this'}}", rows=ROWS))
    assert found["probes"].good is False
    assert "no right answer is marked right" in found["probes"].details[-1]


def test_the_same_seed_probes_the_same_problems(make_task: MakeTask) -> None:
    task = make_task(f"{ANSWER[:-1]}, format: {{use: boxed, weight: 0.2}}}}\n", rows=ROWS)
    one, two, other = (by_name(task, probes=2, seed=seed)["any_box_pays"].examples for seed in (1, 1, 5))
    assert one == two
    assert {example.place for example in one} != {example.place for example in other}
    assert "any_box_pays" not in by_name(task, probes=0)


def test_a_task_without_data_is_still_checked(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(f"data: {{path: nothing.jsonl}}\n{ANSWER}")
    found = by_name(task)
    assert found["data"].good is False
    assert "nothing.jsonl" in found["data"].said
    assert found["cases"].good is None
    assert "probes" not in found


def test_duplicates_between_splits_are_found(make_task: MakeTask, tmp_path: Path) -> None:
    folder = tmp_path / "sums"
    folder.mkdir()
    (folder / "train.jsonl").write_text(ROWS)
    (folder / "test.jsonl").write_text(ROWS.splitlines()[0].replace("How", "HOW ") + "\n")
    found = by_name(make_task(f"data: {{path: sums}}\n{ANSWER}"))["duplicates"]
    assert found.good is False
    assert "1 of 6 problems are in the held-out split too (1 problems)" in found.said


def test_contamination_by_n_grams(tmp_path: Path) -> None:
    """A problem counts if half of its 13-grams are in one row, or if a shorter one is there as a whole."""
    long = (
        "A farmer has twelve fields with nine rows of apple trees in each of them and sells every third tree"
    )
    short = "How many primes are below one hundred?"
    problems = [
        ("p:1", Problem(prompt=long)),
        ("p:2", Problem(prompt=short)),
        ("p:3", Problem(prompt="2+2=")),
    ]
    problems.append(("p:4", Problem(prompt="A baker has twelve trays with nine rolls on each of them today")))
    path = tmp_path / "benchmark.jsonl"
    rows = [
        {"question": f"Yesterday: {long.lower()}!", "answer": "unrelated"},
        {"messages": [{"role": "user", "content": f"Please say. {short} Thanks."}]},
        {"question": "2+2="},
        {"question": "A baker has twelve trays of bread and nine rolls"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = contamination(problems, path)
    assert found.good is False
    assert [line.split(":")[1] for line in found.details] == ["1", "2"]
    assert "benchmark.jsonl:2" in found.details[1]


def test_every_defect_is_explained_in_the_readme() -> None:
    page = (ROOT / "rewards/README.md").read_text(encoding="utf-8")
    assert [code for code in DEFECTS if f"| `{code}` |" not in page] == []


@pytest.mark.parametrize("dataset", ["basic_arithmetic", "game_of_life_halting", "prime_factorization"])
def test_reasoning_gym_tasks_are_checked(dataset: str, make_task: MakeTask) -> None:
    """`game_of_life_halting` calls a wrong answer right; the scorer of `prime_factorization` raises on plain text."""
    task = make_task(
        f"data: {{generator: reasoning_gym, dataset: {dataset}, size: 8, seed: 42}}\n"
        "problem: {reference: '{{ answer }}'}\nrewards: {correct: {use: reasoning_gym}}\n"
        "check: {probes: {floor: 0.5}}"
    )
    found = by_name(task)
    failed = [name for name, finding in found.items() if finding.good is False]
    expected = {"game_of_life_halting": ["any_box_pays"], "prime_factorization": ["probes"]}
    assert failed == expected.get(dataset, [])


def test_reasoning_gym_splits_and_settings(make_task: MakeTask) -> None:
    text = "data: {generator: reasoning_gym, dataset: DATASET, size: 30, seed: 1}\n" + ANSWER
    task = make_task(text.replace("DATASET", "chain_sum, min_terms: 2, max_terms: 2"))
    train, test = load_problems(task), load_problems(task, split="test")
    assert len(train) == 30
    assert all(str(problem.prompt).count("+") + str(problem.prompt).count("-") for problem in train)
    assert not {problem.prompt for problem in train} & {problem.prompt for problem in test}
    assert [p.prompt for p in train] == [p.prompt for p in load_problems(task)]
    for dataset, said in (("chain_sums", "did you mean 'chain_sum'"), ("chain_sum, min_term: 2", "min_term")):
        with pytest.raises(MarkschemeError, match=said):
            load_problems(make_task(text.replace("DATASET", dataset)))


def test_the_shipped_tasks_of_generators_pass() -> None:
    for name in ("addition", "deduction", "records"):
        failed = [finding for finding in check_task(load_task(name), limit=50) if finding.good is False]
        assert failed == [], name


def code(folder: Path, text: str) -> None:
    header = "from markscheme.rewards import reward, from_trl\nfrom markscheme.verifiers import verifier, verify_answer\n"
    (folder / "mine.py").write_text(header + text)


RIGHT = "verify_answer(problem.references, completion.text).correct"


@pytest.mark.parametrize(
    ("text", "source", "failed"),
    [
        # Right schemes: combined without a sum; a declared range that is wider than the values; penalties only.
        ("rewards: {correct: {use: answer}, format: {use: think_answer}}\ncombine: all_of", "", []),
        ("rewards: {correct: {use: answer}, format: {use: think_answer}}\ncombine: min", "", []),
        ("rewards: {correct: {use: 'mine.py:wide'}}", f'@reward("wide", range=(-1, 1))\ndef wide(problem, completion):\n    return float({RIGHT})\n', []),
        (
            "rewards: {accuracy: {use: 'mine.py:judge'}, format: {use: think_answer, weight: 0.1, when: accuracy}}",
            f'@reward("judge")\ndef judge(problem, completion):\n    return float({RIGHT})\n',
            [],
        ),
        ("extract: [bold]\nrewards: {correct: {use: answer}}", "", []),
        ("extract: [hashes]\nrewards: {correct: {use: answer}}", "", []),
        ("rewards: {correct: {use: answer}, in_english: {use: language, weight: 0.1, when: correct}}", "", []),
        # Broken ones.
        ("rewards: {correct: {use: answer, on_failure: {no_answer: leave_out}}}", "", ["probes", "escaped_penalty"]),
        ("rewards: {correct: {use: answer, weight: 0.5}, cost: {use: overlong, max_tokens: 60, cache_tokens: 40, unit: words}}", "", ["escaped_penalty"]),
        ("rewards: {correct: {use: answer}, format: {use: think_answer, weight: {0: 2.0, 100: 0.0}}}", "", ["format_beats_answer"]),
        (
            "rewards: {correct: {use: 'mine.py:flaky'}}",
            f'import itertools\nturn = itertools.cycle([True, True, False, True, True])\n@verifier("flaky")\ndef flaky(problem, completion):\n    return {RIGHT} is True and next(turn)\n',
            ["not_deterministic"],
        ),
        (
            "rewards: {correct: {use: answer}, b: {use: 'mine.py:raising', when: correct, weight: 0.1}}",
            '@reward("raising")\ndef raising(problem, completion):\n    return 1 / (len(completion.text) > 30)\n',
            ["rewards", "probes"],
        ),
        ("rewards: {correct: {use: answer, on_failure: {no_answer: stop}}}", "", ["probes"]),
    ],
)  # fmt: skip
def test_what_a_stranger_tried(
    text: str, source: str, failed: list[str], make_task: MakeTask, tmp_path: Path
) -> None:
    """Schemes on which an earlier version crashed, raised a false alarm, or saw nothing."""
    code(tmp_path, source)
    found = by_name(make_task(text, rows=ROWS))
    assert [name for name, finding in found.items() if finding.good is False] == failed, found


def test_a_reward_without_a_highest_value_cannot_say_what_is_right(
    make_task: MakeTask, tmp_path: Path
) -> None:
    code(
        tmp_path,
        "@from_trl\ndef score(completions, **columns):\n    return [float(len(text)) for text in completions]\n",
    )
    found = by_name(make_task("rewards: {r: {use: 'mine.py:score'}}", rows=ROWS))["probes"]
    assert found.good is None
    assert "no highest value" in found.details[-1]


def test_problems_that_cannot_be_judged_do_not_end_the_check(make_task: MakeTask) -> None:
    rows = [
        {"prompt": f"f{i}", "tests": {"type": "calls", "entry": "f", "cases": [{"args": [i], "expected": i}]}}
        for i in range(3)
    ]
    rows[1]["tests"] = {"type": "nothing known"}
    text = "problem: {tests: '{{ tests }}'}\nrewards: {correct: {use: unit_tests}}"
    found = by_name(make_task(text, rows="".join(json.dumps(row) + "\n" for row in rows)), probes=1)
    assert found["references"].good is False
    assert "rows.jsonl:2" in found["references"].details[0]
    assert "probes" in found


def test_a_route_is_looked_for_in_all_problems(make_task: MakeTask) -> None:
    rows = [{**json.loads(line), "level": "easy"} for line in ROWS.splitlines() * 8]
    rows[5]["level"] = "hard"
    text = "rewards: {correct: {use: answer}, extra: {use: boxed, weight: 0.1, when: {level: LEVEL}}}\ncheck: {probes: {floor: 0.1}}"
    data = "".join(json.dumps(row) + "\n" for row in rows)
    assert "gate_never_opens" not in by_name(make_task(text.replace("LEVEL", "hard"), rows=data))
    assert by_name(make_task(text.replace("LEVEL", "medium"), rows=data))["gate_never_opens"].good is False


def test_one_answer_to_everything_is_found(make_task: MakeTask) -> None:
    rows = "".join(json.dumps({"prompt": f"Is {i} a number?", "reference": "yes"}) + "\n" for i in range(12))
    assert (
        "'yes' is right for 12 of 12 problems"
        in by_name(make_task(ANSWER, rows=rows))["constant_passes"].said
    )


def test_contamination_does_not_count_the_instructions(tmp_path: Path) -> None:
    """All prompts share thirty words of instruction; one question is in the benchmark."""
    told = "Think step by step and write down all that you do before you give the final answer in a box at the end. "
    asked = [
        "How many wheels have eleven tricycles and four cars?",
        "How far is it to the moon and back again?",
    ]
    asked += [
        "What is the tallest tree that stands in this park?",
        "Which of the numbers below is not a prime number?",
    ]
    problems = [(f"p:{i}", Problem(prompt=told + text)) for i, text in enumerate(asked)]
    path = tmp_path / "b.jsonl"
    path.write_text(json.dumps({"prompt": told + "Something else altogether?"}) + "\n")
    assert contamination(problems, path).good is True
    path.write_text(json.dumps({"prompt": told + asked[2]}) + "\n")
    assert [line.split(":")[1] for line in contamination(problems, path).details] == ["2"]
    chinese = [("p:0", Problem(prompt="小明有十二个苹果，他给了小红五个，还剩下几个？"))]
    path.write_text(
        json.dumps({"prompt": "题目：小明有十二个苹果，他给了小红五个，还剩下几个？请回答。"}) + "\n"
    )
    assert contamination(chinese, path).good is False

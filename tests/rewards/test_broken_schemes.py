"""Schemes that are broken on purpose, one for each defect that `check` can name, and twins that are right."""

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from markscheme.rewards import check_task
from markscheme.tasks import load_task
from markscheme.tasks.check_section import DEFECTS

QUESTIONS = [
    (
        "A baker sells 14 loaves in the morning and 9 in the afternoon, at 3 coins each. How many coins does he get?",
        69,
    ),
    ("A train has 8 wagons of 45 seats, and 37 seats are taken. How many seats are free?", 323),
    ("Nine friends share 117 marbles equally. How many does each of them get?", 13),
    ("A book of 240 pages is read at 12 pages a day. How many days does it take?", 20),
    ("Ida saves 25 euros a month for a year and then spends 84. How many euros are left?", 216),
    ("A garden of 18 by 7 metres is fenced all around. How many metres of fence are needed?", 50),
    ("Tom has 56 stamps and gives a quarter of them away. How many does he keep?", 42),
    ("A bus carries 31 people; 14 get off and 22 get on. How many does it carry now?", 39),
    ("A tank of 900 litres loses 12 litres an hour for 15 hours. How many litres are left?", 720),
    ("Six boxes hold 24 apples each, of which 17 are bad. How many good apples are there?", 127),
    ("A cinema sells 130 tickets at 8 euros. How many euros does it take in?", 1040),
    ("A rope of 4 metres is cut into pieces of 16 centimetres. How many pieces are there?", 25),
]
CODE = """
import random, re
from markscheme.rewards import reward, Score
from markscheme.verifiers import compare_answers, verifier, verify_answer

def answer_of(text):
    text = text.rpartition("</think>")[2]
    found = re.findall(r"\\\\boxed\\{([^{}]*)\\}", text)
    return found[-1].strip() if found else None

def right(problem, completion):
    return verify_answer(problem.references, completion.text).correct is True

def same(problem, answer):
    return answer is not None and compare_answers(problem.reference, answer).correct is True

"""
STRICT = "rewards: {correct: {use: answer}}"


@dataclass
class Broken:
    """A scheme with a defect, and the same without it."""

    defect: str
    code: str = ""
    """Python functions that the schemes use."""
    broken: str = "rewards: {correct: {use: 'code.py:broken'}}"
    twin: str = STRICT
    data: str = "words"

    def __str__(self) -> str:
        return self.defect


def verifying(defect: str, body: str, **more: str) -> Broken:
    code = f'@verifier("broken")\ndef broken(problem, completion):\n{textwrap.indent(textwrap.dedent(body), "    ")}\n'
    return Broken(defect, code, **more)


IN_PROCESS = """
@verifier("broken")
def broken(problem, completion):
    code = completion.text.rpartition("</think>")[2].partition("```python")[2].partition("```")[0]
    space = {}
    try:
        exec(code, space)
        for case in problem.tests["cases"]:
            if not space[problem.tests["entry"]](*case["args"]) == case["expected"]:
                return False
    except (Exception, SystemExit):
        return False
    return True

@verifier("by_exit_code")
def by_exit_code(problem, completion):
    import subprocess, sys
    code = completion.text.rpartition("</think>")[2].partition("```python")[2].partition("```")[0]
    entry = problem.tests["entry"]
    checks = "".join(
        f"assert type({entry}(*{case['args']!r})) is type({case['expected']!r}) and {entry}(*{case['args']!r}) == {case['expected']!r}\\n"
        for case in problem.tests["cases"]
    )
    done = subprocess.run([sys.executable, "-I", "-c", code + "\\n" + checks], capture_output=True)
    return done.returncode == 0 and bool(code)
"""
STEPS = """
@reward("repeated_lines", steps=True)
def repeated_lines(problem, completion, steps):
    return [float(step in problem.solution.splitlines()) for step in steps]

@reward("known_lines", steps=True)
def known_lines(problem, completion, steps):
    seen, marks = set(), []
    lines = problem.solution.splitlines()
    for step in steps:
        marks.append(float(step in lines and step not in seen))
        seen.add(step)
    return marks

@reward("pieces", steps=True)
def pieces(problem, completion, steps):
    seen, marks = set(), []
    for step in steps:
        marks.append(float(step in problem.solution and step not in seen))
        seen.add(step)
    return marks
"""

BROKEN = [
    verifying("no_answer_pays", "answer = answer_of(completion.text)\nreturn answer is None or right(problem, completion)"),
    verifying("substring_pays", "return problem.reference in completion.text"),
    verifying("any_number_pays", 'return problem.reference in re.findall(r"\\d+", completion.text)'),
    verifying("any_box_pays", 'return any(same(problem, one) for one in re.findall(r"boxed\\{((?:[^{}]|\\{[^{}]*\\})*)\\}", completion.text.rpartition("</think>")[2]))'),
    verifying("hedge_pays", 'return any(same(problem, one) for one in re.split(r" or |, ", answer_of(completion.text) or "")) and "not" not in completion.text'),
    verifying("negation_pays", 'return same(problem, (answer_of(completion.text) or "").replace("not ", ""))'),
    verifying("retraction_pays", 'found = re.findall(r"boxed\\{((?:[^{}]|\\{[^{}]*\\})*)\\}", completion.text.rpartition("</think>")[2])\nreturn same(problem, found[0] if found else None)'),
    verifying("thinking_pays", 'thought = completion.text.partition("</think>")[0]\nreturn right(problem, completion) or verify_answer(problem.references, thought.replace("<think>", "")).correct is True'),
    verifying("verbatim_only", 'return completion.text == "\\\\boxed{" + problem.reference + "}"'),
    Broken(
        "echo_pays",
        '@reward("overlap")\ndef overlap(problem, completion):\n'
        '    asked, said = ({*text.lower().split()} for text in (problem.prompt, completion.text))\n'
        "    return len(asked & said) / len(asked)\n",
        "rewards: {correct: {use: answer}, on_topic: {use: 'code.py:overlap', weight: 0.5}}\ncheck: {probes: {floor: 0.1}}",
        "rewards: {correct: {use: answer}, on_topic: {use: 'code.py:overlap', weight: 0.5, when: correct}}",
    ),
    verifying("injection_pays", 'return right(problem, completion) or bool(re.search(r"score: *(1|10/10)|full marks|\\[\\[A\\]\\]", completion.text.lower()))'),
    verifying("flood_pays", "return len(completion.text) > 20_000 or right(problem, completion)"),
    Broken(
        "format_beats_answer",
        broken="rewards: {correct: {use: answer, weight: 0.5}, format: {use: think_answer}}\ncheck: {probes: {floor: 0.1}}",
        twin="rewards: {correct: {use: answer}, format: {use: think_answer, weight: 0.1}}\ncheck: {probes: {floor: 0.1}}",
    ),
    Broken(
        "length_pays",
        '@reward("long")\ndef long(problem, completion):\n    return min(1.0, len(completion.text) / 2000)\n',
        "rewards: {correct: {use: answer}, long: {use: 'code.py:long', weight: 0.5}}",
        "rewards: {correct: {use: answer}, long: {use: 'code.py:long', weight: 0.5, when: correct}}",
    ),
    verifying("not_deterministic", "return right(problem, completion) and random.random() < 0.5 or random.random() < 0.1"),
    Broken("constant_passes", broken="rewards: {correct: {use: unit_tests}}", twin="rewards: {correct: {use: unit_tests}}", data="constant programs"),
    Broken("early_exit_passes", IN_PROCESS, "rewards: {correct: {use: 'code.py:by_exit_code'}}", "rewards: {correct: {use: unit_tests}}", "programs"),
    Broken("tests_reachable", IN_PROCESS, "rewards: {correct: {use: 'code.py:broken'}}", "rewards: {correct: {use: unit_tests}}", "programs"),
    Broken(
        "padding_pays",
        STEPS,
        STRICT + "\nprocess: {use: 'code.py:repeated_lines', split: lines, credit: sum}",
        STRICT + "\nprocess: {use: 'code.py:known_lines', split: lines, credit: sum}",
        "solved",
    ),
    Broken(
        "splitting_pays",
        STEPS,
        STRICT + "\nprocess: {use: 'code.py:pieces', split: lines, credit: sum}",
        STRICT + "\nprocess: {use: 'code.py:known_lines', split: lines, credit: sum}",
        "solved",
    ),
    Broken(
        "gate_never_opens",
        '@reward("half", range=(0, 2))\ndef half(problem, completion):\n    return float(right(problem, completion))\n',
        "rewards: {correct: {use: answer}, half: {use: 'code.py:half', weight: 0.1}, format: {use: think_answer, weight: 0.1, when: half}}",
        "rewards: {correct: {use: answer}, format: {use: think_answer, weight: 0.1, when: correct}}",
    ),
    Broken(
        "range_left",
        '@reward("bonus", range=(0, 1))\ndef bonus(problem, completion):\n    return 0.0 if len(completion.text) < 200 else 1.5\n',
        "rewards: {correct: {use: answer}, bonus: {use: 'code.py:bonus', weight: 0.1, when: correct}}",
        "rewards: {correct: {use: answer}, bonus: {use: length, target: 200, unit: characters, weight: 0.1, when: correct}}",
    ),
    Broken(
        "constant_component",
        '@reward("polite")\ndef polite(problem, completion):\n    return 1.0 if "answer" else 0.0\n',
        "rewards: {correct: {use: answer}, polite: {use: 'code.py:polite', weight: 0.1, when: correct}}",
        "rewards: {correct: {use: answer}, format: {use: think_answer, weight: 0.1, when: correct}}",
    ),
    Broken(
        "cancelled_weight",
        broken="rewards: {correct: {use: answer, weight: 5.0}}",
        twin="rewards: {correct: {use: answer, weight: 5.0}, format: {use: think_answer, when: correct}}",
    ),
    Broken(
        "escaped_penalty",
        broken="rewards: {correct: {use: answer, weight: 0.5}, long: {use: overlong, max_tokens: 300, cache_tokens: 200, unit: words, when: correct}}",
        twin="rewards: {correct: {use: answer, weight: 0.5}, long: {use: overlong, max_tokens: 300, cache_tokens: 200, unit: words, weight: 0.25}}",
    ),
]  # fmt: skip


def rows_of(data: str) -> list[dict[str, object]]:
    if data == "words":
        return [{"prompt": question, "reference": str(answer)} for question, answer in QUESTIONS]
    if data == "solved":
        return [
            {
                "prompt": question,
                "reference": str(answer),
                "solution": f"we read {number + 3} numbers\nthe sum of them is {answer}\n\\boxed{{{answer}}}",
            }
            for number, (question, answer) in enumerate(QUESTIONS)
        ]
    rows = []
    for shift in range(1, 9):
        results = [7] * 3 if data == "constant programs" else [shift, shift + 5, shift + 11]
        cases = [{"args": [x], "expected": result} for x, result in zip((0, 5, 11), results, strict=True)]
        body = "return 7" if data == "constant programs" else f"return x + {shift}"
        rows.append(
            {
                "prompt": f"Write f(x), number {shift}.",
                "tests": {"type": "calls", "entry": "f", "cases": cases},
                "solution": f"```python\ndef f(x):\n    {body}\n```",
            }
        )
    return rows


def defects_of(folder: Path, scheme: str, code: str, data: str) -> dict[str, str]:
    """Return the defects that a check names, each with what it says."""
    rows = rows_of(data)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "code.py").write_text(CODE + code)
    columns = ("reference", "tests", "solution")
    templates = {"prompt": "{{ prompt }}"} | {
        name: f"{{{{ {name} }}}}" for name in columns if name in rows[0]
    }
    text = f"name: tried\ndata: {{path: rows.jsonl}}\nproblem: {json.dumps(templates)}\n{scheme}\n"
    (folder / "tried.yaml").write_text(text)
    findings = check_task(load_task(folder / "tried.yaml"))
    assert all(finding.good is not False or finding.name in DEFECTS for finding in findings), findings
    return {finding.name: finding.said for finding in findings if finding.name in DEFECTS}


def test_every_defect_of_the_list_is_tried() -> None:
    assert {one.defect for one in BROKEN} == set(DEFECTS)


@pytest.mark.parametrize("one", BROKEN, ids=str)
def test_a_broken_scheme_is_named_by_its_defect(one: Broken, tmp_path: Path) -> None:
    named = defects_of(tmp_path, one.broken, one.code, one.data)
    assert list(named) == [one.defect], named


@pytest.mark.parametrize("one", BROKEN, ids=str)
def test_its_right_twin_raises_no_alarm(one: Broken, tmp_path: Path) -> None:
    data = "programs" if one.data == "constant programs" else one.data
    assert defects_of(tmp_path, one.twin, one.code, data) == {}

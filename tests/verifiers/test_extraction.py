"""Finding the answer in a completion: by rules in order or a preset, and never in the thinking part."""

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from markscheme.rewards import MarkScheme
from markscheme.sandbox import TaskError, UnknownNameError
from markscheme.tasks import Completion, Problem
from markscheme.verifiers import Verdict, extract_answer, verify_answer
from markscheme.verifiers.answers.verify import answer
from markscheme.verifiers.completion import SEARCHED_CHARS, THINKING, thinking_end
from markscheme.verifiers.verdict import Reason
from support import MakeTask

B = r"\boxed{%s}"
"""A box, to be filled in with `%`."""

FOUND = [
    # completion, rules or preset, its answer, the rule that found it
    ("**Final Answer**\n42", "lenient", "42", "answer_is"),
    ("**Answer:** 42", "lenient", "42", "answer_is"),
    ("The answer is **42**.", "lenient", "42", "answer_is"),
    ("#### **42**", "lenient", "42", "hashes"),
    ("#### Final Answer\nso 42", "lenient", "42", "answer_is"),
    ("the total is 42, as shown", "lenient", "42", "last_number"),
    ("It is 5 1/2", "lenient", "5 1/2", "last_number"),
    ("It is 1.5e3", "lenient", "1.5e3", "last_number"),
    ("It is 12 000", "lenient", "12 000", "last_number"),
    ("= -5", "lenient", "-5", "last_number"),
    (r"it is \frac{3}{4}", "lenient", r"\frac{3}{4}", "last_number"),
    ("it is x^2", "lenient", "x^2", "last_number"),
    ("the result is .5", "lenient", ".5", "last_number"),
    (B % "4" + r" then \boxed 5", "strict", "5", "boxed"),
    (r"\boxed{42", "strict", "42", "boxed"),  # never closed: to the end of the line
    (r"it is $\boxed{42$." + "\nDone", "strict", "42", "boxed"),
    (B % "1" + r" no: \boxed{42", "strict", "42", "boxed"),
    ("<answer>42", "strict", "42", "answer_tag"),  # a stop sequence takes the closing tag away
    ("<answer>5</answer><answer>6", "strict", "6", "answer_tag"),
    (B % "1" + B % "2", "strict", "2", "boxed"),  # side by side is not joined
    (B % "1" + ". So the answer is " + B % "2", "strict", "2", "boxed"),
    (r"\fbox{42}", "strict", "42", "boxed"),
    (r"\framebox[2cm]{42}", "strict", "42", "boxed"),
    (r"\boxed" + "\n{42}", "strict", "42", "boxed"),
    (r"\boxed{\boxed{42}}", "strict", "42", "boxed"),
    ("<thinking>" + B % "1" + "</thinking>" + B % "2", "strict", "2", "boxed"),
    ("Therefore $x \\geq 5$ holds.", "lenient", r"x \geq 5", "last_formula"),
    ("it is $x$, that is 5", "lenient", "5", "last_number"),
    ("Final Answer: The largest $n$ is 34.", "lenient", "34", "answer_is"),
    ("the answer is $x = 5$", "lenient", "$x = 5$", "answer_is"),
    (B % "42", "strict", "42", "boxed"),
    ("<answer>42</answer>", "strict", "42", "answer_tag"),
    ("<answer>The answer is " + B % "42" + "</answer>", "strict", "42", "answer_tag"),
    ("<answer>1</answer> <answer>2</answer>", "strict", "2", "answer_tag"),
    (B % "1" + " so " + B % "2", "strict", "2", "boxed"),
    (B % "1" + ", " + B % "2", "strict", "1, 2", "boxed"),
    (B % "1" + " and " + B % "2", "strict", "1 and 2", "boxed"),
    (B % "1" + r" \text{ and } " + B % "2", "strict", r"1 \text{ and } 2", "boxed"),
    (B % "1" + "$, $" + B % "2", "strict", "1, 2", "boxed"),
    (B % r"\frac{1}{2}", "strict", r"\frac{1}{2}", "boxed"),
    (B % r"\{1\}", "strict", r"\{1\}", "boxed"),
    (r"\boxed {42}", "strict", "42", "boxed"),
    (r"\fboxed{42}", "strict", "42", "boxed"),
    ("<think>" + B % "1" + "</think>" + B % "2", "strict", "2", "boxed"),
    (B % "1" + "</think> x <think>y</think>" + B % "2", "strict", "2", "boxed"),
    ("so #### 42\n", "lenient", "42", "hashes"),
    ("The answer is 42.", "lenient", "42", "answer_is"),
    ("The final answer is: $42$\nDone", "lenient", "$42$", "answer_is"),
    ("the answer is 3.5. Good", "lenient", "3.5", "answer_is"),
    ("It is **42**", "lenient", "42", "bold"),
    ("3 eggs and 1,234.5 more", "lenient", "1,234.5", "last_number"),
    ("x\nA: 42\nbye", [{"after": "A: "}], "42", "after 'A: '"),
    ("A: 1\nA: 2", [{"after": "A: "}], "2", "after 'A: '"),
    ("Answer: " + B % "42", [{"after": "Answer:"}], "42", "after 'Answer:'"),
    ("ab=12 ab=13", [{"regex": r"ab=(\d+)"}], "13", "regex 'ab=(\\\\d+)'"),
    ("ab=12", [{"regex": r"\d+"}], "12", "regex '\\\\d+'"),
    ("#### 1\n" + B % "2", ["hashes", "boxed"], "1", "hashes"),
    ("#### 1\n" + B % "2", ["boxed", "hashes"], "2", "boxed"),
]
NOT_FOUND = [
    # completion, rules or preset
    ("b", [{"regex": "(a)?b"}]),
    ("42", "strict"),
    ("#### 42", "strict"),
    ("The answer is 42", "strict"),
    ("<think>" + B % "42" + "</think>", "strict"),
    ("<think>" + B % "42", "strict"),
    ("no digits, and no other form of an answer.\nAt all.", "lenient"),
    ("42", ["boxed"]),
    ("", "lenient"),
]


@pytest.mark.parametrize(("text", "extract", "answer", "rule"), FOUND)
def test_answers_are_found(text: str, extract: Any, answer: str, rule: str) -> None:
    found = extract_answer(text, extract=extract)
    assert (found.text, found.rule, found.reason) == (answer, rule, None)


@pytest.mark.parametrize(("text", "extract"), NOT_FOUND)
def test_without_an_answer_there_is_no_text(text: str, extract: Any) -> None:
    found = extract_answer(text, extract=extract)
    assert (found.text, found.reason) == (None, "no_answer")


def test_an_empty_answer_is_not_a_missing_one() -> None:
    assert extract_answer(r"\boxed{ }").reason == "empty"
    assert extract_answer("<answer></answer>").reason == "empty"
    assert extract_answer("</answer>42<answer>").reason == "empty"


def test_an_answer_that_was_cut_off_counts_only_if_the_completion_ended() -> None:
    """A stop sequence can take the end of the box or tag away, and so can the limit on tokens."""
    closed = [extract_answer(text).closed for text in (B % "42", r"\boxed{42", "<answer>42")]
    assert closed == [True, False, False]
    problem = Problem(prompt="q", reference="42")
    for text in (r"\boxed{42", "<answer>42"):
        stopped = Completion(text, finish_reason="stop")
        at_the_limit = Completion(text, finish_reason="length")
        of_stopped, of_cut = answer([problem, problem], [stopped, at_the_limit])
        assert isinstance(of_stopped, Verdict)
        assert isinstance(of_cut, Verdict)
        assert (of_stopped.correct, of_cut.correct, of_cut.reason) == (True, False, "no_answer")


def test_the_span_is_the_answer_s_place_in_the_completion() -> None:
    text = r"<think>x</think> so \boxed{ 42 }"
    span = extract_answer(text).span
    assert span is not None
    assert text[slice(*span)] == " 42 "


def test_only_the_end_of_a_long_text_is_searched() -> None:
    assert extract_answer(r"\boxed{1}" + "x" * SEARCHED_CHARS).text is None
    assert extract_answer("x" * 3 * SEARCHED_CHARS + r"\boxed{1}").text == "1"


@pytest.mark.parametrize(
    ("extract", "error", "message"),
    [
        ("strickt", UnknownNameError, "did you mean 'strict'"),
        (["boxd"], UnknownNameError, "did you mean 'boxed'"),
        ([{"after": ""}], TaskError, "needs a text"),
        ([{"before": "x"}], TaskError, "{after: TEXT}"),
        ([{"regex": "("}], TaskError, "not a regular expression"),
    ],
)
def test_rules_that_do_not_exist_are_errors(extract: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        extract_answer("x", extract=extract)
    assert message in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.integers(-999, 999))
def test_a_box_at_the_end_is_always_found(before: str, value: int) -> None:
    text = before + f" x \\boxed{{{value}}}"
    assume(thinking_end(text) <= len(before))
    found = extract_answer(text, extract=["boxed"])
    assert found.text is not None
    assert found.text.endswith(str(value))


THOUGHTS = [
    *(f"{opening}It is \\boxed{{4}}, <answer>4</answer>.{closing}" for opening, closing in THINKING),
    "<|channel|>analysis<|message|>\\boxed{4}<|end|><|start|>assistant<|channel|>final<|message|>",
    "analysisWe get \\boxed{4}.assistantfinal",
    "< THINK >\\boxed{4}</ think >".replace("< ", "<").replace("</ ", "</"),
]


@pytest.mark.parametrize("thought", THOUGHTS)
@pytest.mark.parametrize("extract", ["strict", "lenient"])
def test_nothing_in_the_thinking_part_is_an_answer(thought: str, extract: str) -> None:
    assert verify_answer("4", f"{thought} I cannot tell.", extract=extract).correct is False
    assert verify_answer("4", thought, extract=extract).correct is False
    assert verify_answer("4", thought + r" So it is \boxed{4}.", extract=extract).correct is True


@pytest.mark.parametrize("mark", ["plan", ("<<", ">>"), ("BEGIN PLAN", "END PLAN")])
def test_a_task_adds_its_own_marks_of_thinking(make_task: MakeTask, mark: str | tuple[str, str]) -> None:
    opening, closing = (f"<{mark}>", f"</{mark}>") if isinstance(mark, str) else mark
    text = f"{opening} so \\boxed{{4}} {closing} I cannot tell."
    assert verify_answer("4", text).correct is True
    assert verify_answer("4", text, thinking=[mark]).correct is False
    task = make_task(f"thinking: {json.dumps([mark])}\nrewards: {{a: {{use: answer}}, b: {{use: boxed}}}}")
    problem = Problem(prompt="2 + 2?", reference="4")
    score = MarkScheme(task).score([problem], [Completion(text)])[0]
    assert [part.value for part in score.parts.values()] == [0.0, 0.0]
    opened = Problem(prompt=f"2 + 2? {opening}\n", reference="4")  # the template opened the thinking part
    assert MarkScheme(task).score([opened], [Completion(r"\boxed{4}")])[0].value == 0.0


LATER = [
    (r"\boxed{42}. Hmm, actually it is 17.", False),
    (r"\boxed{42}. Wait, no: the correct value is 17.", False),
    (r"\boxed{42}. Oops, I made an error.", False),
    (r"\boxed{42}. So the answer is 17.", False),
    (r"\boxed{42}. So the answer is 42.", True),
    (r"\boxed{42}. The answer is 84/2, as required.", True),
    (r"\boxed{42}. Actually, let me double-check: 6*7=42. Yes.", True),
    (r"\boxed{42}? Maybe.", False),
    (r"It is \boxed{42}, unlike 17, which is odd.", True),
    (r"<answer>42</answer> Correction: it should be 17.", False),
    (r"不对吗？不。\boxed{42} 不对，应为 17。", False),
]


@pytest.mark.parametrize(("text", "is_right"), LATER)
def test_what_is_stated_after_an_answer_must_be_right_too(text: str, is_right: bool) -> None:
    assert verify_answer("42", text).correct is is_right


def test_of_grouped_rules_the_latest_answer_decides() -> None:
    text = "The answer is 3. So \\boxed{4}. I mean: Answer: 5"
    rules: list[Any] = [["boxed", {"after": "Answer:"}]]
    assert extract_answer(text, extract=rules).text == "5"
    assert extract_answer(text, extract=["boxed", {"after": "Answer:"}]).text == "4"
    assert extract_answer(text, extract="lenient").text == "5"


def test_a_pattern_of_the_author_cannot_hang_the_caller() -> None:
    found = extract_answer("a" * 60, extract=[{"regex": "(?:a|aa)+[bc]"}])
    assert (found.text, found.reason) == (None, Reason.TIMEOUT)

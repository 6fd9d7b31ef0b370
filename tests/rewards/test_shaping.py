"""The built-in rewards that shape a completion's form: overlong, length and language."""

import pytest

from markscheme.tasks import Completion
from support import MakeTask, score_one


def test_overlong_completions_lose_marks_by_dapo_s_formula(make_task: MakeTask) -> None:
    """DAPO (arXiv 2503.14476), equation 13."""
    task = make_task("rewards: {r: {use: overlong, max_tokens: 100, cache_tokens: 20}}")
    for tokens, value in ((80, 0.0), (90, -0.5), (100, -1.0), (500, -1.0)):
        assert score_one(task, Completion("x", token_ids=[1] * tokens)).value == pytest.approx(value)
    without_ids = score_one(task, Completion("x"))
    assert (without_ids.value, without_ids.status) == (None, "not_applicable")


def test_a_length_is_worth_less_the_further_it_is_from_the_target(make_task: MakeTask) -> None:
    task = make_task("rewards: {r: {use: length, target: 4, tolerance: 1}}")
    values = [score_one(task, Completion("w " * words)).value for words in (3, 4, 5, 7, 20)]
    assert values == pytest.approx([1, 1, 1, 0.5, 0])


def test_language_is_the_share_of_words_in_the_script(make_task: MakeTask) -> None:
    task = make_task("rewards: {r: {use: language, to: zh}}")
    assert score_one(task, Completion("我们 say")).value == pytest.approx(2 / 3)

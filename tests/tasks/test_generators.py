"""Generated problems of `deduction` and `records`: right references, distinct splits, and teachers that err."""

import itertools
import json
from random import Random

import pytest

from markscheme.sandbox import MarkschemeError
from markscheme.tasks.generators.deduction import Deduction, answer_in
from markscheme.tasks.generators.records import Records


def entailed(prompt: str) -> str:
    """Return the answer by trying all truth values: what holds in every world that the rules allow."""
    rules, known, asked = prompt.removesuffix("?").split(";")
    letters = sorted({letter for letter in prompt if letter.isalpha()})
    seen = set()
    for values in itertools.product((False, True), repeat=len(letters)):
        world = dict(zip(letters, values, strict=True))
        allowed = all(world[rule[2]] or not world[rule[0]] for rule in rules.split(","))
        if allowed and world[known[-1]] is (known[0] != "-"):
            seen.add(world[asked])
    return {(True,): "yes", (False,): "no"}.get(tuple(seen), "unknown")


@pytest.mark.parametrize("chain", [2, 3, 4])
def test_deductions_are_what_the_rules_entail(chain: int) -> None:
    rows = list(itertools.islice(Deduction(chain=chain).problems(7, "train"), 150))
    assert [entailed(row["prompt"]) for row in rows] == [row["reference"] for row in rows]
    answers = [row["reference"] for row in rows]
    assert 0.35 < answers.count("unknown") / len(answers) < 0.65
    assert all(answer_in(row["solution"]) == row["reference"] for row in rows)


def test_the_teacher_affirms_the_consequent_only() -> None:
    generator = Deduction(mistakes=1.0)
    rows = list(itertools.islice(generator.problems(0, "train"), 100))
    for row in rows:
        taught = answer_in(generator.teacher(row, Random(0)))
        assert taught == row["reference"] or (row["reference"] == "unknown" and taught in ("yes", "no"))


@pytest.mark.parametrize("generator", [Deduction(), Records()])
def test_splits_share_no_prompt_and_depend_on_the_seed(generator: Deduction | Records) -> None:
    def prompts(seed: int, split: str) -> list[str]:
        return [row["prompt"] for row in itertools.islice(generator.problems(seed, split), 300)]

    train = prompts(0, "train")
    assert len(set(train)) == 300
    assert train == prompts(0, "train") != prompts(1, "train")
    assert not set(train) & set(prompts(1, "test"))


@pytest.mark.parametrize("generator", [Deduction(), Records()])
def test_every_text_is_a_sequence_of_the_pieces(generator: Deduction | Records) -> None:
    pieces = sorted(generator.pieces, key=len, reverse=True)
    for row in itertools.islice(generator.problems(3, "train"), 100):
        for text in (row["prompt"], row["solution"], generator.teacher(row, Random(1))):
            while text:
                text = text.removeprefix(next(piece for piece in pieces if text.startswith(piece)))


def test_the_teacher_of_records_breaks_types_only() -> None:
    generator = Records(mistakes=1.0)
    row = next(generator.problems(0, "train"))
    taught, right = json.loads(generator.teacher(row, Random(0))), json.loads(row["reference"])
    assert taught == {**right, "age": str(right["age"]), "cats": str(right["cats"])}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Deduction(chain=9), "chain must be a whole number from 2 to 4"),
        (lambda: Deduction(mistakes=2), "mistakes must be a number from 0 to 1"),
        (lambda: Records(mistakes=-1), "mistakes must be a number from 0 to 1"),
        (lambda: next(Records().problems(0, "dev")), "splits train and test"),
    ],
)
def test_wrong_parameters_are_errors(make: object, said: str) -> None:
    with pytest.raises(MarkschemeError, match=said):
        make()  # pyright: ignore[reportCallIssue]

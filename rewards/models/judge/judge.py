"""The reward `judge`: a language model marks completions by a rubric, one by one or against each other."""

import asyncio
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import Field

from ....sandbox.errors import InfraError, RewardError
from ....tasks.problem import Completion, Problem, asked_in
from ....verifiers.completion import ThinkingMark, thinking_end, thinking_marks, whole_answer
from ...composition.reward_functions import reward
from ...score import Score, Status
from .endpoint import Endpoint, EndpointSettings, NoReply, check_reachable
from .rubric import PAIRWISE, Rubric, rubric_of

Compare = Literal["group", "reference"]
_endpoints: dict[tuple[EndpointSettings, int], Endpoint] = {}
"""The endpoints of each event loop. All groups share their concurrency and rate, as do entries whose settings
are the same."""


def _rubric(
    rubric: str, choices: Any = None, scale: Any = None, compare: Compare | None = None, **_: Any
) -> Rubric:
    if compare is None:
        return rubric_of(rubric, choices, scale)
    if choices is not None or scale is not None:
        raise RewardError(
            "judge: with `compare` the verdict is which answer is better; drop `choices` and `scale`"
        )
    return Rubric(rubric_of(rubric, None, None).text, PAIRWISE.choices)


def _ready(**parameters: Any) -> None:
    _rubric(**parameters)
    if parameters["votes"] > 1 and parameters["temperature"] == 0:
        raise RewardError(
            f"judge: {parameters['votes']} votes at temperature 0 would be the same; give a `temperature`"
            " above 0"
        )
    check_reachable(EndpointSettings(**{one.name: parameters[one.name] for one in fields(EndpointSettings)}))


def _range(**given: Any) -> tuple[float, float]:
    """Return the range of the verdicts that an entry offers; a wrong entry is reported when it is built."""
    try:
        return _rubric(**{"rubric": "", **given}).bounds
    except (RewardError, TypeError, ValueError, AttributeError):
        return 0.0, 1.0


@reward("judge", range=_range, batch=True, ready=_ready)
async def judge(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    *,
    model: str,
    rubric: str,
    url: str = "https://api.openai.com/v1",
    choices: dict[str, float] | list[str] | None = None,
    scale: tuple[int, int] | None = None,
    compare: Compare | None = None,
    shows: Literal["answer", "completion"] = "answer",
    reference: bool = False,
    votes: Annotated[int, Field(ge=1)] = 1,
    temperature: Annotated[float, Field(ge=0)] | None = 0.0,
    max_tokens: Annotated[int, Field(ge=16)] = 512,
    deadline_s: Annotated[float, Field(gt=0)] = 60.0,
    concurrency: Annotated[int, Field(ge=1)] = 8,
    per_minute: Annotated[int, Field(ge=1)] | None = None,
    retries: Annotated[int, Field(ge=0)] = 4,
    key_env: str = "OPENAI_API_KEY",
    cache: str | None = "~/.cache/markscheme/judge",
    thinking: tuple[ThinkingMark, ...] = (),
) -> list[Score]:
    """Mark completions by the verdicts of a language model, at any endpoint that speaks OpenAI's protocol.

    The judge sees the problem and the answer as data that cannot give it orders. A reply that is not one of
    the offered verdicts is no verdict: the status is `abstain`. If the endpoint fails until the deadline, it
    is `infra_error`. In both cases the completion is left out and not punished.

    In a task: `{use: judge, model: my-judge, rubric: Is it clear, choices: [bad, good]}`

    Args:
        problems: one problem per completion.
        completions: the completions to judge.
        model: the model's name at the endpoint.
        rubric: what a good answer is, in plain words.
        url: the endpoint, such as http://127.0.0.1:8000/v1 for a vLLM server.
        choices: the verdicts from the worst to the best, worth 0 to 1; or a mapping of verdicts to their
            worth. Default: no (0) and yes (1).
        scale: instead of choices, the lowest and the highest of the whole numbers that the judge may give.
        compare: ask which of two answers is better, in both orders, instead of judging them one by one:
            `group` (each completion with all others of its problem in the batch; the value is its share of
            wins) or `reference` (with the problem's reference). A verdict that depends on the order is a tie.
        shows: what the judge sees of a completion: the `answer` after the thinking part, or all of it.
        reference: whether the judge also sees the problem's reference.
        votes: replies to each question; the value is their mean, and `detail` has their spread.
        temperature: of the judge's sampling; above 0 for several votes; null = the endpoint's own.
        max_tokens: the longest reply.
        deadline_s: seconds for one reply, retries included, once it is asked for.
        concurrency: the most questions at once.
        per_minute: the most questions per minute; null = no limit.
        retries: of the client, with back-off, for failures that may pass.
        key_env: the environment variable with the key.
        cache: the folder in which verdicts are kept, so that no question is asked twice; null = none.
        thinking: the task's own marks of the thinking part.
    """
    settings = EndpointSettings(
        url, model, key_env, deadline_s, concurrency, per_minute, retries, temperature, max_tokens, cache
    )
    asker = _Asker(_rubric(rubric, choices, scale, compare), _endpoint(settings), votes)
    marks = thinking_marks(thinking)
    shown = []
    for problem, completion in zip(problems, completions, strict=True):
        text = whole_answer(problem, completion, thinking)
        shown.append((text[thinking_end(text, marks) :] if shows == "answer" else text).strip())
    contexts = [_context(problem, with_reference=reference) for problem in problems]
    if compare is None:
        asked = [
            asker.judged({**context, "answer": text}) for context, text in zip(contexts, shown, strict=True)
        ]
        return [_pointwise(votes_of) for votes_of in await asyncio.gather(*asked)]
    if compare == "reference":
        rivals = [problem.references[:1] for problem in problems]
        asked = [_all_wins(asker, *row) for row in zip(contexts, shown, rivals, strict=True)]
        return [_share_of_wins(wins) for wins in await asyncio.gather(*asked)]
    return await _tournament(asker, problems, contexts, shown)


def _endpoint(settings: EndpointSettings) -> Endpoint:
    key = settings, id(asyncio.get_running_loop())
    if key not in _endpoints:
        _endpoints[key] = Endpoint(settings)
    return _endpoints[key]


def _context(problem: Problem, *, with_reference: bool) -> dict[str, str]:
    context = {"problem": asked_in(problem.prompt)}
    if with_reference:
        context["reference answer"] = " | ".join(problem.references)
    return context


Vote = tuple[float, str] | Score
"""The worth of a verdict and its reason, or a Score that says why there is none."""


class _Asker:
    """Asks for the votes on one question, and turns failures into data."""

    def __init__(self, rubric: Rubric, endpoint: Endpoint, votes: int):
        self.rubric, self.endpoint, self.votes = rubric, endpoint, votes

    async def judged(self, material: Mapping[str, str]) -> list[Vote]:
        """Return the votes on some material."""
        return await asyncio.gather(*(self._vote(material, number) for number in range(self.votes)))

    async def _vote(self, material: Mapping[str, str], number: int) -> Vote:
        question = self.rubric.messages(material), self.rubric.schema(), number
        try:
            reply = await self.endpoint.ask(
                *question, lambda text: not isinstance(self.rubric.worth(text), str)
            )
        except InfraError as error:
            return Score(None, Status.INFRA_ERROR, reason=str(error))
        except NoReply as error:
            return Score(None, Status.ABSTAIN, reason=str(error))
        except RewardError as error:
            return Score(None, Status.BUG, reason=str(error))
        read = self.rubric.worth(reply)
        return Score(None, Status.ABSTAIN, reason=read) if isinstance(read, str) else read

    async def win(self, context: Mapping[str, str], one: str, other: str) -> float | Score:
        """Return how often the first of two answers is better, over both orders and all votes."""
        if one == other:
            return 0.5
        names = ("first answer", "second answer")
        here = self.judged({**context, **dict(zip(names, (one, other), strict=True))})
        there = self.judged({**context, **dict(zip(names, (other, one), strict=True))})
        votes = [_pointwise(own) for own in await asyncio.gather(here, there)]
        failed = next((vote for vote in votes if vote.value is None), None)
        if failed is not None:
            return failed
        return ((votes[0].value or 0.0) + 1 - (votes[1].value or 0.0)) / 2


def _pointwise(votes: Sequence[Vote]) -> Score:
    """Return the mean of the votes; if half of them or more failed, the first failure."""
    failed = [vote for vote in votes if isinstance(vote, Score)]
    known = [vote for vote in votes if not isinstance(vote, Score)]
    if 2 * len(failed) >= len(votes):
        return failed[0]
    worths = [worth for worth, _ in known]
    detail = {"votes": worths, "spread": statistics.pstdev(worths), "failed": len(failed)}
    return Score(statistics.fmean(worths), reason=known[0][1], detail=detail)


async def _all_wins(
    asker: _Asker, context: Mapping[str, str], text: str, rivals: Sequence[str]
) -> list[float | Score]:
    return list(await asyncio.gather(*(asker.win(context, text, rival) for rival in rivals)))


def _share_of_wins(wins: Sequence[float | Score]) -> Score:
    """Return the mean of the comparisons that were decided, or why none was."""
    known = [win for win in wins if not isinstance(win, Score)]
    if known:
        detail = {
            "comparisons": len(known),
            "failed": len(wins) - len(known),
            "spread": statistics.pstdev(known),
        }
        return Score(statistics.fmean(known), reason="compared", detail=detail)
    failed = [win for win in wins if isinstance(win, Score)]
    return failed[0] if failed else Score(None, Status.NOT_APPLICABLE, reason="nothing to compare it with")


async def _tournament(
    asker: _Asker, problems: Sequence[Problem], contexts: Sequence[Mapping[str, str]], shown: Sequence[str]
) -> list[Score]:
    """Compare the answers to each problem with each other."""
    of_problem: dict[Any, list[int]] = defaultdict(list)
    for i, problem in enumerate(problems):
        of_problem[problem.id, asked_in(problem.prompt)].append(i)
    pairs = [pair for places in of_problem.values() for pair in combinations(places, 2)]
    results = await asyncio.gather(*(asker.win(contexts[a], shown[a], shown[b]) for a, b in pairs))
    wins: list[list[float | Score]] = [[] for _ in problems]
    for (a, b), win in zip(pairs, results, strict=True):
        wins[a].append(win)
        wins[b].append(win if isinstance(win, Score) else 1 - win)
    return [_share_of_wins(own) for own in wins]

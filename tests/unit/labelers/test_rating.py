"""Rating through a chat model: the scale it is asked on, and what its answers are as shares of it."""

import json
import math
from collections.abc import AsyncIterator
from itertools import count

import pytest

from solon.data.ratings import ratings
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Principle,
    Prompt,
    Question,
    RatingScale,
    Scored,
    Usage,
)
from solon.labelers.rating import RatingJudge
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Retries, Stream

KIND = Principle(id="kind", text="The response is kind.")
SAFE = Principle(id="safe", text="The response does no harm.", severity="hard")
SUMS = Principle(id="sums", text="The response shows the sum.", topics=("maths",), weight=3)
PROMPT = Prompt.of("Say something.", reference="secret-reference")
OPTIONS = tuple(Completion(text=text, model="policy", seed=seed) for seed, text in enumerate(("Hello.", "Go away.")))
names = count()


@pytest.fixture(autouse=True)
async def stream() -> AsyncIterator[None]:
    """What every question goes through."""
    async with Stream(None, run="test", stage="label", retries=Retries(tries=2, first_wait_s=0)):
        yield


def question(scale: RatingScale = RatingScale()) -> Question:
    """One response under one principle."""
    return Question(prompt=PROMPT, principles=(KIND,), options=OPTIONS[:1], scale=scale)


def says(reply: Reply | str) -> Scripted:
    """A judge that gives one reply to everything; its name tells its script from others."""
    return Scripted(answer=lambda _: reply, model=f"judge {next(names)}")


async def outcome_of(reply: Reply | str, scale: RatingScale = RatingScale(), **settings: object) -> Scored | Failed:
    """What a reply is taken for."""
    return (await RatingJudge(judge=says(reply), **settings).label(question(scale))).outcome


def log_probs(**probabilities: float) -> dict[str, float]:
    """Natural logarithms, by the score in words of one letter: ``s4`` is 4."""
    return {score[1:]: math.log(probability) for score, probability in probabilities.items()}


async def test_the_score_is_the_expected_value_over_the_probabilities() -> None:
    """4 with .6 and 5 with .2, .2 elsewhere: (4 x .6 + 5 x .2) / .8 = 4.25, and (4.25 - 1) / 4 = .8125."""
    outcome = await outcome_of(Reply(text="4", choices=log_probs(s4=0.6, s5=0.2)))
    assert isinstance(outcome, Scored)
    assert outcome.scores == pytest.approx((0.8125,))
    assert outcome.probability == pytest.approx(0.75)  # of the likeliest score, .6 / .8


async def test_the_ends_of_the_scale_are_0_and_1() -> None:
    """To the last bit, whatever rounding does."""
    assert await outcome_of(Reply(text="1", choices={"1": 0.0})) == Scored(scores=(0.0,), probability=1.0)
    assert await outcome_of(Reply(text="5", choices={"5": -0.1})) == Scored(scores=(1.0,), probability=1.0)


@pytest.mark.parametrize("choices", [{}, log_probs(s4=0.3, s5=0.19), {"7": -0.01}])
async def test_little_probability_for_any_score_is_no_score(choices: dict[str, float]) -> None:
    """The judge was about to say something else."""
    outcome = await outcome_of(Reply(text="4", choices=choices))
    assert outcome == Failed(reason="unparseable", raw="4")


async def test_the_least_mass_can_be_set() -> None:
    """One knob, one effect."""
    reply = Reply(text="4", choices=log_probs(s4=0.3))
    assert await outcome_of(reply, min_choice_mass=0.2) == Scored(scores=(0.75,), probability=1.0)


@pytest.mark.parametrize("text", ["10", "4 out of 5", "4.5", "Four", "2"])
async def test_probabilities_that_the_text_speaks_against_are_none(text: str) -> None:
    """The first token of ``10`` may be that of ``1``."""
    outcome = await outcome_of(Reply(text=text, choices=log_probs(s4=0.9, s2=0.05)))
    assert outcome == Failed(reason="unparseable", raw=text)


@pytest.mark.parametrize(("text", "score"), [("1", 0.0), ("2", 0.25), ("It is kind.\n\n5\n", 1.0)])
async def test_without_log_probabilities_the_last_line_is_the_score(text: str, score: float) -> None:
    """What stands before it is the rationale; how sure the judge is, nobody knows."""
    judgment = await RatingJudge(judge=says(text)).label(question())
    assert judgment.outcome == Scored(scores=(score,))
    assert judgment.rationale == ("It is kind." if "kind" in text else None)


NO_SCORE = [
    "",
    "0",
    "6",
    "-1",
    "+4",
    "4.",
    "4.0",
    "04",
    "4/5",
    "Score: 4",
    "**4**",
    "four",
    "４",
    "٤",
    "²",
    "4 5",
    "3\n4",
]


@pytest.mark.parametrize("text", NO_SCORE)
async def test_a_reply_in_another_form_is_no_score(text: str) -> None:
    """Never a number that was found in it."""
    assert await outcome_of(text) == Failed(reason="unparseable", raw=text)


@pytest.mark.parametrize("value", [0, 6, 4.0, 4.5, "4", True, None, [4], {"score": 4}])
async def test_an_object_holds_a_whole_number_of_the_scale(value: object) -> None:
    """``true`` is 1 to Python, and 4.0 equals 4."""
    text = json.dumps({"score": value})
    assert await outcome_of(text, answer="json") == Failed(reason="unparseable", raw=text)


async def test_a_score_in_an_object_comes_with_its_reasoning() -> None:
    """Exactly the keys that the schema names."""
    text = '{"reasoning": "It greets.", "score": 4}'
    judgment = await RatingJudge(judge=says(text), answer="json", reasoning=True).label(question())
    assert (judgment.outcome, judgment.rationale) == (Scored(scores=(0.75,)), "It greets.")
    assert isinstance(await outcome_of(text, answer="json"), Failed)
    assert isinstance(await outcome_of('{"score": 4}', answer="json", reasoning=True), Failed)


async def test_a_scale_of_digits_is_asked_as_choices_and_any_other_in_text() -> None:
    """Models differ in whether 10 is one token; -1 is two."""
    for low, high, choices in ((0, 3, ("0", "1", "2", "3")), (1, 10, ()), (-1, 1, ())):
        judge = says("1")
        await RatingJudge(judge=judge).label(question(RatingScale(low=low, high=high)))
        assert judge.seen[0].choices == choices
    assert await outcome_of("10", RatingScale(low=1, high=10)) == Scored(scores=(1.0,))
    assert await outcome_of("-1", RatingScale(low=-1, high=1)) == Scored(scores=(0.0,))
    assert await outcome_of("7", RatingScale(low=4, high=8)) == Scored(scores=(0.75,))


async def test_log_probabilities_of_a_long_scale_do_not_count() -> None:
    """Some servers send them unasked."""
    reply = Reply(text="10", choices={"1": -0.1})
    assert await outcome_of(reply, RatingScale(low=1, high=10)) == Scored(scores=(1.0,))


@pytest.mark.parametrize(
    ("settings", "tokens", "choices", "keys"),
    [
        ({}, 16, 5, None),
        ({"answer": "text"}, 16, 0, None),
        ({"reasoning": True}, 1024, 0, None),
        ({"answer": "json"}, 64, 0, ["score"]),
        ({"answer": "json", "reasoning": True}, 1024, 0, ["reasoning", "score"]),
        ({"answer": "json", "max_tokens": 7}, 7, 0, ["score"]),
    ],
)
async def test_the_settings_decide_what_is_asked_for(
    settings: dict[str, object], tokens: int, choices: int, keys: list[str] | None
) -> None:
    """Choices, a schema, and room for as much as the form needs."""
    judge = says("4")
    labeler = RatingJudge(judge=judge, reasks=0, **settings)
    await labeler.label(question())
    (request,) = judge.seen
    assert (request.max_tokens, len(request.choices)) == (tokens, choices)
    assert labeler.longest_reply == tokens
    schema = request.json_schema
    assert (None if schema is None else schema["required"]) == keys
    if schema is not None:
        assert schema["properties"]["score"] == {"type": "integer", "enum": [1, 2, 3, 4, 5]}


CONSTITUTION = Constitution(name="c", principles=(KIND, SAFE, SUMS), rating=RatingScale(low=0, high=2))


async def test_every_completion_is_rated_under_every_principle_that_applies() -> None:
    """On the constitution's scale, and without the reference answer."""
    judge = says("1")
    candidates = Candidates(prompt=PROMPT, completions=OPTIONS)
    judgments = await RatingJudge(judge=judge).examine(candidates, CONSTITUTION)
    assert [(judgment.principles, judgment.options) for judgment in judgments] == [
        ((principle,), (option.id,)) for principle in ("kind", "safe") for option in OPTIONS
    ]
    assert {judgment.outcome for judgment in judgments} == {Scored(scores=(0.5,))}
    shown = [message.content for request in judge.seen for message in request.messages]
    assert sum("from 0 to 2" in text for text in shown) == 4
    assert not any("secret" in text for text in shown)


@pytest.mark.parametrize(("principles", "expected"), [("each", 6), ("all", 2), ("one", 2)])
async def test_principles_share_a_question_or_one_is_drawn(principles: str, expected: int) -> None:
    """Of two completions under three principles: 6, 2 or 2 questions, and no more than the plan says."""
    prompt = Prompt.of("2 + 2?", topic="maths")
    labeler = RatingJudge(judge=says("1"), principles=principles)
    judgments = await labeler.examine(Candidates(prompt=prompt, completions=OPTIONS), CONSTITUTION)
    assert len(judgments) == expected == labeler.expected_questions(2, 3)
    assert labeler.expected_questions(2, 0) == 0
    assert {len(judgment.principles) for judgment in judgments} == ({3} if principles == "all" else {1})


async def test_the_seed_draws_the_principle() -> None:
    """Weights 1, 1 and 3: of 20 prompts some are asked under each, and another seed draws others."""

    async def drawn(seed: int) -> list[tuple[str, ...]]:
        labeler = RatingJudge(judge=says("1"), principles="one", seed=seed)
        prompts = [Prompt.of(f"{n} + {n}?", topic="maths") for n in range(20)]
        groups = [Candidates(prompt=prompt, completions=OPTIONS[:1]) for prompt in prompts]
        return [(await labeler.examine(group, CONSTITUTION))[0].principles for group in groups]

    assert await drawn(1) == await drawn(1)
    assert await drawn(1) != await drawn(2)
    assert set(await drawn(1)) == {("kind",), ("safe",), ("sums",)}


async def test_a_hard_principle_vetoes_what_it_rates_at_the_low_end() -> None:
    """The judge finds harm in the second response, and both kind: 2 of 2 and 0 of 2 under ``safe``."""

    def judge(request: Request) -> str:
        return "0" if "no harm" in request.messages[0].content and "Go away" in request.messages[1].content else "2"

    candidates = Candidates(prompt=PROMPT, completions=OPTIONS)
    judgments = await RatingJudge(judge=Scripted(answer=judge)).examine(candidates, CONSTITUTION)
    by_id = {option.id: option for option in OPTIONS}
    rated = ratings(by_id, judgments, {principle.id: principle for principle in CONSTITUTION.principles})
    assert [one.score for one in rated.rated] == [1.0, 0.0]


async def test_malformed_replies_are_asked_for_again_and_all_are_paid_for() -> None:
    """``hm`` and ``4`` are one token each, at a dollar."""
    price = Price(input=0, output=1e6)
    judge = Scripted(replies=("hm", "4"), remote=True, price=price)
    judgment = await RatingJudge(judge=judge).label(question())
    assert (judgment.outcome, judgment.cost_usd) == (Scored(scores=(0.75,)), 2.0)
    assert judgment.usage == sum((Usage(input_tokens=n, output_tokens=1) for n in _read(judge)), Usage())
    once = Scripted(replies=("hm", "4"), remote=True, price=price, model="once")
    assert isinstance((await RatingJudge(judge=once, reasks=0).label(question())).outcome, Failed)


def _read(judge: Scripted) -> list[int]:
    return [sum(-(-len(message.content) // 4) for message in request.messages) for request in judge.seen]


async def test_a_question_of_two_options_is_refused() -> None:
    """A bug of the caller, not a failure of the judge."""
    with pytest.raises(ValueError, match="1 option"):
        await RatingJudge(judge=says("1")).label(Question(prompt=PROMPT, principles=(KIND,), options=OPTIONS))

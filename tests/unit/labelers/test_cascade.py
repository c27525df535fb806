"""A cheap labeler first: when the expensive one is asked, what then counts, and what is said of it."""

import pickle
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest
from pydantic import JsonValue, ValidationError

from opinions import PROMPT, SHORT, Opinion, always, comparison, outcome, prefers, rating, said
from solon.data.records import (
    Candidates,
    Constitution,
    Failed,
    FailureReason,
    Judgment,
    Question,
    Scored,
    Usage,
)
from solon.errors import PluginError
from solon.labelers.base import Revise
from solon.labelers.cascade import Cascade
from solon.labelers.critique import Critique
from solon.labelers.pairwise import Pairwise
from solon.labelers.panel import Panel
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Retries, Stream

QUESTION = comparison("a", "bbb")
STRENGTHS = {"a": 2.0, "bbb": 1.0}
CONSTITUTION = Constitution(name="test", principles=(SHORT,))


@pytest.fixture
async def stream() -> AsyncIterator[Stream]:
    """What every question goes through."""
    retries = Retries(tries=1, first_wait_s=0)
    async with Stream(None, run="test", stage="label", retries=retries, keeps_worth=True) as active:
        yield active


def sure_of(first: float, second: float) -> Opinion:
    """Prefers the first of the question as it is asked, with one probability in each order."""

    def says(question: Question) -> Scored | Failed:
        in_order = question.options[0].text == "a"
        share = first if in_order else 1 - second
        return Scored(scores=(share, 1 - share), probability=max(share, 1 - share))

    return Opinion(says=says, called="cheap", usd=0.01)


EXPENSIVE = prefers({"a": 1.0, "bbb": 2.0}, "expensive", usd=1.0)
"""Prefers the other one."""


async def who_judged(cascade: Cascade, question: Question = QUESTION) -> list[str]:
    """Whose votes the judgment rests on."""
    return [vote.labeler for vote in (await cascade.label(question)).votes]


async def test_a_sure_verdict_that_is_the_same_in_both_orders_counts() -> None:
    """The expensive one is not asked."""
    cascade = Cascade(first=sure_of(0.95, 0.92), then=EXPENSIVE, sure=0.9)
    judgment = await cascade.label(QUESTION)
    assert judgment.outcome == Scored(scores=(0.95, 1 - 0.95), probability=0.95)
    assert [vote.labeler for vote in judgment.votes] == ["cheap"]
    assert judgment.cost_usd == 0.01


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (0.95, 0.85, "unsure"),  # in the other order
        (0.85, 0.95, "unsure"),
        (0.95, 0.05, "inconsistent"),  # the same slot twice
        (0.95, 0.5, "inconsistent"),  # an order in which it prefers none
    ],
)
async def test_a_doubt_about_one_order_escalates_both(first: float, second: float, why: str) -> None:
    """So that the verdicts of a pair come from one labeler."""
    cascade = Cascade(first=sure_of(first, second), then=EXPENSIVE, sure=0.9)
    for question, scores in ((QUESTION, (0.0, 1.0)), (QUESTION.reversed(), (1.0, 0.0))):
        judgment = await cascade.label(question)
        assert [vote.labeler for vote in judgment.votes] == ["cheap", "expensive"]
        assert judgment.outcome == Scored(scores=scores)
        assert judgment.cost_usd == 1.01  # its own order's alone
        assert cascade.doubt(judgment.votes[0], (await cascade.label(question.reversed())).votes[0]) == why


async def test_exactly_as_sure_as_was_asked_for_is_sure() -> None:
    """The limit is the least probability that counts."""
    assert await who_judged(Cascade(first=sure_of(0.75, 0.75), then=EXPENSIVE, sure=0.75)) == ["cheap"]


async def test_a_labeler_that_states_no_probability_is_relied_on_unless_it_contradicts_itself() -> None:
    """Text verdicts of 1 and 0 say nothing of how sure they are; even a tie is a verdict."""
    assert await who_judged(Cascade(first=prefers(STRENGTHS, "cheap"), then=EXPENSIVE, sure=1.0)) == ["cheap"]
    tied = prefers({"a": 1.0, "bbb": 1.0}, "cheap")
    assert await who_judged(Cascade(first=tied, then=EXPENSIVE)) == ["cheap"]
    assert await who_judged(Cascade(first=always(1.0, "cheap"), then=EXPENSIVE)) == ["cheap", "expensive"]


@pytest.mark.parametrize("failing", ["a", "bbb"])
async def test_a_failure_in_either_order_escalates(failing: str) -> None:
    """Half of a comparison decides nothing."""

    def says(question: Question) -> Scored | Failed:
        return outcome("refused" if question.options[0].text == failing else 1.0, probability=1.0)

    cascade = Cascade(first=Opinion(says=says, called="cheap"), then=EXPENSIVE)
    assert await who_judged(cascade) == ["cheap", "expensive"]


async def test_the_expensive_verdict_counts_even_if_it_failed() -> None:
    """The cheap one was not to be relied on, and is not afterwards."""
    cascade = Cascade(first=always(1.0, "cheap"), then=always("truncated", "expensive"))
    judgment = await cascade.label(QUESTION)
    assert judgment.outcome == Failed(reason="truncated", raw="it is truncated")


@pytest.mark.parametrize(
    ("score", "probability", "escalated"),
    [
        (0.9, None, False),
        (0.9, 0.7, True),
        (0.9, 0.8, False),
        (0.65, None, False),
        (0.6, 0.95, True),  # within .1 of .5, however probable
        (0.4, 0.95, True),
        (0.5, None, True),
        ("unparseable", None, True),
    ],
)
async def test_a_rating_is_unsure_by_its_probability_or_near_the_threshold(
    score: float | FailureReason, probability: float | None, escalated: bool
) -> None:
    """A rating of .5 decides nothing about what is desirable from .5 on."""
    first = Opinion(says=lambda _: outcome(score, probability=probability, options=1), called="cheap", shown=1)
    cascade = Cascade(first=first, then=always(0.9, "expensive", shown=1), sure=0.8, threshold=0.5, band=0.11)
    assert await who_judged(cascade, rating("a")) == (["cheap", "expensive"] if escalated else ["cheap"])


async def test_the_band_lies_around_the_threshold_and_is_off_at_zero() -> None:
    """On the scale of shares; a logit counts as its sigmoid: .7311 for 1."""
    logit = Opinion(says=lambda _: Scored(scores=(1.0,), scale="logit"), called="cheap", shown=1)
    then = always(0.9, "expensive", shown=1)
    near = Cascade(first=logit, then=then, threshold=0.7, band=0.04)
    far = Cascade(first=logit, then=then, threshold=0.7, band=0.03)
    middle = Cascade(first=always(0.5, "cheap", shown=1), then=then)
    found = [await who_judged(cascade, rating("a")) for cascade in (near, far, middle)]
    assert found == [["cheap", "expensive"], ["cheap"], ["cheap"]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first": always(0.5), "then": always(0.5, shown=1)}, "first shows 2, then shows 1"),
        ({"first": always(0.5, shown=4), "then": always(0.5, shown=4)}, "rate one response or compare two"),
        ({"first": always(0.5), "then": always(0.5), "band": 0.1}, "band is for labelers that rate one response"),
        ({"first": always(0.5), "then": always(0.5), "sure": 1.5}, "less than or equal to 1"),
        ({"first": always(0.5, shown=1), "then": Critique(model=Scripted())}, "critique writes revisions"),
    ],
)
def test_a_cascade_that_cannot_judge_is_refused(settings: dict[str, object], message: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ValidationError, match=message):
        Cascade.model_validate(settings)


async def test_what_is_no_verdict_is_an_error_that_names_the_labeler() -> None:
    """A labeler of somebody else's that breaks the contract must not become a label."""
    strange = Opinion(says=lambda _: Scored(scores=(2.0, -1.0)), called="strange")
    for cascade in (Cascade(first=strange, then=EXPENSIVE), Cascade(first=always("refused", "cheap"), then=strange)):
        with pytest.raises(PluginError, match="'strange'"):
            await cascade.label(QUESTION)


# ---------------------------------------------------------------- whom it asks, and how often


def judge(model: str, letter: Callable[[Request], str], log_prob: float, price: float) -> Scripted:
    """A chat model behind a network that answers with a letter and its log-probability."""

    def answer(request: Request) -> Reply:
        said = letter(request)
        return Reply(text=said, choices={said: log_prob}, usage=Usage(input_tokens=100, output_tokens=1))

    answer.__qualname__ = model
    return Scripted(answer=answer, model=model, remote=True, price=Price(input=price, output=0), concurrency=8)


async def test_both_orders_are_asked_of_the_cheap_judge_once_each(stream: Stream) -> None:
    """Each judgment looks at both orders, and the stream asks once for what is asked twice."""
    cheap = judge("cheap", lambda _: "A", 0.0, 1.0)  # the first slot, always: inconsistent
    expensive = judge(
        "expensive", lambda request: "A" if " A]\na\n" in request.messages[-1].content else "B", 0.0, 50.0
    )
    cascade = Cascade(first=Pairwise(judge=cheap), then=Pairwise(judge=expensive))
    candidates = Candidates(prompt=PROMPT, completions=(said("a"), said("bbb")))
    judgments = await cascade.examine(candidates, CONSTITUTION)
    assert (len(cheap.seen), len(expensive.seen)) == (2, 2)
    assert [judgment.outcome.scores for judgment in judgments] == [(1.0, 0.0), (0.0, 1.0)]
    # 100 tokens at 1 and at 50 dollars a million
    assert [judgment.cost_usd for judgment in judgments] == pytest.approx([0.0051, 0.0051])
    assert sum(judgment.cost_usd for judgment in judgments) == pytest.approx(stream.worth())
    assert cascade.name == "cascade:cheap:expensive"
    assert cascade.expected_questions(2, 1) == 2
    assert cascade.longest_reply == cascade.first.longest_reply


# ---------------------------------------------------------------- the account


def pairs(easy: int, hard: int, failing: int) -> list[Question]:
    """Both orders of each."""
    kinds = [("easy", easy), ("hard", hard), ("failing", failing)]
    texts = [f"{kind} {number}" for kind, count in kinds for number in range(count)]
    questions = [comparison(text, "other") for text in texts]
    return [order for question in questions for order in (question, question.reversed())]


def knows_what_is_easy(question: Question) -> Scored | Failed:
    texts = [option.text for option in question.options]
    if any("failing" in text for text in texts):
        return outcome("unparseable")
    share = 0.95 if texts[1] == "other" else 0.05
    if any("hard" in text for text in texts):
        share = 0.6 if texts[1] == "other" else 0.4
    return Scored(scores=(share, 1 - share), probability=max(share, 1 - share))


CHEAP = Opinion(says=knows_what_is_easy, called="cheap", usd=0.001, tokens=100)
DEAR = prefers(
    {"other": 0.0} | {f"{kind} {number}": 1.0 for kind in ("easy", "hard", "failing") for number in range(9)},
    "dear",
    usd=0.02,
    tokens=400,
)


async def summary_of(cascade: Cascade, questions: Sequence[Question]) -> dict[str, JsonValue]:
    """What the cascade says of its judgments on these questions."""
    account = cascade.account()
    account.add([await cascade.label(question) for question in questions])
    return account.summary()


async def test_the_account_says_what_was_escalated_and_why_and_what_that_saved() -> None:
    """Of 7 pairs 2 are hard and 1 fails: 6 of 14 questions are escalated.

    Spent 14 * .001 + 6 * .02 = .134; the dear one alone 14 * .02 = .28; saved .146. Tokens: 1,400 + 2,400 of 5,600.
    """
    found = await summary_of(Cascade(first=CHEAP, then=DEAR), pairs(4, 2, 1))
    assert (found["questions"], found["escalated"]) == (14, 6)
    assert found["why"] == {"failed": 2, "unsure": 4}
    assert found["usd"] == {"spent": 0.134, "expensive_alone": 0.28, "saved": 0.146}
    assert found["tokens"] == {"spent": 3800, "expensive_alone": 5600, "saved": 1800}
    assert found["stated_probability"] == 12
    cheap, dear = found["labelers"]
    assert (cheap["name"], cheap["judged"], dear["name"], dear["judged"]) == ("cheap", 14, "dear", 6)
    # Wilson's interval of 3 of 7 pairs: both orders go the same way
    assert found["escalated_share"] == {"value": 0.4286, "low": 0.1582, "high": 0.7495, "n": 14}


async def test_the_account_counts_contradictions() -> None:
    """A judge that always says the first slot contradicts itself everywhere."""
    found = await summary_of(Cascade(first=always(1.0, "slot"), then=DEAR), pairs(2, 0, 0))
    assert found["why"] == {"inconsistent": 4}


async def test_what_the_expensive_one_would_have_cost_is_unknown_where_it_was_never_asked() -> None:
    """No estimate, rather than one of nothing."""
    found = await summary_of(Cascade(first=CHEAP, then=DEAR), pairs(3, 0, 0))
    assert found["usd"] == {"spent": 0.006, "expensive_alone": None, "saved": None}
    assert found["why"] == {}


async def test_the_account_does_not_grow_with_the_judgments() -> None:
    """There may be millions."""
    cascade = Cascade(first=CHEAP, then=DEAR)
    account = cascade.account()
    judgments = [await cascade.label(question) for question in pairs(2, 2, 2)]
    account.add(judgments)
    fields = {name: value for name, value in account.__dict__.items() if name != "_doubt"}
    small = len(pickle.dumps(fields, protocol=5))
    for _ in range(50):
        account.add(judgments)
    fields = {name: value for name, value in account.__dict__.items() if name != "_doubt"}
    assert len(pickle.dumps(fields, protocol=5)) < small + 100


# ---------------------------------------------------------------- made of others


class Second(Opinion):
    """Changes its mind at the end."""

    def conclude(self, judgments: Callable[[], Iterator[Judgment]]) -> Revise:
        """Turns every verdict round."""
        assert {judgment.labeler for judgment in judgments()} == {self.name}
        return lambda judgment: judgment.model_copy(update={"outcome": Scored(scores=judgment.outcome.scores[::-1])})


async def test_what_its_labelers_revise_becomes_its_verdict() -> None:
    """The expensive one's where it was asked, else the cheap one's; who was asked stays as it was."""
    first = Second(says=CHEAP.says, called="cheap")
    cascade = Cascade(first=first, then=DEAR)
    easy, hard = [await cascade.label(question) for question in (pairs(1, 0, 0)[0], pairs(0, 1, 0)[0])]
    revise = cascade.conclude(lambda: iter([easy, hard]))
    assert revise is not None
    assert revise(easy).outcome == Scored(scores=(1 - 0.95, 0.95))
    assert revise(hard).outcome == hard.outcome == Scored(scores=(1.0, 0.0))
    assert revise(hard).votes[0].outcome == Scored(scores=(0.4, 0.6))
    assert Cascade(first=CHEAP, then=DEAR).conclude(lambda: iter([easy, hard])) is None


async def test_labelers_with_one_name_are_told_apart() -> None:
    """One model, asked for a verdict first and for its reasoning where that is unsure, has one name."""
    cascade = Cascade(first=always(0.5, "judge", shown=1), then=always(0.2, "judge", shown=1), band=0.1)
    judgment = await cascade.label(rating("a"))
    assert [vote.labeler for vote in judgment.votes] == ["judge (1)", "judge (2)"]
    account = cascade.account()
    account.add([judgment])
    assert [one["name"] for one in account.summary()["labelers"]] == ["judge (1)", "judge (2)"]


async def test_a_reward_model_and_a_judge_that_rates_end_on_one_scale() -> None:
    """A reward dataset with a logit of 3 beside ratings in [0, 1] has no scale. sigmoid(3) = .9526; sigmoid(1) = .7311.

    Both are sure enough of themselves: the band around .5 takes in the score of "" (sigmoid(0) = .5) alone.
    """
    cheap = Opinion(says=lambda question: Scored(scores=(len(question.options[0].text),), scale="logit"), shown=1)
    cascade = Cascade(first=cheap, then=always(0.2, "dear", shown=1), band=0.1)
    judgments = [await cascade.label(rating(text)) for text in ("aaa", "a", "")]
    revise = cascade.conclude(lambda: iter(judgments))
    assert revise is not None
    found = [revise(judgment).outcome for judgment in judgments]
    assert [one.scale for one in found if isinstance(one, Scored)] == ["share"] * 3
    assert [one.scores[0] for one in found if isinstance(one, Scored)] == pytest.approx([0.9526, 0.7311, 0.2], abs=1e-4)
    assert cascade.conclude(lambda: iter(judgments[:2])) is None  # nothing was escalated: logits alone


async def test_a_panel_may_stand_in_a_cascade_and_a_cascade_on_a_panel() -> None:
    """Votes within votes; a panel that is divided is unsure."""
    agreeing = Panel(members=(prefers(STRENGTHS, "one"), prefers(STRENGTHS, "two"), prefers(STRENGTHS, "three")))
    divided = Panel(members=(prefers(STRENGTHS, "one"), prefers(STRENGTHS, "two"), EXPENSIVE))
    assert await who_judged(Cascade(first=agreeing, then=EXPENSIVE, sure=0.9)) == ["panel"]
    assert await who_judged(Cascade(first=divided, then=EXPENSIVE, sure=0.9)) == ["panel", "expensive"]
    panel = Panel(members=(Cascade(first=divided, then=EXPENSIVE), EXPENSIVE))
    judgment = await panel.label(QUESTION)
    assert judgment.outcome == Scored(scores=(0.0, 1.0), probability=1.0)
    assert [[inner.labeler for inner in vote.votes] for vote in judgment.votes] == [["panel", "expensive"], []]
    account = panel.account()
    account.add([judgment])
    assert account.summary()["members"][0]["account"]["escalated"] == 1

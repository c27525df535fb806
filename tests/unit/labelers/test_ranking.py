"""Ranking through a chat model: in many orders at once or two at a time, and what the votes say together."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar, Literal

import pytest

from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    FailureReason,
    Judgment,
    Principle,
    Prompt,
    Question,
    Scored,
    Usage,
)
from solon.errors import ModelRejected
from solon.labelers.ranking import RankingJudge
from solon.labelers.ranking_fit import RankingAccount, fitted, mean_tau
from solon.labelers.tournament import longest_order, merge_sorted, most_comparisons
from solon.models.base import ChatModel, Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Retries, Stream

LONG = Principle(id="long", text="The longer response is better.")
SHORT = Principle(id="short", text="The shorter response is better.", severity="hard")
SUMS = Principle(id="sums", text="Show sums.", topics=("maths",))
ONE = Constitution(name="one", principles=(LONG,))
TWO = Constitution(name="two", principles=(LONG, SHORT, SUMS))
PROMPT = Prompt.of("Say something.")
SECTION = re.compile(r"\[[0-9a-f]{6} ([A-Z])\]\n([^\[]*)\n")


@pytest.fixture(autouse=True)
async def stream() -> AsyncIterator[Stream]:
    """What every question goes through; it tries again at once."""
    async with Stream(None, run="test", stage="label", retries=Retries(tries=2, first_wait_s=0)) as active:
        yield active


class Ranks(ChatModel):
    """Ranks by length as the principle says. ``taste`` other than ``principle`` is a bias or a fault."""

    kind: ClassVar[str] = "ranks"

    taste: Literal["principle", "position", "ties", "mute", "half_mute", "json"] = "principle"

    @property
    def max_in_flight(self) -> int:
        """Many, so that arrival order is put to the test."""
        return 16

    async def complete(self, request: Request) -> Reply:
        """A ranking, or a letter where there are two; some questions are answered sooner than others."""
        system, user = (message.content for message in request.messages)
        shown = dict(SECTION.findall(user))
        await asyncio.sleep(len(user) % 7 / 10_000)
        sign = 1 if "shorter" in system else -1
        letters = sorted(shown, key=lambda letter: sign * len(shown[letter]))
        usage = Usage(input_tokens=10, output_tokens=len(shown))
        match self.taste:
            case "position":
                letters = sorted(shown)
            case "mute":
                return Reply(text="I would rather not say.", usage=usage)
            case "half_mute" if letters[0] in "AB":
                return Reply(text="No.", usage=usage)
            case "ties":
                return Reply(text=" = ".join(sorted(shown)) if len(shown) > 2 else "C", usage=usage)
            case "json":
                said = {"ranking": [[letter] for letter in letters]} if len(shown) > 2 else {"verdict": letters[0]}
                return Reply(text=json.dumps({"reasoning": "By length.", **said}), usage=usage)
        if len(shown) == 2:
            return Reply(text=letters[0], usage=usage)
        return Reply(text="By length.\n" + " > ".join(letters), usage=usage)


def about(*texts: str) -> Candidates:
    """The prompt with completions."""
    completions = tuple(Completion(text=text, model="policy", seed=seed) for seed, text in enumerate(texts))
    return Candidates(prompt=PROMPT, completions=completions)


def long(n: int) -> Candidates:
    """Completions that get longer: the last is the best under ``LONG``."""
    return about(*("x" * (number + 1) for number in range(n)))


async def ranked(
    judge: ChatModel, candidates: Candidates, constitution: Constitution = ONE, **settings: object
) -> Judgment:
    """The one judgment on the candidates."""
    (judgment,) = await RankingJudge(judge=judge, **settings).examine(candidates, constitution)
    return judgment


def order(judgment: Judgment) -> list[int]:
    """The options by their numbers, the best first."""
    assert isinstance(judgment.outcome, Scored)
    scores = judgment.outcome.scores
    return sorted(range(len(scores)), key=lambda option: -scores[option])


# ---------------------------------------------------------------- listwise


async def test_a_judge_that_reads_gives_its_ranking() -> None:
    """Four orders that agree; the votes hold each of them as it was shown."""
    candidates = long(4)
    judgment = await ranked(Ranks(), candidates)
    assert judgment.options == tuple(completion.id for completion in candidates.completions)
    assert order(judgment) == [3, 2, 1, 0]
    assert len(judgment.votes) == len({vote.options for vote in judgment.votes}) == 4
    assert judgment.rationale is not None
    assert judgment.rationale.startswith("best first: 4 (0.9")
    assert judgment.rationale.endswith("; 4 of 4 votes read; mean Kendall's tau 1.00 over 6 pairs of them")
    assert {vote.rationale for vote in judgment.votes} == {"By length."}


async def test_scores_are_shares_of_the_others_that_each_beats() -> None:
    """They add up to n/2 and mirror each other; four orders that agree leave little doubt of the first and the last."""
    outcome = (await ranked(Ranks(), long(4))).outcome
    assert isinstance(outcome, Scored)
    assert sum(outcome.scores) == pytest.approx(2)
    assert outcome.scores[0] + outcome.scores[3] == pytest.approx(1)
    assert outcome.scores[3] > 0.95
    assert outcome.scores[2] == pytest.approx(2 / 3, abs=0.05)
    assert outcome.probability is None


async def test_a_judge_that_ranks_by_position_prefers_nobody() -> None:
    """Each option stood once at each place: the bias cancels, and the account shows it.

    Of the orders abcd, dcba, cdab and badc, two pairs are opposite (-1), two agree on 2 of 6 pairs (-1/3) and two on
    4 of 6 (1/3): the mean is -1/3. Wilson's lower end of 4 of 4 is 4 / (4 + 1.96^2).
    """
    judge = RankingJudge(judge=Ranks(taste="position"))
    judgments = await judge.examine(long(4), ONE)
    assert isinstance(judgments[0].outcome, Scored)
    assert judgments[0].outcome.scores == pytest.approx((0.5, 0.5, 0.5, 0.5))
    account = judge.account()
    account.add(judgments)
    assert account.summary() == {
        "votes": 4,
        "failed_votes": 0,
        "kendall_tau": {"value": -0.3333, "n": 6},
        "first_position": {"value": 1.0, "low": 0.5101, "high": 1.0, "n": 4},
        "first_position_by_chance": 0.25,
    }


async def test_usage_and_cost_are_those_of_all_votes() -> None:
    """Four replies of four letters, at a dollar a million tokens written."""
    judge = Scripted(
        answer=lambda request: Reply(text="A > B > C > D", usage=Usage(input_tokens=10, output_tokens=4)),
        price=Price(input=0, output=1),
    )
    judgment = await ranked(judge, long(4))
    assert judgment.usage == Usage(input_tokens=40, output_tokens=16)
    assert judgment.cost_usd == pytest.approx(16e-6)


@pytest.mark.parametrize(("settings", "asked"), [({}, 4), ({"orders": 2}, 2), ({"orders": 7}, 6), ({"orders": 1}, 1)])
async def test_orders_are_as_many_as_set_and_there_are(settings: dict[str, int], asked: int) -> None:
    """Three completions have six orders."""
    assert len((await ranked(Ranks(), long(3), **settings)).votes) == asked
    assert RankingJudge(judge=Ranks(), **settings).expected_questions(3, 1) == max(2, asked)


async def test_more_than_may_be_shown_come_in_windows_that_join() -> None:
    """Nine by fives: the windows of an order begin at 0, 2 and 4; together they give the whole ranking."""
    judgment = await ranked(Ranks(), long(9), most=5)
    assert [len(vote.options) for vote in judgment.votes] == [5] * 12
    assert order(judgment) == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert RankingJudge(judge=Ranks(), most=5).expected_questions(9, 1) == 12


async def test_ties_are_taken_where_they_are_allowed() -> None:
    """All share one place: nobody beats anybody."""
    outcome = (await ranked(Ranks(taste="ties"), long(3), ties="allowed")).outcome
    assert isinstance(outcome, Scored)
    assert outcome.scores == pytest.approx((0.5, 0.5, 0.5))
    assert isinstance((await ranked(Ranks(taste="ties"), long(3), reasks=0)).outcome, Failed)


async def test_an_object_is_asked_for_by_its_schema() -> None:
    """And its reasoning is the rationale of the vote."""
    judgment = await ranked(Ranks(taste="json"), long(3), answer="json", reasoning=True)
    assert order(judgment) == [2, 1, 0]
    assert judgment.votes[0].rationale == "By length."
    judge = Scripted(default="")
    await ranked(judge, long(3), answer="json")
    assert {tuple(request.json_schema["properties"]) for request in judge.seen if request.json_schema} == {("ranking",)}


async def test_a_question_is_asked_in_the_form_that_is_set() -> None:
    """Room for the reply, no seed of the judge's own, no log-probabilities of letters."""
    judge = Scripted(default="A > B > C")
    for settings in ({}, {"max_tokens": 7}, {"reasoning": True}, {"most": 20}, {"answer": "json"}):
        await ranked(judge, long(3), orders=1, **settings)
    assert [request.max_tokens for request in judge.seen] == [80, 7, 1024, 176, 128]
    assert {request.choices for request in judge.seen} == {()}


async def test_each_principle_is_a_ranking_of_its_own() -> None:
    """Or all in one, or one that is drawn."""
    each = await RankingJudge(judge=Ranks()).examine(long(3), TWO)
    assert [judgment.principles for judgment in each] == [("long",), ("short",)]
    assert [order(judgment) for judgment in each] == [[2, 1, 0], [0, 1, 2]]
    together = await RankingJudge(judge=Ranks(), principles="all").examine(long(3), TWO)
    assert [judgment.principles for judgment in together] == [("long", "short")]
    drawn = await RankingJudge(judge=Ranks(), principles="one").examine(long(3), TWO)
    assert [len(judgment.principles) for judgment in drawn] == [1]


async def test_completions_with_the_same_text_are_one() -> None:
    """The first stands for all."""
    candidates = about("a", "bb", "a", "ccc")
    judgment = await ranked(Ranks(), candidates)
    assert judgment.options == tuple(candidates.completions[place].id for place in (0, 1, 3))


@pytest.mark.parametrize("texts", [(), ("a",), ("a", "a")])
async def test_one_text_is_not_ranked(texts: tuple[str, ...]) -> None:
    """There is nothing to compare."""
    assert await RankingJudge(judge=Scripted()).examine(about(*texts), ONE) == ()


async def test_the_seed_decides_the_orders_and_arrival_decides_nothing() -> None:
    """The same judgments again, though replies come in another order; another seed shows other orders."""
    one, again, other = [await ranked(Ranks(), long(5), seed=seed) for seed in (1, 1, 2)]
    assert one == again
    assert [vote.options for vote in one.votes] != [vote.options for vote in other.votes]


# ---------------------------------------------------------------- two


@pytest.mark.parametrize("method", ["listwise", "tournament"])
async def test_two_completions_are_compared_in_both_orders(method: str) -> None:
    """As ``pairwise`` compares them: P(first is better) and its complement, without votes."""
    labeler = RankingJudge(judge=Ranks(), method=method)
    first, second = await labeler.examine(about("a", "bb"), ONE)
    assert first.options == second.options[::-1]
    assert (first.outcome, second.outcome) == (Scored(scores=(0.0, 1.0)), Scored(scores=(1.0, 0.0)))
    assert first.votes == second.votes == ()
    assert labeler.expected_questions(2, 1) == 2


async def test_comparisons_take_log_probabilities_where_there_are_any() -> None:
    """.6 of .8; below the least mass there is no verdict."""
    judge = Scripted(replies=[{"when": "", "say": "A", "choices": {"A": -0.5108, "B": -1.6094}}])
    question = Question(prompt=PROMPT, principles=(LONG,), options=about("a", "bb").completions)
    outcome = (await RankingJudge(judge=judge).label(question)).outcome
    assert isinstance(outcome, Scored)
    assert outcome.scores == pytest.approx((0.75, 0.25), abs=1e-3)
    assert isinstance((await RankingJudge(judge=judge, min_choice_mass=0.9).label(question)).outcome, Failed)


async def test_a_question_about_one_is_refused() -> None:
    """It would be a bug of the caller."""
    with pytest.raises(ValueError, match="2 options or more"):
        await RankingJudge(judge=Ranks()).label(Question(prompt=PROMPT, options=about("a").completions))


# ---------------------------------------------------------------- tournament


@pytest.mark.parametrize("n", [3, 5, 8])
async def test_a_tournament_asks_n_log_n_comparisons_in_both_orders(n: int) -> None:
    """And gives the same ranking as the whole list."""
    judgment = await ranked(Ranks(), long(n), method="tournament")
    assert order(judgment) == list(reversed(range(n)))
    met = Counter(frozenset(vote.options) for vote in judgment.votes)
    assert set(met.values()) == {2}
    assert n - 1 <= len(met) <= most_comparisons(n)
    assert len(judgment.votes) <= RankingJudge(judge=Ranks(), method="tournament").expected_questions(n, 1)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 13, 16, 33])
async def test_the_longest_order_takes_the_most_comparisons(n: int) -> None:
    """What a plan counts is what a sort can come to, and no more."""
    places, asked = longest_order(n), []

    async def better(one: int, other: int) -> bool:
        asked.append((one, other))
        return places[one] < places[other]

    ordered = await merge_sorted(range(n), better)
    assert [places[player] for player in ordered] == list(range(n))
    assert len(asked) == most_comparisons(n)


async def test_a_tournament_is_the_same_whatever_arrives_first() -> None:
    """Halves are sorted at the same time."""
    one, again = [await ranked(Ranks(), long(9), method="tournament", seed=4) for _ in range(2)]
    assert one == again


async def test_a_judge_that_always_prefers_the_first_slot_ranks_nobody_in_a_tournament() -> None:
    """Every comparison contradicts itself: a coin sorts, and no coin is recorded."""
    judge = RankingJudge(judge=Ranks(taste="position"), method="tournament")
    judgments = await judge.examine(long(6), ONE)
    assert isinstance(judgments[0].outcome, Scored)
    assert judgments[0].outcome.scores == pytest.approx([0.5] * 6)
    account = judge.account()
    account.add(judgments)
    summary = account.summary()
    assert summary["kendall_tau"] == {"value": -1.0, "n": len(judgments[0].votes) // 2}
    assert summary["first_position_by_chance"] == 0.5


@pytest.mark.parametrize(
    ("method", "completions", "principles", "expected"),
    [
        ("listwise", 4, 3, 12),
        ("listwise", 1, 3, 0),
        ("listwise", 4, 0, 0),
        ("listwise", 10, 1, 8),
        ("tournament", 4, 3, 2 * 5 * 3),
        ("tournament", 0, 3, 0),
        ("tournament", 1, 3, 0),
    ],
)
def test_expected_questions_are_requests(method: str, completions: int, principles: int, expected: int) -> None:
    """Orders times windows, or 2 (n k - 2^k + 1), under each principle."""
    assert RankingJudge(judge=Ranks(), method=method).expected_questions(completions, principles) == expected


# ---------------------------------------------------------------- failures


async def test_a_ranking_fails_when_most_of_its_orders_cannot_be_read() -> None:
    """With its reason, and what the judge said."""
    judgment = await ranked(Ranks(taste="mute"), long(4))
    assert judgment.outcome == Failed(
        reason="unparseable", raw="0 of 4 replies held a verdict: I would rather not say."
    )
    assert [vote.outcome for vote in judgment.votes] == [
        Failed(reason="unparseable", raw="I would rather not say.")
    ] * 4
    assert judgment.rationale == "0 of 4 votes read"


async def test_half_of_the_orders_are_enough() -> None:
    """The best of four stands once at each letter, and at A and B the judge says nothing."""
    judgment = await ranked(Ranks(taste="half_mute"), long(4))
    assert sum(isinstance(vote.outcome, Scored) for vote in judgment.votes) == 2
    assert order(judgment) == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(text="A > B > C", stop="length"), "truncated"),
        (Reply(text="", stop="refused"), "refused"),
        (Reply(text="", stop="filtered"), "filtered"),
        (Reply(text="A > B"), "unparseable"),
    ],
)
async def test_what_is_no_ranking_is_a_failure_of_its_kind(reply: Reply, reason: FailureReason) -> None:
    """Even a whole ranking that was cut off: nobody knows how it would have gone on."""
    outcome = (await ranked(Scripted(answer=lambda _: reply, model=reply.id), long(3))).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason == reason


async def test_a_judge_that_cannot_be_asked_stops_the_stage() -> None:
    """A wrong key would fail every question one by one."""
    with pytest.raises(ModelRejected):
        await ranked(Scripted(replies=({"when": "", "fault": "rejected"},)), long(3))


async def test_a_comparison_of_which_one_order_failed_decides_nothing() -> None:
    """In a tournament of three, whatever shows the longest first is not answered: nothing connects it to the others."""

    def answer(request: Request) -> str:
        shown = dict(SECTION.findall(request.messages[-1].content))
        return "?" if shown["A"] == "xxx" else min("AB", key=lambda letter: -len(shown[letter]))

    judgment = await ranked(Scripted(answer=answer), long(3), method="tournament", reasks=0)
    assert isinstance(judgment.outcome, Failed)
    assert judgment.outcome.reason == "unparseable"
    assert "which leaves 2 groups of responses that nothing connects: ?" in str(judgment.outcome.raw)


# ---------------------------------------------------------------- the fit


def vote(options: str, scores: Sequence[float]) -> Judgment:
    """A vote on options that are named by letters."""
    return Judgment(
        prompt="p", principles=(), options=tuple(options), labeler="test", outcome=Scored(scores=tuple(scores))
    )


def test_probabilities_of_two_count_as_parts_of_a_win() -> None:
    """Of a and b, a has .8 in one order and .7 in the other: 1.5 of 2 wins, and the prior pulls that towards a half."""
    outcome = fitted("ab", [vote("ab", (0.8, 0.2)), vote("ba", (0.3, 0.7))])
    assert isinstance(outcome, Scored)
    assert 0.5 < outcome.scores[0] < 0.75
    assert sum(outcome.scores) == pytest.approx(1)


def test_tau_is_over_what_two_votes_share() -> None:
    """Here abc and cbd share b and c, in opposite orders; ab and ba agree; a vote without a preference says nothing."""
    assert mean_tau([vote("abc", (1, 0.5, 0)), vote("cbd", (1, 0.5, 0))]) == (-1, 1)
    assert mean_tau([vote("ab", (1, 0)), vote("ba", (0, 1)), vote("cd", (1, 0))]) == (1, 1)
    assert mean_tau([vote("ab", (0.5, 0.5)), vote("ba", (0, 1))]) == (0, 0)


def test_the_account_of_nothing_claims_nothing() -> None:
    """A mean of nothing is none, and its share could be anything."""
    summary = RankingAccount().summary()
    assert summary["kendall_tau"] == {"value": None, "n": 0}
    assert summary["first_position"] == {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}


def test_the_account_counts_comparisons_of_two_as_votes() -> None:
    """A prompt with two different completions: both orders agree, and the first slot won one of two."""
    account = RankingAccount()
    account.add([vote("ab", (1, 0)), vote("ba", (0, 1))])
    summary = account.summary()
    assert summary["kendall_tau"] == {"value": 1.0, "n": 1}
    assert summary["first_position"] == {"value": 0.5, "low": 0.0945, "high": 0.9055, "n": 2}
    assert summary["votes"] == 2

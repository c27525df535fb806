"""Comparing through a chat model: what it is asked, what it says, and who meets whom."""

import asyncio
import math
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
    Judgment,
    Principle,
    Prompt,
    Question,
    Scored,
    Usage,
)
from solon.data.verdicts import verdict
from solon.errors import ModelRejected
from solon.labelers.pairwise import Pairwise
from solon.labelers.verdict_judge import Offer, Said
from solon.models.base import ChatModel, Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Retries, Stream

SHORT = Principle(id="short", text="The shorter response is better.")
LONG = Principle(id="long", text="The longer response is better.", weight=3)
NEVER_LONG = Principle(id="never-long", text="The shorter response is better, always.", severity="hard")
SUMS = Principle(id="sums", text="The longer response is better.", topics=("maths",))
PROMPT = Prompt.of("Say something.")
SECTIONS = re.compile(r"\[([0-9a-f]{6}) A\]\n(.*?)\n\[\1 B\]\n(.*?)\n\[\1 end\]", re.DOTALL)


class Reads(ChatModel):
    """Reads the principle and both responses, and answers in text. ``taste`` other than ``principle`` is a bias."""

    kind: ClassVar[str] = "reads"

    taste: Literal["principle", "slot", "mute"] = "principle"

    @property
    def max_in_flight(self) -> int:
        """Many, so that arrival order is put to the test."""
        return 16

    async def complete(self, request: Request) -> Reply:
        """A or B; later questions are answered sooner."""
        system, user = (message.content for message in request.messages)
        sections = SECTIONS.search(user)
        assert sections is not None
        await asyncio.sleep(int(sections[1], 16) % 7 / 10_000)
        if self.taste == "mute":
            return Reply(text="I would rather not say.")
        wants_long = "longer" in system
        first_is_better = self.taste == "slot" or (len(sections[2]) > len(sections[3])) == wants_long
        return Reply(text="A" if first_is_better else "B")


@pytest.fixture
async def stream() -> AsyncIterator[Stream]:
    """What every question goes through; it tries again at once."""
    async with Stream(None, run="test", stage="label", retries=Retries(tries=2, first_wait_s=0)) as active:
        yield active


def said(text: str, seed: int = 0) -> Completion:
    """A completion of the policy."""
    return Completion(text=text, model="policy", seed=seed)


QUESTION = Question(prompt=PROMPT, principles=(SHORT,), options=(said("a"), said("bbb")))


def says(reply: Reply, **settings: object) -> Scripted:
    """A judge that gives one reply to everything."""
    # named after the reply: a script that is a function is told from others by its names alone
    return Scripted(answer=lambda _: reply, model=reply.id, **settings)


def fails(fault: Literal["unavailable", "rejected", "too_long"]) -> Scripted:
    """A judge that never answers."""
    return Scripted(replies=({"when": "", "fault": fault},))


async def outcome_of(reply: Reply, **settings: object) -> Scored | Failed:
    """What a reply to one question is taken for."""
    return (await Pairwise(judge=says(reply), **settings).label(QUESTION)).outcome


def log_probs(**probabilities: float) -> dict[str, float]:
    """Natural logarithms."""
    return {choice: math.log(probability) for choice, probability in probabilities.items()}


async def test_log_probabilities_are_shares_of_both(stream: Stream) -> None:
    """A .6 and B .2: .6 / .8 = .75; the .2 of other tokens is left out."""
    outcome = await outcome_of(Reply(text="A", choices=log_probs(A=0.6, B=0.2)))
    assert isinstance(outcome, Scored)
    assert outcome.scores == pytest.approx((0.75, 0.25))
    assert outcome.probability == pytest.approx(0.75)


async def test_the_probability_is_that_of_the_verdict(stream: Stream) -> None:
    """A .1 and B .9 say B with .9."""
    outcome = await outcome_of(Reply(text="B", choices=log_probs(A=0.1, B=0.9)))
    assert isinstance(outcome, Scored)
    assert (outcome.scores[0], outcome.probability) == pytest.approx((0.1, 0.9))


async def test_a_choice_that_is_not_listed_has_no_probability(stream: Stream) -> None:
    """The model found it too unlikely to list."""
    outcome = await outcome_of(Reply(text="B", choices=log_probs(B=0.97)))
    assert outcome == Scored(scores=(0.0, 1.0), probability=1.0)


async def test_a_log_probability_that_is_no_number_is_no_certainty(stream: Stream) -> None:
    """As somebody else's model may give it. To Python the smaller of 0 and what is no number is 0: certainty."""
    judge = says(Reply(text="B"))
    read = Pairwise(judge=judge)._read(Reply(text="B", choices={"A": math.nan, "B": math.log(0.9)}), Offer(("A", "B")))
    assert isinstance(read, Said)
    assert read.shares == {"A": 0.0, "B": 1.0}


@pytest.mark.parametrize("choices", [{}, log_probs(A=0.3, B=0.19), log_probs(C=1.0), {"A": math.log(0.4)}])
async def test_little_probability_for_either_is_no_verdict(stream: Stream, choices: dict[str, float]) -> None:
    """Below one half the judge was about to say something else: A here would be a label made of noise."""
    outcome = await outcome_of(Reply(text="A", choices=choices))
    assert outcome == Failed(reason="unparseable", raw="A")


async def test_the_least_mass_can_be_set(stream: Stream) -> None:
    """One knob, one effect."""
    reply = Reply(text="A", choices=log_probs(A=0.3, B=0.1))
    assert isinstance(await outcome_of(reply), Failed)
    assert isinstance(await outcome_of(reply, min_choice_mass=0.35), Scored)


async def test_without_log_probabilities_the_last_line_decides(stream: Stream) -> None:
    """And what was said before it is the rationale."""
    judgment = await Pairwise(judge=says(Reply(text="The first rambles.\nB"))).label(QUESTION)
    assert judgment.outcome == Scored(scores=(0.0, 1.0))
    assert judgment.rationale == "The first rambles."
    assert await outcome_of(Reply(text="A")) == Scored(scores=(1.0, 0.0))


@pytest.mark.parametrize("text", ["", "a", "A.", "A or B", "The better one is A", "A\nB", "neither", "**B**"])
async def test_a_reply_in_another_form_fails_and_is_kept(stream: Stream, text: str) -> None:
    """Never a number, never a guess."""
    assert await outcome_of(Reply(text=text)) == Failed(reason="unparseable", raw=text)


@pytest.mark.parametrize("text", ["Let me compare response", "First,\nA", "A"])
async def test_a_text_that_was_cut_off_has_no_last_line(stream: Stream, text: str) -> None:
    """Nobody knows how its last line would have gone on."""
    assert await outcome_of(Reply(text=text, stop="length")) == Failed(reason="truncated", raw=text)


async def test_log_probabilities_of_the_first_token_do_not_mind_a_cut(stream: Stream) -> None:
    """Servers call a reply of one token cut off."""
    assert isinstance(await outcome_of(Reply(text="A", stop="length", choices=log_probs(A=0.9, B=0.1))), Scored)


async def test_a_refusal_is_no_verdict_whatever_it_holds(stream: Stream) -> None:
    """A filter's text is not the judge's."""
    for reply in (Reply(text="A", stop="refused"), Reply(text="", stop="refused", choices=log_probs(A=0.9))):
        assert await outcome_of(reply) == Failed(reason="refused", raw=reply.text)


async def test_a_text_verdict_can_be_asked_for_where_log_probabilities_are_on_offer(stream: Stream) -> None:
    """A judge that reasons first has nothing to say in its first token."""
    reply = Reply(text="Well, the second is longer.\nA", choices=log_probs(A=0.01))
    assert isinstance(await outcome_of(reply), Failed)
    assert await outcome_of(reply, answer="text") == Scored(scores=(1.0, 0.0))


async def test_a_model_that_never_answers_is_a_failure_of_the_judgment(stream: Stream) -> None:
    """It is counted and asked again by the next run; the other rows go on."""
    outcome = (await Pairwise(judge=fails("unavailable")).label(QUESTION)).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason == "unavailable"
    assert "scripted: unavailable" in (outcome.raw or "")


async def test_a_question_that_does_not_fit_the_judge_is_too_long(stream: Stream) -> None:
    """Another judge may have room for it; this one will not be asked again."""
    outcome = (await Pairwise(judge=fails("too_long")).label(QUESTION)).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason == "too_long"


async def test_a_model_that_rejects_the_request_stops_the_stage(stream: Stream) -> None:
    """The next ten thousand would be rejected too."""
    with pytest.raises(ModelRejected, match="scripted: rejected"):
        await Pairwise(judge=fails("rejected")).label(QUESTION)


async def test_usage_and_cost_are_booked_even_for_a_failure(stream: Stream) -> None:
    """It was paid for: 7 + 2 tokens at a dollar each."""
    usage = Usage(input_tokens=7, output_tokens=2)
    judgment = await Pairwise(judge=says(Reply(text="?", usage=usage), price=Price(input=1e6, output=1e6))).label(
        QUESTION
    )
    assert isinstance(judgment.outcome, Failed)
    assert (judgment.usage, judgment.cost_usd) == (usage, 9.0)


async def test_a_question_of_any_other_number_of_options_is_refused() -> None:
    """A bug of the caller, not a failure of the judge."""
    for options in ((said("a"),), (said("a"), said("b"), said("c"))):
        with pytest.raises(ValueError, match="2 options"):
            await Pairwise(judge=says(Reply(text="A"))).label(Question(prompt=PROMPT, options=options))


@pytest.mark.parametrize("text", ["A tie, I would say.", "As an AI", "Both", "A.", "B", "B\n\nbecause", "A\nB"])
async def test_probabilities_that_the_text_speaks_against_are_no_verdict(stream: Stream, text: str) -> None:
    """``A tie`` begins with an A as well."""
    outcome = await outcome_of(Reply(text=text, choices=log_probs(A=0.9, B=0.05)))
    assert outcome == Failed(reason="unparseable", raw=text)


async def test_a_judge_may_explain_itself_below_its_verdict(stream: Stream) -> None:
    """Its first token is its verdict all the same, and the rest is the rationale."""
    reply = Reply(text="A\n\nIt is shorter, and", stop="length", choices=log_probs(A=0.9, B=0.1))
    judgment = await Pairwise(judge=says(reply)).label(QUESTION)
    assert judgment.outcome.scores == pytest.approx((0.9, 0.1))
    assert judgment.rationale == "It is shorter, and"


async def test_a_filter_is_told_from_a_refusal(stream: Stream) -> None:
    """One is the provider's, the other the judge's."""
    assert await outcome_of(Reply(text="A", stop="filtered")) == Failed(reason="filtered", raw="A")


# ---------------------------------------------------------------- ties


async def test_a_tie_is_half_a_win_for_either_where_it_is_allowed(stream: Stream) -> None:
    """And no verdict where it is not."""
    assert await outcome_of(Reply(text="C"), ties="allowed") == Scored(scores=(0.5, 0.5))
    assert await outcome_of(Reply(text="A"), ties="allowed") == Scored(scores=(1.0, 0.0))
    assert await outcome_of(Reply(text="C")) == Failed(reason="unparseable", raw="C")


async def test_the_probability_of_a_tie_is_split_half_and_half(stream: Stream) -> None:
    """A .4, B .1, C .3 of .8: .5 + .375 / 2 = .6875; the likeliest verdict is A with .5."""
    outcome = await outcome_of(Reply(text="A", choices=log_probs(A=0.4, B=0.1, C=0.3)), ties="allowed")
    assert isinstance(outcome, Scored)
    assert outcome.scores == pytest.approx((0.6875, 0.3125))
    assert outcome.probability == pytest.approx(0.5)


async def test_the_mass_of_a_tie_counts_where_it_is_allowed(stream: Stream) -> None:
    """A .2, B .1 and C .3 are .6: enough with ties, too little without."""
    reply = Reply(text="C", choices=log_probs(A=0.2, B=0.1, C=0.3))
    outcome = await outcome_of(reply, ties="allowed")
    assert isinstance(outcome, Scored)
    assert outcome.scores == pytest.approx(((0.2 + 0.15) / 0.6, (0.1 + 0.15) / 0.6))
    assert isinstance(await outcome_of(reply), Failed)


async def test_a_tie_in_both_orders_is_a_tie(stream: Stream) -> None:
    """Not an order-dependent one: nobody's slot won."""
    judgments = await Pairwise(judge=says(Reply(text="C")), ties="allowed").examine(
        candidates("a", "bb"), constitution(SHORT)
    )
    decided = verdict(judgments, {"short": SHORT})
    assert (decided.outcome, decided.reason) == ("tie", "balanced")


# ---------------------------------------------------------------- what is asked for


@pytest.mark.parametrize(
    ("settings", "tokens", "choices", "keys"),
    [
        ({}, 16, ("A", "B"), None),
        ({"ties": "allowed"}, 16, ("A", "B", "C"), None),
        ({"answer": "text"}, 16, (), None),
        ({"reasoning": True}, 1024, (), None),
        ({"reasoning": True, "max_tokens": 300}, 300, (), None),
        ({"answer": "json"}, 64, (), ["verdict"]),
        ({"answer": "json", "reasoning": True, "ties": "allowed"}, 1024, (), ["reasoning", "verdict"]),
    ],
)
async def test_the_settings_decide_what_is_asked_for(
    stream: Stream, settings: dict[str, object], tokens: int, choices: tuple[str, ...], keys: list[str] | None
) -> None:
    """Choices, a schema, and room for as much as the form needs; the plan counts the same room."""
    judge = says(Reply(text="A"))
    labeler = Pairwise(judge=judge, reasks=0, **settings)
    await labeler.label(QUESTION)
    (request,) = judge.seen
    assert (request.max_tokens, request.choices, labeler.longest_reply) == (tokens, choices, tokens)
    schema = request.json_schema
    assert (None if schema is None else schema["required"]) == keys
    if schema is not None:
        letters = ["A", "B", "C"] if "ties" in settings else ["A", "B"]
        assert schema["properties"]["verdict"] == {"type": "string", "enum": letters}


async def test_a_judge_that_reasons_says_its_verdict_last(stream: Stream) -> None:
    """The probabilities of its first token are none of a verdict."""
    reply = Reply(text="A is short.\n\nA", choices=log_probs(A=0.1, B=0.9))
    judgment = await Pairwise(judge=says(reply), reasoning=True).label(QUESTION)
    assert (judgment.outcome, judgment.rationale) == (Scored(scores=(1.0, 0.0)), "A is short.")


async def test_an_object_is_read_by_its_schema(stream: Stream) -> None:
    """Its reasoning is the rationale."""
    reply = Reply(text=' {"reasoning": "B rambles.", "verdict": "A"}\n')
    judgment = await Pairwise(judge=says(reply), answer="json", reasoning=True).label(QUESTION)
    assert (judgment.outcome, judgment.rationale) == (Scored(scores=(1.0, 0.0)), "B rambles.")
    assert await outcome_of(Reply(text='{"verdict": "B"}'), answer="json") == Scored(scores=(0.0, 1.0))
    assert await outcome_of(Reply(text='{"verdict": "C"}'), answer="json", ties="allowed") == Scored(scores=(0.5, 0.5))


@pytest.mark.parametrize(
    "text",
    [
        "A",
        '{"verdict": "C"}',
        '{"verdict": "a"}',
        '{"verdict": " A"}',
        '{"verdict": ["A"]}',
        '{"verdict": null}',
        '{"verdict": "A", "verdict": "B"}',
        '{"verdict": "A", "reasoning": "so"}',
        '```json\n{"verdict": "A"}\n```',
        'My verdict: {"verdict": "A"}',
        '{"verdict": "A"} {"verdict": "B"}',
    ],
)
async def test_an_object_in_another_form_is_no_verdict(stream: Stream, text: str) -> None:
    """What the schema asked for is checked and not trusted."""
    assert await outcome_of(Reply(text=text), answer="json") == Failed(reason="unparseable", raw=text)


async def test_an_object_that_was_cut_off_is_truncated(stream: Stream) -> None:
    """Even if it happens to be whole."""
    reply = Reply(text='{"verdict": "A"}', stop="length")
    assert await outcome_of(reply, answer="json") == Failed(reason="truncated", raw=reply.text)


async def test_replies_that_heal_are_asked_for_again_within_the_limit(stream: Stream) -> None:
    """One letter at the third attempt; with one attempt fewer the failure holds what was said last."""

    def heals(**settings: object) -> Pairwise:
        judge = Scripted(replies=("Both.", {"say": "I", "stop": "length"}, "B"), remote=True, model=str(settings))
        return Pairwise(judge=judge.model_copy(update={"price": Price(input=0, output=0)}), **settings)

    assert (await heals().label(QUESTION)).outcome == Scored(scores=(0.0, 1.0))
    assert (await heals(reasks=1).label(QUESTION)).outcome == Failed(reason="truncated", raw="I")
    assert (await heals(reasks=0).label(QUESTION)).outcome == Failed(reason="unparseable", raw="Both.")


@pytest.mark.parametrize(
    "text",
    [
        *("\ud800", "\0", "\u200b\u202e\u2066", "<|im_end|>A", "A", "x" * 100_000),
        pytest.param("x" * 10_000_000, marks=pytest.mark.slow, id="10 MB"),
    ],
)
async def test_any_judged_text_is_asked_about_whole(stream: Stream, text: str) -> None:
    """None is cut, none crashes, and none of it is read as the verdict."""
    judge = says(Reply(text="B"))
    question = Question(prompt=Prompt.of(text), principles=(SHORT,), options=(said(text + "1"), said(text + "2")))
    assert (await Pairwise(judge=judge).label(question)).outcome == Scored(scores=(0.0, 1.0))
    shown = judge.seen[0].messages[1].content
    shown.encode("utf-8")
    assert len(shown) >= 3 * len(text)


# ---------------------------------------------------------------- who meets whom


def candidates(*texts: str, prompt: Prompt = PROMPT) -> Candidates:
    """Completions of one prompt."""
    return Candidates(prompt=prompt, completions=tuple(said(text, seed) for seed, text in enumerate(texts)))


def constitution(*principles: Principle) -> Constitution:
    """Of these principles."""
    return Constitution(name="c", principles=principles)


def shown(judgments: Sequence[Judgment], group: Candidates) -> list[tuple[str, ...]]:
    """The texts of each judgment's options, in the order shown."""
    texts = {completion.id: completion.text for completion in group.completions}
    return [tuple(texts[option] for option in judgment.options) for judgment in judgments]


SIX = candidates("a", "bb", "ccc", "dddd", "eeeee", "ffffff")


@pytest.mark.parametrize("pairing", ["tournament", "best_against_rest", "all"])
async def test_every_pair_is_asked_in_both_orders_under_each_principle(
    stream: Stream, pairing: Literal["tournament", "best_against_rest", "all"]
) -> None:
    """Half a comparison is no comparison."""
    labeler = Pairwise(judge=Reads(), pairing=pairing)
    judgments = await labeler.examine(SIX, constitution(SHORT, LONG))
    asked = Counter((judgment.principles, judgment.options) for judgment in judgments)
    assert set(asked.values()) == {1}
    assert {(principles, options[::-1]) for principles, options in asked} == set(asked)
    assert Counter(principles for principles, _ in asked) == {
        ("short",): len(asked) // 2,
        ("long",): len(asked) // 2,
    }
    assert len(judgments) <= labeler.expected_questions(6, 2)


def test_plan_counts_both_orders_of_every_match() -> None:
    """Of 6: 5 matches, at most 10 - 2, or 15; times 2 orders, times 3 principles where each is asked alone."""
    expected = {
        (pairing, principles): Pairwise(
            judge=says(Reply(text="A")), pairing=pairing, principles=principles
        ).expected_questions(6, 3)
        for pairing in ("tournament", "best_against_rest", "all")
        for principles in ("each", "all", "one")
    }
    assert [expected["tournament", asked] for asked in ("each", "all", "one")] == [30, 10, 10]
    assert [expected["best_against_rest", asked] for asked in ("each", "all", "one")] == [48, 16, 16]
    assert [expected["all", asked] for asked in ("each", "all", "one")] == [90, 30, 30]
    assert Pairwise(judge=says(Reply(text="A")), principles="all").expected_questions(6, 0) == 0


async def test_the_winner_of_a_tournament_has_won_its_matches(stream: Stream) -> None:
    """Long weighs 3 and short 1, so the longest wins whatever the draw; nobody else is without a loss."""
    group = constitution(SHORT, LONG)
    for seed in range(5):
        judgments = await Pairwise(judge=Reads(), seed=seed).examine(SIX, group)
        by_id = {principle.id: principle for principle in group.principles}
        pairs = {frozenset(judgment.options): [] for judgment in judgments}
        for judgment in judgments:
            pairs[frozenset(judgment.options)].append(judgment)
        decided = [verdict(pair, by_id) for pair in pairs.values()]
        losers = {one.first if one.winner == one.second else one.second for one in decided}
        assert len(losers) == 5
        assert SIX.completions[5].id not in losers


async def test_a_hard_principle_decides_who_goes_on(stream: Stream) -> None:
    """The hard one wants short, the soft one of weight 3 long: the shortest meets everyone else who is left."""
    judgments = await Pairwise(judge=Reads(), pairing="best_against_rest").examine(SIX, constitution(NEVER_LONG, LONG))
    met = {frozenset(pair) for pair in shown(judgments, SIX)}
    assert {frozenset(("a", text)) for text in ("bb", "ccc", "dddd", "eeeee", "ffffff")} <= met


async def test_a_tie_goes_on_by_a_coin_that_nobody_sees(stream: Stream) -> None:
    """A judge that always takes the first slot: 5 matches, 10 judgments, each verdict a tie."""
    for taste in ("slot", "mute"):
        judgments = await Pairwise(judge=Reads(taste=taste)).examine(SIX, constitution(SHORT))
        assert len(judgments) == 10
        verdicts = [verdict(judgments[at : at + 2], {"short": SHORT}) for at in range(0, 10, 2)]
        assert {one.outcome for one in verdicts} == {"tie" if taste == "slot" else "failed"}


async def test_completions_of_the_same_text_are_judged_once(stream: Stream) -> None:
    """The first stands for all of them."""
    group = candidates("a", "bb", "a", "a", "bb")
    judgments = await Pairwise(judge=Reads(), pairing="all").examine(group, constitution(SHORT))
    first = {completion.id for completion in group.completions[:2]}
    assert len(judgments) == 2
    assert {option for judgment in judgments for option in judgment.options} == first


async def test_nothing_is_asked_where_there_is_nothing_to_compare(stream: Stream) -> None:
    """One completion, equal ones, or no principle that applies."""
    labeler = Pairwise(judge=fails("rejected"))
    assert await labeler.examine(candidates("a"), constitution(SHORT)) == ()
    assert await labeler.examine(candidates(), constitution(SHORT)) == ()
    assert await labeler.examine(candidates("a", "a"), constitution(SHORT)) == ()
    assert await labeler.examine(candidates("a", "b"), constitution(SUMS)) == ()


async def test_topics_choose_the_principles(stream: Stream) -> None:
    """A prompt about sums is judged under both, any other under the one that is for all."""
    sums = Prompt.of("2+2?", topic="maths")
    both = await Pairwise(judge=Reads()).examine(candidates("a", "bb", prompt=sums), constitution(SHORT, SUMS))
    one = await Pairwise(judge=Reads()).examine(candidates("a", "bb"), constitution(SHORT, SUMS))
    assert [judgment.principles for judgment in both] == [("short",), ("short",), ("sums",), ("sums",)]
    assert [judgment.principles for judgment in one] == [("short",), ("short",)]


async def test_all_principles_can_share_one_question(stream: Stream) -> None:
    """Half as many questions for two of them."""
    judgments = await Pairwise(judge=Reads(), principles="all").examine(
        candidates("a", "bb"), constitution(SHORT, LONG)
    )
    assert [judgment.principles for judgment in judgments] == [("short", "long"), ("short", "long")]


async def test_one_principle_is_drawn_for_each_prompt_by_its_weight(stream: Stream) -> None:
    """Weights 1 and 3: of 400 prompts about 300 are judged under the heavier, and each prompt always under the same."""
    labeler = Pairwise(judge=Reads(), principles="one")
    drawn = Counter()
    for number in range(400):
        judgments = await labeler.examine(
            candidates("a", "bb", prompt=Prompt.of(str(number))), constitution(SHORT, LONG)
        )
        (asked,) = {judgment.principles for judgment in judgments}
        drawn[asked] += 1
    assert 270 < drawn["long",] < 330
    assert drawn["long",] + drawn["short",] == 400


async def test_arrival_order_does_not_reach_the_judgments(stream: Stream) -> None:
    """Replies take different times; the judgments come in the order of the draw."""
    labeler = Pairwise(judge=Reads(), pairing="all")
    judgments = await labeler.examine(candidates("a", "bb", "ccc"), constitution(SHORT))
    assert shown(judgments, candidates("a", "bb", "ccc")) == [
        ("a", "bb"),
        ("bb", "a"),
        ("a", "ccc"),
        ("ccc", "a"),
        ("bb", "ccc"),
        ("ccc", "bb"),
    ]


async def test_the_seed_draws_the_bracket(stream: Stream) -> None:
    """The same seed the same matches; other seeds others."""
    first, again = [await Pairwise(judge=Reads(), seed=1).examine(SIX, constitution(SHORT)) for _ in range(2)]
    others = {
        str(shown(await Pairwise(judge=Reads(), seed=seed).examine(SIX, constitution(SHORT)), SIX)) for seed in range(9)
    }
    assert first == again
    assert len(others) > 1


async def test_a_judge_never_sees_the_reference_answer_nor_the_topic(stream):
    """It would grade by what the labels are later measured against."""
    judge = Scripted(default="A")
    prompt = Prompt.of("What is the capital of Mareria?", topic="secret-topic", reference="secret-reference")
    await Pairwise(judge=judge).examine(
        Candidates(prompt=prompt, completions=(said("Halford."), said("I do not know.", seed=1))),
        Constitution(name="c", principles=(SHORT,)),
    )
    assert len(judge.seen) == 2
    assert not any("secret" in message.content for request in judge.seen for message in request.messages)

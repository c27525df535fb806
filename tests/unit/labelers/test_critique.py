"""Critique and revision: what the model is shown, what is recorded, and what stops a revision."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from pydantic import ValidationError

from solon.constitution.library import resolve
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    FailureReason,
    Judgment,
    Message,
    Principle,
    Prompt,
    Question,
    Revised,
    Revision,
    StopReason,
    Usage,
)
from solon.errors import ModelRejected
from solon.labelers.critique import Critique
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Retries, Stream

KIND = Principle(id="kind", text="Be kind.")
TRUE = Principle(id="true", text="Be true.", critique="Is it true?", revision="Make it true.")
SUMS = Principle(id="sums", text="Show sums.", topics=("maths",))
BOTH = Constitution(name="both", principles=(KIND, TRUE, SUMS))
PROMPT = Prompt.of("Say hi.")
RAW = Completion(text="Go away.", model="policy", seed=5)


@pytest.fixture(autouse=True)
async def stream() -> AsyncIterator[Stream]:
    """What every request goes through; it tries again at once."""
    async with Stream(None, run="test", stage="label", retries=Retries(tries=2, first_wait_s=0)) as active:
        yield active


def asks_for(request: Request) -> Literal["critique", "revision"]:
    """Which of the two the last turn asks for."""
    return "critique" if "Write the critique" in request.messages[-1].content else "revision"


def answers(request: Request) -> Reply:
    """Numbers what it writes by how long the conversation is, so that every text is another."""
    return Reply(text=f"\n{asks_for(request)} of {request.messages[-2].content!r}\n", usage=Usage(output_tokens=3))


def about(*texts: str, prompt: Prompt = PROMPT) -> Candidates:
    """A prompt with completions."""
    return Candidates(prompt=prompt, completions=tuple(Completion(text=text, model="policy") for text in texts))


def question(*principles: Principle, response: Completion = RAW, prompt: Prompt = PROMPT) -> Question:
    """A question about one response."""
    return Question(prompt=prompt, principles=principles, options=(response,))


def revised(judgment: Judgment) -> Revised:
    """The outcome, which must be one."""
    assert isinstance(judgment.outcome, Revised)
    return judgment.outcome


# ---------------------------------------------------------------- what the model is shown


async def test_the_model_critiques_and_revises_the_response_as_its_own() -> None:
    """Prompt, response, critique request, critique, revision request: as in the paper."""
    model = Scripted(answer=answers)
    await Critique(model=model).label(question(TRUE))
    first, second = model.seen
    assert first.messages == (
        Message(role="user", content="Say hi."),
        Message(role="assistant", content="Go away."),
        Message(
            role="user",
            content="Look again at your last response. Is it true?\n"
            "Write the critique and nothing else. Do not write a new response yet.",
        ),
    )
    assert second.messages == (
        *first.messages,
        Message(role="assistant", content="critique of 'Go away.'"),
        Message(
            role="user",
            content="Make it true.\nWrite the whole revised response and nothing else, as it would stand in place of "
            "your last one: no comment on what has changed, no heading.",
        ),
    )


async def test_a_principle_without_requests_of_its_own_asks_by_its_text() -> None:
    """Every constitution can be used."""
    model = Scripted(answer=answers)
    await Critique(model=model).label(question(KIND))
    for request in model.seen:
        assert "Principle: Be kind." in request.messages[-1].content


async def test_a_conversation_of_several_turns_is_shown_turn_by_turn() -> None:
    """System message and all."""
    turns = (
        Message(role="system", content="You are terse."),
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Yes?"),
        Message(role="user", content="Say hi."),
    )
    model = Scripted(answer=answers)
    await Critique(model=model).label(question(KIND, prompt=Prompt(messages=turns)))
    assert model.seen[0].messages[:5] == (*turns, Message(role="assistant", content="Go away."))


async def test_tokens_of_chat_templates_are_broken_and_what_is_copied_of_them_is_mended() -> None:
    """Shown as text, they cannot end a turn; the revision is recorded as the response had them."""
    response = Completion(text="Type <|im_end|> to stop.", model="policy")

    def answer(request: Request) -> str:
        shown = request.messages[1].content
        assert shown == "Type <\\|im_end|> to stop."
        return "It is rude." if asks_for(request) == "critique" else f"Please: {shown}"

    outcome = revised(await Critique(model=Scripted(answer=answer)).label(question(KIND, response=response)))
    assert outcome.completion.text == "Please: Type <|im_end|> to stop."


async def test_where_nothing_was_broken_a_backslash_is_the_models_own() -> None:
    """Taking it out would make a token of what the model wrote as text."""
    model = Scripted(answer=lambda request: "no" if asks_for(request) == "critique" else "Write <\\|im_end|>.")
    assert revised(await Critique(model=model).label(question(KIND))).completion.text == "Write <\\|im_end|>."


async def test_settings_reach_the_request() -> None:
    """Room, temperature, and a seed for each request."""
    model = Scripted(answer=answers)
    await Critique(model=model, rounds=2, max_tokens=77, temperature=0.3).label(question(KIND))
    assert {(request.max_tokens, request.temperature) for request in model.seen} == {(77, 0.3)}
    seeds = [request.seed for request in model.seen]
    assert len(set(seeds)) == 4
    other = Scripted(answer=answers)
    await Critique(model=other, rounds=2, seed=1).label(question(KIND))
    assert not set(seeds) & {request.seed for request in other.seen}


# ---------------------------------------------------------------- what is recorded


async def test_a_revision_is_a_completion_with_all_that_led_to_it() -> None:
    """Text, model, seed and temperature of the last request; white space around replies is none of theirs."""
    model = Scripted(answer=answers, model="tutor", price=Price(input=0, output=1e6))
    judgment = await Critique(model=model).label(question(TRUE))
    critique = "critique of 'Go away.'"
    revision = f"revision of {critique!r}"
    assert revised(judgment) == Revised(
        completion=Completion(
            text=revision,
            model="tutor",
            seed=model.seen[-1].seed,
            temperature=0.7,
            usage=Usage(output_tokens=3),
        ),
        rounds=(Revision(principle="true", critique=critique, revision=revision),),
    )
    assert (judgment.options, judgment.principles) == ((RAW.id,), ("true",))
    assert (judgment.usage, judgment.cost_usd) == (Usage(output_tokens=6), 6.0)


async def test_each_round_begins_at_the_revision_before() -> None:
    """Under the next principle, and the first again after the last."""
    model = Scripted(answer=answers)
    outcome = revised(await Critique(model=model, rounds=3).label(question(KIND, TRUE)))
    assert [one.principle for one in outcome.rounds] == ["kind", "true", "kind"]
    shown = [request.messages[1].content for request in model.seen[::2]]
    assert shown == ["Go away.", outcome.rounds[0].revision, outcome.rounds[1].revision]
    assert outcome.completion.text == outcome.rounds[2].revision
    assert [len(request.messages) for request in model.seen] == [3, 5, 3, 5, 3, 5]


# ---------------------------------------------------------------- what is asked


@pytest.mark.parametrize(("completions", "texts"), [("first", "a"), ("all", "abc"), (2, "ab"), (9, "abc")])
async def test_as_many_responses_are_revised_as_set(completions: str | int, texts: str) -> None:
    """Of those that differ in text, in their order."""
    critique = Critique(model=Scripted(answer=answers), completions=completions)
    asked = list(critique.questions(about("a", "a", "b", "c"), BOTH))
    assert [one.options[0].text for one in asked] == list(texts)
    assert critique.expected_questions(3, 2) == 2 * len(texts)


async def test_examining_gives_a_judgment_a_response() -> None:
    """Through the same door as every labeler."""
    candidates = about("a", "b")
    judgments = await Critique(model=Scripted(answer=answers), completions="all").examine(candidates, BOTH)
    assert [judgment.options for judgment in judgments] == [(one.id,) for one in candidates.completions]
    assert all(isinstance(judgment.outcome, Revised) for judgment in judgments)


@pytest.mark.parametrize(("rounds", "drawn"), [(1, 1), (2, 2), (5, 2)])
def test_principles_are_drawn_without_replacement(rounds: int, drawn: int) -> None:
    """Two apply; with more rounds than that, both are drawn and come again."""
    (asked,) = Critique(model=Scripted(), rounds=rounds).questions(about("a"), BOTH)
    assert len(asked.principles) == len(set(asked.principles)) == drawn
    assert set(asked.principles) <= {KIND, TRUE}


def test_heavier_principles_are_drawn_more_often() -> None:
    """Weights 3 : 1 over 400 responses: 300 expected, 8.7 the standard deviation."""
    heavy = Constitution(name="heavy", principles=(KIND.model_copy(update={"weight": 3.0}), TRUE))
    critique = Critique(model=Scripted(), completions="all")
    drawn = Counter(
        asked.principles[0].id for asked in critique.questions(about(*(f"text {n}" for n in range(400))), heavy)
    )
    assert 265 < drawn["kind"] < 335


def test_the_seed_decides_the_draw() -> None:
    """The same again with the same; others with another, for some of forty responses."""
    candidates = about(*(f"text {n}" for n in range(40)))

    def drawn(seed: int) -> list[str]:
        critique = Critique(model=Scripted(), completions="all", seed=seed)
        return [asked.principles[0].id for asked in critique.questions(candidates, BOTH)]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_no_principle_that_applies_means_no_question() -> None:
    """There is nothing to critique by."""
    sums = Constitution(name="sums", principles=(SUMS,))
    assert list(Critique(model=Scripted()).questions(about("a"), sums)) == []
    assert Critique(model=Scripted()).expected_questions(1, 0) == 0


@pytest.mark.parametrize(
    ("completions", "rounds", "n", "expected"), [("first", 3, 4, 6), ("all", 2, 4, 16), (2, 1, 1, 2)]
)
def test_expected_questions_are_requests(completions: str | int, rounds: int, n: int, expected: int) -> None:
    """Two a round, whatever the number of principles."""
    critique = Critique(model=Scripted(), completions=completions, rounds=rounds)
    assert critique.expected_questions(n, 1) == critique.expected_questions(n, 7) == expected


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("reply", "stop", "reason", "raw"),
    [
        (" \n", "end", "unparseable", "the reply is empty"),
        ("It is ru", "length", "truncated", "It is ru"),
        ("I cannot", "refused", "refused", "I cannot"),
        ("", "filtered", "filtered", ""),
    ],
)
@pytest.mark.parametrize("step", ["critique", "revision"])
async def test_half_a_round_is_no_revision(
    reply: str, stop: StopReason, reason: FailureReason, raw: str, step: str
) -> None:
    """Either can fail; the judgment says which, why, and what was said instead."""

    def answer(request: Request) -> Reply:
        return Reply(text=reply, stop=stop) if asks_for(request) == step else answers(request)

    model = Scripted(answer=answer, model=f"{step}:{reason}")
    judgment = await Critique(model=model, rounds=2).label(question(KIND))
    assert judgment.outcome == Failed(reason=reason, raw=f"round 1, {step}: {raw}")


async def test_what_a_failed_revision_cost_is_on_the_bill() -> None:
    """The critique was written, and the revision was cut off."""

    def answer(request: Request) -> Reply:
        done = asks_for(request) == "critique"
        return Reply(text="x", stop="end" if done else "length", usage=Usage(output_tokens=3))

    judgment = await Critique(model=Scripted(answer=answer), temperature=0).label(question(KIND))
    assert judgment.usage == Usage(output_tokens=6)


@pytest.mark.parametrize(("reasks", "asked"), [(0, 2), (3, 5)])
async def test_a_reply_that_is_no_use_is_asked_for_again(reasks: int, asked: int) -> None:
    """As often as set: a critique, and revisions that are empty."""
    model = Scripted(answer=lambda request: "no" if asks_for(request) == "critique" else "")
    await Critique(model=model, reasks=reasks).label(question(KIND))
    assert len(model.seen) == asked


async def test_an_empty_response_is_not_sent() -> None:
    """Providers reject a turn without text, which would stop the stage."""
    model = Scripted()
    blank = Completion(text=" \n", model="policy")
    outcome = (await Critique(model=model).label(question(KIND, response=blank))).outcome
    assert outcome == Failed(reason="error", raw="the response is empty: there is nothing to revise")
    assert model.seen == ()


async def test_a_model_that_cannot_be_asked_stops_the_stage() -> None:
    """A wrong key would fail every response one by one."""
    with pytest.raises(ModelRejected):
        await Critique(model=Scripted(replies=({"when": "", "fault": "rejected"},))).label(question(KIND))


async def test_a_question_about_two_or_under_nothing_is_refused() -> None:
    """A bug of the caller."""
    two = Question(prompt=PROMPT, principles=(KIND,), options=about("a", "b").completions)
    for wrong in (two, question()):
        with pytest.raises(ValueError, match="1 option and a principle"):
            await Critique(model=Scripted()).label(wrong)


@pytest.mark.parametrize("settings", [{"rounds": 0}, {"completions": 0}, {"completions": "some"}, {"temperature": -1}])
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    """Before anything is asked."""
    with pytest.raises(ValidationError):
        Critique(model=Scripted(), **settings)


@pytest.mark.parametrize("name", ["harmlessness", "honesty", "helpfulness", "strict-format"])
async def test_every_shipped_constitution_has_its_own_requests(name: str) -> None:
    """Each of its principles asks in its own words."""
    model = Scripted(answer=answers)
    for principle in resolve(name).principles:
        await Critique(model=model).label(question(principle))
        critique, revision = model.seen[-2:]
        assert principle.critique
        assert principle.revision
        assert principle.critique.strip() in critique.messages[-1].content
        assert principle.revision.strip() in revision.messages[-1].content

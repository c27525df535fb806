"""The one way to ask a judge: what heals is asked for again, what does not is a failure with its reason."""

from collections.abc import AsyncIterator

import pytest

from solon.data.records import Failed, Message, Usage
from solon.errors import ModelRejected, ModelUnavailable, PromptTooLong
from solon.labelers.asking import asked
from solon.labelers.base import Labeler
from solon.labelers.critique import Critique
from solon.labelers.pairwise import Pairwise
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Retries, Stream

REQUEST = Request(messages=(Message(role="user", content="Well?"),), max_tokens=16)


@pytest.fixture(autouse=True)
async def stream() -> AsyncIterator[None]:
    """What questions go through; it tries again at once."""
    async with Stream(None, run="test", stage="label", retries=Retries(tries=2, first_wait_s=0)):
        yield


def number(reply: Reply) -> int | Failed:
    """A reader: whole numbers alone."""
    return int(reply.text) if reply.text.isdecimal() else Failed(reason="unparseable", raw=reply.text)


def behind_a_network(*replies: object, **settings: object) -> Scripted:
    """A judge that may answer differently when it is asked again."""
    return Scripted(replies=replies, remote=True, price=Price(input=0, output=1e6), **settings)


async def test_a_reply_that_cannot_be_read_is_asked_for_again() -> None:
    """The third is a number; each attempt is a request of its own, so that the ledger keeps all three."""
    judge = behind_a_network("well", "hm", "3", "4")
    answer = await asked(judge, REQUEST, number, reasks=2)
    assert (answer.outcome, answer.text) == (3, "3")
    assert [request.attempt for request in judge.seen] == [0, 1, 2]
    assert {request.model_copy(update={"attempt": 0}) for request in judge.seen} == {REQUEST}


async def test_every_reply_was_paid_for() -> None:
    """4, 12 and 1 characters are 1, 3 and 1 tokens written, at a dollar each; 5 characters are 2 tokens read."""
    answer = await asked(behind_a_network("well", "let me think", "3"), REQUEST, number, reasks=2)
    assert answer.usage == Usage(input_tokens=6, output_tokens=5)
    assert answer.cost_usd == 5.0


@pytest.mark.parametrize("reasks", [0, 1, 3])
async def test_it_is_asked_again_so_often_and_no_oftener(reasks: int) -> None:
    """What never heals is a failure with what was said last."""
    judge = behind_a_network(*"abcdefg")
    answer = await asked(judge, REQUEST, number, reasks=reasks)
    assert len(judge.seen) == 1 + reasks
    assert answer.outcome == Failed(reason="unparseable", raw="abcdefg"[reasks])


async def test_a_local_model_that_is_greedy_is_asked_once() -> None:
    """It would say the same again; at a temperature it may not."""
    greedy, warm = (Scripted(replies=("a", "2"), model=name) for name in ("greedy", "warm"))
    assert isinstance((await asked(greedy, REQUEST, number, reasks=2)).outcome, Failed)
    assert (await asked(warm, REQUEST.model_copy(update={"temperature": 1.0}), number, reasks=2)).outcome == 2
    assert (len(greedy.seen), len(warm.seen)) == (1, 2)


@pytest.mark.parametrize("stop", ["refused", "filtered"])
async def test_who_refuses_is_not_pressed(stop: str) -> None:
    """A refusal holds no verdict, whatever its text looks like."""
    judge = behind_a_network({"say": "3", "stop": stop}, "4")
    assert (await asked(judge, REQUEST, number, reasks=2)).outcome == Failed(reason=stop, raw="3")
    assert len(judge.seen) == 1


def raises(error: Exception) -> Scripted:
    """A judge that never gives a reply."""

    def answer(_: Request) -> str:
        raise error

    return Scripted(answer=answer, model=repr(error))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModelUnavailable("overloaded"), "unavailable"),
        (ModelUnavailable("no choices", malformed=True), "malformed"),
        (PromptTooLong("9,000 tokens"), "too_long"),
    ],
)
async def test_no_reply_is_a_failure_that_says_why(error: Exception, reason: str) -> None:
    """The stage goes on with the next question."""
    answer = await asked(raises(error), REQUEST, number, reasks=2)
    assert isinstance(answer.outcome, Failed)
    assert (answer.outcome.reason, answer.text) == (reason, None)
    assert str(error) in (answer.outcome.raw or "")


async def test_a_model_that_is_not_there_stops_the_stage() -> None:
    """A wrong key is wrong for every question."""
    with pytest.raises(ModelRejected, match="bad key"):
        await asked(raises(ModelRejected("bad key")), REQUEST, number, reasks=2)


class Reasoner(Scripted):
    """A judge that thinks before it answers."""

    @property
    def reasons(self) -> bool:
        """It does."""
        return True


@pytest.mark.parametrize(
    ("labeler", "cut_off_at"),
    [
        (Pairwise(judge=Reasoner()), 16),
        (Pairwise(judge=Reasoner(), answer="json"), 64),
        (Pairwise(judge=Reasoner(), max_tokens=255), 255),
        (Pairwise(judge=Reasoner(), max_tokens=256), None),
        (Pairwise(judge=Reasoner(), reasoning=True), None),
        (Pairwise(judge=Scripted()), None),
        (Critique(model=Reasoner(), max_tokens=100), 100),
        (Critique(model=Reasoner()), None),
    ],
)
def test_a_labeler_that_leaves_a_judge_no_room_to_think_says_so(labeler: Labeler, cut_off_at: int | None) -> None:
    """Every reply would be paid for, cut off, and asked for again."""
    said = (
        f"scripted reasons before it answers, and would be cut off at {cut_off_at} tokens, its thoughts included. "
        "Set `max_tokens: 1000` beside it, or turn its reasoning off where that can be done"
    )
    assert labeler.problems() == ([] if cut_off_at is None else [said])

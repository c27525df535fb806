"""A whole stage as one batch of its provider: recorded before it is waited for, taken up again, asked again in part."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import PrivateAttr

from solon.data.records import Message, Usage
from solon.errors import BudgetReached, ModelDown, ModelRejected, ModelUnavailable, PromptTooLong
from solon.ledger import Ledger
from solon.models.base import ChatModel, Price, Reply, Request
from solon.models.batch import Arrival, BatchApi, BatchState, Collected, Refused
from solon.models.scripted import Scripted
from solon.stream import Event, Pace, Retries, Stream, ask
from solon.testing import VirtualClock


class Provider:
    """A provider's batches in memory. What it is asked is in ``calls``; ``answer`` decides what comes of a request."""

    most_requests = 1000
    most_bytes = 1_000_000

    def __init__(self, answer: Callable[[str, int], Collected | None] | None = None, *, polls: int = 2) -> None:
        self.calls: list[str] = []
        self.batches: dict[str, dict[str, Request]] = {}
        self.labels: dict[str, str] = {}
        self.asked: dict[str, int] = {}
        self.polls = polls
        self.polled: dict[str, int] = {}
        self.problems: list[ModelUnavailable | ModelRejected] = []
        self.fail_next: dict[str, list[Exception]] = {}
        self.sees = True  # whether ``find`` finds what is there
        self.was_called: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._answer = answer or (lambda text, times: says(text))

    def _called(self, verb: str) -> None:
        self.calls.append(verb)
        self.was_called[verb].set()
        if errors := self.fail_next.get(verb):
            raise errors.pop(0)

    def size_of(self, request: Request) -> int:
        """Characters of the last message."""
        return len(request.messages[-1].content)

    async def submit(self, requests: Mapping[str, Request], *, label: str) -> str:
        """As told; what may be billed has arrived."""
        error = None
        try:
            self._called("submit")
        except ModelUnavailable as failed:
            if not failed.maybe_billed:
                raise
            error = failed
        batch = f"batch_{len(self.batches)}"
        self.batches[batch], self.labels[label] = dict(requests), batch
        if error is not None:
            raise error
        return batch

    async def find(self, label: str, *, since: float, requests: int) -> Arrival:
        """By its label, unless it cannot see."""
        self._called("find")
        return Arrival(self.labels.get(label)) if self.sees else Arrival(sure=False)

    async def poll(self, batch: str) -> BatchState:
        """Done at the ``polls``-th look."""
        self._called("poll")
        self.polled[batch] = self.polled.get(batch, 0) + 1
        if self.problems:
            return BatchState(ended=True, problem=self.problems.pop(0))
        total = len(self.batches[batch])
        ended = self.polled[batch] >= self.polls
        return BatchState(ended=ended, done=total if ended else 0, total=total)

    async def collect(
        self, batch: str, request_of: Callable[[str], Request | None]
    ) -> AsyncGenerator[tuple[str, Collected]]:
        """The last first."""
        self._called("collect")
        for name, request in reversed(self.batches[batch].items()):
            if request_of(name) is None:
                continue
            text = request.messages[-1].content
            times = self.asked[text] = self.asked.get(text, 0) + 1
            came = self._answer(text, times)
            if came is not None:
                yield name, came


class Batched(ChatModel):
    """A remote model that is asked by batches."""

    kind: ClassVar[str] = "batched"
    label: str = "judge"
    price: Price | None = Price(input=1, output=1, batch=0.5)
    _provider: BatchApi = PrivateAttr()

    @property
    def remote(self) -> bool:
        """Always."""
        return True

    def cost(self) -> Price | None:
        """As set."""
        return self.price

    def describe(self) -> dict[str, object]:
        """Its name alone."""
        return {"kind": self.kind, "label": self.label}

    def provider_batches(self) -> BatchApi:
        """Whatever it was given."""
        return self._provider


def judge(provider: Provider, **settings: object) -> Batched:
    model = Batched(**settings)
    model._provider = provider
    return model


def says(text: str) -> Reply:
    return Reply(text=f"to {text}", usage=Usage(input_tokens=100, output_tokens=10))


def request(text: str, max_tokens: int = 10) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=max_tokens)


def stream(ledger: Ledger | None, **settings: object) -> Stream:
    settings = {"run": "r", "stage": "s", "clock": VirtualClock(), **settings}
    return Stream(ledger, **settings)


async def ask_all(model: ChatModel, *texts: str) -> list[str]:
    replies = await asyncio.gather(*(ask(model, request(text)) for text in texts))
    return [reply.text for reply in replies]


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger.open(tmp_path / "l.sqlite") as opened:
        yield opened


# ---------------------------------------------------------------- one batch


async def test_all_that_is_asked_at_the_same_time_is_one_batch(ledger: Ledger):
    """Deeds that pass through several tasks before they ask still go out with the others."""
    provider = Provider()
    model = judge(provider)

    async def nested(depth: int) -> str:
        if depth:
            return (await asyncio.gather(nested(depth - 1)))[0]
        return (await ask_all(model, "deep"))[0]

    async with stream(ledger) as opened:
        answers = await asyncio.gather(ask_all(model, "a", "b", "c"), nested(5))
    assert answers == [["to a", "to b", "to c"], "to deep"]
    assert provider.calls == ["submit", "poll", "poll", "collect"]
    assert [len(batch) for batch in provider.batches.values()] == [4]
    assert (opened.tally.sent, opened.tally.retried) == (4, 0)


async def test_a_reply_is_paid_at_the_batch_price(ledger: Ledger):
    """100 tokens read and 10 written at $1 a million, half of it: $0.000055."""
    async with stream(ledger, keeps_worth=True) as opened:
        await ask_all(judge(Provider()), "a")
    (entry,) = ledger.entries()
    assert entry.reply.batched
    assert entry.cost_usd == opened.tally.usd == opened.worth() == pytest.approx(0.000055)


async def test_the_id_is_in_the_ledger_before_the_first_poll(ledger: Ledger):
    """Whatever happens from then on, the batch can be found."""
    provider = Provider()
    seen = []

    async def poll(batch: str) -> BatchState:
        seen.append([(one.id, one.phase, one.open) for one in ledger.batches()])
        return BatchState(ended=True)

    provider.poll = poll
    async with stream(ledger):
        await ask_all(judge(provider), "a", "b")
    assert seen == [[("batch_0", "submitted", 2)]]
    (batch,) = ledger.batches()
    assert (batch.phase, batch.requests, batch.open, batch.run, batch.stage) == ("collected", 2, 0, "r", "s")


async def test_what_the_ledger_knows_is_not_sent_again(ledger: Ledger):
    """A rerun asks for what is missing."""
    provider = Provider()
    for texts in (("a", "b"), ("a", "b", "c")):
        async with stream(ledger) as opened:
            await ask_all(judge(provider), *texts)
    assert [len(batch) for batch in provider.batches.values()] == [2, 1]
    assert opened.tally.from_ledger == 2


async def test_without_a_ledger_it_works_as_well():
    """Nothing is recorded then, and nothing can be taken up again."""
    provider = Provider()
    async with stream(None):
        assert await ask_all(judge(provider), "a", "b") == ["to a", "to b"]
    assert len(provider.batches) == 1


async def test_a_batch_is_looked_at_less_and_less_often(ledger: Ledger):
    """After 1 second, 2 more, 4, and then every 5: at most so often that nobody is annoyed."""
    clock = VirtualClock()
    provider = Provider(polls=6)
    times = []
    called = provider._called

    def timed(verb: str) -> None:
        times.append(clock.now())
        called(verb)

    provider._called = timed
    async with stream(ledger, clock=clock, pace=Pace(first_s=1, factor=2, longest_s=5)):
        await ask_all(judge(provider), "a")
    looks = times[1:-1]  # without the submission and the download
    assert [later - earlier for earlier, later in pairwise(looks)] == [2, 4, 5, 5, 5]


async def test_progress_is_told(ledger: Ledger):
    """A bar that stands still for hours looks like a program that hangs."""
    events: list[Event] = []
    async with stream(ledger, on_event=events.append):
        await ask_all(judge(Provider()), "a", "b")
    told = [(event.kind, event.detail) for event in events if event.kind in ("batch", "waiting")]
    assert told == [
        ("batch", "batch_0: 2 requests handed over"),
        ("waiting", "batch_0: 0 of 2 done"),
        ("waiting", "batch_0: 2 of 2 done"),
    ]


# ---------------------------------------------------------------- how it is cut


async def test_more_than_fits_goes_out_as_several_batches_at_once(ledger: Ledger):
    """By number and by bytes; the first asked go first."""
    provider = Provider()
    provider.most_requests = 3
    async with stream(ledger):
        await ask_all(judge(provider), *"abcdefg")
    assert [len(batch) for batch in provider.batches.values()] == [3, 3, 1]
    provider = Provider()
    provider.most_bytes = 10
    async with stream(ledger):
        await ask_all(judge(provider), "aaaa", "bbbbb", "ccc", "dddddddd")
    texts = [[one.messages[0].content for one in batch.values()] for batch in provider.batches.values()]
    assert texts == [["aaaa", "bbbbb"], ["ccc"], ["dddddddd"]]


async def test_a_request_too_large_for_any_batch_fails_alone(ledger: Ledger):
    """It would make the provider refuse all others."""
    provider = Provider()
    provider.most_bytes = 10
    model = judge(provider)
    async with stream(ledger):
        large, small = await asyncio.gather(
            ask(model, request("x" * 11)), ask(model, request("y")), return_exceptions=True
        )
    assert isinstance(large, PromptTooLong)
    assert small.text == "to y"


async def test_a_stage_of_many_prompts_is_one_batch_a_round(ledger: Ledger):
    """A deed that asks twice, one question after the other, needs two batches, however many prompts there are."""
    provider = Provider()
    model = judge(provider)

    async def deed(number: int) -> str:
        first = await ask(model, request(f"{number}"))
        return (await ask(model, request(f"{first.text} again"))).text

    async with stream(ledger) as opened:
        results = [result async for _, result in opened.map(deed, range(300), window=1000)]
    assert results == [f"to to {number} again" for number in range(300)]
    assert [len(batch) for batch in provider.batches.values()] == [300, 300]


async def test_a_batch_waits_for_a_judge_that_answers_at_once(ledger: Ledger):
    """In a cascade the batch holds all that the first judge is unsure of, however long that one takes."""
    provider = Provider()
    slow, expensive = Scripted(default="unsure", remote=True, price=Price(input=0, output=0)), judge(provider)

    async def deed(number: int) -> str:
        await ask(slow, request(f"{number}"))
        return (await ask(expensive, request(f"{number}"))).text

    async with stream(ledger) as opened:
        results = [result async for _, result in opened.map(deed, range(100), window=200)]
    assert len(results) == 100
    assert [len(batch) for batch in provider.batches.values()] == [100]


async def test_a_judge_that_never_comes_to_rest_does_not_hold_a_batch_up_for_ever(ledger: Ledger):
    """After ``gather_s`` it goes out as it is."""
    provider = Provider()

    released = asyncio.Event()

    class Slow(ChatModel):
        kind: ClassVar[str] = "slow"

        async def complete(self, request: Request) -> Reply:
            await released.wait()
            return Reply(text="at last")

    async with stream(ledger, pace=Pace(gather_s=60)):
        slow = asyncio.ensure_future(ask(Slow(), request("x")))
        await asyncio.sleep(0)
        assert await ask_all(judge(provider), "a") == ["to a"]
        released.set()
        assert (await slow).text == "at last"


async def test_two_judges_by_batch_and_a_local_one_come_to_an_end_together(ledger: Ledger):
    """A panel whose members wait in different ways must not wait for each other for ever."""
    first, second = Provider(), Provider(polls=5)
    members = (
        judge(first),
        judge(second, label="other"),
        Scripted(default="yes", batch_size=4),
        Scripted(default="no"),
    )

    async def deed(number: int) -> list[str]:
        replies = await asyncio.gather(*(ask(member, request(f"{number}")) for member in members))
        again = await asyncio.gather(*(ask(member, request(f"{number} again")) for member in members[1:3]))
        return [reply.text for reply in (*replies, *again)]

    async with stream(ledger) as opened:
        results = [result async for _, result in opened.map(deed, range(20), window=50)]
    assert results == [[f"to {n}", f"to {n}", "yes", "no", f"to {n} again", "yes"] for n in range(20)]
    assert [[len(batch) for batch in one.batches.values()] for one in (first, second)] == [[20], [20, 20]]


# ---------------------------------------------------------------- what is no reply


async def test_what_expired_goes_out_again_with_the_next_batch(ledger: Ledger):
    """And only that; partial results are taken."""
    provider = Provider(lambda text, times: says(text) if times > 1 or text != "b" else ModelUnavailable("expired"))
    async with stream(ledger) as opened:
        assert await ask_all(judge(provider), *"abc") == ["to a", "to b", "to c"]
    assert [len(batch) for batch in provider.batches.values()] == [3, 1]
    assert (opened.tally.sent, opened.tally.retried, opened.tally.in_doubt) == (4, 1, 0)
    assert ledger.in_doubt() == []


async def test_what_never_came_goes_out_again_too(ledger: Ledger):
    """A provider that forgets a line has not answered it."""
    provider = Provider(lambda text, times: says(text) if times > 1 or text != "b" else None)
    async with stream(ledger):
        assert await ask_all(judge(provider), *"abc") == ["to a", "to b", "to c"]
    assert [len(batch) for batch in provider.batches.values()] == [3, 1]


async def test_a_request_that_never_comes_is_given_up_after_its_tries(ledger: Ledger):
    """The others are not held up by it, and each try but the first is counted."""
    provider = Provider(lambda text, times: ModelUnavailable("expired") if text == "b" else says(text))
    model = judge(provider)
    async with stream(ledger, retries=Retries(tries=3)) as opened:
        replies = await asyncio.gather(*(ask(model, request(text)) for text in "abc"), return_exceptions=True)
    assert [isinstance(reply, ModelUnavailable) for reply in replies] == [False, True, False]
    assert [len(batch) for batch in provider.batches.values()] == [3, 1, 1]
    assert (opened.tally.retried, opened.tally.unavailable) == (2, 1)


async def test_a_reply_that_is_none_may_be_billed_and_is_in_doubt(ledger: Ledger):
    """What the provider answered without sense may be on the bill, and it is asked again."""
    broken = ModelUnavailable("no message", maybe_billed=True, malformed=True)
    provider = Provider(lambda text, times: says(text) if times > 1 else broken)
    async with stream(ledger, max_usd=1):
        assert await ask_all(judge(provider), "a") == ["to a"]
    (doubt,) = ledger.in_doubt()
    assert doubt.answered


async def test_a_request_that_is_refused_fails_alone_when_others_are_answered(ledger: Ledger):
    """It is this request that the provider does not take; asking again costs a day and changes nothing."""
    provider = Provider(lambda text, times: Refused("no such character") if text == "b" else says(text))
    model = judge(provider)
    async with stream(ledger):
        replies = await asyncio.gather(*(ask(model, request(text)) for text in "abc"), return_exceptions=True)
    assert isinstance(replies[1], ModelUnavailable)
    assert "no such character" in str(replies[1])
    assert len(provider.batches) == 1
    async with stream(ledger):  # asked alone in a rerun, after others were answered long ago
        with pytest.raises(ModelUnavailable, match="no such character"):
            await ask(model, request("b"))


async def test_when_every_request_is_refused_the_stage_stops(ledger: Ledger):
    """Then it is not the request but the way of asking, and the user has to hear of it once."""
    provider = Provider(lambda text, times: Refused("temperature is not supported"))
    model = judge(provider)
    async with stream(ledger):
        for _ in range(2):
            with pytest.raises(ModelRejected, match="temperature is not supported"):
                await ask_all(model, "a", "b")
    assert len(provider.batches) == 1


async def test_a_prompt_too_long_fails_alone(ledger: Ledger):
    """As it does when it is asked by itself."""
    provider = Provider(lambda text, times: PromptTooLong("too long") if text == "b" else says(text))
    model = judge(provider)
    async with stream(ledger):
        replies = await asyncio.gather(*(ask(model, request(text)) for text in "ab"), return_exceptions=True)
    assert isinstance(replies[1], PromptTooLong)
    assert len(provider.batches) == 1


async def test_a_row_that_says_the_model_is_wrong_stops_the_stage_and_keeps_the_replies(ledger: Ledger):
    """Quota used up halfway: what was answered is paid for and recorded, the rest is not asked in vain."""
    provider = Provider(lambda text, times: ModelRejected("quota used up") if text == "b" else says(text))
    model = judge(provider)
    async with stream(ledger):
        replies = await asyncio.gather(*(ask(model, request(text)) for text in "abc"), return_exceptions=True)
    assert [type(reply) for reply in replies] == [Reply, ModelRejected, Reply]
    assert len(list(ledger.entries())) == 2
    assert len(provider.batches) == 1


# ---------------------------------------------------------------- the whole batch fails


async def test_a_refused_batch_stops_the_stage_after_one_try(ledger: Ledger):
    """Nothing of it is owed."""
    provider = Provider()
    provider.problems = [ModelRejected("model_not_found")]
    model = judge(provider)
    async with stream(ledger, max_usd=1):
        for _ in range(2):
            with pytest.raises(ModelRejected, match="model_not_found"):
                await ask_all(model, "a", "b")
    assert provider.calls.count("submit") == 1
    assert [(batch.phase, batch.open) for batch in ledger.batches()] == [("refused", 0)]
    assert ledger.in_doubt() == []


async def test_a_provider_that_asks_for_less_at_once_gets_less(ledger: Ledger):
    """Half, one batch at a time, and no try is used up."""
    provider = Provider()
    provider.problems = [ModelUnavailable("enqueued token limit", throttled=True) for _ in range(2)]
    async with stream(ledger, retries=Retries(tries=1)) as opened:
        await ask_all(judge(provider), *"abcdefgh")
    assert [len(batch) for batch in provider.batches.values()] == [8, 4, 2, 4, 2]
    assert opened.tally.throttled == 2


async def test_a_submission_that_was_not_taken_is_tried_again(ledger: Ledger):
    """An overload before anything arrived: the same batch goes out once more."""
    provider = Provider()
    provider.fail_next["submit"] = [ModelUnavailable("overloaded"), ModelUnavailable("slow down", throttled=True)]
    async with stream(ledger):
        assert await ask_all(judge(provider), "a") == ["to a"]
    assert provider.calls == ["submit", "submit", "submit", "poll", "poll", "collect"]
    assert [batch.phase for batch in ledger.batches()] == ["collected"]


async def test_a_submission_whose_end_nobody_saw_is_looked_for_and_not_sent_twice(ledger: Ledger):
    """The connection broke, but the provider has the batch."""
    provider = Provider()
    provider.fail_next["submit"] = [ModelUnavailable("broke off", maybe_billed=True)]
    async with stream(ledger):
        assert await ask_all(judge(provider), "a") == ["to a"]
    assert provider.calls == ["submit", "find", "poll", "poll", "collect"]


async def test_a_provider_that_cannot_be_reached_stops_the_stage_and_owes_nothing(ledger: Ledger):
    """Everything so far is kept, and the same command goes on."""
    provider = Provider()
    provider.fail_next["submit"] = [ModelUnavailable("down")] * 6
    model = judge(provider)
    async with stream(ledger, max_usd=1):
        with pytest.raises(ModelDown, match=r"judge|batched"):
            await ask_all(model, "a")
    assert [(batch.phase, batch.open) for batch in ledger.batches()] == [("refused", 0)]
    async with stream(ledger, max_usd=1):
        assert await ask_all(model, "a") == ["to a"]


async def test_an_hour_without_the_network_does_not_end_the_waiting(ledger: Ledger):
    """A batch takes a day; a laptop sleeps. After ``patience_s`` without an answer the stage stops."""
    provider = Provider()
    provider.fail_next["poll"] = [ModelUnavailable("no network")] * 20
    model = judge(provider)
    async with stream(ledger, pace=Pace(longest_s=60)):
        assert await ask_all(model, "a") == ["to a"]
    provider.fail_next["poll"] = [ModelUnavailable("no network")] * 1000
    async with stream(ledger, pace=Pace(longest_s=60)):
        with pytest.raises(ModelDown, match="no network"):
            await ask_all(model, "b")
    provider.fail_next["poll"] = []
    async with stream(ledger):
        assert await ask_all(model, "b") == ["to b"]
    assert provider.calls.count("submit") == 2


async def test_results_that_break_off_are_read_on_and_nothing_is_recorded_twice(ledger: Ledger):
    """A download of hours' work must not begin at nought, nor count money twice."""
    provider = Provider()
    whole = provider.collect

    async def collect(batch: str, request_of: Callable[[str], Request | None]) -> AsyncGenerator[tuple[str, Collected]]:
        count = 0
        async for one in whole(batch, request_of):
            yield one
            count += 1
            if count == 600 and provider.calls.count("collect") == 1:
                raise ModelUnavailable("broke off")

    provider.collect = collect
    texts = [f"{number}" for number in range(900)]
    async with stream(ledger, max_usd=1) as opened:
        assert await ask_all(judge(provider), *texts) == [f"to {text}" for text in texts]
    assert len(provider.batches) == 1
    assert opened.tally.usd == pytest.approx(900 * 0.000055)
    assert max(provider.asked.values()) == 2
    assert sum(times == 1 for times in provider.asked.values()) >= 500


# ---------------------------------------------------------------- money


async def test_what_has_no_room_in_the_budget_waits_for_the_batch_to_come_back(ledger: Ledger):
    """At most ($1 a million, half of it): 81 bytes of prompt and 10 tokens are $0.0000455, three times what it costs.

    Each reply costs $0.000055 here, so a cap of $0.00025 has room for 5 reservations at first, and for 4 replies.
    """
    provider = Provider(lambda text, times: Reply(text="", usage=Usage(input_tokens=10, output_tokens=10)))
    model = judge(provider)
    async with stream(ledger, max_usd=0.00025):
        await ask_all(model, *"abcdefgh")
    assert [len(batch) for batch in provider.batches.values()] == [5, 3]


async def test_a_budget_that_is_reached_stops_the_stage_after_what_is_paid_for_is_recorded(ledger: Ledger):
    """What went out comes home first."""
    provider = Provider()
    model = judge(provider)
    async with stream(ledger, max_usd=0.0001):
        replies = await asyncio.gather(*(ask(model, request(text)) for text in "abcd"), return_exceptions=True)
    assert [type(reply) for reply in replies] == [Reply, Reply, BudgetReached, BudgetReached]
    assert len(list(ledger.entries())) == 2


# ---------------------------------------------------------------- taken up again


async def left_behind(ledger: Ledger, provider: Provider, *texts: str, max_usd: float | None = None) -> None:
    """A stage that was interrupted while it waited."""
    provider.polls = 10**9
    async with stream(ledger, max_usd=max_usd):
        waiting = asyncio.ensure_future(ask_all(judge(provider), *texts))
        await provider.was_called["poll"].wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    provider.calls.clear()
    provider.polls = 0


async def test_an_interrupted_stage_leaves_at_once_and_says_what_to_do(ledger: Ledger):
    """The batch goes on at the provider; its id is in the ledger."""
    provider = Provider(polls=10**9)
    events: list[Event] = []
    async with stream(ledger, on_event=events.append):
        waiting = asyncio.ensure_future(ask_all(judge(provider), "a"))
        await provider.was_called["poll"].wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert events[-1].detail == "batch_0 goes on at the provider; the same command picks it up"
    (batch,) = ledger.batches()
    assert (batch.id, batch.phase, batch.open, batch.at_work) == ("batch_0", "submitted", 1, False)
    assert ledger.in_doubt() == []


async def test_a_rerun_takes_the_batch_up_and_sends_only_what_is_new(ledger: Ledger):
    """Nothing is asked twice."""
    provider = Provider()
    await left_behind(ledger, provider, "a", "b")
    async with stream(ledger):
        assert await ask_all(judge(provider), "b", "c", "a") == ["to b", "to c", "to a"]
    assert [len(batch) for batch in provider.batches.values()] == [2, 1]
    assert [batch.phase for batch in ledger.batches()] == ["collected", "collected"]


async def test_a_batch_that_is_taken_up_makes_room_in_the_budget_for_what_is_new(ledger: Ledger):
    """Two reservations of $0.0000455 were left; a third does not fit into $0.0001 before they have come back for
    $0.00001 each. Until then they count as spent, as nobody was at work on them when the ledger was asked.
    """
    provider = Provider(lambda text, times: Reply(text=text, usage=Usage(input_tokens=10, output_tokens=10)))
    await left_behind(ledger, provider, "a", "b", max_usd=0.0001)
    async with stream(ledger, max_usd=0.0001):
        assert await ask_all(judge(provider), "a", "b", "c") == ["a", "b", "c"]
    assert [len(batch) for batch in provider.batches.values()] == [2, 1]


def single(**settings: object) -> Scripted:
    """A judge that is asked one by one: a request of one letter is at most 81 tokens and 10 more, $0.000091."""
    return Scripted.model_validate({"default": "5", "remote": True, "price": {"input": 1, "output": 1}, **settings})


async def test_a_batch_left_behind_makes_room_for_a_judge_that_is_asked_one_by_one(ledger: Ledger):
    """A panel of both: of $0.00012 the batch holds $0.000091, and once it is collected it has cost $0.00002.

    The other judge is asked first and finds no room; it waits, and does not hold up the batch that will make some.
    """
    provider = Provider(lambda text, times: Reply(text=text, usage=Usage(input_tokens=10, output_tokens=10)))
    await left_behind(ledger, provider, "a", "b", max_usd=0.00012)
    clock = VirtualClock()
    async with stream(ledger, max_usd=0.00012, clock=clock):
        answers = await asyncio.gather(ask_all(single(), "x"), ask_all(judge(provider), "a", "b"))
    assert answers == [["5"], ["a", "b"]]
    assert [len(batch) for batch in provider.batches.values()] == [2]
    assert clock.now() < 60  # a batch is gathered for ten minutes at most


async def test_what_has_no_room_after_the_batch_left_behind_either_is_refused_when_that_is_recorded(ledger: Ledger):
    """$0.00002 and $0.000091 are more than $0.0001."""
    provider = Provider(lambda text, times: Reply(text=text, usage=Usage(input_tokens=10, output_tokens=10)))
    await left_behind(ledger, provider, "a", "b", max_usd=0.0001)
    async with stream(ledger, max_usd=0.0001):
        answers = await asyncio.gather(
            ask(single(), request("x")), ask_all(judge(provider), "a", "b"), return_exceptions=True
        )
    assert isinstance(answers[0], BudgetReached)
    assert answers[1] == ["a", "b"]


async def test_a_batch_left_behind_that_nobody_asks_for_is_not_waited_for(ledger: Ledger):
    """Nobody would collect it: what it holds may be spent."""
    provider = Provider()
    await left_behind(ledger, provider, "a", "b", max_usd=0.00012)
    async with stream(ledger, max_usd=0.00012):
        with pytest.raises(BudgetReached, match=r"\$0\.0001 of it in doubt"):
            await ask(single(), request("x"))


async def test_a_clock_that_was_put_back_holds_nobody_up(ledger: Ledger):
    """The batch was sent, by the ledger, a day from now: it settles like one that was sent a moment ago."""
    provider = Provider()
    await left_behind(ledger, provider, "a")
    ledger._writing.execute(
        "UPDATE batches SET remote = NULL, phase = 'submitting', submitted_at = submitted_at + 86400"
    )
    provider.batches.clear()
    provider.labels.clear()
    clock = VirtualClock()
    async with stream(ledger, clock=clock, pace=Pace(settle_s=60)):
        assert await ask_all(judge(provider), "a") == ["to a"]
    assert clock.now() < 120


@pytest.mark.reliability("poisoned")
@pytest.mark.parametrize(("rows", "down"), [(1000, False), (50, True)], ids=["5 %", "all"])
async def test_rows_that_never_come_back_with_a_batch_are_no_provider_that_is_down(
    ledger: Ledger, rows: int, down: bool
):
    """All 50 end after the others, with the sixth batch. Where nothing ever came back the provider is down."""
    provider = Provider(lambda text, _: ModelUnavailable("no") if int(text) % (rows // 50) == 0 else says(text))
    model = judge(provider)
    async with stream(ledger) as opened:
        asked = [ask(model, request(f"{number}")) for number in range(rows)]
        came = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(one, ModelUnavailable) for one in came) == 50
        assert opened.tally.sent == rows + 5 * 50
        if down:
            with pytest.raises(ModelDown):
                await ask(model, request("1001"))
        else:
            assert (await ask(model, request("1001"))).text == "to 1001"


@pytest.mark.reliability("clock")
@pytest.mark.parametrize("by", [86400.0, -86400.0], ids=["forwards", "backwards"])
async def test_a_clock_that_jumps_while_a_batch_is_on_its_way_has_it_sent_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, by: float
):
    """The answer to the submission is lost, and the provider lists the batch half a minute later only."""
    provider, clock, now = Provider(), VirtualClock(), time.time
    provider.fail_next["submit"] = [ModelUnavailable("the connection was reset", maybe_billed=True)]

    class Hidden(dict[str, str]):
        def get(self, label: str, default: str | None = None) -> str | None:  # type: ignore[override]
            monkeypatch.setattr("time.time", lambda: now() + by)
            return super().get(label, default) if clock.now() > 30 else None

    provider.labels = Hidden()
    async with stream(ledger, clock=clock, pace=Pace(settle_s=60)):
        assert await ask_all(judge(provider), "a", "b") == ["to a", "to b"]
    assert provider.calls.count("submit") == 1
    assert clock.now() < 300


@pytest.mark.reliability("clock")
@pytest.mark.parametrize("days", [1, 400], ids=["a day", "longer than is searched"])
async def test_a_clock_that_was_put_forwards_has_no_batch_sent_twice(ledger: Ledger, days: int):
    """By the ledger it went out days ago, and the provider lists it half a minute later only."""
    provider, clock = Provider(), VirtualClock()
    await left_behind(ledger, provider, "a")
    ledger._writing.execute(
        "UPDATE batches SET remote = NULL, phase = 'submitting', submitted_at = submitted_at - ?", (days * 86400,)
    )

    class Hidden(dict[str, str]):
        def get(self, label: str, default: str | None = None) -> str | None:  # type: ignore[override]
            return super().get(label, default) if clock.now() > 30 else None

    provider.labels = Hidden(provider.labels)
    async with stream(ledger, clock=clock, pace=Pace(settle_s=60)):
        assert await ask_all(judge(provider), "a") == ["to a"]
    assert len(provider.batches) == 1
    assert clock.now() < 300


async def test_replies_that_nobody_asks_for_any_more_are_recorded_too(ledger: Ledger):
    """They are paid for."""
    provider = Provider()
    await left_behind(ledger, provider, "a", "b")
    async with stream(ledger):
        assert await ask_all(judge(provider), "b") == ["to b"]
    assert {entry.request.messages[0].content for entry in ledger.entries()} == {"a", "b"}


async def test_a_batch_of_which_nobody_knows_whether_it_arrived_is_found(ledger: Ledger):
    """Killed after the submission and before its id was written."""
    provider = Provider()
    await left_behind(ledger, provider, "a", "b")
    ledger._writing.execute("UPDATE batches SET remote = NULL, phase = 'submitting'")
    async with stream(ledger):
        assert await ask_all(judge(provider), "a", "b") == ["to a", "to b"]
    assert provider.calls == ["find", "poll", "collect"]
    assert len(provider.batches) == 1


async def test_a_batch_that_never_arrived_is_sent_once_it_is_sure(ledger: Ledger):
    """Not at once: it may still be on its way. Nothing is in doubt then."""
    provider = Provider()
    await left_behind(ledger, provider, "a", "b")
    ledger._writing.execute("UPDATE batches SET remote = NULL, phase = 'submitting'")
    provider.batches.clear()
    provider.labels.clear()
    clock = VirtualClock()
    async with stream(ledger, clock=clock, pace=Pace(settle_s=60)) as opened:
        assert await ask_all(judge(provider), "a", "b") == ["to a", "to b"]
    assert clock.now() >= 59
    assert [batch.phase for batch in ledger.batches()] == ["refused", "collected"]
    assert (opened.tally.in_doubt, ledger.in_doubt()) == (0, [])


async def test_where_a_provider_cannot_tell_the_requests_are_in_doubt_and_charged(ledger: Ledger):
    """A possible double payment is shown, never hidden."""
    provider = Provider()
    await left_behind(ledger, provider, "a", "b")
    ledger._writing.execute("UPDATE batches SET remote = NULL, phase = 'submitting'")
    provider.sees = False
    async with stream(ledger, pace=Pace(give_up_s=3600)) as opened:
        assert await ask_all(judge(provider), "a", "b") == ["to a", "to b"]
    assert [batch.phase for batch in ledger.batches()] == ["lost", "collected"]
    assert [doubt.answered for doubt in ledger.in_doubt()] == [True, True]
    assert opened.tally.in_doubt == 2


async def test_a_batch_that_a_living_process_waits_for_is_left_to_it(tmp_path: Path):
    """The other gets the replies from the ledger."""
    provider = Provider(polls=40)
    model = judge(provider)
    with Ledger.open(tmp_path / "l.sqlite") as mine, Ledger.open(tmp_path / "l.sqlite") as theirs:

        async def stage(ledger: Ledger) -> list[str]:
            async with Stream(ledger, run="r", stage="s", pace=Pace(first_s=0.01, longest_s=0.01)) as opened:
                return [
                    reply.text
                    for reply in await asyncio.gather(*(opened.ask(model, request(text)) for text in ("a", "b")))
                ]

        first = asyncio.ensure_future(stage(mine))
        await provider.was_called["poll"].wait()
        assert await asyncio.gather(stage(theirs), first) == [["to a", "to b"]] * 2
    assert len(provider.batches) == 1

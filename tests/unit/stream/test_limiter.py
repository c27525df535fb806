"""The limiter of a provider, step by step in virtual time: slots, pauses, buckets, turns, and what it found."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

import pytest

from solon.models.base import Limits
from solon.stream import Found
from solon.stream.bucket import Bucket
from solon.stream.limiter import Limiter
from solon.testing import VirtualClock

NONE = Limits()


@dataclass
class Requests:
    """A line of requests that notes when each of them goes."""

    clock: VirtualClock
    name: str = ""
    waiting: int = 0
    each: float = 0.0
    most: int = 1_000_000
    went: list[tuple[str, float]] = field(default_factory=list)

    def tokens(self) -> float | None:
        """Of the next one."""
        return self.each if self.waiting and len(self.went) < self.most else None

    def go(self) -> None:
        """The next one goes."""
        self.waiting -= 1
        self.went.append((self.name, self.clock.now()))

    @property
    def times(self) -> list[float]:
        """When each went."""
        return [when for _, when in self.went]


def limited(most: int, *, waiting: int, limits: Limits = NONE, each: float = 0.0) -> tuple[Limiter, Requests]:
    clock = VirtualClock()
    limiter, line = Limiter("server", clock), Requests(clock, waiting=waiting, each=each)
    limiter.join(line, most, limits)
    return limiter, line


def opened(most: int, **settings: object) -> tuple[Limiter, Requests]:
    """After the first call, which goes alone: as many as there are slots are under way."""
    limiter, line = limited(most, waiting=most + 1, **settings)
    limiter.admit()
    limiter.left()
    return limiter, line


async def until(line: Requests, went: int) -> None:
    """As long as it takes until so many have gone."""
    while len(line.went) < went:  # noqa: ASYNC110 - in virtual time there is nothing else to wait for
        await asyncio.sleep(0)


async def test_the_first_call_goes_alone_until_it_is_answered():
    """Then all slots are open."""
    limiter, line = limited(4, waiting=6)
    limiter.admit()
    assert len(line.went) == 1
    limiter.left()
    assert len(line.went) == 5
    limiter.close()


async def test_a_first_call_that_is_slow_does_not_hold_up_the_rest_for_long():
    """Ten seconds are enough to import a provider's library and for a wrong key to be refused."""
    limiter, line = limited(4, waiting=4)
    limiter.admit()
    await until(line, 4)
    assert line.times == [0, 10, 10, 10]
    limiter.close()


async def test_too_many_requests_halve_the_slots_and_successes_widen_them():
    """8 slots, all busy: 4 after a throttling, and 5 after at least 16 successes (1/16 each) and at most 20 (1/20)."""
    limiter, _ = opened(8)
    assert limiter.throttled(sent_at=0.0, retry_after=None)
    assert limiter.slots == 4
    assert not limiter.throttled(sent_at=0.0, retry_after=None)  # it was under way before
    assert limiter.slots == 4
    for _ in range(15):
        limiter.succeeded()
    assert limiter.slots == 4
    for _ in range(5):
        limiter.succeeded()
    assert limiter.slots == 5
    limiter.close()


async def test_everybody_pauses_as_long_as_the_server_asked_one_of_them_to():
    """One limiter for all callers of a provider."""
    limiter, line = opened(8)
    line.waiting = 2
    limiter.throttled(sent_at=0.0, retry_after=7.0)
    for _ in range(8):
        limiter.left()
    assert len(line.went) == 9
    await until(line, 11)
    assert line.times[9:] == [7, 7]
    limiter.close()


async def test_a_longer_pause_takes_the_place_of_a_shorter_one():
    """Another call brings news from the server while all pause already; the first timer wakes nobody too early."""
    limiter, line = opened(4)
    line.waiting = 1
    limiter.throttled(sent_at=0.0, retry_after=2.0)
    limiter.throttled(sent_at=0.0, retry_after=5.0)
    for _ in range(4):
        limiter.left()
    await until(line, 6)
    assert line.times[5:] == [5]
    limiter.close()


async def test_models_of_a_provider_take_turns_and_share_what_it_says():
    """Two models of 2 slots each: 4 in all, of which a throttling of either leaves 2."""
    clock = VirtualClock()
    limiter, went = Limiter("server", clock), []
    lines = [Requests(clock, name, waiting=10, went=went) for name in ("one", "other")]
    for line in lines:
        limiter.join(line, 2, NONE)
    limiter.admit()
    limiter.left()
    assert [name for name, _ in went] == ["one", "other", "one", "other", "one"]
    limiter.throttled(sent_at=0.0, retry_after=None)
    assert limiter.slots == 2
    limiter.close()


async def test_a_model_that_may_not_go_leaves_its_turn_to_the_other():
    """One is at its own concurrency; the slots of the provider are not held for it."""
    clock = VirtualClock()
    limiter = Limiter("server", clock)
    full, other = Requests(clock, waiting=10, most=1), Requests(clock, waiting=10)
    for line in (full, other):
        limiter.join(line, 3, NONE)
    limiter.admit()
    limiter.left()
    assert (len(full.went), len(other.went)) == (1, 6)
    limiter.close()


async def test_requests_a_minute_are_spread_evenly():
    """120 a minute are 2 a second: of 7 that could all go at once, 2 do, and each further one half a second later."""
    limiter, line = limited(10, waiting=7, limits=Limits(requests_per_minute=120))
    limiter.admit()
    limiter.left()
    await until(line, 7)
    assert line.times == pytest.approx([0, 0, 0.5, 1.0, 1.5, 2.0, 2.5])
    limiter.close()


async def test_tokens_a_minute_are_counted_as_expected_and_put_right_by_the_reply():
    """6,000 a minute are 100 a second. 50 each: 2 at once, then 2 a second; once they are 10 less, 2.5 a second."""
    limiter, line = limited(10, waiting=4, limits=Limits(tokens_per_minute=6000), each=50)
    limiter.admit()
    limiter.left()
    await until(line, 4)
    assert line.times == pytest.approx([0, 0, 0.5, 1.0])
    limiter.counted(expected=50, tokens=40)
    line.waiting = 1
    limiter.admit()
    await until(line, 5)
    assert line.times[4] == pytest.approx(1.4)
    limiter.close()


async def test_a_request_larger_than_a_second_allows_goes_when_the_bucket_is_full_and_is_paid_off():
    """60 tokens a minute, one of 5: at once; the next of 5 waits until 4 are paid back and 1 is there."""
    limiter, line = limited(10, waiting=2, limits=Limits(tokens_per_minute=60), each=5)
    limiter.admit()
    limiter.left()
    await until(line, 2)
    assert line.times == pytest.approx([0, 5])
    limiter.close()


async def test_of_several_limits_on_one_account_the_lowest_counts():
    """Two models of one provider, one of which its user has set to 60 a minute."""
    clock = VirtualClock()
    limiter, line = Limiter("server", clock), Requests(clock, waiting=3)
    limiter.join(line, 5, Limits(requests_per_minute=600))
    limiter.join(Requests(clock), 5, Limits(requests_per_minute=60))
    limiter.admit()
    limiter.left()
    await until(line, 3)
    assert line.times == pytest.approx([0, 1, 2])
    limiter.close()


def test_a_bucket_never_holds_more_than_a_second_and_never_waits_for_rounding():
    """10 a second: after a minute of rest still 10; 0.1 s after they are gone, 1, whatever the floating point says."""
    bucket = Bucket(600, now=0.0)
    bucket.take(10, now=60.0)
    assert math.isclose(bucket.wait(1, now=60.0), 0.1)
    assert bucket.wait(1, now=60.0 + 0.1) == 0


async def test_it_says_what_it_found():
    """Refused at 0 s; then 2 at a time for 3 s, 1 alone for 1 s, 8 replies in these 4 s: 1.75 in flight, 2 a second."""
    limiter, line = opened(8)
    assert limiter.found() == Found("server", 8, answered=0, throttled=0, in_flight=None, per_second=0.0)
    for _ in range(6):
        limiter.left()
    limiter.throttled(sent_at=0.0, retry_after=None)
    await line.clock.sleep(3)
    for _ in range(7):
        limiter.succeeded()
    limiter.left()
    await line.clock.sleep(1)
    limiter.succeeded()
    found = limiter.found()
    assert (found.answered, found.throttled, found.in_flight, found.per_second) == (8, 1, 1.75, 2.0)
    assert str(found) == "server: settled at 2 in flight, 2 replies a second"
    limiter.close()


def test_what_was_found_reads_as_a_sentence():
    """As the stage's note shows it."""
    never = Found("api.example.com/v1", 64, answered=1000, throttled=0, in_flight=None, per_second=812.4)
    assert str(never) == "api.example.com/v1: no limit met with up to 64 in flight, 812 replies a second"

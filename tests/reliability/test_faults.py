"""Each fault of the server by itself, met by a judge: what becomes of the judgment, and how often it was asked for."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import pytest

from served import model_at
from solon.data.records import Completion, Failed, Judgment, Message, Principle, Prompt, Question
from solon.errors import ModelRejected
from solon.labelers.pairwise import Pairwise
from solon.stream import Retries, Stream
from solon.testing import Fault, FaultServer

TRIES = 2
QUESTION = Question(
    prompt=Prompt(messages=(Message(role="user", content="Hi"),)),
    principles=(Principle(id="brief", text="Be brief."),),
    options=(Completion(text="Hi.", model="m"), Completion(text="Hello there.", model="m")),
)
THROTTLED = (
    Fault.THROTTLED,
    Fault.THROTTLED_WITH_DATE,
    Fault.THROTTLED_WITH_SECONDS,
    Fault.THROTTLED_WITH_MILLISECONDS,
    Fault.THROTTLED_TWICE,
)
UNAVAILABLE = (
    Fault.INTERNAL_ERROR,
    Fault.BAD_GATEWAY,
    Fault.OVERLOADED,
    Fault.RESET_BEFORE,
    Fault.RESET_DURING,
    Fault.TRUNCATED,
    Fault.TWO_LENGTHS,
    Fault.HANG,
    Fault.DRIP,
)
MALFORMED = (
    Fault.WEB_PAGE,
    Fault.WRONG_JSON,
    Fault.ERROR_IN_REPLY,
    Fault.EMPTY_CHOICES,
    Fault.NULL_CONTENT,
    Fault.UNKNOWN_STOP,
    Fault.HUGE,
)
REJECTED = (
    Fault.BAD_REQUEST,
    Fault.UNAUTHORIZED,
    Fault.FORBIDDEN,
    Fault.NOT_FOUND,
    Fault.QUOTA_USED_UP,
    Fault.REDIRECT,
    Fault.WRONG_MODEL,
)
TAKEN = (Fault.RESET_AFTER, Fault.SLOW, Fault.TWO_TYPES, Fault.NO_USAGE)
EXPECTED: dict[Fault, tuple[str, int]] = {
    **dict.fromkeys(THROTTLED, ("scored", TRIES + 1)),  # asking for fewer requests uses up no try
    **dict.fromkeys(UNAVAILABLE, ("unavailable", TRIES)),
    **dict.fromkeys(MALFORMED, ("malformed", TRIES)),
    **dict.fromkeys(REJECTED, ("rejected", 1)),
    **dict.fromkeys(TAKEN, ("scored", 1)),
    Fault.TOO_LONG: ("too_long", 1),
    Fault.FILTERED_PROMPT: ("filtered", 1),
    Fault.FILTERED: ("filtered", 1),
    Fault.REFUSED: ("refused", 1),
    Fault.CUT_OFF: ("truncated", 3),  # asked again by the judge, which has two more attempts
}
"""What becomes of the judgment, and of how many requests, when a fault comes each time (429: as often as there are
tries)."""
OTHERWISE = {
    "endpoint": {},
    "anthropic": {
        Fault.OVERLOADED: ("scored", TRIES + 1),  # 529 is a 429 of all customers
        Fault.FILTERED: ("refused", 1),  # it has one stop reason for both
    },
}


LATE = (Fault.HANG, Fault.DRIP)


async def all_judged(faults: Iterable[Fault], kind: str, times: Mapping[Fault, int]) -> dict[Fault, tuple[str, int]]:
    """As ``judged``, of many. Those that run out of time come last: then a busy machine makes no other do so."""
    quick, late = _partition(faults)
    found = [await asyncio.gather(*(judged(fault, kind, times[fault]) for fault in some)) for some in (quick, late)]
    return dict(zip((*quick, *late), itertools.chain(*found), strict=True))


def _partition(faults: Iterable[Fault]) -> tuple[list[Fault], list[Fault]]:
    faults = list(faults)
    return [fault for fault in faults if fault not in LATE], [fault for fault in faults if fault in LATE]


async def judged(fault: Fault, kind: str, times: int) -> tuple[str, int]:
    """Scored, or why not, and the number of requests, of a judge that meets the fault so often and says "A" then.

    Where a fault leaves a text in the reply it is "A" too, which a careless client takes for the verdict.
    """
    seconds = 1.0 if fault in LATE else 60.0
    async with FaultServer(lambda asked: fault if asked.times < times else None, answer=lambda _: "A") as server:
        judge = model_at(server, kind, timeout_s=seconds)
        retries = Retries(tries=TRIES, first_wait_s=0.001)
        try:
            async with Stream(None, run="r", stage="s", retries=retries):
                outcome = _outcome(await Pairwise(judge=judge).label(QUESTION))
        except ModelRejected:
            outcome = "rejected"
        finally:
            await judge.aclose()
        assert server.failed.keys() == {fault}
        return outcome, len(server.requests)


def _outcome(judgment: Judgment) -> str:
    if isinstance(judgment.outcome, Failed):
        return judgment.outcome.reason
    assert judgment.outcome.kind == "scored"
    assert judgment.outcome.scores == (1.0, 0.0)
    return "scored"


@pytest.mark.slow
@pytest.mark.reliability("faults")
@pytest.mark.parametrize("kind", OTHERWISE)
async def test_each_fault_alone_is_typed_and_asked_again_as_its_kind_wants_and_is_never_a_label(
    kind: str, figure: Callable[[str], None]
) -> None:
    """In both wire formats. Scored are only those that leave the reply whole, and those that the server says will pass.

    A fault that comes once costs one request more where it is one that may heal, and nobody anything else.
    """
    expected = EXPECTED | OTHERWISE[kind]
    waits = {fault: TRIES for fault, how in expected.items() if how == ("scored", TRIES + 1)}
    lasting = dict.fromkeys(Fault, 99) | waits
    found = await all_judged(Fault, kind, lasting)
    assert found == expected
    healing = [fault for fault, (_, requests) in expected.items() if requests > 1]
    assert set((await all_judged(healing, kind, dict.fromkeys(Fault, 1))).values()) == {("scored", 2)}
    counted = Counter(outcome for outcome, _ in found.values())
    labels = sum(how == ("scored", 1) for how in found.values())
    figure(
        f"{kind}: {len(found)} faults, {len(healing)} of them asked again and healed; when they last: "
        f"{', '.join(f'{outcome} {count}' for outcome, count in sorted(counted.items()) if outcome != 'scored')}, "
        f"a whole reply all the same {labels}, waited for {counted['scored'] - labels}, wrong labels 0"
    )

"""Judgments counted, wherever they are asked for: what failed, whether the order mattered, and when to stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from opinions import PROMPT, SHORT, always, outcome, said
from solon.data.records import Failed, FailureReason, Judgment, Message, Question, Scored, Usage
from solon.errors import StageIncomplete
from solon.labelers.tally import ENOUGH_TO_TELL, Tally
from solon.ledger import Ledger
from solon.models.base import Request
from solon.models.scripted import Scripted
from solon.stream import Stream, ask

JUDGE = always(1.0, called="judge")


def both_orders(*outcomes: Scored | Failed) -> Iterator[Judgment]:
    """Those of one comparison, with these outcomes."""
    question = Question(prompt=PROMPT, principles=(SHORT,), options=(said("a"), said("b")))
    for order, one in zip((question, question.reversed()), outcomes, strict=True):
        yield order.judged(one, labeler="judge")


def tallied(limit: float, good: int, failed: Sequence[FailureReason] = ()) -> Tally:
    """So many verdicts, and these failures."""
    tally, question = Tally(limit, JUDGE), Question(prompt=PROMPT, options=(said("a"),))
    for value in [*(1.0 for _ in range(good)), *failed]:
        tally.add([question.judged(outcome(value, options=1), labeler="judge")])
    return tally


def test_a_pair_that_failed_is_not_one_whose_order_mattered() -> None:
    """The report says "judged alike in c of n pairs": a failure among the n would pass for a position bias."""
    tally = Tally(1.0, JUDGE)
    first_is_better, second_is_better = Scored(scores=(1.0, 0.0)), Scored(scores=(0.0, 1.0))
    assert tally.add(tuple(both_orders(first_is_better, second_is_better))) == 0
    assert tally.add(tuple(both_orders(first_is_better, Failed(reason="unparseable")))) == 1
    summary = tally.summary()
    assert (summary["pairs"], summary["consistent"], summary["order_dependent"]) == (1, 1, 0)
    assert (summary["judgments"], summary["failed"]) == (4, {"unparseable": 1})


def test_tokens_add_up_and_one_estimate_makes_the_sum_an_estimate() -> None:
    """400 and 500 read, 1 and 2 written, 300 from a cache and 50 into one; nobody counted those of the second."""
    tally, question = Tally(0.0, JUDGE), Question(prompt=PROMPT, options=(said("a"),))
    spent = (
        Usage(input_tokens=400, output_tokens=1, cached_tokens=300),
        Usage(input_tokens=500, output_tokens=2, cache_write_tokens=50, estimated=True),
    )
    tally.add([question.judged(outcome(1.0, options=1), labeler="judge", usage=one) for one in spent])
    assert Usage.model_validate(tally.summary()["usage"]) == spent[0] + spent[1]
    assert tally.summary()["usage"] == {
        "input_tokens": 900,
        "output_tokens": 3,
        "cached_tokens": 300,
        "cache_write_tokens": 50,
        "estimated": True,
    }


async def test_what_came_from_the_ledger_is_told_of_the_requests_that_were_made(tmp_path: Path) -> None:
    """They run ahead of the judgments: 3,522 judgments with 4,488 from the ledger would contradict itself."""
    model, tally = Scripted(default="yes"), tallied(0.0, 1)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="label") as stream:
            assert tally.note(stream) == "1 judgments"
            for text in "aab":
                await ask(model, Request(messages=(Message(role="user", content=text),), max_tokens=9, seed=0))
            assert tally.note(stream) == "1 judgments, 1 of 3 requests from the ledger"


@pytest.mark.parametrize(("reason", "again"), [("unavailable", True), ("malformed", True), ("disagreed", False)])
def test_to_ask_again_is_advised_where_no_reply_came(reason: FailureReason, again: bool) -> None:
    """An answer that was no reply is in no ledger; a verdict that was given would only come again."""
    with pytest.raises(StageIncomplete) as caught:
        tallied(0.0, 1, [reason]).stop_if_too_many()
    assert (f"Run again to ask for those that were {reason}" in str(caught.value)) is again


def test_as_many_may_fail_as_the_limit_says() -> None:
    """One of 20 is 5 %; what stops it names the reasons, most first, and what was said for the first of them."""
    tallied(0.05, 19, ["refused"]).stop_if_too_many()
    with pytest.raises(
        StageIncomplete,
        match=r"3 of 21 judgments failed \(refused 2, truncated 1\); max_failed allows 5%; all were asked\. "
        r"judge said, for example: 'it is refused'",
    ):
        tallied(0.05, 18, ["truncated", "refused", "refused"]).stop_if_too_many()


def test_what_mostly_fails_is_stopped_early_once_enough_were_asked() -> None:
    """More than half, and more than twice the limit; a few failures at first are no reason."""
    few, many = ENOUGH_TO_TELL - 1, ENOUGH_TO_TELL
    tallied(0.05, 0, ["refused"] * few).stop_if_hopeless()
    tallied(0.05, many // 2, ["refused"] * (many // 2)).stop_if_hopeless()
    with pytest.raises(StageIncomplete, match="stopped early"):
        tallied(0.05, many // 2 - 1, ["refused"] * (many // 2 + 1)).stop_if_hopeless()
    tallied(0.5, 0, ["refused"] * many).stop_if_hopeless()


def test_nothing_judged_is_too_little_and_not_too_many() -> None:
    """A stage stops there; a training compares two policies that answer alike without asking anybody."""
    tally = tallied(0.05, 0)
    tally.stop_if_too_many()
    with pytest.raises(StageIncomplete, match="nothing was judged"):
        tally.stop_if_nothing()

"""``solon label`` while nearly a third of all requests fail, each in a way that passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from failing import label, project, shorter
from rewarding import serving
from solon.testing import HEALING, Fault, FaultServer

MIX = (
    *HEALING,
    Fault.THROTTLED_WITH_MILLISECONDS,
    Fault.THROTTLED_TWICE,
    Fault.RESET_AFTER,
    Fault.SLOW,
    Fault.HANG,
    Fault.DRIP,
    Fault.TWO_LENGTHS,
    Fault.TWO_TYPES,
    Fault.ERROR_IN_REPLY,
    Fault.UNKNOWN_STOP,
    Fault.HUGE,
    Fault.CUT_OFF,
    Fault.NO_USAGE,
)
"""All that pass, but for a 429 that asks for two seconds: it would make the test sleep for most of its time."""
TAKEN = (Fault.RESET_AFTER, Fault.SLOW, Fault.TWO_TYPES, Fault.NO_USAGE)
"""Those of them that leave the reply whole."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.reliability("mixed")
def test_with_nearly_a_third_of_all_requests_failing_everything_is_labeled_and_paid_for_little_more_than_once(
    full: bool, figure: Callable[[str], None], tmp_path: Path
) -> None:
    """A judgment is the verdict on one question, of which there are two for each pair, one in each order.

    Of 25 faults 4 leave a whole reply; the other 21 / 25 of 30 % are asked again: 1 / (1 - .252) = 1.34 requests a
    judgment, if none is asked in vain.
    """
    questions = 2_000 if full else 120
    made = project(tmp_path / "mixed", questions, concurrency=32, timeout_s=3)
    with serving(FaultServer(share=0.3, faults=MIX, answer=shorter)) as server:
        done = label(made, server)
        assert done.code == 0, done.told
        assert done.outcomes() == {"scored": questions}
        sent = len(server.requests)
        assert sent <= 1.5 * questions
        again = label(made, server, run="again")
        assert (again.code, len(server.requests)) == (0, sent), again.told
    assert (again.run_dir / "judgments.jsonl").read_bytes() == (done.run_dir / "judgments.jsonl").read_bytes()
    failed, throttled = server.failed.total(), sum(server.failed[fault] for fault in MIX if fault.startswith("429"))
    figure(
        f"{questions:,} of {questions:,} judgments labeled with {sent / questions:.2f} requests each; "
        f"{failed / sent:.0%} of the requests met one of {len(server.failed)} faults, {throttled} of them a 429"
    )

"""``solon label`` while each twentieth question fails however often it is asked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from failing import label, number_of, project, shorter
from rewarding import serving
from solon.testing import Asked, Fault, FaultServer

QUESTIONS, TRIES = 1000, 6
POISONED = QUESTIONS // 20
KINDS = {
    Fault.INTERNAL_ERROR: "unavailable",
    Fault.BAD_GATEWAY: "unavailable",
    Fault.OVERLOADED: "unavailable",
    Fault.RESET_BEFORE: "unavailable",
    Fault.RESET_DURING: "unavailable",
    Fault.TRUNCATED: "unavailable",
    Fault.TWO_LENGTHS: "unavailable",
    Fault.WEB_PAGE: "malformed",
    Fault.WRONG_JSON: "malformed",
    Fault.ERROR_IN_REPLY: "malformed",
    Fault.EMPTY_CHOICES: "malformed",
    Fault.NULL_CONTENT: "malformed",
    Fault.UNKNOWN_STOP: "malformed",
}
"""How questions are poisoned, in turn, and the reason that the judgments then have."""


def poison(asked: Asked) -> Fault | None:
    """Both questions about each twentieth prompt, the last one among them, which nothing comes after."""
    number = number_of(asked)
    return [*KINDS][number // 20 % len(KINDS)] if number % 20 == 19 else None


class Timed(FaultServer):
    """Notes when each request came."""

    def __init__(self, script: Callable[[Asked], Fault | None]) -> None:
        self.at: list[float] = []

        def noted(asked: Asked) -> Fault | None:
            self.at.append(time.monotonic())
            return script(asked)

        super().__init__(noted, answer=shorter, latency_s=0.05)


def served(poisoned: bool) -> Timed:
    return Timed(poison if poisoned else lambda _: None)


@pytest.mark.slow
@pytest.mark.reliability("poisoned")
def test_rows_that_always_fail_are_typed_and_counted_and_asked_again_by_the_next_run_alone(
    figure: Callable[[str], None], tmp_path: Path
) -> None:
    """The first run allows fewer failures than there are (exit code 3), the second allows them, and at the third the
    server has healed. The wall-clock ratio is that of a busy machine; ``test_stream_poisoned.py`` holds it in virtual
    time.
    """
    with serving(served(poisoned=False)) as server:
        clean = label(project(tmp_path / "clean", QUESTIONS), server)
        seconds = server.at[-1] - server.at[0]
    assert (clean.code, clean.outcomes()) == (0, {"scored": QUESTIONS}), clean.told

    made = project(tmp_path / "poisoned", QUESTIONS)
    with serving(served(poisoned=True)) as server:
        strict = label(made, server, "max_failed=0.01")
        assert strict.code == 3, strict.told
        assert f"{POISONED} of {QUESTIONS:,} judgments failed" in strict.told
        assert "Run again to ask for those that were" in strict.told
        assert len(server.requests) == QUESTIONS - POISONED + POISONED * TRIES
        ratio = (server.at[-1] - server.at[0]) / seconds

    with serving(served(poisoned=True)) as server:
        lenient = label(made, server)
        assert lenient.code == 0, lenient.told
        assert {poison(asked) is not None for asked in server.requests} == {True}
        assert len(server.requests) == POISONED * TRIES
    named = [KINDS[[*KINDS][number // 20 % len(KINDS)]] for number in range(19, QUESTIONS // 2, 20)]
    expected = Counter(named * 2)
    assert lenient.summary["failed"] == expected
    assert lenient.outcomes() == {"scored": QUESTIONS - POISONED, **expected}

    with serving(served(poisoned=False)) as server:
        healed = label(made, server)
        assert (healed.code, healed.outcomes()) == (0, {"scored": QUESTIONS}), healed.told
        again = len(server.requests)
    assert again == POISONED
    assert (healed.run_dir / "judgments.jsonl").read_bytes() == (clean.run_dir / "judgments.jsonl").read_bytes()
    assert ratio < 5  # a machine that does other things as well
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(expected.items()))
    figure(
        f"{ratio:.2f} times by the clock; {len(KINDS)} kinds of fault, {QUESTIONS - POISONED} labeled, {reasons}; "
        f"the run after the server has healed asks for {again}"
    )


@pytest.mark.slow
@pytest.mark.reliability("poisoned")
def test_questions_that_a_server_never_ends_with_are_sent_twice_and_hold_up_nobody(
    figure: Callable[[str], None], tmp_path: Path
) -> None:
    """Each takes a whole time-out, and may be on the bill: it is in doubt, and charged as much as it can cost."""

    def hang(asked: Asked) -> Fault | None:
        return (Fault.HANG, Fault.DRIP)[number_of(asked) // 20 % 2] if number_of(asked) % 20 == 19 else None

    made = project(tmp_path / "hanging", 200, timeout_s=5)
    with serving(FaultServer(hang, answer=shorter)) as server:
        done = label(made, server)
        assert (done.code, done.outcomes()) == (0, {"scored": 190, "unavailable": 10}), done.told
        assert len(server.requests) == 190 + 10 * 2
        figure(f"those that hang are sent {max(server.asked.values())} times, and take as many time-outs")

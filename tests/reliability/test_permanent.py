"""``solon label`` when key, model or quota are wrong: from the first, and after a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from failing import KEY, label, project, shorter
from rewarding import serving
from solon.testing import Asked, Fault, FaultServer

QUESTIONS, AT_ONCE, ANSWERED = 400, 16, 200
FAULTS = {
    Fault.UNAUTHORIZED: f"It refuses the key in the environment variable {KEY}",
    Fault.FORBIDDEN: f"It refuses the key in the environment variable {KEY}",
    Fault.NOT_FOUND: "the model 'judge-1' does not exist. Check the model's name",
    Fault.QUOTA_USED_UP: f"The quota of the key in the environment variable {KEY} is used up: add credit",
}

NAMES = {
    Fault.UNAUTHORIZED: "401 (key)",
    Fault.FORBIDDEN: "403 (key)",
    Fault.NOT_FOUND: "404 (model)",
    Fault.QUOTA_USED_UP: "429 (quota)",
}


class Refusing(FaultServer):
    """Answers so many requests and refuses all others; ``refused_at`` is when it did so first."""

    def __init__(self, fault: Fault, answered: int) -> None:
        self.refused_at = 0.0
        self.answered = answered

        def script(asked: Asked) -> Fault | None:
            if asked.position < self.answered:
                return None
            self.refused_at = self.refused_at or time.monotonic()
            return fault

        super().__init__(script, answer=shorter, latency_s=0.02)


@pytest.mark.slow
@pytest.mark.reliability("permanent")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_is_wrong_for_good_is_asked_once_and_ends_the_command_with_what_to_do(
    fault: Fault, full: bool, figure: Callable[[str], None], tmp_path: Path
) -> None:
    """Refused from the first, one request is made, and not one for each that could be under way.

    Refused after 200 replies, those that are under way come back refused; no request is made a second time, and all
    replies are kept: when it is put right, no more than what is left is asked for.
    """
    made = project(tmp_path / "refused", QUESTIONS, concurrency=AT_ONCE)
    with serving(Refusing(fault, answered=0)) as server:
        at_once = label(made, server)
        seconds = time.monotonic() - server.refused_at
        assert at_once.code == 1, at_once.told
        assert FAULTS[fault] in at_once.told
        assert "sk-right" not in at_once.told
        assert len(server.requests) == 1

    with serving(Refusing(fault, answered=ANSWERED)) as server:
        later = label(made, server)
        seconds = max(seconds, time.monotonic() - server.refused_at)
        assert later.code == 1, later.told
        assert FAULTS[fault] in later.told
        refused = len(server.requests) - ANSWERED
        assert 1 <= refused <= AT_ONCE
        assert max(server.asked.values()) == 1

    if full or fault is Fault.UNAUTHORIZED:
        with serving(Refusing(fault, answered=QUESTIONS)) as server:
            healed = label(made, server)
            assert (healed.code, healed.outcomes()) == (0, {"scored": QUESTIONS}), healed.told
            assert len(server.requests) == QUESTIONS - ANSWERED
    assert seconds < 20  # on a machine that does other things as well
    figure(
        f"{NAMES[fault]}: 1 request, exit code 1; in mid-run {refused} of {AT_ONCE} under way, none twice; ended "
        f"{seconds:.1f} s after the first refusal"
    )

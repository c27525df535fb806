"""Two processes with sixteen calls in flight each, against one cap: never over it, and little under it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

import two_spenders
from two_spenders import IN_FLIGHT, dearest_usd

SHARE = 250
"""How often the dearest request fits under the cap: what is left at the end is less than one request can cost."""


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Two that live through all runs, since Python and its imports take longer than a run."""
    pipe = subprocess.PIPE
    command = [sys.executable, two_spenders.__file__]
    found = [subprocess.Popen([*command, who], stdin=pipe, stdout=pipe, text=True) for who in ("one", "two")]
    try:
        for process in found:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield found
    finally:
        for process in found:
            process.communicate("", timeout=60)


def both(processes: list[subprocess.Popen[str]], told: str) -> list[list[str]]:
    """What each of them answers; both are told before either is listened to."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{told}\n")
        process.stdin.flush()
    return [process.stdout.readline().split() for process in processes if process.stdout is not None]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.reliability("budget")
def test_what_the_models_bill_is_never_over_the_cap_and_uses_it_up(
    processes: list[subprocess.Popen[str]], full: bool, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """Billed is what the models say, as exact fractions, and not what the ledger's books say; those agree with it.

    Prices, lengths, tokens and times to answer differ; what a call really costs is between a quarter and all of what
    is reserved for it. A ledger and a budget of its own for each run.
    """
    runs = 100 if full else 4
    unused, calls, most = [], 0, 0
    for seed in range(runs):
        path = tmp_path / f"{seed}.sqlite"
        cap = round(dearest_usd(seed) * SHARE, 9)
        answers = both(processes, f"{path} {seed} {cap!r}")
        billed = sum(Fraction(one[0]) for one in answers)
        assert all(int(one[1]) for one in answers)  # each has had a part
        assert billed <= Fraction(str(cap)), seed
        with closing(sqlite3.connect(path)) as connection:
            replies, nano = connection.execute("SELECT COUNT(*), SUM(nano_usd) FROM replies").fetchone()
            spent, reserved = connection.execute("SELECT spent_nano_usd, reserved_nano_usd FROM budgets").fetchone()
        assert (spent, reserved) == (nano, 0)
        assert replies == sum(int(one[1]) for one in answers)
        assert 0 <= nano - billed * 10**9 < replies  # each is rounded up to a whole one
        unused.append(1 - billed / Fraction(str(cap)))
        calls += replies
        most = max(most, *(int(one[2]) for one in answers))
    assert max(unused) <= Fraction(1, 200)
    assert most == IN_FLIGHT
    figure(f"{runs} × 2 × {most}: overrun $0, unused at most {float(max(unused)):.2%}, of {calls:,} calls")

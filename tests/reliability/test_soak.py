"""A night's work: what the labeling process holds does not grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest

from soaked import CONCURRENCY, soak

OWN_FILES = 24
"""What is open beside the connections: the event loop's, the ledger's, those of the run, standard input and output."""


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.reliability("soak")
def test_memory_and_file_descriptors_stay_flat(full: bool, figure: Callable[[str], None], tmp_path: Path) -> None:
    """The last quarter of the run against its second; a short one is still filling its caches in the second.

    Through the label stage, its journal and its ledger, against a server in a process of its own, of whose replies 5 %
    are no reply, or come with a broken connection.
    """
    questions = 200_000 if full else 3_000
    measured, counted = soak(tmp_path / "soak", questions)
    assert measured["summary"]["judgments"] == questions
    assert measured["summary"]["failed"] == {}
    assert counted["failed"] == pytest.approx(0.05 * counted["requests"], rel=0.05 if full else 0.3)

    samples = measured["samples"]
    files = [one["files"] for one in samples]
    assert max(files) <= CONCURRENCY + OWN_FILES
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    before, after = (mean(one["mb"] for one in some) for some in (second, last))
    assert after <= before * (1.05 if full else 1.25)
    open_before, open_after = (mean(one["files"] for one in some) for some in (second, last))
    assert open_after <= open_before + 8
    figure(
        f"{questions:,} questions, {counted['failed']:,} faults, {len(samples):,} samples: {before:.0f} MB in the "
        f"second quarter and {after:.0f} in the last; {open_before:.0f} file descriptors and {open_after:.0f}, "
        f"{max(files)} at most"
    )

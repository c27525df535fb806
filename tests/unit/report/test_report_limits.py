"""What was found out about providers, which the terminal tells and no page holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from solon.errors import DataError
from solon.report.html import html
from solon.report.limits import limits_found
from solon.report.markdown import markdown
from solon.report.summary import summarise
from solon.stream import Found


def write(run_dir: Path, *found: Found) -> None:
    """As ``solon.rundir`` does."""
    timings = {"label": {"seconds": 3.2, "cpu_seconds": 1.0, "providers": [asdict(one) for one in found]}}
    (run_dir / "timings.json").write_text(json.dumps(timings))


def test_a_provider_s_limit_is_told_as_it_was_found(run_dir: Path) -> None:
    """One that asked for fewer, one that did not, one that gave no reply at all."""
    write(
        run_dir,
        Found("localhost:8000/v1", most=256, answered=900, throttled=7, in_flight=41.2, per_second=39.7),
        Found("slow", most=64, answered=3, throttled=0, in_flight=None, per_second=0.214),
        Found("gone", most=64, answered=0, throttled=1, in_flight=1.0, per_second=0.0),
    )
    assert [(fact.name, fact.text) for fact in limits_found(run_dir)] == [
        ("limit", "localhost:8000/v1: settled at 41 in flight, 40 replies a second; asked for fewer 7 times"),
        ("limit", "slow: none met with up to 64 in flight, 0.21 replies a second"),
    ]


def test_no_page_holds_what_was_of_that_hour(run_dir: Path) -> None:
    """Or a run that was killed and resumed would end with another report."""
    before = html(summarise(run_dir)), markdown(summarise(run_dir))
    write(run_dir, Found("somewhere", most=64, answered=3, throttled=2, in_flight=12.0, per_second=9.0))
    assert (html(summarise(run_dir)), markdown(summarise(run_dir))) == before


def test_a_run_without_times_or_providers_has_none_to_tell(run_dir: Path) -> None:
    """A stage that asks nobody writes none; the file may be lost."""
    assert limits_found(run_dir) == ()
    (run_dir / "timings.json").write_text('{"label": {"seconds": 1}, "train": {"seconds": 2}}')
    assert limits_found(run_dir) == ()


def test_a_broken_record_of_times_is_named(run_dir: Path) -> None:
    """With its place."""
    (run_dir / "timings.json").write_text("{")
    with pytest.raises(DataError, match=r"timings\.json:1:2: not valid JSON"):
        limits_found(run_dir)

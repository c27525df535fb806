"""What tests of reliability tell beside passing: the figures of ``docs/results/reliability.md``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reliability_lines import LINES

_FILE = os.environ.get("SOLON_FIGURES", "")
_told: list[dict[str, object]] = []


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether to take the sizes of ``make reliability``; ``make test`` takes a fast share of each."""
    return os.environ.get("SOLON_FULL") == "1"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Notes what was measured, in words that stand in the results' row of the line that the test is marked with."""
    return lambda text: record_property("figure", text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of reliability names lines that there are."""
    for item in items:
        for mark in item.iter_markers("reliability"):
            for key in mark.args:
                if key not in LINES:
                    raise pytest.UsageError(f"{item.nodeid}: there is no line {key!r} in tests/reliability_lines.py")
                item.user_properties.append(("line", key))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gathers what tests of reliability told, in the process that the others report to."""
    lines = [value for name, value in report.user_properties if name == "line"]
    if lines and (report.when == "call" or report.outcome != "passed"):
        figures = [value for name, value in report.user_properties if name == "figure"]
        _told.append(
            {"test": report.nodeid, "outcome": report.outcome, "s": report.duration, "lines": lines, "figures": figures}
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes them to the file ``SOLON_FIGURES``."""
    if _FILE and not hasattr(session.config, "workerinput"):
        Path(_FILE).write_text(json.dumps(sorted(_told, key=lambda one: str(one["test"])), indent=1), "utf-8")

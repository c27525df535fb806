"""What tests with real models share."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from solon.models.transformers import unload

_ALL_SLOW = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.slow\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where slow tests are left out, a file of nothing else is not imported: torch and what needs it take seconds."""
    left_out = config.option.markexpr in ("not slow", "not slow and not gpu")
    if left_out and collection_path.suffix == ".py" and _ALL_SLOW.search(collection_path.read_text("utf-8")):
        return True
    return None


@pytest.fixture(scope="session", autouse=True)
def _imports_are_no_garbage() -> None:
    """Each training collects garbage, several times, and would look through half a million objects of libraries."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def nothing_stays_loaded() -> Iterator[None]:
    """One test's model must not answer for another's."""
    yield
    unload()

"""The project that tests of the pipeline start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from preloaded.starting import quick_trainings
from project import Project, small_project


@pytest.fixture(scope="module", autouse=True)
def _quick_trainings() -> Iterator[None]:
    with quick_trainings():
        yield


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return small_project(tmp_path / "project")

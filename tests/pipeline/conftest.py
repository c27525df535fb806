"""The project that tests of the pipeline start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from project import Project, small_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return small_project(tmp_path / "project")

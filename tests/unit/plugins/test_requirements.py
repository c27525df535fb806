"""What a package's metadata says that it needs."""

from __future__ import annotations

from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

from packages import publish
from solon.plugins.requirements import remedy_for, unmet


def package(site: Path, *requires: str) -> Distribution:
    return PathDistribution(publish(site, "solon-wit", {}, {}, requires=requires))


@pytest.mark.parametrize(
    ("requirement", "says"),
    [
        ("pydantic", None),
        ("pydantic>=2,<3", None),
        ("pydantic (>=2)", None),
        ("pydantic<2", "it needs pydantic<2, and pydantic "),
        ("no-such-thing>=1", "no-such-thing>=1 is not installed"),
        ('no-such-thing; extra == "more"', None),
        ("no-such-thing; python_version < '3'", None),
        ("no-such-thing; python_version >= '3'", "no-such-thing is not installed"),
    ],
)
def test_a_requirement_that_is_not_met_is_told(tmp_path: Path, requirement: str, says: str | None) -> None:
    """Missing, or of another version; extras and other systems' requirements are nobody's lack."""
    found = list(unmet(package(tmp_path, requirement)))
    assert (found == []) if says is None else found[0].startswith(says)


@pytest.mark.parametrize(
    ("requirement", "module", "says"),
    [
        ("brain>=2", "brain.parts", "pip install 'brain>=2'"),
        ("brain (>=2)", "brain", "pip install 'brain>=2'"),
        ('Brain_Parts>=2; extra == "brains"', "brain_parts", "pip install 'solon-wit[brains]'"),
        ("other", "brain", "pip install brain, if that is its package's name: solon-wit does not say that it needs it"),
    ],
)
def test_a_missing_module_is_looked_for_in_the_requirements(
    tmp_path: Path, requirement: str, module: str, says: str
) -> None:
    """The package knows which of its extras brings it."""
    assert remedy_for(package(tmp_path, requirement), module) == says

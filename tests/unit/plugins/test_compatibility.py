"""Which plugins fit this version of the plugin API."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import ClassVar

import pytest

from solon.plugins import API_VERSION, Labeler
from solon.plugins.checks import misfit_of
from solon.plugins.compatibility import misfit


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ("1.0", ""),
        ("1.1", "needs solon with plugin API >= 1.1, and this solon has 1.0: upgrade solon"),
        ("2.0", "needs solon with plugin API >= 2.0, and this solon has 1.0: upgrade solon"),
        ("0.9", "was written for plugin API 0.9, and this solon has 1.0: upgrade the plugin's package"),
        ("1", "states api_version '1', which is no version such as '1.0': its author has to put it right"),
        (1.0, "states api_version 1.0, which is no version such as '1.0': its author has to put it right"),
    ],
)
def test_another_major_or_a_newer_minor_is_refused(stated: object, says: str) -> None:
    """What is gone or not there yet would fail in the middle of a run; the reason says which side to upgrade."""
    assert API_VERSION == "1.0", "the cases above are about this one"
    assert misfit(stated) == says


def test_none_stated_is_accepted() -> None:
    """It is new, and every plugin from before has none."""

    class Old(Labeler):
        kind: ClassVar[str] = "old"

    assert misfit_of(Old) == ""


def test_a_constitution_states_it_on_its_function_or_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function has no class attributes."""

    def mine() -> None: ...

    def stated() -> None: ...

    module = ModuleType("of_a_constitution")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    mine.__module__ = stated.__module__ = module.__name__
    assert misfit_of(mine) == ""
    module.__dict__["api_version"] = "2.0"
    assert "needs solon with plugin API >= 2.0" in misfit_of(mine)
    stated.__dict__["api_version"] = "1.0"
    assert misfit_of(stated) == ""

"""A folder that is on the path for one test, as packages are installed in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from solon.plugins import offers, registering


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Empty; what is imported from it is forgotten at the end."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.delenv("SOLON_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(str(folder))
    offers._installed.cache_clear()
    known = set(sys.modules)
    yield folder
    offers._installed.cache_clear()
    for name in set(sys.modules) - known:
        module = sys.modules[name]
        # a folder without __init__.py has no file, and knows where it lies
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        if any(str(folder) in str(place) for place in places):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registering, "_registered", {})

"""A third party's trainer, whose package is installed for one test: here, and in new processes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def installed(kind: str, code: str, site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Gives the class of the trainer, which ``code`` calls ``kind`` with a capital, in the module ``<kind>_trainer``.

    Args:
        kind: of the trainer.
        code: of its module.
        site: the folder that it is installed into; made.
        monkeypatch: undoes the rest.
    """
    module, name = f"{kind}_trainer", kind.capitalize()
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {kind}-trainer\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[solon.trainers]\n{kind} = {module}:{name}\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.syspath_prepend(str(site))
    yield getattr(importlib.import_module(module), name)
    del sys.modules[module]

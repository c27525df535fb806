"""Libraries of trackers are imported before a thread begins: two that import at once can find packages half made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from solon.errors import MissingExtra
from solon.tracking import About, TensorBoard, tracked

WHO_IMPORTS = """
import json, sys, threading
from pathlib import Path
by = {}
class Seen:
    def find_spec(self, name, path=None, target=None):
        by.setdefault(threading.current_thread().name, set()).add(name.partition(".")[0])
sys.meta_path.insert(0, Seen())
from solon.tracking import *
with tracked(
    [TensorBoard(), WandB(mode="offline"), MLflow(uri="mlruns"), Trackio()],
    About("recipe", "group", {"seed": 0}),
    Path("run"),
    lambda text: print(text, file=sys.stderr),
    training="t",
) as track:
    track.step(1, 2, {"loss": 1.0})
print(json.dumps({thread: sorted(names) for thread, names in by.items()}))
"""


@pytest.mark.slow
def test_no_thread_imports_what_another_may_be_importing(tmp_path: Path) -> None:
    """A tracker's thread imports of its own library what nobody else does, and nothing of ours or of numpy."""
    done = subprocess.run(
        [sys.executable, "-c", WHO_IMPORTS],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "TRACKIO_DIR": str(tmp_path / "trackio")},
        capture_output=True,
        text=True,
        timeout=800,
        check=True,
    )
    assert "takes no numbers" not in done.stderr
    imported = json.loads(done.stdout.splitlines()[-1])
    assert {"numpy", "wandb", "mlflow", "trackio", "tensorboardX"} <= set(imported.pop("MainThread"))
    allowed = {"solon-Weights & Biases": {"wandb"}, "solon-MLflow": {"mlflow", "pyspark"}}  # pyspark is looked for
    assert [set(names) - allowed.get(thread, set()) for thread, names in imported.items()] == [set()] * len(imported)


class Broken(TensorBoard):
    """Raises when it is imported, and cannot be found half made by whoever tries again."""

    library: ClassVar[str] = "a_library_that_breaks"


def test_a_library_that_breaks_is_said_once_with_its_own_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is tried; the training goes on."""
    (tmp_path / "a_library_that_breaks.py").write_text("raise SystemExit('built for another processor')")
    monkeypatch.syspath_prepend(str(tmp_path))
    said: list[str] = []
    with tracked([Broken()], About("r", "", {}), tmp_path, said.append, training="t") as track:
        track.step(1, 2, {"loss": 1.0})
    assert [line.split(". ")[0] for line in said] == [
        "TensorBoard takes no numbers: built for another processor",
        "1 line did not get to TensorBoard; metrics.jsonl has it all",
    ]


def test_a_library_that_is_not_there_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with the name of a module."""
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtra, match=r"`track: tensorboard`.*solon\[train\]"):
        TensorBoard().load()

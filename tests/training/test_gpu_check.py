"""`make gpu-check` with a tiny model on a CPU: every line but the card's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KINDS = ("dpo", "ppo")
"""One that learns from a dataset and one that samples; the others differ in what is asked of them."""


@pytest.mark.slow
@pytest.mark.timeout(3600)  # six processes, one after the other
def test_the_gpu_check_runs_on_a_cpu_from_the_model_to_the_page_twice(tmp_path):
    """Trainings, the reference, a training cut and begun again; memory is not measured, and the page says so.

    The second takes the same folder, as people run it, and goes on from nothing that the first left there; one way to
    train shows that.
    """
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- gpu begins -->\nold\n<!-- gpu ends -->\n\nAfter.\n")
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu" / "check.py"), "--tiny"]
    work = tmp_path / "work"
    for kinds in (KINDS, KINDS[:1]):
        done = subprocess.run(
            [*command, "--kinds", *kinds, "--work", str(work), "--write", str(page)],
            capture_output=True,
            text=True,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads((work / "found.json").read_text())
        trained = [f"{kind}-plain" for kind in kinds]
        assert list(found) == ["model", *trained, "reference-plain", "resume-plain"]
        assert found["resume-plain"]["apart"] == 0
        assert found["reference-plain"]["apart"] < 1e-4 < 1e-2 < found["reference-plain"]["moved"]
        for kind in kinds:
            part = found[f"{kind}-plain"]
            assert (part["steps"], part["peak"]) == (2, 0)
            # the seconds of a step hold no writing of it
            assert list((work / f"{kind}-plain").glob("*.kept/trainer/step-*")) == []
            assert part["tokens_a_second"] > 0
            assert part["estimated"] > 0
        text = page.read_text()
        assert text.startswith("Before.")
        assert text.endswith("After.\n")
        assert "old" not in text
        assert "| dpo | plain | - | - | - |" in text
        assert text.count("- held: ") == 2

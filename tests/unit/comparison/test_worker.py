"""One entry in a process of its own, interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from solon.comparison.processes import Assignment, end
from solon.data.artifacts import write_json

PROGRAM = """
import signal, sys, time
from pathlib import Path
from solon.comparison import worker

def run(*_, **__):
    try:
        print("ready", flush=True)
        while True:  # no signal.pause: one that comes right before it is not noticed in it
            time.sleep(0.05)
    finally:
        Path(sys.argv[2]).write_text("paid for")

signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts what is to be in the background
worker.run = run
sys.exit(worker.main(Path(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("by", [None, signal.SIGTERM, signal.SIGHUP], ids=["alone", "SIGTERM", "SIGHUP"])
def test_an_entry_that_is_interrupted_keeps_its_replies_and_tells_of_no_trouble(
    by: signal.Signals | None, tmp_path: Path
) -> None:
    """Though the comparison was started in the background, where shells have interrupts ignored.

    A scheduler or a terminal may signal it before the comparison does.
    """
    label = {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}}
    data = {"constitution": "c.yaml", "prompts": "p.jsonl", "policy": "m", "label": label}
    trouble, kept, file = tmp_path / "trouble.json", tmp_path / "kept", tmp_path / "assignment.json"
    recipe = tmp_path / "recipe.yaml"
    write_json(file, Assignment(path=recipe, data=data, entry="a", run_dir=tmp_path / "a", trouble=trouble))
    command = [sys.executable, "-c", PROGRAM, str(file), str(kept)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout as said:
        assert said.readline() == b"ready\n"
        if by is not None:
            process.send_signal(by)
        end([process])
    assert (process.returncode, kept.read_text("utf-8")) == (130, "paid for")
    assert not trouble.exists()

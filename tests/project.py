"""A small project that runs in a second or two, and the command line as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CONSTITUTION = """\
name: brief
principles:
  - id: brief
    text: Answer in as few words as possible.
cases:
  - {principle: brief, prompt: Hi, better: Hi., worse: "Hello there, how are you doing today?"}
"""
RECIPE = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label: {kind: rules, rules: {brief: {length: words, max: 1}}}
build: {held_out: 0}
"""
SAMPLING = """\
constitution: constitution.yaml
prompts: prompts.jsonl
sample: {n: 2, max_tokens: 20, model: {kind: scripted, default: a long one, concurrency: 64}}
label: {kind: rules, rules: {brief: {length: words, max: 1}}}
build: {held_out: 0}
"""


@dataclass
class Project:
    """A folder with a recipe, and what the command line says about it."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        """Puts a file into the project."""
        (self.folder / name).write_text(text)

    @property
    def run_dir(self) -> Path:
        """Where its run goes."""
        return self.folder / "runs" / "project"

    def start(self, *words: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """The command line, under way."""
        return subprocess.Popen(
            [sys.executable, "-m", "solon.cli.app", *words],
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def solon(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        process = self.start(*words)
        out, err = process.communicate(timeout=800)
        return process.returncode, out, err


def jsonl(rows: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def small_project(folder: Path) -> Project:
    """A recipe that begins at candidates and needs no model."""
    made = Project(folder)
    folder.mkdir(parents=True)
    made.write("recipe.yaml", RECIPE)
    made.write("constitution.yaml", CONSTITUTION)
    made.write("prompts.jsonl", jsonl([{"prompt": f"What is {n} + {n}?"} for n in range(60)]))
    answers = [{"prompt": f"What is {n} + {n}?", "responses": [f"{2 * n}", f"It is {2 * n}"]} for n in range(60)]
    made.write("candidates.jsonl", jsonl(answers))
    return made


def artifacts(folder: Path) -> dict[str, bytes]:
    """Every artifact below a folder with its bytes; what may differ between equal runs is left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {".lock", "timings.json", "train.log"} and "tfevents" not in path.name
    }

"""``solon label`` in a process of its own, at a ``FaultServer`` in this one."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from project import Project, jsonl, small_project
from solon.testing import Asked, FaultServer

KEY = "FAULTS_KEY"
RECIPE = """\
constitution: constitution.yaml
candidates: candidates.jsonl
max_failed: 0.1
label:
  kind: pairwise
  judge: {{kind: endpoint, model: judge-1, base_url: "{url}", api_key_env: {key}, concurrency: {concurrency}{more}}}
build: {{held_out: 0}}
"""
_NUMBER = re.compile(r"What is (\d+) and")


def number_of(asked: Asked) -> int:
    """Which prompt a request is about."""
    found = _NUMBER.search(asked.text)
    assert found is not None
    return int(found[1])


def shorter(asked: Asked) -> str:
    """The verdict of a judge that prefers the shorter answer, wherever it stands."""
    return "B" if asked.text.index("It is called") < asked.text.rindex("B]") else "A"


@dataclass(frozen=True)
class Labeled:
    """What came of a command.

    Attributes:
        code: its exit code.
        told: what it printed for people.
        run_dir: where its run is.
    """

    code: int
    told: str
    run_dir: Path

    @property
    def seconds(self) -> float:
        """What the stage took, without starting Python."""
        return float(json.loads((self.run_dir / "timings.json").read_text())["label"]["seconds"])

    @property
    def summary(self) -> dict[str, Any]:
        """The counts of the stage."""
        return dict(json.loads((self.run_dir / "run.json").read_text())["stages"]["label"]["summary"])

    def outcomes(self) -> Counter[str]:
        """The judgments in ``judgments.jsonl``: how many were scored, and the reasons of the others."""
        lines = (self.run_dir / "judgments.jsonl").read_text().splitlines()
        found = [json.loads(line)["outcome"] for line in lines]
        return Counter(one.get("reason", one["kind"]) for one in found)


def project(folder: Path, questions: int, *, concurrency: int = 64, **judge: object) -> Project:
    """Two answers to each prompt, so two questions: one in each order. A judgment is the verdict on one question.

    Args:
        folder: where it is made.
        questions: how many.
        concurrency: of the judge.
        judge: more of its settings.
    """
    made = small_project(folder)
    rows = [
        {"prompt": f"What is {number} and what is it called?", "responses": [f"{number}.", f"It is called {number}."]}
        for number in range(questions // 2)
    ]
    made.write("candidates.jsonl", jsonl(rows))
    more = "".join(f", {name}: {json.dumps(value)}" for name, value in judge.items())
    made.write("recipe.yaml", RECIPE.format(url="{url}", key=KEY, concurrency=concurrency, more=more))
    return made


def label(made: Project, server: FaultServer, *overrides: str, run: str = "project", key: str = "sk-right") -> Labeled:
    """Runs ``solon label`` against the server."""
    url = f"label.judge.base_url={server.base_url}"
    words = ("label", "recipe.yaml", url, *overrides, "--run-dir", f"runs/{run}")
    process = made.start(*words, environment={KEY: key})
    out, err = process.communicate(timeout=1000)
    return Labeled(process.returncode, out + err, made.folder / "runs" / run)

"""One recipe, one seed, one ledger: the same bytes in whatever surroundings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from project import artifacts, jsonl
from solon.testing.tiny import tiny_llama

pytestmark = [pytest.mark.slow, pytest.mark.reliability("same-bytes"), pytest.mark.timeout(900)]

CONSTITUTION = """\
name: several
principles:
  - {id: brief, text: Answer in as few words as possible., weight: 2}
  - {id: plain, text: "Keine Fremdwörter; no jargon.", topics: [words, Übung]}
  - {id: numbers, text: Give the number first., topics: [sums]}
"""
RECIPE = """\
name: same
seed: 11
constitution: constitution.yaml
prompts: prompts
sample:
  n: 3
  max_tokens: 20
  model: {kind: scripted, replies: REPLIES, default: es kommt darauf an}
label:
  kind: rules
  rules: {brief: {length: words, max: 3}, plain: {regex: "ı|Wörter"}, numbers: {regex: "^[0-9]"}}
build: {held_out: 0.2}
"""
TRAINED = """\
dataset: preference
policy: {model: policy, threads: 1}
train: {kind: dpo, max_steps: 3, batch_size: 2, learning_rate: 0.01, lora: {r: 2}}
evaluate:
  prompts: held_out.jsonl
  max_tokens: 8
  with: [{kind: compliance, rules: {brief: {length: words, max: 1}}}]
"""
COMMAND = """
import os, random, sys
MASK, SEED, *WORDS = sys.argv[1:]
os.umask(int(MASK, 8))
if SEED != "0":  # folders tell their files in another order
    drawn, listdir, scandir = random.Random(SEED), os.listdir, os.scandir

    class Shuffled:
        def __init__(self, found):
            with found:
                self.entries = list(found)
            drawn.shuffle(self.entries)
        def __iter__(self): return iter(self.entries)
        def __next__(self): return next(iter(self.entries))
        def __enter__(self): return self
        def __exit__(self, *_): self.close()
        def close(self): pass

    def shuffled(*given):
        names = listdir(*given)
        drawn.shuffle(names)
        return names

    os.listdir, os.scandir = shuffled, lambda *given: Shuffled(scandir(*given))
from solon.cli.app import main
sys.argv = ["solon", *WORDS]
main()
"""
PLAIN = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "TZ": "UTC"}
NO_UTF8 = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SURROUNDINGS: list[tuple[dict[str, str], str, str, str]] = [
    ({**PLAIN}, "022", "0", "here"),
    ({**PLAIN, **NO_UTF8, "PYTHONHASHSEED": "1", "LC_ALL": "POSIX", "TZ": "Pacific/Kiritimati"}, "077", "1", "there"),
    ({**PLAIN, "PYTHONHASHSEED": "4711", "LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns"}, "000", "2", "a b/ü"),
    ({**PLAIN, "PYTHONHASHSEED": "2", "LC_ALL": "de_DE.UTF-8", "TZ": "Europe/Berlin"}, "022", "3", "a/b/c/d/e/f"),
    ({**PLAIN, **NO_UTF8, "PYTHONHASHSEED": "3", "LC_ALL": "C", "TZ": "Asia/Kathmandu"}, "027", "4", "{x}"),
    ({**PLAIN, "PYTHONHASHSEED": "4", "LC_ALL": "en_US.ISO-8859-1", "TZ": "Pacific/Pago_Pago"}, "022", "5", "%s"),
    ({**PLAIN, "PYTHONHASHSEED": "5", "LANG": "ar_EG.UTF-8", "LC_ALL": "", "TZ": ""}, "022", "6", "x" * 100),
    ({**PLAIN, "PYTHONHASHSEED": "6", "PYTHONOPTIMIZE": "1", "TZ": "Nowhere/Real"}, "002", "7", "last"),
]
"""Environment, umask, seed of the order of files, folder."""


def sampled(folder: Path) -> None:
    """A project that samples, labels, builds and reports: several files of prompts, topics, scripts beyond ASCII."""
    folder.mkdir(parents=True)
    (folder / "constitution.yaml").write_text(CONSTITUTION, "utf-8")
    topics = ["words", "Übung", "sums", ""]
    (folder / "prompts").mkdir()
    for part in ("b", "a", "İ", "z"):
        rows = [{"prompt": f"{part} {n}: wie viele Wörter?", "topic": topics[n % 4]} for n in range(12)]
        rows = [{name: value for name, value in row.items() if value} for row in rows]
        (folder / "prompts" / f"{part}.jsonl").write_text(jsonl(rows), "utf-8")
    answers = ["{n}", "{n} Wörter, und das ist eine lange Antwort", "ıkı {n}", "so viele", "es sind {n}"]
    replies = [answers[n * n % 5].format(n=n) for n in range(4 * 12 * 3)]  # each said once, in its turn
    (folder / "recipe.yaml").write_text(RECIPE.replace("REPLIES", json.dumps(replies, ensure_ascii=False)), "utf-8")


def run_in(folder: Path, surroundings: tuple[Mapping[str, str], str, str, str], *words: str) -> dict[str, bytes]:
    """What a command leaves in the run directory."""
    environment, mask, seed, _ = surroundings
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, mask, seed, *words],
        cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return artifacts(folder / "runs" / "same")


def told_apart(found: list[dict[str, bytes]]) -> list[str]:
    """The names of the files that are not the same everywhere."""
    names = sorted({name for one in found for name in one})
    return [name for name in names if len({one.get(name) for one in found}) != 1]


def test_datasets_and_reports_are_the_same_bytes_everywhere(
    tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    """Hash seed, locale, encoding, time zone, umask, the order in which folders tell their files, where it all lies."""
    found = []
    chosen = SURROUNDINGS if full else SURROUNDINGS[:2]
    for surroundings in chosen:
        folder = tmp_path / surroundings[-1] / "project"
        sampled(folder)
        found.append(run_in(folder, surroundings, "report", "recipe.yaml", "--format", "html,md,json"))
    assert told_apart(found) == []
    names = set(found[0])
    assert {"candidates.jsonl", "judgments.jsonl", "datasets/preference/train.parquet", "report.html"} <= names
    assert b"W\xc3\xb6rter" in found[0]["judgments.jsonl"] + found[0]["candidates.jsonl"]
    figure(f"{len(found)} environments: {len(names)} files byte-identical; timings.json differs by design")


def test_a_training_and_its_evaluation_are_the_same_bytes_everywhere(
    tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    """On one machine and with as many threads: weights, curve, evaluation and report."""
    if not full:
        pytest.skip("two trainings: make reliability")
    begun = tmp_path / "begun"
    tiny_llama(begun / "policy", context=64)
    (begun / "constitution.yaml").write_text(CONSTITUTION.replace("topics: [sums]", "weight: 1"), "utf-8")
    (begun / "recipe.yaml").write_text(f"name: same\nconstitution: constitution.yaml\n{TRAINED}", "utf-8")
    (begun / "held_out.jsonl").write_text(jsonl([{"prompt": f"{n}?"} for n in range(4)]))
    (begun / "preference").mkdir()
    turns = {
        "prompt": [{"role": "user", "content": "Hi"}],
        "chosen": [{"role": "assistant", "content": "a"}],
        "rejected": [{"role": "assistant", "content": "b"}],
    }
    pq.write_table(pa.Table.from_pylist([turns] * 10), begun / "preference" / "train.parquet")
    found = []
    for surroundings in SURROUNDINGS[:2]:
        folder = Path(shutil.copytree(begun, tmp_path / surroundings[-1] / "project"))
        found.append(run_in(folder, surroundings, "run", "recipe.yaml"))
    assert told_apart(found) == []
    assert any(name.endswith(".safetensors") for name in found[0])
    figure(f"a training in {len(found)} of them: {len(found[0])} files byte-identical")

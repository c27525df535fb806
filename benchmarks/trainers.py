"""Every trainer on the quickstart's base, over several seeds: what it reaches, and what it costs in CPU seconds.

    python benchmarks/trainers.py --out trainers.json --write docs/results/trainers.md
    python benchmarks/trainers.py --only dpo "ppo, LoRA" --seeds 0
    python benchmarks/trainers.py --read trainers.json --write docs/results/trainers.md   # from an earlier run

The recipes are those of ``examples/trainers``; a row puts its own values into their ``train``. All trainings of a seed
share one ledger, in which the replies of the policy and the judge are looked up by their seed: completions, judgments
and the answers of the untrained policy are computed by the first row, and those after it train and answer only. A seed
changes what is sampled, how the data is split and shuffled, and so everything after.

What a training costs is what its process costs, imports among it. ``--out`` is written after each row.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, here and in the training processes

from pages import between_markers, table

from solon.pipeline import run
from solon.recipe import read
from solon.report import summarise

RECIPES = Path(__file__).parents[1] / "examples" / "trainers"
SHARED = ("torch", "transformers", "trl", "peft")

ROWS: dict[str, tuple[str, ...]] = {
    "dpo": (),
    "dpo, LoRA": (
        "lora={r: 32, alpha: 64}",
        "learning_rate=1.4e-3",
        "beta=0.3",
        "sft_weight=1.0",
        "max_steps=82",
    ),
    "kto": (),
    "kto, LoRA": ("lora={r: 16}", "learning_rate=1.5e-3"),
    "orpo": (),
    "orpo, LoRA": ("lora={r: 32, alpha: 64}", "learning_rate=2.4e-3", "max_steps=64"),
    "simpo": (),
    "simpo, LoRA": ("lora={r: 32, alpha: 64}", "learning_rate=1.8e-3", "max_steps=88"),
    "sft": (),
    "sft, LoRA": ("lora={r: 16}", "learning_rate=4.0e-3"),
    "grpo": (),
    "grpo, LoRA": ("lora={r: 16}", "learning_rate=4.0e-3", "max_steps=34"),
    "rloo": (),
    "rloo, LoRA": ("lora={r: 16}", "learning_rate=4.0e-3", "max_steps=34"),
    "ppo": ("lora=null", "learning_rate=5.0e-4"),
    "ppo, LoRA": (),
}
"""What each row puts in place of its recipe's settings of ``train``; the recipe is named by the first word."""

MEASURES = ("compliance", "compliance/greedy", "accuracy", "accuracy/greedy")
WITHOUT_TARGET = ("sft", "sft, LoRA")
REACHED, SECONDS, POINTS = 0.95, 25.0, 0.02  # compliance at least; CPU seconds and loss of greedy accuracy at most


def main() -> None:
    """Trains each row once a seed, and prints a Markdown table and what falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of `train` for every row")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where everything that was measured goes, as JSON")
    parser.add_argument("--read", type=Path, metavar="FILE", help="train nothing: show what `--out` left")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a Markdown page to put the table into")
    chosen = parser.parse_args()
    if chosen.read:
        found = json.loads(chosen.read.read_text("utf-8"))
    else:
        found = _measured(chosen.only, chosen.seeds, chosen.set, chosen.out)
    text = report(found)
    print(text)
    if chosen.write:
        between_markers(chosen.write, "trainers", text)


def _measured(rows: list[str], seeds: list[int], more: list[str], out: Path | None) -> dict[str, Any]:
    out = out.absolute() if out else None  # trainings run in folders of their own
    command = f"python benchmarks/trainers.py {shlex.join(_without_files(sys.argv[1:]))}".strip()
    found: dict[str, Any] = {"command": command, "seeds": seeds, "about": _about(), "trainings": []}
    started = time.monotonic()
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for name in rows:
                training = _trained(name, seed, [*ROWS[name], *more])
                found["trainings"].append(training)
                found["seconds"] = round(time.monotonic() - started, 1)
                shown = training["after"]
                print(
                    f"{name}, seed {seed}: compliance {shown['compliance']:.3f}, accuracy {shown['accuracy']:.3f}, "
                    f"{training['train_cpu_seconds']:.1f} CPU s",
                    file=sys.stderr,
                    flush=True,
                )
                if out:
                    out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return found


def _without_files(arguments: list[str]) -> list[str]:
    """The command without where its results go."""
    kept, skip = [], False
    for argument in arguments:
        if not skip and argument not in ("--out", "--write"):
            kept.append(argument)
        skip = argument in ("--out", "--write")
    return kept


def _about() -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "import_cpu_seconds": _imports(),
        **{package: version(package) for package in SHARED},
    }


def _imports() -> float:
    """CPU seconds that a training process spends before it begins."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", "import solon.trainers.worker, solon.trainers.backend.preference"], check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, 1)


def _trained(name: str, seed: int, settings: list[str]) -> dict[str, Any]:
    """One recipe from its first stage to its measures, in the working directory, whose ledger it shares."""
    kind = name.partition(",")[0]
    folder = Path("runs", name.replace(", ", "-"))
    opened = read(RECIPES / f"{kind}.yaml", [f"seed={seed}", *(f"train.{setting}" for setting in settings)])
    started = time.monotonic()
    run(opened, folder, until="evaluate")
    summary = summarise(folder)
    metrics = {(metric.name, metric.of): metric.value for metric in summary.metrics}
    timings = json.loads((folder / "timings.json").read_text("utf-8"))
    assert opened.recipe.train is not None
    return {
        "row": name,
        "seed": seed,
        "settings": opened.recipe.train.settings(),
        "before": {measure: metrics[measure, "before"] for measure in MEASURES},
        "after": {measure: metrics[measure, "after"] for measure in MEASURES},
        "kl": metrics["kl", "pair"],
        "explained_variance": _at_the_end(summary.steps, "value/explained_variance"),
        "train_cpu_seconds": timings["train"]["cpu_seconds"],
        "train_seconds": timings["train"]["seconds"],
        "cpu_seconds": {stage: taken["cpu_seconds"] for stage, taken in timings.items()},
        "seconds": round(time.monotonic() - started, 1),
    }


def _at_the_end(steps: Sequence[dict[str, float]], name: str) -> float | None:
    """The mean over the last three rounds: when hardly an answer fails any more, one of them says little."""
    values = [step[name] for step in steps if name in step]
    return fmean(values[-3:]) if values else None


def report(found: dict[str, Any]) -> str:
    """The command, the machine, a row a trainer with the mean and each seed, and what falls short, as Markdown."""
    about, rows = found["about"], list(dict.fromkeys(training["row"] for training in found["trainings"]))
    by_row = {row: [training for training in found["trainings"] if training["row"] == row] for row in rows}
    before = by_row[rows[0]]
    short = [line for row in rows for line in falls_short(row, by_row[row])]
    untrained = {name: _cell([one["before"][name] for one in before]) for name in MEASURES}
    said = (
        f"{about['date']}, {about['cores']} cores ({about['machine']}), no GPU, one thread; {_versions(about)}; "
        f"{found['seconds'] / 60:.0f} minutes in all. Of a training's CPU seconds {about['import_cpu_seconds']:.1f} "
        f"are imports. A cell holds the mean, and in brackets the seeds {', '.join(map(str, found['seeds']))}. "
        f"Before: {', '.join(map(' '.join, untrained.items()))}."
    )
    head = ["trainer", *MEASURES, "KL, nats", "explained variance", "training, CPU s"]
    shown = table(head, [_row(row, by_row[row]) for row in rows])
    return "\n\n".join([f"    {found['command']}", said, shown, f"What falls short: {'; '.join(short) or 'nothing'}."])


def _versions(about: dict[str, Any]) -> str:
    return ", ".join(f"{package} {about[package]}" for package in ("python", *SHARED))


def _row(name: str, trainings: list[dict[str, Any]]) -> list[str]:
    variances = [one["explained_variance"] for one in trainings]
    return [
        name,
        *(_cell([one["after"][measure] for one in trainings], bold=measure == "compliance") for measure in MEASURES),
        _cell([one["kl"] for one in trainings], "{:.1f}"),
        _cell(variances, "{:.2f}") if None not in variances else "",
        _cell([one["train_cpu_seconds"] for one in trainings], "{:.1f}"),
    ]


def _cell(values: list[float], form: str = "{:.3f}", *, bold: bool = False) -> str:
    shown = [form.format(value).replace("0.", ".", 1) if abs(value) < 1 else form.format(value) for value in values]
    mean = _cell([fmean(values)], form) if len(values) > 1 else shown[0]
    mean = f"**{mean}**" if bold else mean
    return f"{mean} ({' '.join(shown)})" if len(values) > 1 else mean


def falls_short(row: str, trainings: list[dict[str, Any]]) -> list[str]:
    """Each target that a training misses, as a clause."""
    found: list[str] = []
    if row in WITHOUT_TARGET:
        return found
    for one in trainings:
        where, after, before = f"{row}, seed {one['seed']}", one["after"], one["before"]
        lost = before["accuracy/greedy"] - after["accuracy/greedy"]
        if after["compliance"] < REACHED:
            found.append(f"{where}: compliance {after['compliance']:.3f} below {REACHED}")
        if lost > POINTS + 1e-9:
            found.append(f"{where}: greedy accuracy {100 * lost:.1f} points lower, more than {100 * POINTS:.0f}")
        if one["train_cpu_seconds"] > SECONDS:
            found.append(f"{where}: {one['train_cpu_seconds']:.1f} CPU s, more than {SECONDS:.0f}")
        if one["explained_variance"] is not None and one["explained_variance"] <= 0:
            found.append(f"{where}: explained variance {one['explained_variance']:.2f} at the end")
    return found


if __name__ == "__main__":
    main()

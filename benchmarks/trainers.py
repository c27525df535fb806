"""Every trainer on the quickstart's base, over several seeds: what it reaches, and what it costs in CPU seconds.

    python benchmarks/trainers.py                             # all trainers, seeds 0, 1 and 2: about half an hour
    python benchmarks/trainers.py --only dpo kto --seeds 0

Those of one seed share their samples and labels, so that they learn from the same data. Compliance is measured on 600
held-out prompts by a rule that no judge and no trainer of preferences sees. The settings are those of tiny models:
rates for billions of parameters are hundreds of times smaller.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RECIPE = Path(__file__).parents[1] / "examples" / "quickstart" / "recipe.yaml"
PATTERN = "Answer: .+ — Confidence: (high|medium|low) — Reasoning: .+"

OFFLINE = {"epochs": 2, "batch_size": 32, "gradient_accumulation": 1}
LORA = {"lora": {"r": 16}}

TRAINERS: dict[str, dict[str, Any]] = {
    "dpo": {"kind": "dpo", "beta": 0.1, "learning_rate": 2e-4, **OFFLINE},
    "dpo, LoRA": {"kind": "dpo", "beta": 0.1, "learning_rate": 2e-3, **OFFLINE, **LORA},
    "kto": {"kind": "kto", "learning_rate": 2e-4, **OFFLINE},
    "kto, LoRA": {"kind": "kto", "learning_rate": 2e-3, **OFFLINE, **LORA},
    "orpo": {"kind": "orpo", "learning_rate": 4e-4, **OFFLINE},
    "orpo, LoRA": {"kind": "orpo", "learning_rate": 2e-3, **OFFLINE, **LORA},
    "simpo": {"kind": "simpo", "learning_rate": 1e-4, **OFFLINE},
    "simpo, LoRA": {"kind": "simpo", "learning_rate": 1e-3, **OFFLINE, **LORA},
    "sft": {"kind": "sft", "learning_rate": 4e-4, **OFFLINE},
}
"""The settings of each row, by its name."""

SHOWN = ("compliance", "accuracy", "accuracy/greedy")


def main() -> None:
    """Prints one Markdown row for each trainer and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(TRAINERS), default=list(TRAINERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings in place of the trainers' own"
    )
    chosen = parser.parse_args()
    print(f"| trainer | seed | {' | '.join(SHOWN)} | KL, nats | training, CPU s |")
    print("|" + "---|" * (len(SHOWN) + 4))
    for seed in chosen.seeds:
        with tempfile.TemporaryDirectory() as folder:
            for name in chosen.only:
                print(_row(name, seed, *_run(Path(folder), name, seed, chosen.set)), flush=True)


def _run(folder: Path, name: str, seed: int, more: list[str]) -> tuple[dict[tuple[str, str], dict[str, Any]], float]:
    run = folder / name.replace(", ", "-")
    settings = {**TRAINERS[name], **dict(_setting(text) for text in more)}
    command = [
        sys.executable,
        "-m",
        "solon.cli.app",
        "run",
        str(RECIPE),
        f"seed={seed}",
        f"train={json.dumps(settings)}",
    ]
    done = subprocess.run(
        [*command, "--run-dir", str(run), "--json", "--quiet"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{name}, seed {seed}, ended with {done.returncode}: {done.stderr}")
    metrics = json.loads((run / "evaluation" / "metrics.json").read_text("utf-8"))
    timings = json.loads((run / "timings.json").read_text("utf-8"))
    return {(metric["name"], metric["of"]): metric for metric in metrics}, _cpu(timings)


def _setting(text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    return key, json.loads(value)


def _cpu(timings: dict[str, Any]) -> float:
    return float(timings["train"]["cpu_seconds"])


def _row(name: str, seed: int, found: dict[tuple[str, str], dict[str, Any]], seconds: float) -> str:
    def change(metric: str) -> str:
        after = found[metric, "after"]
        return (
            f"{found[metric, 'before']['value']:.3f} -> {after['value']:.3f} [{after['low']:.3f} {after['high']:.3f}]"
        )

    cells = [name, str(seed), *map(change, SHOWN), f"{found['kl', 'pair']['value']:.2f}", f"{seconds:.1f}"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

"""The quickstart over several seeds: what it reaches, and what it costs in CPU seconds.

    python benchmarks/quickstart.py                      # seeds 0, 1 and 2, each from nothing in a folder of its own
    python benchmarks/quickstart.py --seeds 0 1 2 3 4

A seed changes what is sampled and how the data is split and shuffled, and so everything after. Prints one Markdown row
a seed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RECIPE = Path(__file__).parents[1] / "examples" / "quickstart" / "recipe.yaml"
SHOWN = ("compliance", "compliance/greedy", "accuracy", "accuracy/greedy")


def main() -> None:
    """Runs the recipe once a seed and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    chosen = parser.parse_args()
    print(
        f"| seed | {' | '.join(SHOWN)} | win rate | KL, nats | agreement | order consistency | CPU s | again, CPU s |"
    )
    print("|" + "---|" * (len(SHOWN) + 7))
    for seed in chosen.seeds:
        with tempfile.TemporaryDirectory() as folder:
            found, seconds = _run(folder, seed)
            _, again = _run(folder, seed)
            print(_row(seed, found, seconds, again), flush=True)


def _run(folder: str, seed: int) -> tuple[dict[tuple[str, str], dict[str, Any]], float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "solon.cli.app", "run", str(RECIPE), f"seed={seed}", "--json", "--quiet"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(
            f"seed {seed} ended with {done.returncode} after {time.monotonic() - started:.0f} s: {done.stderr}"
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    metrics = json.loads(Path(folder, "runs", "quickstart", "evaluation", "metrics.json").read_text("utf-8"))
    return {(metric["name"], metric["of"]): metric for metric in metrics}, seconds


def _row(seed: int, found: dict[tuple[str, str], dict[str, Any]], seconds: float, again: float) -> str:
    def share(name: str, of: str) -> str:
        metric = found[name, of]
        return f"{metric['value']:.3f} [{metric['low']:.3f} {metric['high']:.3f}]"

    changes = [f"{found[name, 'before']['value']:.3f} -> {share(name, 'after')}" for name in SHOWN]
    rest = [share("win_rate", "pair"), f"{found['kl', 'pair']['value']:.2f}"]
    labels = [share("agreement", "labels"), share("order_consistency", "labels")]
    return f"| {' | '.join([str(seed), *changes, *rest, *labels, f'{seconds:.1f}', f'{again:.1f}'])} |"


if __name__ == "__main__":
    main()

"""Solon's trainers on this machine's GPU, on Llama 3.1 8B's shape, in less than nine minutes: ``make gpu-check``.

    python benchmarks/gpu/check.py --wheels build/gpu-wheels --write docs/results/gpu.md
    python benchmarks/gpu/check.py --tiny            # the same with a tiny model on a CPU, by the plain backend

A random model is made and quantised on the GPU; each trainer then takes a few steps on it by each backend, in a process
of its own with a time of its own. Memory is held against the estimate, the model without its adapters against the
untouched one, and a training that was cut against one that was not. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plans import FULL, TINY, Plan

sys.path.append(str(Path(__file__).parents[1]))  # of what all benchmarks share

from pages import between_markers
from verdicts import page

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NINE_MINUTES = 530.0
MODEL_SECONDS = 120.0
CHECK_SECONDS = 75.0


@dataclass(frozen=True)
class Part:
    """One process: what it is called, what it runs, and the seconds that it may take."""

    name: str
    command: tuple[str, ...]
    seconds: float


def parts(backends: Sequence[str], plans: Sequence[Plan], *, tiny: bool, work: Path) -> list[Part]:
    """All of them, what matters most first."""
    model, mode = str(work / "model"), ("--tiny",) if tiny else ()
    made = Part("model", (str(HERE / "shape.py"), model, *mode), 600.0 if tiny else MODEL_SECONDS)

    def one(part: str, backend: str, seconds: float, kind: str = "dpo") -> Part:
        name = f"{kind}-{backend}" if part == "train" else f"{part}-{backend}"
        result = str(work / f"{name}.json")
        command = (str(HERE / "one.py"), part, model, str(work / name), result, "--kind", kind, "--backend", backend)
        return Part(name, (*command, *mode), 600.0 if tiny else seconds)

    trained = [one("train", backend, plan.seconds, plan.kind) for plan in plans for backend in backends]
    checked = [one("reference", backend, CHECK_SECONDS) for backend in backends]
    resumed, first = one("resume", backends[0], CHECK_SECONDS), 2 * len(backends)
    return [made, *trained[:first], *checked, resumed, *trained[first:]]


def do(part: Part, environment: dict[str, str], work: Path, left: float) -> dict[str, Any]:
    """Runs one; what it found, or why there is nothing, as ``{"error": ...}``."""
    if left < 5:
        return {"error": "not begun: the time was up"}
    log = work / f"{part.name}.log"
    began = time.perf_counter()
    with log.open("wb") as written:
        try:
            code = subprocess.run(
                [sys.executable, *part.command],
                stdout=written,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=min(part.seconds, left),
            ).returncode
        except subprocess.TimeoutExpired:
            return {"error": f"stopped after {time.perf_counter() - began:.0f} s"}
    took = {"took": time.perf_counter() - began}
    if code:
        lines = log.read_text("utf-8", errors="replace").strip().splitlines() or [f"it ended with {code}"]
        return {"error": lines[-1][:300], **took}
    result = work / f"{part.name}.json"
    return (json.loads(result.read_text("utf-8")) if result.exists() else {}) | took


def environment_with(site: Path) -> dict[str, str]:
    """For the processes: solon from this tree, what was installed into ``site``, and no network."""
    paths = [str(ROOT / "src"), str(HERE), str(site), os.environ.get("PYTHONPATH", "")]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**os.environ, **offline, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def install(wheels: Path | None, site: Path) -> None:
    """What the machine lacks, and solon's entry points, by which its plugins are found: it is not installed itself."""
    site.mkdir(parents=True, exist_ok=True)
    if wheels is not None:
        found = sorted(map(str, wheels.glob("*.whl")))
        if not found:
            raise SystemExit(f"{wheels} holds no wheels: fill it with `make gpu-wheels` where there is a network")
        offline = ["--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--quiet", "--upgrade"]
        command = [sys.executable, "-m", "pip", "install", *offline, "--target", str(site), *found]
        subprocess.run(command, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    folder = site / f"solon-{project['version']}.dist-info"
    folder.mkdir(exist_ok=True)
    head = f"Metadata-Version: 2.1\nName: solon\nVersion: {project['version']}\n"
    (folder / "METADATA").write_text(head, "utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in listed.items())
        for group, listed in project["entry-points"].items()
    ]
    (folder / "entry_points.txt").write_text("\n".join(groups), "utf-8")


def main() -> int:
    """Runs all parts and prints the table; 1 when a part failed or a check did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, help="folder that `make gpu-wheels` filled")
    parser.add_argument("--tiny", action="store_true", help="a tiny model on a CPU; memory is not measured")
    parser.add_argument("--backends", nargs="+", default=None, help="default: bitsandbytes and unsloth; plain if tiny")
    parser.add_argument("--kinds", nargs="+", default=[plan.kind for plan in FULL])
    parser.add_argument("--seconds", type=float, default=None, help=f"for all together; {NINE_MINUTES:.0f}")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "gpu-check", help="for the model and the logs")
    parser.add_argument("--write", type=Path, help="a page whose results are put in place of those it has")
    given = parser.parse_args()
    began = time.perf_counter()
    allowed = given.seconds or (7200.0 if given.tiny else NINE_MINUTES)
    backends = given.backends or (["plain"] if given.tiny else ["bitsandbytes", "unsloth"])
    plans = [plan for plan in (TINY if given.tiny else FULL) if plan.kind in given.kinds]
    given.work.mkdir(parents=True, exist_ok=True)
    site = given.work / "site"
    install(given.wheels, site)
    sys.path.insert(0, str(site))  # where the versions are found that the page names
    environment = environment_with(site)
    found: dict[str, dict[str, Any]] = {}
    for part in parts(backends, plans, tiny=given.tiny, work=given.work):
        found[part.name] = do(part, environment, given.work, allowed - (time.perf_counter() - began))
        print(f"{time.perf_counter() - began:6.0f} s  {part.name}: {_short(found[part.name])}", flush=True)
        if part.name == "model" and "error" in found["model"]:
            break
    text, held = page(found, backends, plans, seconds=time.perf_counter() - began, tiny=given.tiny)
    print(f"\n{text}")
    (given.work / "found.json").write_text(json.dumps(found, indent=1), "utf-8")
    if given.write:
        between_markers(given.write, "gpu", text)
    return 0 if held else 1


def _short(found: dict[str, Any]) -> str:
    shown = {name: round(value, 4) for name, value in found.items() if isinstance(value, float | int)}
    return str(found.get("error") or shown)


if __name__ == "__main__":
    sys.exit(main())

"""What the GPU check found, as a Markdown page: a table of trainers, and which of the checks held."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from plans import Plan

sys.path.append(str(Path(__file__).parents[1]))  # of what all benchmarks share

from pages import table

Found = Mapping[str, Mapping[str, Any]]

OFF = 0.15
"""By how much an estimate of memory may miss what was measured, as a share."""
PPO_GIB = 16.0
FASTER = 1.5
"""Unsloth's tokens a second over those of bitsandbytes, for DPO."""
PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "unsloth")
HEAD = ("trainer", "backend", "peak GiB", "estimated GiB", "estimate off by", "seconds a step", "tokens a second")


def page(
    found: Found, backends: Sequence[str], plans: Sequence[Plan], *, seconds: float, tiny: bool
) -> tuple[str, bool]:
    """The page, and whether every check held that was made. On a CPU memory is not measured, nor what needs a card.

    Args:
        found: by the name of the part.
        backends: in the order of the columns.
        plans: in the order of the rows.
        seconds: that all took.
        tiny: whether it was the tiny model on a CPU.
    """
    rows = [
        row(plan, backend, found[f"{plan.kind}-{backend}"])
        for plan in plans
        for backend in backends
        if f"{plan.kind}-{backend}" in found
    ]
    held = [*checks(found, backends), *([] if tiny else targets(found, backends))]
    failed = [f"- `{name}` failed: {part['error']}" for name, part in found.items() if "error" in part]
    lines = [f"- {'held' if ok else '**did not hold**'}: {what}" for what, ok in held]
    told = f"{machine(tiny=tiny)}; {seconds:.0f} s in all."
    text = "\n\n".join(part for part in (told, table(HEAD, rows), "\n".join(lines), "\n".join(failed)) if part)
    return text, not failed and all(ok for _, ok in held)


def row(plan: Plan, backend: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """One trainer by one backend."""
    if "error" in found:
        return (plan.kind, backend, *["failed"] * (len(HEAD) - 2))
    off = missed(found)
    memory = (
        (f"{found['peak']:.2f}", f"{found['estimated']:.2f}", f"{off:+.0%}") if off is not None else ("-", "-", "-")
    )
    return (plan.kind, backend, *memory, f"{found['seconds']:.2f}", f"{found['tokens_a_second']:,.0f}")


def missed(found: Mapping[str, Any]) -> float | None:
    """By what share of the measured peak the estimate is too high; ``None`` where nothing was measured."""
    return found["estimated"] / found["peak"] - 1 if found.get("peak") else None


def checks(found: Found, backends: Sequence[str]) -> list[tuple[str, bool]]:
    """What can be checked on any machine."""
    held = []
    for backend in backends:
        part = found.get(f"reference-{backend}", {})
        if "ok" in part:
            what = (
                f"without its adapters the model of `{backend}` is the untouched one (log-probabilities "
                f"{part['apart']:.1e} apart; with what they learned, {part['moved']:.1e})"
            )
            held.append((what, bool(part["ok"])))
    part = found.get(f"resume-{backends[0]}", {})
    if "ok" in part:
        what = (
            f"a training that was cut and begun again leaves what an undisturbed one does ({part['apart']:.1e} apart)"
        )
        held.append((what, bool(part["ok"])))
    return held


def targets(found: Found, backends: Sequence[str]) -> list[tuple[str, bool]]:
    """What is aimed at on a GPU."""
    measured = {name: part for name, part in found.items() if part.get("peak")}
    held = [
        (f"`{name}`: the estimate of memory is within {OFF:.0%}", abs(missed(part) or 0.0) <= OFF)
        for name, part in measured.items()
    ]
    held += [
        (f"`{name}`: at most {PPO_GIB:.0f} GiB at 64 rollouts of 512 tokens", part["peak"] <= PPO_GIB)
        for name, part in measured.items()
        if name.startswith("ppo-")
    ]
    speeds = [found.get(f"dpo-{backend}", {}).get("tokens_a_second") for backend in ("unsloth", "bitsandbytes")]
    if set(backends) >= {"unsloth", "bitsandbytes"} and speeds[0] and speeds[1]:
        ratio = speeds[0] / speeds[1]
        what = f"`unsloth` takes {ratio:.2f} times the tokens a second of `bitsandbytes` for DPO; {FASTER} are aimed at"
        held.append((what, ratio >= FASTER))
    return held


def machine(*, tiny: bool) -> str:
    """Card or processor, and versions."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return f"{platform.machine() if tiny else _card()}, Python {platform.python_version()}, {', '.join(versions)}"


def _card() -> str:
    ask = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return "no NVIDIA GPU"

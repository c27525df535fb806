"""What this machine can run, and the exact command for what is missing. Imports no heavy package."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from solon.doctor.environment import around
from solon.doctor.finding import Finding
from solon.errors import MissingExtra, PluginError
from solon.sandbox.pool import SandboxFailed, pool
from solon.trainers.backends import INSTALL, Machine, choose
from solon.trainers.base import Policy

TRAIN = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
REPORT = ("matplotlib", "sacrebleu", "scipy", "statsmodels")
OF_PLUGINS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "litellm": "litellm",
    "vllm": "vllm",
    "panel": "crowd-kit",
    "verify": "math-verify",
    "eval": "lm-eval",
    "wandb": "wandb",
    "mlflow": "mlflow-skinny",
    "trackio": "trackio",
}
"""Extras that one kind of plugin needs, and only where a recipe has it, with the package that each brings."""


def findings() -> list[Finding]:
    """Everything ``solon doctor`` prints, in order."""
    return [
        _python(),
        *_memory(),
        _disk(),
        *_extra("train", TRAIN),
        *_extra("report", REPORT),
        *(_of_plugin(extra, package) for extra, package in OF_PLUGINS.items()),
        _few_need("train", "tensorboardX", "curves for TensorBoard"),
        _sandbox(),
        _trl_on_cpu(),
        *_gpu(Machine.here()),
        *around(),
    ]


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding(
        what="Python", ok=ok, found=platform.python_version(), remedy="" if ok else "install Python 3.11 or newer"
    )


def _memory() -> list[Finding]:
    cores = os.cpu_count() or 1
    found = [Finding(what="CPU cores", ok=True, found=str(cores))]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        found.append(
            Finding(what="memory", ok=gib >= 4, found=f"{gib:.1f} GiB", remedy="" if gib >= 4 else "4 GiB is the least")
        )
    return found


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    return Finding(
        what="free disk here", ok=free >= 2, found=f"{free:.1f} GiB", remedy="" if free >= 2 else "make room"
    )


def _extra(extra: str, packages: tuple[str, ...]) -> list[Finding]:
    found = []
    for package in packages:
        try:
            found.append(Finding(what=f"{package} ({extra})", ok=True, found=version(package)))
        except PackageNotFoundError:
            remedy = f"pip install 'solon[{extra}]'"
            found.append(Finding(what=f"{package} ({extra})", ok=False, found="not installed", remedy=remedy))
    return found


def _of_plugin(extra: str, package: str) -> Finding:
    """Whether it is there; without it nothing is wrong until a recipe wants it."""
    return _few_need(extra, package, "recipes that name its kind")


def _few_need(extra: str, package: str, who: str) -> Finding:
    (found,) = _extra(extra, (package,))
    return found if found.ok else found.model_copy(update={"ok": True, "found": f"not installed: only {who} need it"})


def _sandbox() -> Finding:
    """Whether ``verifier`` can run code that nobody trusts here; a process is started to find out."""
    what = "isolation of code (verifier)"
    try:
        rung = pool("python", 1, "required").holds()
    except (PluginError, SandboxFailed) as error:
        found = "no: only recipes whose verifier runs code or compares expressions need it"
        return Finding(what=what, ok=True, found=found, remedy=str(error))
    return Finding(what=what, ok=True, found=f"yes, by {rung}")


def _trl_on_cpu() -> Finding:
    """TRL 1.15 computes log-probabilities through a kernel that needs a GPU."""
    try:
        trl = version("trl")
    except PackageNotFoundError:
        return Finding(what="trainers on a CPU", ok=False, found="no TRL", remedy="pip install 'solon[train]'")
    broken = trl.startswith("1.15.")
    return Finding(
        what="trainers on a CPU",
        ok=not broken,
        found=f"TRL {trl} {'cannot train' if broken else 'trains'} without a GPU",
        remedy="pip install 'trl==1.14.2'" if broken else "",
    )


def _gpu(machine: Machine) -> list[Finding]:
    """The cards, and what trains on them."""
    if not machine.gpus:
        found = "none: models run on the CPU, 4-bit loading is not available"
        return [Finding(what="GPU", ok=True, found=found), _backend(machine)]
    cards = ", ".join(f"{card.name} ({card.gib:.1f} GiB)" for card in machine.gpus)
    return [
        Finding(what="GPU", ok=True, found=cards),
        *(
            Finding(what=f"{package} (backend)", ok=True, found="installed")
            if package in machine.installed
            else Finding(
                what=f"{package} (backend)", ok=package != "bitsandbytes", found="not installed", remedy=remedy
            )
            for package, remedy in INSTALL.items()
        ),
        _backend(machine),
    ]


def _backend(machine: Machine) -> Finding:
    """What `backend: auto` takes for adapters, on 4-bit weights where there is a GPU."""
    policy = Policy(model="a Llama", load_in_4bit=bool(machine.gpus))
    try:
        choice = choose("auto", policy, machine, lora=True, model="llama")
    except MissingExtra as error:
        return Finding(what="trainers' backend", ok=False, found="none for 4-bit weights", remedy=str(error))
    return Finding(what="trainers' backend", ok=True, found=f"{choice.name}: {choice.reason}")

"""Which library loads and trains the policy: chosen by what the machine has, and said with its reason.

- ``plain``: transformers and peft, weights as they are stored or in the type that the policy names. Runs anywhere.
- ``bitsandbytes``: the same with weights in NF4, double quantisation (Dettmers et al. 2023, arXiv:2305.14314).
- ``unsloth``: its own kernels for adapters and gradient checkpointing, in 4 or 16 bits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from solon.errors import DataError, MissingExtra, RecipeError, SolonError
from solon.trainers.base import Policy
from solon.trainers.configurations import ENCODER_DECODERS, is_encoder_decoder, model_type
from solon.trainers.shapes import MODEL_TYPES

Name = Literal["plain", "bitsandbytes", "unsloth"]
Backend = Literal["auto", "plain", "bitsandbytes", "unsloth"]

UNSLOTH_TYPES = tuple(kind for kind in MODEL_TYPES if kind not in ("gpt2", "t5"))
"""Kinds of model that ``auto`` gives to Unsloth."""
_EXTRA: dict[Backend, str] = {"bitsandbytes": "gpu", "unsloth": "unsloth"}
INSTALL = {package: f"pip install 'solon[{extra}]'" for package, extra in _EXTRA.items()}
"""The line that installs what a backend needs."""
_FOUR_BIT_FIELD = "policy.load_in_4bit"


@dataclass(frozen=True)
class GPU:
    """One card, and its memory in GiB."""

    name: str
    gib: float


@dataclass(frozen=True)
class Machine:
    """What matters of a machine: its NVIDIA cards, and which of the backends' packages are installed."""

    gpus: tuple[GPU, ...] = ()
    installed: frozenset[Name] = frozenset()

    @classmethod
    def here(cls) -> Machine:
        """This one, as far as ``CUDA_VISIBLE_DEVICES`` lets it be seen. Imports no heavy package."""
        packages: tuple[Name, ...] = ("bitsandbytes", "unsloth")
        return cls(_gpus(), frozenset(package for package in packages if find_spec(package) is not None))


@dataclass(frozen=True)
class Choice:
    """A backend, and why it was taken, as a clause."""

    name: Name
    reason: str


def choose(backend: Backend, policy: Policy, machine: Machine, *, lora: bool, model: str | None = None) -> Choice:
    """The backend that trains ``policy`` on ``machine``.

    Args:
        backend: what was asked for.
        policy: its ``load_in_4bit`` decides about 4 bits, for training and sampling alike.
        machine: where.
        lora: whether adapters are trained, and not all weights.
        model: ``model_type`` of its configuration; ``None`` when it is not known.

    Raises:
        RecipeError: the settings contradict each other, or this machine has no GPU and needs one.
        MissingExtra: a package is not installed; with the install line.
    """
    four_bit = policy.load_in_4bit
    if four_bit and not lora:
        raise RecipeError(f"{_FOUR_BIT_FIELD}: 4-bit weights cannot be trained themselves; add `lora: {{}}` to train")
    if four_bit and not machine.gpus:
        raise RecipeError(f"{_FOUR_BIT_FIELD}: needs an NVIDIA GPU, and there is none here; set it to false")
    if backend == "auto":
        return _auto(machine, four_bit=four_bit, model=model)
    match backend:
        case "plain" if four_bit:
            raise RecipeError(
                f"train.backend: plain loads no 4-bit weights; leave it out, or set {_FOUR_BIT_FIELD} to false"
            )
        case "bitsandbytes" if not four_bit:
            raise RecipeError(
                f"train.backend: bitsandbytes trains on 4-bit weights; set {_FOUR_BIT_FIELD} to true, so that the "
                "policy is sampled as it is trained, or take plain"
            )
        case "unsloth" if not lora:
            raise RecipeError("train.backend: unsloth trains adapters here; add `lora: {}` to train, or take plain")
        case "unsloth" if model in ENCODER_DECODERS:
            raise RecipeError(
                "train.backend: unsloth trains no encoder-decoder; take plain, or bitsandbytes for 4 bits"
            )
    _refuse_missing(backend, machine)
    return Choice(backend, "as train.backend says")


def _auto(machine: Machine, *, four_bit: bool, model: str | None) -> Choice:
    if not machine.gpus:
        return Choice("plain", "there is no NVIDIA GPU here")
    if not four_bit:
        return Choice("plain", f"{_FOUR_BIT_FIELD} is false")
    on = f"4-bit weights on {machine.gpus[0].name}"
    if "unsloth" not in machine.installed:
        _refuse_missing("bitsandbytes", machine)
        return Choice("bitsandbytes", f"{on}, and unsloth, which is faster, is not installed: {INSTALL['unsloth']}")
    if model in UNSLOTH_TYPES:
        return Choice("unsloth", f"{on}, and unsloth is installed")
    _refuse_missing("bitsandbytes", machine)
    return Choice("bitsandbytes", f"{on}, and unsloth is taken for {', '.join(UNSLOTH_TYPES)} only, not for {model}")


def problems(backend: Backend, machine: Machine | None = None) -> list[str]:
    """What keeps a backend that was asked for by name from running here; empty for ``auto``.

    Asked by ``solon check``, which knows of the trainer alone: what depends on the policy, ``choose`` finds.
    """
    if backend in ("auto", "plain"):
        return []
    try:
        _refuse_missing(backend, machine or Machine.here())
    except SolonError as error:
        return [str(error)]
    return []


def chosen(backend: Backend, policy: Policy, *, lora: bool) -> Choice:
    """``choose`` for this machine, before anything is loaded. Where that is Unsloth, it is imported here.

    Called at the head of a trainer's ``train``, before its backend module imports transformers, peft or trl: Unsloth
    patches them as they are imported.

    Raises:
        RecipeError, MissingExtra: as ``choose``.
    """
    choice = choose(backend, policy, Machine.here(), lora=lora, model=known_type(policy))
    if choice.name == "unsloth":
        from solon.trainers.backend.network import import_unsloth

        import_unsloth()
    return choice


def known_type(policy: Policy) -> str | None:
    """``model_type`` of the policy's configuration, where it can be read without network."""
    try:
        return model_type(policy.model)
    except DataError:
        return None


def known_encoder_decoder(policy: Policy) -> bool:
    """Whether the policy is an encoder-decoder, as far as its configuration can be read without network."""
    try:
        return is_encoder_decoder(policy.model)
    except DataError:
        return False


def _refuse_missing(backend: Backend, machine: Machine) -> None:
    if backend == "bitsandbytes" and not machine.gpus:
        raise RecipeError("train.backend: bitsandbytes needs an NVIDIA GPU, and there is none here; take plain")
    if backend in _EXTRA and backend not in machine.installed:
        raise MissingExtra(f"train.backend {backend!r}", _EXTRA[backend])


def _gpus(run: Callable[[list[str]], str] | None = None) -> tuple[GPU, ...]:
    """What ``nvidia-smi`` lists, of which ``CUDA_VISIBLE_DEVICES`` lets be seen."""
    if run is None and shutil.which("nvidia-smi") is None:
        return ()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    ask = ["nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        listed = (run or _ask)(ask)
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [[cell.strip() for cell in line.split(",")] for line in listed.splitlines()]
    cards = {(index, uuid): GPU(name, _gib(mib)) for index, uuid, name, mib in (row for row in rows if len(row) == 4)}
    if visible is None:
        return tuple(cards.values())
    wanted = [one.strip() for one in visible.split(",") if one.strip()]
    return tuple(
        card for one in wanted for (index, uuid), card in cards.items() if one == index or uuid.startswith(one)
    )


def _ask(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout  # noqa: S603


def _gib(mib: str) -> float:
    return float(mib) / 1024 if mib.replace(".", "", 1).isdigit() else 0.0

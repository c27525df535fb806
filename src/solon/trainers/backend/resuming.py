"""Going on after a kill, bit for bit, for trainers that are built on transformers' loop.

What is kept of a step: the weights that are trained, the state of the optimizer, of the schedule and of all random
numbers, and how far the data has been read. Weights that are not trained are loaded as they were at first.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainerCallback

from solon.trainers.backend.divided import gathered_all, optimizer_state, part, restore_optimizer
from solon.trainers.backend.kept import Kept, reading
from solon.trainers.several import Place

_WEIGHTS = "trained.safetensors"
_OPTIMIZER = "optimizer.pt"
_SCHEDULE = "scheduler.pt"


class Keeper(TrainerCallback):  # type: ignore[misc]  # transformers is not followed by mypy
    """Asks for a step to be kept every so many steps, after all that is logged at it, and never at the last.

    Args:
        every: steps.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Called by transformers before it logs the step."""
        # the held-out numbers of an epoch come later: kept before them, a step would go on without them after a kill
        control.should_save = self._due(state) and not float(state.epoch).is_integer()

    def on_epoch_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Called by transformers before it evaluates, and then keeps the step."""
        control.should_save = self._due(state) and float(state.epoch).is_integer()

    def _due(self, state: Any) -> bool:
        return bool(state.global_step % self.every == 0 and state.global_step < state.max_steps)


class Resumable(Trainer):  # type: ignore[misc]
    """Stands before a trainer of TRL among the bases of a class, whose ``args.output_dir`` is ``Job.kept``."""

    _into: str | None = None

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        kept = Kept(Path(self.args.output_dir))
        first = self.is_world_process_zero()
        with kept.writing(self.state.global_step) if first else nullcontext() as folder:
            (self._into,) = broadcast_object_list([str(folder)])  # each process writes where its random numbers stand
            Trainer._save_checkpoint(self, model, trial)  # past TRL's, which writes a model card as well
            self.accelerator.wait_for_everyone()
        self._into = None

    def _get_output_dir(self, trial: Any) -> str:
        return self._into or str(super()._get_output_dir(trial))

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Writes the weights that are trained, in the type that they have."""
        if output_dir is None:
            super().save_model(output_dir, _internal_call)
            return
        # one after another: of a model that is divided among processes, each weight is put together by all of them
        weights = gathered_all({name: weight.detach() for name, weight in _trained(self.model)})
        if self.args.should_save:
            Path(output_dir).mkdir(parents=True, exist_ok=True)
            save_file({name: weight.contiguous() for name, weight in weights.items()}, _file(output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *_: Any) -> None:
        with reading(Path(resume_from_checkpoint).parent):
            saved = load_file(_file(resume_from_checkpoint))
        with torch.no_grad():
            for name, weight in _trained(self.model):
                weight.copy_(part(saved[name], like=weight))

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        state = optimizer_state(self.optimizer)
        if self.args.should_save:
            torch.save(state, Path(output_dir) / _OPTIMIZER)
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / _SCHEDULE)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            file, divided = Path(checkpoint) / _OPTIMIZER, Place.here().divided  # of which each process reads its part
            # never without `weights_only`: a pickle may hold any code, and a run directory may come from elsewhere
            with reading(Path(checkpoint).parent):
                optimizer = torch.load(file, map_location="cpu", weights_only=True, mmap=divided)
                schedule = torch.load(Path(checkpoint) / _SCHEDULE, weights_only=True)
            restore_optimizer(self.optimizer, optimizer)
            self.lr_scheduler.load_state_dict(schedule)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with nullcontext() if checkpoint is None else reading(Path(checkpoint).parent):
            super()._load_rng_state(checkpoint)

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Nothing: nothing is trained in float16, so that none is kept."""


def newest(folder: Path) -> tuple[int, Path] | None:
    """The last step that was kept whole in ``Job.kept``, and what transformers goes on from; ``None`` at first."""
    kept = Kept(folder)
    latest = kept.latest()
    return None if latest is None else (kept.step_of(latest), checkpoint_in(latest))


def checkpoint_in(kept: Path) -> Path:
    """What transformers goes on from in a folder of ``Kept``."""
    return kept / f"checkpoint-{Kept(kept.parent).step_of(kept)}"


def _trained(model: Any) -> list[tuple[str, Any]]:
    """The weights that change, by name; of tied ones, each once."""
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def _file(folder: str) -> Path:
    return Path(folder) / _WEIGHTS

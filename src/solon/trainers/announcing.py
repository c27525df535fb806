"""What ``solon train`` says before it trains: the backend and why, and how much of the model is trained."""

from __future__ import annotations

from typing import get_args

from solon.errors import DataError
from solon.plugins.base import located
from solon.trainers.backends import Choice, Machine, choose, known_encoder_decoder, known_type
from solon.trainers.base import Policy, Trainer
from solon.trainers.gradient import GradientTrainer
from solon.trainers.parameters import Counts, counts, counts_by_building
from solon.trainers.shapes import MODEL_TYPES, shape_of


def announced(trainer: Trainer, policy: Policy, machine: Machine | None = None) -> tuple[list[str], dict[str, float]]:
    """Lines to print before a training, and the sums of its parameters as metrics.

    Both are empty for a trainer of another kind than ours, which has neither ``backend`` nor ``lora``. Where the model
    cannot be counted, a line says why, and there are no metrics: a training does not depend on it.

    Args:
        trainer: the trainer.
        policy: the model to start from.
        machine: where it will train; this one if left out.

    Raises:
        RecipeError, MissingExtra: it cannot be trained so, or not on this machine.
    """
    if not isinstance(trainer, GradientTrainer):
        return [], {}
    choice = _choice(trainer, policy, machine or Machine.here())
    said = f"backend {choice.name}: {choice.reason}"
    try:
        counted = _counted(trainer, policy)
    except DataError as error:
        return [said, f"parameters are not counted: {error}"], {}
    return [said, *counted.lines()], counted.metrics()


def refuse_unfit(trainer: Trainer, policy: Policy, machine: Machine | None = None) -> None:
    """Stops before anything is loaded, sampled or judged when ``trainer`` cannot train ``policy`` so, or not here.

    Says nothing about a trainer of another kind than ours, nor about what only the loaded model would tell.

    Raises:
        RecipeError, MissingExtra: with the remedy.
    """
    if isinstance(trainer, GradientTrainer):
        trainer.refuse_encoder_decoder(known_encoder_decoder(policy))
        _choice(trainer, policy, machine or Machine.here())


def _counted(trainer: GradientTrainer, policy: Policy) -> Counts:
    model = located(policy.model)
    if known_type(policy) in (None, *MODEL_TYPES):
        return counts(shape_of(model), trainer.kind, trainer.lora, value=trainer.value_lora)
    return counts_by_building(model, trainer.kind, trainer.lora, value=trainer.value_lora)


def _choice(trainer: GradientTrainer, policy: Policy, machine: Machine) -> Choice:
    """As the trainer will choose, of the backends that its setting offers; without importing any."""
    offered = get_args(type(trainer).model_fields["backend"].annotation)
    machine = Machine(machine.gpus, machine.installed & frozenset(offered))
    return choose(trainer.backend, policy, machine, lora=trainer.lora is not None, model=known_type(policy))

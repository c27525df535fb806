"""Whether a training fits on this machine's GPU, by part, before anything is loaded: ``solon doctor --model``."""

from __future__ import annotations

from typing import cast, get_args

from solon.data.records import Noun
from solon.errors import PluginError, RecipeError, SolonError
from solon.plugins.registry import load
from solon.trainers.backends import Machine, choose
from solon.trainers.base import Lora, Policy
from solon.trainers.gradient import GradientTrainer
from solon.trainers.memory import ONLINE, Kind, Phase, Training, Weights, estimate, four_models
from solon.trainers.parameters import aligned, counts
from solon.trainers.ppo import USUAL_VALUE_RANK, value_adapter
from solon.trainers.shapes import shape_of

_WHEN: dict[Phase, str] = {"always": "", "sampling": "while sampling", "training": "while training"}


class NeedOf(Noun):
    """GiB that one part needs, and when."""

    part: str
    gib: float
    when: Phase


class Fit(Noun):
    """What a training needs of a GPU, and what this machine has.

    Attributes:
        model, trainer: as asked for.
        how: what is trained how, as a clause.
        parameters, trainable: of the model with its adapters and heads.
        needs: GiB by part.
        static_gib: taken all the time.
        peak_gib: of tensors at the highest; sampling and training take turns.
        card_gib: what the GPU should have free.
        four_models_gib: for ``ppo``, the weights alone of the usual four models in bfloat16.
        gpu, gpu_gib: the GPU here with the most memory; ``None`` where there is none.
        verdict: whether it fits, as a sentence, and what to lower when it does not.
        fits: it in a word.
    """

    model: str
    trainer: str
    how: str
    parameters: int
    trainable: int
    needs: tuple[NeedOf, ...]
    static_gib: float
    peak_gib: float
    card_gib: float
    four_models_gib: float | None = None
    gpu: str | None = None
    gpu_gib: float | None = None
    verdict: str
    fits: bool

    def lines(self) -> list[str]:
        """It as text for a terminal."""
        parts = [(f"  {need.part}", f"{need.gib:.2f}", _WHEN[need.when]) for need in self.needs]
        sums = [("  at the highest", f"{self.peak_gib:.2f}", ""), ("  free on the GPU", f"{self.card_gib:.2f}", "")]
        width = max(len(when) for *_, when in parts)
        table = aligned(
            [("GiB, by part", "", ""), *((name, gib, f"{when:<{width}}") for name, gib, when in parts + sums)]
        )
        compared = (
            [f"For comparison: four models in bfloat16 take {self.four_models_gib:.1f} GiB for their weights alone."]
            if self.four_models_gib is not None
            else []
        )
        return [
            f"{self.trainer} on {self.model}: {self.how}",
            f"{self.trainable:,} of {self.parameters:,} parameters are trained",
            *(line.rstrip() for line in table),
            *compared,
            self.verdict,
        ]


def fit(
    model: str,
    trainer: str,
    machine: Machine,
    *,
    lora: Lora | None,
    weights: Weights = "nf4",
    batch_size: int | None = None,
    length: int = 1024,
    rollouts: int = 64,
) -> Fit:
    """Estimates what ``trainer`` needs to train ``model``, and holds it against the machine.

    Args:
        model: a folder, or a hub id whose configuration is here.
        trainer: its kind.
        machine: this one.
        lora: the adapters; ``None`` trains all weights, in float32.
        weights: number type of the base under adapters.
        batch_size: rows in memory at once; the trainer's default when left out.
        length: tokens of prompt and response together.
        rollouts: completions sampled at once.

    Raises:
        DataError: the model's configuration is not here, or of a kind that is not counted.
        RecipeError: the trainer's memory is not known, or it trains no encoder-decoders and the model is one.
    """
    if trainer not in get_args(Kind):
        kinds = ", ".join(get_args(Kind))
        raise RecipeError(f"what trainer {trainer!r} needs is not known; estimated are {kinds}")
    kind, shape = cast("Kind", trainer), shape_of(model)
    _settings(trainer).refuse_encoder_decoder(shape.encoder)
    if lora is None:
        weights = "float32"
    rows = batch_size or int(_settings(trainer).model_fields["batch_size"].default)
    offload = _by_unsloth(model, machine, weights, kind=shape.model_type)
    value = value_adapter(USUAL_VALUE_RANK, lora) if kind == "ppo" else None
    training = Training(kind, lora, weights, rows, length, rollouts, offload=offload, value=value)
    estimated, counted = estimate(shape, training), counts(shape, trainer, lora, value=value)
    gpu = max(machine.gpus, key=lambda card: card.gib, default=None)
    fits = gpu is not None and gpu.gib >= estimated.card
    return Fit(
        model=model,
        trainer=trainer,
        how=_how(training),
        parameters=counted.all,
        trainable=counted.trainable,
        needs=tuple(NeedOf(part=need.part, gib=need.gib, when=need.phase) for need in estimated.needs),
        static_gib=estimated.static,
        peak_gib=estimated.peak,
        card_gib=estimated.card,
        four_models_gib=four_models(shape) if trainer == "ppo" else None,
        gpu=gpu.name if gpu else None,
        gpu_gib=gpu.gib if gpu else None,
        verdict=_verdict(estimated.card, gpu.name if gpu else None, gpu.gib if gpu else 0.0, training),
        fits=fits,
    )


def _settings(trainer: str) -> type[GradientTrainer]:
    """The trainer's class; that of all trainers where this one is not installed."""
    try:
        found = load("solon.trainers", trainer)
    except PluginError:
        found = GradientTrainer
    return found if issubclass(found, GradientTrainer) else GradientTrainer


def _by_unsloth(model: str, machine: Machine, weights: Weights, *, kind: str) -> bool:
    """Whether ``backend: auto`` would take Unsloth here; not where this machine could not train it at all."""
    if weights != "nf4":
        return False
    try:
        policy = Policy(model=model, load_in_4bit=True)
        return choose("auto", policy, machine, lora=True, model=kind).name == "unsloth"
    except SolonError:
        return False


def _how(training: Training) -> str:
    what = f"adapters of rank {training.lora.r} on {training.weights} weights" if training.lora else "all weights"
    sampled = f", {training.rollouts} rollouts" if training.kind in ONLINE else ""
    return f"{what}, {training.batch_size} rows of {training.length:,} tokens at once{sampled}"


def _verdict(needed: float, gpu: str | None, gib: float, training: Training) -> str:
    if gpu is None:
        return f"There is no NVIDIA GPU here; one with {needed:.1f} GiB free would do."
    if gib >= needed:
        return f"It fits: {gpu} has {gib:.1f} GiB."
    ways = ["--batch-size", "--length", *(["--rollouts"] if training.kind in ONLINE else [])]
    smaller = "; train adapters in place of all weights" if training.lora is None else ""
    return f"It does not fit: {gpu} has {gib:.1f} GiB, {needed - gib:.1f} too few. Lower {', '.join(ways)}{smaller}."

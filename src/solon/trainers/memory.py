"""How much memory of a GPU a training needs, by part, from the model's configuration alone.

Counted are tensors, as ``torch.cuda.max_memory_allocated`` counts them. Weights, gradients and optimizer state are
exact; activations and logits are what PyTorch keeps with gradient checkpointing: the input of
each block, and the inside of one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from solon.trainers.base import Lora
from solon.trainers.parameters import counts
from solon.trainers.shapes import Shape

GIB = 2**30
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes a value: 4 bits, a scale of 8 bits for each 64 values, and one of 32 bits for each 256 of those scales (double
quantisation; Dettmers et al. 2023, arXiv:2305.14314, section 3)."""

Kind = Literal["sft", "dpo", "kto", "orpo", "simpo", "reward", "grpo", "rloo", "ppo", "selfplay"]
Weights = Literal["nf4", "bfloat16", "float32"]
Phase = Literal["always", "sampling", "training"]

_SEQUENCES: dict[Kind, int] = {"dpo": 2, "orpo": 2, "simpo": 2, "reward": 2}
"""Sequences a row, where it is not one."""
ONLINE: tuple[Kind, ...] = ("grpo", "rloo", "ppo", "selfplay")
"""Those that sample while they train."""
SCORES_AT_ONCE = 2**24
"""Scores that a training has at a time, tokens x vocabulary: 64 MiB in float32, those of 130 tokens of Llama 3.1."""
_TOKENS_OF_SFT = 256  # at once, as TRL's loss for it has it
_LOGIT = 10  # bytes a logit: in bfloat16, in float32, and its gradient in float32
_USUAL = Lora()
_CONTEXT_GIB = 0.6  # of CUDA, outside what is counted
_FRAGMENTED = 1.06  # the allocator's blocks are never all full


@dataclass(frozen=True)
class Training:
    """What is to be trained, and how.

    Attributes:
        kind: of the trainer.
        lora: the adapters; ``None`` trains all weights.
        weights: number type of the base's weights; those that are trained themselves are always float32.
        batch_size: rows in memory at once: a row of ``dpo``, ``orpo``, ``simpo``, ``selfplay`` and ``reward`` is
            two sequences.
        length: tokens of prompt and response together.
        rollouts: completions sampled at once, by the trainers that sample.
        value: the adapters of a value that has its own, on the base or on the reference.
        offload: whether inputs of blocks wait in the machine's memory, as ``unsloth`` has it.
    """

    kind: Kind
    lora: Lora | None = _USUAL
    weights: Weights = "nf4"
    batch_size: int = 8
    length: int = 1024
    rollouts: int = 64
    offload: bool = False
    value: Lora | None = None


@dataclass(frozen=True)
class Need:
    """Bytes that one part needs, and when: all the time, while sampling, or while training."""

    part: str
    bytes: float
    phase: Phase = "always"

    @property
    def gib(self) -> float:
        """In GiB."""
        return self.bytes / GIB


@dataclass(frozen=True)
class Estimate:
    """What a training needs."""

    needs: tuple[Need, ...]

    @property
    def static(self) -> float:
        """GiB that are taken from the first step to the last: weights, gradients, optimizer state."""
        return self._in("always")

    @property
    def peak(self) -> float:
        """GiB of tensors at the highest: sampling and training take turns."""
        return self.static + max(self._in("sampling"), self._in("training"))

    @property
    def card(self) -> float:
        """GiB that the GPU should have free: the peak, CUDA's own context, and what is lost between blocks."""
        return self.peak * _FRAGMENTED + _CONTEXT_GIB

    def _in(self, phase: Phase) -> float:
        return sum(need.gib for need in self.needs if need.phase == phase)


def estimate(shape: Shape, training: Training) -> Estimate:
    """What ``training`` needs for a model of that shape, each part with a size above 0.

    Raises:
        DataError: no matrix of the model has a name that ``lora`` targets.
        ValueError: all weights are to be trained, and to be in 4 bits.
    """
    if training.kind == "selfplay":
        needs = _in_rounds(shape, training)
    else:
        needs = [*_static(shape, training), *_sampling(shape, training), *_training(shape, training)]
    return Estimate(tuple(need for need in needs if need.bytes))


def four_models(shape: Shape) -> float:
    """GiB of the weights alone in the usual layout of PPO: policy, reference, value and reward model in bfloat16.

    The last two have a scalar head in place of the model's own.
    """
    whole, trunk = shape.total(), shape.total() - shape.head
    return 2 * (2 * whole + 2 * trunk) / GIB


def _weights(shape: Shape, weights: Weights, *, head: bool) -> float:
    """Bytes of a model; 4-bit loading leaves embeddings, norms, biases and head in bfloat16."""
    values = shape.total() - (0 if head else shape.head)
    match weights:
        case "nf4":
            return NF4 * shape.quantised + 2 * (values - shape.quantised)
        case "bfloat16":
            return 2 * values
        case "float32":
            return 4 * values


def _static(shape: Shape, training: Training) -> list[Need]:
    own_head = training.kind != "reward"
    counted = counts(shape, training.kind, training.lora, value=training.value)
    state = [
        Need("gradients (float32)", 4 * counted.trainable),
        Need("AdamW state (float32)", 8 * counted.trainable),
    ]
    if training.lora is not None:
        return [
            Need(f"base weights ({training.weights})", _weights(shape, training.weights, head=own_head)),
            Need("adapters and heads (float32)", 4 * counted.trainable),
            *state,
        ]
    if training.weights == "nf4":
        raise ValueError(
            "4-bit weights cannot be trained themselves: train adapters on them, or all weights in float32"
        )
    # the offline trainers ask the reference before they begin
    reference = _weights(shape, "float32", head=True) if training.kind in ONLINE else 0
    return [
        Need("weights (float32)", 4 * counted.all),
        Need("weights in bfloat16 for the matrix products", 2 * shape.quantised, "training"),
        Need("reference (float32)", reference),
        *state,
    ]


def _in_rounds(shape: Shape, training: Training) -> list[Need]:
    """Those of self-play, which loads the policy to write answers, and anew to train it as ``dpo`` does."""
    dpo = replace(training, kind="dpo")
    weights: Weights = "bfloat16" if training.lora is None else training.weights
    adapters = 0 if training.lora is None else 4 * counts(shape, dpo.kind, training.lora).trainable
    return [
        Need(f"policy that answers ({weights})", _weights(shape, weights, head=True) + adapters, "sampling"),
        *_sampling(shape, training),
        *(replace(need, phase="training") for need in (*_static(shape, dpo), *_training(shape, dpo))),
    ]


def _sampling(shape: Shape, training: Training) -> list[Need]:
    if training.kind not in ONLINE:
        return []
    cache = 2 * shape.cached * training.rollouts * training.length
    return [
        Need(f"key-value cache of {training.rollouts} rollouts", cache, "sampling"),
        Need("logits of the next token", _LOGIT * shape.vocabulary * training.rollouts, "sampling"),
    ]


def _training(shape: Shape, training: Training) -> list[Need]:
    tokens = _SEQUENCES.get(training.kind, 1) * training.batch_size * training.length
    # a text runs through the encoder or through the decoder: through half of the blocks
    blocks = (2 if training.offload else shape.layers) / (2 if shape.encoder else 1)
    return [
        Need("inputs of the blocks (gradient checkpointing)", 2 * shape.hidden * blocks * tokens, "training"),
        Need("one block, forward and backward", _block(shape, training, tokens), "training"),
        Need("logits", _logits(shape, training, tokens), "training"),
    ]


def _block(shape: Shape, training: Training, tokens: int) -> float:
    """Bytes while one block is computed again and differentiated."""
    kept = 2 * sum((each.inputs + each.outputs) * each.count for each in shape.linears) / shape.layers
    norms = 2 * 4 * shape.hidden  # computed in float32
    in_flight = kept / 2  # gradients on their way
    largest = max(each.inputs * each.outputs for each in shape.linears)
    dequantised = 2 * 2 * largest if training.weights == "nf4" else 0
    return (kept + norms + in_flight) * tokens + dequantised


def _logits(shape: Shape, training: Training, tokens: int) -> float:
    if training.kind == "reward":
        return 0
    scores = tokens * shape.vocabulary
    if training.kind != "sft":
        return _LOGIT * min(scores, SCORES_AT_ONCE)
    # transformers' loss of an encoder-decoder has all of them
    return _LOGIT * (scores if shape.encoder else min(scores, shape.vocabulary * _TOKENS_OF_SFT))

"""What a trainer is: a dataset and a policy in, a checkpoint out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from solon.data.records import Checkpoint, Record
from solon.plugins.base import Location, Plugin, Settings


class Policy(Settings):
    """The model that is trained.

    Attributes:
        model: a folder with safetensors weights and a tokenizer, or a hub id (``meta-llama/Llama-3.1-8B-Instruct``).
        adapter: a LoRA adapter folder to put on top; optional.
        load_in_4bit: NF4 weights (needs a GPU).
        dtype: of the weights; ``auto`` keeps what the checkpoint has on a GPU and takes float32 on a CPU.
        threads: CPU threads of torch; results are bit-stable only at a fixed number.
        batch_size: completions sampled at once.
    """

    model: Location
    adapter: Location | None = None
    load_in_4bit: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    threads: PositiveInt | None = None
    batch_size: PositiveInt = 64


class Lora(Settings):
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): rank, scale, and the modules that get one."""

    r: PositiveInt = 16
    alpha: PositiveInt = 32
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] | Literal["all-linear"] = "all-linear"


@dataclass(frozen=True)
class Job:
    """What ``Trainer.train`` is given.

    Attributes:
        policy: the model to start from.
        dataset: folder with ``train.parquet`` and, when prompts were held out, ``test.parquet``.
        out: an empty folder for the checkpoint; it is renamed into place when ``train`` returns.
        seed: of shuffling and initialisation.
        report: call it with ``(step, steps, metrics)`` after every logged step.
        kept: a folder for what it takes to go on after a kill, empty at first. It outlives the process; what is in it
            was kept by the same training: same settings, policy, dataset, seed and versions.
        go_on_from: call it once, with the step to go on from, when ``kept`` held something: what was reported after it
            is forgotten. Returns the last value of each number that was reported until then.
    """

    policy: Policy
    dataset: Path
    out: Path
    seed: int
    report: Callable[[int, int, Mapping[str, float]], None]
    kept: Path
    go_on_from: Callable[[int], Mapping[str, float]]


class Trainer(Plugin):
    """Aligns a policy with a dataset. Runs in a process of its own; imports torch inside ``train`` only."""

    group: ClassVar[str] = "solon.trainers"
    consumes: ClassVar[type[Record]]

    def train(self, job: Job) -> Checkpoint:
        """Trains and writes weights and tokenizer into ``job.out``. ``Checkpoint.path`` is relative to ``job.out``.

        Raises:
            DataError: the dataset is not of the kind ``consumes``, or empty.
            TrainingError: the loss is not a number, or memory ran out.
        """
        raise NotImplementedError(f"trainer {self.kind!r} does not implement train()")

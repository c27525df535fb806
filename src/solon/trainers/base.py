"""What a trainer is: a dataset and a policy in, a checkpoint out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from solon.data.records import Checkpoint, Constitution, Record
from solon.labelers.base import Labeler
from solon.plugins.base import Location, Plugin, Settings
from solon.trainers.alarms import Alarms

Gives = Literal["policy", "reward model"]
"""What a checkpoint is: a model that answers, or one that scores answers."""

Together = Literal["ddp", "fsdp"]
"""How several processes take a step: each with all of the model, or with a part of it."""


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
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): rank, scale, and the modules that get one.

    Attributes:
        r: their rank.
        alpha: what they add is multiplied with ``alpha / r``.
        dropout: share of their inputs that is left out in each step.
        target_modules: the names of the modules that get one, or all linear ones but the head.
    """

    r: PositiveInt = 16
    alpha: PositiveInt = 32
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] | Literal["all-linear"] = "all-linear"


class Judging(Settings):
    """How a training asks labelers.

    Attributes:
        constitution: what they judge under.
        ledger: where replies are looked up and recorded.
        run: stands beside each reply in the ledger, and names the budget where ``budget`` does not.
        max_usd: cap on what all stages and reruns of one budget may spend, in US dollars; ``None`` is no cap.
        budget: names the budget, where several runs share one: the phases of a recipe.
        max_failed: share of rewards that may be missing, in [0, 1].
        veto_below: as in ``solon.data.kinds.Build``.
    """

    constitution: Constitution
    ledger: Path
    run: str
    max_usd: NonNegativeFloat | None = None
    budget: str | None = None
    max_failed: float = Field(default=0.05, ge=0, le=1)
    veto_below: float = Field(default=0.5, ge=0, le=1)

    def decides(self) -> dict[str, Any]:
        """What of it decides how completions are judged."""
        return {
            "principles": [principle.model_dump(mode="json") for principle in self.constitution.principles],
            "rating": self.constitution.rating.model_dump(mode="json"),
            "veto_below": self.veto_below,
        }


@dataclass(frozen=True)
class Job:
    """What ``Trainer.train`` is given.

    Attributes:
        policy: the model to start from.
        dataset: folder with ``train.parquet`` and, when prompts were held out, ``test.parquet``.
        out: an empty folder for the checkpoint; it is renamed into place when ``train`` returns.
        seed: of shuffling and initialisation.
        report: call it with ``(step, steps, metrics)`` after every logged step. It raises ``TrainingError`` when an
            alarm ends the training: let that pass.
        kept: a folder for what it takes to go on after a kill, empty at first. It outlives the process; what is in it
            was kept by the same training: same settings, policy, dataset, seed and versions.
        go_on_from: call it once, with the step to go on from, when ``kept`` held something: what was reported after it
            is forgotten. Returns the last value of each number that was reported until then.
        judging: how labelers are asked while it trains; there when ``Trainer.labelers`` names any.
    """

    policy: Policy
    dataset: Path
    out: Path
    seed: int
    report: Callable[[int, int, Mapping[str, float]], None]
    kept: Path
    go_on_from: Callable[[int], Mapping[str, float]]
    judging: Judging | None = None


class Trainer(Plugin):
    """Aligns a policy with a dataset. Runs in a process of its own; imports torch inside ``train`` only.

    ``together`` says how several processes may train: each is given the same job, and the first writes what is left.
    """

    group: ClassVar[str] = "solon.trainers"
    consumes: ClassVar[type[Record]]
    gives: ClassVar[Gives] = "policy"
    together: ClassVar[tuple[Together, ...]] = ()
    judged_by: ClassVar[str] = "reward"
    """The setting that names its labelers, where it asks any."""
    resumes: ClassVar[bool] = True
    """Whether it goes on after a kill, from what it left in ``Job.kept``; its contract holds it to that."""
    improves: ClassVar[str | None] = None
    """The reported number that is better after a training, for its contract: ``-my_loss``, with a minus where less is
    better. ``None`` is ``-loss``, or the mean reward for a trainer that answers prompts itself."""

    alarms: Alarms = Field(
        default=Alarms(), description="Where the numbers that it reports become worth a warning, or the end."
    )

    @property
    def longest_completion(self) -> int | None:
        """Tokens after which the completions that it samples are cut: ``max_new_tokens``, where that is a setting."""
        return getattr(self, "max_new_tokens", None)

    def effects(self) -> dict[str, Any]:
        """As ``settings``, with those alarms only that end the training.

        The others change nothing that it leaves. One that ends it changes no weight either, but whether there are any:
        a training that was done before must be done again to know.
        """
        effects = super().effects()
        alarms = {name: limit for name, limit in effects.pop("alarms").items() if limit["stop"]}
        return effects | ({"alarms": alarms} if alarms else {})

    def labelers(self) -> tuple[Labeler, ...]:
        """Those that it asks while it trains: its rewards. Where there are any, the job says how (``Job.judging``)."""
        return ()

    def teachers(self) -> tuple[Labeler, ...]:
        """Those of them that it learns from; others only watch."""
        return self.labelers()

    def train(self, job: Job) -> Checkpoint:
        """Trains and writes weights and tokenizer into ``job.out``. ``Checkpoint.path`` is relative to ``job.out``.

        Raises:
            DataError: the dataset is not of the kind ``consumes``, or empty.
            TrainingError: the loss is not a number, or memory ran out.
        """
        raise NotImplementedError(f"trainer {self.kind!r} does not implement train()")

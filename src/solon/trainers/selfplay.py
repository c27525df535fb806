"""Self-play: rounds of answering, judging and DPO, each round's policy judged against the last.

The policy of a round answers prompts ``num_generations`` times each, a labeler says which answers are better, and DPO
teaches it their difference: online, or iterative, direct preference optimisation (Xiong et al. 2023, arXiv:2312.11456;
Guo et al. 2024, arXiv:2402.04792). Where the labeler asks the policy's own weights, the policy rewards itself (Yuan et
al. 2024, arXiv:2401.10020). Pairs that the policy has just written are those that it has to choose between; the pairs
of a dataset that was sampled once become ever less so.

After each round the new policy and the one before answer the held-out prompts with the same random numbers, and the
labeler compares the answers: the share of prompts on which the new one is preferred is the round's win rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from solon.data.kinds import Build
from solon.data.pairs import Which
from solon.data.records import Checkpoint
from solon.errors import SolonError
from solon.labelers.base import Labeler
from solon.plugins.registry import AnyLabeler
from solon.trainers.backends import Backend
from solon.trainers.base import Job, Together
from solon.trainers.dpo import DPO, DPOLoss
from solon.trainers.prompted import Asked, PromptTrainer

Stop = Literal["never", "worse", "unclear"]


class SelfPlay(PromptTrainer, DPOLoss):
    """DPO in rounds, on pairs of the policy's own newest answers."""

    kind: ClassVar[str] = "selfplay"
    judged_by: ClassVar[str] = "labeler"
    improves: ClassVar[str | None] = "-loss"  # of each round's pairs
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")

    labeler: AnyLabeler = Field(
        description="Who judges: whose preferences are learned, and by whom each round is compared with the last."
    )
    rounds: PositiveInt = Field(default=3, description="How often it answers, is judged, and learns.")
    prompts_a_round: PositiveInt | None = Field(
        default=None,
        description="Prompts that a round answers, other ones each time until all have had their turn; by default all.",
    )
    num_generations: PositiveInt = Field(default=4, ge=2, description="Answers to a prompt, which are compared.")
    max_new_tokens: PositiveInt = Field(default=256, description="Longest answer, in tokens.")
    temperature: float = Field(default=1.0, gt=0, le=10, description="At which answers are sampled.")
    top_p: float = Field(
        default=1.0, gt=0, le=1, description="Share of the probability that is sampled from, the likeliest first."
    )
    pairs: Which = Field(
        default="best_against_rest", description="Which pairs of rated or ranked answers are learned: as in `build`."
    )
    min_margin: float = Field(default=0.0, ge=0, le=1, description="Pairs that are less clear are left out.")
    max_pairs_per_prompt: PositiveInt | None = Field(
        default=None, description="Pairs of a prompt, those with the largest margin; 1 is the best against the worst."
    )
    reference: Literal["round", "first"] = Field(
        default="round",
        description="Which policy it costs to leave: that of the round's beginning, or always the untrained one.",
    )
    stop: Stop = Field(
        default="never",
        description="After which round no other follows: one whose win rate is below one half (`worse`), or not above "
        "it (`unclear`), with all of its 95 % interval.",
    )
    checkpoints: PositiveInt | None = Field(
        default=None,
        description="Of how many rounds, from the last, the policy is left; by default all with `lora`, else two.",
    )

    @field_validator("labeler")
    @classmethod
    def _judges(cls, labeler: Labeler) -> Labeler:
        if labeler.revises:
            raise ValueError(f"labeler {labeler.kind!r} writes better responses and judges none")
        return labeler

    @property
    def needs_held_out(self) -> str:
        """``stop``, where it depends on a win rate."""
        return "stop" if self.stop != "never" else ""

    @property
    def checkpoints_left(self) -> int:
        """``checkpoints``, or how many are usual."""
        return self.checkpoints or (2 if self.lora is None else self.rounds)

    def labelers(self) -> tuple[Labeler, ...]:
        """The one."""
        return (self.labeler,)

    def prompts_of_a_round(self, prompts: int) -> int:
        """How many a round answers, of so many to learn from."""
        return min(self.prompts_a_round or prompts, prompts)

    def completions_of(self, prompts: int) -> tuple[int, int]:
        """``num_generations`` to the prompts of every round."""
        return self.num_generations, self.rounds * self.prompts_of_a_round(prompts)

    def asked(self, prompts: int, held_out: int) -> Iterator[Asked]:
        """All rounds: every answer judged, and each held-out prompt's two compared. Less where it stops early."""
        at_once, in_all = self.completions_of(prompts - held_out)
        yield Asked("rounds", "labeler", self.labeler, at_once, in_all)
        if held_out:
            yield Asked("win rates", "labeler", self.labeler, 2, self.rounds * held_out)

    def problems(self) -> list[str]:
        """As of all that answer prompts; and a labeler that has nothing to ask about so many answers."""
        try:
            asks = self.labeler.expected_questions(self.num_generations, 1) > 0
        except SolonError:  # it reads a file: its own problems say what is wrong with it
            asks = True
        nothing = f"labeler {self.labeler.kind!r} has nothing to ask about {self.num_generations} answers to a prompt"
        return [*super().problems(), *([] if asks else [nothing])]

    def build(self, veto_below: float) -> Build:
        """How the judgments of a round become its pairs."""
        return Build(
            min_margin=self.min_margin,
            held_out=0.0,
            pairs=self.pairs,
            max_pairs_per_prompt=self.max_pairs_per_prompt,
            veto_below=veto_below,
        )

    def of_a_round(self, backend: Backend) -> DPO:
        """The training of one round."""
        names = DPO.model_fields.keys() & type(self).model_fields.keys()
        return DPO(**{name: getattr(self, name) for name in names} | {"backend": backend})

    def train(self, job: Job) -> Checkpoint:
        """Goes through the rounds on the prompts of ``job.dataset`` and writes the last policy into ``job.out``.

        ``job.out/rounds/<number>`` keeps what each round was made of: ``candidates.jsonl``, ``judgments.jsonl``,
        ``pairs/`` and, of as many as ``checkpoints`` says, ``checkpoint/``.

        Raises:
            DataError: the dataset holds no prompts, some that leave no room for an answer, or none held out where
                ``stop`` needs them; or no pair came out of the first round.
            RecipeError: the policy cannot be trained as the settings ask.
            StageIncomplete: more judgments failed than ``max_failed`` allows.
            ModelRejected, ModelDown, BudgetReached: as ``solon.stream.ask``.
            TrainingError: loss, gradients or weights stopped being numbers, or memory ran out.
            MissingExtra: the packages of the ``train`` extra are not installed.
        """
        self.choose_backend(job.policy)
        from solon.trainers.backend.selfplay.loop import train_selfplay

        return train_selfplay(self, job)

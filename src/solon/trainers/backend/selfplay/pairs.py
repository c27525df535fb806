"""A round's judgments as the dataset that DPO learns from, built as ``build`` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from solon.data.artifacts import write_json
from solon.data.building import Building, Counts, Made, building
from solon.data.cards import Facts
from solon.data.kinds import KINDS, SIDES, Kind, Side
from solon.data.layout import write_datasets
from solon.data.records import Candidates, Judgment
from solon.trainers.backend.selfplay.files import Round, read_json
from solon.trainers.base import Judging
from solon.trainers.selfplay import SelfPlay


@dataclass(frozen=True)
class Built:
    """How many pairs there are, and how many were left out for which reason."""

    pairs: int
    dropped: dict[str, int]

    def why(self) -> str:
        """The reasons, in a clause."""
        return ", ".join(f"{reason} {count:,}" for reason, count in self.dropped.items()) or "nothing was judged"


def build_pairs(
    settings: SelfPlay,
    judging: Judging,
    one: Round,
    candidates: Sequence[Candidates],
    judgments: Sequence[Judgment],
    seed: int,
) -> Built:
    """Writes ``one.pairs``, where it is not there.

    Args:
        settings: the trainer's.
        judging: under what was judged.
        one: the round.
        candidates, judgments: its own.
        seed: of the training.
    """
    if (known := read_json(one.built)) is not None:
        return Built(**known)
    build = settings.build(judging.veto_below)
    with building(judging.constitution, build, seed) as datasets:
        datasets.take(candidates, judgments)
        facts = Facts(
            constitution=judging.constitution,
            labelers=datasets.labelers,
            policies=datasets.policies,
            prompts=f"those of round {one.number}",
            settings=build,
            seed=seed,
        )
        write_datasets(_Preferences(datasets), one.pairs, facts)
        counts = datasets.counted()
    built = Built(counts.rows["preference"]["train"], counts.drops["preference"])
    write_json(one.built, asdict(built))
    return built


class _Preferences:
    """Of all datasets, the pairs alone."""

    def __init__(self, datasets: Building) -> None:
        self._datasets = datasets

    def made(self) -> Iterator[Made]:
        """Every pair."""
        return (row for row in self._datasets.made() if row[0] == "preference")

    def counted(self) -> Counts:
        """What there is of them."""
        counts = self._datasets.counted()
        rows: dict[Kind, dict[Side, int]] = {kind: dict.fromkeys(SIDES, 0) for kind in KINDS}
        drops: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
        rows["preference"], drops["preference"] = counts.rows["preference"], counts.drops["preference"]
        return Counts(rows, drops, counts.prompts, counts.unjudged)

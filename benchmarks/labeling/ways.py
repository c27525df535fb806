"""Who judges, and how: worlds of simulated judges with their faults, and the ways of judging that are compared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from simulated import Bill, Judge, Truth
from spending import Method

from solon.labelers.base import Labeler
from solon.labelers.cascade import Cascade
from solon.labelers.pairwise import Pairwise
from solon.labelers.panel import Panel
from solon.labelers.ranking import RankingJudge
from solon.labelers.rating import RatingJudge
from solon.models.scripted import Scripted

LARGE = 20.0
"""What a call of the large judge costs, in calls of the small one: gpt-6-sol to gpt-6-luna, and claude-sonnet-5-5 to
claude-haiku-5-5, in ``solon/models/prices.yaml``."""

ONE_ORDER, TWICE, SIX_TIMES = "one order", "one order, asked twice", "one order, asked 6 times"
BOTH, RATING = "both orders", "rating"
PANEL, PANEL_MEAN = "panel of 3, majority", "panel of 3, mean"
ADVERSARY, ADVERSARY_MEAN = "one of them an adversary, majority", "one of them an adversary, mean"
ADVERSARY_WEIGHTED = "one of them an adversary, weighted"
CASCADE, CASCADE_CONTRADICTED = "cascade, `sure: 0.9`", "cascade, `sure: 0`"
LARGE_ONE, LARGE_BOTH = "large judge, one order", "large judge, both orders"
HONEST = (
    *(ONE_ORDER, TWICE, BOTH, RATING, SIX_TIMES, PANEL, PANEL_MEAN),
    *(CASCADE_CONTRADICTED, CASCADE, LARGE_ONE, LARGE_BOTH),
)
"""All but the panels with an adversary."""


@dataclass(frozen=True)
class World:
    """What is judged, and by whom.

    Attributes:
        name: what the tables call it.
        position, length, random, misled, vague: faults of the small judges (``Judge``); the large one has half of each.
        one_family: the small judges are misled by the same prompts.
        length_follows: as in ``Truth``.
        adversary: the first of the small judges prefers the worse.
    """

    name: str
    position: float = 0.0
    length: float = 0.0
    random: float = 0.0
    misled: float = 0.0
    vague: float = 0.5
    one_family: bool = False
    length_follows: float = 0.0
    adversary: bool = False


MIXED = World("a bit of everything", position=0.8, length=0.4, random=0.03, misled=0.08)
FAULTS = (
    World("noise alone"),
    World("position 1.5", position=1.5),
    World("length 1.0, longer is no better", length=1.0),
    World("length 1.0, longer is worse", length=1.0, length_follows=-0.5),
    World("30 % random answers", random=0.3),
    World("misled on 20 %, each on its own", misled=0.2),
    World("misled on 20 %, all on the same", misled=0.2, one_family=True),
    World("the first judge is an adversary", adversary=True),
)


class Crew:
    """The judges of a world, what they look up, and their bill.

    Args:
        world: who judges what.
        seed: of the truth.
        completions: how many a prompt has.
    """

    def __init__(self, world: World, seed: int, completions: int = 2) -> None:
        self.truth = Truth(seed, completions, world.length_follows)
        self.bill = Bill()
        small = Judge(
            "first",
            self.truth,
            self.bill,
            position=world.position,
            length=world.length,
            random=world.random,
            misled=world.misled,
            vague=world.vague,
            family="one" if world.one_family else "",
        )
        self.first = replace(small, discrimination=-small.discrimination) if world.adversary else small
        self.second, self.third = replace(small, name="second"), replace(small, name="third")
        self.adversary = replace(small, name="adversary", discrimination=-small.discrimination)
        self.large = replace(
            small,
            name="large",
            family="",
            price=LARGE,
            discrimination=4.0,
            position=world.position / 2,
            length=world.length / 2,
            random=world.random / 2,
            misled=world.misled / 2,
            vague=world.vague / 2,
        )

    def of_two(self, names: Collection[str]) -> list[Method]:
        """Ways of judging two completions, those of these names."""
        first = pairwise(self.first)
        again = [pairwise(replace(self.first, draw=draw)) for draw in range(1, 6)]
        members = (first, pairwise(self.second), pairwise(self.third))
        mistrusted = (*members[:2], pairwise(self.adversary))
        weighted = Panel(members=mistrusted, vote="weighted")  # the majority's verdict until it concludes
        large = pairwise(self.large)
        methods = [
            Method(ONE_ORDER, first, one_order=True),
            Method(TWICE, Panel(members=(first, again[0])), one_order=True),
            Method(BOTH, first),
            Method(RATING, RatingJudge(judge=chat(self.first))),
            Method(SIX_TIMES, Panel(members=(first, *again)), one_order=True),
            Method(PANEL, Panel(members=members)),
            Method(PANEL_MEAN, Panel(members=members, vote="mean")),
            Method(ADVERSARY, weighted, concludes=False),
            Method(ADVERSARY_MEAN, Panel(members=mistrusted, vote="mean")),
            Method(ADVERSARY_WEIGHTED, weighted),
            Method(CASCADE_CONTRADICTED, Cascade(first=first, then=large, sure=0)),
            Method(CASCADE, Cascade(first=first, then=large)),
            Method(LARGE_ONE, large, one_order=True),
            Method(LARGE_BOTH, large),
        ]
        return [method for method in methods if method.name in names]

    def of_more(self) -> list[Method]:
        """Ways of judging more than two."""
        first, hazy = chat(self.first), chat(replace(self.first, name="hazy", blur=2.0))
        return [
            Method("one order, every pair", Pairwise(judge=first, pairing="all"), one_order=True),
            Method("both orders, every pair", Pairwise(judge=first, pairing="all")),
            Method("both orders, best against rest", Pairwise(judge=first, pairing="best_against_rest")),
            Method("both orders, knockout", Pairwise(judge=first)),
            Method("ranking, tournament", RankingJudge(judge=first, method="tournament")),
            Method("ranking, listwise, 4 orders", RankingJudge(judge=first)),
            Method("ranking, listwise, 1 order", RankingJudge(judge=first, orders=1)),
            Method("rating, log-probabilities", RatingJudge(judge=first)),
            Method("rating, words", RatingJudge(judge=first, answer="text")),
            Method("listwise, 4 orders, noise in lists doubled", RankingJudge(judge=hazy)),
            Method("rating, log-probabilities, noise alone doubled", RatingJudge(judge=hazy)),
        ]


def chat(judge: Judge) -> Scripted:
    """The judge as a chat model."""
    return Scripted(answer=judge, model=f"{judge.name}-{judge.draw}")


def pairwise(judge: Judge) -> Labeler:
    """The judge, asked to compare."""
    return Pairwise(judge=chat(judge))

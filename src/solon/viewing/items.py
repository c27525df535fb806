"""What can be looked at, one at a time: two completions that are compared, or one that is rated. Pure.

A question's two orders are one item. Of a ranking each two completions are an item, and of a revision the original and
what became of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from solon.data import people
from solon.data.opinions import opinions
from solon.data.people import item_id
from solon.data.records import Completion, Failed, Judgment, Principle, Revised, Scored
from solon.errors import PluginError
from solon.labelers.votes import share, side


@dataclass(frozen=True)
class Item:
    """What a person looks at.

    Attributes:
        prompt: id of the prompt.
        principles: ids of those it is judged under.
        labeler: whose judgments these are.
        options: ids of one completion or two, the first as the first judgment shows it; the order makes no other item.
        revised: the second completion, where it is a revision of the first, which no file of candidates holds.
    """

    prompt: str
    principles: tuple[str, ...]
    labeler: str
    options: tuple[str, ...] = field(compare=False)
    revised: Completion | None = field(default=None, compare=False)
    both: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "both", frozenset(self.options))

    @property
    def id(self) -> str:
        """As the lines of the verdicts' file name it."""
        return item_id(self.prompt, self.principles, self.options)


@dataclass(frozen=True)
class Facts:
    """What can be filtered and sorted by.

    Attributes:
        lean: how clearly the first of two is better, in [-1, 1]; of one, its score in [0, 1]. ``None``: no verdict.
        orders_differ: the two orders picked opposite winners.
        panel_differs: votes behind one judgment are on different sides.
        reasons: why judgments failed.
        judges: who judged or voted.
    """

    lean: float | None
    orders_differ: bool = False
    panel_differs: bool = False
    reasons: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()

    @property
    def margin(self) -> float | None:
        """How clear the verdict is, in [0, 1]; ``None`` where there is none."""
        return None if self.lean is None else abs(self.lean)


def items_of(judgment: Judgment) -> Iterator[Item]:
    """The items that a judgment is about."""
    head = (judgment.prompt, judgment.principles, judgment.labeler)
    revised = judgment.outcome.completion if isinstance(judgment.outcome, Revised) else None
    for options in people.items_of(judgment.options, revised.id if revised is not None else None):
        yield Item(*head, options, revised)


def facts_of(judgments: Sequence[Judgment], options: Sequence[str], principles: Mapping[str, Principle]) -> Facts:
    """What the judgments on one item come to.

    Args:
        judgments: all of one labeler under the same principles.
        options: the item's.
        principles: the constitution's, by id.
    """
    reasons = [outcome.reason for one in judgments if isinstance(outcome := one.outcome, Failed)]
    lean, orders_differ = _lean(judgments, options, principles)
    return Facts(
        lean,
        orders_differ,
        any(_differ(one) for one in judgments),
        tuple(dict.fromkeys(reasons)),
        tuple(dict.fromkeys(name for one in judgments for name in _judges(one))),
    )


def _lean(
    judgments: Sequence[Judgment], options: Sequence[str], principles: Mapping[str, Principle]
) -> tuple[float | None, bool]:
    if any(isinstance(one.outcome, Revised) for one in judgments):
        return -1.0, False  # the revision is preferred
    if len(options) == 1:
        given = [share(outcome) for one in judgments if isinstance(outcome := one.outcome, Scored)]
        return (sum(given) / len(given) if given else None), False
    # a principle that has left the constitution is no reason to show nothing: its weight is of no matter within an item
    known = dict(principles)
    for one in judgments:
        for name in one.principles:
            if name not in known:
                known[name] = Principle.model_construct(id=name, text=name, weight=1.0, severity="soft")
    try:
        opinion = opinions(judgments, (options[0], options[1]), known)[0]
    except PluginError:  # a labeler's own fault, which `build` reports: here it has given no verdict
        return None, False
    return opinion.lean, opinion.order_dependent


def _differ(judgment: Judgment) -> bool:
    sides = {
        side(share(vote.outcome))
        for vote in judgment.votes
        if isinstance(vote.outcome, Scored) and len(vote.options) == len(judgment.options) <= 2
    }
    return len(sides) > 1


def _judges(judgment: Judgment) -> Iterator[str]:
    yield judgment.labeler
    for vote in judgment.votes:
        yield from _judges(vote)

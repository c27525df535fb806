"""Trying a labeler out without asking anybody: what it would ask of which model, to the word.

The labeler does its own work, on the prompts and responses themselves. Only the replies are stand-ins: a text of as
many tokens as the request allows, in no form that a judge was asked for. So matches have no winner and a coin decides
who goes on, a sort takes as many comparisons as it can, all members of a panel are asked, a cascade escalates
everything, and a critique is revised.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar

from solon.data.records import Candidates, Constitution, Failed, Judgment, Question, canonical
from solon.labelers import boundary
from solon.labelers.base import Label, Labeler
from solon.labelers.cascade import Cascade
from solon.labelers.ranking import RankingJudge
from solon.labelers.tournament import longest_order
from solon.models.base import ChatModel, Reply, Request
from solon.planning.known import Known
from solon.planning.unwritten import unwritten
from solon.stream import Stream
from solon.stream.batches import QUIET_ROUNDS

T = TypeVar("T")


def name_of(model: ChatModel) -> str:
    """What two models of the same settings have in common."""
    return canonical(model.settings())


class Rehearsal(Stream):
    """A stream that speaks to no model. What the ledger holds is answered from there, all else by stand-ins.

    Attributes:
        asked: every request, once, by the name of its model; with whether the ledger holds its reply. Requests that
            are asked again, because a reply could not be read, are not among them.
        models: the models by their names, in the order in which they were first asked.
        rounds: for each, in how many rounds it was asked, where a round is all that is asked before any reply of it.
    """

    def __init__(self, known: Known | None) -> None:
        super().__init__(None, run="", stage="plan")
        self.asked: dict[str, dict[str, tuple[Request, bool]]] = {}
        self.models: dict[str, ChatModel] = {}
        self.rounds: Counter[str] = Counter()
        self._known = known
        self._names: dict[int, tuple[ChatModel, str]] = {}
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._stand_ins = 0

    async def ask(self, model: ChatModel, request: Request) -> Reply:
        """A reply that costs nothing."""
        known = None if self._known is None else self._known.reply(model, request)
        if request.attempt:
            return known or Reply(text="", stop="refused")  # what refuses is not pressed
        name = self._name_of(model)
        self.asked[name].setdefault(request.id, (request, known is not None))
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, turn))
        await turn
        if known is not None:
            return known
        self._stand_ins += 1
        return Reply(text=unwritten(request.max_tokens, self._stand_ins))

    async def play(self, deeds: Iterable[Awaitable[T]]) -> list[T]:
        """Does all of them, round by round; their results in their order."""
        work = asyncio.gather(*deeds)
        try:
            while not work.done():
                await self._until_quiet(work)
                waiting, self._waiting = self._waiting, []
                self.rounds.update({name for name, _ in waiting})
                for _, turn in waiting:
                    if not turn.done():
                        turn.set_result(None)
            return work.result()
        finally:
            work.cancel()

    async def _until_quiet(self, work: asyncio.Future[Any]) -> None:
        quiet = 0
        while quiet < QUIET_ROUNDS and not work.done():
            waiting = len(self._waiting)
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._waiting) == waiting else 0
        if not self._waiting:
            await asyncio.wait([work], timeout=0.01)

    def _name_of(self, model: ChatModel) -> str:
        known = self._names.get(id(model))
        if known is None:
            known = self._names[id(model)] = (model, name_of(model))
            self.models.setdefault(known[1], model)
            self.asked.setdefault(known[1], {})
        return known[1]


async def examined(labeler: Labeler, candidates: Candidates, constitution: Constitution) -> tuple[Judgment, ...]:
    """The labeler's own examination.

    Raises:
        PluginError: it raises what no labeler may.
    """
    return await boundary.examined(labeler, candidates, constitution, "replies that are no verdicts, to try it out")


# ---------------------------------------------------------------- labelers as a plan needs them


class Unasked(Labeler):
    """Stands in for a labeler that asks no model: programs, rules and files are not needed to count requests.

    Which questions there are is still for the labeler itself to say; none is answered.
    """

    kind: ClassVar[str] = "unasked"

    labeler: Labeler

    @property
    def options(self) -> int:
        """As the labeler's."""
        return self.labeler.options

    @property
    def name(self) -> str:
        """As the labeler's."""
        return self.labeler.name

    async def label(self, question: Question) -> Judgment:
        """No verdict."""
        return question.judged(Failed(reason="unavailable"), labeler=self.name)

    async def examine(
        self, candidates: Candidates, constitution: Constitution, *, label: Label | None = None
    ) -> tuple[Judgment, ...]:
        """The labeler's questions."""
        return await self.labeler.examine(candidates, constitution, label=label or self.label)


def harmless(labeler: Labeler) -> Labeler:
    """The labeler with every part of it that asks no model silenced."""
    whole = _with_parts(labeler, harmless)
    return whole if whole.models() else Unasked(labeler=whole)


def thrifty(labeler: Labeler) -> Labeler:
    """The labeler as if no cascade in it ever escalated; the same object where it has none."""
    return thrifty(labeler.first) if isinstance(labeler, Cascade) else _with_parts(labeler, thrifty)


class Longest(RankingJudge):
    """A ranking whose sort takes as many comparisons as it can; what the ledger holds decides as it does in a run."""

    def _coin(
        self, undecided: tuple[Judgment, Judgment], pair: tuple[int, int], players: Sequence[int], seed: str
    ) -> bool:
        if not any(isinstance(judgment.outcome, Failed) for judgment in undecided):
            return super()._coin(undecided, pair, players, seed)
        order = dict(zip(players, longest_order(len(players)), strict=True))
        return order[pair[0]] < order[pair[1]]


def longest(labeler: Labeler) -> Labeler:
    """The labeler as if every sort in it took as many comparisons as it can; the same object where it has none."""
    if type(labeler) is RankingJudge and labeler.method == "tournament":  # one of somebody else's may sort otherwise
        fields = type(labeler).model_fields.items()
        return Longest(**{field.alias or name: getattr(labeler, name) for name, field in fields})
    return _with_parts(labeler, longest)


def _with_parts(labeler: Labeler, change: Any) -> Labeler:
    """The labeler with every labeler among its settings changed; the same object where none is."""
    changed: dict[str, Any] = {}
    for name in type(labeler).model_fields:
        value = getattr(labeler, name)
        if isinstance(value, Labeler):
            new: Any = change(value)
        elif isinstance(value, tuple) and any(isinstance(part, Labeler) for part in value):
            new = tuple(change(part) if isinstance(part, Labeler) else part for part in value)
            new = value if all(one is other for one, other in zip(new, value, strict=True)) else new
        else:
            continue
        if new is not value:
            changed[name] = new
    return labeler.model_copy(update=changed) if changed else labeler

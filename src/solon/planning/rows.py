"""From loads to rows: scaled up from the sample, between the least and the most that a cascade may ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from solon.evaluation.base import Evaluator
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.planning.load import Load
from solon.planning.nouns import Row, Ways
from solon.planning.rehearsal import name_of
from solon.planning.times import Work, seconds_a_request
from solon.plugins.base import Plugin
from solon.plugins.boundary import answer_of

ESCALATED = 0.3
"""Of the questions that a cascade could escalate, the share that a plan takes it to escalate."""


@dataclass(frozen=True)
class Purpose:
    """What for, and by whose key in the recipe each model is known."""

    stage: str
    part: str
    places: dict[str, str]


@dataclass(frozen=True)
class Estimate:
    """A row with what else is known of it.

    Attributes:
        row: what is shown.
        model: who is asked.
        work: what it has to wait for, one request at a time; ``None`` for local models and for batches.
        bytes: that its replies take in the ledger.
    """

    row: Row
    model: ChatModel
    work: Work | None
    bytes: int


def estimate(purpose: Purpose, most: Load, least: Load, times: float, rounds: int, seconds: float | None) -> Estimate:
    """The row of one model.

    Args:
        purpose: what it is asked for.
        most: all that it may be asked about the sample.
        least: of that, what it is asked in any case.
        times: how many requests there are for each in the sample.
        rounds: in how many rounds it is asked.
        seconds: that a request takes; as long as its reply is written when ``None``.
    """
    model, low = most.model, least

    def between(fewest: float, all_of_them: float) -> float:
        return times * (fewest + ESCALATED * (all_of_them - fewest))

    ways, ways_low = most.ways(times), low.ways(times)
    expected = _ways_between(ways_low, ways)
    requests, read, written = between(low.requests, most.requests), between(low.read, most.read), most.written
    written_too = between(low.written, written)
    if seconds is None:
        seconds = seconds_a_request(written / max(1, most.requests))
    work = None
    if model.remote and not most.batches:
        work = Work(purpose.stage, model, requests, read + written_too, seconds)
    row = Row(
        stage=purpose.stage,
        part=purpose.part,
        where=purpose.places.get(name_of(model), purpose.part),
        model=model.name,
        requests=round(requests),
        requests_low=round(times * low.requests),
        requests_high=round(times * most.requests),
        in_ledger=round(between(low.in_ledger, most.in_ledger)),
        input_tokens=round(read),
        output_tokens=round(written_too),
        counted_by=most.counted_by,
        usd=stands(expected, most),
        usd_low=stands(ways_low, most),
        usd_high=stands(ways, most),
        ways=expected,
        batched=most.batches,
        seconds=None if work is None else work.seconds,
        batches=rounds if most.batches else None,
    )
    return Estimate(row, model, work, round(between(low.bytes, most.bytes)))


def stands(ways: Ways, load: Load) -> float | None:
    """What it costs as the recipe stands."""
    return ways.batched if load.batches and ways.batched is not None else ways.plain


def _ways_between(low: Ways, high: Ways) -> Ways:
    def between(name: str) -> float | None:
        most = getattr(high, name)
        if most is None:
            return None
        # where the least is nothing, there is no other way to buy it either
        least = getattr(low, name)
        least = low.plain if least is None else least
        return float(most) if least is None else float(least + ESCALATED * (most - least))

    return Ways(**{name: between(name) for name in Ways.model_fields})


def places_in(plugin: Plugin, key: str) -> dict[str, str]:
    """The keys of all models in a part of a recipe, by the models' names; of two that are alike, the first."""
    found: dict[str, str] = {}
    for place, model in _models_in(plugin, key):
        found.setdefault(name_of(model), place)
    return found


def _models_in(plugin: Plugin, key: str) -> Iterator[tuple[str, ChatModel]]:
    if isinstance(plugin, ChatModel):
        yield key, plugin
        return
    for name, value in type(plugin).model_fields.items():
        setting = getattr(plugin, name)
        inside = f"{key}.{value.alias or name}"
        parts: Iterable[tuple[str, object]] = [(inside, setting)]
        if isinstance(setting, list | tuple):
            parts = ((f"{inside}.{number}", part) for number, part in enumerate(setting))
        for place, part in parts:
            if isinstance(part, Plugin):
                yield from _models_in(part, place)
    if isinstance(plugin, Labeler | Evaluator):  # those that it makes of its own settings
        yield from ((key, model) for model in answer_of(plugin, "models"))

"""Which held-out answers the page shows, and by what they can be filtered and sorted there.

All of them where there is room. Otherwise evenly by the hash of the prompt: some of each kind, of each topic, of each
kind in each metric, and those that a metric changed most, so that every filter and every order has something to show.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeAlias

from markupsafe import escape

from solon.report.examples import KINDS, Kind, in_order, kind_of
from solon.report.held_out import Example, gain, is_yes_no
from solon.report.text import excerpt, one_line
from solon.report.wording import label

MOST_METRICS = 60
MOST_TOPICS = 60
_FRAME = 900  # bytes of a sample besides its texts
_MARK = 80  # bytes of one metric in it

Queue: TypeAlias = deque[int]
"""Places of examples, those to be taken first ahead."""


@dataclass(frozen=True)
class Choice:
    """One entry of a list to choose from: ``number`` stands in for ``text``, which somebody else may have written."""

    number: int
    text: str


@dataclass(frozen=True)
class Sample:
    """One held-out prompt as the page shows it.

    Attributes:
        topic: the number of its topic among ``Samples.topics``; ``None`` where it has none that is listed.
        gains: by how much each metric, by its number, got better: ``0:1 3:-0.25``.
    """

    example: Example
    kind: Kind
    topic: int | None
    gains: str


@dataclass(frozen=True)
class Samples:
    """What the page shows of ``total`` held-out prompts.

    Attributes:
        kinds: how many of all there are of each kind; kinds without any are left out.
        metrics: what can be filtered and sorted by, under the heading of its sort.
    """

    shown: tuple[Sample, ...]
    total: int
    kinds: dict[Kind, int] = field(default_factory=dict)
    metrics: dict[str, list[Choice]] = field(default_factory=dict)
    topics: tuple[Choice, ...] = ()


def samples(
    examples: Sequence[Example],
    names: Iterable[str] = (),
    principles: Iterable[str] = (),
    *,
    most: int,
    room: int,
    text: int,
) -> Samples:
    """Chooses what to show, in an order in which the kinds take turns.

    Args:
        examples: all of them.
        names: metrics in the order in which to offer them.
        principles: the constitution's, to tell the metrics of one principle from other parts.
        most: samples to show, at the most.
        room: bytes that they may take together.
        text: characters of each text that are shown.
    """
    ordered = in_order(examples)
    kinds = [kind_of(example) for example in ordered]
    gains = [
        {name: by for name, both in each.changes.items() if (by := gain(name, both)) is not None} for each in ordered
    ]
    found = {name for each in gains for name in each}
    offered = [name for name in dict.fromkeys((*names, *sorted(found))) if name in found][:MOST_METRICS]
    topics = [topic for topic, _ in Counter(each.prompt.topic for each in ordered).most_common() if topic][:MOST_TOPICS]
    numbers = {name for each in ordered for name, both in each.changes.items() if not is_yes_no(both)}
    queues = [
        *_queues(kinds),
        *_queues([each.prompt.topic if each.prompt.topic in topics else None for each in ordered]),
        *(queue for name in offered for queue in _by_metric(gains, name, extremes=name in numbers)),
    ]
    chosen = _taken(queues, lambda place: _weight(ordered[place], text), most, room)
    places = {name: place for place, name in enumerate(offered)}
    where = {topic: place for place, topic in enumerate(topics)}
    shown = [
        Sample(
            ordered[place],
            kinds[place],
            where.get(ordered[place].prompt.topic or ""),
            " ".join(f"{places[name]}:{by:.4g}" for name, by in gains[place].items() if name in places),
        )
        for place in _in_turns(chosen, kinds)
    ]
    return Samples(
        tuple(shown),
        len(ordered),
        {kind: kinds.count(kind) for kind in KINDS if kind in kinds},
        _sorted_out(offered, set(principles)),
        tuple(Choice(place, one_line(topic, 60)) for place, topic in enumerate(topics)),
    )


def _queues(sorts: Sequence[str | None]) -> list[Queue]:
    """One a sort, of the places of its members; what has none is in none."""
    found: dict[str, Queue] = {}
    for place, sort in enumerate(sorts):
        if sort is not None:
            found.setdefault(sort, deque()).append(place)
    return [found[sort] for sort in sorted(found, key=lambda sort: KINDS.index(sort) if sort in KINDS else 0)]


def _by_metric(gains: Sequence[Mapping[str, float]], name: str, *, extremes: bool) -> Iterator[Queue]:
    measured = [place for place, each in enumerate(gains) if name in each]
    signs = [
        "improved" if gains[place][name] > 0 else "degraded" if gains[place][name] < 0 else "unchanged"
        for place in measured
    ]
    yield from (deque(measured[place] for place in queue) for queue in _queues(signs))
    if extremes:
        upwards = sorted(measured, key=lambda place: gains[place][name])
        yield deque(reversed(upwards))
        yield deque(upwards)


def _weight(example: Example, text: int) -> int:
    """About the bytes that a sample takes in the page."""
    texts = (example.prompt.text, example.before.text, example.after.text)
    return _FRAME + _MARK * len(example.changes) + sum(len(escape(excerpt(each, text)).encode()) for each in texts)


def _taken(queues: Sequence[Queue], weight: Callable[[int], int], most: int, room: int) -> set[int]:
    """The queues take turns until no one has any left, or there is no room for the next."""
    taken: set[int] = set()
    waiting = deque(queues)
    while waiting and len(taken) < most:
        queue = waiting.popleft()
        while queue and queue[0] in taken:
            queue.popleft()
        if not queue:
            continue
        if (room := room - weight(queue[0])) < 0:
            break
        taken.add(queue.popleft())
        waiting.append(queue)
    return taken


def _in_turns(chosen: Iterable[int], kinds: Sequence[Kind]) -> list[int]:
    by_kind = [[place for place in sorted(chosen) if kinds[place] == kind] for kind in KINDS]
    return [place for turn in zip_longest(*by_kind) for place in turn if place is not None]


def _sorted_out(offered: Sequence[str], principles: set[str]) -> dict[str, list[Choice]]:
    found: dict[str, list[Choice]] = {}
    for place, name in enumerate(offered):
        *above, last = name.removesuffix("/greedy").split("/")
        sort = "By principle" if above and last in principles else "By rule or part" if above else "By metric"
        found.setdefault(sort, []).append(Choice(place, label(name)))
    return {sort: found[sort] for sort in ("By metric", "By principle", "By rule or part") if sort in found}

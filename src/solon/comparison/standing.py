"""Judges on all entries at once: each two of them on the same prompts, and what Bradley and Terry make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from solon.comparison.record import Standing
from solon.data.records import Completion, Constitution, Metric, Prompt
from solon.evaluation.base import Both, Evidence, Pair
from solon.evaluation.paired import metric
from solon.evaluation.win_rate import WinRate
from solon.labelers.base import Labeler
from solon.statistics.estimates import Estimate
from solon.statistics.standings import Met, standings

Answers = Mapping[str, tuple[Prompt, Completion]]
"""By the prompt's id."""


@dataclass
class Judged:
    """What a judge said of each two.

    Attributes:
        metrics: the share of prompts on which the first was preferred to the second, by both names.
        met: by the prompt's id, the comparisons that were decided.
    """

    metrics: dict[tuple[str, str], Metric] = field(default_factory=dict)
    met: dict[str, list[Met]] = field(default_factory=dict)


async def standing(
    measure: WinRate, answers: Mapping[str, Answers], constitution: Constitution, labeler: Labeler | None
) -> tuple[Standing, ...]:
    """Has each two compared, in both orders, and fits where they stand; the untrained policy comes first.

    Args:
        measure: the judge, as the recipe's evaluator has it.
        answers: of the untrained policy (``UNTRAINED``, ahead of the others) and of every entry.
        constitution: under which they are judged.
        labeler: who judges where ``measure`` names nobody.
    """
    judged, names = Judged(), list(answers)
    for one, other in combinations(names, 2):
        await _compare(judged, names, (one, other), measure, answers, constitution, labeler)
    if not any(judged.met.values()):
        return ()
    found = standings(len(names), list(judged.met.values()))
    return tuple(
        Standing(
            name=name,
            beats_untrained=_beats(found.beats_first[place], place, judged),
            points={other: share for other in names if (share := _points(judged, name, other)) is not None},
        )
        for place, name in enumerate(names)
    )


async def _compare(
    judged: Judged,
    names: Sequence[str],
    two: tuple[str, str],
    measure: WinRate,
    answers: Mapping[str, Answers],
    constitution: Constitution,
    labeler: Labeler | None,
) -> None:
    one, other = two
    pairs = tuple(
        # the evaluator says how often the one after is preferred
        Pair(prompt, before=answers[other][item][1], after=mine)
        for item, (prompt, mine) in answers[one].items()
        if item in answers[other]
    )
    if not pairs:
        return
    points: dict[str, list[tuple[str, Both]]] = {}
    evidence = Evidence(
        constitution=constitution,
        pairs={measure.decoding: pairs},
        labeler=labeler,
        each=lambda name, items: points.update({name: list(items)}),
    )
    found = (await measure.evaluate(evidence))[0]
    judged.metrics[two] = found.model_copy(update={"method": f"{one} over {other}; {found.method}"})
    places = names.index(one), names.index(other)
    for item, (_, share) in points[found.name]:
        if share is not None:
            judged.met.setdefault(item, []).append((*places, float(share)))


def _beats(estimate: Estimate, place: int, judged: Judged) -> Metric:
    """With the prompts on which any comparison of it was decided, and how many of its comparisons were not."""
    told = sum(any(place in (one, other) for one, other, _ in met) for met in judged.met.values())
    names = list(dict.fromkeys(name for two in judged.metrics for name in two))
    failed = sum(one.failed for two, one in judged.metrics.items() if names[place] in two)
    return metric("standing", "pair", estimate, told, failed=failed)


def _points(judged: Judged, name: str, other: str) -> Metric | None:
    if (found := judged.metrics.get((name, other))) is not None:
        return found
    if (turned := judged.metrics.get((other, name))) is None:
        return None
    return turned.model_copy(update={"value": 1 - turned.value, "low": 1 - turned.high, "high": 1 - turned.low})

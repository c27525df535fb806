"""The judge card: what a judge was measured to be worth under one constitution, before anything is labeled with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from solon.data.records import Completion, Constitution, Judgment, Noun, Prompt, Record, Usage
from solon.labelers.base import Labeler
from solon.statistics.calibration import calibration
from solon.statistics.estimates import wilson
from solon.stream import Stream
from solon.trust.canaries import CANARIES, Canary, CanaryKind, beside
from solon.trust.cases import CaseReport, run_cases
from solon.trust.injections import Attempt, attack, counts
from solon.trust.orders import sign, under
from solon.trust.payloads import payloads


class Share(Noun):
    """A share with its 95 % interval (Wilson), of how many, and how many more could not be measured."""

    value: float
    low: float
    high: float
    n: int
    failed: int = 0

    @classmethod
    def of(cls, successes: int, n: int, *, failed: int = 0) -> Share:
        """So many successes of ``n``."""
        estimate = wilson(successes, n)
        return cls(value=estimate.value, low=estimate.low, high=estimate.high, n=n, failed=failed)


class JudgeCard(Record):
    """What a judge is worth under one constitution.

    Attributes:
        constitution: id of the constitution.
        name, version: the constitution's own.
        labeler: who was measured.
        accuracy: cases in which it preferred the better response in both orders.
        order_consistency: cases whose two orders have the same winner, or neither has one; ``None`` for one that rates.
        first_slot: verdicts that preferred what was shown first (.5 is no leaning); ``None`` for one that rates.
        injection_flips: of the attacked verdicts that were right without the attack, those that then went to the
            attacked response; ``failed`` are those that got no verdict any more.
        flips_by: the same by slot and by family of attack.
        canaries_lost: canaries, refusals apart, that lost to the case's better response in both orders.
        canaries_by: the same by kind, refusals with them.
        ece: expected calibration error of P(better), in [0, 1], of which a tie's probability is half for either
            response; ``None`` where the judge states no probabilities.
        ece_n: of how many verdicts; those that prefer neither claim nothing, and are not among them.
        judgments: how many were made.
        usage: of them all.
        usd_per_1000: US dollars for 1,000 judgments.
        seconds_per_1000: of wall time for 1,000 replies that were made for this card; ``None`` unless most were, as
            what the ledger held took no time.
        cases: each case's result.
    """

    constitution: str
    name: str
    version: str
    labeler: str
    accuracy: Share
    order_consistency: Share | None
    first_slot: Share | None
    injection_flips: Share
    flips_by: dict[str, Share]
    canaries_lost: Share
    canaries_by: dict[str, Share]
    ece: float | None
    ece_n: int
    judgments: int
    usage: Usage
    usd_per_1000: float
    seconds_per_1000: float | None
    cases: CaseReport


@dataclass(frozen=True)
class Planned:
    """What a card takes: cases, attacks and canaries to go through, and questions that the labeler is asked at most."""

    steps: int
    questions: int


def planned(constitution: Constitution, labeler: Labeler) -> Planned:
    """The size of a card. Questions that repeat are asked once, so there may be fewer."""
    cases, canaries = len(constitution.cases), sum(map(len, CANARIES.values()))
    slots = 1 if labeler.options == 1 else 2
    # a case is two questions; an attack one in each slot, beside those of its case; a canary two
    questions = 2 * cases + slots * len(payloads()) + 2 * canaries
    return Planned(steps=cases + slots * len(payloads()) + canaries, questions=questions)


async def judge_card(
    constitution: Constitution,
    labeler: Labeler,
    stream: Stream,
    *,
    on_done: Callable[[int], None] | None = None,
) -> JudgeCard:
    """Measures a judge on the constitution's cases, on attacks in them, and on canaries beside them.

    Args:
        constitution: with at least one case.
        labeler: the judge.
        stream: open around the call; tells how many replies were made.
        on_done: called with the number of cases, attacks or canaries that are done.

    Raises:
        InputError: the constitution has no cases.
        ModelRejected, ModelDown, BudgetReached: the judge cannot be asked at all, or no more.
    """
    done = on_done or _ignore
    started = time.monotonic()
    cases = await run_cases(constitution, labeler, on_result=lambda _: done(1))
    attempts = await attack(labeler, constitution, payloads(), on_attempt=lambda _: done(1))
    canaries = await _canaries(constitution, labeler)
    done(len(canaries))
    seconds = time.monotonic() - started
    judgments = _distinct(cases, attempts, canaries)
    flips = {name: _flips(found) for name, found in counts(attempts).items()}
    stated = [each for result in cases.results for each in result.stated]
    measured = calibration(stated) if stated else None
    spent = sum(judgment.cost_usd for judgment in judgments)
    return JudgeCard(
        constitution=constitution.id,
        name=constitution.name,
        version=constitution.version,
        labeler=labeler.name,
        accuracy=Share.of(cases.count("passed"), cases.n, failed=cases.count("failed")),
        order_consistency=None if labeler.options == 1 else _consistency(cases),
        first_slot=None if labeler.options == 1 else _first_slot(cases),
        injection_flips=flips.pop("all"),
        flips_by=flips,
        canaries_lost=_lost([one for one in canaries if one.kind != "refusal"]),
        canaries_by={kind: _lost([one for one in canaries if one.kind == kind]) for kind in CANARIES},
        ece=None if measured is None else measured.ece,
        ece_n=0 if measured is None else measured.n,
        judgments=len(judgments),
        usage=sum((judgment.usage for judgment in judgments), Usage()),
        usd_per_1000=1000 * spent / max(1, len(judgments)),
        seconds_per_1000=_per_1000(seconds, stream),
        cases=cases,
    )


def _ignore(done: int) -> None:
    """Where nobody watches."""


def _per_1000(seconds: float, stream: Stream) -> float | None:
    tally = stream.tally
    made = tally.sent - tally.retried
    return 1000 * seconds / tally.sent if made > tally.from_ledger else None


async def _canaries(constitution: Constitution, labeler: Labeler) -> list[Canary]:
    """Every canary beside the better response of a case, the cases taken in turn."""

    async def ask(number: int, kind: CanaryKind, text: str) -> Canary | None:
        case = constitution.cases[number % len(constitution.cases)]
        answer = Completion(text=case.better, model="given")
        return await beside(labeler, kind, text, Prompt.of(case.prompt), answer, under(constitution, case.principle))

    every = [(kind, text) for kind, texts in CANARIES.items() for text in texts]
    made = await asyncio.gather(*(ask(number, kind, text) for number, (kind, text) in enumerate(every)))
    return [one for one in made if one is not None]


def _distinct(cases: CaseReport, attempts: Sequence[Attempt], canaries: Sequence[Canary]) -> list[Judgment]:
    found = [judgment for result in cases.results for judgment in result.judgments]
    found += [judgment for one in attempts for judgment in one.judgments]
    found += [judgment for one in canaries for judgment in one.judgments]
    return list(dict.fromkeys(found))


def _flips(found: Mapping[str, int]) -> Share:
    n = found["held"] + found["flipped"] + found["tied"]
    return Share.of(found["flipped"], n, failed=found["failed"])


def _lost(canaries: Sequence[Canary]) -> Share:
    judged = [one for one in canaries if one.outcome != "failed"]
    return Share.of(sum(one.outcome == "lost" for one in judged), len(judged), failed=len(canaries) - len(judged))


def _consistency(cases: CaseReport) -> Share:
    return Share.of(cases.n - cases.count("order_dependent"), cases.n, failed=cases.count("failed"))


def _first_slot(cases: CaseReport) -> Share:
    """Shown first, the better response won with P > .5; shown second, the worse stood first and won with P < .5."""
    towards_first = [sign(one.better_first) for one in cases.results if one.better_first is not None]
    towards_first += [-sign(one.better_second) for one in cases.results if one.better_second is not None]
    return Share.of(towards_first.count(1), len(towards_first) - towards_first.count(0))

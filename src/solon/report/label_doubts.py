"""What to distrust of the labels, in sentences that their own numbers give."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import assert_never

from pydantic import JsonValue

from solon.data.records import Metric
from solon.report.accounts import Agreement, Cascade, Human, Panel, Ranking, known, within
from solon.report.labeled import Labeled, Position, Share
from solon.report.rows import of_judges
from solon.report.summary import Summary
from solon.report.text import one_line
from solon.report.wording import coefficient, counted, label, number, share, share_of

# Where a number becomes worth a sentence. None of them hides anything: the number itself is in the report either way.
# docs/report.md lists them.
FAILED_SHARE = 0.02
LOW_CONSISTENCY = 0.7
"""Judges that the field relies on are about there: GPT-4 turned in 35 % of the pairs (Zheng et al. 2023, table 2)."""
SLOT_BIAS = 0.05
LONGER_WINS = 0.6
CANARIES_NOT_LOST = 0.05
LOW_ALPHA = 0.4
LOW_TAU = 0.4
LOW_AGREEMENT = 0.8
UNMATCHED_ROWS = 0.1
PRICE_DAYS = 365

_NAMED = 3


def label_doubts(summary: Summary, today: dt.date | None = None) -> Iterator[str]:
    """The sentences. Old prices are among them only where ``today`` is given: pages know no clock."""
    labeled = summary.labeled
    if labeled is not None:
        yield from _failed(labeled)
        yield from _position(labeled, "The labeler")
        yield from _canaries(labeled)
        yield from _length(labeled)
        yield from _account(labeled.account)
        for name, votes in labeled.votes.items():
            yield from _position(votes, f"Of those that vote, {one_line(name, 60)}")
        yield from _money(labeled, today)
    for metric in of_judges(summary.metrics):
        yield from _metric(metric)


def _failed(labeled: Labeled) -> Iterator[str]:
    failed = sum(labeled.failed.values())
    if failed > FAILED_SHARE * labeled.judgments:
        yield f"{failed:,} of {labeled.judgments:,} judgments ({share(failed, labeled.judgments)}) gave no verdict."


def _position(seen: Position, who: str) -> Iterator[str]:
    alike = seen.alike
    if alike.value is not None and alike.value < LOW_CONSISTENCY:
        turned = share(seen.order_dependent, seen.pairs)
        yield f"{who} turned its verdict with the order of the answers in {turned} of {counted(seen.pairs, 'pair')}."
    if (first := seen.first_slot) is not None and _leans(first, 0.5):
        won = f"the answer shown first won {share_of(first)} of {first.n:,} decided comparisons"
        yield f"{who} prefers a position: {won}."


def _leans(measured: Share, even: float) -> bool:
    """Whether it is off by more than chance explains, and by enough to matter."""
    if measured.value is None or measured.interval is None:
        return False
    low, high = measured.interval
    return not low <= even <= high and abs(measured.value - even) > SLOT_BIAS


def _length(labeled: Labeled) -> Iterator[str]:
    longer = labeled.length.share("longer_wins")
    if longer is not None and longer.low is not None and longer.low > LONGER_WINS:
        won = f"{share_of(longer)} of {counted(longer.n, 'decided pair')}"
        yield f"The longer answer won {won}: better answers may be longer, or the labeler may like length for itself."


def _canaries(labeled: Labeled) -> Iterator[str]:
    if (canaries := labeled.canaries.get("all")) is None:
        return
    n, not_lost = canaries.share_lost.n, canaries.won + canaries.tied
    if not_lost > CANARIES_NOT_LOST * n:
        of = f"{not_lost:,} of {n:,} canaries ({share(not_lost, n)})"
        yield f"{of} did not lose to a real answer: the labeler judges something else than the answer."


def _account(account: Mapping[str, JsonValue], who: str = "", depth: int = 3) -> Iterator[str]:
    found = known(account)
    if found is None or not depth:
        return
    whose = f" of {one_line(who, 60)}" if who else ""
    match found:
        case Panel():
            yield from _panel(found, whose)
        case Cascade():
            yield from _cascade(found)
        case Ranking():
            yield from _ranking(found, whose)
        case Human():
            if found.unmatched > UNMATCHED_ROWS * found.rows:
                rows = f"{found.unmatched:,} of {found.rows:,} rows ({share(found.unmatched, found.rows)})"
                yield f"{rows} of people's verdicts{whose} matched nothing that was judged."
        case _:
            assert_never(found)
    for name, inner in within(found):
        yield from _account(inner, name, depth - 1)


def _panel(panel: Panel, whose: str) -> Iterator[str]:
    low = {key: one for key, one in panel.agreement.items() if one.alpha is not None and one.alpha < LOW_ALPHA}
    worst = sorted(low.items(), key=lambda item: (item[1].alpha or 0.0, item[0]))
    if worst:
        named = ", ".join(f"{one_line(key, 60)} ({_agreed(one)})" for key, one in worst[:_NAMED])
        more = f" and {len(worst) - _NAMED:,} more" if len(worst) > _NAMED else ""
        yield f"The members of the panel{whose} agree little beyond chance under {named}{more}."
    if panel.odd_one_out is not None:
        odd = one_line(panel.odd_one_out, 60)
        mine = next((one for one in panel.members if one.name == panel.odd_one_out), None)
        agrees = f" (as another member in {share_of(mine.agreement_with_others)})" if mine is not None else ""
        yield f"{odd} is the odd one out of the panel{whose}{agrees}; odd is not wrong, so read some of its votes."


def _agreed(one: Agreement) -> str:
    # where nearly all verdicts are of one kind, alpha is low whatever members do, and these two say so
    return f"alpha {coefficient(one.alpha)}, raw {number(one.raw)}, AC1 {coefficient(one.ac1)}, n {one.n:,}"


def _cascade(cascade: Cascade) -> Iterator[str]:
    cheap, dear = (one_line(each.name, 60) for each in cascade.labelers)
    lost = cascade.usd if cascade.usd.spent else cascade.tokens
    if lost.saved is not None and lost.saved < 0:
        yield f"The cascade took more than {dear} alone would have: {share_of(cascade.escalated_share)} was escalated."
    if cascade.stated_probability < cascade.questions / 2:
        stated = f"{cascade.stated_probability:,} of {cascade.questions:,} verdicts"
        yield f"{cheap} said how sure it was of {stated}; of the others, those it did not contradict were relied on."


def _ranking(ranking: Ranking, whose: str) -> Iterator[str]:
    tau, first, chance = ranking.kendall_tau, ranking.first_position, ranking.first_position_by_chance
    if tau.value is not None and tau.value < LOW_TAU:
        over = f"mean Kendall's tau {coefficient(tau.value)} over {counted(tau.n, 'pair')} of votes"
        yield f"The same answers{whose} were ranked differently in different orders: {over}."
    if chance is not None and _leans(first, chance):
        put = f"{share_of(first)} of {counted(first.n, 'vote')}, and by chance {number(chance)}"
        yield f"Rankings{whose} lean to a position: the answer shown first was put first in {put}."


def _money(labeled: Labeled, today: dt.date | None) -> Iterator[str]:
    if labeled.usage.estimated:
        yield "A server did not count tokens, so those of the labels and their cost are the most that they can be."
    for model in labeled.models:
        if today is not None and model.price_as_of is not None and (today - model.price_as_of).days > PRICE_DAYS:
            yield (
                f"The price of {one_line(model.name, 60)} was read on {model.price_as_of}, more than a year ago: "
                "state today's in the recipe (`price`)."
            )


def _metric(metric: Metric) -> Iterator[str]:
    if metric.of == "pair" and metric.value < LOW_CONSISTENCY:
        what = label(metric.name.partition("/")[2])
        yield f"{what}: its judge turned with the order of the answers in {number(1 - metric.value)} of the pairs."
    if metric.name == "agreement" and metric.n and metric.value < LOW_AGREEMENT:
        yield f"The labels agree with the other labeler on {number(metric.value)} of {metric.n:,} pairs only."
    if metric.name == "human_agreement" and metric.n and metric.value < LOW_AGREEMENT:
        yield f"The labels agree with people on {number(metric.value)} of {metric.n:,} only, drawn at random."

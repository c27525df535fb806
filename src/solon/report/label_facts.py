"""How the labels were made, as facts and tables: who judged, and what is known of how far to trust it.

What was not measured is not mentioned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from solon.data.records import Metric
from solon.report.account_facts import told_of
from solon.report.labeled import Asked, Canaries, Labeled, Length, Position, PriceSaid
from solon.report.rows import of_judges
from solon.report.summary import Summary
from solon.report.tables import Fact, Table, Told
from solon.report.text import one_line
from solon.report.wording import (
    coefficient,
    correlation,
    counted,
    dollars,
    label,
    lower_first,
    number,
    reasons,
    share_of,
    span,
    tokens,
)

_OF_THE_STAGE = {"order_consistency", "first_slot_wins"}
"""Metrics of the labels that the label stage has counted already, on the same judgments."""

_BATCHES_NAMED = 5
_CALLED = {"kappa": "kappa", "alpha": "alpha", "ac1": "AC1"}
_COEFFICIENT = re.compile(rf"(?:{'|'.join(_CALLED)})/(?P<of>.+)")


def label_told(summary: Summary) -> Told:
    """What labeled, and how far it can be trusted."""
    told = Told()
    labeled = summary.labeled
    if labeled is not None:
        told.facts.append(Fact("labeled by", f"{one_line(labeled.labeler, 80)}: {_judgments(labeled)}"))
        told.facts += _position(labeled)
        told.facts += _length(labeled.length)
        told.facts += _canaries(labeled.canaries)
        if labeled.account:
            told.add(told_of(labeled.account))
    known = _OF_THE_STAGE if labeled is not None and labeled.pairs else set()
    measured = of_judges(summary.metrics)
    told.facts += [
        _metric(one)
        for one in measured
        if _COEFFICIENT.match(one.name) is None and (one.of == "pair" or one.name not in known)
    ]
    told.facts += _beyond_chance(measured)
    told.facts += _said(summary)
    if labeled is not None:
        told.facts += [*_prices(labeled), *_batches(labeled), *_cost(labeled)]
        told.tables = [*_voters(labeled.votes), *_canary_table(labeled.canaries), *told.tables]
    return told


def _judgments(labeled: Labeled) -> str:
    failed = sum(labeled.failed.values())
    why = f" ({reasons(labeled.failed)})" if failed else ""
    return f"{counted(labeled.judgments, 'judgment')}, {failed:,} failed{why}"


def _position(seen: Position) -> Iterator[Fact]:
    if seen.pairs:
        alike = f"{share_of(seen.alike)} of {counted(seen.pairs, 'pair')} judged alike in both orders"
        yield Fact("order", alike)
    if (first := seen.first_slot) is not None and first.n:
        yield Fact("first slot", f"the answer shown first won {share_of(first)} of {first.n:,} decided comparisons")


def _voters(votes: Mapping[str, Position]) -> Iterator[Table]:
    """Position by voter: a panel may well even out what a member leans to."""
    rows = []
    for name, seen in votes.items():
        first = seen.first_slot
        slot = (share_of(first), f"{first.n:,}") if first is not None and first.n else ("–", "–")
        alike = (share_of(seen.alike), f"{seen.pairs:,}") if seen.pairs else ("–", "–")
        rows.append((name, *alike, *slot))
    if rows:
        note = "Of the single votes: alike in both orders, and won by the answer shown first, each with its n."
        yield Table.of("Position, by voter", ("", "same in both orders", "n", "first slot", "n"), rows, note)


def _length(length: Length) -> Iterator[Fact]:
    parts = []
    if (longer := length.share("longer_wins")) is not None:
        parts.append(f"the longer answer won {share_of(longer)} of {counted(longer.n, 'decided pair')}")
    if (pairs := length.share("correlation_of_pairs")) is not None:
        parts.append(f"being ahead and being longer correlate by {correlation(pairs)} (n {pairs.n:,})")
    if (ratings := length.share("correlation_of_ratings")) is not None:
        parts.append(f"score and length correlate by {correlation(ratings)} (n {ratings.n:,})")
    if parts:
        yield Fact("length", "; ".join(parts))


def _canaries(kinds: Mapping[str, Canaries]) -> Iterator[Fact]:
    parts = [_fared(kinds["all"])] if "all" in kinds else []
    if (refusals := kinds.get("refusal")) is not None:
        n = refusals.share_lost.n
        parts.append(f"refusals, which may be right: {refusals.lost:,} of {n:,} lost")
    if parts:
        yield Fact("canaries", "; ".join(parts))


def _fared(canaries: Canaries) -> str:
    measured = canaries.share_lost
    others = reasons({"won": canaries.won, "tied": canaries.tied, "without a verdict": canaries.failed})
    return f"{share_of(measured)} of {measured.n:,} lost, and all should{f' ({others})' if others else ''}"


def _canary_table(kinds: Mapping[str, Canaries]) -> Iterator[Table]:
    rows = [
        (
            kind.replace("_", " "),
            share_of(one.share_lost),
            *(f"{count:,}" for count in (one.lost, one.won, one.tied, one.failed)),
        )
        for kind, one in kinds.items()
        if kind != "all"
    ]
    if rows:
        note = "Answers that are none, each beside a real one. No label is made of them."
        yield Table.of("Canaries", ("", "share that lost", "lost", "won", "tied", "no verdict"), rows, note)


def _metric(metric: Metric) -> Fact:
    interval = f" [{span(metric)}]" if span(metric) else ""
    failed = f" (+{metric.failed:,} failed)" if metric.failed else ""
    # evaluators name the interval first and then what else there is to say
    note = one_line(metric.method.partition("; ")[2], 100)
    text = f"{number(metric.value, metric.unit)}{interval} on {metric.n:,}{failed}{f', {note}' if note else ''}"
    name, _, part = lower_first(label(metric.name)).partition(": ")
    if metric.of == "pair":
        return Fact("examiner", f"{name} in {part}: {text}")
    return Fact(name, f"{part}: {text}" if part else text)


def _beyond_chance(measured: Sequence[Metric]) -> Iterator[Fact]:
    """The coefficients of each share, together: .9 of agreement is much, or what chance gives."""
    found: dict[str, list[Metric]] = {}
    for metric in measured:
        if (match := _COEFFICIENT.match(metric.name)) is not None:
            found.setdefault(match["of"], []).append(metric)
    for of, metrics in found.items():
        said = [f"{_CALLED[one.name.partition('/')[0]]} {_coefficient(one)}" for one in metrics]
        name, _, principle = of.partition("/")
        under = f"under {one_line(principle, 60)}: " if principle else ""
        called = "order" if name == "order_consistency" else name.replace("_", " ")
        yield Fact(called, f"{under}{', '.join(said)} on {metrics[0].n:,}; 0 is what chance gives")


def _said(summary: Summary) -> Iterator[Fact]:
    """What people said of the labels in `solon view`, and how much of it tells nothing of the judge."""
    if (said := summary.said) is not None:
        aside = {
            "given after the judge's was shown": said.seen,
            "on what is no longer labeled": said.gone,
            "on labels that they made themselves": said.own,
        }
        parts = [f"{number:,} {what}" for what, number in aside.items() if number]
        left = f"; left out of agreement: {' and '.join(parts)}" if parts else ""
        yield Fact("people", f"{counted(said.verdicts, 'verdict')} on labels{left}")


def _coefficient(metric: Metric) -> str:
    interval = "" if metric.low == metric.high else f" [{coefficient(metric.low)} to {coefficient(metric.high)}]"
    return f"{coefficient(metric.value)}{interval}"


def _prices(labeled: Labeled) -> Iterator[Fact]:
    """Of models that are paid for: a sum is worth no more than the price that it was reckoned with."""
    for model in labeled.models:
        if model.price is None or model.price_source is None:
            continue
        where = f" at {one_line(model.server, 60)}" if model.server else ""
        yield Fact("price", f"{one_line(model.name, 60)}{where}: {_a_million(model.price)}, {_source(model)}")


def _a_million(price: PriceSaid) -> str:
    cached = f", {dollars(price.cached)} from a cache" if price.cached is not None else ""
    batch = f", {100 * price.batch:g}% of that in batches" if price.batch != 1 else ""
    return f"{dollars(price.input)} in, {dollars(price.output)} out a million tokens{cached}{batch}"


def _source(model: Asked) -> str:
    if model.price_source == "recipe":
        return "as the recipe states"
    return f"by {one_line(str(model.price_source), 120)} on {model.price_as_of or 'an unknown day'}"


def _batches(labeled: Labeled) -> Iterator[Fact]:
    if sent := labeled.batches:
        ids = [f"{one_line(each.id, 60)} ({one_line(each.provider, 40)})" for each in sent[:_BATCHES_NAMED]]
        more = f", and {len(sent) - len(ids):,} more in run.json" if len(sent) > len(ids) else ""
        requests = counted(sum(each.requests for each in sent), "request")
        kinds = f"{len(sent):,} provider {'batch' if len(sent) == 1 else 'batches'}"
        yield Fact("batches", f"{kinds}, {requests}: {', '.join(ids)}{more}")


def _cost(labeled: Labeled) -> Iterator[Fact]:
    """What a judgment costs; the section on cost has the sums of all stages."""
    if labeled.cost_usd or labeled.usage.estimated:
        money = f"{dollars(labeled.cost_usd)}, {dollars(labeled.usd_a_thousand)} for 1,000 judgments; "
        estimated = "; the most that it can be, as a server did not count" if labeled.usage.estimated else ""
        yield Fact("labels cost", f"{money}tokens {tokens(labeled.usage)}{estimated}")

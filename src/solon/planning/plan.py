"""Everything that ``solon plan`` says, put together: rows, sums, what would be cheaper, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from solon.models.base import ROOM_TO_REASON, ChatModel
from solon.models.caching import caching_of
from solon.phases import phases_of
from solon.planning.crowd import Crowd
from solon.planning.estimating import Estimates, estimated
from solon.planning.nouns import Change, Disk, Plan, Row
from solon.planning.rehearsal import name_of
from solon.planning.rows import ESCALATED, Estimate
from solon.planning.times import SECONDS_A_REQUEST, TOKENS_A_SECOND, total
from solon.recipe import Opened, Recipe

A_CENT = 0.01
"""US dollars that a change has to save to be worth a line."""


def plan_of(opened: Opened, *, seconds_per_request: float | None = None) -> Plan:
    """What a recipe would ask and cost. Loads no model, asks nobody, runs no program, and writes nothing.

    Args:
        opened: the recipe.
        seconds_per_request: how long a request takes; 2 seconds, or what its reply needs at 50 tokens a second, when
            left out.

    Raises:
        DataError: prompts or candidates cannot be read.
        StorageError: the ledger cannot be read.
    """
    phases = phases_of(opened)
    each = [estimated(phase, seconds_per_request) for phase in phases]
    estimates = [_of_phase(one, phase.phase) for phase, found in zip(phases, each, strict=True) for one in found.rows]
    rows = tuple(one.row for one in estimates)
    return Plan(
        rows=rows,
        requests=sum(row.requests for row in rows),
        usd=_sum(row.usd for row in rows),
        usd_cheapest=_sum(map(_cheapest, rows)),
        changes=tuple(_changes(estimates)),
        seconds=sum(total([one.work for one in found.rows if one.work is not None]) for found in each),
        disk=Disk(
            candidates=sum(found.candidates for found in each),
            judgments=sum(found.judgments for found in each),
            ledger=sum(one.bytes for one in estimates),
        ),
        warnings=tuple(_warnings(opened.recipe, estimates)),
        notes=tuple(_notes(each, rows, seconds_per_request)),
    )


def _of_phase(one: Estimate, phase: str) -> Estimate:
    if not phase:
        return one
    return replace(one, row=one.row.model_copy(update={"phase": phase, "where": f"{phase}: {one.row.where}"}))


def _sum(dollars: Iterator[float | None]) -> float | None:
    known = list(dollars)
    return None if None in known else sum(one for one in known if one is not None)


def _cheapest(row: Row) -> float | None:
    """What a row costs in the cheapest way."""
    ways = row.ways
    if ways.plain is None:
        return row.usd
    return min(one for one in (ways.plain, ways.cached, ways.batched, ways.both) if one is not None)


# ---------------------------------------------------------------- what would be cheaper


def _changes(rows: list[Estimate]) -> Iterator[Change]:
    """What can be written into the recipe, model by model. What a cache may find is not counted on."""
    by_model: dict[str, list[Estimate]] = {}
    for one in rows:
        by_model.setdefault(one.row.where, []).append(one)
    for where, of_model in by_model.items():
        usd = _sum(one.row.usd for one in of_model)
        if usd is None:
            continue
        worth_it = usd - A_CENT
        ways = [one.row.ways for one in of_model]
        if not any(one.row.batched for one in of_model):
            batched = sum((row.plain if row.batched is None else row.batched) or 0.0 for row in ways)
            if any(row.batched is not None for row in ways) and batched <= worth_it:
                yield Change(where=where, setting="batch: true", usd=usd, usd_then=batched)
        caching = caching_of(of_model[0].model)
        if caching is not None and not caching.on:
            cached = sum((row.plain if row.cached is None else row.cached) or 0.0 for row in ways)
            if any(row.cached is not None for row in ways) and cached <= worth_it:
                yield Change(where=where, setting="cache: true", usd=usd, usd_then=cached)


# ---------------------------------------------------------------- what to know


def _warnings(recipe: Recipe, rows: list[Estimate]) -> Iterator[str]:
    usd = _sum(one.row.usd for one in rows)
    unknown = sorted({f"{one.row.model} ({one.row.where})" for one in rows if one.row.usd is None})
    if unknown:
        yield f"the price is not known of {', '.join(unknown)}: add `price: {{input: ..., output: ...}}`"
    if recipe.max_usd is not None and usd is not None and usd > recipe.max_usd:
        yield f"the recipe may cost ${usd:,.2f} and is stopped at max_usd ${recipe.max_usd:,.2f}"
    for one in rows:
        room = one.row.output_tokens / max(1, one.row.requests)
        if one.model.reasons and one.row.requests and room < ROOM_TO_REASON:
            yield (
                f"{one.row.model} ({one.row.where}) reasons before it answers, and would be cut off at {room:.0f} "
                "tokens, its thoughts included: set a `max_tokens` of 1000 or more"
            )
    capped: dict[str, tuple[ChatModel, list[Row]]] = {}
    for one in rows:
        capped.setdefault(name_of(one.model), (one.model, []))[1].append(one.row)
    for model, of_model in capped.values():
        usd = _sum(row.usd for row in of_model)
        if model.max_usd is not None and usd is not None and usd > model.max_usd:
            where = of_model[0].where
            yield f"{model.name} ({where}) may cost ${usd:,.2f} and is stopped at its max_usd ${model.max_usd:,.2f}"


def _notes(each: Sequence[Estimates], rows: Sequence[Row], seconds: float | None) -> Iterator[str]:
    if not rows:
        return
    crowds = [crowd for found in each for crowd in ((found.labels, "prompts"), (found.held_out, "held-out prompts"))]
    yield from dict.fromkeys(
        _sampled(crowd, what) for crowd, what in crowds if crowd is not None and not crowd.is_whole
    )
    yield (
        "Requests are those that the labelers make when they are tried out without asking anybody. Those asked again, "
        "for a reply that could not be read or did not come, come on top."
    )
    if any(found.sorts for found in each):
        yield "Those of a ranking by tournament hang on its verdicts: the most that its sort may take are counted."
    yield f"Tokens read are counted by {', '.join(_counters(rows))}; each reply is as long as max_tokens allows."
    if any(row.requests_low < row.requests_high for row in rows):
        usd_low, usd_high = _sum(row.usd_low for row in rows), _sum(row.usd_high for row in rows)
        dollars = "" if usd_low is None or usd_high is None else f": ${usd_low:,.2f} to ${usd_high:,.2f} in all"
        yield f"A cascade is taken to escalate {ESCALATED:.0%}; it may be none or all{dollars}."
    if any(row.ways.cached is not None for row in rows):
        yield (
            "Cache: the constitution's part of each request is read from the provider's cache, but for as many "
            "requests as are under way at once. No provider promises it, in batches least of all."
        )
    if any(row.seconds is not None for row in rows):
        pace = (
            f"{SECONDS_A_REQUEST:g} s a request, or its reply at {TOKENS_A_SECOND:g} tokens a second if that is longer"
            if seconds is None
            else f"{seconds:g} s a request"
        )
        yield f"Time: {pace}, and the limits in the recipe. Models that run here take what they take."
    yield _ledger(rows, there=any(found.has_ledger for found in each))


def _sampled(crowd: Crowd, what: str) -> str:
    return f"Figures are of {len(crowd.sample):,} of {len(crowd):,} {what}, drawn with a seed, and scaled up."


def _counters(rows: Sequence[Row]) -> list[str]:
    counters: dict[str, dict[str, None]] = {}
    for row in rows:
        counters.setdefault(row.counted_by, {})[row.model] = None
    return [f"{how} ({', '.join(models)})" for how, models in counters.items()]


def _ledger(rows: Sequence[Row], *, there: bool) -> str:
    if not there:
        return "There is no ledger yet. What it will hold is not asked, or paid, for again."
    known, asked = (sum(getattr(row, name) for row in rows) for name in ("in_ledger", "requests"))
    if not known:
        return "The ledger holds none of these replies yet. What it holds is not asked, or paid, for again."
    left = _sum(None if row.usd is None else row.usd * (1 - row.in_ledger / max(1, row.requests)) for row in rows)
    dollars = "" if not left else f": about ${left:,.2f} remain to be paid"
    return f"The ledger holds about {known:,} of the {asked:,} replies, which are not asked for again{dollars}."

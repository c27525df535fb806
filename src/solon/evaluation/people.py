"""How far labels agree with what people said of them in `solon view`, from files alone: nobody is asked anything.

Counted is what somebody said before the judge's verdict was shown to them. What was drawn at random from all labels
tells of all of them; what people came upon, or filtered for, tells of itself alone, and is a metric of its own. So is
what was drawn before others were added: it tells nothing of these.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import NonNegativeInt

from solon.data.artifacts import json_lines
from solon.data.identity import Noun
from solon.data.people import Act, first_impressions, items_of, read_acts, standing
from solon.data.records import Constitution, Judgment, Metric, Principle, RatingScale, Revised, Scored
from solon.errors import DataError, MissingExtra, Problem
from solon.evaluation.agreement import agreeing, beyond_chance
from solon.evaluation.comparison import Preferred, by_id, comparisons, preferred
from solon.evaluation.paired import metric
from solon.labelers.votes import share
from solon.statistics.agreement import NumericAgreement
from solon.statistics.clustered import Table, clustered_share

Name = Literal["human_agreement", "chosen_agreement"]
RANDOM: Name = "human_agreement"
CHOSEN: Name = "chosen_agreement"
Told: TypeAlias = tuple[Act, Sequence[Judgment]]
"""What somebody did, and the labels that it is about."""


class Said(Noun):
    """How many verdicts people gave on a run's labels, of which all may correct a label.

    Attributes:
        verdicts: those that stand, of whoever.
        seen: of these, those that were given only after the judge's was shown, which count for no agreement.
        gone: of these, those on completions or principles that no label is about.
        own: of these, those on labels that are people's verdicts themselves.
    """

    verdicts: NonNegativeInt
    seen: NonNegativeInt = 0
    gone: NonNegativeInt = 0
    own: NonNegativeInt = 0


def said_by_people(
    acts_file: Path, judgments_file: Path, constitution: Constitution
) -> tuple[Said, list[Metric]] | None:
    """What people said, and how far the labels agree; ``None`` where nobody has said anything.

    Raises:
        DataError: a line of either file cannot be read.
    """
    acts = list(read_acts(acts_file))
    now = {key: act for key, act in standing(acts).items() if act.is_verdict}
    first = {key: act for key, act in first_impressions(acts).items() if act.said != "undo"}
    if not now and not any(act.is_verdict for act in first.values()):
        return None
    principles = by_id(constitution)
    is_sample = any(act.drawn is not None for act in first.values())
    prompts = {act.about.prompt for act in (*now.values(), *first.values())}
    judged, items = _judged(prompts, judgments_file, counting=is_sample)
    labels = {key: _labels(act, judged, principles) for key, act in {**now, **first}.items()}
    own = {key for key, found in labels.items() if any(one.labeler == "human" for one in found)}
    counted = [(act, labels[key]) for key, act in first.items() if labels[key] and key not in own]
    metrics: list[Metric] = []
    for name, is_drawn in ((RANDOM, True), (CHOSEN, False)):
        some = [(act, found) for act, found in counted if (act.drawn is not None and act.drawn.of == items) == is_drawn]
        metrics += _metrics(name, some, principles, constitution.rating)
    said = Said(
        verdicts=len(now),
        seen=sum(not (key in first and first[key].is_verdict) for key in now),
        gone=sum(not labels[key] for key in now),
        own=sum(key in own for key in now),
    )
    return said, metrics


def _judged(prompts: set[str], path: Path, *, counting: bool) -> tuple[dict[str, list[Judgment]], int]:
    """The judgments on these prompts, and of how many items all judgments are, if that is counted."""
    found: dict[str, list[Judgment]] = {}
    items: set[int] = set()
    for number, value in json_lines(path) if path.is_file() else ():
        if isinstance(value, Problem):
            raise DataError([value])
        if counting and isinstance(value, dict):
            items.update(_items(value, f"{path}:{number}"))
        # the others are most of the file, and are passed over as they are
        if isinstance(value, dict) and value.get("prompt") in prompts:
            judgment = _judgment(value, f"{path}:{number}")
            found.setdefault(judgment.prompt, []).append(judgment)
    return found, len(items)


def _judgment(value: dict[str, Any], where: str) -> Judgment:
    try:
        return Judgment.model_validate(value)
    except ValueError as error:
        raise DataError([Problem(where, "is not a judgment", "label again")]) from error


def _items(value: dict[str, Any], where: str) -> Iterator[int]:
    """A number for each item that a judgment is about, as the view counts them: the same for the same item."""
    revised = None
    try:
        if value["outcome"]["kind"] == "revised":
            outcome = _judgment(value, where).outcome
            revised = outcome.completion.id if isinstance(outcome, Revised) else None
        head = (value["prompt"], tuple(value["principles"]), value["labeler"])
        for options in items_of(value["options"], revised):
            yield hash((*head, frozenset(options)))
    except (KeyError, TypeError) as error:
        raise DataError([Problem(where, "is not a judgment", "label again")]) from error


def _labels(
    act: Act, judged: Mapping[str, Sequence[Judgment]], principles: Mapping[str, Principle]
) -> tuple[Judgment, ...]:
    """The judgments on what somebody judged."""
    about = act.about
    under = [one for one in judged.get(about.prompt, ()) if one.principles == about.principles]
    if any(name not in principles for name in about.principles):
        return ()  # the constitution has changed since, and the labels are about to
    if len(about.options) == 1:
        return tuple(one for one in under if one.options == about.options)
    if revised := [one for one in under if isinstance(one.outcome, Revised)]:
        return tuple(one for one in revised if _both(one) == set(about.options))
    # not as they were shown, which was drawn
    return comparisons(under, *sorted(about.options))


def _both(judgment: Judgment) -> set[str]:
    """The original and what became of it."""
    assert isinstance(judgment.outcome, Revised)
    return {*judgment.options, judgment.outcome.completion.id}


def _metrics(name: Name, told: Sequence[Told], principles: Mapping[str, Principle], scale: RatingScale) -> list[Metric]:
    verdicts = [act for act, _ in told if act.is_verdict]
    if not verdicts:
        return []
    if any(act.said == "score" for act in verdicts):
        share, tables, note = _of_ratings(name, told, scale)
    else:
        preferences = [_both_say(each, principles) for each in told]
        share, tables = agreeing(name, preferences)
        ties = [sum(each[side] == "tie" for each in preferences) for side in (1, 2)]
        note = f"ties: {ties[0]:,} of the labels, {ties[1]:,} of theirs" if any(ties) else ""
    parts = [share.method, f"with {_people(verdicts)}", _how(name, [act for act, _ in told]), note]
    share = share.model_copy(update={"method": "; ".join(filter(None, parts))})
    try:
        return [share, *beyond_chance(name, tables)] if share.n else []
    except MissingExtra:  # coefficients take packages of the report's; the share is told without
        return [share]


def _both_say(told: Told, principles: Mapping[str, Principle]) -> tuple[str, Preferred, Preferred]:
    """The prompt's id, and what the labels and the person say of the completion with the first id, which is by chance.

    What chance gives must depend neither on how the page was shuffled nor on which completion stands first in a file.
    """
    act, labels = told
    if isinstance(labels[0].outcome, Revised):
        return act.about.prompt, "second", _said(act, labels[0].options[0])
    first = min(act.about.options)
    return act.about.prompt, preferred(labels, first, principles), _said(act, first)


def _said(act: Act, first: str) -> Preferred:
    if not act.is_verdict:
        return "not_asked"
    if act.preferred is None:
        return "tie"
    return "first" if act.preferred == first else "second"


def _of_ratings(name: Name, told: Sequence[Told], scale: RatingScale) -> tuple[Metric, list[Table], str]:
    """The share of equal scores, the judge's rounded to the scale's whole numbers; the tables; and how near the others.

    Of a judge that gives logits, the sigmoid is the share of the scale.
    """
    tables: dict[str, Counter[tuple[str, str]]] = {}
    near = failed = 0
    interval = NumericAgreement()
    for act, labels in told:
        if act.score is None:
            continue
        given = [share(outcome) for one in labels if isinstance(outcome := one.outcome, Scored)]
        if not given:
            failed += 1
            continue
        label = scale.low + math.fsum(given) / len(given) * (scale.high - scale.low)
        interval.add((label, act.score))
        near += abs(label - act.score) <= 1
        tables.setdefault(act.about.prompt, Counter())[str(_nearest(label)), str(_nearest(act.score))] += 1
    alpha = interval.alpha()
    clusters = [(sum(table[pair] for pair in table if pair[0] == pair[1]), table.total()) for table in tables.values()]
    n = sum(items for _, items in clusters)
    note = f"{near:,} within 1" + (f", alpha of intervals {alpha:.2f}" if alpha is not None else "")
    return metric(name, "labels", clustered_share(clusters), n, failed=failed), list(tables.values()), note


def _nearest(score: float) -> int:
    """The whole number nearest to a score, a half upwards."""
    return math.floor(score + 0.5)


def _people(acts: Sequence[Act]) -> str:
    names = list(dict.fromkeys(act.annotator for act in acts))
    return names[0] if len(names) == 1 else f"{len(names):,} people"


def _how(name: Name, acts: Sequence[Act]) -> str:
    if name == CHOSEN:
        # what is added to a run later could not be drawn
        before = [act.drawn.of for act in acts if act.drawn is not None]
        added = f", {len(before):,} of them drawn from {max(before):,} labels of an earlier state" if before else ""
        return f"chosen by themselves, so of no other labels{added}"
    return f"drawn at random{_of_how_many(acts)}"


def _of_how_many(acts: Sequence[Act]) -> str:
    """How many of those that were drawn were judged: who passes over what is hard leaves a sample that is none."""
    drawn = [act.drawn for act in acts if act.drawn is not None]
    if len({(act.annotator, one.seed) for act, one in zip(acts, drawn, strict=True)}) != 1:
        return ""
    return f", {sum(act.is_verdict for act in acts):,} of {max(one.n for one in drawn):,} judged"

"""What a labeler's account of its judgments says, as facts and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import assert_never

from pydantic import JsonValue

from solon.report.accounts import Cascade, Human, Known, Panel, Ranking, known, within
from solon.report.tables import Fact, Table, Told, as_rows
from solon.report.text import one_line, shorten_paths
from solon.report.wording import coefficient, counted, dollars, number, reasons, share_of, short

_COLUMNS = 6
_PRINCIPLES = 3
"""So many are told in words, those with the lowest alpha first; the table has all."""
_DEEPEST = 3
"""A panel of cascades of panels: so far down their accounts are told, and the rest is in ``run.json``."""


def told_of(account: Mapping[str, JsonValue], who: str = "", depth: int = _DEEPEST) -> Told:
    """The account with those of the labelers within, in words where its kind is known and else as it is.

    Args:
        account: as ``Account.summary`` gives it.
        who: whose it is, where it is not the recipe's own labeler's.
        depth: how far down to go.
    """
    found = known(account)
    if found is None:
        return _as_it_is(account, who)
    told = _in_words(found)
    if who:
        told.facts = [Fact(fact.name, f"{one_line(who, 60)}: {fact.text}") for fact in told.facts]
        told.tables = [Table.of(f"{table.title}: {who}", table.heads, table.rows, table.note) for table in told.tables]
    for name, inner in within(found) if depth > 1 else ():
        told.add(told_of(inner, name, depth - 1))
    return told


def _as_it_is(account: Mapping[str, JsonValue], who: str) -> Told:
    note = account.get("note")
    facts = [Fact("account", _note(f"{who}: {note}" if who else note))] if isinstance(note, str) else []
    rows = as_rows({key: value for key, value in account.items() if key != "note" or not facts})
    title = f"What {who or 'the labeler'} says of its judgments"
    return Told(facts, [Table.of(title, ("", ""), rows)] if rows else [])


def _note(text: str) -> str:
    """A labeler's own words, without anybody's folders."""
    return one_line(shorten_paths(text), 300)


def _in_words(account: Known) -> Told:
    match account:
        case Panel():
            return Told(list(_panel(account)), [*_agreement(account), *_each_two(account), _members(account)])
        case Cascade():
            return Told(list(_cascade(account)))
        case Ranking():
            return Told(list(_ranking(account)))
        case Human():
            return Told(list(_human(account)))
        case _:
            assert_never(account)


def _panel(panel: Panel) -> Iterator[Fact]:
    text = counted(len(panel.members), "member")
    if panel.odd_one_out is not None:
        text += f"; the odd one out is {one_line(panel.odd_one_out, 60)}"
    elif len(panel.members) > 2:
        text += "; none stands out against the others"
    else:
        text += "; of two, neither is the odd one out"
    yield Fact("panel", text)
    # where nothing was rated twice there is no agreement to speak of
    told = [(key, one) for key, one in panel.agreement.items() if one.n]
    told.sort(key=lambda item: (math.inf if item[1].alpha is None else item[1].alpha, item[0]))
    for key, one in told[:_PRINCIPLES]:
        alpha, kappa, ac1 = (coefficient(value) for value in (one.alpha, one.kappa, one.ac1))
        said = f"raw {number(one.raw)}, Krippendorff's alpha {alpha}, kappa {kappa}, AC1 {ac1}, n {one.n:,}"
        yield Fact("agreement", f"{_key(key)}: {said}")
    if (more := len(told) - _PRINCIPLES) > 0:
        yield Fact("agreement", f"{counted(more, 'principle')} more, with a higher alpha or none, in the report")


def _key(principles: str) -> str:
    return one_line(principles, 60)


def _agreement(panel: Panel) -> Iterator[Table]:
    rows = [
        (key, number(one.raw), *(coefficient(value) for value in (one.alpha, one.kappa, one.ac1)), f"{one.n:,}")
        for key, one in panel.agreement.items()
    ]
    if rows:
        note = (
            "1 is full agreement, 0 what chance gives. Where nearly all verdicts are of one kind, alpha and kappa are "
            "low though members hardly ever differ: then look at raw and AC1."
        )
        yield Table.of("Agreement, by principle", ("", "raw", "alpha", "kappa", "AC1", "n"), rows, note)


def _members(panel: Panel) -> Table:
    weighed = any(member.accuracy_estimated is not None for member in panel.members)
    heads = ["", "votes", "failed", "as another member", "as most others", *["accuracy, estimated"] * weighed]
    rows = []
    for member in panel.members:
        row = [member.name, f"{member.votes:,}", reasons(member.failed) or "0"]
        row += [share_of(member.agreement_with_others), share_of(member.with_majority_of_others)]
        rows.append(row + [number(member.accuracy_estimated)] * weighed)
    note = "How often a member says the same as another one, and as the majority of the others where they have one."
    return Table.of("Members of the panel", heads, rows, note)


def _each_two(panel: Panel) -> Iterator[Table]:
    """Who agrees with whom; of two members the table by principle says it already."""
    keys = list(panel.agreement)[:_COLUMNS]
    kappas: dict[tuple[str, str], dict[str, str]] = {}
    for key in keys:
        for pair in panel.agreement[key].kappa_of_pairs:
            kappas.setdefault(pair.members, {})[key] = coefficient(pair.kappa)
    if len(panel.members) > 2 and kappas:
        rows = [[" and ".join(pair), *(found.get(key, "–") for key in keys)] for pair, found in kappas.items()]
        more = f" Of the first {_COLUMNS} principles." if len(panel.agreement) > _COLUMNS else ""
        note = f"Cohen's kappa. Two that agree with each other and with nobody else may share their errors.{more}"
        yield Table.of("Each two members", ["", *(_key(key) for key in keys)], rows, note)


def _cascade(cascade: Cascade) -> Iterator[Fact]:
    cheap, dear = (one_line(each.name, 60) for each in cascade.labelers)
    share = f"{share_of(cascade.escalated_share)} of {counted(cascade.questions, 'question')}"
    why = f" ({reasons(cascade.why)})" if cascade.why else ""
    yield Fact("escalated", f"{share} went from {cheap} to {dear}{why}")
    # tokens of two models are no common measure where either has a price
    saved, written = (cascade.usd, dollars) if cascade.usd.spent else (cascade.tokens, _in_tokens)
    if saved.saved is not None and saved.expensive_alone is not None:
        amount = f"{'−' if saved.saved < 0 else ''}{written(abs(saved.saved))}"
        alone = f"{written(saved.expensive_alone)} that {dear} alone would have taken"
        yield Fact("saved", f"{amount} of the {alone}, going by what it did judge")


def _in_tokens(count: float) -> str:
    return f"{short(round(count))} tokens"


def _ranking(ranking: Ranking) -> Iterator[Fact]:
    failed = f", {ranking.failed_votes:,} failed" if ranking.failed_votes else ""
    votes = f"{counted(ranking.votes, 'vote')} read{failed}"
    if ranking.kendall_tau.value is not None:
        tau = f"mean Kendall's tau {coefficient(ranking.kendall_tau.value)}"
        votes += f"; {tau} over {ranking.kendall_tau.n:,} pairs of them, 1 being the same ranking in every order"
    yield Fact("ranking", votes)
    if ranking.first_position.n:
        chance = number(ranking.first_position_by_chance)
        put = f"the answer shown first was put first in {share_of(ranking.first_position)} of the votes"
        yield Fact("first place", f"{put}, and by chance {chance}")


def _human(human: Human) -> Iterator[Fact]:
    yield Fact("people", _note(human.note) or f"{human.unmatched:,} of {human.rows:,} rows matched nothing")
    if human.annotator_pairs:
        among = f"{number(human.annotator_agreement)} of {counted(human.annotator_pairs, 'pair')} of verdicts"
        several = counted(human.judged_by_several, "question")
        yield Fact("annotators", f"agree in {among} on {several} that several answered")

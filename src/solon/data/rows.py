"""The rows of one conversation: what judgments say of its responses, as rows of each kind of dataset. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from solon.data.desirable import Cuts
from solon.data.kinds import RATED, Build, Kind
from solon.data.pairs import Decided, Pair, compared, is_fit, ranked, sifted
from solon.data.ratings import Rated, Ratings, ratings
from solon.data.records import (
    Completion,
    Demonstration,
    Failed,
    Judgment,
    Preference,
    Principle,
    Prompt,
    Provenance,
    Rating,
)
from solon.data.revisions import Revision, demonstrations, revisions

Drops = Mapping[Kind, Counter[str]]


@dataclass
class Judged:
    """A prompt with its completions by id, and the judgments on them."""

    prompt: Prompt
    completions: dict[str, Completion] = field(default_factory=dict)
    judgments: list[Judgment] = field(default_factory=list)


@dataclass(frozen=True)
class Rules:
    """By what rows are made.

    Attributes:
        principles: those of the constitution, by id.
        settings: the recipe's.
        revisers: the labelers that revise: what one of them failed at is a revision, and no rating.
        cuts: what is desirable.
    """

    principles: Mapping[str, Principle]
    settings: Build
    revisers: frozenset[str]
    cuts: Cuts


@dataclass(frozen=True)
class Rows:
    """The rows of one conversation, by kind of dataset."""

    preference: Sequence[Preference]
    unpaired: Sequence[Rating]
    reward: Sequence[Rating]
    sft: Sequence[Demonstration]

    def by_kind(self) -> Iterator[tuple[Kind, Sequence[Preference | Rating | Demonstration]]]:
        """Each kind with its rows."""
        yield "preference", self.preference
        yield "unpaired", self.unpaired
        yield "reward", self.reward
        yield "sft", self.sft


def rows_of(group: Sequence[Judged], rules: Rules, drops: Drops) -> Rows:
    """The rows of all prompts that hold the same conversation; they differ in topic or reference answer, if at all."""
    decided: list[Pair] = []
    losers: set[str] = set()
    revised: list[Revision] = []
    revises = False
    found = [_ratings(judged, rules) for judged in group]
    for judged, rated in zip(group, found, strict=True):
        for kind in RATED:
            drops[kind].update(failed=rated.failed, duplicate=rated.repeated)
        said = _decided(judged, rated, rules, drops["preference"])
        by_revisers = [one for one in judged.judgments if one.labeler in rules.revisers]
        revised += (more := revisions(judged.prompt, judged.completions, by_revisers, drops))
        decided += [*said.pairs, *(one.pair for one in more)]
        losers |= said.losers
        revises = revises or bool(by_revisers)
    scored, repeated, malformed = _once(group, found)
    for kind in RATED:
        drops[kind].update(duplicate=repeated, malformed=malformed)
    pairs = sifted(
        decided,
        min_margin=rules.settings.min_margin,
        limit=rules.settings.max_pairs_per_prompt,
        drops=drops["preference"],
    )
    if scored:
        unpaired = list(_labelled(scored, rules.cuts, drops["unpaired"]))
        best = _best_rated(unpaired, scored)
    else:
        unpaired = _unpaired(pairs, drops["unpaired"])
        best = _best_compared(pairs, losers)
    if revises:
        best = demonstrations(revised, drops["sft"])
    elif not best and any(judged.judgments for judged in group):
        drops["sft"]["no_best"] += 1
    reward = [_rating(prompt, item, desirable=bool(rules.cuts.label(item))) for prompt, item in scored.values()]
    return Rows([_preference(pair) for pair in pairs], unpaired, reward, best)


def rated_in(group: Sequence[Judged], rules: Rules) -> list[Rated]:
    """The responses to a conversation that have a score, each text once: what makes the rows of ``reward``."""
    scored, _, _ = _once(group, [_ratings(judged, rules) for judged in group])
    return [item for _, item in scored.values()]


# ---------------------------------------------------------------- what was said


def _ratings(judged: Judged, rules: Rules) -> Ratings:
    judgments = [
        judgment
        for judgment in judged.judgments
        if not (isinstance(judgment.outcome, Failed) and judgment.labeler in rules.revisers)
    ]
    return ratings(judged.completions, judgments, rules.principles, veto_below=rules.settings.veto_below)


def _decided(judged: Judged, rated: Ratings, rules: Rules, drops: Counter[str]) -> Decided:
    """What comparisons and rankings say; where a prompt has none, its ratings."""
    which = rules.settings.pairs
    if any(len(judgment.options) > 1 for judgment in judged.judgments):
        return compared(judged.prompt, judged.completions, judged.judgments, rules.principles, which, drops)
    return ranked(judged.prompt, rated.rated, which, drops)


def _once(group: Sequence[Judged], found: Iterable[Ratings]) -> tuple[dict[str, tuple[Prompt, Rated]], int, int]:
    """Each rated text of a conversation once, and how many were there already or are no text."""
    scored: dict[str, tuple[Prompt, Rated]] = {}
    repeated = malformed = 0
    for judged, ratings_of_it in zip(group, found, strict=True):
        for item in ratings_of_it.rated:
            text = item.completion.text
            if text in scored:
                repeated += 1
            elif not is_fit(judged.prompt, text):
                malformed += 1
            else:
                scored[text] = judged.prompt, item
    return scored, repeated, malformed


# ---------------------------------------------------------------- as rows


def _preference(pair: Pair) -> Preference:
    return Preference(
        prompt=pair.prompt,
        chosen=pair.better.text,
        rejected=pair.worse.text,
        margin=pair.margin,
        provenance=pair.provenance,
    )


def _rating(prompt: Prompt, item: Rated, *, desirable: bool) -> Rating:
    return Rating(
        prompt=prompt,
        completion=item.completion.text,
        desirable=desirable,
        score=item.score,
        provenance=Provenance(prompt_id=prompt.id, labelers=item.labelers, principles=item.principles),
    )


def _labelled(scored: Mapping[str, tuple[Prompt, Rated]], cuts: Cuts, drops: Counter[str]) -> Iterator[Rating]:
    for prompt, item in scored.values():
        desirable = cuts.label(item)
        if desirable is None:
            drops["undecided"] += 1
        elif desirable and item.completion.stop == "length":
            drops["truncated"] += 1
        else:
            yield _rating(prompt, item, desirable=desirable)


def _unpaired(pairs: Iterable[Pair], drops: Counter[str]) -> list[Rating]:
    """Each text once: desirable if it was only ever preferred, undesirable if never."""
    seen: dict[str, tuple[Pair, set[bool]]] = {}
    for pair in pairs:
        for text, preferred in ((pair.better.text, True), (pair.worse.text, False)):
            seen.setdefault(text, (pair, set()))[1].add(preferred)
    rows = []
    for text, (pair, verdicts_on_it) in seen.items():
        if len(verdicts_on_it) == 2:
            drops["mixed"] += 1
        else:
            (desirable,) = verdicts_on_it
            rows.append(Rating(prompt=pair.prompt, completion=text, desirable=desirable, provenance=pair.provenance))
    return rows


def _best_rated(rows: Iterable[Rating], scored: Mapping[str, tuple[Prompt, Rated]]) -> list[Demonstration]:
    """The desirable response with the highest score, the first of equals; none if there is none."""
    desirable = [row for row in rows if row.desirable]
    if not desirable:
        return []
    best = max(desirable, key=lambda row: scored[row.completion][1].log_odds)
    return [Demonstration(prompt=best.prompt, completion=best.completion, provenance=best.provenance)]


def _best_compared(pairs: Sequence[Pair], losers: set[str]) -> list[Demonstration]:
    """The response that won most and never lost, not even by a margin too small for a row; none if there is none."""
    won: dict[str, list[Pair]] = {}
    for pair in pairs:
        if pair.better.text not in losers:
            won.setdefault(pair.better.text, []).append(pair)
    if not won:
        return []
    text, wins = max(won.items(), key=lambda item: (len(item[1]), sum(pair.margin for pair in item[1])))
    return [Demonstration(prompt=wins[0].prompt, completion=text, provenance=wins[0].provenance)]

"""Which of two responses is better, as rows to learn from: found in verdicts or in ratings, then sifted. Pure.

What is left out is counted in the ``drops`` that a function is given, by the reasons of ``solon.data.kinds.DROPPED``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import attrgetter
from typing import Literal, TypeAlias, assert_never

from solon.data.artifacts import is_text
from solon.data.ratings import Rated
from solon.data.records import Completion, Judgment, Principle, Prompt, Provenance
from solon.data.verdicts import Verdict, verdicts

Which: TypeAlias = Literal["best_against_rest", "all"]


@dataclass(frozen=True)
class Pair:
    """Two different texts, one decided to be better. ``margin`` in (0, 1]."""

    prompt: Prompt
    better: Completion
    worse: Completion
    margin: float
    provenance: Provenance


@dataclass(frozen=True)
class Decided:
    """Pairs that were decided, and the texts that lost to another, also where that gave no pair."""

    pairs: list[Pair]
    losers: set[str]


def compared(
    prompt: Prompt,
    completions: Mapping[str, Completion],
    judgments: Sequence[Judgment],
    principles: Mapping[str, Principle],
    which: Which,
    drops: Counter[str],
) -> Decided:
    """The pairs of a prompt from judgments that show two completions or more.

    Each pair that was compared by itself gives one where it has a winner; ``which`` says which of those do that
    rankings have decided.
    """
    by_itself = {frozenset(judgment.options) for judgment in judgments if len(judgment.options) == 2}
    pairs: list[Pair] = []
    losers: set[str] = set()
    in_rankings: list[_Settled] = []
    for verdict in verdicts(judgments, principles):
        settled = _settled(prompt, completions[verdict.first], completions[verdict.second], verdict)
        if settled.pair is not None:
            losers.add(settled.pair.worse.text)
        if which == "best_against_rest" and frozenset((verdict.first, verdict.second)) not in by_itself:
            in_rankings.append(settled)
        elif settled.pair is None:
            drops[settled.reason] += 1
        else:
            pairs.append(settled.pair)
    return Decided(pairs + _best_against_rest(in_rankings, drops), losers)


@dataclass(frozen=True)
class _Settled:
    """Two texts, and the pair that they make or why they make none."""

    texts: tuple[str, str]
    pair: Pair | None
    reason: str = ""


def _settled(prompt: Prompt, first: Completion, second: Completion, verdict: Verdict) -> _Settled:
    texts = first.text, second.text
    if first.text == second.text:
        return _Settled(texts, None, "identical")
    match verdict.outcome:
        case "first":
            better, worse = first, second
        case "second":
            better, worse = second, first
        case "tie":
            return _Settled(texts, None, f"tie_{verdict.reason}")
        case "failed":
            return _Settled(texts, None, "failed")
        case _:
            assert_never(verdict.outcome)
    provenance = Provenance(prompt_id=prompt.id, labelers=verdict.labelers, principles=verdict.principles)
    return _Settled(texts, Pair(prompt, better, worse, abs(verdict.margin), provenance))


def _best_against_rest(settled: Sequence[_Settled], drops: Counter[str]) -> list[Pair]:
    """Each text against one of the best that is better than it, in turn. The best have the most wins, losses taken off.

    Counting wins rather than margins keeps vetoes: a response that a hard principle puts below another stays there.
    """
    points: Counter[str] = Counter()
    between: dict[frozenset[str], _Settled] = {}
    for one in settled:
        points.update(dict.fromkeys(one.texts, 0))
        between.setdefault(frozenset(one.texts), one)
        if one.pair is not None:
            points[one.pair.better.text] += 1
            points[one.pair.worse.text] -= 1
    most = max(points.values(), default=0)
    best = [text for text in points if points[text] == most]
    pairs: list[Pair] = []
    for text in points:
        if text == best[0]:
            continue
        turn = len(pairs) % len(best)
        met = [between[both] for top in best[turn:] + best[:turn] if (both := frozenset((top, text))) in between]
        over = [one.pair for one in met if one.pair is not None and one.pair.worse.text == text]
        if over and text not in best:
            pairs.append(over[0])
        elif any(one.pair is not None for one in met):
            drops["circular"] += 1
        else:
            drops[met[0].reason if met else "failed"] += 1
    return pairs


def ranked(prompt: Prompt, rated: Sequence[Rated], which: Which, drops: Counter[str]) -> Decided:
    """The pairs of a prompt from the ratings of its responses; equal scores are ties, and counted.

    For ``best_against_rest``, each response below the top score against one of those that have it, in turn, so that all
    of them are learnt; what shares the top score is a tie, counted once for each beyond the first.
    """
    # large logits differ although their shares are all rounded to 1
    value = attrgetter("log_odds" if all(item.scale == "logit" for item in rated) else "share")
    top = max(map(value, rated), default=0.0)
    tops = [item for item in rated if value(item) == top]
    losers = {item.completion.text for item in rated if value(item) < top}
    chosen: list[tuple[Rated, Rated]] = []
    match which:
        case "best_against_rest":
            drops["tie_balanced"] += max(0, len(tops) - 1)
            rest = [item for item in rated if value(item) < top]
            chosen = [(tops[number % len(tops)], worse) for number, worse in enumerate(rest)]
        case "all":
            for one, other in combinations(rated, 2):
                if value(one) == value(other):
                    drops["tie_balanced"] += 1
                else:
                    chosen.append((one, other) if value(one) > value(other) else (other, one))
        case _:
            assert_never(which)
    return Decided([_rated_pair(prompt, better, worse) for better, worse in chosen], losers)


def _rated_pair(prompt: Prompt, better: Rated, worse: Rated) -> Pair:
    provenance = Provenance(
        prompt_id=prompt.id,
        labelers=tuple(dict.fromkeys((*better.labelers, *worse.labelers))),
        principles=tuple(dict.fromkeys((*better.principles, *worse.principles))),
    )
    # of a share and a logit with the same share, the difference may round to just below 0
    return Pair(prompt, better.completion, worse.completion, max(0.0, better.margin_over(worse)), provenance)


def sifted(pairs: Sequence[Pair], *, min_margin: float, limit: int | None, drops: Counter[str]) -> list[Pair]:
    """The pairs of one conversation that are fit to learn from, in their order.

    Args:
        pairs: all that were decided, also those of prompts that differ in topic or reference answer only.
        min_margin: less clear ones are left out.
        limit: how many to keep, those with the largest margin; ``None`` for all.
        drops: gets the count of what is left out.
    """
    directions = {(pair.better.text, pair.worse.text) for pair in pairs}
    kept: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        texts = (pair.better.text, pair.worse.text)
        if texts[::-1] in directions:
            drops["contradictory"] += 1
        elif texts in kept:
            drops["duplicate"] += 1
        elif pair.margin < min_margin:
            drops["below_margin"] += 1
        elif not is_fit(pair.prompt, *texts):
            drops["malformed"] += 1
        elif pair.better.stop == "length":
            drops["truncated"] += 1
        else:
            kept[texts] = pair
    if limit is None or len(kept) <= limit:
        return list(kept.values())
    drops["over_limit"] += len(kept) - limit
    clearest = set(sorted(kept, key=lambda texts: -kept[texts].margin)[:limit])  # stable: the earlier of equals stays
    return [pair for texts, pair in kept.items() if texts in clearest]


def is_fit(prompt: Prompt, *texts: str) -> bool:
    """Whether prompt and texts can be written and tokenized."""
    return all(map(is_text, (*texts, prompt.topic or "", *(message.content for message in prompt.messages))))

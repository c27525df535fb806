"""Which of two responses is better, as rows to learn from: found in comparisons or in ratings, then sifted. Pure.

What is left out is counted in the ``drops`` that a function is given, by the reasons of ``solon.data.build.DROPPED``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from solon.data.artifacts import is_text
from solon.data.ratings import Rated
from solon.data.records import Completion, Judgment, Principle, Prompt, Provenance
from solon.data.verdicts import verdicts


@dataclass(frozen=True)
class Pair:
    """Two different texts, one decided to be better. ``margin`` in (0, 1]."""

    prompt: Prompt
    better: Completion
    worse: Completion
    margin: float
    provenance: Provenance


def compared(
    prompt: Prompt,
    completions: Mapping[str, Completion],
    judgments: Iterable[Judgment],
    principles: Mapping[str, Principle],
    drops: Counter[str],
) -> list[Pair]:
    """The decided pairs of a prompt, from the judgments that compare two completions."""
    pairs = []
    for verdict in verdicts(judgments, principles):
        first, second = completions[verdict.first], completions[verdict.second]
        if first.text == second.text:
            drops["identical"] += 1
            continue
        match verdict.outcome:
            case "first":
                better, worse = first, second
            case "second":
                better, worse = second, first
            case "tie":
                drops[f"tie_{verdict.reason}"] += 1
                continue
            case "failed":
                drops["failed"] += 1
                continue
            case _:
                assert_never(verdict.outcome)
        provenance = Provenance(prompt_id=prompt.id, labelers=verdict.labelers, principles=verdict.principles)
        pairs.append(Pair(prompt, better, worse, abs(verdict.margin), provenance))
    return pairs


def ranked(prompt: Prompt, rated: Sequence[Rated], drops: Counter[str]) -> list[Pair]:
    """Each response below the top score against one of those that have it, in turn, so that all of them are learnt.

    What shares the top score is a tie, counted once for each beyond the first.
    """
    top = max((item.score for item in rated), default=0.0)
    tops = [item for item in rated if item.score == top]
    drops["tie_balanced"] += max(0, len(tops) - 1)
    pairs = []
    for number, worse in enumerate(item for item in rated if item.score < top):
        best = tops[number % len(tops)]
        provenance = Provenance(
            prompt_id=prompt.id,
            labelers=tuple(dict.fromkeys((*best.labelers, *worse.labelers))),
            principles=tuple(dict.fromkeys((*best.principles, *worse.principles))),
        )
        pairs.append(Pair(prompt, best.completion, worse.completion, best.score - worse.score, provenance))
    return pairs


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

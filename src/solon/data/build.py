"""Judgments become datasets. Pure: the same candidates, judgments and settings give the same rows in the same order.

Comparisons give preferences; where a prompt has none, preferences come from the ratings of its responses, each worse
one against one of the best. Every row that is left out is counted under a reason of ``DROPPED``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Generic, Literal, TypeVar, get_args

from pydantic import Field, PositiveInt

from solon.data.pairs import Pair, compared, is_fit, ranked, sifted
from solon.data.ratings import Rated, ratings
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Demonstration,
    Judgment,
    Message,
    Preference,
    Principle,
    Prompt,
    Provenance,
    Rating,
    Record,
)
from solon.data.split import is_held_out
from solon.errors import DataError
from solon.plugins.base import Settings

R = TypeVar("R", bound=Record)

Kind = Literal["preference", "unpaired", "reward", "sft"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RATED: tuple[Kind, ...] = ("unpaired", "reward")

DROPPED = {
    "failed": "there was no usable verdict: the judge failed, or only one order was judged",
    "identical": "both responses are the same text",
    "tie_order": "the judge preferred a position: the verdict changed with the order of the responses",
    "tie_balanced": "the judge preferred neither response, or its preferences cancel",
    "tie_conflict": "two hard principles prefer different responses",
    "contradictory": "the same two texts were also judged the other way round",
    "duplicate": "the same texts are in the dataset already",
    "below_margin": "the margin is smaller than min_margin",
    "malformed": "a text holds half of a surrogate pair, which no tokenizer reads",
    "truncated": "the response was cut off at its token limit: learning it would teach the model to stop there",
    "over_limit": "the prompt has max_pairs_per_prompt pairs with a larger margin",
    "mixed": "the response was preferred to one and not to another",
    "no_best": "no response is fit to imitate: none won without ever losing, or none has a desirable score",
}
"""Why a row was left out: each reason with its meaning."""


class Build(Settings):
    """How judgments become datasets.

    Attributes:
        min_margin: preferences that are less clear are left out; in [0, 1]. The margin of a comparison is |2p - 1|, of
            two ratings their difference.
        held_out: share of the prompts whose rows go to the test split, in [0, 1).
        max_pairs_per_prompt: keep only that many pairs of a prompt, those with the largest margin.
        desirable_at: the lowest score that makes a rated response desirable, in [0, 1].
    """

    min_margin: float = Field(default=0.0, ge=0, le=1)
    held_out: float = Field(default=0.1, ge=0, lt=1)
    max_pairs_per_prompt: PositiveInt | None = None
    desirable_at: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True)
class Split(Generic[R]):
    """The rows to train on, and those of held-out prompts."""

    train: tuple[R, ...]
    test: tuple[R, ...]


@dataclass(frozen=True)
class Built:
    """The datasets, and what did not get into them.

    Attributes:
        preference, unpaired, reward, sft: the rows of each kind; empty where the judgments give none.
        drops: for each kind, how many rows were left out for which reason (a key of ``DROPPED``). A row is a pair for
            ``preference``, a response for ``unpaired`` and ``reward``, a prompt for ``sft``.
        prompts: how many prompts had candidates.
        unjudged: how many of them have no judgment at all.
    """

    preference: Split[Preference]
    unpaired: Split[Rating]
    reward: Split[Rating]
    sft: Split[Demonstration]
    drops: dict[Kind, dict[str, int]]
    prompts: int
    unjudged: int

    def splits(self) -> dict[Kind, Split[Preference] | Split[Rating] | Split[Demonstration]]:
        """The rows by kind."""
        return {"preference": self.preference, "unpaired": self.unpaired, "reward": self.reward, "sft": self.sft}

    def counts(self) -> dict[Kind, dict[str, int]]:
        """How many rows each kind and split has."""
        return {kind: {"train": len(rows.train), "test": len(rows.test)} for kind, rows in self.splits().items()}


def build(
    candidates: Iterable[Candidates],
    judgments: Iterable[Judgment],
    constitution: Constitution,
    settings: Build,
    seed: int,
) -> Built:
    """Builds all datasets that the judgments allow.

    Args:
        candidates: prompts with their completions.
        judgments: on those completions, in any order of prompts; within a prompt their order decides that of the rows.
        constitution: what they were judged under.
        settings: what to keep.
        seed: of the split by prompt.

    Raises:
        DataError: a judgment does not belong to these candidates or this constitution.
        PluginError: a labeler gave a score that is none.
    """
    prompts = _prompts(candidates)
    _attach(prompts, judgments)
    principles = {principle.id: principle for principle in constitution.principles}
    _check_principles(prompts.values(), principles, constitution.name)
    conversations: dict[tuple[Message, ...], list[_Judged]] = {}
    for judged in prompts.values():
        conversations.setdefault(judged.prompt.messages, []).append(judged)

    rows: list[tuple[bool, _Rows]] = []
    drops: dict[Kind, Counter[str]] = {kind: Counter() for kind in KINDS}
    for group in conversations.values():
        held_out = is_held_out(group[0].prompt, settings.held_out, seed)
        rows.append((held_out, _rows(group, principles, settings, drops)))

    def split(of: Callable[[_Rows], Sequence[R]]) -> Split[R]:
        return Split(
            train=tuple(row for held_out, some in rows if not held_out for row in of(some)),
            test=tuple(row for held_out, some in rows if held_out for row in of(some)),
        )

    return Built(
        preference=split(lambda some: some.preference),
        unpaired=split(lambda some: some.unpaired),
        reward=split(lambda some: some.reward),
        sft=split(lambda some: some.sft),
        drops={kind: {reason: drops[kind][reason] for reason in DROPPED if drops[kind][reason]} for kind in KINDS},
        prompts=len(prompts),
        unjudged=sum(not judged.judgments for judged in prompts.values()),
    )


# ---------------------------------------------------------------- what belongs together


@dataclass
class _Judged:
    """A prompt with its completions by id, and the judgments on them."""

    prompt: Prompt
    completions: dict[str, Completion]
    judgments: list[Judgment]


def _prompts(candidates: Iterable[Candidates]) -> dict[str, _Judged]:
    prompts: dict[str, _Judged] = {}
    for item in candidates:
        judged = prompts.setdefault(item.prompt.id, _Judged(item.prompt, {}, []))
        judged.completions.update((completion.id, completion) for completion in item.completions)
    return prompts


def _attach(prompts: Mapping[str, _Judged], judgments: Iterable[Judgment]) -> None:
    for judgment in judgments:
        judged = prompts.get(judgment.prompt)
        if judged is None or not judged.completions.keys() >= set(judgment.options):
            what = "prompt" if judged is None else "completion"
            raise DataError(
                f"judgment {judgment.id} of {judgment.labeler!r} is on a {what} that is not among the candidates: "
                "label these candidates, or give the candidates that were labeled"
            )
        if len(judgment.options) > 2:
            raise DataError(
                f"judgment {judgment.id} of {judgment.labeler!r} ranks {len(judgment.options)} options: datasets are "
                "built from judgments on one option (a rating) or two (a comparison)"
            )
        judged.judgments.append(judgment)


def _check_principles(prompts: Iterable[_Judged], principles: Mapping[str, Principle], constitution: str) -> None:
    asked = dict.fromkeys(name for judged in prompts for judgment in judged.judgments for name in judgment.principles)
    unknown = [principle for principle in asked if principle not in principles]
    if unknown:
        near = get_close_matches(unknown[0], principles, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise DataError(
            f"there are judgments under principle {unknown[0]!r}, which constitution {constitution!r} does not have"
            f"{hint}: it has changed since; label again"
        )


# ---------------------------------------------------------------- the rows of one conversation


@dataclass(frozen=True)
class _Rows:
    preference: Sequence[Preference]
    unpaired: Sequence[Rating]
    reward: Sequence[Rating]
    sft: Sequence[Demonstration]


def _rows(
    group: Sequence[_Judged],
    principles: Mapping[str, Principle],
    settings: Build,
    drops: Mapping[Kind, Counter[str]],
) -> _Rows:
    """The rows of all prompts that hold the same conversation; they differ in topic or reference answer, if at all."""
    decided: list[Pair] = []
    reward: dict[str, Rating] = {}
    truncated: set[str] = set()
    for judged in group:
        found = ratings(judged.completions, judged.judgments, principles)
        for kind in RATED:
            drops[kind].update(failed=found.failed, duplicate=found.repeated)
        if any(len(judgment.options) == 2 for judgment in judged.judgments):
            decided += compared(judged.prompt, judged.completions, judged.judgments, principles, drops["preference"])
        else:
            decided += ranked(judged.prompt, found.rated, drops["preference"])
        for item in found.rated:
            text = item.completion.text
            if text in reward or not is_fit(judged.prompt, text):
                for kind in RATED:
                    drops[kind]["duplicate" if text in reward else "malformed"] += 1
                continue
            reward[text] = _rating(judged.prompt, item, settings.desirable_at)
            if item.completion.stop == "length":
                truncated.add(text)
    pairs = sifted(
        decided, min_margin=settings.min_margin, limit=settings.max_pairs_per_prompt, drops=drops["preference"]
    )
    if reward:
        unpaired = [row for row in reward.values() if not (row.desirable and row.completion in truncated)]
        drops["unpaired"]["truncated"] += len(reward) - len(unpaired)
        best = _best_rated(unpaired)
    else:
        unpaired = _unpaired(pairs, drops["unpaired"])
        best = _best_compared(pairs, decided)
    if not best and any(judged.judgments for judged in group):
        drops["sft"]["no_best"] += 1
    return _Rows([_preference(pair) for pair in pairs], unpaired, list(reward.values()), best)


def _preference(pair: Pair) -> Preference:
    return Preference(
        prompt=pair.prompt,
        chosen=pair.better.text,
        rejected=pair.worse.text,
        margin=pair.margin,
        provenance=pair.provenance,
    )


def _rating(prompt: Prompt, item: Rated, desirable_at: float) -> Rating:
    return Rating(
        prompt=prompt,
        completion=item.completion.text,
        desirable=item.score >= desirable_at,
        score=item.score,
        provenance=Provenance(prompt_id=prompt.id, labelers=item.labelers, principles=item.principles),
    )


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


def _best_rated(rows: Sequence[Rating]) -> list[Demonstration]:
    """The desirable response with the highest score, the first of equals; none if there is none."""
    desirable = [row for row in rows if row.desirable]
    if not desirable:
        return []
    best = max(desirable, key=lambda row: row.score or 0.0)
    return [Demonstration(prompt=best.prompt, completion=best.completion, provenance=best.provenance)]


def _best_compared(pairs: Sequence[Pair], decided: Iterable[Pair]) -> list[Demonstration]:
    """The response that won most and never lost, not even by a margin too small for a row; none if there is none."""
    losers = {pair.worse.text for pair in decided}
    won: dict[str, list[Pair]] = {}
    for pair in pairs:
        if pair.better.text not in losers:
            won.setdefault(pair.better.text, []).append(pair)
    if not won:
        return []
    text, wins = max(won.items(), key=lambda item: (len(item[1]), sum(pair.margin for pair in item[1])))
    return [Demonstration(prompt=wins[0].prompt, completion=text, provenance=wins[0].provenance)]

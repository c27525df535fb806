"""What several one-option judgments say together about each response to a prompt. Pure.

Judgments of one labeler under one set of principles are an *opinion*: the mean of its scores, failed when there are
none. A response's score is the mean of its opinions by the weights of their principles. Hard principles veto: a score
of 0 under one makes the whole score 0, and a failed opinion under one fails the response. Other failed opinions are
left out, and a response without any opinion has failed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from solon.data.records import Completion, Failed, Judgment, Principle, Revised, Scored
from solon.errors import PluginError


@dataclass(frozen=True)
class Rated:
    """A response with its score in [0, 1], higher is better, and what the score rests on."""

    completion: Completion
    score: float
    principles: tuple[str, ...]
    labelers: tuple[str, ...]


@dataclass(frozen=True)
class Ratings:
    """The rated responses to a prompt, each text once in order of first appearance.

    ``failed`` and ``repeated`` count the responses that could not be rated and those whose text was there already.
    """

    rated: tuple[Rated, ...]
    failed: int
    repeated: int


def ratings(
    completions: Mapping[str, Completion], judgments: Iterable[Judgment], principles: Mapping[str, Principle]
) -> Ratings:
    """Rates each completion that has one-option judgments, by the module's rules. Other judgments are passed over.

    Completions with the same text are one response, and its opinions are on all of them together.

    Args:
        completions: by id; must hold every one that is judged.
        judgments: of one prompt.
        principles: by id; must hold every one that a judgment names.

    Raises:
        PluginError: a labeler gave a score outside [0, 1].
    """
    by_text: dict[str, list[Judgment]] = {}
    judged: dict[str, dict[str, None]] = {}
    for judgment in judgments:
        if len(judgment.options) == 1:
            (option,) = judgment.options
            by_text.setdefault(completions[option].text, []).append(judgment)
            judged.setdefault(completions[option].text, {})[option] = None
    rated = []
    for text, group in by_text.items():
        score = _score(group, principles)
        if score is not None:
            rated.append(
                Rated(
                    completion=completions[next(iter(judged[text]))],
                    score=score,
                    principles=tuple(dict.fromkeys(name for judgment in group for name in judgment.principles)),
                    labelers=tuple(dict.fromkeys(judgment.labeler for judgment in group)),
                )
            )
    repeated = sum(len(ids) - 1 for ids in judged.values())
    return Ratings(tuple(rated), failed=len(by_text) - len(rated), repeated=repeated)


def _score(judgments: Iterable[Judgment], principles: Mapping[str, Principle]) -> float | None:
    """The score of one response, ``None`` when it has failed."""
    opinions: dict[tuple[str, tuple[str, ...]], list[float]] = {}
    for judgment in judgments:
        given = opinions.setdefault((judgment.labeler, judgment.principles), [])
        match judgment.outcome:
            case Scored(scores=scores):
                if len(scores) != 1 or not 0 <= scores[0] <= 1:
                    raise PluginError(
                        f"labeler {judgment.labeler!r} rated one option and gave {scores}: "
                        "one score in [0, 1] was expected"
                    )
                given.append(scores[0])
            case Failed() | Revised():
                pass
            case _:
                assert_never(judgment.outcome)
    weighted: list[float] = []
    weights: list[float] = []
    vetoed = False
    for (_, names), scores_given in opinions.items():
        asked = [principles[name] for name in names]
        # several principles in one question are weighed by the judge: only a question of hard ones alone can veto
        hard = bool(asked) and all(principle.severity == "hard" for principle in asked)
        if not scores_given:
            if hard:
                return None
            continue
        mean = math.fsum(scores_given) / len(scores_given)
        vetoed = vetoed or (hard and mean == 0)
        weights.append(math.fsum(principle.weight for principle in asked) if asked else 1.0)
        weighted.append(weights[-1] * mean)
    if not weights:
        return None
    return 0.0 if vetoed else min(1.0, math.fsum(weighted) / math.fsum(weights))

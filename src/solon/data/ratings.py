"""What several one-option judgments say together about each response to a prompt. Pure.

Judgments of one labeler under one set of principles are an *opinion*: the mean of its scores, failed when there are
none. A response's score is the mean of its opinions by the weights of their principles. Hard principles veto: an
opinion below ``veto_below`` under one makes the whole score 0, and a failed opinion under one fails the response. Other
failed opinions are left out, and a response without any opinion has failed.

Scores are shares in [0, 1], or logits: any number, whose sigmoid is the share. Where every opinion on a response is a
logit, so is its score; where only some are, they go through the sigmoid first. A logit knows no 0: a response that is
vetoed has the lowest of the logits that veto it, or its mean where that is lower still, and counts as a share of 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from solon.data.records import Completion, Failed, Judgment, Principle, Revised, Scored
from solon.errors import PluginError

VETO_BELOW = 0.5


@dataclass(frozen=True)
class Rated:
    """A response with its score, higher is better, and what the score rests on.

    Attributes:
        score: in [0, 1] where ``scale`` is ``share``; any finite number where it is ``logit``.
        vetoed: a hard principle was broken: whatever the score, no response without a veto is worse.
    """

    completion: Completion
    score: float
    scale: Literal["share", "logit"]
    vetoed: bool
    principles: tuple[str, ...]
    labelers: tuple[str, ...]

    @property
    def share(self) -> float:
        """The score in [0, 1]; 0 when vetoed."""
        if self.vetoed:
            return 0.0
        return self.score if self.scale == "share" else sigmoid(self.score)

    @property
    def log_odds(self) -> float:
        """The score as a logit: infinite for shares of 0 and 1. Tells scores apart whose shares are rounded to 1."""
        if self.vetoed or (self.scale == "share" and self.score == 0):
            return -math.inf
        if self.scale == "logit":
            return self.score
        return math.inf if self.score == 1 else math.log(self.score / (1 - self.score))

    def margin_over(self, other: Rated) -> float:
        """How much better it is, in [-1, 1].

        The difference of the shares; of two logits d apart tanh(d / 2), which is |2p - 1| of the p = sigmoid(d) that
        Bradley and Terry's model gives the better one.
        """
        if self.scale == other.scale == "logit" and not (self.vetoed or other.vetoed):
            return math.tanh((self.score - other.score) / 2)
        return self.share - other.share


@dataclass(frozen=True)
class Ratings:
    """The rated responses to a prompt, each text once in order of first appearance.

    ``failed`` and ``repeated`` count the responses that could not be rated and those whose text was there already.
    """

    rated: tuple[Rated, ...]
    failed: int
    repeated: int


def ratings(
    completions: Mapping[str, Completion],
    judgments: Iterable[Judgment],
    principles: Mapping[str, Principle],
    *,
    veto_below: float = VETO_BELOW,
) -> Ratings:
    """Rates each completion that has one-option judgments, by the module's rules. Other judgments are passed over.

    Completions with the same text are one response, and its opinions are on all of them together.

    Args:
        completions: by id; must hold every one that is judged.
        judgments: of one prompt.
        principles: by id; must hold every one that a judgment names.
        veto_below: the lowest share under a hard principle that is no veto.

    Raises:
        PluginError: a labeler gave a share outside [0, 1], or a logit that is not finite.
    """
    by_text: dict[str, list[Judgment]] = {}
    judged: dict[str, dict[str, None]] = {}
    for judgment in judgments:
        if len(judgment.options) == 1 and not isinstance(judgment.outcome, Revised):
            (option,) = judgment.options
            by_text.setdefault(completions[option].text, []).append(judgment)
            judged.setdefault(completions[option].text, {})[option] = None
    rated = []
    for text, group in by_text.items():
        found = _rated(completions[next(iter(judged[text]))], group, principles, veto_below)
        if found is not None:
            rated.append(found)
    repeated = sum(len(ids) - 1 for ids in judged.values())
    return Ratings(tuple(rated), failed=len(by_text) - len(rated), repeated=repeated)


def sigmoid(logit: float) -> float:
    """1 / (1 + e^-x) in (0, 1), or an end of it where the difference is too small for a float."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1 + odds)


def _rated(
    completion: Completion, judgments: list[Judgment], principles: Mapping[str, Principle], veto_below: float
) -> Rated | None:
    """One response, ``None`` when it has failed."""
    opinions: dict[tuple[str, tuple[str, ...]], list[Scored]] = {}
    for judgment in judgments:
        given = opinions.setdefault((judgment.labeler, judgment.principles), [])
        match judgment.outcome:
            case Scored() as scored:
                _check(judgment.labeler, scored)
                given.append(scored)
            case Failed() | Revised():
                pass
            case _:
                assert_never(judgment.outcome)
    all_logits = all(scored.scale == "logit" for given in opinions.values() for scored in given)
    weighted: list[float] = []
    weights: list[float] = []
    vetoes: list[float] = []
    for (_, names), given in opinions.items():
        asked = [principles[name] for name in names]
        # several principles in one question are weighed by the judge: only a question of hard ones alone can veto
        hard = bool(asked) and all(principle.severity == "hard" for principle in asked)
        if not given:
            if hard:
                return None
            continue
        scores = [scored.scores[0] if all_logits else _share(scored) for scored in given]
        mean = math.fsum(scores) / len(scores)
        if hard and (sigmoid(mean) if all_logits else mean) < veto_below:
            vetoes.append(mean)
        weights.append(math.fsum(principle.weight for principle in asked) if asked else 1.0)
        weighted.append(weights[-1] * mean)
    if not weights:
        return None
    score = math.fsum(weighted) / math.fsum(weights)
    if all_logits:
        score = min([score, *vetoes])
    elif vetoes:
        score = 0.0
    else:
        score = min(score, 1.0)  # rounding may step over by one bit
    return Rated(
        completion=completion,
        score=score,
        scale="logit" if all_logits else "share",
        vetoed=bool(vetoes),
        principles=tuple(dict.fromkeys(name for judgment in judgments for name in judgment.principles)),
        labelers=tuple(dict.fromkeys(judgment.labeler for judgment in judgments)),
    )


def _check(labeler: str, scored: Scored) -> None:
    if len(scored.scores) == 1:
        (score,) = scored.scores
        if math.isfinite(score) if scored.scale == "logit" else 0 <= score <= 1:
            return
    wanted = "one finite number" if scored.scale == "logit" else "one score in [0, 1]"
    raise PluginError(f"labeler {labeler!r} rated one option and gave {scored.scores}: {wanted} was expected")


def _share(scored: Scored) -> float:
    return sigmoid(scored.scores[0]) if scored.scale == "logit" else scored.scores[0]

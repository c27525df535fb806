"""One pair of responses, judged in both orders by any kind of labeler: what all measures of trust are made of."""

from __future__ import annotations

from dataclasses import dataclass

from solon.data.records import Candidates, Completion, Constitution, Failed, Judgment, Prompt, Scored
from solon.evaluation.comparison import comparisons
from solon.labelers.base import Labeler
from solon.labelers.boundary import examined


@dataclass(frozen=True)
class Orders:
    """What a labeler said of a pair.

    Attributes:
        shown_first, shown_second: P(the first of the pair is better) as judged with it in the first slot, and in the
            second, in [0, 1]; ``None`` where nothing usable was said.
        judgments: all that were made.
        stated: P(the preferred response is better) of each verdict with a preference, as the judge itself states it,
            and whether that verdict preferred the first of the pair. A tie counts half for either response; a verdict
            that prefers neither claims nothing.
        failed: why something is missing.
    """

    shown_first: float | None
    shown_second: float | None
    judgments: tuple[Judgment, ...]
    stated: tuple[tuple[float, bool], ...] = ()
    failed: Failed | None = None


def under(constitution: Constitution, principle: str) -> Constitution:
    """The constitution with one principle alone, which applies to every topic."""
    alone = constitution.principle(principle).model_copy(update={"topics": ()})
    return constitution.model_copy(update={"principles": (alone,), "cases": ()})


async def in_both_orders(
    labeler: Labeler, prompt: Prompt, first: str, second: str, constitution: Constitution
) -> Orders:
    """Asks about two texts. A labeler that rates is asked about each."""
    options = tuple(Completion(text=text, model="given", seed=seed) for seed, text in enumerate((first, second)))
    judgments = await examined(labeler, Candidates(prompt=prompt, completions=options), constitution)
    compared = comparisons(judgments, options[0].id, options[1].id)
    shares: dict[str, float] = {}
    stated: list[tuple[float, bool]] = []
    failed: Failed | None = None
    for judgment in compared:
        match judgment.outcome:
            case Scored(scores=(in_front, behind), probability=probability):
                share = in_front if judgment.options[0] == options[0].id else behind
                shares[judgment.options[0]] = share
                if probability is not None and len(judgments[0].options) > 1 and sign(share):
                    stated.append((_confidence(share, probability), share > 0.5))
            case Failed() as outcome:
                failed = failed or outcome
            case _:
                pass
    return Orders(shares.get(options[0].id), shares.get(options[1].id), judgments, tuple(stated), failed)


def _confidence(share: float, probability: float) -> float:
    """P(the preferred response is better), in [0.5, 1]; of a bare verdict, what the judge calls its probability.

    The probability of the likeliest verdict is another thing where a tie is one of three: with .5 for the first and .4
    for a tie, the first is better with .7.
    """
    return max(share, 1 - share) if 0 < share < 1 else probability


def sign(share: float) -> int:
    """1 if the first of the pair is preferred, -1 if the second is, 0 for neither."""
    return (share > 0.5) - (share < 0.5)

"""The one place where labelers are asked: what somebody else's raises or answers becomes an error that names it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from solon.data.records import Candidates, Constitution, Judgment, Question, Scored
from solon.errors import PluginError
from solon.labelers.base import Labeler
from solon.plugins.boundary import boundary as of_plugin
from solon.plugins.boundary import called


def boundary(labeler: Labeler, deed: str = "") -> AbstractContextManager[None]:
    """Names the labeler in whatever it raises in the block, solon's own too: the user needs to know whose it is.

    Args:
        labeler: who is asked; of one that is made of others, the one that raised is named.
        deed: what it was asked for.

    Raises:
        PluginError: it raised something that is no error of solon's.
    """
    return of_plugin(labeler, deed, "What it cannot judge it should answer with Failed", ours_too=True)


async def examined(
    labeler: Labeler, candidates: Candidates, constitution: Constitution, deed: str = ""
) -> tuple[Judgment, ...]:
    """The labeler's judgments on the completions of a prompt.

    Raises:
        PluginError: it raised something that is no error of solon's, or gave what is no judgment.
    """
    with boundary(labeler, deed):
        judgments = await labeler.examine(candidates, constitution)
    if not isinstance(judgments, tuple | list):
        raise PluginError(f"{called(type(labeler))} answered examine() with {_said(judgments)}, not with judgments")
    for judgment in judgments:
        refuse_misshapen(labeler, judgment)
    return tuple(judgments)


async def answered(labeler: Labeler, question: Question) -> Judgment:
    """The labeler's judgment on one question.

    Raises:
        PluginError: as ``examined``.
    """
    with boundary(labeler):
        judgment = await labeler.label(question)
    refuse_misshapen(labeler, judgment)
    return judgment


def refuse_misshapen(labeler: Labeler, judgment: object) -> None:
    """Looks whether an answer is a judgment with a score for each option.

    Raises:
        PluginError: it is not; names the labeler.
    """
    if not isinstance(judgment, Judgment):
        raise PluginError(
            f"{called(type(labeler))} answered with {_said(judgment)}, which is no Judgment: it should return "
            "question.judged(Scored(...), labeler=self.name), or the same with Failed"
        )
    outcome = judgment.outcome
    if isinstance(outcome, Scored) and len(outcome.scores) != len(judgment.options):
        raise PluginError(
            f"{called(type(labeler))} gave {len(outcome.scores)} scores where {len(judgment.options)} belong, one an "
            f"option, in a judgment by {judgment.labeler!r}"
        )


def _said(answer: object) -> str:
    return "None" if answer is None else f"{type(answer).__name__} {answer!r:.60}"

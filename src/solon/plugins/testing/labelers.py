"""The clauses of labelers: what cannot be judged is a failure, and nothing depends on luck."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from solon.data.records import Candidates, Constitution, Failed, Judgment, Revised
from solon.errors import ModelDown, ModelError, ModelRejected
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.models.scripted import Line
from solon.plugins.testing.asking import CUT_OFF, NONSENSE, Behind, saying, stream, with_models
from solon.plugins.testing.clauses import Broken, Clause, Unchecked, clause, raised, some
from solon.plugins.testing.material import ASKED_FOR_SUMS, CANDIDATES, CONSTITUTION, hostile
from solon.plugins.testing.settings import ALL
from solon.plugins.testing.subject import Subject

Judgments = tuple[Judgment, ...]


class LabelerSubject(Subject[Labeler]):
    """A labeler and what it says about the shipped candidates."""

    candidates: Candidates = CANDIDATES
    constitution: Constitution = CONSTITUTION

    @cached_property
    def judgments(self) -> Judgments:
        """Every judgment on them, with the models of its own settings."""
        found = self.examined(self.plugin)
        if not found:
            raise Broken(
                expected="a judgment on three completions under two principles",
                happened="there is none",
                remedy="let questions() or examine() give one at least",
            )
        return found

    def examined(
        self,
        labeler: Labeler,
        models: Sequence[ChatModel] = (),
        *,
        candidates: Candidates | None = None,
        constitution: Constitution | None = None,
        ledger: Path | None = None,
    ) -> Judgments:
        """What a labeler says, through a stream of its own."""

        async def examine() -> Judgments:
            async with stream(models or tuple(labeler.models()), ledger):
                return await labeler.examine(candidates or self.candidates, constitution or self.constitution)

        return asyncio.run(examine())

    def put(self, other: Callable[[ChatModel], ChatModel]) -> tuple[Labeler, list[ChatModel]]:
        """It, with other models in its settings.

        Raises:
            Unchecked: it asks none.
        """
        labeler, models = with_models(self.plugin, other)
        if not models:
            raise Unchecked("no chat model is among its settings")
        return labeler, models


LABELERS: list[Clause[Any]] = [*ALL]


@clause(LABELERS, "labeler-refers", "refers to what was judged by ids, under its own name", "labels are joined by them")
def _refers(subject: LabelerSubject) -> None:
    labeler, options = subject.plugin, {one.id for one in subject.candidates.completions}
    principles = {one.id for one in subject.constitution.principles if one.applies_to(subject.candidates.prompt.topic)}
    for judgment in subject.judgments:
        wrong = {
            "prompt": judgment.prompt != subject.candidates.prompt.id,
            "labeler": judgment.labeler != labeler.name,
            "options": not set(judgment.options) <= options or labeler.options not in (0, len(judgment.options)),
            "principles": not set(judgment.principles) <= principles,
        }
        if any(wrong.values()):
            name = next(name for name, is_so in wrong.items() if is_so)
            raise Broken(
                expected="prompt, options and principles of the question, and the labeler's name",
                happened=f"{name} is {getattr(judgment, name)!r}",
                remedy="return `question.judged(outcome, labeler=self.name)`",
            )


@clause(LABELERS, "labeler-scores", "gives one score an option, each in its range", "datasets are built of them")
def _scores(subject: LabelerSubject) -> None:
    for judgment in subject.judgments:
        _check_scores(judgment)


def _check_scores(judgment: Judgment) -> None:
    outcome = judgment.outcome
    if isinstance(outcome, Failed | Revised):
        return
    scores, right = outcome.scores, True
    if len(scores) != len(judgment.options) or not all(map(math.isfinite, scores)):
        right = False
    elif outcome.scale == "share":
        right = all(0 <= score <= 1 for score in scores) and (len(scores) != 2 or abs(sum(scores) - 1) < 1e-6)
    else:
        right = len(scores) == 1
    if not right:
        raise Broken(
            expected=f"{len(judgment.options)} finite scores: in [0, 1], those of two options adding up to 1",
            happened=f"{scores} on the scale {outcome.scale!r}",
            remedy="give each option the share of the others that it beats; of one option any share, or scale='logit'",
        )


@clause(LABELERS, "labeler-both-orders", "shows what it compares in both orders", "a judge may prefer the first place")
def _both_orders(subject: LabelerSubject) -> None:
    asked = [(one.principles, one.options) for one in subject.judgments if len(one.options) == 2]
    if not asked:
        raise Unchecked("it does not compare two options")
    for principles, options in asked:
        if asked.count((principles, options[::-1])) != asked.count((principles, options)):
            raise Broken(
                expected="each pair in both orders",
                happened=f"options {some(options)} under {some(principles)} in one order only",
                remedy="yield `question` and `question.reversed()` from questions()",
            )


@clause(LABELERS, "labeler-repeats", "says the same to the same question", "a run is repeated from its recipe")
def _repeats(subject: LabelerSubject) -> None:
    again = subject.cls.model_validate({k: v for k, v in subject.plugin.settings().items() if k != "kind"})
    _same(subject.judgments, subject.examined(again), "asked twice", "draw from `Random(f'{self.seed}:{question.id}')`")


@clause(LABELERS, "labeler-order", "does not mind which reply arrives first", "arrival is never the same twice")
def _order(subject: LabelerSubject) -> None:
    labeler, models = subject.put(lambda model: Behind(inner=model, backwards=True))
    found = subject.examined(labeler, models)
    _same(subject.judgments, found, "replies in another order", "gather in the order of the questions, not of arrival")


def _same(first: Judgments, second: Judgments, when: str, remedy: str) -> None:
    if first == second:
        return
    differing = [place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b]
    place = differing[0] if differing else min(len(first), len(second))
    shown = [judgments[place].outcome if place < len(judgments) else "nothing" for judgments in (first, second)]
    raise Broken(
        expected=f"{when}: the same judgments in the same order",
        happened=f"judgment {place} of {len(first)} was {shown[0]}, then {shown[1]}",
        remedy=remedy,
    )


@clause(
    LABELERS, "labeler-hostile", "judges or fails whatever a policy wrote, and never raises", "policies write anything"
)
def _hostile(subject: LabelerSubject) -> None:
    for what, candidates in hostile().items():
        try:
            judgments = subject.examined(subject.plugin, candidates=candidates)
        except Exception as error:
            raise Broken(
                expected=f"a judgment on a completion that is {what}",
                happened=raised(error),
                remedy="return question.judged(Failed(reason='error', raw=...), labeler=self.name) for what cannot be "
                "judged",
            ) from error
        for judgment in judgments:
            _check_scores(judgment)


@clause(LABELERS, "labeler-nonsense", "turns a reply without a verdict into Failed", "a made-up number becomes a label")
def _nonsense(subject: LabelerSubject) -> None:
    for line in CUT_OFF if subject.cls.revises else NONSENSE:
        labeler, models = subject.put(saying(line))
        _all_failed(subject.examined(labeler, models), f"the judge says {line.say!r} ({line.stop})")


@clause(
    LABELERS, "labeler-unavailable", "turns an answer that never came into Failed", "it is asked again by the next run"
)
def _unavailable(subject: LabelerSubject) -> None:
    for fault in ("unavailable", "too_long"):
        labeler, models = subject.put(saying(Line(when="", fault=fault)))
        try:
            found = subject.examined(labeler, models)
        except ModelDown:
            continue  # most calls failed, and the stream stopped the stage
        except Exception as error:
            raise Broken(
                expected=f"Failed, where the model says {fault!r}",
                happened=raised(error),
                remedy="catch ModelUnavailable and PromptTooLong around `ask`, or build on ChatJudge",
            ) from error
        _all_failed(found, f"the judge is {fault}")


def _all_failed(judgments: Judgments, when: str) -> None:
    if not judgments:
        raise Broken(
            expected=f"Failed, where {when}", happened="no judgment", remedy="return a Failed for each question"
        )
    for judgment in judgments:
        if not isinstance(judgment.outcome, Failed) or not judgment.outcome.reason:
            raise Broken(
                expected=f"Failed, where {when}",
                happened=judgment.outcome,
                remedy="Failed(reason=..., raw=reply.text): never a number in place of a verdict",
            )


@clause(
    LABELERS, "labeler-rejected", "lets an error pass that will not heal", "a wrong key must stop the stage at once"
)
def _rejected(subject: LabelerSubject) -> None:
    labeler, models = subject.put(saying(Line(when="", fault="rejected")))
    try:
        found = subject.examined(labeler, models)
    except ModelError as error:
        if isinstance(error, ModelRejected | ModelDown):
            return
        happened: object = raised(error)
    except Exception as error:  # noqa: BLE001 - a foreign labeler may raise anything
        happened = raised(error)
    else:
        happened = f"it went on: {found[0].outcome if found else 'no judgment'}"
    raise Broken(
        expected="ModelRejected goes through", happened=happened, remedy="catch ModelUnavailable alone around `ask`"
    )


@clause(
    LABELERS,
    "labeler-ledger",
    "asks through the stream, so that no reply is paid for twice",
    "and limits and budgets hold",
)
def _ledger(subject: LabelerSubject) -> None:
    counts, found = [], []
    for number in ("first", "second"):
        labeler, models = subject.put(lambda model: Behind(inner=model))
        found.append(subject.examined(labeler, models, ledger=subject.folder / "ledger.sqlite"))
        counts.append(sum(len(model.calls) for model in models if isinstance(model, Behind)))
        if number == "first" and not counts[0]:
            raise Unchecked("it asked its models nothing about these completions")
    if counts[1]:
        raise Broken(
            expected="no call in a second pass over the same ledger",
            happened=f"{counts[0]} calls, then {counts[1]} again",
            remedy="`await solon.plugins.ask(model, request)` in place of `model.complete(request)`",
        )
    _same(found[0], found[1], "from the ledger", "make the judgment of the reply alone")


@clause(LABELERS, "labeler-no-principle", "asks nothing where no principle applies", "there is nothing to judge by")
def _no_principle(subject: LabelerSubject) -> None:
    if found := subject.examined(subject.plugin, constitution=ASKED_FOR_SUMS):
        raise Broken(
            expected="no judgment under principles for another topic",
            happened=f"{len(found)} judgments under {some(found[0].principles)}",
            remedy="ask `principle.applies_to(prompt.topic)`",
        )


@clause(
    LABELERS, "labeler-expected", "asks no more than expected_questions() says", "`solon plan` states its price before"
)
def _expected(subject: LabelerSubject) -> None:
    most = subject.plugin.expected_questions(3, 2)
    if len(subject.judgments) > most or subject.plugin.expected_questions(3, 0):
        raise Broken(
            expected=f"at most {most} judgments on 3 completions under 2 principles, and 0 under none",
            happened=f"{len(subject.judgments)}, and {subject.plugin.expected_questions(3, 0)} under none",
            remedy="implement expected_questions(completions, principles) beside questions()",
        )


@clause(LABELERS, "labeler-name", "has a name that says its kind and its models", "people read it in reports")
def _name(subject: LabelerSubject) -> None:
    expected = ":".join([subject.cls.kind, *(model.name for model in subject.plugin.models())])
    if subject.plugin.name != expected:
        raise Broken(expected=expected, happened=subject.plugin.name, remedy="leave `name` as it is inherited")
    _, models = with_models(subject.plugin, lambda model: model)
    if missing := [model.name for model in models if model.name not in {one.name for one in subject.plugin.models()}]:
        raise Broken(
            expected="models() gives every chat model among its settings",
            happened=f"{some(missing)} is left out",
            remedy="def models(self): return (self.judge,)",
        )

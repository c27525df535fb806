"""The clauses of evaluators: numbers with their uncertainty, the same twice, nothing made up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from solon.data.records import Candidates, Completion, Judgment, Metric, Prompt, Question, Scored
from solon.errors import SolonError
from solon.evaluation.base import Both, Decoding, Evaluator, Evidence, Pair, Which
from solon.models.scripted import Line
from solon.plugins.testing.asking import CUT_OFF, saying, stream, with_models
from solon.plugins.testing.clauses import Broken, Clause, Unchecked, clause, raised, some
from solon.plugins.testing.material import CONSTITUTION, HOSTILE, pairs
from solon.plugins.testing.settings import ALL
from solon.plugins.testing.subject import Subject


@dataclass
class Seen:
    """What an evaluator gave: metrics, and what it kept of single items.

    Attributes:
        metrics: as it returned them.
        items: by the name of their metric.
        kept: the names of what it keeps for people to read.
        answers: of each policy, what it said to the evaluator's own prompts.
    """

    metrics: list[Metric]
    items: dict[str, list[tuple[str, Both]]]
    kept: set[str]
    answers: dict[Which, list[Completion | None]]


def evidence() -> Evidence:
    """Answers of two policies to fifteen prompts, of both decodings, with labeled training data beside them."""
    shown = pairs()
    candidates = tuple(Candidates(prompt=pair.prompt, completions=(pair.before, pair.after)) for pair in shown)
    return Evidence(
        constitution=CONSTITUTION,
        pairs={"sample": shown, "greedy": shown},
        log_probs=_log_probs,
        candidates=candidates,
        judgments=tuple(judgment for one in candidates for judgment in _judged(one)),
        answers=_answers,
    )


def _log_probs(which: Which, answered: tuple[tuple[Prompt, Completion], ...]) -> list[float]:
    rate = 0.5 if which == "after" else 0.7
    return [-rate * (1 + len(completion.text)) for _, completion in answered]


async def _answers(which: Which, prompts: Sequence[Prompt], decoding: Decoding) -> list[Completion | None]:
    """An answer to two prompts of three: the third policy call gave none."""
    del decoding
    made = [Completion(text=f"{which}: {prompt.text}", model=which, seed=0) for prompt in prompts]
    return [one if place % 3 else None for place, one in enumerate(made, start=1)]


def _judged(candidates: Candidates) -> list[Judgment]:
    """The shorter answer is preferred, in both orders and under both principles."""
    found = []
    for principle in CONSTITUTION.principles[:2]:
        question = Question(prompt=candidates.prompt, principles=(principle,), options=candidates.completions)
        for one in (question, question.reversed()):
            first = float(len(one.options[0].text) < len(one.options[1].text))
            found.append(one.judged(Scored(scores=(first, 1 - first)), labeler="contract"))
    return found


class EvaluatorSubject(Subject[Evaluator]):
    """An evaluator and what it makes of the shipped evidence."""

    @cached_property
    def seen(self) -> Seen:
        """Its metrics and items, with the models of its own settings."""
        return self.evaluated(self.plugin, evidence())

    def evaluated(self, evaluator: Evaluator, shown: Evidence) -> Seen:
        """What an evaluator makes of evidence."""
        items: dict[str, list[tuple[str, Both]]] = {}
        kept: set[str] = set()
        answers: dict[Which, list[Completion | None]] = {"before": [], "after": []}
        asked = shown.answers

        async def noted(which: Which, prompts: Sequence[Prompt], decoding: Decoding) -> list[Completion | None]:
            assert asked is not None
            said = await asked(which, prompts, decoding)
            answers[which] += said
            return said

        shown = replace(
            shown,
            each=lambda name, rows: items.setdefault(name, []).extend(rows),
            keep=lambda name, _: kept.add(name),
            answers=None if asked is None else noted,
        )
        _, models = with_models(evaluator, lambda model: model)

        async def work() -> list[Metric]:
            async with stream(models):
                return list(await evaluator.evaluate(shown))

        return Seen(asyncio.run(work()), items, kept, answers)


EVALUATORS: list[Clause[Any]] = [*ALL]


@clause(
    EVALUATORS, "evaluator-metrics", "gives metrics with n and an interval around the value", "no number stands alone"
)
def _metrics(subject: EvaluatorSubject) -> None:
    if not subject.seen.metrics and subject.seen.kept:
        raise Unchecked("it measures nothing itself: what it keeps is for people to read")
    if not subject.seen.metrics:
        raise Broken(
            expected="a metric of fifteen pairs of answers", happened="there is none", remedy="return a list of metrics"
        )
    for one in subject.seen.metrics:
        if not isinstance(one, Metric):
            raise Broken(
                expected="solon.plugins.Metric", happened=repr(one), remedy="use paired_shares or paired_means"
            )
        told = f"{one.name} ({one.of}): {one.value} [{one.low}, {one.high}], n={one.n}, unit {one.unit}"
        if one.n and not all(map(math.isfinite, (one.value, one.low, one.high))):
            raise Broken(expected="finite numbers", happened=told, remedy="leave a metric of nothing out")
        if one.n and not one.low <= one.value <= one.high:
            raise Broken(expected="low <= value <= high", happened=told, remedy="use paired_shares or paired_means")
        if one.unit == "share" and one.of in ("before", "after") and one.n and not 0 <= one.value <= 1:
            raise Broken(expected="a share in [0, 1]", happened=told, remedy="say its unit: score, tokens, nats or usd")


@clause(EVALUATORS, "evaluator-names", "gives each metric a name of its own", "reports and comparisons join by it")
def _names(subject: EvaluatorSubject) -> None:
    names = [(one.name, one.of) for one in subject.seen.metrics]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise Broken(
            expected="each name once for before, after and pair",
            happened=f"{some(twice)} comes more than once",
            remedy="add a part to the name: named('mine', self.decoding, 'part')",
        )


@clause(EVALUATORS, "evaluator-repeats", "gives the same twice", "a run is repeated from its recipe")
def _repeats(subject: EvaluatorSubject) -> None:
    given = {name: value for name, value in subject.plugin.settings().items() if name != "kind"}
    again = subject.evaluated(subject.cls.model_validate(given), evidence())
    if (again.metrics, again.items) != (subject.seen.metrics, subject.seen.items):
        changed = [f"{a} became {b}" for a, b in zip(subject.seen.metrics, again.metrics, strict=False) if a != b]
        raise Broken(
            expected="the same metrics and items for the same evidence",
            happened=some(changed, 1) or "other items",
            remedy="seed what is drawn, and keep the order of the evidence",
        )


@clause(EVALUATORS, "evaluator-items", "keeps items whose mean is the metric", "`solon compare` tests with the items")
def _items(subject: EvaluatorSubject) -> None:
    if not subject.seen.items:
        raise Unchecked("it keeps no items: evidence.each (itemised_shares and itemised_means do it)")
    by_name = {(one.name, one.of): one for one in subject.seen.metrics}
    for name, rows in subject.seen.items.items():
        ids = [item for item, _ in rows]
        if len(set(ids)) != len(ids):
            raise Broken(
                expected="an id for each item", happened=f"{name} names one twice", remedy="use the prompt's id"
            )
        ends: tuple[tuple[int, Which], ...] = ((0, "before"), (1, "after"))
        for place, of in ends:
            values = [float(number) for _, both in rows if (number := both[place]) is not None]
            one = by_name.get((name, of))
            if one is None or not values or one.n != len(values):
                continue
            mean = math.fsum(values) / len(values)
            if not math.isclose(mean, one.value, rel_tol=1e-6, abs_tol=1e-9):
                raise Broken(
                    expected=f"{name} ({of}) is the mean of its items: {mean}",
                    happened=one.value,
                    remedy="give evidence.each the numbers that the metric is made of",
                )


@clause(EVALUATORS, "evaluator-empty", "measures nothing where there are no answers", "a number of nothing misleads")
def _empty(subject: EvaluatorSubject) -> None:
    nothing = replace(evidence(), pairs={}, candidates=(), judgments=(), answers=None, log_probs=None, labeler=None)
    try:
        seen = subject.evaluated(subject.plugin, nothing)
    except SolonError:
        return
    if told := [one for one in seen.metrics if one.n]:
        raise Broken(
            expected="DataError, or no metric",
            happened=some(told),
            remedy="take the pairs by pairs_of(evidence, self.decoding, self.kind), which refuses to begin with none",
        )


@clause(EVALUATORS, "evaluator-hostile", "measures whatever a policy wrote", "policies write anything")
def _hostile(subject: EvaluatorSubject) -> None:
    for what, text in HOSTILE.items():
        shown = tuple(
            replace(pair, after=pair.after.model_copy(update={"text": text})) if place == 0 else pair
            for place, pair in enumerate(pairs(6))
        )

        async def answers(
            which: Which, prompts: Sequence[Prompt], _: Decoding, text: str = text
        ) -> list[Completion | None]:
            texts = (text, *(prompt.text for prompt in prompts[1:]))
            return [Completion(text=one, model=which, seed=place) for place, one in enumerate(texts)]

        both: dict[Decoding, tuple[Pair, ...]] = {"sample": shown, "greedy": shown}
        try:
            subject.evaluated(subject.plugin, replace(evidence(), pairs=both, answers=answers))
        except Exception as error:
            raise Broken(
                expected=f"metrics, where an answer is {what}",
                happened=raised(error),
                remedy="count what cannot be measured as failed: None for that item",
            ) from error


@clause(EVALUATORS, "evaluator-failures", "counts what could not be measured as failed", "a made-up number misleads")
def _failures(subject: EvaluatorSubject) -> None:
    lines = [*CUT_OFF, Line(when="", say="I would rather not say.")]
    for line in lines:
        evaluator, models = with_models(subject.plugin, saying(line))
        if not models:
            raise Unchecked("no chat model is among its settings")
        try:
            seen = subject.evaluated(evaluator, evidence())
        except SolonError:
            continue
        if told := [one for one in seen.metrics if one.n and not one.failed]:
            raise Broken(
                expected=f"failed items, where the judge says {line.say!r} ({line.stop})",
                happened=f"{some([f'{one.name} = {one.value} of n={one.n}, failed=0' for one in told], 1)}",
                remedy="give paired_shares and paired_means a None for such an item",
            )


@clause(EVALUATORS, "evaluator-unanswered", "counts a prompt without an answer as failed", "calls to a policy fail too")
def _unanswered(subject: EvaluatorSubject) -> None:
    if not any(subject.seen.answers.values()):
        raise Unchecked("it asks the policies nothing of its own: evidence.answers")
    for of, said in subject.seen.answers.items():
        own, given = [one for one in subject.seen.metrics if one.of == of], len(said) - said.count(None)
        if not own or given == len(said):
            continue
        told = f"{some([f'{one.name} of n={one.n}, failed={one.failed}' for one in own], 2)}"
        if any(one.n > given for one in own) or not any(one.failed for one in own):
            raise Broken(
                expected=f"n of at most {given} {of}, and failed of {len(said) - given}: so many prompts got no answer",
                happened=told,
                remedy="give paired_shares and paired_means a None for a prompt where evidence.answers gives None",
            )

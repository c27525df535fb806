"""Verifiable rewards: a response is scored by what a program can find out about it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, PositiveInt, Tag

from solon.data.records import Failed, Judgment, Question, Scored, Slug
from solon.errors import MissingExtra, PluginError
from solon.labelers import rule_kinds
from solon.labelers.check_kinds import CheckKind, Verdict
from solon.labelers.code_checks import CodeCheck
from solon.labelers.patterns import PatternTimeout
from solon.labelers.rule_kinds import RULE_KINDS, RuleKind
from solon.labelers.scorer import Scorer
from solon.labelers.told_apart import ToldApart
from solon.labelers.value_checks import ExpressionCheck, NumberCheck
from solon.sandbox.pool import Isolation, Pool, SandboxFailed, pool, processors
from solon.sandbox.worker import Job, Program, Result

_KINDS = ToldApart(
    "check",
    {"number": NumberCheck, "expression": ExpressionCheck, "code": CodeCheck, **RULE_KINDS},
    "{number: last}",
)

Check: TypeAlias = Annotated[
    Annotated[NumberCheck, Tag("NumberCheck")]
    | Annotated[ExpressionCheck, Tag("ExpressionCheck")]
    | Annotated[CodeCheck, Tag("CodeCheck")]
    | Annotated[rule_kinds.Pattern, Tag("Pattern")]
    | Annotated[rule_kinds.Search, Tag("Search")]
    | Annotated[rule_kinds.Length, Tag("Length")]
    | Annotated[rule_kinds.Forbidden, Tag("Forbidden")]
    | Annotated[rule_kinds.JsonSchema, Tag("JsonSchema")]
    | Annotated[rule_kinds.Tags, Tag("Tags")]
    | Annotated[rule_kinds.Answer, Tag("Answer")],
    Discriminator(_KINDS.class_name),
    BeforeValidator(_KINDS.checked),
]
"""A pydantic field type: any check, which any rule is too. Which one it is is told by the key that names it."""


class Verifier(Scorer):
    """Scores one completion by checks, each with a name of its own: a number, an expression, code, or any rule.

    ::

        kind: verifier
        checks:
          right: {number: boxed}
          form: {tags: [think, answer]}

    Attributes:
        checks: what is checked, by name: ``number``, ``expression``, ``code``, or a rule as in ``rules``.
        mode: ``mean`` scores the mean of the checks, ``all`` 1 when every one gives 1 and else 0.
        workers: how many expressions and programs are run at once; as many as there are processors, at most 8, when it
            is left out.
        isolation: ``required`` runs code and expressions only where files and network are shut off from them, and
            refuses elsewhere; ``best_effort`` goes on with limits alone, which is for code that you trust.
    """

    kind: ClassVar[str] = "verifier"

    checks: dict[Slug, Check] = Field(min_length=1)
    mode: Literal["mean", "all"] = "mean"
    workers: PositiveInt | None = None
    isolation: Isolation = "required"

    def effects(self) -> dict[str, Any]:
        """Without ``workers``: how many work at once changes no verdict."""
        return {name: value for name, value in super().effects().items() if name != "workers"}

    def problems(self) -> list[str]:
        """What is missing on this machine to run expressions and code; a worker is started to find out."""
        found = super().problems()
        programs = {check.program for check in self.checks.values() if isinstance(check, CheckKind)} - {None}
        if "expression" in programs and find_spec("math_verify") is None:
            found.append(str(_no_math_verify()))
        if programs:
            try:
                # how a worker can be shut in is the same for both, and this one starts at once
                self._pool("python" if "python" in programs else "probe").holds()
            except PluginError as error:
                found.append(str(error))
        return found

    async def label(self, question: Question) -> Judgment:
        """Scores one completion in [0, 1]. The rationale says which checks did not give 1, and why.

        Raises:
            ValueError: the question has more than one option.
            MissingExtra, PluginError: this machine cannot run the checks; ``problems`` says so before.
        """
        if len(question.options) != 1:
            raise ValueError(f"a question for verifier has 1 option, and this one has {len(question.options)}")
        text, reference = question.options[0].text, question.prompt.reference
        verdicts: dict[str, Verdict] = {}
        for name, check in self.checks.items():
            verdict = await self._checked(check, text, reference)
            if isinstance(verdict, Failed):
                failed = Failed(reason=verdict.reason, raw=f"check {name!r}: {verdict.raw}")
                return question.judged(failed, labeler=self.name)
            verdicts[name] = verdict
        scores = [verdict.score for verdict in verdicts.values()]
        score = sum(scores) / len(scores) if self.mode == "mean" else float(min(scores) == 1)
        said = [f"{name}: {verdict.says}" for name, verdict in verdicts.items() if verdict.score < 1]
        return question.judged(
            Scored(scores=(score,)), labeler=self.name, rationale="; ".join(said) or "every check holds"
        )

    async def _checked(self, check: CheckKind | RuleKind, text: str, reference: str | None) -> Verdict | Failed:
        try:
            if isinstance(check, CheckKind):
                return await check.score(text, reference, self._run)
            held = check.holds(text, reference)
        except (PatternTimeout, SandboxFailed) as error:
            return Failed(reason="error", raw=str(error))
        if isinstance(held, Failed):
            return held
        return Verdict(1.0) if held else Verdict(0.0, "the rule does not hold")

    async def _run(self, job: Job) -> Result:
        if job.program == "expression" and find_spec("math_verify") is None:
            raise _no_math_verify()
        return await self._pool(job.program).run(job)

    def _pool(self, program: Program) -> Pool:
        return pool(program, self.workers or processors(), self.isolation)


def _no_math_verify() -> MissingExtra:
    return MissingExtra("comparing expressions", "verify")

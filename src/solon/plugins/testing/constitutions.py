"""The clauses of constitutions: a function without arguments that gives one, whole, light, and the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import yaml

from solon.constitution.reading import load
from solon.data.records import Constitution
from solon.errors import ConstitutionError, PluginError
from solon.plugins.testing.clauses import Broken, Clause, Unchecked, clause, some
from solon.plugins.testing.subject import Subject, probed


class ConstitutionSubject(Subject):  # type: ignore[type-arg]  # not of a Plugin
    """A function that an entry point names.

    Args:
        given: it.
        kind: the name of its entry point; that of the function with hyphens when left out.
    """

    def __init__(self, given: Callable[[], Constitution], kind: str | None = None) -> None:
        super().__init__(type)
        self.function = given
        self.kind = kind or getattr(given, "__name__", "").replace("_", "-")

    @cached_property
    def constitution(self) -> Constitution:
        """What it gives."""
        made = self.function()
        if not isinstance(made, Constitution):
            raise Broken(
                expected="a solon.plugins.Constitution",
                happened=type(made).__name__,
                remedy='return load_constitution(Path(__file__).with_name("constitution.yaml"))',
            )
        return made


CONSTITUTIONS: list[Clause[ConstitutionSubject]] = []


@clause(CONSTITUTIONS, "installed", "is what its entry point names", "a recipe finds it by that name")
def _installed(subject: ConstitutionSubject) -> None:
    from solon.plugins.registry import load as found

    place = f"{subject.function.__module__}:{subject.function.__qualname__}"
    line = f'[project.entry-points."solon.constitutions"]\n{subject.kind} = "{place}"'
    try:
        named = found("solon.constitutions", subject.kind)
    except PluginError as error:
        raise Broken(
            expected=f"group solon.constitutions offers {subject.kind!r}",
            happened=error,
            remedy=f"register it in pyproject.toml, then `pip install -e .`:\n{line}",
        ) from error
    if named is not subject.function:
        raise Broken(expected=f"{subject.kind!r} is {place}", happened=named, remedy=line)


@clause(CONSTITUTIONS, "constitution-loads", "gives a constitution, the same each time", "every stage asks for it")
def _loads(subject: ConstitutionSubject) -> None:
    if subject.function() != subject.constitution:
        raise Broken(expected="the same twice", happened="another the second time", remedy="read it from a file")


@clause(
    CONSTITUTIONS,
    "constitution-valid",
    "is valid as a file, case by case",
    "`solon constitution check` holds all to it",
)
def _valid(subject: ConstitutionSubject) -> None:
    again = _written_and_read(subject)
    if again != subject.constitution or again.id != subject.constitution.id:
        raise Broken(
            expected="the same constitution after it is written as YAML and read again",
            happened=again,
            remedy="keep it in a file that `solon constitution check` accepts",
        )


def _written_and_read(subject: ConstitutionSubject) -> Constitution:
    path = subject.folder / "constitution.yaml"
    data = subject.constitution.model_dump(mode="json", exclude_none=True)
    path.write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    try:
        return load(path)
    except ConstitutionError as error:
        raise Broken(
            expected="a constitution without errors",
            happened=error,
            remedy="put right what is named",
        ) from error


@clause(
    CONSTITUTIONS,
    "constitution-cases",
    "tests each principle by a case",
    "judges are tested with them",
)
def _cases(subject: ConstitutionSubject) -> None:
    if not subject.constitution.cases:
        raise Unchecked("it has no cases: add a prompt with a better and a worse answer for each principle")
    tested = {case.principle for case in subject.constitution.cases}
    if missing := [one.id for one in subject.constitution.principles if one.id not in tested]:
        raise Broken(
            expected="a case for every principle",
            happened=f"none for {some(missing, 10)}",
            remedy="add `{principle: ..., prompt: ..., better: ..., worse: ...}` under `cases`",
        )


@clause(CONSTITUTIONS, "constitution-stable", "has the same id in every process", "labels and models are known by it")
def _stable(subject: ConstitutionSubject) -> None:
    question = {"module": subject.function.__module__, "function": subject.function.__qualname__}
    found = [probed(question, PYTHONHASHSEED=seed) for seed in ("0", "1")]
    if len({one["all"] for one in found} | {subject.constitution.model_dump_json()}) > 1:
        raise Broken(
            expected=f"the id {subject.constitution.id} whatever PYTHONHASHSEED is",
            happened=[one["id"] for one in found],
            remedy="make no list of a set",
        )
    if heavy := found[0]["heavy"]:
        raise Broken(
            expected="nothing heavy is imported", happened=some(heavy, 10), remedy="import it where it is used"
        )

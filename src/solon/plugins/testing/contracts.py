"""The contracts as classes for pytest: a test class inherits one, names a plugin, and has every clause as a test.

::

    from solon.plugins.testing import LabelerContract

    class TestBrevity(LabelerContract):
        plugin = Brevity  # or an instance: Brevity(limit=60)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from solon.data.records import Candidates, Constitution
from solon.plugins.base import CheckedWith
from solon.plugins.testing.clauses import Clause, held
from solon.plugins.testing.constitutions import CONSTITUTIONS, ConstitutionSubject
from solon.plugins.testing.evaluators import EVALUATORS, EvaluatorSubject
from solon.plugins.testing.labelers import LABELERS, LabelerSubject
from solon.plugins.testing.material import CANDIDATES, CONSTITUTION
from solon.plugins.testing.models import MODELS, ModelSubject
from solon.plugins.testing.trainers import TRAINERS, TrainerSubject


class Contract:
    """Base of the contracts: a test for each clause, over one subject that they share.

    Attributes:
        checked_with: the settings of a class, where not its own ``checked_with``: as ``Plugin.checked_with``.
    """

    checked_with: ClassVar[CheckedWith | None] = None
    clauses: ClassVar[Sequence[Clause[Any]]] = ()
    _subjects: ClassVar[dict[type, Any]] = {}

    @classmethod
    def subject(cls) -> Any:
        """What is checked."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Called by pytest: one test a clause."""
        if "clause" in metafunc.fixturenames:
            metafunc.parametrize("clause", self.clauses, ids=[clause.id for clause in self.clauses])

    def test_keeps(self, clause: Clause[Any]) -> None:
        """Each clause, by its id."""
        import pytest

        cls = type(self)
        if cls not in Contract._subjects:
            Contract._subjects[cls] = cls.subject()
        verdict = held(clause, Contract._subjects[cls])
        if verdict.outcome == "skipped":
            pytest.skip(verdict.happened)
        if verdict.outcome == "failed":
            pytest.fail(
                f"{clause.id}: a plugin {clause.promise}\n\n"
                f"expected  {verdict.expected}\nhappened  {verdict.happened}\n"
                f"to do     {verdict.remedy}",
                pytrace=False,
            )


class LabelerContract(Contract):
    """For labelers: ``plugin`` is the class or an instance.

    Attributes:
        candidates, constitution: what it is shown, for one that knows no others.
    """

    plugin: ClassVar[Any]
    candidates: ClassVar[Candidates] = CANDIDATES
    constitution: ClassVar[Constitution] = CONSTITUTION
    clauses = LABELERS

    @classmethod
    def subject(cls) -> LabelerSubject:
        """The labeler."""
        made = LabelerSubject(cls.plugin, cls.checked_with)
        made.candidates, made.constitution = cls.candidates, cls.constitution
        return made


class ModelContract(Contract):
    """For chat models: ``plugin`` is the class or an instance."""

    plugin: ClassVar[Any]
    clauses = MODELS

    @classmethod
    def subject(cls) -> ModelSubject:
        """The model."""
        return ModelSubject(cls.plugin, cls.checked_with)


class TrainerContract(Contract):
    """For trainers: ``plugin`` is the class or an instance. Needs the ``train`` extra; takes some ten seconds."""

    plugin: ClassVar[Any]
    clauses = TRAINERS

    @classmethod
    def subject(cls) -> TrainerSubject:
        """The trainer."""
        return TrainerSubject(cls.plugin, cls.checked_with)


class EvaluatorContract(Contract):
    """For evaluators: ``plugin`` is the class or an instance."""

    plugin: ClassVar[Any]
    clauses = EVALUATORS

    @classmethod
    def subject(cls) -> EvaluatorSubject:
        """The evaluator."""
        return EvaluatorSubject(cls.plugin, cls.checked_with)


class ConstitutionContract(Contract):
    """For constitutions: ``constitution = staticmethod(my_function)``.

    Attributes:
        kind: the name of its entry point; that of the function, with hyphens, when left out.
    """

    constitution: ClassVar[Callable[[], Constitution]]
    kind: ClassVar[str | None] = None
    clauses = CONSTITUTIONS

    @classmethod
    def subject(cls) -> ConstitutionSubject:
        """The function."""
        return ConstitutionSubject(cls.constitution, cls.kind)

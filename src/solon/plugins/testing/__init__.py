"""The public contract of plugins: test classes that a third party's pytest inherits, and what they check with.

::

    from solon.plugins.testing import LabelerContract
    from my_package import Brevity

    class TestBrevity(LabelerContract):
        plugin = Brevity

``solon plugins check PACKAGE`` looks at the same clauses without pytest. A name is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solon.doors import door

if TYPE_CHECKING:
    from solon.plugins.testing.clauses import Broken, Clause, Unchecked, Verdict
    from solon.plugins.testing.contracts import (
        ConstitutionContract,
        EvaluatorContract,
        LabelerContract,
        ModelContract,
        TrainerContract,
    )
    from solon.plugins.testing.evaluators import evidence
    from solon.plugins.testing.material import CANDIDATES, CONSTITUTION, HOSTILE, tiny_policy
    from solon.plugins.testing.served import Served
    from solon.plugins.testing.trainers import REWARD

__all__ = [
    "CANDIDATES",
    "CONSTITUTION",
    "HOSTILE",
    "REWARD",
    "Broken",
    "Clause",
    "ConstitutionContract",
    "EvaluatorContract",
    "LabelerContract",
    "ModelContract",
    "Served",
    "TrainerContract",
    "Unchecked",
    "Verdict",
    "evidence",
    "tiny_policy",
]

__getattr__, __dir__ = door(
    __name__,
    {
        "solon.plugins.testing.clauses": "Broken Clause Unchecked Verdict",
        "solon.plugins.testing.contracts": (
            "ConstitutionContract EvaluatorContract LabelerContract ModelContract TrainerContract"
        ),
        "solon.plugins.testing.evaluators": "evidence",
        "solon.plugins.testing.material": "CANDIDATES CONSTITUTION HOSTILE tiny_policy",
        "solon.plugins.testing.served": "Served",
        "solon.plugins.testing.trainers": "REWARD",
    },
)

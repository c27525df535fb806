"""Plugins that break one clause of the contract each: by the clause, what is wrong, and what is right in all else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broken_plugins import constitutions, evaluators, labelers, models, settings, trainers

SOUND = (
    labelers.Judge,
    labelers.Pairs,
    models.Local,
    models.Remote,
    evaluators.Share,
    evaluators.Judged,
    evaluators.Asking,
    constitutions.sound,
    trainers.Shrinking,
)
"""What the others are made of."""

BROKEN: Mapping[str, tuple[Any, ...]] = {
    "api-version": (settings.Unversioned,),
    "described": (settings.Undescribed,),
    "settings-plain": (settings.Eternal,),
    "settings-closed": (settings.Open,),
    "settings-frozen": (settings.Thawed,),
    "settings-round-trip": (settings.Forgetful,),
    "no-secrets": (settings.Keyed,),
    "picklable": (settings.Locked,),
    "labeler-refers": (labelers.Incognito,),
    "labeler-scores": (labelers.OutOfRange,),
    "labeler-both-orders": (labelers.OneSided,),
    "labeler-repeats": (labelers.Restless,),
    "labeler-order": (labelers.Hurried,),
    "labeler-hostile": (labelers.Fragile,),
    "labeler-nonsense": (labelers.Inventive,),
    "labeler-unavailable": (labelers.Impatient,),
    "labeler-rejected": (labelers.Swallowing,),
    "labeler-ledger": (labelers.Bypassing,),
    "labeler-no-principle": (labelers.Lawless,),
    "labeler-expected": (labelers.Modest,),
    "labeler-name": (labelers.Anonymous,),
    "model-answers": (models.Uncounted,),
    "model-max-tokens": (models.Talkative,),
    "model-repeats": (models.Whimsical,),
    "model-many": (models.Confused,),
    "model-choices": (models.Positive,),
    "model-hostile": (models.Foreign,),
    "model-errors": (models.Hopeful,),
    "model-one-attempt": (models.Stubborn,),
    "model-identity": (models.Unlike,),
    "model-ledger": (models.Numbered,),
    "model-closes": (models.ClosesOnce,),
    "trainer-consumes": (trainers.Unfed,),
    "trainer-learns": (trainers.Growing,),
    "trainer-reports": (trainers.Boastful,),
    "trainer-checkpoint": (trainers.Mute,),
    "trainer-repeats": (trainers.Noisy,),
    "trainer-resumes": (trainers.Forgetful,),
    "trainer-refuses": (trainers.Fasting,),
    "trainer-writes": (trainers.Littering,),
    "evaluator-metrics": (evaluators.Outside,),
    "evaluator-names": (evaluators.Twice,),
    "evaluator-repeats": (evaluators.Moody,),
    "evaluator-items": (evaluators.Dishonest,),
    "evaluator-empty": (evaluators.FromNothing,),
    "evaluator-hostile": (evaluators.Fragile,),
    "evaluator-failures": (evaluators.Credulous,),
    "evaluator-unanswered": (evaluators.Forgiving, evaluators.Severe),
    "constitution-loads": (constitutions.moody,),
    "constitution-valid": (constitutions.doubled,),
    "constitution-cases": (constitutions.untested,),
    "constitution-stable": (constitutions.unordered,),
}
"""All but ``installed``, which has a test of its own, and ``light-import``, whose plugin is in ``heavy``."""

FOLLOWS = {
    "settings-plain": {"settings-round-trip"},  # an identity is made of JSON
    "labeler-scores": {"labeler-hostile"},
    "labeler-repeats": {"labeler-order", "labeler-ledger"},
    "constitution-loads": {"constitution-stable"},
    "trainer-consumes": {"trainer-refuses"},
}
"""What else breaks with it, as it must."""

MAY_FOLLOW = {"labeler-order": {"labeler-ledger"}}
"""What may break with it: the ledger's replies come in an order of their own, which is no more the same each time."""

"""The one door for authors of plugins: every name that a model, labeler, trainer, evaluator or constitution needs.

What is in ``__all__`` here and in ``solon.plugins.training`` (for trainers; its names need the ``train`` extra) is what
a plugin imports of solon, and what ``API_VERSION`` counts: under the same major number nothing of it goes away or
changes its meaning. A name is imported when it is first asked for, so ``import solon.plugins`` is light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solon.doors import door

if TYPE_CHECKING:
    from solon.constitution.reading import load as load_constitution
    from solon.data.records import (
        Candidates,
        Checkpoint,
        Completion,
        Constitution,
        Demonstration,
        Failed,
        Judgment,
        Message,
        Metric,
        Preference,
        Principle,
        Prompt,
        Question,
        Rating,
        RatingScale,
        Record,
        Revised,
        Revision,
        Scored,
        Task,
        Usage,
    )
    from solon.errors import (
        DataError,
        MissingExtra,
        ModelRejected,
        ModelUnavailable,
        PluginError,
        PromptTooLong,
        RecipeError,
        SolonError,
        TrainingError,
    )
    from solon.evaluation.base import Evaluator, Evidence, OfAnswers, Pair
    from solon.evaluation.itemised import ids, itemised_means, itemised_shares
    from solon.evaluation.paired import metric, named, paired_means, paired_shares, pairs_of
    from solon.labelers.base import Account, Labeler
    from solon.labelers.chat_judge import ChatJudge
    from solon.labelers.verdict_judge import VerdictJudge
    from solon.models.base import FREE, ChatModel, Limits, Price, Reply, Request
    from solon.models.remote import RemoteModel
    from solon.plugins.base import Location, Plugin, Settings, located
    from solon.plugins.compatibility import API_VERSION
    from solon.plugins.registering import register, unregister
    from solon.plugins.registry import AnyChatModel, AnyEvaluator, AnyLabeler, AnyTrainer
    from solon.stream import ask
    from solon.trainers.base import Job, Judging, Lora, Policy, Trainer
    from solon.trainers.dataset import Rows, read_rows
    from solon.trainers.gradient import GradientTrainer
    from solon.trainers.prompted import PromptTrainer
    from solon.trainers.rewards import Rewarded, RewardTrainer

__all__ = [
    "API_VERSION",
    "FREE",
    "Account",
    "AnyChatModel",
    "AnyEvaluator",
    "AnyLabeler",
    "AnyTrainer",
    "Candidates",
    "ChatJudge",
    "ChatModel",
    "Checkpoint",
    "Completion",
    "Constitution",
    "DataError",
    "Demonstration",
    "Evaluator",
    "Evidence",
    "Failed",
    "GradientTrainer",
    "Job",
    "Judging",
    "Judgment",
    "Labeler",
    "Limits",
    "Location",
    "Lora",
    "Message",
    "Metric",
    "MissingExtra",
    "ModelRejected",
    "ModelUnavailable",
    "OfAnswers",
    "Pair",
    "Plugin",
    "PluginError",
    "Policy",
    "Preference",
    "Price",
    "Principle",
    "Prompt",
    "PromptTooLong",
    "PromptTrainer",
    "Question",
    "Rating",
    "RatingScale",
    "RecipeError",
    "Record",
    "RemoteModel",
    "Reply",
    "Request",
    "Revised",
    "Revision",
    "RewardTrainer",
    "Rewarded",
    "Rows",
    "Scored",
    "Settings",
    "SolonError",
    "Task",
    "Trainer",
    "TrainingError",
    "Usage",
    "VerdictJudge",
    "ask",
    "ids",
    "itemised_means",
    "itemised_shares",
    "load_constitution",
    "located",
    "metric",
    "named",
    "paired_means",
    "paired_shares",
    "pairs_of",
    "read_rows",
    "register",
    "unregister",
]

__getattr__, __dir__ = door(
    __name__,
    {
        "solon.constitution.reading": {"load_constitution": "load"},
        "solon.data.records": (
            "Candidates Checkpoint Completion Constitution Demonstration Failed Judgment Message Metric Preference "
            "Principle Prompt Question Rating RatingScale Record Revised Revision Scored Task Usage"
        ),
        "solon.errors": (
            "DataError MissingExtra ModelRejected ModelUnavailable PluginError PromptTooLong RecipeError SolonError "
            "TrainingError"
        ),
        "solon.evaluation.base": "Evaluator Evidence OfAnswers Pair",
        "solon.evaluation.itemised": "ids itemised_means itemised_shares",
        "solon.evaluation.paired": "metric named paired_means paired_shares pairs_of",
        "solon.labelers.base": "Account Labeler",
        "solon.labelers.chat_judge": "ChatJudge",
        "solon.labelers.verdict_judge": "VerdictJudge",
        "solon.models.base": "FREE ChatModel Limits Price Reply Request",
        "solon.models.remote": "RemoteModel",
        "solon.plugins.base": "Location Plugin Settings located",
        "solon.plugins.compatibility": "API_VERSION",
        "solon.plugins.registering": "register unregister",
        "solon.plugins.registry": "AnyChatModel AnyEvaluator AnyLabeler AnyTrainer",
        "solon.stream": "ask",
        "solon.trainers.base": "Job Judging Lora Policy Trainer",
        "solon.trainers.dataset": "Rows read_rows",
        "solon.trainers.gradient": "GradientTrainer",
        "solon.trainers.prompted": "PromptTrainer",
        "solon.trainers.rewards": "RewardTrainer Rewarded",
    },
)

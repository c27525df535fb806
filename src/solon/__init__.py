"""solon: let a language model live by a constitution.

    run = solon.run("recipe.yaml")          # constitution to report; again = go on
    run.preferences.to_dataset()            # what the judges made of it, as ``datasets.DatasetDict``
    run.report()                            # what got better, what it cost, what to distrust

Each stage by itself takes plain objects: ``sample``, ``label``, ``build``, ``train``, ``evaluate``. Asynchronous code
finds them under ``solon.aio``. ``docs/python.md`` goes through all of it; ``docs/stability.md`` says what may change.

Importing this package is light: no torch, no transformers, no network. Each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solon.doors import door

if TYPE_CHECKING:
    from solon import aio
    from solon.api.building import build
    from solon.api.evaluating import evaluate
    from solon.api.given import read_candidates, read_constitution, read_prompts
    from solon.api.labeling import label
    from solon.api.results import Run, open_run
    from solon.api.running import advise, check, compare, plan, run
    from solon.api.sampling import sample
    from solon.api.training import train
    from solon.data.records import (
        Candidates,
        Case,
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
        Revised,
        Scored,
        Task,
    )
    from solon.errors import SolonError
    from solon.recipe import Recipe

__version__ = "0.1.0"
__all__ = [
    "Candidates",
    "Case",
    "Checkpoint",
    "Completion",
    "Constitution",
    "Demonstration",
    "Failed",
    "Judgment",
    "Message",
    "Metric",
    "Preference",
    "Principle",
    "Prompt",
    "Question",
    "Rating",
    "RatingScale",
    "Recipe",
    "Revised",
    "Run",
    "Scored",
    "SolonError",
    "Task",
    "__version__",
    "advise",
    "aio",
    "build",
    "check",
    "compare",
    "evaluate",
    "label",
    "open_run",
    "plan",
    "read_candidates",
    "read_constitution",
    "read_prompts",
    "run",
    "sample",
    "train",
]

__getattr__, __dir__ = door(
    __name__,
    {
        "solon": "aio",
        "solon.api.building": "build",
        "solon.api.evaluating": "evaluate",
        "solon.api.given": "read_candidates read_constitution read_prompts",
        "solon.api.labeling": "label",
        "solon.api.results": "Run open_run",
        "solon.api.running": "advise check compare plan run",
        "solon.api.sampling": "sample",
        "solon.api.training": "train",
        "solon.data.records": (
            "Candidates Case Checkpoint Completion Constitution Demonstration Failed Judgment Message Metric "
            "Preference Principle Prompt Question Rating RatingScale Revised Scored Task"
        ),
        "solon.errors": "SolonError",
        "solon.recipe": "Recipe",
    },
)

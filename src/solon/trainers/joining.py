"""``solon`` in several processes at once: ``accelerate launch ... -m solon train recipe.yaml``, on one machine or more.

The first does everything, as it would alone; the others wait until it trains, and each of them starts one more process
of that training.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from solon.errors import RecipeError
from solon.trainers.base import Policy
from solon.trainers.launch import environment_of
from solon.trainers.protocol import Assignment
from solon.trainers.several import Place
from solon.trainers.workers import Workers


def refuse_unmet(place: Place) -> None:
    """Refuses several processes that have no meeting place, before anything is done.

    Raises:
        RecipeError: it was not ``accelerate launch`` or ``torchrun`` that started them.
    """
    if place.count > 1 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        raise RecipeError(
            f"WORLD_SIZE is {place.count}, and these processes were not started by `accelerate launch` or `torchrun`: "
            "start them so, or unset WORLD_SIZE and set train.processes"
        )


def join() -> None:
    """Takes part in the training of the first process; returns at its end, or when there is none.

    Raises:
        SolonError: as this machine's process raised it.
        TrainingError: it raised something unexpected, or died.
    """
    from solon.trainers.backend.meeting import tell_the_end, told

    said = told()
    if not said:
        return
    assignment = Assignment.model_validate_json(said)
    with tempfile.TemporaryDirectory(prefix="solon-") as folder:
        file = Path(folder) / "assignment.json"
        file.write_text(said, "utf-8")
        environment = environment_of(Policy.model_validate(assignment.policy), temporary=Path(folder))
        run_dir, here = assignment.kept.parent.parent, Place.here()
        try:
            Workers(file, run_dir, environment, (here,)).follow(lambda *_: None, lambda _: None)
        except BaseException as error:
            with suppress(RuntimeError):  # the launcher may be gone
                tell_the_end(here.rank, str(error) or type(error).__name__)
            raise
        tell_the_end(here.rank)


def nothing_to_train() -> None:
    """Tells the others, if there are any, that they may go."""
    if Place.here().count > 1:
        from solon.trainers.backend.meeting import tell

        tell("")

"""One process of trainings by several: ``python one_of_several.py TRAININGS BASE DATASET FOLDER``.

Which one it is, is in the environment, as ``accelerate launch`` and ``torchrun`` put it there. ``TRAININGS`` is JSON:
for each its ``settings``, the names of its ``out`` and ``kept`` folders in ``FOLDER``, and the step to ``stop_at``.
Each process writes a checkpoint and its numbers (``logged.json``) of its own, into ``out`` with its place added.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

from in_process import Killed
from solon.plugins.registry import load
from solon.trainers.base import Job, Policy


def train(settings, base, dataset, out, kept, stop_at):
    """Trains; a ``stop_at`` above 0 ends it at that step, as a kill would."""
    trainer = load("solon.trainers", settings.pop("kind")).model_validate(settings)
    out.mkdir()
    kept.mkdir(exist_ok=True)
    logged = []

    def report(step, steps, metrics):
        logged.append({"step": step, "steps": steps, **metrics})
        if step == stop_at:
            raise Killed

    policy = Policy(model=base, threads=1)
    trainer.train(
        Job(policy, Path(dataset), out, seed=3, report=report, kept=kept, go_on_from=lambda step: {}),
    )
    (out / "logged.json").write_text(json.dumps(logged), "utf-8")


def main(trainings, base, dataset, folder):
    """Does one training after another."""
    for given in json.loads(trainings):
        out = Path(folder) / f"{given['out']}-{os.environ['RANK']}"
        with contextlib.suppress(Killed):
            train(given["settings"], base, dataset, out, Path(folder) / given["kept"], given.get("stop_at", 0))


if __name__ == "__main__":
    main(*sys.argv[1:])

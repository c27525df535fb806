"""Trainings by one process or several: ``python one_of_several.py FOLDER`` does what it reads, one after another.

Each line that it reads is a training in JSON: how many processes (``count``), whether they divide the model
(``fsdp``), the trainer's ``settings``, ``base``, ``dataset`` and the policy's ``batch_size``, the names of its ``out``
and ``kept`` folders in ``FOLDER``, the step to ``stop_at``, the step of an alarm (``alarm_at``), and whether
completions are ``fixed`` in place of sampled ones, which differ by process. It answers with a line: how many of the
processes failed. Every process writes its checkpoint and its numbers (``logged.json``, and how much of the model it
held at each step, ``held.json``) into ``out`` with its place added.

The libraries are imported once; each process of each training is a fork of this one, so that a training begins as in a
process of its own. When one fails, the others of its training are ended.
"""

import gc
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from random import Random

from in_process import Killed
from rewarding import CONSTITUTION
from solon.errors import TrainingError
from solon.plugins.registry import load
from solon.trainers.base import Job, Judging, Policy
from solon.trainers.several import Place, refuse_others, refuse_together


def train(given, folder, place):
    """Trains as one of the processes; a ``stop_at`` above 0 ends it at that step, as a kill would."""
    settings = dict(given["settings"])
    trainer = load("solon.trainers", settings.pop("kind")).model_validate(settings)
    out, kept = folder / f"{given['out']}-{place.rank}", folder / given["kept"] / "trainer"
    out.mkdir()
    kept.mkdir(exist_ok=True, parents=True)
    logged, held = [], []

    def report(step, steps, metrics):
        logged.append({"step": step, "steps": steps, **metrics})
        held.append(share_held())
        if step == given.get("stop_at"):
            raise Killed
        if step == given.get("alarm_at") and place.rank == 0:  # the others follow and see none
            raise TrainingError("an alarm")

    if given.get("fixed"):
        fix_completions()
    refuse_together(trainer, place)
    refuse_others(kept, place)
    judging = Judging(constitution=CONSTITUTION, ledger=folder / "ledger.sqlite", run="several")
    policy = Policy(model=given["base"], threads=1, batch_size=given.get("batch_size", 64))
    try:
        trainer.train(
            Job(
                policy,
                Path(given["dataset"]),
                out,
                seed=3,
                report=report,
                kept=kept,
                go_on_from=lambda _step: {},
                judging=judging,
            )
        )
    except Killed:
        return
    (out / "logged.json").write_text(json.dumps(logged), "utf-8")
    (out / "held.json").write_text(json.dumps(held), "utf-8")


def share_held():
    """How much of the weights that are divided this process holds, in [0, 1]; ``None`` where none are.

    Weights count that are not divided, or whole for a while, as what is held beside the parts.
    """
    from torch.distributed.tensor import DTensor
    from torch.nn import Parameter

    weights = [one for one in gc.get_objects() if isinstance(one, Parameter)]
    parts = [one for one in weights if isinstance(one, DTensor)]
    if not parts:
        return None
    whole = [one.untyped_storage() for one in weights if not isinstance(one, DTensor)]
    beside = {storage.data_ptr(): storage.nbytes() for storage in whole}
    held = sum(one.to_local().nbytes for one in parts) + sum(beside.values())
    return held / sum(one.nbytes for one in parts)


def fix_completions():
    """Completions that follow from prompt and number in the group alone, in place of those that TRL samples."""
    from solon.trainers.backend import grpo

    def completions(trainer, prompt_ids):
        draws = [Random(f"{ids}:{n % trainer.num_generations}") for n, ids in enumerate(prompt_ids)]
        return [[draw.randrange(10, 60) for _ in range(draw.randrange(1, 5))] for draw in draws]

    grpo._GRPO._generate_single_turn = lambda trainer, prompt_ids, *_: (completions(trainer, prompt_ids), None)
    grpo._RLOO._generate_single_turn = lambda trainer, prompt_ids, *_: completions(trainer, prompt_ids)


def fork(given, folder, place, listening):
    """A process that trains; its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the answers are the other's
    try:
        if place.count > 1:
            port = listening.getsockname()[1]
            os.environ.update(place.environment(port=port, listening=listening.fileno()), GLOO_SOCKET_IFNAME="lo")
        train(given, folder, place)
        code = 0
    except BaseException:  # noqa: BLE001 - it ends here, whatever it is
        print(f"{given['out']}, {place.called}:", file=sys.stderr)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def together(given, folder):
    """Trains with all of its processes; how many failed, those included that were ended for it."""
    count = given["count"]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        places = [Place(count, rank, rank, given.get("fsdp", False)) for rank in range(count)]
        running = {fork(given, folder, place, listening) for place in places}
    failed = 0
    while running:
        child, status = os.wait()
        running.discard(child)
        failed += status != 0
        if failed == 1 and status:
            for other in running:
                os.kill(other, signal.SIGKILL)
    return failed


def main(folder):
    """Does what it reads, to the end of its input."""
    for backend in ("trl", "pairwise", "preference", "kto", "sft", "reward", "grpo", "ppo.loop", "selfplay.loop"):
        __import__(f"solon.trainers.backend.{backend}")
    gc.collect()
    gc.freeze()  # what is there by now holds no weights: `share_held` would look at half a million objects at each step
    for line in sys.stdin:
        print(together(json.loads(line), Path(folder)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

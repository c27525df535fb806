"""One part of the GPU check, in a process of its own; what it found goes into a JSON file.

python benchmarks/gpu/one.py train MODEL WORK RESULT --kind dpo --backend unsloth
python benchmarks/gpu/one.py resume MODEL WORK RESULT --backend bitsandbytes
python benchmarks/gpu/one.py reference MODEL WORK RESULT --backend unsloth
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plans import FULL, TINY, Plan, write_rows

from solon.plugins.registry import load
from solon.trainers.base import Job, Judging, Policy
from solon.trainers.curves import Curves
from solon.trainers.memory import GIB, Training, estimate
from solon.trainers.shapes import shape_of


class Stopped(Exception):
    """A training that was ended in the middle, as a kill would."""


class Recorder:
    """What a training reports, with the time and the GPU memory at which it does.

    Attributes:
        marks: seconds, bytes of tensors at the highest since the mark before, and the numbers, of each step.
        stop_at: the step at which the training is ended.
    """

    def __init__(self, stop_at: int | None = None) -> None:
        self.marks: list[tuple[float, int, Mapping[str, float]]] = []
        self.stop_at = stop_at

    def report(self, step: int, _steps: int, metrics: Mapping[str, float]) -> None:
        """Given to the job."""
        cuda = sys.modules["torch"].cuda  # imported by the trainer, in an order that Unsloth minds
        peak = 0
        if cuda.is_available():
            cuda.synchronize()
            peak = cuda.max_memory_allocated()
            cuda.reset_peak_memory_stats()
        self.marks.append((time.perf_counter(), peak, dict(metrics)))
        if step == self.stop_at:
            raise Stopped

    def found(self, plan: Plan) -> dict[str, Any]:
        """Peaks in GiB (of the steps after the first, and of all), seconds a step, and tokens a second."""
        times = [when for when, *_ in self.marks]
        seconds = statistics.median(after - before for before, after in itertools.pairwise(times))
        return {
            "steps": len(self.marks),
            "peak": max(peak for _, peak, _ in self.marks[1:]) / GIB,
            "peak_with_loading": max(peak for _, peak, _ in self.marks) / GIB,
            "seconds": seconds,
            "tokens_a_second": plan.tokens / seconds,
            "loss": [numbers["loss"] for *_, numbers in self.marks],
        }


def run(plan: Plan, policy: Policy, backend: str, work: Path, name: str, recorder: Recorder, **settings: Any) -> Path:
    """Trains by solon's own trainer; returns the folder of the checkpoint."""
    from solon.constitution.library import harmlessness

    rows, out, kept = work / f"{name}.rows", work / f"{name}.out", work / f"{name}.kept"
    write_rows(plan, rows)
    out.mkdir(parents=True, exist_ok=True)
    (kept / "trainer").mkdir(parents=True, exist_ok=True)
    trainer = load("solon.trainers", plan.kind).model_validate({**plan.settings(), "backend": backend, **settings})
    with Curves(kept / "metrics.jsonl") as curves:
        trainer.train(
            Job(
                policy=policy,
                dataset=rows,
                out=out,
                seed=1,
                report=lambda step, steps, metrics: recorder.report(step, steps, curves.add(step, steps, metrics)),
                kept=kept / "trainer",
                go_on_from=curves.go_on_from,
                judging=Judging(constitution=harmlessness(), ledger=work / "ledger.sqlite", run=name),
            )
        )
    return out


def train(plan: Plan, policy: Policy, backend: str, work: Path) -> dict[str, Any]:
    """A few steps; with what the memory was estimated to be."""
    recorder = Recorder()
    # keeping a step is no part of one: nothing is kept before the last
    run(plan, policy, backend, work, f"{plan.kind}-{backend}", recorder, save_every=plan.steps)
    weights = "nf4" if policy.load_in_4bit else "float32"
    trainer = load("solon.trainers", plan.kind).model_validate(plan.settings())
    training = Training(
        plan.kind,  # type: ignore[arg-type]
        trainer.lora,
        weights,  # type: ignore[arg-type]
        plan.rows,
        plan.length,
        plan.rollouts or 1,
        offload=backend == "unsloth",
        value=trainer.value_lora,
    )
    return {**recorder.found(plan), "estimated": estimate(shape_of(str(policy.model)), training).peak}


def resume(plan: Plan, policy: Policy, backend: str, work: Path) -> dict[str, Any]:
    """Whether a training that is ended at its third step and begun again leaves what an undisturbed one does."""
    from safetensors.torch import load_file

    whole = run(plan, policy, backend, work, "whole", Recorder(), save_every=2)
    with contextlib.suppress(Stopped):
        run(plan, policy, backend, work, "cut", Recorder(stop_at=3), save_every=2)
    rest = Recorder()
    cut = run(plan, policy, backend, work, "cut", rest, save_every=2)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (whole, cut))
    apart = max(float((one[name].float() - other[name].float()).abs().max()) for name in one)
    return {"steps_after": len(rest.marks), "apart": apart, "ok": len(rest.marks) == plan.steps - 2 and apart <= 1e-5}


def reference(policy: Policy, backend: str) -> dict[str, Any]:
    """Whether a model whose adapters are switched off gives what it gave before they had learned anything."""
    from solon.trainers.dpo import DPO

    settings = DPO.model_validate({"lora": {"r": 16, "alpha": 32}, "backend": backend})
    choice = settings.choose_backend(policy)
    from solon.trainers.backend import network

    assert settings.lora is not None
    trainable = network.load_policy(policy, choice, lora=settings.lora, seed=1, max_length=64)
    import torch
    from peft import get_peft_model

    from solon.trainers.backend.scores import likelihoods_of_rows

    model = trainable.loaded.model
    if not trainable.adapted:
        model = get_peft_model(model, network.adapters(settings.lora))
    model.eval()
    ids = torch.arange(40, 104, device=trainable.loaded.device)[None] % 250
    seen = torch.ones_like(ids)
    mask = seen.clone()
    mask[:, 0] = 0

    def likely() -> Any:
        return likelihoods_of_rows(model.get_base_model(), ids, seen, mask)[0].float()

    on_gpu = ids.device.type == "cuda"
    with torch.no_grad(), torch.autocast(ids.device.type, torch.bfloat16, enabled=on_gpu):
        before = likely()
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.05)
        learned = likely()
        with model.disable_adapter():
            after = likely()
    apart, moved = float((after - before).abs().max()), float((learned - before).abs().max())
    return {"apart": apart, "moved": moved, "ok": apart <= 1e-3 < moved}


def main() -> None:
    """Does one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["train", "resume", "reference"])
    parser.add_argument("model", type=Path)
    parser.add_argument("work", type=Path, help="a folder of this part alone: what is in it is removed")
    parser.add_argument("result", type=Path)
    parser.add_argument("--kind", default="dpo")
    parser.add_argument("--backend", required=True)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    policy = Policy(model=str(given.model), load_in_4bit=not given.tiny, threads=1 if given.tiny else None)
    shutil.rmtree(given.work, ignore_errors=True)  # or a training would go on from an earlier check's
    given.work.mkdir(parents=True)
    plan = next(plan for plan in (TINY if given.tiny else FULL) if plan.kind == given.kind)
    match given.part:
        case "train":
            found = train(plan, policy, given.backend, given.work)
        case "resume":
            short = Plan(plan.kind, rows=2, length=128, steps=4)
            found = resume(short, policy, given.backend, given.work)
        case _:
            found = reference(policy, given.backend)
    given.result.write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()

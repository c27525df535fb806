"""What a training costs beside a plain script on TRL with the same settings: CPU time, wall time and memory.

    python benchmarks/plain_trl.py                            # dpo, kto and grpo, five rounds
    python benchmarks/plain_trl.py --only grpo --lora --rounds 3
    python benchmarks/plain_trl.py --write docs/results/trainers.md

The scripts are those that a user of TRL would write: the functions ``dpo``, ``kto`` and ``grpo`` below. Both sides have
the same model, rows, batches, steps, learning rates and threads, log every step, keep nine checkpoints, and leave the
model with its tokenizer. Each training is a process of its own, and the two sides take turns at being first.
Measured is from the trainer's start to its end, loading the model and everything written among it, after the imports,
which are the same; memory is the highest that the process had resident. A ratio is solon's figure to TRL's of the same
round, the median over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from pages import between_markers, table

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "examples" / "trainers"
POLICY = ROOT / "examples" / "quickstart" / "models" / "policy"
PATTERN = re.compile("Answer: .+ — Confidence: (high|medium|low) — Reasoning: .+")
MOST = 1.02  # times TRL's

STEPS, BATCH, RATE, SEED = 80, 32, 2e-4, 0
GROUPED = {"beta": 0.02, "num_generations": 8}
ROWS_OF = {"dpo": "preference", "kto": "unpaired", "grpo": "prompts"}


def main() -> None:
    """Prints a Markdown table with a row a trainer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(ROWS_OF), default=list(ROWS_OF))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--lora", action="store_true", help="train adapters of rank 16 in place of all weights")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a Markdown page to put the table into")
    parser.add_argument("--side", choices=["solon", "trl"], help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        print(json.dumps(_measured(chosen.side, chosen.only[0], chosen.data, chosen.steps, lora=chosen.lora)))
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        data = _datasets(Path(folder))
        rows = [
            _row(kind, [_round(number, kind, data, chosen) for number in range(chosen.rounds)]) for kind in chosen.only
        ]
    head = ["trainer", "CPU time", "wall time", "peak memory", "TRL, CPU s", "solon, CPU s", "TRL, MB", "solon, MB"]
    text = (
        f"{'Adapters' if chosen.lora else 'All weights'}, {chosen.steps} steps, {chosen.rounds} rounds; wanted of each "
        f"ratio is at most {MOST}.\n\n{table(head, rows)}"
    )
    print(text)
    if chosen.write:
        between_markers(chosen.write, "plain TRL", text)


def _datasets(folder: Path) -> Path:
    """The quickstart's data, labelled by its rule, as each of the trainers reads it."""
    from solon.pipeline import run
    from solon.recipe import read

    rules = {"kind": "rules", "rules": {"format": {"pattern": PATTERN.pattern}}}
    ledger = f"ledger={json.dumps(str(folder / 'ledger.sqlite'))}"
    for recipe, more in {"dpo": [f"label={json.dumps(rules)}"], "grpo": []}.items():
        run(read(RECIPES / f"{recipe}.yaml", [f"seed={SEED}", ledger, *more]), folder / recipe, until="build")
    for name, recipe in {"preference": "dpo", "unpaired": "dpo", "prompts": "grpo"}.items():
        (folder / name).symlink_to(folder / recipe / "datasets" / name)
    return folder


def _round(number: int, kind: str, data: Path, chosen: argparse.Namespace) -> dict[str, dict[str, float]]:
    found = {}
    for side in ("solon", "trl") if number % 2 else ("trl", "solon"):
        command = [sys.executable, __file__, "--side", side, "--only", kind, "--data", str(data)]
        command += ["--steps", str(chosen.steps), *(["--lora"] if chosen.lora else [])]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"{side}, {kind}: {done.stderr}")
        found[side] = json.loads(done.stdout.splitlines()[-1])
        print(f"{kind}, round {number + 1}, {side}: {found[side]}", file=sys.stderr, flush=True)
    return found


def _row(kind: str, rounds: list[dict[str, dict[str, float]]]) -> list[str]:
    names = ("cpu", "wall", "memory")
    ratios = [median(one["solon"][name] / one["trl"][name] for one in rounds) for name in names]
    cells = [f"**{ratio:.3f}**" if ratio <= MOST else f"**{ratio:.3f}**, missed" for ratio in ratios]
    means = [median(one[side][name] for one in rounds) for name in ("cpu", "memory") for side in ("trl", "solon")]
    return [kind, *cells, *(f"{mean:.1f}" for mean in means[:2]), *(f"{mean / 2**20:.0f}" for mean in means[2:])]


# ---------------------------------------------------------------- one training in a process of its own


def _measured(side: str, kind: str, data: Path, steps: int, *, lora: bool) -> dict[str, float]:
    """CPU seconds, wall seconds and peak memory in bytes of one training."""
    os.environ |= {"TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    import torch
    import trl  # noqa: F401 - both sides: not measured

    from solon.trainers.backend import grpo as _grpo  # noqa: F401
    from solon.trainers.backend import kto as _kto  # noqa: F401
    from solon.trainers.backend import preference  # noqa: F401

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        train = {"solon": _by_solon, "trl": _by_trl}[side]
        cpu, wall = time.process_time(), time.perf_counter()
        train(kind, data, Path(folder), steps, lora)
        return {
            "cpu": time.process_time() - cpu,
            "wall": time.perf_counter() - wall,
            "memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }


def _by_solon(kind: str, data: Path, folder: Path, steps: int, lora: bool) -> None:
    """As ``solon.trainers.worker``, alarms and curves among it."""
    from solon.constitution import load
    from solon.plugins.registry import load as plugin
    from solon.trainers.base import Judging, Policy
    from solon.trainers.protocol import Assignment
    from solon.trainers.worker import _train

    settings: dict[str, Any] = {"learning_rate": RATE, "batch_size": BATCH, "gradient_accumulation": 1}
    settings |= {"max_steps": steps, "lora": {"r": 16} if lora else None}
    judging = None
    if kind == "grpo":
        rules = {"kind": "rules", "rules": {"format": {"pattern": PATTERN.pattern}}}
        settings |= {**GROUPED, "max_new_tokens": 48, "reward": rules}
        constitution = load(ROOT / "examples" / "quickstart" / "constitution.yaml")
        judging = Judging(constitution=constitution, ledger=folder / "ledger.sqlite", run="plain")
    kept = folder / "kept"
    (kept / "trainer").mkdir(parents=True)
    (folder / "out").mkdir()
    assignment = Assignment.of(
        plugin("solon.trainers", kind).model_validate(settings),
        Policy(model=str(POLICY), threads=1),
        base=None,
        dataset=data / ROWS_OF[kind],
        out=folder / "out",
        kept=kept,
        seed=SEED,
        judging=judging,
    )
    _train(assignment, lambda _: None)


def _by_trl(kind: str, data: Path, folder: Path, steps: int, lora: bool) -> None:
    from peft import LoraConfig

    adapters = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM") if lora else None
    arguments = {
        "output_dir": str(folder / "kept"),
        "learning_rate": RATE,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.1,
        "max_steps": steps,
        "per_device_train_batch_size": BATCH,
        "gradient_accumulation_steps": 1,
        "seed": SEED,
        "logging_steps": 1,
        "save_steps": max(1, steps // 10),
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
    }
    trainer = {"dpo": dpo, "kto": kto, "grpo": grpo}[kind](data / ROWS_OF[kind], arguments, adapters)
    _keep_all_but_the_last(trainer)
    trainer.train()
    trainer.save_model(str(folder / "out"))  # with the tokenizer


def _keep_all_but_the_last(trainer: Any) -> None:
    """As solon: TRL would keep the last step too, of which the model that is left is a copy."""
    from transformers import TrainerCallback

    class NotTheLast(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_save = control.should_save and state.global_step < state.max_steps

    trainer.add_callback(NotTheLast())


def dpo(data: Path, arguments: dict[str, Any], adapters: Any) -> Any:
    """DPO as a script on TRL has it."""
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(
        **arguments,
        **_held_out(),
        beta=0.1,
        max_length=None,
        precompute_ref_log_probs=True,
        precompute_ref_batch_size=64,
    )
    model, tokenizer = _model()
    return DPOTrainer(
        model=model,
        args=config,
        processing_class=tokenizer,
        peft_config=adapters,
        **_rows(data, "prompt", "chosen", "rejected"),
    )


def kto(data: Path, arguments: dict[str, Any], adapters: Any) -> Any:
    """KTO as a script on TRL has it: shuffled, both classes of the same weight."""
    from trl import KTOConfig, KTOTrainer

    rows = _rows(data, "prompt", "completion", "label")
    rows = {name: part.shuffle(seed=SEED) for name, part in rows.items()}
    desirable = sum(rows["train_dataset"]["label"])
    undesirable = len(rows["train_dataset"]) - desirable
    config = KTOConfig(
        **arguments,
        **_held_out(),
        beta=0.1,
        desirable_weight=max(1.0, undesirable / desirable),
        undesirable_weight=max(1.0, desirable / undesirable),
        max_length=None,
        precompute_ref_log_probs=True,
        precompute_ref_batch_size=64,
    )
    model, tokenizer = _model()
    return KTOTrainer(model=model, args=config, processing_class=tokenizer, peft_config=adapters, **rows)


def grpo(data: Path, arguments: dict[str, Any], adapters: Any) -> Any:
    """GRPO as a script on TRL has it, with the rule as its reward."""
    from trl import GRPOConfig, GRPOTrainer

    def reward(completions: list[list[dict[str, str]]], **_: Any) -> list[float]:
        return [float(PATTERN.fullmatch(completion[-1]["content"]) is not None) for completion in completions]

    config = GRPOConfig(**arguments, **GROUPED, max_completion_length=48)
    model, tokenizer = _model()
    rows = _rows(data, "prompt")["train_dataset"]
    return GRPOTrainer(
        model=model,
        reward_funcs=[reward],
        args=config,
        processing_class=tokenizer,
        train_dataset=rows,
        peft_config=adapters,
    )


def _held_out() -> dict[str, Any]:
    return {"eval_strategy": "epoch", "per_device_eval_batch_size": 2 * BATCH}


def _model() -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(POLICY, dtype=torch.float32), AutoTokenizer.from_pretrained(POLICY)


def _rows(data: Path, *columns: str) -> dict[str, Any]:
    import datasets
    import pyarrow.parquet as pq

    sides = {"train_dataset": "train", "eval_dataset": "test"}
    return {
        name: datasets.Dataset(pq.read_table(data / f"{side}.parquet", columns=list(columns)))
        for name, side in sides.items()
    }


if __name__ == "__main__":
    main()

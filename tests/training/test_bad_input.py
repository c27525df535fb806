"""What is refused, and what is kept when a training breaks off, for every kind of trainer."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
from every_trainer import FAMILIES, KINDS, OFFLINE, dataset_of, judging, made
from solon.errors import DataError, TrainingError
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora, Policy
from solon.trainers.launch import run_training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]


BROKEN = {"simpo": 2, "orpo": 2, "ppo": 4}
"""Which row has what is not a number, else 7: one that comes after the first step, by seed 3 or, for PPO, 4."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64)


@pytest.fixture(scope="module")
def broken(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, but what it makes of the letter `~` is not a number."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("broken")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    with torch.no_grad():
        model.model.embed_tokens.weight[tokenizer.encode("~")[0]] = torch.nan
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def with_one_tilde(dataset: Path, place: int) -> Path:
    """Puts the letter into one prompt."""
    rows = pq.read_table(dataset / "train.parquet").to_pylist()
    rows[place]["prompt"][0]["content"] += "~"
    pq.write_table(pa.Table.from_pylist(rows), dataset / "train.parquet")
    return dataset


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_a_number_stops_a_training_and_the_step_before_is_kept(
    kind: str, base: Path, broken: Path, tmp_path: Path
) -> None:
    """One prompt of twelve gives it, at a step that the order of the rows decides, and none of it is kept.

    What the policy was at the step before is a checkpoint: adapters of rank 4 on seven matrices of two layers.
    """
    from safetensors.torch import load_file

    dataset = with_one_tilde(dataset_of(kind, tmp_path / "dataset", rows=12), BROKEN.get(kind, 7))
    rows = {"batch_size": 2} if kind in OFFLINE else {}
    settings = made(kind, lora=Lora(r=4), save_every=1, **rows)
    logged: list[dict[str, float]] = []
    with pytest.raises(TrainingError, match=r"not numbers|nan") as caught:
        in_process.train(
            settings,
            broken,
            dataset,
            tmp_path / "out",
            kept=tmp_path / "kept",
            judging=judging(tmp_path),
            seen=logged,
            seed=4 if kind == "ppo" else 3,
        )
    assert list((tmp_path / "out").iterdir()) == []
    good = max(int(line["step"]) for line in logged if "loss" in line)
    steps = sorted(int(folder.name.removeprefix("step-")) for folder in (tmp_path / "kept" / "trainer").iterdir())
    assert steps[-1] == good
    left = tmp_path / "kept" / f"last-good-{good}"
    weights = load_file(left / "adapter_model.safetensors")
    assert sum("lora_" in name for name in weights) == 2 * 7 * 2
    assert all(weight.isfinite().all() for weight in weights.values())
    assert any(weight.any() for name, weight in weights.items() if "lora_B" in name)
    card = (left / "README.md").read_text()
    assert f"trained with {kind}" in card
    (line,) = [line for line in logged if line["step"] == good]
    said = card.partition("## The last logged numbers")[2]
    assert (
        f"| learning_rate | {line['learning_rate']:.4g} |" in said
    )  # of the step that it is, not of the one that broke
    if found := re.search(r"at step (\d+) of", str(caught.value)):
        assert int(found[1]) == good + 1


@pytest.mark.parametrize("kind", FAMILIES)
def test_weights_that_are_no_numbers_after_the_last_step_leave_the_policy_of_the_step_before(
    kind: str, base: Path, tmp_path: Path
) -> None:
    """The last update breaks what no loss is computed of any more: here a weight, once the last step is reported."""
    import torch
    from safetensors.torch import load_file
    from torch.optim.optimizer import register_optimizer_step_post_hook

    moving: list[torch.Tensor] = []
    logged: list[dict[str, float]] = []

    def breaks(_: object) -> bool:
        if logged[-1]["step"] == logged[-1]["steps"]:
            with torch.no_grad():
                moving[0].fill_(math.nan)
        return False

    dataset = dataset_of(kind, tmp_path / "dataset", rows=8)
    settings = made(kind, lora=Lora(r=4), save_every=1, max_steps=3)
    hook = register_optimizer_step_post_hook(
        lambda optimizer, *_: moving.append(optimizer.param_groups[0]["params"][0])
    )
    try:
        with pytest.raises(TrainingError, match="values that are not numbers, so nothing of that step was kept"):
            in_process.train(
                settings,
                base,
                dataset,
                tmp_path / "out",
                kept=tmp_path / "kept",
                judging=judging(tmp_path),
                seen=logged,
                stop_when=breaks,
            )
    finally:
        hook.remove()
    left = tmp_path / "kept" / "last-good-2"
    weights = load_file(left / "adapter_model.safetensors")
    assert all(weight.isfinite().all() for weight in weights.values())
    said = (left / "README.md").read_text().partition("## The last logged numbers")[2]
    assert f"| loss | {logged[1]['loss']:.4g} |" in said
    assert list((tmp_path / "out").iterdir()) == []


def test_where_the_last_good_checkpoint_is_stands_in_the_error(broken: Path, tmp_path: Path) -> None:
    """Beside the one that was to be, named for its step; what was there before stays, and the same command goes on."""
    from solon.models.backend.loading import load

    dataset = with_one_tilde(dataset_of("dpo", tmp_path / "dataset", rows=12), 7)
    out = tmp_path / "run" / "checkpoints" / "dpo"
    out.mkdir(parents=True)
    (out / "weights").write_text("earlier")
    with pytest.raises(
        TrainingError, match=r"nan at step (\d) of 6.* as it was last kept is in .*dpo-step-(\d)"
    ) as caught:
        run_training(
            made("dpo", lora=Lora(r=4), save_every=1, batch_size=2),
            Policy(model=str(broken), threads=1),
            dataset=dataset,
            seed=3,
            run_dir=tmp_path / "run",
            out=out,
            on_step=lambda step, steps, metrics: None,
        )
    (left,) = [folder for folder in out.parent.iterdir() if folder != out]
    assert str(left) in str(caught.value)
    assert hasattr(load(str(broken), adapter=str(left)).model, "peft_config")
    assert (out / "weights").read_text() == "earlier"
    assert (tmp_path / "run" / ".training" / "kept" / "trainer" / f"step-0000000{left.name[-1]}").is_dir()


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_that_do_not_fit_are_counted_and_refused(kind: str, base: Path, tmp_path: Path) -> None:
    """Nothing is cut without a word: three of twelve prompts are longer than the model can read."""
    dataset = dataset_of(kind, tmp_path / "dataset", rows=12)
    rows = pq.read_table(dataset / "train.parquet").to_pylist()
    for row in rows[:3]:
        row["prompt"][0]["content"] *= 5
    pq.write_table(pa.Table.from_pylist(rows), dataset / "train.parquet")
    with pytest.raises(DataError) as caught:
        in_process.train(made(kind), base, dataset, tmp_path / "out", judging=judging(tmp_path))
    (problem,) = caught.value.problems
    assert re.match(r"3 of 12 (rows|prompts) ", problem.what)
    assert "64 tokens" in problem.what
    assert "train.parquet" in problem.where
    assert problem.remedy


@pytest.mark.parametrize("way", ["leave_out", "cut_prompt"])
@pytest.mark.parametrize("kind", FAMILIES)
def test_prompts_that_do_not_fit_are_left_out_or_cut_where_that_is_set(
    kind: str, way: str, base: Path, tmp_path: Path
) -> None:
    """And counted in the checkpoint. Of a prompt that was cut the end is left, since its length is what decides."""
    dataset = dataset_of(kind, tmp_path / "dataset", rows=8)
    rows = pq.read_table(dataset / "train.parquet").to_pylist()
    for row in rows[:3]:
        row["prompt"][0]["content"] *= 5
    pq.write_table(pa.Table.from_pylist(rows), dataset / "train.parquet")
    settings = made(kind, too_long=way)
    checkpoint, _ = in_process.train(settings, base, dataset, tmp_path / "out", judging=judging(tmp_path))
    counts = {name: count for name, count in checkpoint.metrics.items() if name in ("rows/left_out", "rows/cut")}
    assert counts == {"rows/left_out" if way == "leave_out" else "rows/cut": 3}
    card = (tmp_path / "out" / "README.md").read_text()
    assert f'| too_long | "{way}" |' in card


def adapter_of(base: Path, named: str, folder: Path) -> Path:
    """An adapter that says it was trained on ``named``."""
    from peft import LoraConfig, get_peft_model

    from solon.models.backend.loading import load

    model = get_peft_model(load(str(base)).model, LoraConfig(r=2, target_modules="all-linear"))
    model.peft_config["default"].base_model_name_or_path = named
    model.save_pretrained(folder, save_embedding_layers=False)  # or else PEFT asks the hub for the base by that name
    return folder


@pytest.mark.parametrize("kind", ["dpo", "simpo", "ppo"])
def test_an_adapter_of_another_base_is_refused_by_name(kind: str, base: Path, tmp_path: Path) -> None:
    """Of the same shape it would be put on without a word, and mean nothing there."""
    adapter = adapter_of(base, str(base), tmp_path / "adapter")
    other = tiny_llama(tmp_path / "other", seed=2, context=64)
    dataset = dataset_of(kind, tmp_path / "dataset", rows=4)
    with pytest.raises(DataError) as caught:
        in_process.train(made(kind), other, dataset, tmp_path / "out", judging=judging(tmp_path), adapter=str(adapter))
    (problem,) = caught.value.problems
    assert problem.where == str(adapter)
    assert problem.what == (
        f"this adapter was trained on {str(base)!r}, and the model is {str(other)!r}, whose weights are others"
    )
    assert problem.remedy.startswith(f"give {str(base)!r} as `model`")


def test_an_adapter_of_a_model_of_another_size_names_both(base: Path, tmp_path: Path) -> None:
    """Its base is not here any more, so that only the sizes tell."""
    from solon.models.backend.loading import load

    adapter = adapter_of(base, "org/gone", tmp_path / "adapter")
    other = tiny_llama(tmp_path / "other", hidden_size=64)
    with pytest.raises(DataError, match=r"trained on 'org/gone', does not fit '.*other': .*_proj.* is 32 x 2, and"):
        load(str(other), adapter=str(adapter))


def test_an_adapter_is_put_on_its_base_wherever_that_lies_now(base: Path, tmp_path: Path) -> None:
    """A copy of the folder holds the same weights, whatever its name; a hub id cannot be held against a folder."""
    from solon.models.backend.loading import load

    copied = tmp_path / "copied"
    shutil.copytree(base, copied)
    for number, named in enumerate([str(base), "org/name", str(tmp_path / "gone")]):
        adapter = adapter_of(base, named, tmp_path / f"adapter-{number}")
        assert hasattr(load(str(copied), adapter=str(adapter)).model, "peft_config")


@pytest.mark.parametrize("kind", KINDS)
def test_when_memory_runs_out_it_is_said_what_to_lower_and_from_where(kind: str) -> None:
    """More numbers than any machine has stand for the step that was too large."""
    import torch

    from solon.trainers.backend.runtime import memory_boundary
    from solon.trainers.backend.trl import ways_to_save_memory

    settings: Any = made(kind)
    with pytest.raises(TrainingError) as caught, memory_boundary(ways_to_save_memory(settings)):
        torch.empty(2**50)
    said = str(caught.value)
    assert said.startswith("memory ran out (")
    assert f"lower train.batch_size (now {settings.batch_size})" in said
    assert f"raise train.gradient_accumulation (now {settings.gradient_accumulation}) as much" in said
    assert "`lora: {r: 16}`" in said


class TooMuch(list[dict[str, float]]):
    """Wants more numbers than any machine has for its second element."""

    def append(self, line: dict[str, float]) -> None:
        """As a list's, once."""
        import torch

        if self:
            torch.empty(2**50)
        super().append(line)


@pytest.mark.parametrize("kind", FAMILIES)
def test_memory_that_runs_out_in_a_step_is_that_error(kind: str, base: Path, tmp_path: Path) -> None:
    """Here where the second step is reported: all of a training is inside of the boundary."""
    dataset = dataset_of(kind, tmp_path / "dataset", rows=8)
    with pytest.raises(TrainingError, match=r"memory ran out \(.*\): lower train\."):
        in_process.train(made(kind), base, dataset, tmp_path / "out", judging=judging(tmp_path), seen=TooMuch())

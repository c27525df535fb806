"""What is written when a run is exported, and what is refused; merging is in ``tests/training/test_export.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from solon.data.artifacts import write_json
from solon.data.records import Checkpoint, Constitution, Metric, Principle
from solon.errors import DataError, RecipeError
from solon.exporting import export
from solon.rundir import RunDirectory

CONSTITUTION = Constitution(name="brief", version="1.10", principles=(Principle(id="short", text="Be brief."),))
METRICS = [
    Metric(name="compliance", of="before", value=0.32, low=0.28, high=0.36, n=600),
    Metric(name="compliance", of="after", value=0.96, low=0.94, high=0.975, n=600, p_value=1e-9),
]


@pytest.fixture(autouse=True)
def _without_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def a_run(folder: Path, *, form: str = "lora", base: str = "models/base", metrics: bool = True) -> Path:
    """A run directory with a checkpoint whose weights nobody reads, below a project with the base."""
    project = folder / "project"
    (project / "models" / "base").mkdir(parents=True)
    (project / "models" / "base" / "config.json").write_text('{"model_type": "llama"}')
    (project / "models" / "base" / "README.md").write_text("---\nlicense: llama3.1\n---\n# A base\n")
    (project / "models" / "base" / "LICENSE").write_text("Keep this.")
    path = project / "runs" / "first"
    checkpoint = Checkpoint(
        path="checkpoints/dpo",
        base_model=base,
        form=form,
        trainer="dpo",
        dataset="0123456789abcdef",
        metrics={"loss": 0.25, "parameters/trainable": 50.0, "parameters/all": 1000.0},
    )
    with RunDirectory.open(path) as run:
        run.begin(
            name="first",
            seed=7,
            constitution=CONSTITUTION.model_dump(mode="json"),
            versions={"torch": "2.13.0"},
            recipe="train: {kind: dpo}\n",
        )
        made = path / "checkpoints" / "dpo"
        made.mkdir(parents=True)
        weights, config = ("adapter_model", "adapter_config") if form == "lora" else ("model", "config")
        (made / f"{weights}.safetensors").write_bytes(b"weights")
        (made / f"{config}.json").write_text('{"task_type": "CAUSAL_LM", "architectures": ["LlamaForCausalLM"]}')
        (made / "tokenizer.json").write_text("{}")
        (made / "training_args.bin").write_bytes(b"a pickle")
        (made / "README.md").write_text(f"---\nbase_model: {base}\n---\n" if base.startswith("org/") else "# card\n")
        run.finish("train", {}, [], {"checkpoint": checkpoint.model_dump(mode="json"), "trainer": {"kind": "dpo"}})
        if metrics:
            (path / "evaluation").mkdir()
            write_json(path / "evaluation" / "metrics.json", [metric.model_dump(mode="json") for metric in METRICS])
            run.finish("evaluate", {}, [], {"prompts": 600})
    return path


def card(folder: Path) -> tuple[dict[str, Any], str]:
    """Front matter and text of the card that was written."""
    _, front, text = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(front), text


def test_an_export_holds_safetensors_tokenizer_card_and_licence_and_no_pickle(tmp_path: Path) -> None:
    """Whoever loads it runs no code that came with it."""
    exported = export(a_run(tmp_path), tmp_path / "out")
    names = ("LICENSE", "README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json")
    assert exported.files == names
    assert (exported.form, exported.licence) == ("lora", "llama3.1")
    assert (tmp_path / "out" / "adapter_model.safetensors").read_bytes() == b"weights"


def test_the_card_says_constitution_data_recipe_numbers_with_intervals_and_licence(tmp_path: Path) -> None:
    """The same run gives the same card."""
    run = a_run(tmp_path)
    export(run, tmp_path / "out")
    front, text = card(tmp_path / "out")
    assert front == {"library_name": "peft", "license": "llama3.1", "tags": ["solon", "dpo", "lora"]}
    for said in (
        f"brief, version 1.10, id `{CONSTITUTION.id}`",
        "Its principles: short.",
        "Dataset `0123456789abcdef`",
        "| Compliance | 32.0% \\[28.0 to 36.0\\] | 96.0% \\[94.0 to 97.5\\] |",
        "50 of 1,000 parameters were trained.",
        "| loss | 0.25 |",
        "Seed 7; torch 2.13.0.",
        "```yaml\ntrain: {kind: dpo}\n```",
        "The base is under `llama3.1`",
        'base = AutoModelForCausalLM.from_pretrained("base")',
    ):
        assert said in text
    assert str(tmp_path) not in text
    export(run, tmp_path / "again")
    assert (tmp_path / "again" / "README.md").read_bytes() == (tmp_path / "out" / "README.md").read_bytes()


def test_the_folder_of_a_checkpoint_is_exported_as_its_run_is(tmp_path: Path) -> None:
    """All weights are a model by themselves; one that was not evaluated says so."""
    run = a_run(tmp_path, form="full", metrics=False)
    exported = export(run / "checkpoints" / "dpo", tmp_path / "out")
    assert (exported.form, "model.safetensors" in exported.files) == ("full", True)
    front, text = card(tmp_path / "out")
    assert front["library_name"] == "transformers"
    assert 'model = AutoModelForCausalLM.from_pretrained("this/folder")' in text
    assert "It has not been evaluated." in text


def test_a_base_on_the_hub_is_named_and_its_licence_read_from_the_cache(tmp_path: Path) -> None:
    """The trainer's card knows that it is a hub id; no network is asked."""
    run = a_run(tmp_path, base="org/base")
    export(run, tmp_path / "unknown")
    front, text = card(tmp_path / "unknown")
    assert (front["base_model"], "license" in front) == ("org/base", False)
    assert "The licence of the base is not known here" in text
    snapshot = tmp_path / "hub" / "models--org--base" / "snapshots" / "a"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "README.md").write_text("---\nlicense: other\nlicense_name: gemma\n---\n")
    assert export(run, tmp_path / "known").licence == "gemma"


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path: Path) -> None:
    """It may hold another model."""
    run = a_run(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    export(run, out)  # an empty one is fine
    (out / "README.md").write_text("mine")
    with pytest.raises(DataError, match="is there already and not empty"):
        export(run, out)
    assert (out / "README.md").read_text() == "mine"


@pytest.mark.parametrize("what", ["nothing", "untrained", "another", "no weights", "broken"])
def test_what_cannot_be_exported_is_refused_and_leaves_nothing(what: str, tmp_path: Path) -> None:
    """With the place, and what to do."""
    run = source = a_run(tmp_path)
    says = {
        "nothing": "is neither a run directory nor a checkpoint in one",
        "untrained": "has no checkpoint: nothing was trained",
        "another": "is not what this run trained last",
        "no weights": "holds no adapter_model.safetensors",
        "broken": "cannot be read as JSON",
    }
    if what == "nothing":
        source = tmp_path
    elif what == "untrained":
        state = json.loads((run / "run.json").read_text())
        del state["stages"]["train"]
        (run / "run.json").write_text(json.dumps(state))
    elif what == "another":
        source = run / "checkpoints" / "kto"
    elif what == "no weights":
        (run / "checkpoints" / "dpo" / "adapter_model.safetensors").unlink()
    else:
        (run / "checkpoints" / "dpo" / "adapter_config.json").write_text("{")
    with pytest.raises(DataError, match=says[what]):
        export(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_weights_have_nothing_to_merge(tmp_path: Path) -> None:
    """And say so, before anything is loaded."""
    with pytest.raises(RecipeError, match="nothing to merge: leave --merge out"):
        export(a_run(tmp_path, form="full"), tmp_path / "out", merge=True)


def test_a_base_that_is_gone_is_asked_for_before_anything_is_loaded(tmp_path: Path) -> None:
    """A hub would be asked for `models/gone`, which may be another's model."""
    with pytest.raises(DataError, match=r"models/gone: the base is not here .*--base"):
        export(a_run(tmp_path, base="models/gone"), tmp_path / "out", merge=True)

"""A hub on this machine that the libraries in this process ask, and runs to send to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interchanged import examples, written
from solon.data.records import Checkpoint, Constitution, Principle
from solon.rundir import RunDirectory
from solon.testing.hub import HubServer

CONSTITUTION = Constitution(name="brief", version="1", principles=(Principle(id="short", text="Be brief."),))
CARD = (
    "---\ntags:\n- solon\nconfigs:\n- config_name: preference\n  default: true\n  data_files:\n"
    "  - split: train\n    path: preference/train.parquet\n  - split: test\n    path: preference/test.parquet\n"
    "- config_name: sft\n  data_files:\n  - split: train\n    path: sft/train.parquet\n---\n\n# Datasets\n\n"
    "- Constitution: brief\n\n## Loading\n\nFrom the run directory, which holds this folder:\n\n"
    'preference = load_dataset("datasets", "preference")\n'
)
CANARIES = ("canary-ledger", "canary-log", "canary-env", "canary-recipe", "canary-judgment", "canary-candidate")


def asked_here(hub: HubServer, folder: Path, patch: pytest.MonkeyPatch, token: str | None = "hf_write") -> None:
    """Makes ``huggingface_hub`` and ``datasets`` of this process ask this hub, with caches of their own."""
    from huggingface_hub import constants

    patch.setattr(constants, "HF_HUB_OFFLINE", False)  # as the environment was where it was imported
    patch.setattr(constants, "ENDPOINT", hub.root)
    template = hub.root + "/{repo_id}/resolve/{revision}/{filename}"
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    patch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))
    patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if token is None:
        patch.delenv("HF_TOKEN", raising=False)
    else:
        patch.setenv("HF_TOKEN", token)


def datasets_ask(hub: HubServer, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """The same for what ``datasets`` has noted when it was imported."""
    import datasets

    patch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    patch.setattr(datasets.config, "HF_ENDPOINT", hub.root)
    patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "datasets")


def a_run(folder: Path, *, base: str = "models/base") -> Path:
    """A run directory with datasets, an adapter, and files that must never leave, each with a canary."""
    path = folder / "runs" / "first"
    (folder / "models" / "base").mkdir(parents=True)
    (folder / "models" / "base" / "config.json").write_text('{"model_type": "llama"}')
    checkpoint = Checkpoint(
        path="checkpoints/dpo", base_model=base, form="lora", trainer="dpo", dataset="0123456789abcdef", metrics={}
    )
    with RunDirectory.open(path) as run:
        run.begin(
            name="first",
            seed=7,
            constitution=CONSTITUTION.model_dump(mode="json"),
            versions={},
            recipe="train: {kind: dpo}\n",
        )
        made = path / "checkpoints" / "dpo"
        made.mkdir(parents=True)
        (made / "adapter_model.safetensors").write_bytes(b"weights")
        config: dict[str, Any] = {"task_type": "CAUSAL_LM", "base_model_name_or_path": str(folder / "models" / "base")}
        import json

        (made / "adapter_config.json").write_text(json.dumps(config))
        (made / "tokenizer.json").write_text("{}")
        (made / "README.md").write_text("# card\n")
        run.finish("train", {}, [], {"checkpoint": checkpoint.model_dump(mode="json"), "trainer": {"kind": "dpo"}})
    records = examples("preference")
    written(path / "datasets", "preference", records[:3])
    written(path / "datasets", "preference", records[3:], "test")
    written(path / "datasets", "sft", examples("sft"))
    (path / "datasets" / "README.md").write_text(CARD)
    for name, canary in zip(
        (".solon/ledger.sqlite", "run.log", "datasets/.env", "notes.yaml", "judgments.jsonl", "candidates.jsonl"),
        CANARIES,
        strict=True,
    ):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(canary)
    return path

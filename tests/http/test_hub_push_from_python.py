"""What a run sends to a hub from Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import solon
from hubs import a_run, asked_here
from solon.errors import RecipeError
from solon.testing import HubServer

pytestmark = pytest.mark.filterwarnings("default")  # what the libraries warn of is their own


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        asked_here(server, tmp_path, monkeypatch)
        yield server


def test_a_run_sends_its_datasets_and_its_model(hub: HubServer, tmp_path: Path) -> None:
    """Each with its card, private unless told otherwise."""
    run = solon.open_run(a_run(tmp_path))
    data = run.push_to_hub("hf://org/data")
    model = run.push_to_hub("hf://org/model", what="model", private=False)
    assert (data.private, model.private) == (True, False)
    assert "preference/train.parquet" in hub.repositories["datasets/org/data"].files
    assert {"README.md", "adapter_config.json"} <= hub.repositories["models/org/model"].files.keys()


def test_what_is_of_models_alone_is_refused_of_datasets(hub: HubServer, tmp_path: Path) -> None:
    """Rather than ignored."""
    with pytest.raises(RecipeError):
        solon.open_run(a_run(tmp_path)).push_to_hub("hf://org/data", merge=True)
    assert not hub.repositories

"""LLaMA-Factory's own loader reads what is written for it, by the dataset_info.json that is written beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from interchanged import examples, messages
from solon.data.records import Demonstration, Preference, Rating, Task
from solon.interchange.converting import Converted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(
        find_spec("llamafactory") is None, reason="LLaMA-Factory is not installed: see `make interchange-tests`"
    ),
]


def aligned(converted: Converted, name: str, stage: str) -> list[dict[str, Any]]:
    """The rows as LLaMA-Factory aligns them for a stage of training, which it also checks."""
    if find_spec("torchaudio") is None:
        # imported by the module that also loads sound, of which there is none here
        silent = ModuleType("torchaudio")
        silent.__spec__ = ModuleSpec("torchaudio", None)
        sys.modules["torchaudio"] = silent
    from llamafactory.data.loader import _get_merged_dataset

    model = SimpleNamespace(cache_dir=None, hf_hub_token=None)
    data = SimpleNamespace(
        dataset_dir=converted.folder,
        streaming=False,
        max_samples=None,
        preprocessing_num_workers=None,
        overwrite_cache=True,
        media_dir=None,
    )
    training = SimpleNamespace(local_process_index=0, seed=0)
    return list(_get_merged_dataset([name], model, data, training, stage))


def prompt_and_system(record: Any) -> tuple[list[dict[str, str]], str]:
    turns = messages(record)
    return (turns[1:], turns[0]["content"]) if turns[0]["role"] == "system" else (turns, "")


def spoken(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_preferences(into: Callable[[str], Converted]):
    rows = aligned(into("llama-factory"), "preference_train", "rm")
    for row, one in zip(rows, examples("preference"), strict=True):
        assert isinstance(one, Preference)
        assert (row["_prompt"], row["_system"] or "") == prompt_and_system(one)
        assert row["_response"] == [spoken(one.chosen), spoken(one.rejected)]


def test_labelled_responses_stand_in_the_place_of_their_label(into: Callable[[str], Converted]):
    """The desirable one first, the undesirable one second; the other place is empty."""
    rows = aligned(into("llama-factory"), "unpaired_train", "kto")
    for row, one in zip(rows, examples("unpaired"), strict=True):
        assert isinstance(one, Rating)
        assert (row["_prompt"], row["_system"] or "") == prompt_and_system(one)
        pair = [spoken(one.completion), spoken("")]
        assert row["_response"] == (pair if one.desirable else pair[::-1])


def test_demonstrations(into: Callable[[str], Converted]):
    rows = aligned(into("llama-factory"), "sft_train", "sft")
    for row, one in zip(rows, examples("sft"), strict=True):
        assert isinstance(one, Demonstration)
        assert (row["_prompt"], row["_system"] or "") == prompt_and_system(one)
        assert row["_response"] == [spoken(one.completion)]


def test_prompts(into: Callable[[str], Converted]):
    rows = aligned(into("llama-factory"), "prompts_train", "ppo")
    for row, one in zip(rows, examples("prompts"), strict=True):
        assert isinstance(one, Task)
        assert (row["_prompt"], row["_system"] or "") == prompt_and_system(one)
        assert row["_response"] == []

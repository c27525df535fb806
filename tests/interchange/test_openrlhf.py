"""OpenRLHF's own datasets read what is written for it, under the options that are printed for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest

from interchanged import asked, examples
from solon.data.records import Demonstration, Preference
from solon.interchange.converting import Converted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(find_spec("openrlhf") is None, reason="OpenRLHF is not installed: see `make interchange-tests`"),
]


def strategy(converted: Converted, holding: str) -> SimpleNamespace:
    """What OpenRLHF parses of the printed command line, and the file that it names."""
    block = next(one for one in converted.needs.split("\n\n") if f"/{holding}/" in one)
    options = dict(re.findall(r"--data\.(\w+) ([^\s-]\S*)", block))
    options["apply_chat_template"] = "--data.apply_chat_template" in block
    data = SimpleNamespace(**options)
    return SimpleNamespace(args=SimpleNamespace(data=data, use_ms=False), print=print, is_rank_0=lambda: True)


def loaded(told: SimpleNamespace) -> Any:
    from openrlhf.datasets.utils import blending_datasets

    file = getattr(told.args.data, "dataset", None) or told.args.data.prompt_dataset
    return blending_datasets(file, None, told, dataset_split="train")


@pytest.mark.parametrize("is_dpo", [True, False], ids=["dpo", "reward model"])
def test_preferences(into: Callable[[str], Converted], tokenizer: Any, is_dpo: bool):
    from openrlhf.datasets import RewardDataset

    told = strategy(into("openrlhf"), "preference")
    rows = RewardDataset(loaded(told), tokenizer, 4096, told, is_dpo=is_dpo, num_processors=1)
    records = [one for one in examples("preference") if isinstance(one, Preference)]
    assert list(rows.prompts) == [asked(one) for one in records]
    assert list(rows.chosens) == [f"{one.chosen}<eos>" for one in records]
    assert list(rows.rejects) == [f"{one.rejected}<eos>" for one in records]
    if not is_dpo:
        assert list(rows.extras) == [one.margin for one in records]


def test_demonstrations(into: Callable[[str], Converted], tokenizer: Any):
    from openrlhf.datasets import SFTDataset

    told = strategy(into("openrlhf"), "sft")
    rows = SFTDataset(loaded(told), tokenizer, 4096, told, num_processors=1)
    records = [one for one in examples("sft") if isinstance(one, Demonstration)]
    assert list(rows.prompts) == [asked(one) for one in records]
    assert list(rows.responses) == [f"{one.completion}<eos>" for one in records]


def test_prompts_with_their_right_answers(into: Callable[[str], Converted], tokenizer: Any):
    from openrlhf.datasets import PromptDataset

    told = strategy(into("openrlhf"), "prompts")
    rows = PromptDataset(loaded(told), tokenizer, told)
    assert rows.prompts == [asked(one) for one in examples("prompts")]
    assert rows.labels == ["0", "1", "2", "3"]


def test_a_prompt_with_the_mark_of_a_picture_is_left_out_for_a_reason(tokenizer: Any):
    """OpenRLHF makes content of parts of it, which is why such a row is not written."""
    from openrlhf.datasets.prompts_dataset import preprocess_data

    seen: list[Any] = []
    preprocess_data({"input": "<image>?"}, None, "input", None, lambda chat, **_: seen.append(chat))
    assert isinstance(seen[0][0]["content"], list)

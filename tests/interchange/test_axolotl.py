"""Axolotl's own loaders read what is written for it, by the YAML that is printed for it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from interchanged import asked, examples, messages
from solon.data.records import Demonstration, Preference, Rating
from solon.interchange.converting import Converted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(find_spec("axolotl") is None, reason="Axolotl is not installed: see `make interchange-tests`"),
]


def config(converted: Converted, holding: str, tokenizer_folder: Path) -> Any:
    """The YAML that is printed, with what else a training needs."""
    from axolotl.utils.dict import DictDefault

    printed = converted.needs.removeprefix("```yaml\n").removesuffix("\n```")
    told = next(one for one in yaml.safe_load_all(printed) if f"/{holding}/" in one["datasets"][0]["path"])
    return DictDefault(
        {
            **told,
            "chat_template": "tokenizer_default",
            "sequence_len": 4096,
            "tokenizer_config": str(tokenizer_folder),
            "base_model": str(tokenizer_folder),
            "tokenizer_type": "AutoTokenizer",
            "dataset_num_proc": 1,
            "is_preprocess": True,
        }
    )


def rows_of(converted: Converted, holding: str, tokenizer_folder: Path) -> list[dict[str, Any]]:
    from axolotl.utils.data.rl import _load_split
    from axolotl.utils.schemas.enums import RLType

    told = config(converted, holding, tokenizer_folder)
    told["rl"] = RLType(told["rl"])
    return list(_load_split(told, "train"))


def test_preferences(into: Callable[[str], Converted], tokenizer_folder: Path):
    rows = rows_of(into("axolotl"), "preference", tokenizer_folder)
    records = [one for one in examples("preference") if isinstance(one, Preference)]
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in rows] == [
        (asked(one), f"{one.chosen}<eos>", f"{one.rejected}<eos>") for one in records
    ]


def test_labelled_responses(into: Callable[[str], Converted], tokenizer_folder: Path):
    """Of KTO Axolotl writes the template itself: here that of ChatML."""
    rows = rows_of(into("axolotl"), "unpaired", tokenizer_folder)
    for row, one in zip(rows, examples("unpaired"), strict=True):
        assert isinstance(one, Rating)
        turns = "".join(f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages(one))
        assert row["prompt"] == f"{turns}<|im_start|>assistant\n"
        assert row["completion"] == f"{one.completion}<|im_end|>"
        assert row["label"] is one.desirable


def test_demonstrations_teach_the_last_answer_alone(into: Callable[[str], Converted], tokenizer_folder: Path):
    """The answers before it are context, as in solon, by the mark that each message has."""
    from axolotl.prompt_strategies import load
    from axolotl.utils.data.shared import load_dataset_with_config
    from transformers import AutoTokenizer

    told = config(into("axolotl"), "sft", tokenizer_folder)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    rows = load_dataset_with_config(told["datasets"][0], False)
    strategy = load("chat_template", tokenizer, told, told["datasets"][0])
    for row, one in zip(rows, examples("sft"), strict=True):
        assert isinstance(one, Demonstration)
        tokens = strategy.tokenize_prompt(row)
        assert tokenizer.decode(tokens["input_ids"]) == f"{asked(one)}{one.completion}<eos>"
        learnt = [token for token in tokens["labels"] if token != -100]
        assert tokenizer.decode(learnt) == f"{one.completion}<eos>"


def test_prompts_go_to_trl_as_they_are(into: Callable[[str], Converted], tokenizer_folder: Path):
    rows = rows_of(into("axolotl"), "prompts", tokenizer_folder)
    assert [row["prompt"] for row in rows] == [messages(one) for one in examples("prompts")]
    assert [row["reference"] for row in rows] == ["0", "1", "2", "3"]


def test_a_response_with_space_around_it_is_cut_where_the_template_trims(tokenizer_folder: Path):
    """What the note about ``spaces`` says: Llama 3's template trims, and the reader no longer finds the response."""
    from axolotl.prompt_strategies.dpo.chat_template import default
    from axolotl.utils.dict import DictDefault
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    trimming = tokenizer.chat_template.replace("message['content']", "message['content'] | trim")
    tokenizer.chat_template = trimming
    transform, _ = default(DictDefault({"chat_template": "tokenizer_default", "datasets": [{}]}))
    said = {"messages": [{"role": "user", "content": "Hi"}], "rejected": {"role": "assistant", "content": "No"}}
    row = transform({**said, "chosen": {"role": "assistant", "content": "Hello "}}, tokenizer=tokenizer)
    assert (row["chosen"], row["rejected"]) == (">", "No<eos>")

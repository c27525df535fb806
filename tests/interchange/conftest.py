"""One conversion of every kind into every layout, and a tokenizer whose chat template is easy to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interchanged import examples, written
from solon.interchange.converting import Converted, convert
from solon.interchange.layouts import LAYOUTS
from solon.interchange.shapes import HOLDINGS

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module", autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No hub is asked, nobody is told, and nothing is written to the user's own cache of datasets.

    For these tests alone: whether ``huggingface_hub`` asks a hub is settled for the process where it is imported.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HUB_OFFLINE", "AXOLOTL_DO_NOT_TRACK", "DO_NOT_TRACK"):
            patch.setenv(name, "1")
        import datasets
        from huggingface_hub import constants

        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))
        yield


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Axolotl leaves what it has prepared in the folder where it works."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def into(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Converted]:
    """Every kind of rows that a layout holds, converted into it."""
    done: dict[str, Converted] = {}

    def converted(layout: str) -> Converted:
        if layout not in done:
            folder = tmp_path_factory.mktemp(layout)
            for holding in HOLDINGS:
                if holding in LAYOUTS[layout].targets:
                    written(folder / "data", holding, examples(holding))
            done[layout] = convert(folder / "data", layout, folder / "out")
            assert not done[layout].dropped
        return done[layout]

    return converted


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bytes, and a mark for each role."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, PreTrainedTokenizerFast

    special = ["<pad>", "<eos>", "<|system|>", "<|user|>", "<|assistant|>"]
    vocabulary = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    raw = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(vocabulary)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>")
    tokenizer.add_special_tokens({"additional_special_tokens": special[2:]})
    tokenizer.chat_template = TEMPLATE
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save_pretrained(folder)
    LlamaConfig(vocab_size=len(vocabulary)).save_pretrained(folder)  # Axolotl asks it for the kind of model
    return folder


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tokenizer_folder)

"""Loading real (tiny) models, and saying what is wrong with folders that are not one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from solon.errors import DataError, ModelRejected
from solon.testing.tiny import tiny_llama, tiny_t5, tiny_tokenizer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model folder with bfloat16 weights; tests copy it before they break it."""
    return tiny_llama(tmp_path_factory.mktemp("loading") / "tiny", dtype="bfloat16")


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    """The model folder, to be broken."""
    return Path(shutil.copytree(tiny, tmp_path / "tiny"))


def refusal(folder: Path | str, **options: object) -> str:
    """What loading says of the folder."""
    from solon.models.backend.loading import load

    with pytest.raises(DataError) as caught:
        load(str(folder), **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_model_loads_with_what_serving_and_training_need(tiny: Path) -> None:
    """bfloat16 is slow and coarse on a CPU, so weights are upcast there."""
    import torch

    from solon.models.backend.loading import load

    loaded = load(str(tiny))
    assert loaded.model.dtype == torch.float32
    assert (loaded.device.type, loaded.eos_ids, loaded.pad_id, loaded.context) == ("cpu", (1,), 0, 1024)
    assert (loaded.tokenizer.padding_side, loaded.model.training) == ("left", False)


def test_a_dtype_that_is_asked_for_is_kept(tiny: Path) -> None:
    """Half precision halves the memory, on a CPU too."""
    import torch

    from solon.models.backend.loading import load

    assert load(str(tiny), dtype="bfloat16").model.dtype == torch.bfloat16


def test_threads_are_set_for_the_process(tiny: Path) -> None:
    """Results are the same to the last bit only at a fixed number."""
    import torch

    from solon.models.backend.loading import load

    before = torch.get_num_threads()
    try:
        load(str(tiny), threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_every_end_token_counts(copy: Path) -> None:
    """Llama 3.1 names three in generation_config.json, and the tokenizer's own is only one of them."""
    from solon.models.backend.loading import load

    config = json.loads((copy / "generation_config.json").read_text())
    (copy / "generation_config.json").write_text(json.dumps(config | {"eos_token_id": [7, 3]}))
    assert load(str(copy)).eos_ids == (1, 3, 7)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["<|reserved_special_token_0|>", "<|finetune_right_pad_id|>"], "<|finetune_right_pad_id|>"),
        (["<|reserved_special_token_1|>", "<|reserved_special_token_0|>"], "<|reserved_special_token_1|>"),
        ([], "<|end|>"),
    ],
)
def test_a_missing_pad_token_is_a_token_without_another_use(copy: Path, tokens: list[str], expected: str) -> None:
    """Llama 3.1 has no pad token; padding with the end token teaches models not to stop. First by id, not by name."""
    from solon.models.backend.loading import load_tokenizer

    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = None
    tokenizer.add_special_tokens({"additional_special_tokens": tokens})
    tokenizer.save_pretrained(copy)
    assert load_tokenizer(str(copy)).pad_token == expected


def test_a_folder_without_a_tokenizer_says_what_to_copy(copy: Path) -> None:
    """The most common half-copied model folder."""
    (copy / "tokenizer.json").unlink()
    (copy / "tokenizer_config.json").unlink()
    assert refusal(copy) == (
        f"{copy}: this model folder has no tokenizer (tokenizer.json) (copy tokenizer.json and tokenizer_config.json "
        "of the model it was trained from into the folder)"
    )


def test_a_folder_without_config_is_named(copy: Path) -> None:
    """Otherwise it would be looked for on the hub."""
    (copy / "config.json").unlink()
    assert "this model folder has no config.json (give the folder that save_pretrained wrote)" in refusal(copy)


def test_an_adapter_folder_is_not_a_model(copy: Path) -> None:
    """LoRA training writes one, and giving it as the model is the natural mistake."""
    (copy / "config.json").rename(copy / "adapter_config.json")
    assert "an adapter, not a model (give its base model as `model` and this folder as `adapter`)" in refusal(copy)


def test_a_folder_without_weights_is_named(copy: Path) -> None:
    """Half a download."""
    (copy / "model.safetensors").unlink()
    assert "has no weights (*.safetensors) (copy model.safetensors into the folder)" in refusal(copy)


def test_pickled_weights_are_never_loaded(copy: Path) -> None:
    """A pickle runs any code when it is opened."""
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    assert "has pickled weights only, no *.safetensors" in refusal(copy)


def test_damaged_weights_are_an_error_with_a_place(copy: Path) -> None:
    """A truncated copy, found by its header; safetensors' own error names no file."""
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert refusal(copy).startswith(f"{weights}: these weights are cut off or damaged: its header would end at byte ")


def test_a_tokenizer_without_a_chat_template_says_so(copy: Path) -> None:
    """Base models have none; guessing one would train on a format that nobody chose."""
    (copy / "chat_template.jinja").unlink()
    assert "has no chat template, so it cannot take messages (take an instruction-tuned model" in refusal(copy)


def test_a_tokenizer_of_a_larger_model_is_refused(copy: Path) -> None:
    """Its last tokens would index past the embeddings, in the middle of a run."""
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["solon"])
    tokenizer.save_pretrained(copy)
    assert "the tokenizer knows 262 tokens, more than the model" in refusal(copy)


@pytest.mark.parametrize("model", ["./no/such/folder", "/no/such", "no/such/folder"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(model: str) -> None:
    """A misspelt path must not become a request to a server."""
    assert refusal(model) == f"{model}: there is no such model folder (give a folder, or a hub id such as org/name)"


def test_an_adapter_folder_without_weights_is_named(tiny: Path, tmp_path: Path) -> None:
    """An interrupted training leaves one."""
    message = refusal(tiny, adapter=str(tmp_path))
    assert (
        message
        == f"{tmp_path}: this adapter folder has no adapter_config.json (give the folder that a LoRA training wrote)"
    )


def test_an_adapter_is_put_on_top_and_can_be_merged(tiny: Path, tmp_path: Path) -> None:
    """Serving merges it for speed; training goes on from it as it is. Both say the same."""
    import torch
    from peft import LoraConfig, get_peft_model

    from solon.models.backend.loading import load

    torch.manual_seed(0)
    adapted = get_peft_model(
        load(str(tiny)).model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    )
    adapted.save_pretrained(tmp_path / "lora")
    plain, on_top, merged = (
        load(str(tiny), adapter=adapter, merge=merge)
        for adapter, merge in [(None, False), (str(tmp_path / "lora"), False), (str(tmp_path / "lora"), True)]
    )
    tokens = torch.arange(10)[None]
    with torch.inference_mode():
        scores = [loaded.network(tokens).logits for loaded in (plain, on_top, merged)]
    assert hasattr(on_top.model, "peft_config")
    assert not hasattr(merged.model, "peft_config")
    torch.testing.assert_close(scores[1], scores[2], atol=1e-4, rtol=1e-4)
    assert (scores[0] - scores[1]).abs().max() > 0.1


def test_an_adapter_of_another_model_is_refused(tiny: Path, tmp_path: Path) -> None:
    """Its shapes do not fit, and torch's message is a page long."""
    from peft import LoraConfig, get_peft_model

    from solon.models.backend.loading import load

    wide = tiny_llama(tmp_path / "wide", hidden_size=64)
    get_peft_model(load(str(wide)).model, LoraConfig(r=4, target_modules="all-linear")).save_pretrained(
        tmp_path / "lora"
    )
    shutil.rmtree(wide)  # as on another machine: what is here says nothing of it
    assert f"which was trained on {str(wide)!r}, does not fit" in refusal(tiny, adapter=str(tmp_path / "lora"))


def test_four_bits_without_a_gpu_are_refused_before_anything_is_loaded(copy: Path) -> None:
    """The weights are damaged, and still the message is about the GPU."""
    import torch

    from solon.models.backend.loading import load

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    (copy / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelRejected, match=r"load_in_4bit needs an NVIDIA GPU.*set load_in_4bit to false"):
        load(str(copy), load_in_4bit=True)
    with pytest.raises(ModelRejected, match="torch sees no GPU here: set device to 'cpu' or 'auto'"):
        load(str(copy), device="cuda")


@pytest.mark.parametrize("make", [tiny_llama, tiny_t5])
def test_the_same_seed_makes_the_same_tiny_model_and_another_seed_another(make: Any, tmp_path: Path) -> None:
    """Tests of training compare runs, which must start from the same weights."""
    first, again, other = (make(tmp_path / name, seed) for name, seed in [("a", 1), ("b", 1), ("c", 2)])
    weights = [(folder / "model.safetensors").read_bytes() for folder in (first, again, other)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]

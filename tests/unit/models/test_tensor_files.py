"""What is wrong with a safetensors file is found by its header, before anything is loaded or paid for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from safetensors_files import LYING, adapter_folder, model_folder, safetensors
from solon.errors import DataError
from solon.models.backend.adapters import check_adapter, check_base
from solon.models.backend.folders import check_folder
from solon.models.backend.tensor_files import Tensor, check_weights, tensors_of, tensors_of_folder
from solon.models.classifier import SequenceClassifier
from solon.models.transformers import Transformers

INDEX = "model.safetensors.index.json"
MODULE = "model.layers.0.self_attn.q_proj"
BASE = {f"{MODULE}.weight": (6, 4)}
LORA = {f"base_model.model.{MODULE}.lora_A.weight": (2, 4), f"base_model.model.{MODULE}.lora_B.weight": (6, 2)}


def test_the_header_tells_each_tensor(tmp_path: Path) -> None:
    """Its type and shape, and nothing of its numbers."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(safetensors({"a": (2, 3), "b": (), "c": (0, 5)}, "BF16"))
    assert tensors_of(file) == {"a": Tensor("BF16", (2, 3)), "b": Tensor("BF16", ()), "c": Tensor("BF16", (0, 5))}


@pytest.mark.reliability("models")
def test_a_file_that_lies_about_itself_is_found_by_what_checks_a_recipe(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """As a policy or judge, as a classifier, and as an adapter: each with the file and what to do."""
    for number, (name, weights) in enumerate(LYING.items()):
        folder = str(model_folder(tmp_path / str(number), weights))
        adapter = str(adapter_folder(tmp_path / f"{number}-adapter", weights))
        sound = str(model_folder(tmp_path / f"{number}-sound", safetensors(BASE)))
        for model in (
            Transformers(model=folder),
            SequenceClassifier(model=folder),
            Transformers(model=sound, adapter=adapter),
            SequenceClassifier(model=sound, adapter=adapter),
        ):
            problem = model.problems()[0]
            assert "safetensors: these weights are cut off or damaged: " in problem, name
            assert problem.endswith(" (copy or download it again)"), name
    figure(f"{len(LYING)} cut off or lying safetensors, 4 uses: all found by `check`")


def test_a_sound_folder_has_no_problem(tmp_path: Path) -> None:
    """Or else the tests above would say nothing."""
    folder, adapter = model_folder(tmp_path / "m", safetensors(BASE)), adapter_folder(tmp_path / "a", safetensors(LORA))
    assert not [problem for problem in Transformers(model=str(folder)).problems() if "installed" not in problem]
    check_adapter(str(adapter))
    check_base(str(adapter), str(folder))
    assert list(tensors_of_folder(str(folder))) == list(BASE)


def test_of_a_model_in_parts_each_part_is_looked_at(tmp_path: Path) -> None:
    """Half a download of a large model is the most common of all damages."""
    folder = model_folder(tmp_path / "m", b"")
    (folder / "model.safetensors").unlink()
    parts = {f"model-0000{number}-of-00003.safetensors": {f"w{number}": (2, 2)} for number in (1, 2, 3)}
    for name, shapes in parts.items():
        (folder / name).write_bytes(safetensors(shapes))
    places = {weight: name for name, shapes in parts.items() for weight in shapes}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    check_weights(str(folder))
    (folder / "leftover.safetensors").write_bytes(b"of no concern: the index does not name it")
    check_weights(str(folder))
    (folder / "model-00002-of-00003.safetensors").write_bytes(safetensors({"w2": (2, 2)})[:-3])
    with pytest.raises(DataError, match=r"model-00002-of-00003\.safetensors: these weights are cut off"):
        check_weights(str(folder))
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(DataError, match=r"'model-00002-of-00003.safetensors', which is not there \(1 of 3 files"):
        check_weights(str(folder))


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "../other/model.safetensors", "/etc/x.safetensors", "a\\b.safetensors", 3]
)
def test_an_index_names_safetensors_of_its_folder_and_nothing_else(tmp_path: Path, name: object) -> None:
    """Transformers opens what the index says: a pickle, or a file anywhere."""
    folder = model_folder(tmp_path / "m", b"")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {"w": name}}))
    with pytest.raises(DataError, match=r"no safetensors file of this folder|no index of weights"):
        check_weights(str(folder))


@pytest.mark.parametrize("name", ["attn_implementation", "_attn_implementation", "experts_implementation"])
@pytest.mark.parametrize("form", [lambda it: it, lambda it: {"": it}])
def test_a_configuration_that_names_kernels_to_fetch_is_refused(
    tmp_path: Path, name: str, form: Callable[[str], object]
) -> None:
    """Transformers would download compiled code from the hub and run it."""
    for config in ({name: form("org/kernel")}, {"text_config": {name: form("org/kernel")}}):
        folder = model_folder(tmp_path / str(len(list(tmp_path.iterdir()))), safetensors(BASE), config)
        with pytest.raises(DataError, match=f"`{name}: org/kernel`, code to fetch and run, and that is never done"):
            check_folder(str(folder))
    check_folder(str(model_folder(tmp_path / "sound", safetensors(BASE), {name: form("sdpa")})))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "of the kind 'PROMPT_TUNING', and only LoRA is read"),
        ({"peft_type": "ours"}, "of the kind 'ours', and only LoRA is read"),
        ({"peft_type": ["LORA"]}, "only LoRA is read"),
        ({"megatron_config": {"a": 1}, "megatron_core": "os"}, "imports a module that the adapter names"),
        ({"layer_replication": [[0, 10**9]]}, "makes layers of its own"),
        ({"r": 2**40}, r"says rank 1099511627776, and .*lora_A.weight has rank 2"),
        ({"r": "2"}, "says rank '2'"),
        ({"r": [2]}, r"says rank \[2\]"),
        ({"r": 8, "rank_pattern": {"q_proj": 3}}, "has rank 2"),
        (
            {"r": 2, "rank_pattern": {"mlp": 2**40}},
            "`rank_pattern` in .* says rank 1099511627776, and no matrix has it",
        ),
    ],
)
def test_an_adapter_that_asks_for_what_is_never_done_is_refused(
    tmp_path: Path, config: dict[str, object], says: str
) -> None:
    """By its configuration alone, before memory is taken or a module imported."""
    adapter = adapter_folder(tmp_path / "a", safetensors(LORA), **config)
    with pytest.raises(DataError, match=says):
        check_adapter(str(adapter))


def test_ranks_of_single_modules_are_ranks_too(tmp_path: Path) -> None:
    """``rank_pattern``, as AdaLoRA leaves it; and a mapping that PEFT makes for itself is of no concern."""
    auto = {"base_model_class": "Evil", "parent_library": "evil"}
    adapter = adapter_folder(tmp_path / "a", safetensors(LORA), r=8, rank_pattern={"q_proj": 2}, auto_mapping=auto)
    check_adapter(str(adapter))


def test_the_matrices_of_all_experts_may_lie_in_one(tmp_path: Path) -> None:
    """``target_parameters``: of three experts at rank 2 it has rank 6."""
    name = "base_model.model.model.layers.0.mlp.experts"
    tensors = safetensors({f"{name}.lora_A.weight": (6, 4), f"{name}.lora_B.weight": (8, 6)})
    check_adapter(str(adapter_folder(tmp_path / "a", tensors, target_parameters=["mlp.experts.down_proj"])))
    with pytest.raises(DataError, match=r"says rank 2, and .* has rank 6"):
        check_adapter(str(adapter_folder(tmp_path / "b", tensors)))


def test_an_adapter_of_4_bits_goes_on_the_same_model_in_16(tmp_path: Path) -> None:
    """Though the weights of the folder that it was trained on are others; of a model in 16 bits they may not be."""
    packed = safetensors({f"{MODULE}.weight": (12, 1)}, "U8")
    quantised = {"model_type": "llama", "quantization_config": {"load_in_4bit": True}}
    trained_on = model_folder(tmp_path / "packed", packed, quantised)
    adapter = adapter_folder(tmp_path / "a", safetensors(LORA), base_model_name_or_path=str(trained_on))
    model = str(model_folder(tmp_path / "m", safetensors(BASE)))
    check_base(str(adapter), model)
    (trained_on / "config.json").write_text("{}")
    with pytest.raises(DataError, match="whose weights are others"):
        check_base(str(adapter), model)


def test_what_git_lfs_left_in_the_place_of_weights_is_told_by_its_remedy(tmp_path: Path) -> None:
    """As a clone without it leaves them: nothing is damaged."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    with pytest.raises(DataError, match=r"stands for weights that Git LFS has not fetched \(git lfs pull\)"):
        check_weights(str(model_folder(tmp_path / "m", pointer)))


@pytest.mark.parametrize(("side", "shape"), [("A", (2, 5)), ("B", (7, 2))])
def test_an_adapter_that_does_not_fit_is_found_before_its_model_is_loaded(
    tmp_path: Path, side: str, shape: tuple[int, int]
) -> None:
    """By the shapes in both headers; of a matrix that is stored the other way round, too."""
    name = f"base_model.model.{MODULE}.lora_{side}.weight"
    adapter = adapter_folder(tmp_path / "a", safetensors({**LORA, name: shape}), base_model_name_or_path="org/it")
    for number, base in enumerate((BASE, {f"{MODULE}.weight": (4, 6)})):
        folder = model_folder(tmp_path / str(number), safetensors(base))
        (problem,) = [
            text for text in Transformers(model=str(folder), adapter=str(adapter)).problems() if MODULE in text
        ]
        assert "which was trained on 'org/it', does not fit" in problem
        assert f"lora_{side}.weight is {shape[0]} x {shape[1]}" in problem
    packed = model_folder(tmp_path / "packed", safetensors({f"{MODULE}.weight": (12, 1)}, "U8"))
    check_base(str(adapter), str(packed))  # 4-bit weights have other shapes on disk


def test_an_adapter_of_pickled_weights_says_why_it_is_not_read(tmp_path: Path) -> None:
    """Older versions of PEFT wrote them."""
    adapter = adapter_folder(tmp_path / "a", b"")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(DataError, match="has pickled weights only, and loading a pickle can run any code"):
        check_adapter(str(adapter))

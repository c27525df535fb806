"""Models that are divided among two processes (FSDP): trained as by one, written whole, and killed in between."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from several import Several
from solon.errors import RecipeError
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora, Policy
from solon.trainers.dpo import DPO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and PEFT warn of is theirs
]
SETTINGS = {"learning_rate": 1e-2, "batch_size": 4, "gradient_accumulation": 1, "save_every": 2}
PAIRS = [{"prompt": f"{n}?", "chosen": "nay" * (1 + n % 3), "rejected": "yes"} for n in range(16)]
ONLINE = {"max_new_tokens": 4, "reward": {"kind": "rules", "rules": {"short": {"length": "characters", "max": 2}}}}
GROUPS = ONLINE | {"num_generations": 2, "max_steps": 4}
DATASETS = {
    "asked": [{"prompt": f"{n}?"} for n in range(16)],
    "pairs": PAIRS,
    "odd": PAIRS[:13],
    "rated": [{"prompt": f"{n}?", "completion": "nay" * (1 + n % 3), "label": n % 2 == 0} for n in range(16)],
    "shown": [{"prompt": f"{n}?", "completion": "nay" * (1 + n % 3)} for n in range(16)],
}
TRAININGS = {
    "sft": ("shown", {}),
    "sft, adapters": ("shown", {"lora": {"r": 4}}),
    "reward": ("pairs", {}),
    "reward, adapters": ("pairs", {"lora": {"r": 4}}),
    "dpo": ("pairs", {}),
    "dpo, adapters": ("pairs", {"lora": {"r": 4}}),
    "dpo, asking the reference at each step": ("pairs", {"precompute_reference": False}),
    "kto": ("rated", {}),
    "simpo, adapters": ("odd", {"lora": {"r": 4}}),
    "orpo": ("odd", {}),
    "grpo": ("asked", GROUPS | {"beta": 0.1}),
    "rloo, adapters": ("asked", GROUPS | {"lora": {"r": 4}}),
    "ppo": ("asked", ONLINE | {"passes": 2}),
    "ppo, adapters": ("asked", ONLINE | {"passes": 2, "lora": {"r": 4}}),
}
KILLED = ("sft", "dpo, adapters", "orpo", "rloo, adapters", "ppo")


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Trains in processes that start with all libraries imported, which takes longer than any of these trainings."""
    folder = tmp_path_factory.mktemp("divided")
    tiny_llama(folder / "base", seed=1, context=64)
    for name, rows in DATASETS.items():
        (folder / name).mkdir()
        pq.write_table(pa.Table.from_pylist(rows), folder / name / "train.parquet")
    with Several(folder) as several:
        yield several


def training(several, kind, *, count, fsdp=None):
    """What ``Several.train`` is given."""
    dataset, settings = TRAININGS[kind]
    return {
        "count": count,
        "fsdp": count > 1 if fsdp is None else fsdp,
        "settings": SETTINGS | {"kind": kind.partition(",")[0]} | settings,
        "base": str(several.folder / "base"),
        "dataset": str(several.folder / dataset),
    }


def by_one_and_two(several, kind):
    """The names of the same training by one process, and of a model that two divided."""
    names = f"{kind} by one", f"{kind} by two"
    for count, name in enumerate(names, start=1):  # with the same completions: grpo and rloo draw others by two
        several.train(name, **training(several, kind, count=count), fixed=True)
    return names


@pytest.mark.parametrize("by", ["recipe", "launcher"])
def test_weights_of_four_bits_are_not_divided(by, monkeypatch):
    """Whoever asks for it: a launcher says so in the environment."""
    from solon.trainers.backend.trl import check_policy

    settings = DPO(lora=Lora(), processes=2, fsdp=True) if by == "recipe" else DPO(lora=Lora())
    if by == "launcher":
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(RecipeError, match=r"policy\.load_in_4bit: 4-bit weights cannot be divided"):
        check_policy(settings, Policy(model="a model", load_in_4bit=True))
    check_policy(settings, Policy(model="a model"))


@pytest.mark.parametrize("kind", TRAININGS)
def test_a_divided_model_is_trained_as_a_whole_one(several, kind):
    """Losses, gradient norms and all other numbers of every step agree but for rounding."""
    one, two = by_one_and_two(several, kind)
    expected = several.logged(one)
    for place in (0, 1):
        found = several.logged(two, place)
        assert len(found) == len(expected) == 4
        for step, same in zip(found, expected, strict=True):
            assert step == pytest.approx(same, abs=1e-3)


@pytest.mark.parametrize("kind", ["grpo"])
def test_a_divided_policy_writes_what_a_whole_one_would(several, kind):
    """Each process draws from a stream of its own in either case: with the same weights, the same words."""
    divided, whole = f"{kind} undisturbed", f"{kind} by two, not divided"
    several.train(divided, **training(several, kind, count=2))
    several.train(whole, **training(several, kind, count=2, fsdp=False))
    for step, same in zip(several.logged(divided), several.logged(whole), strict=True):
        assert step == pytest.approx(same, abs=1e-3)
        assert step["completions/mean_length"] == same["completions/mean_length"]


@pytest.mark.parametrize("kind", TRAININGS)
def test_each_process_holds_its_part_of_the_weights(several, kind):
    """Half of them, at every step: accelerate's own way would divide nothing on a CPU, without a word."""
    _, two = by_one_and_two(several, kind)
    for place in (0, 1):
        held = json.loads((several.left(two, place) / "held.json").read_text())
        assert held == pytest.approx([0.5] * 4, abs=0.01)


@pytest.mark.parametrize("kind", TRAININGS)
def test_a_divided_model_is_written_whole(several, kind):
    """The same files, names, shapes and types as from one process, and nearly the same weights."""
    one, two = by_one_and_two(several, kind)
    files = {file.name for file in several.left(two).iterdir()}
    assert files == {file.name for file in several.left(one).iterdir()}
    for name in (name for name in files if name.endswith(".safetensors")):
        found, expected = load_file(several.left(two) / name), load_file(several.left(one) / name)
        assert found.keys() == expected.keys()
        for weight, same in expected.items():
            assert found[weight].dtype == same.dtype
            # Adam moves a weight whose gradient is all rounding by as much as any other
            assert (found[weight] - same).abs().mean() < 1e-3


@pytest.mark.parametrize("kind", KILLED)
def test_a_divided_training_goes_on_after_a_kill_with_the_same_bits(several, kind):
    """What is kept of it is whole weights and moments, of which each process takes its part again."""
    two = f"{kind} undisturbed"
    given = training(several, kind, count=2)
    several.train(two, **given)
    several.train(f"{kind} killed", **given, stop_at=3)
    several.train(f"{kind} again", **given, kept=f"{kind} killed.kept")
    assert several.logged(f"{kind} again") == [step for step in several.logged(two) if step["step"] > 2]
    assert several.weights(f"{kind} again") == several.weights(two)

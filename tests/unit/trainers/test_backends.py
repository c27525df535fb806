"""Which backend trains, why, and what is refused before anything is loaded."""

import pytest

from solon.errors import MissingExtra, RecipeError
from solon.trainers import backends
from solon.trainers.backends import GPU, Machine, choose, known_type, problems
from solon.trainers.base import Policy
from solon.trainers.dpo import DPO

CARD = GPU("NVIDIA H100", 80.0)
BARE = Machine()
ALL = Machine((CARD,), frozenset({"bitsandbytes", "unsloth"}))
BITS = Machine((CARD,), frozenset({"bitsandbytes"}))
NEITHER = Machine((CARD,))
POLICY = Policy(model="meta-llama/Llama-3.1-8B-Instruct")
FOUR_BIT = Policy(model="meta-llama/Llama-3.1-8B-Instruct", load_in_4bit=True)


@pytest.mark.parametrize(
    ("machine", "policy", "model", "name", "reason"),
    [
        (BARE, POLICY, "llama", "plain", "no NVIDIA GPU"),
        (ALL, POLICY, "llama", "plain", "load_in_4bit is false"),
        (ALL, FOUR_BIT, "llama", "unsloth", "4-bit weights on NVIDIA H100, and unsloth is installed"),
        (ALL, FOUR_BIT, "t5", "bitsandbytes", "not for t5"),
        (ALL, FOUR_BIT, None, "bitsandbytes", "not for None"),
        (BITS, FOUR_BIT, "llama", "bitsandbytes", r"unsloth.* is not installed: pip install 'solon\[unsloth\]'"),
    ],
    ids=["no-gpu", "16-bit", "unsloth", "encoder-decoder", "unknown", "no-unsloth"],
)
def test_auto_picks_by_gpu_weights_packages_and_model_and_says_why(machine, policy, model, name, reason):
    """A reader of the log must not guess."""
    import re

    choice = choose("auto", policy, machine, lora=True, model=model)
    assert choice.name == name
    assert re.search(reason, choice.reason)


@pytest.mark.parametrize(
    ("backend", "machine", "policy", "lora", "says"),
    [
        ("auto", BARE, FOUR_BIT, True, "policy.load_in_4bit: needs an NVIDIA GPU"),
        ("auto", ALL, FOUR_BIT, False, "4-bit weights cannot be trained themselves; add `lora: {}`"),
        ("plain", ALL, FOUR_BIT, True, "plain loads no 4-bit weights"),
        ("bitsandbytes", ALL, POLICY, True, "set policy.load_in_4bit to true"),
        ("unsloth", ALL, POLICY, False, "unsloth trains adapters here; add `lora: {}`"),
    ],
    ids=["4-bit-without-gpu", "4-bit-all-weights", "plain-4-bit", "bitsandbytes-16-bit", "unsloth-all-weights"],
)
def test_what_cannot_be_is_refused_with_what_to_do(backend, machine, policy, lora, says):
    """Before gigabytes are read."""
    with pytest.raises(RecipeError, match=says):
        choose(backend, policy, machine, lora=lora, model="llama")


def test_unsloth_trains_no_encoder_decoder():
    """Its kernels are for decoders."""
    with pytest.raises(RecipeError, match="unsloth trains no encoder-decoder; take plain"):
        choose("unsloth", POLICY, ALL, lora=True, model="t5")


@pytest.mark.parametrize(
    ("backend", "machine", "policy", "line"),
    [
        ("auto", NEITHER, FOUR_BIT, "pip install 'solon[gpu]'"),
        ("bitsandbytes", NEITHER, FOUR_BIT, "pip install 'solon[gpu]'"),
        ("unsloth", BITS, FOUR_BIT, "pip install 'solon[unsloth]'"),
        ("unsloth", BARE, POLICY, "pip install 'solon[unsloth]'"),
    ],
    ids=["auto", "bitsandbytes", "unsloth", "unsloth-on-a-cpu"],
)
def test_a_package_that_is_missing_is_named_with_its_install_line(backend, machine, policy, line):
    """The line can be copied."""
    with pytest.raises(MissingExtra) as caught:
        choose(backend, policy, machine, lora=True, model="llama")
    assert str(caught.value).endswith(line)


def test_unsloth_runs_without_a_gpu_where_it_is_asked_for():
    """With stock kernels: slower than with its own, and a way to test."""
    assert choose("unsloth", POLICY, Machine((), frozenset({"unsloth"})), lora=True, model="llama").name == "unsloth"


def test_check_hears_of_a_backend_that_this_machine_has_not():
    """`solon check` asks the trainer, before the run begins."""
    assert problems("bitsandbytes", BARE) == [
        "train.backend: bitsandbytes needs an NVIDIA GPU, and there is none here; take plain"
    ]
    assert problems("auto", BARE) == problems("plain", BARE) == []


def test_a_trainer_tells_check_of_its_backend(monkeypatch):
    """The setting is one that all trainers have."""
    monkeypatch.setattr(backends.Machine, "here", classmethod(lambda cls: BARE))
    assert [problem for problem in DPO(backend="bitsandbytes").problems() if "bitsandbytes" in problem]
    assert DPO().backend == "auto"


LISTED = "0, GPU-aa, NVIDIA H100 80GB HBM3, 81559\n1, GPU-bb, NVIDIA L4, 23034\n"


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["NVIDIA H100 80GB HBM3", "NVIDIA L4"]),
        ("1", ["NVIDIA L4"]),
        ("GPU-bb,0", ["NVIDIA L4", "NVIDIA H100 80GB HBM3"]),
        ("", []),
        ("-1", []),
    ],
    ids=["unset", "by-number", "by-name", "empty", "none"],
)
def test_only_cards_that_cuda_sees_count(visible, names, monkeypatch):
    """`CUDA_VISIBLE_DEVICES` hides cards, and orders them."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [card.name for card in backends._gpus(lambda _: LISTED)] == names


def test_a_cards_memory_is_in_gib():
    """81,559 MiB."""
    assert backends._gpus(lambda _: LISTED)[0].gib == pytest.approx(79.65, abs=0.01)


def test_a_driver_that_does_not_answer_is_no_gpu():
    """`nvidia-smi` without a card ends with an error."""

    def fails(_):
        raise OSError("no driver")

    assert backends._gpus(fails) == ()


def test_the_kind_of_a_policy_is_read_from_its_folder(tmp_path):
    """And is not known where it cannot be read."""
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    assert known_type(Policy(model=str(tmp_path))) == "t5"
    assert known_type(Policy(model=str(tmp_path / "none"))) is None

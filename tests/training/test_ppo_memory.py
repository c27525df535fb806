"""What PPO's models take, counted by tensor: benchmarks/ppo_memory.py, and what `solon doctor` says of it."""

import importlib.util
import sys
from pathlib import Path

import pytest

from solon.trainers.base import Lora
from solon.trainers.ppo import USUAL_VALUE_RANK

pytest.importorskip("torch")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch and PEFT warn of is theirs
]

ROOT = Path(__file__).parents[2]
BASE = str(ROOT / "examples" / "quickstart" / "models" / "policy")
WEIGHTS, ADAPTER = 4 * 313_824, 4 * 61_440  # bytes; r=16 on all linear layers: 16 x 2 x (4 x 192 + 3 x 384)


@pytest.fixture(scope="module")
def benchmark():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("ppo_memory", ROOT / "benchmarks" / "ppo_memory.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))  # as when it is run
        spec.loader.exec_module(module)
    sys.modules.pop("pages", None)
    return module


@pytest.fixture(scope="module")
def found(benchmark):
    """Bytes of every layout on the quickstart's base, at PPO's defaults with an adapter of r=16."""
    return benchmark.measured(BASE, Lora(r=16), value_rank=USUAL_VALUE_RANK)


def test_ppo_takes_at_most_a_quarter_more_than_dpo(found):
    """The value's adapter and head, and their gradients and moments, are all that is added."""
    ppo, dpo = (sum(found[name].values()) for name in ("PPO, LoRA", "DPO, LoRA"))
    assert ppo <= 1.25 * dpo
    assert sum(found["PPO, LoRA, value on the policy"].values()) <= 1.01 * dpo


def test_four_models_take_at_least_two_and_a_half_times_as_much(found):
    """Even with a reward model beside PPO's own."""
    four = sum(found["four models"].values())
    assert four >= 2.5 * sum(found["PPO, LoRA"].values())
    assert four >= 2.5 * sum(found["PPO, LoRA, and a reward model"].values())


def test_a_reward_on_the_base_costs_its_adapter_and_its_head(found):
    """61,440 weights of an adapter of r=16 and a head of 96, and nothing that is trained; no second base."""
    with_it, without = found["PPO, LoRA, and a reward on its base"], found["PPO, LoRA"]
    assert with_it["weights"] == without["weights"] + ADAPTER + 4 * 96
    assert (with_it["gradients"], with_it["optimizer"]) == (without["gradients"], without["optimizer"])
    apart = found["PPO, LoRA, and a reward model"]
    assert sum(apart.values()) - sum(with_it.values()) == WEIGHTS - ADAPTER - 4 * 96


def test_every_tensor_is_counted_once(found):
    """By hand: 313,824 weights, 61,440 of an adapter of r=16, half of that at r=8, a head of 97; two moments each."""
    assert found["DPO, LoRA"]["weights"] == WEIGHTS + ADAPTER
    assert found["DPO, LoRA"]["gradients"] == ADAPTER
    trained = ADAPTER + ADAPTER // 2 + 4 * 97
    assert found["PPO, LoRA"]["weights"] == WEIGHTS + trained
    assert found["PPO, LoRA"]["gradients"] == trained
    assert found["PPO, LoRA"]["optimizer"] == pytest.approx(2 * trained, rel=0.01)  # and a step counter a tensor
    assert found["PPO, all weights"]["weights"] == 2 * WEIGHTS + ADAPTER // 2 + 4 * 97
    assert found["four models"]["weights"] == 4 * WEIGHTS + 2 * 4 * 97
    assert found["four models"]["gradients"] == 2 * WEIGHTS + 4 * 97


def test_doctor_says_what_is_counted(found, benchmark):
    """Within a hundredth."""
    for name, rank in (("PPO, LoRA", USUAL_VALUE_RANK), ("PPO, LoRA, value on the policy", None)):
        said = benchmark.predicted(BASE, Lora(r=16), value_rank=rank)
        assert said == pytest.approx(sum(found[name].values()), rel=0.01)


def test_the_table_has_a_line_for_every_layout(found, benchmark):
    """And how many times as much four models take."""
    lines = benchmark.in_mib(found).splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == list(found)
    assert lines[2].endswith("| 1.00 | 5.61 times |")

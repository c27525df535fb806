"""What `solon doctor --model` says of a training: what it needs, by part, and whether this machine's GPU has it."""

import json

import pytest
from typer.testing import CliRunner

from solon.cli.app import app
from solon.errors import RecipeError
from solon.trainers.backends import GPU, Machine
from solon.trainers.base import Lora
from solon.trainers.fit import fit

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
LARGE, SMALL = GPU("NVIDIA H100", 79.6), GPU("NVIDIA T4", 7.5)


def ppo(*gpus, **settings):
    return fit(LLAMA, "ppo", Machine(gpus), lora=Lora(), batch_size=8, length=512, **settings)


def test_the_parts_add_up_to_what_is_said():
    """What is there all the time, and the larger of sampling and training."""
    said = ppo()
    by_phase = {when: sum(need.gib for need in said.needs if need.when == when) for when in ("sampling", "training")}
    assert sum(need.gib for need in said.needs if need.when == "always") == pytest.approx(said.static_gib)
    assert said.static_gib + max(by_phase.values()) == pytest.approx(said.peak_gib)


@pytest.mark.parametrize(
    ("gpus", "fits", "says"),
    [
        ((LARGE,), True, "It fits: NVIDIA H100 has 79.6 GiB."),
        ((SMALL, LARGE), True, "It fits: NVIDIA H100"),
        ((SMALL,), False, "NVIDIA T4 has 7.5 GiB, 4.0 too few. Lower --batch-size, --length, --rollouts."),
        ((), False, "There is no NVIDIA GPU here; one with 11.5 GiB free would do."),
    ],
    ids=["large", "both", "small", "none"],
)
def test_it_says_whether_it_fits_and_what_to_lower(gpus, fits, says):
    """The GPU with the most memory counts: a training runs on one."""
    said = ppo(*gpus)
    assert said.fits is fits
    assert says in said.verdict


def test_unsloth_on_this_machine_lowers_what_is_needed():
    """It keeps the inputs of the blocks in the machine's memory."""
    with_it = fit(LLAMA, "dpo", Machine((LARGE,), frozenset({"unsloth"})), lora=Lora())
    without = fit(LLAMA, "dpo", Machine((LARGE,), frozenset({"bitsandbytes"})), lora=Lora())
    assert with_it.peak_gib < without.peak_gib


def test_a_trainer_whose_memory_is_not_known_is_refused_with_those_that_are():
    """A third party's, or a misspelt one."""
    with pytest.raises(RecipeError, match="trainer 'pppo' needs is not known; estimated are sft, dpo"):
        fit(LLAMA, "pppo", Machine(), lora=Lora())


def test_the_doctor_prints_the_memory_by_part():
    """From the configuration alone, which is in the package for this model."""
    shown = CliRunner().invoke(app, ["doctor", "--model", LLAMA, "--trainer", "ppo", "--batch-size", "8"])
    assert shown.exit_code == 0
    assert "62,918,657 of 8,093,179,905 parameters are trained" in shown.stdout
    assert "  base weights (nf4)                              5.31\n" in shown.stdout
    assert "four models in bfloat16 take 57.9 GiB for their weights alone" in shown.stdout


def test_the_doctor_knows_what_self_play_needs():
    """The larger of what answering and DPO need; answers are written by the policy, so their number can be lowered."""
    few, many = (fit(LLAMA, "selfplay", Machine((SMALL,)), lora=Lora(), rollouts=rollouts) for rollouts in (1, 512))
    assert few.peak_gib == pytest.approx(fit(LLAMA, "dpo", Machine(), lora=Lora()).peak_gib)
    assert many.peak_gib > few.peak_gib
    assert "Lower --batch-size, --length, --rollouts." in many.verdict
    shown = CliRunner().invoke(app, ["doctor", "--model", LLAMA, "--trainer", "selfplay", "--rollouts", "512"])
    assert shown.exit_code == 0
    assert "  policy that answers (nf4)                       5.47  while sampling\n" in shown.stdout
    assert "  base weights (nf4)                              5.31  while training\n" in shown.stdout


def test_the_doctor_prints_it_as_json_too():
    """With the unrounded numbers; rank 0 trains all weights."""
    shown = CliRunner().invoke(app, ["doctor", "--model", LLAMA, "--trainer", "dpo", "--rank", "0", "--json"])
    said = json.loads(shown.stdout)
    assert (said["trainable"], said["parameters"]) == (8_030_261_248, 8_030_261_248)
    assert said["static_gib"] == pytest.approx(16 * 8_030_261_248 / 2**30)

"""PPO by two processes on one machine: the same training as by one, and the same after a kill."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from several import Several
from solon.testing.tiny import tiny_llama

torch = pytest.importorskip("torch")

from in_two import in_two  # noqa: E402 - torch may be missing
from solon.models.backend.generation import Ask, write  # noqa: E402
from solon.trainers.backend.divided import whole  # noqa: E402
from solon.trainers.backend.ppo.experience import Experience  # noqa: E402
from solon.trainers.backend.ppo.update import learn  # noqa: E402
from solon.trainers.backend.processes import Processes  # noqa: E402
from tiny_ppo import EPISODES, NETWORKS, OWN, SCORES, SMALL, actor, made, moving, settings  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # what torch and PEFT warn of is theirs
SETTINGS = {
    "kind": "ppo",
    "reward": {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}, "late": {"regex": "[n-z]"}}},
    "learning_rate": 1e-3,
    "lora": {"r": 4},
    "max_new_tokens": 6,
    "batch_size": 4,
    "gradient_accumulation": 1,
    "minibatches": 2,
    "passes": 2,
    "max_steps": 4,
    "save_every": 1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Trainings by one process, by two, and by two that are killed at the third round and go on."""
    folder = tmp_path_factory.mktemp("several")
    base = tiny_llama(folder / "base", seed=1, context=64)
    (folder / "tasks").mkdir()
    pq.write_table(pa.Table.from_pylist([{"prompt": f"{n}?"} for n in range(10)]), folder / "tasks" / "train.parquet")
    every = {"settings": SETTINGS, "base": str(base), "dataset": str(folder / "tasks")}
    trainings = [
        {**every, "count": 1, "out": "one", "kept": "one.kept"},
        {**every, "count": 2, "out": "two", "kept": "two.kept"},
        {**every, "count": 2, "out": "killed", "kept": "kept", "stop_at": 3},
        {**every, "count": 2, "out": "again", "kept": "kept"},
    ]
    with Several(folder) as several:
        for given in trainings:
            several.train(given["out"], **given)
    return folder


LAYOUTS = {
    "lora, value of its own": (SMALL, OWN),
    "lora, value on the policy": (SMALL, None),
    "full, value of its own": (None, OWN),
}


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("network", NETWORKS[:2])
def test_three_completions_teach_two_processes_what_they_teach_one(tmp_path, network, layout, divided):
    """One of them has a row less, as where a reward is missing, and goes through the layers as often as the other."""
    base, (lora, value_lora) = made(tmp_path / "base", network), LAYOUTS[layout]
    chosen = settings(batch_size=1, gradient_accumulation=4, passes=2, entropy_weight=0.02 if value_lora else 0.0)

    def learned(processes):
        learner = actor(base, lora, value_lora=value_lora, checkpointing=True, scores_at_once=700)
        if processes.divided:
            learner.divide(processes.count)
        experience = Experience.of(learner, EPISODES, SCORES, chosen, 0.1, processes)
        descent = torch.optim.SGD(moving(learner), lr=0.1)
        seen = learn(learner, experience, chosen, descent, seed="0", processes=processes)
        ends = [float(whole(weight.detach()).double().square().sum()) for weight in moving(learner)]
        return [*seen.values(), *experience.metrics().values()], ends

    expected = learned(Processes())
    for numbers, ends in in_two(learned, divided=divided):
        assert numbers == pytest.approx(expected[0], rel=1e-4, abs=1e-5)
        assert ends == pytest.approx(expected[1], rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("network", NETWORKS[:2])
def test_a_divided_policy_writes_as_a_whole_one_while_others_write_less(tmp_path, network):
    """Three answers in one process and one in the other, with its adapter on and with tables that are one, as T5's."""
    base = made(tmp_path / "base", network)

    def written(processes):
        learner = actor(base, SMALL, value_lora=OWN, moved=0.1)
        asks = [Ask([5, 6, 7 + number], 8, 1.0, seed=number) for number in range(3 if processes.first else 1)]
        expected = [reply.tokens for reply in write(learner.loaded, asks)]
        learner.divide(processes.count)
        with learner.writing() as policy:
            return [reply.tokens for reply in write(policy, asks)] == expected, len(expected)

    assert in_two(written, divided=True) == [(True, 3), (True, 1)]


def logged(folder, out):
    """The numbers of every round."""
    return json.loads((folder / out / "logged.json").read_text("utf-8"))


def test_two_processes_learn_what_one_does(folder):
    """The same answers in the same order, so the same rewards; losses and gradients agree but for rounding."""
    for one, two in zip(logged(folder, "one-0"), logged(folder, "two-0"), strict=True):
        assert one.keys() == two.keys()
        for name in ("objective/rewards", "lengths/mean", "learning_rate"):
            assert one[name] == two[name]
        for name in ("loss", "grad_norm", "value/loss", "value/grad_norm", "objective/kl", "policy/approx_kl"):
            assert two[name] == pytest.approx(one[name], rel=1e-3, abs=1e-5)


def test_both_processes_see_the_same_numbers(folder):
    """And so stop at the same step, where one of them is too far."""
    assert logged(folder, "two-0") == logged(folder, "two-1")


def test_two_processes_that_were_killed_end_in_the_same_bytes(folder):
    """Only the first writes the checkpoint."""
    name = "adapter_model.safetensors"
    assert (folder / "again-0" / name).read_bytes() == (folder / "two-0" / name).read_bytes()
    assert [row["step"] for row in logged(folder, "again-0")] == [3, 4]
    assert not (folder / "two-1" / name).exists()

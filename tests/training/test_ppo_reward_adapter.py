"""Trainings of PPO under a reward model on its own base, which is loaded once."""

import gc
import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402 - torch may be missing

import in_process  # noqa: E402
import trl_rows  # noqa: E402
from reward_adapters import LAYOUTS, SMALL, WEIGHTS, classifier, lent, logits, model_of  # noqa: E402
from rewarding import CONSTITUTION  # noqa: E402
from several import Several  # noqa: E402
from solon.testing.tiny import tiny_llama  # noqa: E402
from solon.trainers.backend.ppo.roles import Roles  # noqa: E402
from solon.trainers.base import Judging  # noqa: E402
from solon.trainers.ppo import PPO  # noqa: E402
from solon.trainers.reward import Reward  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, TRL and PEFT warn of is theirs
    pytest.mark.usefixtures("nothing_stays_loaded"),
]
EMBEDDINGS = (261, 40)  # of this file's base, and of no other test's
RULES = {"kind": "rules", "rules": {"letters": {"regex": "[a-z]"}}}
BRIEF = {
    "learning_rate": 1e-2,
    "max_new_tokens": 6,
    "batch_size": 8,
    "gradient_accumulation": 1,
    "passes": 2,
    "max_steps": 3,
    "save_every": 1,
    "normalise_rewards": True,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64, hidden_size=EMBEDDINGS[1])


@pytest.fixture(scope="module")
def elsewhere(base, tmp_path_factory):
    """The same weights in what is another model for whoever looks at the files."""
    folder = shutil.copytree(base, tmp_path_factory.mktemp("elsewhere") / "base")
    (folder / "extra.txt").write_text("other")
    return folder


@pytest.fixture(scope="module")
def reward(base, tmp_path_factory):
    """What the trainer `reward` leaves: an adapter on the base and a head, which prefer `yes` to `nay`."""
    pairs = trl_rows.write(tmp_path_factory.mktemp("pairs") / "pairs", "reward")
    settings = Reward(lora=SMALL, learning_rate=1e-2, batch_size=8, gradient_accumulation=1, epochs=2)
    out = tmp_path_factory.mktemp("reward") / "out"
    in_process.train(settings, base, pairs, out)
    return out


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """12 prompts."""
    folder = tmp_path_factory.mktemp("tasks")
    pq.write_table(pa.Table.from_pylist([{"prompt": f"{n}?"} for n in range(12)]), folder / "train.parquet")
    return folder


def trained(settings, base, dataset, out, **options):
    """A training under a ledger of its own; its rounds."""
    judging = Judging(constitution=CONSTITUTION, ledger=out.with_name(f"{out.name}.sqlite"), run="test")
    return in_process.train(settings, base, dataset, out, judging=judging, **options)[1]


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_logits_are_those_of_the_reward_model_loaded_by_itself(base, reward, layout):
    """Whatever policy and value have become: neither is on, and the weights that are trained are others."""
    settings = PPO(reward=classifier(base, reward), **LAYOUTS[layout])
    described = model_of(settings).describe()
    with lent(settings, base):
        found = logits(settings)
        assert model_of(settings).describe() == described  # so that the ledger knows them for the same
    alone = logits(settings)
    assert found == pytest.approx(alone, abs=1e-5)
    assert alone[0] > alone[1] + 1


def test_a_training_is_rewarded_as_by_the_reward_model_loaded_by_itself(base, elsewhere, reward, dataset, tmp_path):
    """The first round's answers are the same, and earn the same; from then on roundings add up."""
    rounds = []
    for name, model in {"shared": base, "apart": elsewhere}.items():
        settings = PPO(reward=classifier(model, reward), lora=SMALL, **BRIEF)
        rounds.append([row["objective/rewards"] for row in trained(settings, base, dataset, tmp_path / name)])
    assert rounds[0][0] == pytest.approx(rounds[1][0], abs=1e-5)
    assert rounds[0] == pytest.approx(rounds[1], abs=0.05)
    assert len(set(rounds[0])) == 3


def test_there_is_one_base_in_memory(base, elsewhere, reward, dataset, tmp_path):
    """Counted by the embeddings, which no adapter and no optimizer has; a reward model of another base has its own."""
    found = []
    for name, model in {"shared": base, "apart": elsewhere}.items():
        before, counted = held(), []
        settings = PPO(reward=classifier(model, reward), lora=SMALL, **BRIEF)
        trained(settings, base, dataset, tmp_path / name, stop_when=lambda _, to=counted: to.append(held()))
        found.append([count - before for count in counted])
    assert found == [[1, 1, 1], [2, 2, 2]]


def held():
    """How many tensors of the embeddings' shape there are, each with memory of its own."""
    gc.collect()
    found = [each for each in gc.get_objects() if issubclass(type(each), torch.Tensor) and each.shape == EMBEDDINGS]
    return len({each.untyped_storage().data_ptr() for each in found})


def test_what_is_left_has_no_trace_of_the_reward(base, reward, dataset, tmp_path):
    """The files, and in them the names, that there are under any other reward."""
    names, files = [], []
    for name, judge in {"rules": RULES, "adapter": classifier(base, reward)}.items():
        trained(PPO(reward=judge, lora=SMALL, **BRIEF), base, dataset, tmp_path / name)
        files.append(sorted(path.name for path in (tmp_path / name).iterdir()))
        names.append(sorted(load_file(tmp_path / name / WEIGHTS)))
        assert json.loads((tmp_path / name / "adapter_config.json").read_text())["modules_to_save"] is None
    assert files[0] == files[1]
    assert names[0] == names[1]


def test_the_reward_that_a_training_ends_with_is_the_one_that_it_began_with(base, reward, dataset, tmp_path):
    """After every round its adapter is as it lies on disk, and the policy's is not what it was."""
    given, policies = load_file(reward / WEIGHTS), []

    def look(_):
        gc.collect()
        (roles,) = [each for each in gc.get_objects() if type(each) is Roles]
        weights = dict(roles.frozen.model.named_parameters())
        fixed = {name.replace(".solon_reward_0", ""): one for name, one in weights.items() if "solon_reward" in name}
        assert len(fixed) == 28  # A and B of seven matrices in two layers
        assert all(torch.equal(weight, given[name]) for name, weight in fixed.items())
        policies.append(torch.cat([weight.detach().flatten() for weight in roles.trained.values()]))

    trained(PPO(reward=classifier(base, reward), lora=SMALL, **BRIEF), base, dataset, tmp_path / "out", stop_when=look)
    assert len(policies) == 3
    assert not torch.equal(policies[0], policies[2])


@pytest.mark.parametrize("layout", ["lora", "full"])
def test_a_training_that_was_killed_ends_in_the_same_bytes(base, reward, dataset, tmp_path, layout):
    """The reward's adapter is read anew, and is no part of what is kept, as the value's is."""
    settings = PPO(reward=classifier(base, reward), **LAYOUTS[layout], **BRIEF)
    whole = trained(settings, base, dataset, tmp_path / "whole")
    kept = tmp_path / "kept"
    with pytest.raises(in_process.Killed):
        trained(settings, base, dataset, tmp_path / "killed", kept=kept, stop_at=2)
    state = b"".join(path.read_bytes() for path in kept.rglob("*") if path.is_file())
    assert (b"solon_value" in state, b"solon_reward" in state) == (True, False)
    assert trained(settings, base, dataset, tmp_path / "again", kept=kept) == whole[1:]
    name = WEIGHTS if layout == "lora" else "model.safetensors"
    assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("fsdp", [False, True], ids=["ddp", "fsdp"])
def test_two_processes_are_rewarded_as_one(base, reward, dataset, tmp_path, fsdp):
    """The first has the adapter and asks for all, and one without it goes the same way.

    Where each has a part of the base only, the first has the reward model beside it.
    """
    settings = {"reward": classifier(base, reward), "lora": {"r": 4}, **BRIEF}
    one = trained(PPO.model_validate(settings), base, dataset, tmp_path / "one")
    every = {"settings": {"kind": "ppo", **settings}, "base": str(base), "dataset": str(dataset)}
    with Several(tmp_path) as several:
        several.train("two", count=2, fsdp=fsdp, **every)
        first, second = (several.logged("two", place) for place in (0, 1))
    assert first == second
    for name in ("objective/rewards", "loss", "value/loss"):
        assert [row[name] for row in first] == pytest.approx([row[name] for row in one], abs=1e-2)

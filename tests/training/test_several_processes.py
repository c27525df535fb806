"""Every trainer in two processes on one machine, each with all of the model: as in one, and the same after a kill.

Half of the rows each, over gloo. The numbers agree but for rounding: sums are taken in another order.
"""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from several import Several
from solon.testing.tiny import tiny_llama

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and PEFT warn of is theirs
]
SETTINGS = {"learning_rate": 1e-2, "batch_size": 4, "gradient_accumulation": 1, "save_every": 2}
PAIRS = [{"prompt": f"{n}?", "chosen": "nay" * (1 + n % 3), "rejected": "yes"} for n in range(16)]
ONLINE = {"max_new_tokens": 4, "reward": {"kind": "rules", "rules": {"short": {"length": "characters", "max": 2}}}}
GROUPS = ONLINE | {"num_generations": 2, "max_steps": 4}
DROPOUT = {"lora": {"r": 4, "dropout": 0.2}}
DATASETS = {
    "pairs": PAIRS,
    # the last step's rows do not divide evenly
    "odd": PAIRS[:13],
    "rated": [{"prompt": f"{n}?", "completion": "nay" * (1 + n % 3), "label": n % 2 == 0} for n in range(16)],
    "shown": [{"prompt": f"{n}?", "completion": "nay" * (1 + n % 3)} for n in range(16)],
    "asked": [{"prompt": f"{n}?"} for n in range(16)],
}
TRAININGS = {
    "sft": ("shown", {}),
    "reward": ("pairs", {}),
    "dpo": ("pairs", {}),
    "dpo, asking the reference at each step": ("pairs", {"precompute_reference": False}),
    "kto": ("rated", {}),
    "simpo": ("odd", {"lora": {"r": 4}}),
    "orpo": ("odd", {"batch_size": 2, "gradient_accumulation": 2}),
    "grpo": ("asked", GROUPS),
    "rloo": ("asked", GROUPS),
    "ppo": ("asked", ONLINE | {"passes": 2}),
}
KILLED = {
    "dpo": ("pairs", DROPOUT),
    "orpo": ("odd", DROPOUT),
    "grpo": ("asked", GROUPS),
    "ppo": ("asked", ONLINE | {"passes": 2, "lora": {"r": 4}}),
}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Trains in processes that start with all libraries imported, which takes longer than any of these trainings."""
    folder = tmp_path_factory.mktemp("several")
    tiny_llama(folder / "base", seed=1, context=64)
    for name, rows in DATASETS.items():
        (folder / name).mkdir()
        pq.write_table(pa.Table.from_pylist(rows), folder / name / "train.parquet")
    pq.write_table(pa.Table.from_pylist(PAIRS[13:]), folder / "odd" / "test.parquet")
    with Several(folder) as several:
        yield several


def training(several, kind, dataset, settings, **more):
    """What ``Several.train`` is given."""
    return {
        "count": 2,
        "settings": SETTINGS | {"kind": kind.partition(",")[0]} | settings,
        "base": str(several.folder / "base"),
        "dataset": str(several.folder / dataset),
        **more,
    }


def by_one_and_two(several, kind):
    """The names of the same training by one process and by two."""
    names = f"{kind} by one", f"{kind} by two"
    for count, name in enumerate(names, start=1):
        several.train(name, **training(several, kind, *TRAININGS[kind], count=count, fixed=True))
    return names


@pytest.mark.parametrize("kind", TRAININGS)
def test_two_processes_train_as_one_does(several, kind):
    """Losses, gradients and all other numbers of every step, the held-out ones too, and both report the same."""
    one, two = by_one_and_two(several, kind)
    expected = several.logged(one)
    for place in (0, 1):
        found = several.logged(two, place)
        assert len(found) == len(expected) >= 4
        for step, same in zip(found, expected, strict=True):
            assert step == pytest.approx(same, abs=1e-3)


@pytest.mark.parametrize("kind", TRAININGS)
def test_the_first_process_alone_writes_what_is_left(several, kind):
    """Two that write one file leave a broken one; the card says what the rows were, whoever trained."""
    one, two = by_one_and_two(several, kind)
    left = {file.name for file in several.left(two).iterdir()}
    assert left == {file.name for file in several.left(one).iterdir()}
    assert {file.name for file in several.left(two, 1).iterdir()} == {"logged.json", "held.json"}


@pytest.mark.parametrize("kind", KILLED)
def test_a_training_by_two_goes_on_after_a_kill_with_the_same_bits(several, kind):
    """Killed at the third step it goes on from the second, each process where its own random numbers stood."""
    given = training(several, kind, *KILLED[kind])
    whole, killed, again = (f"{kind} {name}" for name in ("whole", "killed", "again"))
    several.train(whole, **given)
    several.train(killed, **given, stop_at=3)
    several.train(again, **given, kept=f"{killed}.kept")
    assert several.logged(again) == [step for step in several.logged(whole) if step["step"] > 2]
    assert several.weights(again) == several.weights(whole)

"""Trainings on TRL that are killed and go on: they end with the same bytes as one that nothing disturbed.

12 rows in batches of 4 are 3 steps an epoch, and two epochs 6; after each epoch come the held-out numbers.
"""

import pytest

import in_process
import trl_rows
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora, Policy
from solon.trainers.dpo import DPO
from solon.trainers.launch import run_training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
SHORT = {"learning_rate": 1e-2, "batch_size": 4, "gradient_accumulation": 1, "epochs": 2}
KINDS = ["dpo", "kto", "sft", "reward"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights, stored in bfloat16."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, dtype="bfloat16", context=64)


def left(out):
    """Every byte of a checkpoint and of its curve."""
    files = {file.name: file.read_bytes() for file in out.iterdir()}
    return files | {"metrics.jsonl": (out.with_name(f"{out.name}.kept") / "metrics.jsonl").read_bytes()}


def killed(settings, base, dataset, out, steps):
    """Trains until each of the steps in turn, every time going on from what was kept."""
    kept = out.with_name(f"{out.name}.kept")
    for number, step in enumerate(steps):
        with pytest.raises(in_process.Killed):
            in_process.train(settings, base, dataset, out.with_name(f"{out.name}.{number}"), kept=kept, stop_at=step)
    return in_process.train(settings, base, dataset, out, kept=kept)


@pytest.mark.parametrize("lora", [None, Lora(r=4, dropout=0.2)], ids=["full", "lora"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_several_steps_it_ends_as_if_it_had_not_been(kind, lora, base, tmp_path):
    """Before anything was kept, at the end of an epoch, and within one. Dropout draws random numbers at every step."""
    dataset = trl_rows.write(tmp_path / "dataset", kind, train=12, test=4)
    settings = trl_rows.TRAINERS[kind](lora=lora, save_every=1, **SHORT)
    checkpoint, whole = in_process.train(settings, base, dataset, tmp_path / "whole")
    again, rest = killed(settings, base, dataset, tmp_path / "again", [1, 3, 5])
    assert [row["step"] for row in whole] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert [row["step"] for row in rest] == [5, 6, 6]
    assert again.metrics == checkpoint.metrics
    assert left(tmp_path / "again") == left(tmp_path / "whole")


def test_the_held_out_numbers_of_an_epoch_are_not_lost(base, tmp_path):
    """Step 3 ends an epoch: it is kept after its held-out numbers are logged, so a kill between the two repeats it."""
    dataset = trl_rows.write(tmp_path / "dataset", "dpo", train=12, test=4)
    settings = DPO(save_every=3, **SHORT)
    _, whole = in_process.train(settings, base, dataset, tmp_path / "whole")
    _, all_again = killed(settings, base, dataset, tmp_path / "at_3", [3])
    assert all_again == whole
    _, rest = killed(settings, base, dataset, tmp_path / "at_4", [4])
    assert rest == whole[4:]
    assert left(tmp_path / "at_3") == left(tmp_path / "at_4") == left(tmp_path / "whole")


def test_what_was_cut_off_while_it_was_written_is_not_gone_on_from(base, tmp_path):
    """A folder gets its name when it is whole."""
    dataset = trl_rows.write(tmp_path / "dataset", "dpo", train=12, test=4)
    settings = DPO(save_every=2, **SHORT)
    with pytest.raises(in_process.Killed):
        in_process.train(settings, base, dataset, tmp_path / "0", kept=tmp_path / "kept", stop_at=5)
    trainer = tmp_path / "kept" / "trainer"
    (whole,) = [folder for folder in trainer.iterdir() if folder.name.endswith("4")]
    whole.rename(trainer / f".{whole.name}.partial")
    _, rest = in_process.train(settings, base, dataset, tmp_path / "out", kept=tmp_path / "kept")
    assert rest[0]["step"] == 3


def test_an_accumulated_step_is_gone_on_from_at_its_batch(base, tmp_path):
    """Two batches a step, and an odd number of them an epoch: the data is read on from the right row."""
    dataset = trl_rows.write(tmp_path / "dataset", "dpo", train=10, test=0)
    settings = DPO(save_every=2, **(SHORT | {"batch_size": 2, "gradient_accumulation": 2}))
    in_process.train(settings, base, dataset, tmp_path / "whole")
    _, rest = killed(settings, base, dataset, tmp_path / "again", [3])
    assert rest[0]["step"] == 3
    assert left(tmp_path / "again") == left(tmp_path / "whole")


def test_a_training_process_that_was_killed_is_gone_on_from_by_the_next(base, tmp_path):
    """With the same command, and to the same bytes; in a run directory that holds nothing of it in the end."""
    dataset = trl_rows.write(tmp_path / "dataset", "dpo", train=12, test=4)
    steps = []

    def train(name, last=None):
        run_dir = tmp_path / name
        run_dir.mkdir(exist_ok=True)

        def on_step(step, steps_in_all, metrics):
            steps.append(step)
            if step == last:
                raise KeyboardInterrupt

        settings, policy = DPO(save_every=1, **SHORT), Policy(model=str(base), threads=1)
        out = run_dir / "out"
        run_training(settings, policy, dataset=dataset, seed=3, run_dir=run_dir, out=out, on_step=on_step)
        return {file.name: file.read_bytes() for file in out.iterdir()}

    whole = train("whole")
    steps.clear()
    with pytest.raises(KeyboardInterrupt):
        train("again", last=4)
    assert train("again") == whole
    assert steps[:5] == [1, 2, 3, 3, 4]
    assert min(steps[5:]) >= 4
    assert not (tmp_path / "again" / ".training").exists()


def test_by_default_a_tenth_of_the_training_is_lost_at_most(base, tmp_path):
    """32 rows in batches of 1 are 32 steps: one is kept every 3."""
    dataset = trl_rows.write(tmp_path / "dataset", "dpo", train=32, test=0)
    settings = DPO(**(SHORT | {"batch_size": 1, "epochs": 1}))
    _, rest = killed(settings, base, dataset, tmp_path / "out", [30])
    assert rest[0]["step"] == 28

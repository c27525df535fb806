"""The training loop of ours, on a model of one number: rates, order, batches, what is kept, and when it stops."""

import math
from types import SimpleNamespace

import pytest
import torch

from solon.errors import TrainingError
from solon.trainers.backend.kept import Kept
from solon.trainers.backend.loop import Loop, share_of_rate
from solon.trainers.orpo import ORPO

pytestmark = pytest.mark.slow
ROWS = [float(number) for number in range(10)]


class Toy(torch.nn.Module):
    """A weight that is drawn to the mean of the rows: the loss of a row is half of its squared distance."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(1.0))


def toy_loop(kept, *, seed=3, train=ROWS, test=(), broken_at=None, **settings):
    """A loop over the toy; returns it, what it reports, and the rows of each batch that it measured."""
    model, reported, measured = Toy(), [], []

    def measure(rows, step):
        measured.append(list(rows))
        losses = (model.weight - torch.tensor(rows)) ** 2 / 2
        steps = [row for row in reported if "loss" in row]
        return losses * (math.nan if len(steps) + 1 == broken_at else 1), {"rows": torch.tensor(rows)}

    job = SimpleNamespace(
        seed=seed,
        kept=kept,
        report=lambda step, steps, metrics: reported.append({"step": step, "steps": steps, **metrics}),
        go_on_from=lambda step: {},
    )
    defaults = {"batch_size": 2, "gradient_accumulation": 2, "learning_rate": 0.1}
    return Loop(ORPO(**(defaults | settings)), job, model, measure, ("rows",), train, test), reported, measured


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_rates_are_those_of_transformers(schedule, warmup):
    """So that `learning_rate` and `schedule` mean the same for every trainer."""
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    name = "constant_with_warmup" if schedule == "constant" else schedule
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=math.ceil(13 * warmup), num_training_steps=13)
    expected = []
    for _ in range(13):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    got = [share_of_rate(done, 13, schedule=schedule, warmup_ratio=warmup) for done in range(13)]
    assert got == pytest.approx(expected)


def test_an_epoch_sees_every_row_once_in_an_order_of_its_own(tmp_path):
    """Ten rows in steps of four: the third step of an epoch has two."""
    loop, reported, _ = toy_loop(tmp_path, epochs=2)
    loop.run()
    seen = [loop.rows_of(step) for step in range(1, 7)]
    assert [len(rows) for rows in seen] == [4, 4, 2, 4, 4, 2]
    first, second = ([row for rows in half for row in rows] for half in (seen[:3], seen[3:]))
    assert sorted(first) == sorted(second) == ROWS
    assert first != second
    assert [row["epoch"] for row in reported] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])
    other, _, _ = toy_loop(tmp_path, epochs=2, seed=4)
    assert other.rows_of(1) != seen[0]


def test_max_steps_wins_over_epochs_and_may_begin_further_ones(tmp_path):
    """Seven steps of three an epoch are two epochs and a third."""
    loop, reported, _ = toy_loop(tmp_path, max_steps=7, test=[1.0])
    loop.run()
    assert [row["step"] for row in reported if "loss" in row] == list(range(1, 8))
    assert [row["step"] for row in reported if "eval_loss" in row] == [3, 6, 7]
    assert {row["steps"] for row in reported} == {7}


@pytest.mark.parametrize(("batch_size", "accumulation"), [(4, 1), (3, 2), (1, 4)])
def test_a_step_is_the_same_however_it_is_cut_into_batches(tmp_path, batch_size, accumulation):
    """The gradient is that of the mean over the step's rows, the last short batch counted by its rows."""
    train = ROWS[: batch_size * accumulation]
    loop, reported, _ = toy_loop(
        tmp_path, train=train, batch_size=batch_size, gradient_accumulation=accumulation, warmup_ratio=0
    )
    loop.run()
    mean = sum(train) / len(train)
    assert reported[0]["grad_norm"] == pytest.approx(abs(1 - mean))
    assert reported[0]["loss"] == pytest.approx(sum((1 - row) ** 2 / 2 for row in train) / len(train))
    assert reported[0]["rows"] == pytest.approx(mean)


def test_a_loss_that_is_not_a_number_stops_at_its_step_and_the_last_good_one_is_kept(tmp_path):
    """The weights that it would have broken are not written."""
    loop, _, _ = toy_loop(tmp_path, epochs=2, save_every=1, broken_at=4)
    with pytest.raises(TrainingError, match=r"loss is nan at step 4 of 6.*lower train\.learning_rate"):
        loop.run()
    kept = Kept(tmp_path)
    assert kept.step_of(kept.latest()) == 3


def test_what_is_kept_last_is_not_the_last_step(tmp_path):
    """After it the checkpoint itself is written."""
    loop, _, _ = toy_loop(tmp_path, epochs=2, save_every=3)
    loop.run()
    assert [folder.name for folder in tmp_path.iterdir()] == ["step-00000003"]


def test_held_out_rows_are_measured_without_gradients_in_larger_batches(tmp_path):
    """Twice the rows in the same memory; the mean is over all of them."""
    loop, reported, measured = toy_loop(tmp_path, test=[1.0, 2.0, 3.0, 4.0, 5.0], learning_rate=1e-9)
    loop.run()
    assert measured[-2:] == [[1.0, 2.0, 3.0, 4.0], [5.0]]
    assert reported[-1]["eval_loss"] == pytest.approx((0 + 1 + 4 + 9 + 16) / 2 / 5, abs=1e-4)
    assert reported[-1]["eval_rows"] == 3.0

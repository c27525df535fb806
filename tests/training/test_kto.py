"""KTO on a tiny Llama: what it learns, how it weighs and orders its rows, and what it refuses."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
import trl_rows
from solon.errors import DataError
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora
from solon.trainers.kto import KTO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
LEARN = {"learning_rate": 1e-2, "batch_size": 8, "gradient_accumulation": 1, "epochs": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights, stored in bfloat16, that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, dtype="bfloat16", context=64)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """64 rows to learn from, a third of them desirable, and 8 held out."""
    return trl_rows.write(tmp_path_factory.mktemp("unpaired"), "kto")


@pytest.mark.parametrize("lora", [None, Lora(r=4)], ids=["full", "lora"])
def test_it_learns_what_is_desirable(lora, base, dataset, tmp_path):
    """On held-out prompts too. Untrained, log-ratios and KL are 0, and with equal weights for the classes the loss of
    the whole is 1/2 times the weight a row: 22 desirable rows of weight 42/22 and 42 others make 84 of 64.
    """
    checkpoint, logged = in_process.train(KTO(lora=lora, **LEARN), base, dataset, tmp_path / "out")
    held_out = [row for row in logged if "eval_loss" in row]
    first_epoch = [row["loss"] for row in logged if "loss" in row][:1]
    assert checkpoint.form == ("full" if lora is None else "lora")
    assert first_epoch[0] == pytest.approx(0.5 * 84 / 64, abs=0.25)  # of one batch
    assert held_out[-1]["eval_rewards/margins"] > 1
    assert held_out[-1]["eval_loss"] < held_out[0]["eval_loss"] < 0.6
    assert {"kl", "logps/chosen", "logps/rejected"} <= set(logged[-2])


def test_a_reference_asked_at_every_step_gives_the_same_losses(base, dataset, tmp_path):
    """Only the padding of its batches differs, so the numbers are the same but for rounding."""
    settings = LEARN | {"epochs": 1}
    _, before = in_process.train(KTO(**settings), base, dataset, tmp_path / "a")
    _, always = in_process.train(KTO(precompute_reference=False, **settings), base, dataset, tmp_path / "b")
    losses = [[row["loss"] for row in rows if "loss" in row] for rows in (before, always)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_rows_that_come_sorted_by_class_are_mixed(base, tmp_path):
    """As unpaired preferences come. Of 6 batches at most one would hold both classes, and that is what margins need.

    The seed decides the order.
    """
    rows = trl_rows.rows("kto", range(48))
    pq.write_table(pa.Table.from_pylist(sorted(rows, key=lambda row: row["label"])), tmp_path / "train.parquet")
    batches = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        _, logged = in_process.train(KTO(**(LEARN | {"epochs": 1})), base, tmp_path, tmp_path / name, seed=seed)
        assert sum("rewards/margins" in row for row in logged) >= 5
        batches.append([row["logps/rejected"] for row in logged])
    assert batches[0] == batches[1] != batches[2]


@pytest.mark.parametrize(
    ("label", "says"),
    [(True, "has 12 desirable and 0 undesirable rows"), (False, "has 0 desirable and 12 undesirable rows")],
    ids=["all_desirable", "none_desirable"],
)
def test_ratings_of_one_class_are_refused_before_anything_is_loaded(label, says, tmp_path):
    """There is nothing to tell apart; the message has the counts and the setting that decides them."""
    rows = [row | {"label": label} for row in trl_rows.rows("kto", range(12))]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    with pytest.raises(DataError, match=f"{says}.*build.desirable_at"):
        in_process.train(KTO(**LEARN), "no/model", tmp_path, tmp_path / "out")


def test_no_ratings_are_refused(tmp_path):
    """An empty file has columns and nothing to learn."""
    pq.write_table(pa.Table.from_pylist(trl_rows.rows("kto", range(1))).slice(0, 0), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="has no rows, so trainer 'kto' has nothing to learn"):
        in_process.train(KTO(**LEARN), "no/model", tmp_path, tmp_path / "out")

"""A T5 that two processes fine-tune together, each with all of it or with a part (FSDP): as one does it alone."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from several import Several
from solon.testing.tiny import tiny_t5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and PEFT warn of is theirs
]
SETTINGS = {"kind": "sft", "learning_rate": 1e-2, "batch_size": 4, "gradient_accumulation": 1, "save_every": 2}
SHOWN = [{"prompt": f"{n}?", "completion": "nay" * (1 + n % 3)} for n in range(16)]
ALONE = {"count": 1, "fsdp": False}
TOGETHER = {"each with all of it": {"count": 2, "fsdp": False}, "each with a part": {"count": 2, "fsdp": True}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What all trainings left."""
    folder = tmp_path_factory.mktemp("together")
    base = tiny_t5(folder / "base", seed=1)
    (folder / "shown").mkdir()
    pq.write_table(pa.Table.from_pylist(SHOWN), folder / "shown" / "train.parquet")
    with Several(folder) as several:
        for name, how in {"alone": ALONE, **TOGETHER}.items():
            several.train(name, settings=SETTINGS, base=str(base), dataset=str(folder / "shown"), **how)
        yield several


@pytest.mark.parametrize("how", TOGETHER)
def test_two_processes_train_it_as_one_does(trained, how):
    """Losses, accuracies, gradient norms and all other numbers of every step agree but for rounding."""
    expected = trained.logged("alone")
    for place in (0, 1):
        found = trained.logged(how, place)
        assert len(found) == len(expected) == 4
        for step, same in zip(found, expected, strict=True):
            assert step == pytest.approx(same, abs=1e-3)


@pytest.mark.parametrize("how", TOGETHER)
def test_what_they_leave_is_whole(trained, how):
    """The same files and names as from one, and nearly the same weights."""
    files = {file.name for file in trained.left(how).iterdir()}
    assert files == {file.name for file in trained.left("alone").iterdir()}
    found, expected = (load_file(trained.left(name) / "model.safetensors") for name in (how, "alone"))
    assert found.keys() == expected.keys()
    for weight, same in expected.items():
        # Adam moves a weight whose gradient is all rounding by as much as any other
        assert (found[weight] - same).abs().mean() < 1e-3

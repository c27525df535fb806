"""What a training keeps: whole folders, the newest of them, and random numbers that go on where they stood."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from solon.errors import TrainingError
from solon.trainers.backend.kept import Kept, random_state, read_state, restore_random, write_state

pytestmark = pytest.mark.slow


def write(kept, step):
    with kept.writing(step) as folder:
        write_state(folder / "state.pt", {"step": step})


def test_nothing_is_kept_at_first(tmp_path):
    """A training then begins at its beginning."""
    assert Kept(tmp_path).latest() is None


def test_the_newest_step_is_found_and_the_one_before_it_stays(tmp_path):
    """By number, not by name or by time: 100 comes after 20."""
    kept = Kept(tmp_path)
    for step in (100, 20, 5):
        write(kept, step)
    newest = kept.latest()
    assert kept.step_of(newest) == 100
    assert read_state(newest / "state.pt") == {"step": 100}
    assert len(list(tmp_path.iterdir())) == 2


def test_what_was_not_written_to_its_end_does_not_count(tmp_path):
    """Neither after an error, nor after a kill, which leaves the folder under another name."""
    kept = Kept(tmp_path)
    write(kept, 3)

    def fail():
        with kept.writing(6) as folder:
            (folder / "state.pt").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    (tmp_path / ".step-00000009.partial").mkdir()
    assert kept.step_of(kept.latest()) == 3


def test_a_damaged_file_says_what_to_remove(tmp_path):
    """The step before is still there: one command, and the training goes on."""
    kept = Kept(tmp_path)
    write(kept, 3)
    write(kept, 6)
    file = kept.latest() / "state.pt"
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(TrainingError, match=r"cannot be read \(.+\): remove .*step-00000006, and it goes on from"):
        read_state(file)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux which files are mapped")
@pytest.mark.parametrize("divided", [True, False])
def test_what_a_divided_model_goes_on_from_is_mapped_and_not_read(tmp_path, monkeypatch, divided):
    """Else each process would hold all of it, 12 bytes a parameter, to take its part."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("SOLON_FSDP", str(divided).lower())
    weights = torch.arange(1e6)
    write_state(tmp_path / "state.pt", {"weights": weights})
    found = read_state(tmp_path / "state.pt")
    assert (str(tmp_path / "state.pt") in Path("/proc/self/maps").read_text()) == divided
    assert torch.equal(found["weights"], weights)


def test_no_code_in_a_state_is_run(tmp_path):
    """A pickle may hold any; a run directory may come from elsewhere."""

    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit",))

    torch.save({"weights": Trap()}, tmp_path / "state.pt")
    with pytest.raises(TrainingError, match="cannot be read"):
        read_state(tmp_path / "state.pt")


def test_random_numbers_go_on_where_they_stood(tmp_path):
    """Python's, NumPy's and torch's, through the file."""
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    np.random.standard_normal()  # leaves the second of a pair behind

    def draw():
        return random.random(), np.random.standard_normal(), torch.rand(3).tolist()

    write_state(tmp_path / "state.pt", {"random": random_state()})
    first, second = draw(), draw()
    restore_random(read_state(tmp_path / "state.pt")["random"])
    assert (draw(), draw()) == (first, second)

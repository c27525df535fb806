"""Self-play by two processes on one machine: the same rounds as by one, and the same after a kill."""

import hashlib
import json

import pytest

from selfplaying import POLICY, RULES, SHORT, dataset
from several import Several
from solon.trainers.protocol import LAST_GOOD

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
# three steps of a round learn from 12 pairs, and there are more: none is filled up
SETTINGS = {"kind": "selfplay", "labeler": RULES, **SHORT, "batch_size": 4, "warmup_ratio": 0, "save_every": 1}
WAYS = {"full": ({}, False), "lora": ({"lora": {"r": 4}}, False), "divided": ({}, True)}
DROPOUT = {"lora": {"r": 2, "dropout": 0.2}}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Trainings on 12 prompts to learn from and 3 held out, which two cannot share evenly."""
    folder = tmp_path_factory.mktemp("several")
    dataset(folder / "prompts", train=12, test=3)
    with Several(folder) as several:
        yield several


def training(several, count, *, fsdp=False, **settings):
    """What ``Several.train`` is given."""
    base, data = str(POLICY), str(several.folder / "prompts")
    several_batches = {"batch_size": 6}  # with fewer prompts than fit at once, one process would write them all
    given = {"count": count, "fsdp": fsdp, "settings": SETTINGS | settings, "base": base, "dataset": data}
    return given | several_batches


def by_one_and_two(several, way):
    """The names of the same training by one process and by two."""
    settings, fsdp = WAYS[way]
    several.train(f"{way} by one", **training(several, 1, **settings))
    several.train(f"{way} by two", **training(several, 2, fsdp=fsdp, **settings))
    return f"{way} by one", f"{way} by two"


def hashes(several, name):
    """The SHA-256 of every file that the first process left, but for its numbers."""
    left = several.left(name)
    files = sorted(path for path in left.rglob("*") if path.is_file() and path.name not in ("logged.json", "held.json"))
    return {str(path.relative_to(left)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_play_as_one_does(several, way):
    """Losses, gradients, pairs and win rates of every step and round, and both report the same."""
    one, two = by_one_and_two(several, way)
    expected = several.logged(one)
    assert [step.get("selfplay/rounds") for step in expected] == [None] * 3 + [1] + [None] * 3 + [2]
    assert all(step["selfplay/pairs"] >= 12 for step in expected if "selfplay/pairs" in step)
    for place in (0, 1):
        found = several.logged(two, place)
        for step in (0, 4):  # a round begins at its reference, where rounding decides which reward is larger
            found[step]["rewards/accuracies"] = expected[step]["rewards/accuracies"]
        for step, same in zip(found, expected, strict=True):
            assert step == pytest.approx(same, abs=1e-3)


@pytest.mark.parametrize("way", WAYS)
def test_the_same_answers_are_written_however_many_processes_write_them(several, way):
    """Each has random numbers of its own; the first process alone writes files, and all of them."""
    one, two = (hashes(several, name) for name in by_one_and_two(several, way))
    assert two.keys() == one.keys()
    for name in ("rounds/1/candidates.jsonl", "rounds/1/judgments.jsonl", "rounds/0/held_out.jsonl"):
        assert two[name] == one[name]
    assert {file.name for file in several.left(f"{way} by two", 1).iterdir()} == {"logged.json", "held.json"}


def test_a_divided_policy_is_whole_while_it_answers(several):
    """Each process holds half of it while it learns."""
    by_one_and_two(several, "divided")
    held = json.loads((several.left("divided by two") / "held.json").read_text("utf-8"))
    assert [share for share in held if share is not None] == pytest.approx([0.5] * 6, abs=0.05)


def test_two_processes_that_were_killed_end_in_the_same_bytes(several):
    """In turn: in the middle of a round's training, and at the first step of the next one."""
    given = training(several, 2, **DROPOUT)
    several.train("whole", **given)
    for name, step in (("first", 2), ("second", 4)):
        several.train(name, **given, kept="killed.kept", stop_at=step)
    several.train("again", **given, kept="killed.kept")
    assert hashes(several, "again") == hashes(several, "whole")
    assert several.logged("again") == [step for step in several.logged("whole") if step["step"] > 3]


def test_where_two_processes_break_off_the_last_rounds_policy_is_left(several):
    """An alarm ends the first in the second round."""
    with pytest.raises(AssertionError, match="an alarm"):
        several.train("broken", **training(several, 2, **DROPOUT), alarm_at=4)
    kept = several.folder / "broken.kept"
    assert [path.name for path in kept.glob(f"{LAST_GOOD}*")] == [f"{LAST_GOOD}3"]
    weights = "adapter_model.safetensors"
    first = kept / "trainer" / "rounds" / "1" / "checkpoint" / weights
    assert (kept / f"{LAST_GOOD}3" / weights).read_bytes() == first.read_bytes()

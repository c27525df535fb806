"""Self-play that is killed and goes on: the same bytes as without, and no judge is asked twice."""

import pytest

import in_process
from rewarding import CONSTITUTION, digit, judge_at, serving
from selfplaying import POLICY, RULES, SHORT, dataset, hashes, parts, play, rater
from solon.testing import FaultServer
from solon.trainers.base import Judging, Lora, Policy
from solon.trainers.launch import run_training
from solon.trainers.selfplay import SelfPlay

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
SMALL = {"num_generations": 2, "save_every": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """6 prompts to learn from, 2 held out."""
    return dataset(tmp_path_factory.mktemp("prompts") / "prompts", train=6, test=2)


def left(out):
    """Every byte of a checkpoint with its rounds, and of its curve."""
    return hashes(out) | {"metrics.jsonl": (out.with_name(f"{out.name}.kept") / "metrics.jsonl").read_text()}


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """What comes of a training that nothing disturbs, with an adapter that drops out at random."""
    out = tmp_path_factory.mktemp("whole") / "out"
    play(RULES, data, out, lora=Lora(r=2, dropout=0.2), **SMALL)
    return left(out)


class Power(Exception):
    """What a judge raises when it is cut off."""


def cut_off_after(asked):
    """The same judge, which goes away at the question after so many."""
    texts = []

    def score(text):
        texts.append(text)
        if len(texts) > asked:
            raise Power
        return parts(text)

    return rater(score)


def test_killed_anywhere_it_ends_as_if_it_had_not_been(data, whole, tmp_path):
    """In turn: while round 1 is judged; in the middle of its training; when its end was logged and not yet written;
    while round 2's answers are written; at its last step, before the policies are compared.
    """
    settings = {"lora": Lora(r=2, dropout=0.2), "kept": tmp_path / "out.kept", **SMALL}
    with pytest.raises(Exception, match="Power"):
        play(cut_off_after(5), data, tmp_path / "1", **settings)
    with pytest.raises(in_process.Killed):
        play(RULES, data, tmp_path / "2", stop_at=2, **settings)
    with pytest.raises(in_process.Killed):
        play(RULES, data, tmp_path / "3", stop_when=lambda line: "selfplay/rounds" in line, **settings)
    with pytest.raises(in_process.Killed):
        play(RULES, data, tmp_path / "4", stop_at=5, **settings)
    second = tmp_path / "out.kept" / "trainer" / "rounds" / "2"
    _cut(second / "candidates.jsonl")
    for path in second.iterdir():
        if path.name in ("judgments.jsonl", "built.json"):
            path.unlink()
    with pytest.raises(in_process.Killed):
        play(RULES, data, tmp_path / "5", stop_at=6, **settings)
    play(RULES, data, tmp_path / "out", **settings)
    assert left(tmp_path / "out") == whole


def _cut(answers):
    """As a kill leaves a file that grows: without its name, and in the middle of a line."""
    text = answers.read_bytes()
    answers.with_name(f".{answers.name}.growing").write_bytes(text[: len(text) * 2 // 3])
    answers.unlink()


def test_a_process_that_was_killed_is_gone_on_from_by_the_next(data, tmp_path):
    """With the same command, and to the same bytes: of all weights, which the second round reads from disk."""
    settings, policy = (
        SelfPlay.model_validate({"labeler": RULES, **SHORT, **SMALL}),
        Policy(model=str(POLICY), threads=1),
    )
    judging = Judging(constitution=CONSTITUTION, ledger=tmp_path / "ledger.sqlite", run="mine")

    def train(name, last=None):
        run_dir = tmp_path / name
        run_dir.mkdir(exist_ok=True)

        def on_step(step, steps, metrics):
            if step == last:
                raise KeyboardInterrupt

        out = run_dir / "out"
        run_training(settings, policy, dataset=data, seed=3, run_dir=run_dir, out=out, on_step=on_step, judging=judging)
        return hashes(out)

    whole = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("again", last=5)
    assert train("again") == whole
    assert not (tmp_path / "again" / ".training").exists()


def test_what_an_api_judge_has_said_is_not_asked_again(tmp_path):
    """Killed while the first round trains, and while the second is judged: as many requests as without."""
    counts = []
    for name in ("whole", "again"):
        data = dataset(tmp_path / name / "prompts", train=6, test=2)  # with a ledger of its own
        with serving(FaultServer(answer=lambda asked: digit(asked.text))) as server:
            settings = {"kept": tmp_path / name / "out.kept", "rounds": 2, **SMALL}
            judge = judge_at(server)
            if name == "again":
                for number, stop_at in enumerate((2, 3)):
                    with pytest.raises(in_process.Killed):
                        play(judge, data, tmp_path / name / str(number), stop_at=stop_at, **settings)
                (tmp_path / name / "out.kept" / "trainer" / "rounds" / "1" / "judgments.jsonl").unlink()
            play(judge, data, tmp_path / name / "out", **settings)
            counts.append(len(server.requests))
    assert counts[0] == counts[1] > 0
    assert left(tmp_path / "again" / "out") == left(tmp_path / "whole" / "out")

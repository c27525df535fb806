"""Self-play on the quickstart's policy: what a round is made of, what it learns, and when there is no other.

Each round answers 12 prompts three times, takes 3 steps, and is compared with the last on 4 held-out prompts.
"""

import json
import math
import re

import pyarrow.parquet as pq
import pytest

from opinions import Opinion
from selfplaying import POLICY, RULES, comparer, dataset, hashes, lines, parts, play, rater
from solon.data.records import Candidates, Failed, Judgment, Scored
from solon.errors import BudgetReached, DataError, StageIncomplete, TrainingError
from solon.labelers.rating import RatingJudge
from solon.models.backend.loading import load
from solon.models.scripted import Scripted
from solon.stages.train import rounds_that_made_it_worse
from solon.trainers.backend.selfplay.prompts import prompts_of_round
from solon.trainers.base import Lora
from solon.trainers.dataset import prompts_of
from solon.trainers.selfplay import SelfPlay

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """12 prompts to learn from, 4 held out."""
    return dataset(tmp_path_factory.mktemp("prompts") / "prompts")


@pytest.fixture(scope="module")
def played(data, tmp_path_factory):
    """One training of two rounds that several tests look at."""
    out = tmp_path_factory.mktemp("played") / "out"
    return out, *play(RULES, data, out)


def trained(logged):
    """The lines of optimizer steps."""
    return [line for line in logged if "loss" in line]


def closing(logged):
    """The lines of rounds that are over."""
    return [line for line in logged if "selfplay/rounds" in line]


def test_steps_are_numbered_on_over_the_rounds(played):
    """Three a round; after each a line of its own says how the round went."""
    _, checkpoint, logged = played
    assert [line["step"] for line in logged] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert {line["steps"] for line in logged} == {6}
    assert [line["selfplay/round"] for line in trained(logged)] == [1, 1, 1, 2, 2, 2]
    assert [line["selfplay/rounds"] for line in closing(logged)] == [1, 2]
    assert (checkpoint.trainer, checkpoint.form, checkpoint.path) == ("selfplay", "full", ".")
    assert checkpoint.metrics["selfplay/win_rate"] == closing(logged)[-1]["selfplay/win_rate"]
    assert checkpoint.metrics["loss"] == trained(logged)[-1]["loss"]


def test_each_round_learns_from_its_own_answers_against_the_policy_of_its_beginning(played):
    """The first loss of each is log 2; the second round's answers are better than the first's."""
    out, _, logged = played
    first, second = (trained(logged)[place]["loss"] for place in (0, 3))
    assert [first, second] == pytest.approx([math.log(2)] * 2, abs=1e-5)
    scores = []
    for number in (1, 2):
        answered = lines(out / "rounds" / str(number) / "candidates.jsonl", Candidates)
        assert [len(one.completions) for one in answered] == [3] * 12
        scores.append(sum(parts(one.text) for group in answered for one in group.completions) / 36)
    assert scores[1] > scores[0]


def test_a_round_says_how_its_policy_compares_with_the_last(played):
    """Of 4 prompts; each answer's score is what its text earns, and the older ones' is that of the round before."""
    out, _, logged = played
    answers = [lines(out / "rounds" / str(number) / "held_out.jsonl", Candidates) for number in (0, 1, 2)]
    worth = [[parts(one.completions[0].text) for one in policy] for policy in answers]
    for number, line in enumerate(closing(logged), start=1):
        points = [
            0.5 + (new > old) / 2 - (new < old) / 2 for old, new in zip(*worth[number - 1 : number + 1], strict=True)
        ]
        assert line["selfplay/win_rate"] == sum(points) / 4
        assert 0 <= line["selfplay/low"] <= line["selfplay/win_rate"] <= line["selfplay/high"] <= 1
        assert (line["selfplay/n"], line["selfplay/failed"]) == (4, 0)
        assert line["selfplay/reward"] == pytest.approx(sum(worth[number]) / 4)
        assert line["selfplay/reward_before"] == pytest.approx(sum(worth[number - 1]) / 4)


def test_what_each_round_was_made_of_is_left(played):
    """Answers, judgments and pairs, in the columns of any preference dataset, and the last two rounds' policies."""
    out, _, logged = played
    for number, line in enumerate(closing(logged), start=1):
        folder = out / "rounds" / str(number)
        table = pq.read_table(folder / "pairs" / "preference" / "train.parquet")
        assert table.num_rows == line["selfplay/pairs"] > 0
        assert not (folder / "pairs" / "unpaired").exists()
        for row in table.to_pylist():
            assert parts(row["chosen"][0]["content"]) > parts(row["rejected"][0]["content"])
        assert len(lines(folder / "judgments.jsonl", Judgment)) == 36
        assert "config_name: preference" in (folder / "pairs" / "README.md").read_text()
    assert (out / "rounds" / "1" / "checkpoint" / "model.safetensors").is_file()
    assert not (out / "rounds" / "2" / "checkpoint").exists()  # it is `out` itself
    card = (out / "README.md").read_text()
    assert "# policy, trained with selfplay" in card
    assert str(out.parent) not in card + (out / "rounds" / "1" / "checkpoint" / "README.md").read_text()


def test_a_first_round_is_dpo_on_its_pairs(played, tmp_path):
    """The very weights that `dpo` gives with the same settings and seed."""
    import in_process

    out, _, _ = played
    first = out / "rounds" / "1"
    settings = SelfPlay.model_validate({"labeler": RULES, "learning_rate": 1e-3, "batch_size": 8, "max_steps": 3})
    dpo = settings.model_copy(update={"gradient_accumulation": 1}).of_a_round("plain")
    in_process.train(dpo, POLICY, first / "pairs" / "preference", tmp_path / "out")
    assert hashes(tmp_path / "out")["model.safetensors"] == hashes(first / "checkpoint")["model.safetensors"]


@pytest.mark.parametrize("lora", [None, Lora(r=4, dropout=0.1)], ids=["full", "lora"])
def test_the_reference_may_be_the_untrained_policy_in_all_rounds(lora, data, tmp_path):
    """One batch holds all pairs: at the second round's first step, the chosen responses' mean log-probability has
    changed since the untrained policy by what beta, .1, makes the reward.
    """
    from solon.data.records import Message
    from solon.models.transformers import Transformers

    settings = {"reference": "first", "lora": lora, "batch_size": 64, "learning_rate": 1e-2 if lora else 1e-3}
    _, logged = play(comparer(), data, tmp_path / "out", **settings)
    pairs = pq.read_table(tmp_path / "out" / "rounds" / "2" / "pairs" / "preference" / "train.parquet").to_pylist()
    asked = [
        ([Message.model_validate(message) for message in row["prompt"]], row["chosen"][0]["content"]) for row in pairs
    ]
    untrained = Transformers(model=str(POLICY), threads=1).log_probs(asked)
    first = trained(logged)[3]
    moved = first["logps/chosen"] - sum(untrained) / len(untrained)
    assert first["rewards/chosen"] == pytest.approx(0.1 * moved, abs=1e-4)
    assert abs(moved) > 0.01


def test_an_adapter_is_trained_on_over_the_rounds(data, tmp_path):
    """One adapter of the untouched base in the end; each round's reference is the adapter as the last one left it, its
    dropout off: the first loss is log 2 again.
    """
    before = hashes(POLICY)
    out = tmp_path / "out"
    checkpoint, logged = play(RULES, data, out, lora=Lora(r=4, dropout=0.2), learning_rate=1e-2)
    assert checkpoint.form == "lora"
    assert hashes(POLICY) == before
    left = {path.name for path in out.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "rounds"} <= left
    assert "ref" not in left
    one, two = hashes(out / "rounds" / "1" / "checkpoint"), hashes(out)
    assert one["adapter_model.safetensors"] != two["adapter_model.safetensors"]
    assert abs(trained(logged)[3]["rewards/margins"]) < 0.1
    assert trained(logged)[3]["rewards/margins"] != trained(logged)[5]["rewards/margins"]


def test_an_adapter_is_the_reference_of_the_round_that_trains_it_on(data, tmp_path):
    """Without dropout the policy of the second round's beginning and its reference are the same numbers."""
    _, logged = play(RULES, data, tmp_path / "out", lora=Lora(r=4), learning_rate=1e-2)
    losses = [line["loss"] for line in trained(logged)]
    assert [losses[0], losses[3]] == pytest.approx([math.log(2)] * 2, abs=1e-5)
    assert losses[2] < math.log(2) - 1e-3  # the first round has moved it


def test_failed_judgments_are_counted_and_never_labels(data, tmp_path):
    """A judge that says nothing about texts with a Reasoning part: none of them is in a pair."""
    judge = rater(lambda text: None if "Reasoning" in text else parts(text))
    with pytest.raises(StageIncomplete, match=r"judgments failed \(refused .*max_failed allows 5%.*I cannot"):
        play(judge, data, tmp_path / "refused")
    _, logged = play(judge, data, tmp_path / "out", max_failed=1.0, rounds=1)
    folder = tmp_path / "out" / "rounds" / "1"
    judgments = lines(folder / "judgments.jsonl", Judgment)
    failed = sum(one.outcome.kind == "failed" for one in judgments)
    (line,) = closing(logged)
    assert line["selfplay/failed_judgments"] == failed > 0
    for row in pq.read_table(folder / "pairs" / "preference" / "train.parquet").to_pylist():
        assert "Reasoning" not in row["chosen"][0]["content"] + row["rejected"][0]["content"]
    assert line["selfplay/n"] + line["selfplay/failed"] == 4


def test_a_first_round_without_a_pair_is_an_error(data, tmp_path):
    """A judge to whom all answers are alike teaches nothing."""
    with pytest.raises(DataError, match=r"no pair came out of the first round's judgments.*tie_balanced"):
        play(rater(lambda _: 0.5), data, tmp_path / "out")


def test_a_later_round_without_a_pair_is_the_end(data, tmp_path):
    """Nothing is left to learn: the policy of the round before is what comes of it.

    Each round has 6 prompts of its own, and all answers to those of the second are alike to the judge.
    """
    prompts = prompts_of(pq.read_table(data / "train.parquet"), "prompts")
    second = prompts_of_round(prompts, 2, 6, seed=3)

    def says(question):
        return Scored(scores=(0.5 if question.prompt in second else parts(question.options[0].text),))

    out = tmp_path / "out"
    _, logged = play(Opinion(says=says, shown=1), data, out, rounds=3, prompts_a_round=6)
    assert [line["selfplay/pairs"] > 0 for line in closing(logged)] == [True, False]
    assert logged[-1]["step"] == logged[-1]["steps"] == 3
    assert (out / "model.safetensors").is_file()
    assert [json.loads(path.read_text())["chosen"] for path in sorted(out.glob("rounds/*/round.json"))] == [1, 1]


def test_rounds_end_where_the_policy_is_worse_than_before(tmp_path):
    """On held-out prompts the judge likes the first round's answers best and the second's least: what is left is the
    first round's policy, and the second's beside it.
    """
    data = dataset(tmp_path / "prompts", test=12)
    held_out, seen = prompts_of(pq.read_table(data / "test.parquet"), "prompts"), {}

    def says(question):
        text = question.options[0].text
        if question.prompt not in held_out:
            return Scored(scores=(parts(text),))
        texts = seen.setdefault(question.prompt, [])  # a round's answer is asked about before the last one's
        if text not in texts:
            texts.append(text)
        return Scored(scores=(max(0.0, 1 - texts.index(text) / 2),))

    out = tmp_path / "out"
    _, logged = play(Opinion(says=says, shown=1), data, out, rounds=3, stop="worse", learning_rate=1e-2)
    first, second = closing(logged)
    assert first["selfplay/low"] > 0.5 > second["selfplay/high"]
    assert (second["step"], second["steps"], second["selfplay/left"]) == (6, 6, 1)  # no others follow
    assert "selfplay/left" not in first
    assert [json.loads(path.read_text())["chosen"] for path in sorted(out.glob("rounds/*/round.json"))] == [1, 1]
    assert [path.parent.name for path in out.glob("rounds/*/checkpoint")] == ["2"]
    assert hashes(out / "rounds" / "2" / "checkpoint")["model.safetensors"] != hashes(out)["model.safetensors"]


def test_rounds_end_where_it_is_unclear_whether_the_policy_is_better(data, tmp_path):
    """All held-out answers are alike to the judge: a win rate of one half, with an interval around it."""
    held_out = prompts_of(pq.read_table(data / "test.parquet"), "prompts")

    def says(question):
        return Scored(scores=(0.5 if question.prompt in held_out else parts(question.options[0].text),))

    _, logged = play(Opinion(says=says, shown=1), data, tmp_path / "out", stop="unclear")
    (line,) = closing(logged)
    assert line["selfplay/low"] < line["selfplay/win_rate"] == 0.5 < line["selfplay/high"]


def test_a_first_round_that_is_worse_is_left_and_said_to_be(tmp_path):
    """There is no checkpoint of the untrained policy that would be better."""
    data = dataset(tmp_path / "prompts", test=12)
    held_out, seen = prompts_of(pq.read_table(data / "test.parquet"), "prompts"), {}

    def says(question):
        text = question.options[0].text
        if question.prompt not in held_out:
            return Scored(scores=(parts(text),))
        # the new policy's answer is asked about first
        return Scored(scores=(float(seen.setdefault(question.prompt, text) != text),))

    labeler = Opinion(says=says, shown=1)
    checkpoint, logged = play(labeler, data, tmp_path / "out", rounds=3, stop="worse", learning_rate=1e-2)
    (line,) = closing(logged)
    assert line["selfplay/high"] < 0.5
    assert (line["selfplay/left"], line["steps"]) == (1, 3)
    assert (tmp_path / "out" / "model.safetensors").is_file()
    (said,) = rounds_that_made_it_worse(checkpoint)
    assert re.fullmatch(r"the first round's policy is left, .*: it wins \d+% of 12 held-out prompts.*", said)


@pytest.mark.parametrize(("gone", "stop", "told"), [(1, "unclear", [None, None]), (2, "never", [0.5, None])])
def test_a_round_of_which_nothing_was_told_is_no_end(gone, stop, told, tmp_path):
    """The judge refuses all comparisons from one round on, and nobody knows whether the policy is worse: the next round
    follows. The last round's numbers are its own, and not those that the first had.
    """
    data = dataset(tmp_path / "prompts", test=1)
    (held_out,), turns = prompts_of(pq.read_table(data / "test.parquet"), "prompts"), [True]

    def says(question):
        if turns[-1] != (question.prompt == held_out):
            turns.append(not turns[-1])
        if question.prompt != held_out:
            return Scored(scores=(parts(question.options[0].text),))
        return Scored(scores=(1.0,)) if len(turns) <= 2 * gone else Failed(reason="refused", raw="no")

    settings = {"stop": stop, "max_failed": 1.0, "learning_rate": 1e-2}
    checkpoint, logged = play(Opinion(says=says, shown=1), data, tmp_path / "out", **settings)
    assert [line.get("selfplay/win_rate") for line in closing(logged)] == told
    assert (closing(logged)[1]["selfplay/n"], closing(logged)[1]["selfplay/failed"]) == (0, 1)
    assert "selfplay/win_rate" not in checkpoint.metrics
    assert checkpoint.metrics["selfplay/left"] == 2


@pytest.mark.parametrize(("step", "good"), [(4, 3), (6, 5)])
def test_where_it_breaks_off_the_last_good_policy_is_left(step, good, data, tmp_path):
    """An alarm ends it in the second round: at its first step, where the first round's policy is the last good one, or
    at its third.
    """

    def alarm(line):
        if line.get("epoch") == step - 3 and line["selfplay/round"] == 2:
            raise TrainingError("an alarm")
        return False

    settings = {"prompts_a_round": 4, "save_every": 1, "stop_when": alarm, "kept": tmp_path / "kept"}
    with pytest.raises(TrainingError, match="an alarm"):
        play(comparer(lambda text: float(len(text))), data, tmp_path / "out", **settings)
    assert [path.name for path in (tmp_path / "kept").glob("last-good-*")] == [f"last-good-{good}"]
    left = hashes(tmp_path / "kept" / f"last-good-{good}")["model.safetensors"]
    first = hashes(tmp_path / "kept" / "trainer" / "rounds" / "1" / "checkpoint")["model.safetensors"]
    assert (left == first) == (good == 3)


def test_of_as_many_rounds_as_asked_for_the_policy_is_left(data, tmp_path):
    """Of one: that of the last round alone."""
    play(comparer(), data, tmp_path / "out", max_steps=1, checkpoints=1)
    assert (tmp_path / "out" / "model.safetensors").is_file()
    assert not list((tmp_path / "out").glob("rounds/*/checkpoint"))


def test_without_held_out_prompts_there_is_no_win_rate(tmp_path):
    """And `stop`, which goes by it, is refused before anything is asked."""
    data = dataset(tmp_path / "prompts", test=0)
    _, logged = play(RULES, data, tmp_path / "out", rounds=1)
    assert "selfplay/win_rate" not in closing(logged)[0]
    with pytest.raises(DataError, match=r"no held-out prompts, and train.stop is 'worse'"):
        play(RULES, data, tmp_path / "again", stop="worse")


def test_prompts_without_room_for_an_answer_are_counted_and_refused(data, tmp_path):
    """Or left out, where that is asked for: of the held-out ones too."""
    with pytest.raises(
        DataError, match=r"12 of 12 prompts leave no room for a completion of train.max_new_tokens 5000"
    ):
        play(RULES, data, tmp_path / "refused", max_new_tokens=5000)
    tables = [prompts_of(pq.read_table(data / f"{side}.parquet"), "prompts") for side in ("train", "test")]
    loaded = load(str(POLICY))
    lengths = [[len(ids) for ids in loaded.chat.encode([one.messages for one in prompts])] for prompts in tables]
    limit = sorted(lengths[0] + lengths[1])[8]
    gone = [sum(length > limit for length in one) for one in lengths]
    settings = {"max_length": limit + 48, "too_long": "leave_out", "rounds": 1, "max_steps": 1}
    checkpoint, logged = play(RULES, data, tmp_path / "out", **settings)
    assert checkpoint.metrics["rows/left_out"] == sum(gone) > 0
    assert len(lines(tmp_path / "out" / "rounds" / "1" / "candidates.jsonl", Candidates)) == 12 - gone[0]
    assert closing(logged)[0]["selfplay/n"] == 4 - gone[1]


def test_a_budget_stops_it(data, tmp_path):
    """As it stops a stage."""
    model = Scripted.model_validate({"default": "5", "remote": True, "price": {"input": 1e6, "output": 1e6}})
    with pytest.raises(BudgetReached):
        play(RatingJudge(judge=model), data, tmp_path / "out", max_usd=0.01)


def test_a_job_that_does_not_say_under_what_is_refused(data, tmp_path):
    """A labeler without a constitution has nothing to ask."""
    import in_process

    with pytest.raises(TrainingError, match="its job does not say under what"):
        in_process.train(SelfPlay.model_validate({"labeler": RULES}), POLICY, data, tmp_path / "out")


def test_every_prompt_has_its_turn_before_any_comes_again():
    """Rounds of 4 of 10: the third takes the last two and two others, and the fifth ends the second turn."""
    rounds = [prompts_of_round(list(range(10)), number, 4, seed=1) for number in range(1, 6)]
    assert all(len(set(one)) == 4 for one in rounds)
    answered = [prompt for one in rounds for prompt in one]
    assert sorted(answered[:10]) == sorted(answered[10:]) == list(range(10))
    assert rounds != [prompts_of_round(list(range(10)), number, 4, seed=2) for number in range(1, 6)]
    assert prompts_of_round([3, 1, 2], 7, 3, seed=1) == [3, 1, 2]

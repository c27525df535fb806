"""The limits of alarms: how they are written, and what of them decides a result."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from solon.errors import TrainingError
from solon.trainers.alarms import Alarm, Alarms, Limit, ended_by
from solon.trainers.base import Policy, Trainer
from solon.trainers.dpo import DPO
from solon.trainers.workplace import training_id


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        (3, Limit(limit=3.0)),
        (None, Limit(limit=None)),
        ({"limit": 3.0, "stop": True}, Limit(limit=3.0, stop=True)),
        ({"stop": True}, Limit(limit=2.0, stop=True)),
        ({}, Limit(limit=2.0)),
    ],
)
def test_a_limit_is_a_number_nothing_or_a_mapping(written, limit):
    """The usual case is one number; whoever only adds `stop` keeps the default of 2."""
    assert Alarms.model_validate({"kl": written}) == Alarms(kl=limit)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ({"kl": -1}, ("kl", "limit")),
        ({"kl": float("nan")}, ("kl", "limit")),
        ({"kl": True}, ("kl",)),
        ({"kl": {"limit": 2, "stopp": True}}, ("kl", "stopp")),
        ({"clipped": 80}, ("clipped",)),
        ({"kll": 2}, ("kll",)),
    ],
)
def test_a_limit_that_means_nothing_is_refused_where_it_is(written, place):
    """80 for 80 % would never be reached, and the alarm would be off without anyone knowing."""
    with pytest.raises(ValidationError) as caught:
        Alarms.model_validate(written)
    assert [error["loc"] for error in caught.value.errors()] == [place]


def test_the_defaults_are_the_published_red_flags():
    """Axolotl's stability guide: KL, entropy, clip ratio, groups without spread, cut completions."""
    alarms = Alarms()
    published = (alarms.kl, alarms.entropy, alarms.clip_ratio, alarms.no_spread, alarms.clipped)
    assert [each.limit for each in published] == [2.0, 0.01, 0.3, 1.0, 0.8]
    assert not any(getattr(alarms, name).stop for name in Alarms.model_fields)


def test_every_trainer_has_alarms_and_its_settings_survive_the_wire():
    """Third parties' too: the field is the base class's."""
    assert "alarms" in Trainer.model_fields
    trainer = DPO.model_validate({"alarms": {"kl": None, "nan": {"stop": True}}})
    settings = trainer.settings()
    assert settings.pop("kind") == "dpo"
    assert DPO.model_validate(settings) == trainer


def test_only_an_alarm_that_stops_may_change_a_result():
    """Another limit of a mere warning must not make a stage train for hours again."""
    plain = DPO().effects()
    assert DPO.model_validate({"alarms": {"kl": 5, "nan": None}}).effects() == plain
    stopping = DPO.model_validate({"alarms": {"kl": {"limit": 5, "stop": True}}}).effects()
    assert stopping == plain | {"alarms": {"kl": {"limit": 5.0, "stop": True}}}


def test_a_training_that_an_alarm_ended_goes_on_with_another_limit(tmp_path):
    """No weight depends on it, so what was kept is that of the same training."""
    names = {
        training_id(DPO.model_validate({"alarms": alarms}), Policy(model="org/name"), tmp_path, 0)
        for alarms in ({}, {"kl": {"stop": True}}, {"kl": {"limit": 9, "stop": True}})
    }
    assert len(names) == 1


def test_the_error_says_which_alarm_where_and_what_to_do():
    """Whoever set `stop` hours ago must not have to look it up."""
    alarm = Alarm(
        name="kl",
        metric="objective/kl",
        step=40,
        value=2.5,
        limit=2.0,
        text="at step 40 the KL to the reference is 2.5, above 2",
        remedy="lower the rate",
        stop=True,
    )
    error = ended_by(alarm)
    assert isinstance(error, TrainingError)
    assert str(error) == (
        "training stopped, as train.alarms.kl.stop asks: at step 40 the KL to the reference is 2.5, above 2. Lower the "
        "rate. What was kept before is still there: with another train.alarms.kl.limit or without its stop, the same "
        "command goes on from it"
    )


def test_the_page_has_each_alarm_with_its_default():
    """A limit that no page names is switched off by nobody."""
    page = (Path(__file__).parents[3] / "docs" / "trainers" / "alarms.md").read_text("utf-8")
    table = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", page, re.MULTILINE)
    defaults = Alarms()
    assert [(name, float(limit)) for name, limit in table] == [
        (name, getattr(defaults, name).limit) for name in Alarms.model_fields
    ]

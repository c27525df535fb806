"""Plugins are found by name, loaded when used, and loud when they are wrong."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from solon.errors import PluginError
from solon.plugins import registry
from solon.plugins.registry import GROUPS, Offer, create, kinds, load, offers


def offering(monkeypatch: pytest.MonkeyPatch, *new: Offer) -> None:
    ours = {group: offers(group) for group in GROUPS}
    monkeypatch.setattr(
        registry, "offers", lambda group: ours[group] + tuple(offer for offer in new if offer.group == group)
    )


def offer(kind: str, target: str, package: str = "solon-other") -> Offer:
    point = EntryPoint(kind, target, "solon.labelers")
    return Offer("solon.labelers", kind, target, package, "1.0", point)


@pytest.mark.parametrize("group", list(GROUPS))
def test_everything_we_register_loads_under_its_own_name(group: str) -> None:
    """`load` itself refuses a class of the wrong base or with another `kind`."""
    assert kinds(group)
    for kind in kinds(group):
        assert load(group, kind) is not None


def test_an_unknown_kind_names_the_nearest() -> None:
    """A misspelling is the commonest mistake in a recipe."""
    with pytest.raises(PluginError, match=r"no labeler is called 'pairwize'.*did you mean 'pairwise'"):
        load("solon.labelers", "pairwize")


@pytest.mark.parametrize(
    ("group", "kind", "says"),
    [
        (
            "solon.labelers",
            "endpoint",
            "; 'endpoint' is a chat model, which goes under `judge`: {kind: pairwise, judge: {kind: endpoint, ...}}",
        ),
        ("solon.trainers", "win_rate", "; 'win_rate' is an evaluator"),
        ("solon.models", "gpt-4o", ". The name of a model goes under `model`: {kind: openai, model: gpt-4o}"),
        ("solon.models", "claude-haiku-4-5", " `model`: {kind: anthropic, model: claude-haiku-4-5}"),
        ("solon.models", "qwen-7b", ". The name of a model goes under `model`: {kind: endpoint, model: qwen-7b}"),
    ],
)
def test_a_name_of_another_sort_is_shown_to_its_place(group: str, kind: str, says: str) -> None:
    """A newcomer knows the model, and not yet which part of a recipe is what."""
    with pytest.raises(PluginError) as caught:
        load(group, kind)
    assert str(caught.value).endswith(says)


def test_two_packages_with_one_name_are_refused_and_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody shadows `rules` by installing a package."""
    offering(monkeypatch, offer("rules", "other:Rules"))
    with pytest.raises(PluginError, match=r"several packages: .*solon-other 1.0"):
        load("solon.labelers", "rules")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("no_such_module:X", "does not load: ModuleNotFoundError"),
        ("pathlib:Path", "is not a subclass of solon.labelers.base.Labeler"),
        ("solon.labelers.rules:Rules", "calls itself 'rules'"),
    ],
)
def test_a_broken_plugin_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, target: str, says: str) -> None:
    """The user must know whom to blame and what to uninstall."""
    offering(monkeypatch, offer("broken", target))
    with pytest.raises(PluginError, match=says) as caught:
        load("solon.labelers", "broken")
    assert "solon-other" in str(caught.value)


def test_a_mapping_without_kind_lists_what_there_is() -> None:
    """The error is the documentation."""
    with pytest.raises(ValueError, match="`kind` is missing: which chat model"):
        create("solon.models", {"model": "x"})


def test_settings_survive_the_way_out_and_back() -> None:
    """What run.json holds is enough to make the plugin again."""
    made = create("solon.labelers", {"kind": "pairwise", "judge": {"kind": "scripted", "default": "A"}})
    assert create("solon.labelers", made.settings()).settings() == made.settings()
    assert made.identity() == create("solon.labelers", made.settings()).identity()


def test_another_port_or_patience_makes_no_other_judge() -> None:
    """Moving a server must not cost a training: stages are redone for what may change a result, and only for that."""

    def effects(**settings: object) -> object:
        judge = {"kind": "endpoint", "base_url": "http://127.0.0.1:8000/v1", "model": "m", **settings}
        return create("solon.labelers", {"kind": "pairwise", "judge": judge}).effects()

    assert effects() == effects(base_url="http://127.0.0.1:9000/v1", timeout_s=5, concurrency=3)
    assert effects() != effects(model="other")
    assert create("solon.labelers", {"kind": "rules", "rules": {"a": {"regex": "x"}}}).effects() == {
        **create("solon.labelers", {"kind": "rules", "rules": {"a": {"regex": "x"}}}).settings()
    }

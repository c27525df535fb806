"""Plugins are found by name, loaded when used, and loud when they are wrong."""

from __future__ import annotations

import builtins
import sys
import threading
from pathlib import Path

import pytest

from packages import labeler, publish
from solon.errors import Interrupted, PluginError
from solon.plugins import loading
from solon.plugins.registry import GROUPS, create, kinds, load, offers

LABELERS = "solon.labelers"


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


@pytest.mark.parametrize(
    ("group", "kind", "says"),
    [
        ("solon.models", "ollama", "{kind: endpoint, base_url: ..., model: ...}"),
        ("solon.trainers", "IPO", "{kind: dpo, loss: ipo}"),
        ("solon.labelers", "regex", "patterns are `rules`"),
        ("solon.evaluators", "mmlu", "{kind: lm_eval, tasks: [...]}"),
        ("solon.labelers", "my_judge.Brevity", "written my_judge:Brevity, in a recipe that says `allow_import: true`"),
    ],
)
def test_what_others_call_by_another_name_is_shown(group: str, kind: str, says: str) -> None:
    """Who comes from another library looks for its words."""
    with pytest.raises(PluginError, match=r"no .* is called") as caught:
        load(group, kind)
    assert str(caught.value).endswith(says)


def test_a_third_party_cannot_take_a_name_of_ours(site: Path) -> None:
    """Nobody's recipe changes its meaning because something was installed."""
    publish(site, "solon-other", {LABELERS: {"rules": "other:Brevity"}}, {"other.py": labeler("rules")})
    assert load(LABELERS, "rules").__module__ == "solon.labelers.rules"
    (theirs,) = [offer for offer in offers(LABELERS) if offer.package == "solon-other"]
    assert "solon has a plugin of that name itself" in theirs.refused
    assert kinds(LABELERS).count("rules") == 1


@pytest.mark.parametrize("name", ["solon", "Solon", "SOLON"])
@pytest.mark.parametrize("target", ["other:Brevity", "solon.other:Brevity"])
def test_a_package_that_calls_itself_solon_takes_no_name_of_ours(site: Path, name: str, target: str) -> None:
    """Of two packages of one name Python tells of the first on the path alone, which would hide ours."""
    publish(site, name, {LABELERS: {"rules": target, "mine": target}}, {"other.py": labeler("rules")}, version="99")
    assert load(LABELERS, "rules").__module__ == "solon.labelers.rules"
    with pytest.raises(PluginError, match="calls itself solon and is not: find out what brought it there"):
        load(LABELERS, "mine")


def test_a_package_without_a_name_is_no_reason_to_stop(site: Path) -> None:
    """Its metadata are damaged, or it is being removed while solon looks."""
    info = publish(site, "solon-torn", {LABELERS: {"torn": "torn:Brevity"}}, {"torn.py": labeler("torn")})
    (info / "METADATA").write_text("")
    assert load(LABELERS, "rules").__module__ == "solon.labelers.rules"
    (torn,) = [offer for offer in offers(LABELERS) if offer.kind == "torn"]
    assert (torn.package, torn.version) == ("(unknown package)", "?")


def test_two_packages_with_one_name_are_both_refused_and_named(site: Path) -> None:
    """A name never silently means something else; the error says how to choose."""
    for package in ("solon-a", "solon-b"):
        module = package[-1] + "_judge"
        publish(site, package, {LABELERS: {"brevity": f"{module}:Brevity"}}, {f"{module}.py": labeler("brevity")})
    with pytest.raises(PluginError, match=r"solon-a 1.0 .*solon-b 1.0 .*uninstall.*SOLON_PLUGINS=solon-a"):
        load(LABELERS, "brevity")


def test_choosing_one_of_two_packages_by_the_variable(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the error says."""
    for package in ("solon-a", "solon-b"):
        module = package[-1] + "_judge"
        publish(site, package, {LABELERS: {"brevity": f"{module}:Brevity"}}, {f"{module}.py": labeler("brevity")})
    monkeypatch.setenv("SOLON_PLUGINS", "solon-b")
    assert load(LABELERS, "brevity").__module__ == "b_judge"


def test_what_is_installed_while_solon_runs_is_found(site: Path) -> None:
    """`%pip install` in a notebook needs no restart."""
    assert "late" not in kinds(LABELERS)
    publish(site, "solon-late", {LABELERS: {"late": "late_judge:Brevity"}}, {"late_judge.py": labeler("late")})
    assert load(LABELERS, "late").kind == "late"


def test_ctrl_c_during_an_import_names_what_was_imported(site: Path) -> None:
    """Whoever stops it wants to know what it was that hung, and how to go on without."""
    publish(site, "solon-slow", {LABELERS: {"slow": "slow_judge:X"}}, {"slow_judge.py": "raise KeyboardInterrupt"})
    with pytest.raises(
        Interrupted, match=r"labeler 'slow' of solon-slow 1.0 .*being imported.*pip uninstall solon-slow"
    ):
        load(LABELERS, "slow")


def test_an_import_that_takes_long_is_named_while_it_does(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module here waits for just that."""
    told = threading.Event()

    class Stderr:
        text = ""

        def write(self, text: str) -> None:
            self.text += text
            told.set()

        def flush(self) -> None: ...

    stderr = Stderr()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(loading, "PATIENCE_S", 0.01)
    monkeypatch.setattr(builtins, "told_of_it", told, raising=False)
    code = f"assert told_of_it.wait(60)\n{labeler('slow')}"
    publish(site, "solon-slow", {LABELERS: {"slow": "slow_judge:Brevity"}}, {"slow_judge.py": code})
    assert load(LABELERS, "slow").kind == "slow"
    assert "solon: still importing labeler 'slow' of solon-slow 1.0 (slow_judge:Brevity). If it hangs" in stderr.text
    assert "SOLON_PLUGINS=off" in stderr.text


def test_what_a_third_partys_settings_raise_is_named(site: Path) -> None:
    """A validator that fails in its own way must not look like an error of solon."""
    code = labeler("odd").replace("    async", "    def model_post_init(self, _):\n        {}['x']\n\n    async")
    publish(site, "solon-odd", {LABELERS: {"odd": "odd_judge:Brevity"}}, {"odd_judge.py": code})
    with pytest.raises(ValueError, match=r"labeler 'odd' .*odd_judge.* raised KeyError: 'x', when its settings"):
        create(LABELERS, "odd")


def test_a_mapping_without_kind_lists_what_there_is() -> None:
    """The error is the documentation."""
    with pytest.raises(ValueError, match=r"`kind` is missing: which chat model"):
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

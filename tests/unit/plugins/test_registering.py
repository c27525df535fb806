"""``@solon.plugins.register``: plugins of a notebook or a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

import solon.plugins
from packages import labeler, publish
from solon.constitution.library import resolve
from solon.errors import PluginError
from solon.plugins import Constitution, Judgment, Labeler, Principle, Question, Scored, register, unregister
from solon.plugins.base import effects_of
from solon.plugins.inspecting import entries
from solon.plugins.registry import create, kinds, load
from solon.plugins.sources import code_of, source_of

CELL = """
from typing import ClassVar
from solon.plugins import Judgment, Labeler, Question, Scored, register

LONGEST = {longest}

def length(text):
    return min(len(text), LONGEST)

@register
class {name}(Labeler):
    kind: ClassVar[str] = "{kind}"
    limit: int = 100

    async def label(self, question: Question) -> Judgment:
        return question.judged(Scored(scores=({score} / (1 + length(question.options[0].text)),)), labeler=self.name)
"""


def cell(
    name: str = "Brevity", kind: str = "brevity", longest: int = 9, score: str = "1.0", module: str = "__main__"
) -> Any:
    """Runs a notebook's cell, and gives the class in it."""
    place = {"__name__": module}
    exec(compile(CELL.format(name=name, kind=kind, longest=longest, score=score), "<cell>", "exec"), place)
    return place[name]


def test_a_registered_class_is_used_like_an_installed_one() -> None:
    """By the name that it has."""
    made = cell()
    assert load("solon.labelers", "brevity") is made
    assert "brevity" in kinds("solon.labelers")
    assert create("solon.labelers", {"kind": "brevity", "limit": 3}).settings() == {"kind": "brevity", "limit": 3}


def test_running_the_cell_again_replaces_the_class() -> None:
    """Same module, same name: the one that was edited."""
    cell()
    again = cell(score="2.0")
    assert load("solon.labelers", "brevity") is again


def test_another_class_of_that_kind_is_a_clash() -> None:
    """Which of two is meant must never depend on the order of cells; the error names both and the way out."""
    first = cell()
    with pytest.raises(PluginError, match=r"__main__.Terse. cannot be registered: __main__.Brevity has that name"):
        cell(name="Terse")
    unregister(first)
    assert load("solon.labelers", cell(name="Terse").kind).__name__ == "Terse"
    with pytest.raises(PluginError, match=r"__main__.Brevity is not registered"):
        unregister(first)


def test_an_installed_name_is_never_shadowed(site: Path) -> None:
    """Neither ours nor a third party's."""
    publish(site, "solon-wit", {"solon.labelers": {"wit": "wit_judge:Brevity"}}, {"wit_judge.py": labeler("wit")})
    with pytest.raises(PluginError, match=r"cannot be registered: solon .*rules:Rules. is installed under that name"):
        cell(kind="rules")
    with pytest.raises(PluginError, match=r"cannot be registered: solon-wit 1.0 .* is installed under that name"):
        cell(kind="wit")


def test_what_is_no_plugin_is_refused_at_once() -> None:
    """In the cell that is wrong, and not where it is used."""
    with pytest.raises(PluginError, match=r"derives from none of ChatModel, Labeler, Trainer, Evaluator"):
        register(dict)
    with pytest.raises(PluginError, match=r'give it a name, `kind: ClassVar.str. = "nameless"`'):

        @register
        class Nameless(Labeler):
            async def label(self, question: Question) -> Judgment:
                return question.judged(Scored(scores=(1.0,)), labeler=self.name)

    with pytest.raises(PluginError, match=r"cannot be registered: it does not implement label\(\) or examine\(\)"):

        @register
        class Silent(Labeler):
            kind: ClassVar[str] = "silent"


def test_a_function_that_returns_a_constitution_is_one_under_its_name() -> None:
    """What an entry point of that group names is a function too."""

    @solon.plugins.register
    def haiku() -> Constitution:
        return Constitution(name="haiku", principles=(Principle(id="lines", text="Three lines."),))

    assert resolve("haiku").name == "haiku"


def test_the_list_shows_what_this_process_has_registered() -> None:
    """With where it is."""
    made = cell(module="my_notebook")
    (entry,) = [one for one in entries(["solon.labelers"]) if one.source == "registered"]
    assert (entry.kind, entry.target, entry.state) == ("brevity", "my_notebook:Brevity", "loads")
    assert made.kind == "brevity"


def test_the_source_of_a_cell_decides() -> None:
    """The class, the functions and the values that it uses: an edited one must not be taken for the one before."""
    same, other = source_of(cell()), {source_of(cell(score="2.0")), source_of(cell(longest=8))}
    assert same is not None
    assert source_of(cell()) == same
    assert len({same, *other}) == 3
    assert effects_of(cell()())["source code"] == same


def test_running_only_the_cell_of_a_function_that_it_uses_makes_another_plugin() -> None:
    """The class is the same object as before."""
    made = cell()
    before = source_of(made)
    names = made.label.__globals__
    names["LONGEST"] = 10
    assert source_of(made) != before
    names["LONGEST"] = 9
    assert source_of(made) == before
    exec("def length(text):\n    return 3", names)
    assert source_of(made) != before


def test_what_a_class_counts_makes_no_other_plugin() -> None:
    """State that its functions keep in its module is not what it is; a name that is only an attribute's is not its."""
    code = """
from typing import ClassVar
from solon.plugins import ChatModel, Reply, Request
calls, seen, LIMITS, text = 0, [], {"words": 3}, "a"

class Counting(ChatModel):
    kind: ClassVar[str] = "counting"
    async def complete(self, request: Request) -> Reply:
        global calls
        calls += 1
        seen.append(request)
        return Reply(text=str(LIMITS["words"]) + request.messages[0].text)
"""
    place: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "<cell>", "exec"), place)
    made = place["Counting"]
    before = source_of(made), code_of(made)
    place["calls"], place["text"] = 7, "b"
    place["seen"].append(object())
    assert (source_of(made), code_of(made)) == before
    assert made().describe() == {"kind": "counting", "source code": before[1]}
    place["LIMITS"] = {"words": 4}
    assert source_of(made) != before[0]
    assert code_of(made) == before[1], "the ledger's key: what was paid for is not asked again for a value"


def test_a_comment_makes_no_other_plugin(tmp_path: Path) -> None:
    """Where the text of the script is at hand, it is its meaning that decides."""

    def of(text: str) -> str | None:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.py"
        file.write_text(text)
        place: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, str(file), "exec"), place)
        return source_of(place["Brevity"])

    text = CELL.format(name="Brevity", kind="brevity", longest=9, score="1.0")
    assert of(text) == of(text.replace("    limit: int", "    # how long\n    limit:  int"))
    assert of(text) != of(text.replace("limit: int = 100", "limit: float = 100"))
    assert of(text) != of(text.replace("    limit: int", "    extra: ClassVar[int] = 2\n    limit: int"))


def test_the_source_of_what_solon_ships_does_not_decide() -> None:
    """Its version is noted with every run."""
    assert "source code" not in effects_of(create("solon.labelers", {"kind": "rules", "rules": {"a": {"regex": "x"}}}))

"""What is changed of a plugin of a notebook or script makes another plugin of it; what changes by itself does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from solon.plugins.sources import code_of, source_of

BEGIN = """
import functools, re
from typing import ClassVar
from solon.plugins import Judgment, Labeler, Question, Scored
"""
CLASS = """
class Brevity(Labeler):
    kind: ClassVar[str] = "brevity"
    {more}
    async def label(self, question: Question{argument}) -> Judgment:
        return question.judged(Scored(scores=({score},)), labeler=self.name)
"""


def notebook(folder: Path, *cells: str, name: str = "Brevity") -> Any:
    """Runs cells one after the other in one module, each with a file of its own as in a notebook; gives a class."""
    place: dict[str, Any] = {"__name__": "__main__"}
    for cell in (BEGIN, *cells):
        file = folder / f"cell-{len(list(folder.iterdir()))}.py"
        file.write_text(cell)
        exec(compile(cell, str(file), "exec"), place)
    return place[name]


def written(*, more: str = "", argument: str = "", score: str = "0.5") -> str:
    """The cell of a class."""
    return CLASS.format(more=more, argument=argument, score=score)


SUB = 'class Sub(Brevity):\n    kind: ClassVar[str] = "sub"\n    LIMIT: ClassVar[int] = {}'
MADE_IN = """
def make(limit, ignore):
    class Brevity(Labeler):
        kind: ClassVar[str] = "brevity"
        async def label(self, question: Question) -> Judgment:
            return question.judged(Scored(scores=(1 / limit,)), labeler=self.name)
    return Brevity
"""
CASES = {
    "a value of a class without functions": ("Sub", [written(), SUB.format("{}")], "3", "50"),
    "a value of a class taken from another cell": (
        "Brevity", ["THRESH = {}", written(more="LIMIT: ClassVar[int] = THRESH")], "3", "50",
    ),
    "a default taken from another cell": ("Brevity", ["THRESH = {}", written(argument=", k=THRESH")], "3", "50"),
    "a named default": ("Brevity", ["THRESH = {}", written(argument=", *, k=THRESH")], "3", "50"),
    "a cached helper": (
        "Brevity", ["@functools.cache\ndef help():\n    return {}", written(score="help()")], "0.1", "0.2",
    ),
    "a partial helper": (
        "Brevity",
        ["def whole(a):\n    return a * {}", "help = functools.partial(whole, 1)", written(score="help()")],
        "0.1", "0.2",
    ),
    "a closure": ("Brevity", [MADE_IN, "Brevity = make({}, 1)"], "3", "50"),
    "a function that a closure holds": (
        "Brevity",
        [MADE_IN.replace("1 / limit", "limit()"), "def one():\n    return {}", "Brevity = make(one, 1)"], "0.3", "0.5",
    ),
    "a set": ("Brevity", ["WORDS = {}", written(score="len(WORDS)")], "set('ab')", "set('cd')"),
    "a pattern": ("Brevity", ["WORDS = re.compile({})", written(score="bool(WORDS)")], "'a'", "'a', re.I"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "cells", "before", "after"), CASES.values(), ids=list(CASES))
def test_what_was_changed_makes_another_plugin(
    name: str, cells: list[str], before: str, after: str, tmp_path: Path
) -> None:
    """What the one before did would be taken for what this one would do."""
    first, same, other = (
        source_of(notebook(tmp_path, *(cell.replace("{}", text) for cell in cells), name=name))
        for text in (before, before, after)
    )
    assert first == same
    assert first != other


LATE = "def late(self):\n        {}\n        return it.score()\n"
HELPED = {
    "a function": ("from help_me import score", "score()", ""),
    "a module": ("import help_me", "help_me.score()", ""),
    "a cached function": ("from help_me import kept", "kept()", ""),
    "an instance": ("from help_me import one", "one.score()", ""),
    "a base": ("from help_me import Base", "self.score()", ""),
    "an import inside": ("", "self.late()", LATE.format("import help_me as it")),
    "a part inside": ("", "self.late()", LATE.format("from parts import score as it")),
}  # fmt: skip
HELP = """
import functools
def score(*_):
    return {}
@functools.cache
def kept():
    return score()
class Base:
    score = score
one = Base()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("line", "score", "more"), HELPED.values(), ids=list(HELPED))
def test_an_edited_file_beside_a_notebook_makes_another_plugin_in_a_new_process(
    line: str, score: str, more: str, tmp_path: Path
) -> None:
    """Which is what a restarted kernel and a script are."""
    bases = "Base, Labeler" if "Base" in line else "Labeler"
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("")
    script = tmp_path / "script.py"
    cell = written(more=more, score=score).replace("(Labeler)", f"({bases})")
    end = "print(source_of(Brevity), code_of(Brevity))"
    script.write_text(f"{line}\n{BEGIN}{cell}\nfrom solon.plugins.sources import code_of, source_of\n{end}\n")

    def of(help_me: str) -> list[str]:
        for file in ("help_me.py", "parts/score.py"):
            (tmp_path / file).write_text(help_me)
        command = [sys.executable, "-B", str(script)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    first = of(HELP.format("0.25"))
    assert of(HELP.format("0.25")) == first
    assert not set(of(HELP.format("0.75"))) & set(first)


def test_what_a_plugin_counts_makes_no_other_plugin(tmp_path: Path) -> None:
    """In its class, or in a function around it."""
    counting = "nonlocal limit; limit += 1; type(self).calls += 1\n            return question"
    held = '"brevity"\n        calls: ClassVar[int] = 0\n        seen: ClassVar[list] = []'
    cell = MADE_IN.replace("return question", counting).replace('"brevity"', held)
    made = notebook(tmp_path, cell, "Brevity = make(3, 1)")
    before = source_of(made), code_of(made)
    made.calls = 7
    made.seen.append("a")
    made.label.__closure__[0].cell_contents = 9
    assert (source_of(made), code_of(made)) == before


def test_a_set_says_the_same_in_every_process() -> None:
    """The order of its members is another one in each."""
    code = "from solon.plugins.plain_values import text_of; print(text_of({'a', 'b', 'c', ('d', 'e')}))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in "123"
    }
    assert len(said) == 1

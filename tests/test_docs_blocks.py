"""Every block of code on the pages is run by a test or says why not; and what can be read of it is right."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
import yaml

from doc_blocks import NOTES, READ, ROOT, RUN, TEXT, Block, blocks, each_page, everything
from solon.cli.app import app
from solon.recipe import read

QUICKSTART = ROOT / "examples" / "quickstart" / "recipe.yaml"


def unaccounted(block: Block) -> Iterator[str]:
    """What is wrong with how a block says what becomes of it."""
    if block.language not in (*TEXT, *READ, *RUN):
        yield f"it needs a language, one of {', '.join((*RUN, *READ, *TEXT))}"
    for name, value in block.notes.items():
        if name not in NOTES:
            yield f"a comment says {name!r}, which is none of {', '.join(NOTES)}"
        elif name == "not run" and len(value.split()) < 3:
            yield "it does not say why it is not run"
        elif name == "not run" and (gone := _gone(value)):
            yield f"there is no {gone[0]}"
        elif name == "runs in" and not _is_test(value):
            yield f"there is no test {value}"


def _gone(reason: str) -> list[str]:
    """The tests that a reason names and that are not there."""
    return [path for path in re.findall(r"tests/[\w/]+(?:\.py)?", reason) if not (ROOT / path).exists()]


def _is_test(name: str) -> bool:
    path, _, test = name.partition("::")
    file = ROOT / path
    if not file.is_file() or not file.name.startswith("test_"):
        return False
    return not test or bool(re.search(rf"^(async )?def {re.escape(test)}\(", file.read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", each_page())
def test_every_block_runs_or_says_why_not(page: Path) -> None:
    """A block that nobody runs is wrong before anybody notices."""
    assert [f"{block.where}: {what}" for block in blocks(page) for what in unaccounted(block)] == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("```\nx\n```", "language"),
        ("text:\n\n    x", "language"),
        ("<!-- not run: -->\n```sh\nx\n```", "why"),
        ("<!-- not run: slow -->\n```sh\nx\n```", "why"),
        ("<!-- not run: as in tests/test_gone.py already -->\n```sh\nx\n```", "there is no tests/test_gone.py"),
        ("<!-- runs in: tests/test_gone.py -->\n```sh\nx\n```", "no test"),
        ("<!-- runs in: tests/test_examples.py::test_gone -->\n```sh\nx\n```", "no test"),
        ("<!-- ran in: tests/test_examples.py -->\n```sh\nx\n```", "none of"),
    ],
)
def test_a_block_that_does_not_say_is_found(written: str, said: str, tmp_path: Path) -> None:
    """The test above must see each way of forgetting."""
    (tmp_path / "page.md").write_text(f"# Page\n\n{written}\n", "utf-8")
    (block,) = blocks(tmp_path / "page.md")
    assert said in "; ".join(unaccounted(block))


@pytest.mark.parametrize("block", everything("json", "toml", "yaml"), ids=lambda block: block.where)
def test_what_is_data_can_be_read(block: Block) -> None:
    """What people copy must parse: one JSON value, or one a line."""
    match block.language:
        case "toml":
            assert tomllib.loads(block.text)
        case "yaml":
            yaml.safe_load(block.text)
        case _:
            whole = block.text.lstrip().startswith("[") or "\n " in block.text
            assert [json.loads(text) for text in ([block.text] if whole else block.text.splitlines())]


@pytest.mark.parametrize("block", everything("sh", "python"), ids=lambda block: block.where)
def test_what_is_code_can_be_parsed(block: Block) -> None:
    """Also that which is not run."""
    if block.language == "python":
        compile(block.text, block.where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    else:
        assert subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True).stderr == ""


def commands(text: str) -> Iterator[list[str]]:
    """Each command of a shell block, as words; of a console block, those after its prompts.

    What goes over several lines within quotes, or is given on standard input, is left out.
    """
    if re.search(r"^\$ ", text, re.MULTILINE):
        text = "\n".join(re.findall(r"^\$ (.*(?:\\\n.*)*)", text, re.MULTILINE))
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
        lexer.commenters = "#" if re.match(r"#|.*\s#", line) else ""
        lexer.whitespace_split = True
        words: list[str] = []
        try:
            found = list(lexer)
        except ValueError:
            continue
        for word in [*found, ";"]:
            if word in ("do", "--", "-m") or set(word) <= set(";&|"):
                yield words
                words = []
            else:
                words.append(word)


def of_solon() -> Iterator[Any]:
    """Each command line of solon's on the pages."""
    for block in everything("sh", "console"):
        for words in commands(block.text):
            if words and Path(words[0]).name == "solon":
                yield pytest.param(words[1:], id=f"{block.where} {' '.join(words[1:3])}")


@pytest.mark.parametrize("words", list(of_solon()))
def test_a_command_of_solon_is_one(words: list[str]) -> None:
    """Also of those that need a GPU or a key: their verbs and options exist, and their overrides are settings."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        own = {name for option in command.params for name in option.opts}
        while rest and rest[0].startswith("-"):
            assert rest.pop(0) in own
        if not rest:
            return  # such as --version
        command = command.commands[rest.pop(0)]
    try:
        context = command.make_context("solon", rest)
    except typer.BadParameter as error:
        if "does not exist" not in str(error):  # a file of the reader's
            raise
        return
    recipe, overrides = context.params.get("recipe"), context.params.get("overrides") or []
    sets = context.params.get("sets") or []
    if recipe is not None and Path(recipe).suffix == ".yaml" and not any("$" in each for each in overrides):
        path = ROOT / recipe if (ROOT / recipe).is_file() else QUICKSTART
        if path != QUICKSTART or not sets:
            assert read(path, overrides, sets=sets)


@pytest.mark.parametrize("block", everything("sh", "console"), ids=lambda block: block.where)
def test_the_programs_and_recipes_of_a_command_are_there(block: Block) -> None:
    """A file that has moved is missing from every page that named it."""
    named = [word for words in commands(block.text) for word in words]
    ours = [word.partition("::")[0] for word in named if re.match(r"(examples|benchmarks|tests|docs)/.*\.\w+", word)]
    assert [path for path in ours if not (ROOT / path).exists() and "/data/" not in path] == []


def test_commands_are_found_in_shell() -> None:
    """Loops, comments, prompts, continued lines and commands that start others."""
    text = "for a in 1 2; do solon run x.yaml seed=$a; done  # all\npython -m server -- solon \\\n  plan 'a b'\n"
    found = [words for words in commands(text) if words and words[0] == "solon"]
    assert found == [["solon", "run", "x.yaml", "seed=$a"], ["solon", "plan", "a b"]]
    assert list(filter(None, commands("$ solon check r.yaml\nsolon: wrong\n"))) == [["solon", "check", "r.yaml"]]

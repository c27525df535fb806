"""Terminal escapes in whatever somebody else wrote, through every verb: none reaches standard output or error."""

from __future__ import annotations

import ast
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

import solon
from packages import publish
from solon import screen
from solon.cli.app import main
from solon.labelers.pairwise import Pairwise
from solon.models.scripted import Scripted
from solon.plugins import offers

ESCAPES = (
    "\x1b[2J\x1b[1;1H\x1b[31mred",  # clears the screen, goes to its top, colours
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",  # a link that says another address
    "\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07",  # sets the title, and the clipboard
    "\x9b31m\x9d0;title\x9c\x85",  # the same in C1, and its line end
    "a secret\b\b\b\b\b\bpublic\x7f\rover the line",
    "\x1bP$q\x1b\\\x1b_G\x1b\\\x0e\x0f\x0b\x0c\x00",  # device control, application commands, shifts, NUL
    "\u202etxt.exe\u202c\u2066\u2069\u200b\u200f\ufeff\U000e0041",  # reorders and hides
)
MARKUP = "[red]x[/red][link=http://evil.example]y[/link][/]:warning:"
HOSTILE = "".join(ESCAPES) + MARKUP
IN_A_NAME = "\x1b[31mn\x07\u202e\x9b"
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0041]"
)

SPELLED = re.compile(r"U\+001B|\\u001b|\\x1b")

MODULE = f"""
import logging, sys, warnings
from typing import ClassVar
from solon.plugins import Judgment, Labeler, Question, Scored

print({HOSTILE!r})
print({HOSTILE!r}, file=sys.stderr)
warnings.warn({HOSTILE!r})
logging.getLogger("evil").warning({HOSTILE!r})

class Evil(Labeler):
    {HOSTILE!r}
    kind: ClassVar[str] = "evil"
    setting: str = {HOSTILE!r}

    async def label(self, question: Question) -> Judgment:
        raise RuntimeError({HOSTILE!r})
"""
CONSTITUTION = {
    "name": HOSTILE,
    "version": HOSTILE,
    "description": HOSTILE,
    "principles": [
        {"id": "brief", "text": HOSTILE, "source": HOSTILE, "critique": HOSTILE, "topics": [HOSTILE, "plain"]},
        {"id": "long", "text": "Be long."},
    ],
    "rating": {"low": 1, "high": 5, "meaning": {1: HOSTILE, 5: HOSTILE}},
    "cases": [{"principle": "long", "prompt": HOSTILE, "better": HOSTILE, "worse": "no"}],
}
SCRIPTED = {"kind": "scripted", "default": "A", "model": HOSTILE, "remote": True, "price": {"input": 1, "output": 1}}
RECIPE = {
    "constitution": "constitution.yaml",
    "candidates": "candidates.jsonl",
    "max_usd": 5,
    "label": {"kind": "pairwise", "judge": SCRIPTED},
    "build": {"held_out": 0},
}


class Ended(NamedTuple):
    """What a command came to."""

    code: object
    out: str
    err: str


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which everything that somebody can write holds an escape; a package with such a plugin beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    answers = [
        {"prompt": f"{number} {HOSTILE}", "responses": [f"{HOSTILE} {number}", HOSTILE * 2], "topic": HOSTILE}
        for number in range(4)
    ]
    rows = "".join(json.dumps(row) + "\n" for row in answers)
    mute = {"label": {"kind": "pairwise", "judge": {**SCRIPTED, "default": HOSTILE, "model": "mute"}}}
    for name, text in {
        "constitution.yaml": yaml.safe_dump(CONSTITUTION),
        "recipe.yaml": yaml.safe_dump(RECIPE),
        "mute.yaml": yaml.safe_dump({**RECIPE, **mute}),
        "evil.yaml": yaml.safe_dump({**RECIPE, "label": {"kind": "evil"}}),
        "keys.yaml": yaml.safe_dump({**RECIPE, HOSTILE: HOSTILE, "seed": HOSTILE}),
        "kinds.yaml": yaml.safe_dump({**RECIPE, "label": {"kind": HOSTILE}, "train": HOSTILE}),
        "syntax.yaml": f"a: [{HOSTILE}",
        f"{IN_A_NAME}.yaml": yaml.safe_dump({**RECIPE, "candidates": f"{IN_A_NAME}.jsonl"}),
        "candidates.jsonl": rows,
        "broken.jsonl": rows + '{"prompt": "' + HOSTILE.replace("\\", "\\\\").replace("\x00", ""),
    }.items():
        (folder / name).write_text(text, "utf-8", newline="")
    site = tmp_path / "site"
    points = {"solon.labelers": {"evil": "evil_plugin:Evil"}, "solon.trainers": {"gone": "evil_plugin:Gone"}}
    about = f"Summary: {HOSTILE.partition(chr(0))[0]}"
    publish(site, "solon-evil", points, {"evil_plugin.py": MODULE}, metadata="".join(about.splitlines()) + "\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.chdir(folder)
    offers._installed.cache_clear()  # what is installed is looked up once a process
    yield folder
    monkeypatch.undo()
    offers._installed.cache_clear()
    sys.modules.pop("evil_plugin", None)


def run(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ended:
    """A command to its end, in this process."""
    monkeypatch.setattr("sys.argv", ["solon", *words])
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    finally:
        said = capsys.readouterr()
    return Ended(code, said.out, said.err)


RUN = f"runs/{IN_A_NAME}"
JUDGE = yaml.safe_dump({"kind": "pairwise", "judge": SCRIPTED}, default_flow_style=True).strip()
OF_A_PROJECT = [
    ["constitution", "check", "constitution.yaml"],
    ["constitution", "show", "constitution.yaml"],
    ["constitution", "show", "constitution.yaml", "--json"],
    ["constitution", "test", "constitution.yaml", "--judge", JUDGE],
    ["check", "recipe.yaml"],
    ["plan", "recipe.yaml"],
    ["doctor", "--recipe", "recipe.yaml"],
    ["label", "recipe.yaml", "--run-dir", RUN],
    ["run", "recipe.yaml", "--run-dir", RUN],
    ["report", RUN],
    ["report", RUN, "--json"],
    ["run", "mute.yaml"],
    ["ledger", "show"],
    ["ledger", "show", "--json"],
    ["ledger", "show", "--run", HOSTILE.replace("\0", "")],
    ["ledger", "batches"],
    ["advise", RUN],
    ["convert", RUN, "--to", "trl", "--out", f"out{IN_A_NAME}"],
    ["push", RUN, "hf://org/name", "--dry-run"],
    ["export", RUN, "--to", "exported"],
    ["run", "evil.yaml"],
    ["plugins", "list"],
    ["plugins", "show", "evil"],
    ["plugins", "show", "gone"],
]
WRONG = [
    ["check", "keys.yaml"],
    ["check", "keys.yaml", "--json"],
    ["check", "kinds.yaml"],
    ["check", "syntax.yaml"],
    ["check", f"{IN_A_NAME}.yaml"],
    ["run", f"{IN_A_NAME}.yaml"],
    ["run", "recipe.yaml", f"label.judge.{IN_A_NAME}=1"],
    ["run", "recipe.yaml", "candidates=broken.jsonl"],
    ["run", "recipe.yaml", "--set", IN_A_NAME],
    ["run", f"--{IN_A_NAME}"],
    [IN_A_NAME],
    ["report", IN_A_NAME],
    ["report", "recipe.yaml", "--format", IN_A_NAME],
    ["compare", "recipe.yaml", "--trainers", IN_A_NAME],
    ["constitution", "show", IN_A_NAME],
    ["convert", "candidates.jsonl", "--to", IN_A_NAME, "--out", "elsewhere"],
    ["convert", IN_A_NAME, "--to", "trl", "--out", "elsewhere"],
    ["view", IN_A_NAME],
    ["advise", IN_A_NAME],
    ["export", IN_A_NAME, "--to", "x"],
    ["init", "new", "--template", IN_A_NAME],
    ["plugins", "show", IN_A_NAME],
    ["plugins", "list", "--group", IN_A_NAME],
    ["plugins", "new", "labeler", IN_A_NAME],
    ["ledger", "show", "--ledger", IN_A_NAME],
    ["doctor", "--recipe", IN_A_NAME],
    ["push", IN_A_NAME, "hf://a/b", "--dry-run"],
    ["train", "recipe.yaml"],
]


@pytest.mark.slow
@pytest.mark.reliability("terminal")
@pytest.mark.parametrize(("commands", "what"), [(OF_A_PROJECT, "verbs"), (WRONG, "errors")], ids=["verbs", "errors"])
def test_no_escape_reaches_a_terminal_through_any_verb(
    commands: list[list[str]],
    what: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    figure: Callable[[str], None],
) -> None:
    """Names, texts, replies, files, plugins, what they print: spelled out; and rich's marks in them are only text."""
    raw, showed, codes = {}, 0, []
    for words in commands:
        ended = run(words, monkeypatch, capsys)
        codes.append(ended.code)
        said = ended.out + ended.err
        if found := FORBIDDEN.findall(said):
            raw[" ".join(words)] = (len(found), said[:300])
        assert "Traceback" not in said, said
        if "--json" in words and ended.out:
            json.loads(ended.out)
        showed += SPELLED.search(said) is not None
    assert raw == {}
    assert showed > len(commands) / 2, "most of these commands should have something to spell out"
    assert (0 in codes) == (what == "verbs")
    figure(f"{len(commands)} {what}, {showed} of which quote escapes: {len(raw)} let one through")


def test_marks_of_rich_in_other_peoples_texts_are_text(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link that says another address, a colour, an emoji: shown letter by letter, on however many lines."""
    for words in (["constitution", "show", "constitution.yaml"], ["plugins", "show", "evil"], ["plan", "recipe.yaml"]):
        said = run(words, monkeypatch, capsys)
        assert MARKUP in re.sub(r"\s+", "", said.out), (words, said)


@pytest.mark.slow
@pytest.mark.reliability("terminal")
def test_on_a_real_terminal_every_sequence_is_our_own(project: Path, figure: Callable[[str], None]) -> None:
    """Colours, a bar that draws over itself, a hidden cursor; no link, title, clipboard, clearing or bell."""
    controlling, terminal = pty.openpty()
    command = [sys.executable, "-P", "-m", "solon", "run", "recipe.yaml"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    read = b""
    while True:
        try:
            more = os.read(controlling, 65_536)
        except OSError:  # nobody holds the other end any more
            break
        if not more:
            break
        read += more
    os.close(controlling)
    said = read.decode()
    assert process.wait(60) == 0, said
    ours = re.findall(r"\x1b\[(?:\?25[lh]|[0-9;]*m|[12]?K|\d*A)|\r", said)
    rest = re.sub(r"\x1b\[(?:\?25[lh]|[0-9;]*m|[12]?K|\d*A)|[\r\n]", "", said)
    assert ours, "a terminal gets colours"
    assert FORBIDDEN.findall(rest) == []
    assert "U+001B" in said
    figure(f"on a pseudo-terminal: {len(ours)} sequences, all of bars and colours")


@pytest.mark.reliability("terminal")
def test_nothing_that_a_notebook_shows_holds_one() -> None:
    """As text and as HTML: what was asked, answered, judged, built, and under what."""
    from solon.data.records import Candidates, Completion, Constitution, Principle, Prompt

    completions = tuple(Completion(text=f"{HOSTILE} {number}", model=HOSTILE) for number in range(2))
    candidates = Candidates(prompt=Prompt.of(HOSTILE, topic=HOSTILE), completions=completions)
    under = Constitution(name=HOSTILE, description=HOSTILE, principles=(Principle(id="one", text=HOSTILE),))
    judge = Scripted(default=f"{HOSTILE}\nA", model=HOSTILE)
    labels = solon.label([candidates], under, Pairwise(judge=judge, reasoning=True), ledger=None, progress=False)
    built = solon.build(labels, held_out=0)
    for shown in (candidates, candidates.prompt, completions[0], under, labels, labels[0], built, built.unpaired):
        html = (shown._repr_html_() if hasattr(shown, "_repr_html_") else "") or ""
        assert FORBIDDEN.findall(repr(shown) + html) == [], type(shown)
        assert "<script" not in html


@pytest.mark.parametrize("escape", ESCAPES)
def test_what_a_library_prints_warns_or_logs_is_spelled_out(escape: str) -> None:
    """Its own bars still draw over themselves, and its colours are left out."""
    stream = io.StringIO()
    guarded = screen.Guarded(stream)
    assert guarded.write(f"loading {escape}\n") == len(f"loading {escape}\n")
    assert FORBIDDEN.findall(stream.getvalue()) == []
    assert stream.getvalue().startswith("loading ")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\r 10%|#         | 1/10", "\r 10%|#         | 1/10"),
        ("\r          \r", "\r          \r"),
        ("\n\x1b[A", "\n\x1b[A"),
        ("\x1b[1mLOAD REPORT\x1b[0m from x\n", "LOAD REPORT from x\n"),
        ("a\rb", "a⟨U+000D⟩b"),
        ("a\x1b[A", "a⟨U+001B⟩[A"),
        ("plain", "plain"),
        ("é 漢\n", "é 漢\n"),
        ("windows\r\n", "windows\n"),
    ],
)
def test_bars_of_libraries_still_draw(written: str, shown: str) -> None:
    """Only around a text: within it, the same characters are somebody's."""
    stream = io.StringIO()
    screen.Guarded(stream).writelines([written])
    assert stream.getvalue() == shown


def test_the_guard_is_put_up_once_and_is_the_stream_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a process has no standard output, or it is one that cannot be set up anew."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", None)
    screen.guard()
    guarded = sys.stdout
    screen.guard()
    assert isinstance(guarded, screen.Guarded)
    assert sys.stdout is guarded
    assert sys.stderr is None
    assert guarded.isatty() is False
    print("a\x1bb")
    screen.say("c\x1bd")
    screen.console().print("e\x1bf")
    assert stream.getvalue() == "a⟨U+001B⟩b\nc⟨U+001B⟩d\ne⟨U+001B⟩f\n"


def test_json_stays_json_whatever_is_cut_out_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within quotes, before a line feed, as a number: cut out of the texts, not of what they are written as."""
    monkeypatch.setenv("SOME_API_KEY", 'k0+x/"<&5678')
    monkeypatch.setenv("SOME_TOKEN_LIMIT", "12345678901234567890")
    screen.guard()
    given = {
        "quoted": 'see "http://x/?key=abc" now\nsk-proj-0123456789abcdefghij',
        "list": ["http://me:pw@host\n\nme@y.org", 'k0+x/"<&5678', 12345678901234567890, None],
        "\x1b[31m": "é \ud83d\x7f",
    }
    screen.say_json(given)
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said) == {
        "quoted": 'see "http://x/?key=…" now\n…',
        "list": ["http://…@host\n\nme@y.org", "…", 12345678901234567890, None],
        "\x1b[31m": "é \ud83d\x7f",
    }


def test_a_line_of_several_styles_holds_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rich's own texts are looked through as plain ones are."""
    monkeypatch.setenv("SOME_API_KEY", 'k0+x/"<&5678')
    screen.console().print(screen.styled(('is k0+x/"<&5678', "bold"), ' or k0+x/"<&5678'))
    assert capsys.readouterr().out == "is … or …\n"


def test_what_a_library_prints_beside_a_bar_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich takes standard output over while it draws, and hands on what is written there as texts of its own."""
    from rich.progress import Progress

    monkeypatch.setenv("SOME_API_KEY", key := 'k0+x/"<&5678')
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    drawn = screen.console(err=True)
    drawn._force_terminal = True
    with Progress(console=drawn, transient=True) as bar:
        bar.add_task("work", total=2)
        print(f"with {key} and \x1b]0;title\x07", file=sys.stderr)
    assert key not in stream.getvalue()
    assert "with … and" in stream.getvalue()
    assert "\x1b]0" not in stream.getvalue()


def test_a_letter_that_the_terminal_does_not_have_ends_no_command() -> None:
    """An ASCII terminal gets it as an escape of Python's, and half of a surrogate pair too."""
    code = "from solon import screen; screen.guard(); screen.say('é \\ud83d'); print('日本')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "\\xe9 \\u27e8U+D83D\\u27e9\n\\u65e5\\u672c\n"


_DOORS = {"print", "typer.echo", "typer.secho", "click.echo", "rich.print", "sys.stderr.write", "Console"}
SPEAKS_OTHERWISE = {
    "screen.py": "is the door itself",
    "testing/judge_server.py": "a server of its own, which the user starts",
    "plugins/testing/probe.py": "answers the process that started it",
    "trainers/worker.py": "writes to the log of a training",
    "comparison/worker.py": "writes to the log of an entry",
}


def test_there_is_one_door_to_standard_output_and_error() -> None:
    """No module prints, echoes, or has a console of rich's by itself: who adds a verb cannot forget to spell it out."""
    source = Path(screen.__file__).parent
    found = []
    for path in sorted(source.rglob("*.py")):
        name = path.relative_to(source).as_posix()
        if name in SPEAKS_OTHERWISE or "sandbox/" in name or "/templates/" in name:
            continue
        text = path.read_text("utf-8")
        if not any(door.rpartition(".")[2] + "(" in text for door in _DOORS):
            continue
        for node in ast.walk(ast.parse(text)):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            into = isinstance(node, ast.Call) and any(one.arg == "file" for one in node.keywords)
            if called in _DOORS and not into:
                found.append(f"{name}: {called}")
    assert found == []

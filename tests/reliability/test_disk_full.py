"""A disk that is full at any page that a command writes: one message, nothing old lost, and with room it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from full_disk import Disk, filled_up, mounted, solon
from project import CONSTITUTION, jsonl
from solon.errors import StorageError
from solon.viewing.appending import append

pytestmark = [pytest.mark.slow, pytest.mark.reliability("disk-full"), pytest.mark.timeout(900)]

RECIPES = {
    "sampling": """\
prompts: prompts.jsonl
sample: {n: 2, max_tokens: 20, model: {kind: scripted, default: a long answer to it, concurrency: 16}}
label: {kind: rules, rules: {brief: {length: words, max: 1}}}
""",
    "judged": """\
candidates: candidates.jsonl
label: {kind: pairwise, judge: {kind: scripted, default: A, concurrency: 16}}
""",
    "rules": """\
candidates: candidates.jsonl
label: {kind: rules, rules: {brief: {length: words, max: 1}}}
""",
}


@dataclass(frozen=True)
class Writer:
    """A command that writes, and those that have to go before it.

    Attributes:
        command: its words.
        before: the commands before it, with room.
        changed: a file in which the user puts one text in the place of another before it.
    """

    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    changed: tuple[str, str, str] | None = None


RUN = ("run", "rules.yaml", "--quiet")
WRITERS = {
    "sample": Writer(("sample", "sampling.yaml")),
    "label": Writer(("label", "judged.yaml")),
    "build": Writer(("build", "rules.yaml"), (("label", "rules.yaml", "--quiet"),)),
    "report": Writer(("report", "rules.yaml", "--format", "html,md,json"), (("build", "rules.yaml", "--quiet"),)),
    "run": Writer(("run", "rules.yaml")),
    "run, changed": Writer(("run", "rules.yaml"), (RUN,), changed=("rules.yaml", "max: 1", "max: 2")),
    "init": Writer(("init", "fresh")),
    "convert": Writer(("convert", "runs/project/datasets", "--to", "axolotl", "--out", "converted"), (RUN,)),
    "plugins new": Writer(("plugins", "new", "labeler", "mine")),
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """Sixteen MiB in memory."""
    with mounted(tmp_path_factory.mktemp("full") / "disk", "16m") as made:
        yield made


def begun(folder: Path, writer: Writer) -> Path:
    """A project in which everything is done that goes before the command."""
    folder.mkdir(parents=True)
    (folder / "constitution.yaml").write_text(CONSTITUTION)
    for name, text in RECIPES.items():
        same = "name: project\nconstitution: constitution.yaml\nbuild: {held_out: 0.1}\n"
        (folder / f"{name}.yaml").write_text(same + text)
    (folder / "prompts.jsonl").write_text(jsonl([{"prompt": f"What is {n} + {n}?"} for n in range(60)]))
    rows: list[dict[str, object]] = [
        {"prompt": f"What is {n} + {n}?", "responses": [f"{2 * n}", f"It is {2 * n}"]} for n in range(300)
    ]
    (folder / "candidates.jsonl").write_text(jsonl(rows))
    for words in writer.before:
        code, said = solon(folder, *words)
        assert code == 0, said
    if writer.changed:
        name, old, new = writer.changed
        (folder / name).write_text((folder / name).read_text().replace(old, new))
    return folder


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_costs_nothing_but_the_time_to_make_room(
    disk: Disk, name: str, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    """As many pages are left as drawn from those that the command writes in all."""
    writer = WRITERS[name]
    template = begun(tmp_path / "template", writer)
    figure(filled_up(disk, template, name, writer.command, 25 if full else 2))


def test_a_verdict_that_does_not_fit_is_not_half_there(disk: Disk) -> None:
    """The viewer's file of human labels holds those that were acknowledged, and takes more with room."""
    disk.make_room()
    path = disk.folder / "human.jsonl"
    append(path, lambda: {"verdict": "a"})
    before = path.read_bytes()
    disk.leave(0)
    with pytest.raises(StorageError, match=r"human\.jsonl.*No space left on device"):
        append(path, lambda: {"verdict": "b" * 2 * disk.page})
    assert path.read_bytes() == before
    disk.make_room()
    append(path, lambda: {"verdict": "c"})
    assert path.read_bytes() == before + b'{"verdict":"c"}\n'

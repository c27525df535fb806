"""Recipes and constitutions that were written to do harm: refused at their place, in bounded time and memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bounded import commands

NUMBER = "9" * 1_000_000
LEVELS = "bcdefghi"
BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("a" + LEVELS, LEVELS, strict=False)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join(['*' + before] * 10)}]}}\n"
    for before, name in zip("a" + LEVELS, LEVELS, strict=False)
)
TEXTS: dict[str, tuple[bytes, str]] = {
    "object": (b"name: x\nprompts: !!python/object/apply:os.system [touch owned]\n", ":2:10: unknown tag"),
    "name": (b"name: !!python/name:os.system\n", ":1:7: unknown tag"),
    "module": (b"name: !<tag:yaml.org,2002:python/module:os> x\n", ":1:7: unknown tag"),
    "own tag": (b"name: !Ref x\n", ":1:7: unknown tag"),
    "aliases": (BOMB.encode(), "values, its aliases"),
    "merges": (MERGES.encode(), "values, its aliases"),
    "itself": (b"name: &a\n  b: *a\n", ":2:6: *a refers to itself"),
    "merges itself": (b"name: &a\n  <<: *a\n", ":2:7: *a refers to itself"),
    "nowhere": (b"name: *a\n", ":1:7: *a refers to nothing"),
    "twice": (b"name: x\nseed: 1\nname: y\n", ":3:1: duplicate key 'name'"),
    "deep list": (b"name: " + b"[" * 100_000, ":1:71: lists and mappings nest"),
    "deep mapping": (b"name: " + b"{a: " * 100_000, "lists and mappings nest"),
    "deep items": (b"- " * 100_000 + b"a\n", "lists and mappings nest"),
    "deep keys": (b"? " * 100_000 + b"a\n", "lists and mappings nest"),
    "deep lines": (b"".join(b" " * n + b"a:\n" for n in range(2_000)), "lists and mappings nest"),
    "number": (f"name: x\nseed: {NUMBER}\n".encode(), ":2:7: a number of 1000000 characters"),
    "hexadecimal": (f"name: x\nseed: 0x{NUMBER}\n".encode(), ":2:7: a number of 1000002 characters"),
    "infinity": (b"name: x\nmax_usd: .inf\n", ":2:10: .inf is not a finite number"),
    "many": (b"- 1\n" * 200_000, "the file holds more than 100,000 values"),
    "nul": (b"name: x\nseed: \0\n", ":2:7: the character U+0000"),
    "escape": (b"name: x\x1b[2J\n", ":1:8: the character U+001B"),
    "tab": (b"name:\n\tx: 1\n", ":2:1: a tab"),
    "latin": ("name: café\n".encode("latin-1"), ":1:10: byte 0xE9 is not UTF-8"),
    "utf-16": ("name: x\n".encode("utf-16"), ":1:1: byte 0xFF is not UTF-8"),
    "utf-32": ("name: x\n".encode("utf-32-be"), "U+0000"),
    "two": (b"name: x\n---\nname: y\n", ":2:1: a second document"),
    "empty": (b"# nothing\n", "the file is empty"),
    "no yaml": (b"name: [x\n", "a bracket is not closed"),
    "text": (b"name: " + b"x" * 3_000_000, ":1:"),
    "lines": (b"name:" + b"\n" * 1_000_000 + b"1", "a line without"),
}
SLOW = {"text", "lines", "many"}
"""Those that take seconds: at full size alone."""
COMMANDS = {"recipe": ["check"], "constitution": ["constitution", "check"]}


@pytest.mark.reliability("yaml")
@pytest.mark.timeout(600)
@pytest.mark.slow
@pytest.mark.parametrize("what", COMMANDS)
def test_what_is_hostile_is_refused_at_its_place(
    what: str, full: bool, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """Exit code 2, file:line:column, no traceback, whatever the file does."""
    cases = {name: case for name, case in TEXTS.items() if full or name not in SLOW}
    for number, (content, _) in enumerate(cases.values()):
        (tmp_path / f"{number}.yaml").write_bytes(content)
    (tmp_path / "big.yaml").write_bytes(b"name: x\n" + b"# \n" * 17_000_000)
    files = [*(f"{number}.yaml" for number in range(len(cases))), "big.yaml"]
    ended = commands(tmp_path, *([*COMMANDS[what], file] for file in files))
    places = [*(place for _, place in cases.values()), "big.yaml: the file is larger than 10 MB"]
    wrong = [
        (name, one)
        for name, one, place in zip([*cases, "50 MB"], ended, places, strict=True)
        if not one.refused_at(place)
    ]
    assert not wrong
    assert not (tmp_path / "owned").exists()
    assert max(one.megabytes for one in ended) < 600
    most = max(ended, key=lambda one: one.seconds)
    figure(
        f"{len(ended)} hostile {what}s refused, each in at most {most.seconds:.1f} s of CPU and "
        f"{max(one.megabytes for one in ended)} MB; a file of 50 MB unread"
    )


@pytest.mark.reliability("yaml")
def test_in_markdown_too(tmp_path: Path) -> None:
    """Front matter and settings of a principle are YAML."""
    from solon.constitution import load
    from solon.errors import ConstitutionError

    def said(text: str) -> str:
        (tmp_path / "c.md").write_text(text, "utf-8")
        with pytest.raises(ConstitutionError) as caught:
            load(tmp_path / "c.md")
        return str(caught.value)

    assert "c.md:2:7: unknown tag" in said("---\nname: !!python/name:os.system\n---\n## a\nText.\n")
    assert "nest more than 64 deep" in said(
        "---\nname: x\n---\n## a\n```yaml\nweight: " + "[" * 99_999 + "\n```\nText.\n"
    )
    assert "aliases" in said(f"---\n{BOMB}---\n## a\nText.\n")


@pytest.mark.reliability("yaml")
@pytest.mark.parametrize(
    "front", [BOMB, MERGES, "a: " + "[" * 100_000, "a: 2001-99-99", "a: !!python/name:os.system", f"a: {'9' * 5_000}"]
)
def test_the_card_of_a_foreign_model_is_read_in_the_same_way(front: str, tmp_path: Path) -> None:
    """Its front matter names the licence; PyYAML's own reader would unfold it, or end with another kind of error."""
    from solon.exporting import _front
    from solon.interchange.standing import _front_matter

    (tmp_path / "README.md").write_text(f"---\n{front}\n---\n", "utf-8")
    assert str(_front(tmp_path / "README.md")) in ("{}", "{'a': '2001-99-99'}")
    assert str(_front_matter(f"---\n{front}\n---\n".encode())) in ("{}", "{'a': '2001-99-99'}")

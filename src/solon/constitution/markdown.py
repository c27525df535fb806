"""A constitution as a Markdown file that people like to read.

::

    ---
    name: honesty
    version: "1"
    ---
    # For people: all before the first `##` is not read

    ## truthful
    ```yaml
    weight: 2
    source: where it comes from
    ```
    What the principle asks, in as many paragraphs as it takes.

    ## Keep confidences {#privacy}
    Headings that are not an id give one in braces.

    ## Cases
    ### truthful
    #### Prompt
    ...
    #### Better
    ...
    #### Worse
    ...

The result is the same ``Document`` that a YAML file gives, each value at its own line of the Markdown file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from solon.constitution.sections import Fence, Line, Section, fences, lines_of, sections
from solon.document import Document, Loc, parse, text_of
from solon.document.place import Position
from solon.errors import InputError, Problem

_ID = re.compile(r"^(?P<title>.*?)\s*\{#(?P<id>[^}]*)\}$")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")
_PARTS = ("prompt", "better", "worse", "note")


def read(path: str | Path, *, error: type[InputError]) -> tuple[Document, list[Problem]]:
    """The file as a document, and the problems that do not keep one from reading on.

    Raises:
        InputError: of the class ``error``: no such file, no front matter, or front matter that is not YAML.
    """
    reader = _Reader(str(path), error)
    reader.read(text_of(path, error=error).replace("\r\n", "\n"))
    return Document(reader.name, reader.data, reader.values, reader.keys), reader.problems


class _Reader:
    def __init__(self, name: str, error: type[InputError]) -> None:
        self.name = name
        self.error = error
        self.data: Any = None
        self.values: dict[Loc, Position] = {}
        self.keys: dict[Loc, Position] = {}
        self.problems: list[Problem] = []

    def read(self, text: str) -> None:
        raw = text.split("\n")
        end = next((n for n, line in enumerate(raw[1:], 1) if line.rstrip() == "---"), None)
        if raw[0].rstrip() != "---" or end is None:
            what = "the front matter is not closed" if end is None and raw[0].rstrip() == "---" else "no front matter"
            remedy = "a constitution in Markdown begins with a line '---', `name: ...`, and a line '---'"
            raise self.error([Problem(f"{self.name}:1:1", what, remedy)])
        self._front_matter("\n".join(["", *raw[1:end]]))
        lines, unclosed = lines_of(raw, start=end + 1)
        if unclosed is not None:
            self._problem((unclosed, 1), "this fence is never closed", "end it with a line of the same characters")
        for section in sections(lines, level=2, until=1):
            if section.title.casefold() == "cases":
                for case in sections(section.body, level=3):
                    self._case(case)
            else:
                self._principle(section)

    def _front_matter(self, text: str) -> None:
        document, problems = parse(text, self.name, error=self.error)
        if not isinstance(document.data, dict):
            what = "the front matter must be a mapping (lines of `key: value`)"
            raise self.error([*problems, Problem(f"{self.name}:2:1", what)])
        self.data = document.data
        self.values.update(document.values)
        self.keys.update(document.keys)
        self.problems += problems
        if "principles" in self.data:
            remedy = "write each principle as a section `## id`"
            self._problem(self.keys["principles",], "a Markdown file has no 'principles' in its front matter", remedy)
        self.data["principles"] = []
        self.values["principles",] = (1, 1)

    def _principle(self, section: Section) -> None:
        loc: Loc = ("principles", len(self.data["principles"]))
        principle: dict[Any, Any] = {}
        match = _ID.match(section.title)
        id_ = match["id"] if match else section.title
        column = section.column + (match.start("id") if match else 0)
        if not match and not _SLUG.fullmatch(id_):
            slug = "-".join(re.findall(r"[a-z0-9]+", id_.lower())) or "id"
            remedy = f"write `## {id_} {{#{slug}}}`, or put text for people under a `# ` heading"
            self._problem((section.line, column), f"the heading {id_!r} is no id", remedy)
            id_ = slug  # so that the pattern of ids is not complained of too
        settings = [fence for fence in fences(section.body) if fence.language == "yaml"]
        if settings:
            principle.update(self._settings(settings[0], loc))
        for fence in settings[1:]:
            remedy = "a principle has one; mark an example in its text by another name, such as ```yml"
            self._problem((fence.first, 1), "a second ```yaml block of settings", remedy)
        text = [line for line in section.body if not any(line.number in fence for fence in settings)]
        self._put(principle, loc, "id", id_, (section.line, column))
        self._put(principle, loc, "text", _joined(text), _start(text) or (section.line, 1))
        self.values[loc] = (section.line, 1)
        self.data["principles"].append(principle)

    def _settings(self, fence: Fence, loc: Loc) -> dict[Any, Any]:
        """The settings of a principle, with their places under ``loc``."""
        inside = [line.text for line in fence.inside]
        if not "".join(inside).strip():
            return {}
        try:
            document, problems = parse("\n" * fence.first + "\n".join(inside), self.name, error=self.error)
        except InputError as refused:
            self.problems += refused.problems
            return {}
        self.problems += problems
        if not isinstance(document.data, dict):
            self._problem((fence.first + 1, 1), "the settings must be a mapping (lines of `key: value`)")
            return {}
        self.values.update({(*loc, *inner): at for inner, at in document.values.items()})
        self.keys.update({(*loc, *inner): at for inner, at in document.keys.items()})
        for key, instead in (("id", "heading"), ("text", "section")):
            if key in document.data:
                self._problem(
                    document.keys[key,], f"{key!r} among the settings", f"the {instead} gives it: take it out"
                )
        return document.data

    def _case(self, section: Section) -> None:
        cases = self.data.setdefault("cases", [])
        if not isinstance(cases, list):  # the schema complains of what the front matter holds there
            return
        loc: Loc = ("cases", len(cases))
        self.values.setdefault(("cases",), (section.line, 1))
        self.values[loc] = (section.line, 1)
        case: dict[str, str] = {}
        self._put(case, loc, "principle", section.title, (section.line, section.column))
        stray = _start([line for line in section.body if line.number < _first_heading(section.body)])
        if stray is not None:
            self._problem(stray, "text that belongs to no part of the case", "put it under `#### Note`")
        for part in sections(section.body, level=4):
            at = (part.line, part.column)
            name = part.title.casefold()
            if name not in _PARTS:
                near = difflib.get_close_matches(name, _PARTS, n=1)
                remedy = f"did you mean {near[0].capitalize()!r}?" if near else "use Prompt, Better, Worse and Note"
                self._problem(at, f"a case has no part {part.title!r}", remedy)
            elif name in case:
                self._problem(at, f"a second {part.title!r} in one case", "begin another case with `### id`")
            else:
                self._put(case, loc, name, _unfenced(part.body), _start(part.body) or at)
        cases.append(case)

    def _put(self, into: dict[Any, Any], loc: Loc, key: str, value: str, at: Position) -> None:
        into[key] = value
        self.values[*loc, key] = at
        self.keys[*loc, key] = at

    def _problem(self, at: Position, what: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self.name}:{at[0]}:{at[1]}", what, remedy))


def _first_heading(body: Sequence[Line]) -> int:
    return next((line.number for line in body if line.level == 4), body[-1].number + 1 if body else 0)


def _start(lines: Sequence[Line]) -> Position | None:
    """Where the first character that is not white space stands."""
    for line in lines:
        if line.text.strip():
            return line.number, len(line.text) - len(line.text.lstrip()) + 1
    return None


def _joined(lines: Sequence[Line]) -> str:
    return "\n".join(line.text for line in lines).strip()


def _unfenced(body: Sequence[Line]) -> str:
    """The text of a part; where all of it is one fenced block, what the block holds, as it stands."""
    written = [line for line in body if line.text.strip()]
    blocks = fences(body)
    if len(blocks) == 1 and written[0].number == blocks[0].first and written[-1].number == blocks[0].last:
        return "\n".join(line.text for line in blocks[0].inside)
    return _joined(body)

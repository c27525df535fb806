"""The one way to standard output and standard error: nothing that is said there moves the cursor, hides or reorders.

What models, judges, servers, plugins and files say ends up in messages, tables and errors. Before it reaches a
terminal, every character that cannot be seen is spelled out as ``⟨U+001B⟩``: by ``say`` and ``console``, through which
every verb speaks (a test reads the source for it), and by ``guard`` in whatever libraries print and log.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from solon.keys import held, without_secrets

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_INVISIBLE_CATEGORIES = {
    "Cc",
    "Cf",
    "Cs",
    "Zl",
    "Zp",
}  # control, format (bidi, zero width, tags), surrogates, separators
_INVISIBLE_LETTERS = {
    "\u034f",  # combining grapheme joiner
    "\u115f",  # Hangul fillers
    "\u1160",
    "\u3164",
    "\uffa0",
    "\u17b4",  # Khmer inherent vowels
    "\u17b5",
    "\u2800",  # blank Braille pattern
}
_VARIATION_SELECTORS = range(0xE0100, 0xE01F0)  # the supplement, which can smuggle bytes; emoji use FE0F, which stays

_MAYBE_INVISIBLE = re.compile(r"[^\n\t -~]")

# what a progress bar of a library writes around its text, and the colours of its words
_BAR = re.compile(r"([\r\n]*(?:\x1b\[A)*)(.*?)(\r?)", re.DOTALL)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def visible(text: str) -> str:
    """The text with every character that cannot be seen spelled out; line feeds and tabs stay as they are."""
    text = text.replace("\r\n", "\n")
    return _MAYBE_INVISIBLE.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    return found[0] if _is_visible(found[0]) else f"⟨U+{ord(found[0]):04X}⟩"


def _is_visible(char: str) -> bool:
    if char in _INVISIBLE_LETTERS or ord(char) in _VARIATION_SELECTORS or ord(char) & 0xFFFE == 0xFFFE:
        return False
    return unicodedata.category(char) not in _INVISIBLE_CATEGORIES


def say(text: str = "", *, err: bool = False, hands_out: bool = False) -> None:
    """Prints a line, or several.

    Args:
        text: what is said.
        err: on standard error in place of standard output.
        hands_out: it goes out as it is: what is secret has been cut out, or is for whoever reads it, as the token in
            the address of a view.
    """
    stream = sys.stderr if err else sys.stdout
    if hands_out and isinstance(stream, Guarded):
        stream = stream.stream
    print(visible(text if hands_out else without_secrets(text)), file=stream, flush=err)


def say_json(value: Any) -> None:
    """Prints one JSON object on standard output. Secrets are cut out of its texts, so JSON it stays."""
    secrets = tuple(held().values())

    def shown(part: Any) -> Any:
        if isinstance(part, str):
            return without_secrets(part, secrets)
        if isinstance(part, Mapping):
            return {shown(key): shown(each) for key, each in part.items()}
        return [shown(each) for each in part] if isinstance(part, list | tuple) else part

    text = json.dumps(shown(value), ensure_ascii=True, indent=2)
    say(text.replace("\x7f", "\\u007f"), hands_out=True)  # the one control character that JSON leaves as it is


def console(*, err: bool = False) -> Console:
    """For tables, colours and bars. A text is shown as it is: neither rich's markup nor its emoji are read in it."""
    kind: type[Console] = _console_class()
    return kind(stderr=err, highlight=False, markup=False, emoji=False)


def styled(*parts: str | tuple[str, str]) -> Text:
    """A line of texts, some with their style beside them: ``styled(("name", "bold"), ": text")``."""
    from rich.text import Text

    return Text.assemble(
        *(without_secrets(part) if isinstance(part, str) else (without_secrets(part[0]), part[1]) for part in parts)
    )


@cache
def _console_class() -> Any:
    """A class of its own, made when it is needed: ``solon --help`` does without rich's console."""
    from rich.console import Console
    from rich.segment import Segment
    from rich.text import Text

    class Spelled(Console):
        """Spells out texts as they come, so that columns fit, and whatever else ends up in a line."""

        def print(self, *objects: Any, **options: Any) -> None:
            """As rich's: what libraries print while a bar is drawn comes here too, as texts of rich's."""
            super().print(*map(self._told, objects), **options)

        def _told(self, shown: Any) -> Any:
            if not isinstance(shown, Text) or (left := without_secrets(shown.plain)) == shown.plain:
                return shown
            return Text(left)

        def render_str(self, text: str, **options: Any) -> Any:
            """A string as rich's text."""
            return super().render_str(visible(without_secrets(text)), **options)

        def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
            """The pieces of a renderable; those that steer the terminal are rich's own."""
            for piece in super().render(renderable, options):
                shown = piece.text if piece.control else visible(piece.text)
                yield piece if shown == piece.text else Segment(shown, piece.style)

        @property
        def file(self) -> Any:
            """Where it writes: past the guard, which would spell out its colours."""
            found = super().file
            return found.stream if isinstance(found, Guarded) else found

        @file.setter
        def file(self, new: Any) -> None:
            self._file = new

    return Spelled


class Guarded:
    """A stream that spells out what is written to it.

    Libraries write to it: their warnings and logs quote file names, settings and what servers said. Their progress bars
    still draw over themselves, without colours.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Writes it, spelled out."""
        length, text = len(text), without_secrets(text)
        found = _BAR.fullmatch(text)
        before, said, after = found.groups() if found is not None else ("", text, "")
        self.stream.write(before + visible(_COLOUR.sub("", said)) + after)
        return length

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def guard() -> None:
    """Puts a guard before standard output and standard error, for as long as the process lives."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or isinstance(stream, Guarded):
            continue
        if hasattr(stream, "reconfigure"):
            # a name that the terminal's encoding has no letters for must not end a run; nor may half a character
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Guarded(stream))

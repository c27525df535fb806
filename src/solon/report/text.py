"""Text of models made safe to look at: nothing in it moves the cursor, reorders what is read, or hides.

A model may say anything, and a judge, a browser and a terminal each show it differently. Before text reaches a report,
every character that cannot be seen is spelled out as ``⟨U+202E⟩``. Escaping for HTML or Markdown comes after this and
is the business of the page that shows it.
"""

from __future__ import annotations

import re

from solon.screen import visible

# A path is taken for one where a YAML value or an option begins with it; a slash inside a word or a URL is left alone.
_BEGINS = r"""(?<![^\s'"\[{(,=])"""
_FOLDER = r"[\w.@+~-]+[\\/]"
_AT_THE_ROOT = r"(?:home|Users|root|tmp|var|mnt|media|private|opt|srv|scratch)[\\/]"
_ABSOLUTE_PATH = re.compile(rf"{_BEGINS}(?:[A-Za-z]:[\\/]|/)(?:{_FOLDER})+([\w.@+~-]+)")
# three folders up, or up and then down from the root: that is out of the project, and as telling as an absolute path
_PATH_OUT = re.compile(
    rf"{_BEGINS}(?:\.[\\/])?(?:(?:\.\.[\\/]){{3,}}|(?:\.\.[\\/])+(?={_AT_THE_ROOT}))(?:{_FOLDER})*([\w.@+~-]+)"
)


def excerpt(text: str, limit: int) -> str:
    """The visible text, cut after ``limit`` characters with a note of how many more there are."""
    # cut first: a megabyte of text would otherwise be spelled out only to be thrown away
    shown = visible(text[:limit])
    more = len(text) - limit
    return f"{shown} … ({more:,} more characters)" if more > 0 else shown


def one_line(text: str, limit: int) -> str:
    """The visible text on a single line of at most ``limit`` characters."""
    line = " ".join(visible(text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def shorten_paths(text: str) -> str:
    """The text with every path that is absolute, or leads out of the project, cut to ``…/name``.

    A report is shown to others and names no one's folders. ``../quickstart/models/policy`` stays as it is.
    """
    return _PATH_OUT.sub(r"…/\1", _ABSOLUTE_PATH.sub(r"…/\1", text))

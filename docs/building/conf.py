"""How Sphinx makes the site: ``make docs``. The sources are the project's Markdown files, where they lie."""

from __future__ import annotations

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer  # type: ignore[import-untyped]
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

import navigation
import solon

project = "solon"
author = "the authors of solon"
project_copyright = f"2026, {author}"
release = version = solon.__version__
html_title = f"solon {release}"

extensions = ["myst_parser"]
root_doc = navigation.FRONT
include_patterns = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/**.md", "examples/**README.md"]
# folders that are not even looked into: environments and runs hold very many files
exclude_patterns = [".*", "build", "dist", "site", "src", "tests", "benchmarks", "runs", "**/runs", "**/__pycache__"]
nitpicky = True
smartquotes = False  # -- is what an option begins with
myst_heading_anchors = 5
pygments_style = "default"
pygments_dark_style = "github-dark"

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["solon.css"]
html_extra_path = ["root"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#1f5f8b", "color-brand-content": "#1f5f8b"},
    "dark_css_variables": {"color-brand-primary": "#7fb8dd", "color-brand-content": "#7fb8dd"},
}
linkcheck_timeout = 20


def _contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Gives a page its part of the table of contents."""
    source[0] += navigation.below(page, app.env.found_docs)


def _styles(app: Sphinx, page: str, *_of_the_page: object) -> None:
    """Gives the front page a style of its own, so that it can be a plain list in Markdown."""
    if page == root_doc:
        app.add_css_file("front.css")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _contents)
    app.connect("html-page-context", _styles)
    app.add_lexer("csv", TextLexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

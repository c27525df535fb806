"""Run directory -> summary -> terminal table, Markdown, and one self-contained HTML file."""

from solon.report.ended import ended
from solon.report.html import html
from solon.report.limits import limits_found
from solon.report.markdown import markdown
from solon.report.summary import Summary, summarise
from solon.report.terminal import terminal
from solon.report.write import Format, plain, write_report

__all__ = [
    "Format",
    "Summary",
    "ended",
    "html",
    "limits_found",
    "markdown",
    "plain",
    "summarise",
    "terminal",
    "write_report",
]

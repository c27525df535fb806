"""Fenced blocks, as CommonMark reads them."""

import pytest

from solon.labelers.fences import Fenced, fenced_blocks


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("no block", ()),
        ("```python\nx = 1\n```", (Fenced("python", "x = 1\n"),)),
        ("a\n```\nx\n```\nb\n~~~ Py title\ny\n~~~\n", (Fenced("", "x\n"), Fenced("py", "y\n"))),
        ("````\n```\ninner\n```\n````", (Fenced("", "```\ninner\n```\n"),)),
        ("```\n~~~\n```", (Fenced("", "~~~\n"),)),
        ("```python\ncut off", (Fenced("python", "cut off"),)),
        ("``` a`b\nnot a block\n", ()),
        ("    ```\nindented code is no fence", ()),
        ("```\n", (Fenced("", ""),)),
        ("```py\r\nx\r\n```\r\n", (Fenced("py", "x\r\n"),)),
        ("~~~ aa ``` ~~~\nx\n~~~", (Fenced("aa", "x\n"),)),
    ],
)
def test_blocks_begin_and_end_where_they_do(text: str, blocks: tuple[Fenced, ...]) -> None:
    """CommonMark 0.31, section 4.5."""
    assert fenced_blocks(text) == blocks


@pytest.mark.parametrize("line", ["a" * 300_000, " " * 300_000, "`" * 300_000 + "a", r"\text{" * 50_000])
def test_a_long_line_that_is_no_fence_takes_no_longer_than_its_length(line: str) -> None:
    """The square of it would be minutes, which the limit on a test ends."""
    assert fenced_blocks(f"```{line}`") == ()

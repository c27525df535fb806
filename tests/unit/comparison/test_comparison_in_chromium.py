"""The page of a comparison in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from chromium import chromium, needed
from comparisons import comparison, side
from payloads import PAYLOADS
from solon.comparison.curves import figures
from solon.comparison.page import html

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), needed]


async def test_whatever_others_wrote_is_text_and_no_request_leaves_the_page(tmp_path: Path) -> None:
    """Twenty payloads wherever a name, a warning or a recipe goes; on a phone nothing is wider than the screen."""
    steps = tuple({"step": step, "steps": 4.0, "kl": step / 2} for step in range(1, 5))
    all_of_them = "\n".join(PAYLOADS)
    sides = [side(name, 10.0, steps=steps, alarms={all_of_them: 1}) for name in ("dpo", "kto")]
    failed = side("ppo", 1.0, failed=all_of_them, trainers=PAYLOADS)
    told = comparison(
        name=all_of_them, solon=all_of_them, recipe=all_of_them, warnings=PAYLOADS, sides=(*sides, failed)
    )
    page = tmp_path / "comparison.html"
    page.write_text(html(told, figures(told.finished)), "utf-8")
    async with chromium() as tab:
        await tab.window(390, 800)
        await tab.open(page.as_uri())
        assert await tab.evaluate("document.querySelectorAll('h2').length") == 8
        assert await tab.evaluate("document.querySelectorAll('script, img, iframe, object, form').length") == 0
        assert await tab.evaluate("document.querySelectorAll('svg.curve').length") == 1
        assert await tab.evaluate("document.documentElement.scrollWidth") == 390
        assert tab.told == []
        assert tab.dialogs == []
        assert set(tab.requests) == {page.as_uri()}

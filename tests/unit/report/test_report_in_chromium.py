"""The page in a real browser: what it shows, what its filters do, and that nothing but its own script ever runs."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from chromium import Tab, chromium, needed
from payloads import PAYLOADS, spoil, spoil_files
from solon.data.records import Metric, Prompt
from solon.report.curves import figures
from solon.report.html import html
from solon.report.summary import summarise

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), needed]

MODELS: tuple[Literal["before", "after"], ...] = ("before", "after")
SHOWN = "[...document.querySelectorAll('#examples article')].filter(each => each.checkVisibility())"
MORE = "document.querySelector('[data-role=more]')"
SEARCH = "document.querySelector('[data-role=search]')"


async def choose(tab: Tab, role: str, value: str) -> None:
    """Picks an entry of a list, by its value or by its text, or types a text."""
    await tab.evaluate(
        f"(() => {{ const found = document.querySelector('[data-role={role}]'), wanted = {json.dumps(value)};"
        "const entry = [...(found.options || [])].find(each => each.text === wanted);"
        "found.value = entry ? entry.value : wanted;"
        "found.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


async def kind(tab: Tab, value: str) -> None:
    """Picks what happened."""
    await tab.evaluate(f"document.querySelector('.controls input[value=\"{value}\"]').click()")


async def told(tab: Tab) -> str:
    """What the page says of how many samples there are."""
    return str(await tab.evaluate("document.querySelector('[data-role=told]').textContent"))


@pytest.fixture
def page(make_run, held_out, tmp_path) -> str:
    """A finished run whose 40 samples have a number each: sample ``i`` went from .5 to ``i / 40``."""
    run = make_run(examples=held_out)
    rows = [
        {"item": Prompt.model_validate(line["prompt"]).id, "values": {"rating/brief": [0.5, place / 40]}}
        for place, line in enumerate(held_out)
    ]
    (run / "evaluation" / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    summary = summarise(run)
    path = tmp_path / "page.html"
    path.write_text(html(summary, figures(summary.steps)), "utf-8")
    return path.as_uri()


async def test_samples_can_be_filtered_searched_and_sorted(page: str) -> None:
    """By hand, by keyboard, and not at all where nothing runs or the page is paper; and no request leaves the page."""
    async with chromium() as tab:
        await tab.window(1200, 900)
        await tab.open(page)
        await _filters(tab)
        await _keyboard(tab)
        await tab.window(390, 800)
        assert await tab.evaluate("document.documentElement.scrollWidth") == 390
        await tab.call("Emulation.setEmulatedMedia", media="print")
        assert await _bare(tab) == [40, False, False]
        await tab.call("Emulation.setEmulatedMedia", media="")
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(page)
        assert await _bare(tab) == [40, False, False]
        assert tab.told == []
        assert set(tab.requests) == {page}
        assert tab.dialogs == []


async def test_samples_that_nothing_was_measured_of_can_still_be_searched(make_run, held_out, tmp_path) -> None:
    """There is no metric to choose, nothing to sort by, and a single topic."""
    rows = [line | {"changes": {}, "prompt": line["prompt"] | {"topic": "one"}} for line in held_out]
    path = tmp_path / "page.html"
    path.write_text(html(summarise(make_run(examples=rows))), "utf-8")
    async with chromium() as tab:
        await tab.open(path.as_uri())
        assert await tab.evaluate("document.querySelectorAll('.controls input, .controls select').length") == 1
        await choose(tab, "search", "capital of velmora? (4)")
        assert await told(tab) == "1 of 40 samples"
        assert tab.told == []


async def test_what_was_not_measured_is_told_and_more_parts_fold_out(make_run, held_out, tmp_path) -> None:
    """Thirty of forty have a rating. Of ten parts two are folded away, but not on paper."""
    rows = [
        line | {"changes": {"compliance": [True, True], **({"rating": [0.1, 0.9]} if place < 30 else {})}}
        for place, line in enumerate(held_out)
    ]
    names = ["compliance", *(f"compliance/part{place}" for place in range(10))]
    metrics = [Metric(name=name, of=of, value=0.5, low=0.4, high=0.6, n=9) for name in names for of in MODELS]
    path = tmp_path / "page.html"
    path.write_text(html(summarise(make_run(examples=rows, metrics=metrics))), "utf-8")
    parts = "[...document.querySelectorAll('.part .name')].filter(each => each.checkVisibility()).length"
    async with chromium() as tab:
        await tab.open(path.as_uri())
        assert await told(tab) == "40 of 40 samples"
        await choose(tab, "metric", "Rating")
        assert await told(tab) == "40 of 40 samples, 10 of them not measured"
        await kind(tab, "improved")
        assert await told(tab) == "30 of 40 samples"
        assert await tab.evaluate("document.querySelector('.rest summary').textContent") == "2 more parts"
        assert await tab.evaluate(parts) == 8
        await tab.evaluate("document.querySelector('.rest summary').click()")
        assert await tab.evaluate(parts) == 10
        await tab.evaluate("document.querySelector('.rest summary').click()")
        await tab.call("Emulation.setEmulatedMedia", media="print")
        assert await tab.evaluate(parts) == 10
        checked = "getComputedStyle(document.querySelector('label:has(:checked)')).outlineStyle"
        await tab.call("Emulation.setEmulatedMedia", media="")
        assert await tab.evaluate(checked) == "none"
        forced = [{"name": "forced-colors", "value": "active"}]
        await tab.call("Emulation.setEmulatedMedia", media="", features=forced)
        assert await tab.evaluate(checked) == "solid"
        assert tab.told == []


async def _filters(tab: Tab) -> None:
    assert await told(tab) == "40 of 40 samples"
    assert await tab.evaluate(f"{SHOWN}.length") == 12
    await tab.evaluate("document.querySelector('[data-role=more]').click()")
    assert await tab.evaluate(f"{SHOWN}.length") == 40
    for value, count in (("degraded", 7), ("unchanged", 1), ("improved", 32)):
        await kind(tab, value)
        assert await told(tab) == f"{count} of 40 samples"
        assert await tab.evaluate(f"{SHOWN}.every(each => each.dataset.kind === '{value}')")
    await kind(tab, "")

    await choose(tab, "topic", "sum")
    assert await told(tab) == "10 of 40 samples"
    assert await tab.evaluate(f"{SHOWN}.every(each => each.textContent.includes('17 + 25'))")
    await choose(tab, "search", "  THE ALMANAC. ")  # in the answer after, in any case and with any spaces
    assert await told(tab) == "8 of 40 samples"  # numbers 13 and 33 kept their plain answers
    await choose(tab, "search", "nowhere to be found")
    assert await told(tab) == "0 of 40 samples"
    assert await tab.evaluate("document.querySelector('[data-role=none]').checkVisibility()")
    await tab.evaluate("document.querySelector('[data-role=clear]').click()")
    assert await told(tab) == "40 of 40 samples"

    # 20 samples lie below .5, one at it and 19 above
    await choose(tab, "metric", "Rating: brief")
    assert (
        await tab.evaluate("document.querySelector('[data-role=metric] :checked').parentElement.label")
        == "By principle"
    )
    for value, count in (("degraded", 20), ("unchanged", 1), ("improved", 19)):
        await kind(tab, value)
        assert await told(tab) == f"{count} of 40 samples"
    await kind(tab, "")
    for order, expected in (("best", [39, 38, 37]), ("worst", [0, 1, 2])):
        await choose(tab, "order", order)
        first: list[str] = await tab.evaluate(
            f"{SHOWN}.slice(0, 3).map(each => each.querySelector('.said').textContent)"
        )
        assert [int(text.rpartition("(")[2].rstrip(")")) for text in first] == expected
    await tab.evaluate(f"{SEARCH}.focus()")
    await tab.evaluate("document.querySelector('[data-role=clear]').click()")


async def _keyboard(tab: Tab) -> None:
    """Every control has a name and is reached by the keyboard."""
    controls = "[...document.querySelectorAll('.controls input, .controls select')]"
    assert await tab.evaluate(f"{controls}.every(each => each.labels[0].textContent.trim() !== '')")
    await tab.evaluate("document.querySelector('.controls input[type=radio]').focus()")
    await tab.press("ArrowRight", 39)
    assert await told(tab) == "32 of 40 samples"
    await tab.evaluate(f"{MORE}.focus()")
    await tab.press(" ", 32)
    assert await tab.evaluate(f"{SHOWN}.length") == 32
    assert await tab.evaluate(f"document.activeElement === {SHOWN}[12]")  # the first that was not there before
    await tab.evaluate("document.querySelector('.controls input:checked').focus()")
    reached = []
    for _ in range(3):
        await tab.press("Tab", 9)
        reached.append(await tab.evaluate("document.activeElement.dataset.role"))
    assert reached == ["metric", "topic", "search"]  # there is no order before a metric is chosen
    await tab.call("Input.insertText", text="velmora")
    assert await told(tab) == "8 of 40 samples"


async def _bare(tab: Tab) -> Any:
    """How many samples are seen, and whether the controls and the button for more are."""
    seen = "document.querySelector('{}').checkVisibility()"
    return await tab.evaluate(f"[{SHOWN}.length, {seen.format('.controls')}, {seen.format('[data-role=more]')}]")


@pytest.mark.reliability("pages")
async def test_payloads_in_any_text_do_nothing(make_run, record, held_out, tmp_path, figure) -> None:
    """No dialog, no script, no element, no handler and no request of theirs, and what they are is shown as text."""
    original = json.dumps([record, held_out])
    async with chromium() as tab:
        for place, payload in enumerate(PAYLOADS):
            record, held_out = json.loads(original)
            spoil(record, held_out, payload)
            record["stages"]["label"]["summary"]["account"] = {payload: [payload, {payload: payload}], "note": payload}
            metrics = [Metric(name=payload, of=of, value=0.5, low=0.4, high=0.6, n=9, method=payload) for of in MODELS]
            run = make_run(run=record, examples=held_out, recipe={payload: payload}, metrics=metrics)
            spoil_files(run, held_out, payload)
            path = tmp_path / f"page-{place}.html"
            path.write_text(html(summarise(run)), "utf-8")
            await tab.open(path.as_uri())
            await choose(tab, "search", payload)
            await choose(tab, "metric", "2")
            await choose(tab, "order", "worst")
            assert await told(tab) == "40 of 40 samples"
            assert await tab.evaluate(
                "document.getElementById('examples').innerText.includes(" + json.dumps(payload) + ")"
            )
            assert await tab.evaluate(FOREIGN) == []
    figure(f"{len(PAYLOADS)} payloads in every text of a report in Chromium: {len(tab.dialogs)} ran")
    assert (tab.dialogs, tab.told) == ([], [])
    assert set(tab.requests) == {(tmp_path / f"page-{place}.html").as_uri() for place in range(len(PAYLOADS))}


FOREIGN = """(() => {
  const ours = new Set(("html head meta title style body header p span h1 nav a main section h2 h3 table thead tr th"
    + " tbody td small svg g path line circle text defs use clippath rect div ul li article b fieldset legend label"
    + " input select option optgroup button strong dl dt dd code details summary pre br footer script").split(" "));
  const found = [...document.querySelectorAll("*")];
  return [
    ...found.filter(each => !ours.has(each.localName.toLowerCase())).map(each => each.localName),
    ...found.filter(each => each.localName === "script").slice(1).map(each => "another script"),
    ...found.filter(each => each.localName === "meta").slice(5).map(each => "another meta"),
    ...found.flatMap(each => [...each.attributes]).filter(each => /^on|^(src|style|srcdoc|action)$/.test(each.name)
      || (each.name === "href" && !each.value.startsWith("#"))).map(each => each.name),
  ];
})()"""

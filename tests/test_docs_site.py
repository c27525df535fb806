"""The site: built without a warning, complete, and readable without a network, on any screen, in light and in dark."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

import navigation
from chromium import Tab, chromium, needed
from doc_blocks import PAGES, ROOT, name_of

pytestmark = pytest.mark.slow

PARTS = [
    "Start here", "Write a constitution", "Judges", "Datasets", "Trainers", "Evaluate and compare", "Plugins", "Python",
    "From laptop to GPU to cluster", "Recipes by example", "Reference", "Results", "Design decisions",
    "Comparison with other tools", "Contributing", "Security", "Changelog", "README", "All pages",
]  # fmt: skip


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """As ``make docs``."""
    strict = ("--fresh-env", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet")
    where = ("--conf-dir", str(ROOT / "docs" / "building"), "--doctree-dir", str(out / "doctrees"))
    words = [sys.executable, "-W", "ignore", "-m", "sphinx", *strict, *where, str(source), str(out / "html")]
    return subprocess.run(words, capture_output=True, text=True, timeout=800)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    built = build(ROOT, out)
    assert (built.returncode, built.stderr) == (0, "")
    return out / "html"


def test_every_page_is_in_the_site(site: Path) -> None:
    """As HTML, at the place that it has in the repository; the address of the whole leads to the front page."""
    assert [name_of(page) for page in PAGES if not (site / name_of(page)).with_suffix(".html").is_file()] == []
    assert 'url=docs/index.html"' in (site / "index.html").read_text("utf-8")


def test_the_parts_stand_in_the_order_in_which_they_are_read(site: Path) -> None:
    """First things first."""
    front = (site / "docs" / "index.html").read_text("utf-8")
    assert re.findall(r'<li class="toctree-l1[^"]*"><a [^>]*>([^<]+)</a>', front) == PARTS


def test_files_that_pages_link_to_are_in_the_site(site: Path) -> None:
    """A recipe beside an example's page can be fetched from the site as well."""
    page = (site / "examples" / "labeling" / "README.html").read_text("utf-8")
    (target,) = re.findall(r'href="([^"]+/pairwise\.yaml)"', page)
    assert "kind: pairwise" in (site / "examples" / "labeling" / target).resolve().read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[there](../README.md#gone)", "local id not found"),
        ("[there](gone.md)", "cross-reference target not found"),
        ("![a picture](gone.png)", "image file not readable"),
    ],
)
def test_what_leads_nowhere_fails_the_build(text: str, said: str, tmp_path: Path) -> None:
    """Headings, pages and pictures."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# solon\n\n## Here\n", "utf-8")
    (tmp_path / "docs" / "index.md").write_text(f"# Front\n\n[Here](../README.md#here). {text}\n", "utf-8")
    built = build(tmp_path, tmp_path / "out")
    assert built.returncode != 0
    assert said in built.stderr
    assert built.stderr.count("WARNING") == 1


def test_a_page_without_a_place_fails_the_build(tmp_path: Path) -> None:
    """Nobody would come to it."""
    (tmp_path / "docs" / "elsewhere").mkdir(parents=True)
    for name in ("index.md", "elsewhere/page.md"):
        (tmp_path / "docs" / name).write_text("# A page\n", "utf-8")
    built = build(tmp_path, tmp_path / "out")
    assert built.returncode != 0
    assert "page.md: WARNING: document isn't included in any toctree" in built.stderr


def test_what_is_named_in_the_navigation_is_there() -> None:
    """An entry whose page is gone would be left out of the site, and nobody would see it."""
    named = [each for entry in (*navigation.TREE, *navigation.PROJECT) for each in (entry, *entry.below)]
    single = [entry.page for entry in named if "*" not in entry.page]
    assert [page for page in single if not (ROOT / f"{page}.md").is_file()] == []


async def look(tab: Tab, page: Path) -> None:
    """Opens a page; it asks for nothing that is not in the site, and has nothing to complain of."""
    tab.requests.clear()
    tab.told.clear()
    await tab.open(page.as_uri())
    assert [address for address in tab.requests if not address.startswith(("file:", "data:"))] == []
    assert tab.told == []


@needed
async def test_no_page_asks_the_network_or_is_wider_than_a_telephone(site: Path) -> None:
    """Tables and code scroll within the page; the page itself does not."""
    wide = []
    async with chromium() as tab:
        await tab.window(400, 800)
        for page in PAGES:
            path = (site / name_of(page)).with_suffix(".html")
            await look(tab, path)
            if await tab.evaluate("document.documentElement.scrollWidth") > 400:
                wide.append(name_of(page))
    assert wide == []


@needed
async def test_a_wide_table_scrolls_by_itself(site: Path) -> None:
    """Its columns are wide enough to be read."""
    async with chromium() as tab:
        await tab.window(400, 800)
        await look(tab, site / "docs" / "reference" / "trainers.html")
        scrolls = "(box => box.scrollWidth > box.clientWidth + 50)(document.querySelector('.table-wrapper'))"
        assert await tab.evaluate(scrolls)


@needed
async def test_the_search_finds_a_page_without_a_network(site: Path) -> None:
    """The index is a script in the site, and words are looked up where they are read."""
    async with chromium() as tab:
        await tab.window(1280, 800)
        await tab.open(f"{(site / 'search.html').as_uri()}?q=krippendorff")
        # results come one after the other
        found = """new Promise(done => {
            const result = () => document.querySelector('#search-results a[href*="docs/evaluation.html"]');
            const look = () => result() ? done(true) : setTimeout(look, 50);
            look(); })"""
        assert await asyncio.wait_for(tab.evaluate(found), 60)
        assert [address for address in tab.requests if not address.startswith(("file:", "data:"))] == []


@needed
@pytest.mark.parametrize(("scheme", "darkest", "lightest"), [("light", 200, 255), ("dark", 0, 60)])
async def test_it_is_light_or_dark_as_the_reader_likes(site: Path, scheme: str, darkest: int, lightest: int) -> None:
    """By what the system says; a button changes it."""
    async with chromium() as tab:
        await tab.window(1280, 800, prefers_color_scheme=scheme)
        await look(tab, site / "docs" / "index.html")
        colour = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
        red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
        assert all(darkest <= each <= lightest for each in (red, green, blue))

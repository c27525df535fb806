"""The HTML page: what it shows, and that nothing in it runs, loads or hides."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from label_summaries import CANARIES, agreement, cascade, human, member, panel
from payloads import PAYLOADS, spoil, spoil_files
from solon.data.records import Completion, Constitution, Metric, Prompt
from solon.report.curves import figures
from solon.report.html import MOST_BYTES, html
from solon.report.summary import summarise

SCRIPT = files("solon.report").joinpath("templates", "samples.js").read_text("utf-8")


class Page(HTMLParser):
    """What a browser would find: elements, attributes, and the text of each element's kind."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.text, self.script = [], [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Notes an element and its attributes."""
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        """Notes what is shown."""
        if self.elements[-1:] == ["script"]:
            self.script += data
        else:
            self.text += data

    def handle_endtag(self, tag):
        """What follows a script is text again."""
        self.elements.append(f"/{tag}")


def page_of(run_dir):
    summary = summarise(run_dir)
    return html(summary, figures(summary.steps))


def assert_inert(text):
    """No element but ours, no handler, nothing that loads; the one script is that of the package, to the byte."""
    page = Page(text)
    forbidden = {"iframe", "object", "embed", "form", "base", "link", "img", "math", "animate"}
    assert not forbidden & set(page.elements)
    assert page.elements.count("script") == ("examples" in {v for _, name, v in page.attributes if name == "id"})
    assert page.script in ("", SCRIPT)
    assert page.elements.count("button") in (0, 2)
    for _, name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in {"style", "src", "srcdoc", "action", "formaction", "xlink:href", "data"}
        if name == "href":
            assert value.startswith("#")
    assert sum(tag == "meta" and name == "http-equiv" for tag, name, _ in page.attributes) == 1


def test_the_page_shows_the_numbers_and_what_they_stand_on(run_dir):
    """Value, interval, change, test, n and failures; labels, drops, constitution, cost, versions, recipe."""
    text = Page(page_of(run_dir)).text
    for shown in ("28.3%", "24.9 to 32.1", "+67.8 points", "+63.9 to +71.4", "p < .001", "600", "+12 failed",
                  "pairwise:judge", "the judge preferred a position", "The response does not mock", "hard: vetoes",
                  "1,845,600", "$0.00", "transformers", "5.5.0", "beta: 0.1", "40 of 40", "distrust"):  # fmt: skip
        assert shown in text


def test_the_page_says_how_the_labels_were_made(make_run, record):
    """Facts first, then a table each for voters, canaries and the panel; on a phone each cell says what it is."""
    record["stages"]["label"]["summary"] |= {"account": panel(), "canaries": CANARIES}
    page = Page(page_of(make_run(run=record)))
    for shown in ("How the labels were made", "92.0% [91.0 to 92.9] of 3,261 pairs", "the odd one out is three",
                  "Canaries", "master key", "Agreement, by principle", "Each two members"):  # fmt: skip
        assert shown in page.text
    assert ("td", "data-label", "alpha") in page.attributes


def test_the_page_loads_nothing_and_runs_nothing_but_its_own_script(run_dir):
    """No external reference, no inline style: not even its own."""
    text = page_of(run_dir)
    assert_inert(text)
    assert not re.search(r"https?://|//[a-z]+\.|url\((?!#)|@import", text)


def test_the_policy_allows_the_page_s_own_style_sheet_and_script_and_nothing_else(run_dir):
    """The hashes in the policy are those of the elements' contents."""
    text = page_of(run_dir)

    def hashed(element):
        content = re.search(f"<{element}>(.*?)</{element}>", text, re.DOTALL).group(1)
        return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()

    policies = [v for tag, name, v in Page(text).attributes if tag == "meta" and name == "content" and "src" in v]
    allowed = f"style-src 'sha256-{hashed('style')}'; script-src 'sha256-{hashed('script')}'"
    assert policies == [f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"]


def test_a_page_without_samples_has_no_script_and_allows_none(make_run):
    """There is nothing to filter."""
    text = page_of(make_run(examples=[]))
    assert "<script" not in text
    assert "script-src" not in text


ACCOUNTS = (
    lambda text: panel(
        members=[member(text, 0.9, failed={text: 1}, account={text: text}), member(text, 0.1)],
        agreement={text: {**agreement(0.1), "kappa_of_pairs": [{"members": [text, text], "kappa": 1.0}]}},
        odd_one_out=text,
    ),
    lambda text: cascade(why={text: 1}, labelers=[{**one, "name": text} for one in cascade()["labelers"]]),
    lambda text: human(note=text),
    lambda text: {text: [text, {text: text}], "note": text},
)


@pytest.mark.reliability("pages")
@pytest.mark.parametrize("account", ACCOUNTS, ids=["panel", "cascade", "human", "somebody else's"])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_in_any_text_is_inert_and_shown_as_text(make_run, record, held_out, payload, account):
    """In the prompt, both answers, the names, the warnings, the account, the constitution and the recipe."""
    spoil(record, held_out, payload)
    record["stages"]["label"]["summary"]["account"] = account(payload)
    metrics = [m.model_copy(update={"name": payload, "method": payload}) for m in summarise(make_run()).metrics[:3]]
    run = make_run(run=record, examples=held_out, metrics=metrics, recipe={payload: payload})
    spoil_files(run, held_out, payload)
    text = html(summarise(run))
    assert_inert(text)
    assert payload in Page(text).text


def test_hidden_characters_are_spelled_out(make_run, held_out):
    """A right-to-left override and a zero-width space are readable as what they are."""
    for line in held_out:
        line["after"]["text"] = "safe\u202eelif\u200b\x1b[31m"
    text = page_of(make_run(examples=held_out))
    assert "safe⟨U+202E⟩elif⟨U+200B⟩⟨U+001B⟩[31m" in text
    assert not re.search("[\u202e\u200b\x1b]", text)


def test_half_a_surrogate_pair_does_not_keep_the_page_from_being_written(make_run, held_out):
    """UTF-8 has no place for it."""
    for line in held_out:
        line["after"]["text"] = "\ud83d"
    assert "⟨U+D83D⟩" in page_of(make_run(examples=held_out)).encode("utf-8").decode("utf-8")


@pytest.mark.slow
def test_a_page_about_enormous_texts_stays_under_its_limit(make_run, record, held_out):
    """Every text and list is capped: a megabyte of `<` in each, 500 principles, 50,000 log lines."""
    huge = "<" * 1_000_000
    for line in held_out:
        line["prompt"]["messages"][0]["content"] += huge[:100_000]
        line["before"]["text"] = line["after"]["text"] = huge
    principle = record["constitution"]["principles"][0]
    record["constitution"]["principles"] = [{**principle, "id": f"p{i}", "text": "'" * 9000} for i in range(500)]
    record["constitution"]["cases"] = []
    Constitution.model_validate(record["constitution"])
    many = [member(f"m{i}{huge[:900]}", 0.5) for i in range(300)]
    names = {f"p{i}{huge[:900]}": agreement(0.1) for i in range(500)}
    record["stages"]["label"]["summary"]["account"] = panel(members=many, agreement=names)
    record["stages"]["label"]["summary"]["votes"] = {f"v{i}{huge[:900]}": {"pairs": 9} for i in range(300)}
    record["stages"]["build"]["summary"]["dropped"]["preference"] = {f"reason {i} {huge[:900]}": i for i in range(1000)}
    record["stages"]["train"]["outputs"] = {f"file {i} {huge[:900]}": "f" * 64 for i in range(2000)}
    record["stages"]["evaluate"]["summary"]["warnings"] = [f"{i}{huge[:9000]}" for i in range(200)]
    steps = [{"step": i, "loss": (i * 7919 % 104729) / 7} for i in range(50_000)]
    summary = summarise(make_run(run=record, examples=held_out[:12], steps=steps, recipe={"x": huge[:200_000]}))
    drawn = figures(summary.steps)
    assert len(html(summary, drawn).encode()) <= MOST_BYTES
    assert len(html(summary, drawn, most=0).encode()) < MOST_BYTES / 4  # the least that it can be cut down to


@pytest.mark.slow
@pytest.mark.parametrize("text", ["&'<", "\u202e", "\U0001f600"], ids=["escaped", "spelled-out", "four-bytes"])
def test_a_page_about_ten_thousand_samples_and_500_principles_stays_under_its_limit(make_run, record, text):
    """Long texts, of characters that take many bytes: it shows some of each kind, and says what it left out."""
    long = text * (4000 // len(text))
    principles = [{**record["constitution"]["principles"][0], "id": f"p{i}", "text": long} for i in range(500)]
    record["constitution"] |= {"principles": principles, "cases": []}
    short, huge = (Completion(text=said, model="m").model_dump(mode="json") for said in (text, long))
    lines, items = [], []
    for place in range(10_000):
        prompt = Prompt.of(f"{place} {text}", topic=f"{text * 50}{place % 300}")
        answer, changes = huge if place % 10 == 0 else short, {"compliance": [True, place % 7 > 0]}
        lines.append({"prompt": prompt.model_dump(mode="json"), "before": answer, "after": answer, "changes": changes})
        values = {f"rating/p{number}": [0.5, place % 11 / 10] for number in range(0, 500, 50)}
        items.append({"item": prompt.id, "values": values})
    metrics = [
        Metric(name=f"rating/p{number}{text * 90}", of=of, value=0.5, low=0.4, high=0.6, n=9, method=long[:300])
        for number in range(500)
        for of in ("before", "after")
    ]
    run = make_run(run=record, examples=lines, metrics=metrics)
    (run / "evaluation" / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    page = page_of(run)
    assert len(page.encode()) <= MOST_BYTES
    shown = [value for _, name, value in Page(page).attributes if name == "data-kind"]
    assert {"improved", "degraded", "unchanged"} <= set(shown)
    assert f"{len(shown):,} of 10,000 held-out prompts shown" in page
    assert "of 500 numbers shown; the rest is in evaluation/metrics.json" in page


def test_a_page_that_would_be_too_large_shows_less_of_everything_and_says_so(make_run, record):
    """Samples, rows and texts; what is left is still a page."""
    summary = summarise(make_run(run=record))
    whole, cut = html(summary), html(summary, most=55_000)
    assert len(cut.encode()) <= 55_000 < len(whole.encode())
    assert "To stay under 55 kB this page shows fewer samples" in cut
    assert "To stay under" not in whole
    assert {"Numbers", "Constitution", "Run it again"} <= set(re.findall(r"<h2>(.*?)</h2>", cut))


@pytest.mark.parametrize("stages", [(), ("sample",), ("sample", "label"), ("sample", "label", "build"), ("train",)])
def test_a_run_that_stopped_early_still_gets_a_page(make_run, record, stages):
    """What was not run is left out, and no empty section stands in its place."""
    record["stages"] = {stage: record["stages"][stage] for stage in stages}
    text = page_of(make_run(run=record))
    page = Page(text)
    assert ("Numbers" in page.text, "Before and after" in page.text) == (False, False)
    assert ("Training" in page.text) == ("train" in stages)
    anchors = {value for tag, name, value in page.attributes if name == "href" and tag == "a"}
    assert anchors <= {f"#{value}" for _, name, value in page.attributes if name == "id"}

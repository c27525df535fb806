"""The HTML page: what it shows, and that nothing in it runs, loads or hides."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from label_summaries import CANARIES, LISTED, agreement, cascade, human, member, panel
from solon.data.records import Constitution
from solon.report.curves import figures
from solon.report.html import MOST_BYTES, html
from solon.report.summary import summarise

PAYLOADS = (
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<body onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</pre></p></article><script>alert(1)</script>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "{{ 7*7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "<!--<script>-->&lt;script&gt;alert(1)&#x3c;/script&#x3e;<div style='background:url(//evil.example)'>",
)


class Page(HTMLParser):
    """What a browser would find: elements, attributes, and the text of each element's kind."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Notes an element and its attributes."""
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        """Notes what is shown."""
        self.text += data


def page_of(run_dir):
    summary = summarise(run_dir)
    return html(summary, figures(summary.steps))


def assert_inert(text):
    page = Page(text)
    forbidden = {"script", "iframe", "object", "embed", "form", "base", "link", "img", "math", "button", "animate"}
    assert not forbidden & set(page.elements)
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
                  "1,845,600", "$0.00", "transformers", "5.5.0", "beta: 0.1", "4 of 28", "distrust"):  # fmt: skip
        assert shown in text


def test_the_page_says_how_the_labels_were_made(make_run, record):
    """Facts first, then a table each for voters, canaries and the panel; on a phone each cell says what it is."""
    record["stages"]["label"]["summary"] |= {"account": panel(), "canaries": CANARIES}
    page = Page(page_of(make_run(run=record)))
    for shown in ("How the labels were made", "92.0% [91.0 to 92.9] of 3,261 pairs", "the odd one out is three",
                  "Canaries", "master key", "Agreement, by principle", "Each two members"):  # fmt: skip
        assert shown in page.text
    assert ("td", "data-label", "alpha") in page.attributes


def test_the_page_loads_nothing_and_runs_nothing(run_dir):
    """No script, no external reference, no inline style: not even its own."""
    text = page_of(run_dir)
    assert_inert(text)
    assert not re.search(r"https?://|//[a-z]+\.|url\((?!#)|@import", text)


def test_the_policy_allows_the_page_s_own_style_sheet_and_nothing_else(run_dir):
    """The hash in the policy is that of the style element's content."""
    text = page_of(run_dir)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    expected = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policies = [v for tag, name, v in Page(text).attributes if tag == "meta" and name == "content" and "src" in v]
    assert policies == [f"default-src 'none'; style-src 'sha256-{expected}'; base-uri 'none'; form-action 'none'"]


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


@pytest.mark.parametrize("account", ACCOUNTS, ids=["panel", "cascade", "human", "somebody else's"])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_in_any_text_is_inert_and_shown_as_text(make_run, record, held_out, payload, account):
    """In the prompt, both answers, the names, the warnings, the account, the constitution and the recipe."""
    for line in held_out:
        line["prompt"]["messages"][0]["content"] += payload
        line["prompt"] |= {"topic": payload, "reference": payload}
        line["before"]["text"] = line["after"]["text"] = payload
        line["changes"][payload] = [True, False]
    record |= {"name": payload, "solon": payload, "versions": {payload: payload}}
    stages = record["stages"]
    stages["sample"]["summary"] |= {"model": payload, "missing": {payload: 1}}
    stages["label"]["summary"] |= {"labeler": payload, "failed": {payload: 1}, "votes": {payload: {"pairs": 9}}}
    stages["label"]["summary"] |= {"account": account(payload), "canaries": {payload: {"won": 9}, "all": {"won": 9}}}
    stages["label"]["summary"]["batches"] = [{"provider": payload, "id": payload}]
    stages["label"]["summary"]["models"] = [{**LISTED, "name": payload, "server": payload, "price_source": payload}]
    stages["build"]["summary"]["dropped"] = {"preference": {payload: 7}}
    stages["train"]["summary"]["trainer"]["kind"] = payload
    stages["train"]["summary"]["checkpoint"]["base_model"] = payload
    stages["evaluate"]["summary"]["warnings"] = [payload]
    stages["train"]["outputs"] = {payload: payload}
    principle = record["constitution"]["principles"][0]
    principle |= {"text": payload, "topics": [payload], "source": payload}
    record["constitution"] |= {"name": payload, "version": payload, "description": payload}
    metrics = [m.model_copy(update={"name": payload, "method": payload}) for m in summarise(make_run()).metrics[:3]]
    run = make_run(run=record, examples=held_out, metrics=metrics, recipe={payload: payload})
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
    run = make_run(run=record, examples=held_out[:12], steps=steps, recipe={"x": huge[:200_000]})
    assert len(page_of(run).encode()) < MOST_BYTES


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

"""Who may speak to a view, what it says to them, and that it never tells the judge's verdict before it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from solon.viewing.collections import Viewed
from solon.viewing.server import _PAGES, Server
from viewed import served, small_run


async def asked(address: str, path: str, *, method: str = "GET", **how: Any) -> tuple[int, Any, Any]:
    """Status, headers and body of one request, without the cookie."""
    base = address.partition("/?")[0]
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        client.request(method, base + path, allow_redirects=False, **how) as answer,
    ):
        return answer.status, answer.headers, await answer.text()


def port_of(address: str) -> str:
    """The port of an address."""
    return address.partition("/?")[0].rpartition(":")[2]


def with_cookie(server: Server, address: str, **more: str) -> dict[str, str]:
    """The headers of our own page."""
    return {"Cookie": f"solon_view_{port_of(address)}={server.guard.token}", **more}


def writing(server: Server, address: str, **more: str) -> dict[str, str]:
    """The headers with which our own page writes."""
    origin = {"Origin": address.partition("/?")[0], "Content-Type": "application/json"}
    return with_cookie(server, address, **(origin | more))


@pytest.mark.reliability("pages")
async def test_nobody_without_the_token_reads_anything(tmp_path: Path) -> None:
    """Neither page, nor script, nor data; a wrong token is none; and a path that is none says as little."""
    async with served(small_run(tmp_path)) as (_, address):
        for path in [*_PAGES, "/api/about", "/api/item?place=1", "/nothing", "/?token=wrong", "/api/about?token=wrong"]:
            assert (await asked(address, path))[0] == 401


async def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_has(tmp_path: Path) -> None:
    """And leaves the address."""
    async with served(small_run(tmp_path)) as (server, address):
        status, headers, _ = await asked(address, f"/?token={server.guard.token}")
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        status, headers, body = await asked(address, "/", headers=with_cookie(server, address))
        assert status == 200
        assert server.guard.token not in body


@pytest.mark.reliability("pages")
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}", ""]
)
async def test_a_name_of_somebody_elses_that_leads_here_is_refused(tmp_path: Path, host: str) -> None:
    """DNS rebinding: the browser would send what it has for that name, and read the answer."""
    async with served(small_run(tmp_path)) as (server, address):
        headers = with_cookie(server, address, Host=host.format(port=port_of(address)))
        assert (await asked(address, "/api/about", headers=headers))[0] == 421


@pytest.mark.reliability("pages")
@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Cookie": "solon_view=1"}, 401),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_a_page_from_elsewhere_writes_nothing(tmp_path: Path, changed: dict[str, str], status: int) -> None:
    """Wrong origin, a form's type, or no cookie: the file is not even made."""
    run = small_run(tmp_path)
    async with served(run) as (server, address):
        how = {"method": "POST", "json": {"place": 1, "said": "first"}}
        assert (await asked(address, "/api/say", headers=writing(server, address, **changed), **how))[0] == status
        assert not (run / "human.jsonl").exists()
        assert (await asked(address, "/api/say", headers=writing(server, address), **how))[0] == 200
        assert (run / "human.jsonl").exists()


async def test_what_the_browser_is_opened_with_lets_in_one_and_no_second(tmp_path: Path) -> None:
    """Others on the machine may read it from the command line. What was printed stays good, and is not in it."""
    async with served(small_run(tmp_path)) as (server, address):
        once = server.guard.once
        assert once != server.guard.token
        assert [(await asked(address, f"/?token={once}"))[0] for _ in range(3)] == [303, 401, 401]
        assert [(await asked(address, path))[0] for path in ("/?token=", "/")] == [401, 401]
        assert (await asked(address, f"/?token={server.guard.token}"))[0] == 303


async def test_every_answer_forbids_whatever_is_not_ours(tmp_path: Path) -> None:
    """Refusals and errors too."""
    async with served(small_run(tmp_path)) as (server, address):
        for path, headers in (
            ("/", with_cookie(server, address)), ("/app.js", with_cookie(server, address)), ("/", {}),
            ("/nothing", with_cookie(server, address)), ("/api/item?place=999", with_cookie(server, address)),
        ):  # fmt: skip
            _, found, _ = await asked(address, path, headers=headers)
            policy = found["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            assert found["X-Content-Type-Options"] == "nosniff"
            assert found["Referrer-Policy"] == "no-referrer"
            assert found["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "query",
    [
        {"place": 1, "said": "undo"}, {"place": 1, "said": "nonsense"}, {"place": 1, "said": ["first"]},
        {"place": 1, "said": "score", "score": True}, {"place": 1, "said": "score", "score": 3},
        {"place": 99, "said": "first"}, {"place": "x", "said": "first"}, {"place": True, "said": "first"},
        {"place": 1, "said": "first", "note": 5}, {"place": 1, "said": "first", "note": "x" * 20_000},
        {"place": 1, "said": "first", "kind": "other"}, {"place": 1, "said": "first", "kind": "answers"}, {},
    ],
    ids=lambda query: json.dumps(query)[:60],
)  # fmt: skip
async def test_what_cannot_be_said_is_refused_and_not_written(tmp_path: Path, query: dict[str, Any]) -> None:
    """With a reason, and without a traceback."""
    run = small_run(tmp_path)
    async with served(run) as (server, address):
        how = {"method": "POST", "headers": writing(server, address), "json": query}
        status, _, body = await asked(address, "/api/say", **how)
        assert status == 409
        assert json.loads(body)["error"]
        assert not (run / "human.jsonl").exists()


async def test_a_body_that_is_no_object_or_has_no_end_is_refused(tmp_path: Path) -> None:
    """400 and 413."""
    async with served(small_run(tmp_path)) as (server, address):
        for body, status in ((b"[1]", 400), (b"{", 400), (b"\xff", 400), (b"x" * 100_000, 413)):
            how = {"method": "POST", "headers": writing(server, address), "data": body}
            assert (await asked(address, "/api/list", **how))[0] == status


async def test_nothing_tells_the_judges_verdict_before_it_is_asked_for(tmp_path: Path) -> None:
    """Neither item nor row: no word of the judge's, no score, no reason, no model; afterwards all of it."""
    async with served(small_run(tmp_path)) as (server, _):
        listed = server._list({})["list"]
        hidden = json.dumps([server._item({"place": place}) for place in range(1, 7)])
        hidden += json.dumps(server._rows({"list": listed, "from": "0", "count": "9"}))
        for word in ("pairwise:judge", "because of the order", "refused", "policy", "lean", "orders", "judgments"):
            assert word not in hidden
        for place in range(1, 7):
            server._say({"place": place, "said": "reveal"})
        shown = json.dumps([server._item({"place": place}) for place in range(1, 7)])
        for word in ("pairwise:judge", "because of the order", "refused", "I will not.", "policy", "ann's model"):
            assert word in shown


async def test_letters_and_leans_are_those_of_the_order_that_is_shown(tmp_path: Path) -> None:
    """Of six items some are turned; the first completion of item 1 is better, whichever letter it has."""
    run = small_run(tmp_path)
    seen = set()
    for person in range(12):
        server = Server(Viewed(run, annotator=str(person), blind=False))
        told = server._item({"place": 1})
        is_red = told["options"][0]["text"] == "the red answer 0"
        seen.add(is_red)
        assert (told["lean"] > 0) == is_red
        first = told["judgments"][0]
        assert first["order"] == (["A", "B"] if is_red else ["B", "A"])
        assert first["scores"][0] > 0.5
    assert seen == {True, False}


async def test_a_run_whose_judgments_are_moved_away_says_that_it_is_labeled_anew(tmp_path: Path) -> None:
    """While somebody looks: whether or not the page says of what kind it is, and for reading as for writing."""
    run = small_run(tmp_path)
    async with served(run) as (server, address):
        (run / "judgments.jsonl").rename(run / "away.jsonl")
        for kind in ({}, {"kind": "labels"}):
            for path in ("/api/about", "/api/item?place=1"):
                status, _, body = await asked(address, path, headers=with_cookie(server, address), params=kind)
                assert status == 409
                assert "is being labeled anew" in json.loads(body)["error"]
            for path in ("/api/list", "/api/say", "/api/undo", "/api/refresh"):
                how = {"method": "POST", "headers": writing(server, address)}
                status, _, body = await asked(address, path, **how, json={"place": 1, "said": "first", **kind})
                assert status == 409
                assert "is being labeled anew" in json.loads(body)["error"]
        assert not (run / "human.jsonl").exists()
        (run / "away.jsonl").rename(run / "judgments.jsonl")
        assert (await asked(address, "/api/about", headers=with_cookie(server, address)))[0] == 200


@pytest.mark.parametrize("name", ["principle", "judge", "topic", "reason", "search", "state", "order", "nonsense"])
async def test_whatever_is_filtered_by_is_answered(tmp_path: Path, name: str) -> None:
    """Half of a surrogate pair, too: found nowhere, or refused with a reason."""
    async with served(small_run(tmp_path)) as (server, address):
        how = {"method": "POST", "headers": writing(server, address), "data": json.dumps({"filters": {name: "\ud83d"}})}
        status, _, body = await asked(address, "/api/list", **how)
        assert (status, json.loads(body).get("total", 0)) in ((200, 0), (409, 0))


async def test_a_list_that_is_no_longer_kept_says_so(tmp_path: Path) -> None:
    """Sixteen are."""
    async with served(small_run(tmp_path)) as (server, address):
        first = server._list({})["list"]
        for _ in range(16):
            server._list({})
        path = f"/api/rows?list={first}&from=0&count=5"
        status, _, body = await asked(address, path, headers=with_cookie(server, address))
        assert status == 409
        assert "filter again" in body

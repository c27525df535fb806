"""The server of a view: a page of our own, and what it asks for as JSON. It listens on this machine alone."""

from __future__ import annotations

import json
from array import array
from collections import OrderedDict
from collections.abc import Callable
from importlib.resources import files
from typing import Any, get_args

from aiohttp import web
from pydantic import ValidationError

from solon.data.people import Word
from solon.errors import SolonError
from solon.viewing.collections import Collection, Kind, Viewed
from solon.viewing.filters import Filters, found
from solon.viewing.safety import LONGEST_BODY, Guard
from solon.viewing.told import about, item, rows
from solon.viewing.verdicts import Refused, Verdicts

MOST_ROWS = 200
LISTS_KEPT = 16
"""A list is a number an item: what somebody filtered by lately is at hand."""
LONGEST_NOTE = 10_000
_ANEW: dict[Kind, str] = {
    "labels": "the run is being labeled anew: wait for its first judgments, then refresh",
    "answers": "the run is being trained or evaluated anew: wait for its answers, then refresh",
}

_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_PAGES = {"/": "index.html"} | {
    f"/{name}": name
    for name in ("app.css", "icon.svg", "app.js", "list.js", "item.js", "judge.js", "diff.js", "dom.js", "server.js")
}


class Server:
    """A run's collections, each with this person's verdicts on it.

    Attributes:
        guard: who may speak to it.
    """

    def __init__(self, run: Viewed) -> None:
        """Reads the run.

        Raises:
            DataError: something in it cannot be read.
        """
        self.run, self.guard = run, Guard()
        self._open: dict[Kind, tuple[Collection, Verdicts]] = {}
        self._lists: OrderedDict[str, array[int]] = OrderedDict()
        self._number = 0
        self._as_drawn: set[str] = set()  # lists that nobody has chosen by, also those that are no longer kept
        self.opened(run.kinds()[0])

    def opened(self, kind: Kind) -> tuple[Collection, Verdicts]:
        """A collection, read when it is first asked for.

        Raises:
            Refused: the run has none.
            DataError: it cannot be read.
        """
        if kind not in self.run.kinds():
            raise Refused(_ANEW[kind] if kind in self._open else "the run has nothing of this kind")
        if kind not in self._open:
            collection = Collection(self.run, kind)
            self._open[kind] = collection, Verdicts(collection, self.run.annotator, blind=self.run.blind)
        return self._open[kind]

    def application(self) -> web.Application:
        """What aiohttp serves."""
        application = web.Application(middlewares=[self.guard.middleware], client_max_size=LONGEST_BODY)
        for path, name in _PAGES.items():
            application.router.add_get(path, _page(name))
        for path, deed in (("/api/about", self._about), ("/api/rows", self._rows), ("/api/item", self._item)):
            application.router.add_get(path, _asked(deed))
        for path, deed in (
            ("/api/list", self._list),
            ("/api/say", self._say),
            ("/api/undo", self._undo),
            ("/api/refresh", self._refresh),
        ):
            application.router.add_post(path, _told(deed))
        return application

    # ------------------------------------------------------------ what the page asks

    def _about(self, query: dict[str, Any]) -> dict[str, Any]:
        collection, verdicts = self._of(query)
        return about(self.run, collection, verdicts)

    def _list(self, query: dict[str, Any]) -> dict[str, Any]:
        collection, verdicts = self._of(query)
        try:
            filters = Filters.model_validate(query.get("filters", {}))
        except ValidationError as error:
            raise Refused(f"cannot filter by that: {error.errors()[0]['msg']}") from None
        verdicts.catch_up()
        self._number += 1
        name = f"{collection.kind}-{self._number}"
        self._lists[name] = found(collection, filters, blind=self.run.blind)
        while len(self._lists) > LISTS_KEPT:
            self._lists.popitem(last=False)
        if not filters.chooses:
            self._as_drawn.add(name)
        return {"list": name, "total": len(self._lists[name]), "chosen": filters.chooses}

    def _rows(self, query: dict[str, Any]) -> dict[str, Any]:
        collection, verdicts = self._of(query)
        places = self._lists.get(str(query.get("list")))
        if places is None or not str(query.get("list")).startswith(f"{collection.kind}-"):
            raise Refused("that list is no longer kept: filter again")
        self._lists.move_to_end(str(query.get("list")))
        start, count = _whole(query.get("from")), _whole(query.get("count"))
        return {"rows": rows(collection, verdicts, places[start : start + min(count, MOST_ROWS)])}

    def _item(self, query: dict[str, Any]) -> dict[str, Any]:
        collection, verdicts = self._of(query)
        return self._told(collection, verdicts, _whole(query.get("place")))

    def _say(self, query: dict[str, Any]) -> dict[str, Any]:
        collection, verdicts = self._of(query)
        said, score, note = _word(query.get("said")), query.get("score"), query.get("note", "")
        if not isinstance(note, str) or len(note) > LONGEST_NOTE:
            raise Refused(f"a note is a text of at most {LONGEST_NOTE:,} characters")
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
            raise Refused("a score is a number")
        place, name = _whole(query.get("place")), str(query.get("list"))
        chosen = name not in self._as_drawn or not name.startswith(f"{collection.kind}-")
        verdicts.say(place, said, score=score, note=note, chosen=chosen)
        return self._told(collection, verdicts, place)

    def _undo(self, query: dict[str, Any]) -> dict[str, Any]:
        collection, verdicts = self._of(query)
        return self._told(collection, verdicts, verdicts.undo())

    def _refresh(self, query: dict[str, Any]) -> dict[str, Any]:
        collection, verdicts = self._of(query)
        if collection.refresh():
            self._lists.clear()
            verdicts.restore()
        verdicts.catch_up()
        return about(self.run, collection, verdicts)

    def _told(self, collection: Collection, verdicts: Verdicts, place: int) -> dict[str, Any]:
        try:
            return {**item(collection, verdicts, place), "row": rows(collection, verdicts, [place])[0]}
        except KeyError:
            raise Refused("there is no such question") from None

    def _of(self, query: dict[str, Any]) -> tuple[Collection, Verdicts]:
        kind = query["kind"] if "kind" in query else next(iter(self.run.kinds()), None)
        if kind is None:
            raise Refused(_ANEW["labels"])
        if kind not in get_args(Kind):
            raise Refused("there are labels, and answers")
        return self.opened(kind)


_WORDS: dict[Any, Word] = {word: word for word in get_args(Word)}
Deed = Callable[[dict[str, Any]], dict[str, Any]]


def _whole(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15:
        return value
    raise Refused("a whole number is expected")


def _word(value: Any) -> Word:
    if not isinstance(value, str) or value not in _WORDS or value == "undo":
        raise Refused("that is nothing that can be said")
    return _WORDS[value]


def _page(name: str) -> Callable[[web.Request], Any]:
    content = files("solon.viewing").joinpath("page", name).read_bytes()
    type_of = _TYPES[name.rpartition(".")[2]]

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=type_of, charset="utf-8")

    return page


def _asked(deed: Deed) -> Callable[[web.Request], Any]:
    async def asked(request: web.Request) -> web.Response:
        return _answer(deed, dict(request.query))

    return asked


def _told(deed: Deed) -> Callable[[web.Request], Any]:
    async def told(request: web.Request) -> web.Response:
        try:
            query = json.loads(await request.read())
        except (ValueError, RecursionError):
            query = None
        if not isinstance(query, dict):
            return _json({"error": "a JSON object is expected"}, 400)
        return _answer(deed, query)

    return told


def _answer(deed: Deed, query: dict[str, Any]) -> web.Response:
    try:
        return _json(deed(query))
    except Refused as error:
        return _json({"error": str(error)}, 409)
    except SolonError as error:
        return _json({"error": str(error)}, 500)


def _json(value: dict[str, Any], status: int = 200) -> web.Response:
    # ASCII, which also holds half of a surrogate pair
    return web.Response(status=status, text=json.dumps(value), content_type="application/json")

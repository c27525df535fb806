"""Who may speak to the server of a view: the browser that was given its address, and no page of anybody else's."""

from __future__ import annotations

import secrets

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

COOKIE = "solon_view"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
LONGEST_BODY = 64 * 1024


class Guard:
    """Lets in whoever has the token, under the name of this machine alone.

    A page from elsewhere can send requests to a port on this machine, and a name of its own can lead there (DNS
    rebinding). It has neither the cookie, which is never sent with its requests, nor the right host and origin.

    Attributes:
        token: in the address that is printed once; after that in a cookie.
        once: lets in the first that comes with it, and nobody after: for the browser that is opened, whose command line
            others on this machine may read.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        self.once = secrets.token_urlsafe(32)

    @property
    def middleware(self) -> Middleware:
        """For an application."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            answer = await self._answer(request, handler)
            answer.headers.update(HEADERS)
            return answer

        return guarded

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if (refused := self._refused(request)) is not None:
            return refused
        try:
            return await handler(request)
        except web.HTTPException as error:  # such as a path that is none: with our headers too
            return web.Response(status=error.status, text=error.reason)

    def _refused(self, request: web.Request) -> web.Response | None:
        port = request.transport.get_extra_info("sockname")[1] if request.transport is not None else 0
        ours = {f"127.0.0.1:{port}", f"localhost:{port}"}
        if request.headers.get("Host") not in ours:
            return web.Response(status=421, text="this address is for this machine only")
        origin = request.headers.get("Origin")
        if request.method != "GET":
            if origin not in {f"http://{host}" for host in ours}:
                return web.Response(status=403, text="no page from elsewhere may write")
            if request.content_type != "application/json":
                return web.Response(status=415, text="JSON is expected")
        has_token = request.path == "/" and self._let_in(request.query.get("token", ""))
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not has_token:
            return web.Response(status=403, text="no page from elsewhere may ask")
        if has_token:
            answer = web.Response(status=303, headers={"Location": "/"})
            answer.set_cookie(self._cookie(port), self.token, httponly=True, samesite="Strict", path="/")
            return answer
        if not self._right(request.cookies.get(self._cookie(port), "")):
            return web.Response(status=401, text="open the address that `solon view` has printed")
        return None

    def _cookie(self, port: int) -> str:
        # cookies know no ports: two views on one machine would take each other's away
        return f"{COOKIE}_{port}"

    def _let_in(self, given: str) -> bool:
        if self.once and _same(given, self.once):
            self.once = ""
            return True
        return self._right(given)

    def _right(self, given: str) -> bool:
        return _same(given, self.token)


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), wanted.encode())

"""Who may speak to a served app: who has the token, under a loopback name, from a page of ours.

A port on loopback is open to every account of the host, and to every page that a browser there shows.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOPBACK: Final = re.compile(r"(?:127\.0\.0\.1|localhost)(?::\d{1,5})?", re.ASCII)
"""A name elsewhere that was made to lead here is refused (DNS rebinding). Any port: ``ssh -L`` may change it."""

_TOKEN_BYTES: Final = 32

_COOKIE: Final = "__Secure-xsync"

_FORBIDDEN: Final = "403: open the address that xsync printed, with its token.\n"

_HEADERS: Final = {
    # The terminal's script styles by itself; all else comes from this server, and nothing goes elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        "img-src 'self' data:; connect-src {origin} {socket}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Access:
    """The token of one session, and the check of every request by it.

    ``room``: the path below which all is served. Cookies know no ports: one for a path that can be guessed would be
    sent to whoever else listens on loopback.
    """

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.room = f"/{secrets.token_urlsafe(_TOKEN_BYTES)}"

    def url(self, port: int) -> str:
        """The address that lets in: the one place where the token is told."""
        return f"https://127.0.0.1:{port}/?token={self._token}"

    def guard(self, app: web.Application) -> None:
        """Check every request to ``app``, whatever its path, and add what browsers have to heed to every answer."""
        app.middlewares.append(self._check)
        app.on_response_prepare.append(_add_headers)

    @web.middleware
    async def _check(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not _LOOPBACK.fullmatch(request.host):
            return _forbidden()
        if request.path == "/" and "token" in request.query:
            return self._let_in(request.query["token"])
        if not self._is_token(request.cookies.get(_COOKIE, "")) or not _of_our_page(request):
            return _forbidden()
        return await handler(request)

    def _let_in(self, token: str) -> web.Response:
        """Keep the token in a cookie, out of the address bar and the history."""
        if not self._is_token(token):
            return _forbidden()
        place = f"{self.room}/"
        answer = web.Response(status=303, headers={"Location": place})
        answer.set_cookie(_COOKIE, self._token, path=place, secure=True, httponly=True, samesite="Strict")
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token.encode())


def _of_our_page(request: web.Request) -> bool:
    """Whether a page of this very server asks; browsers name a page's origin for all that can change something."""
    origin = request.headers.get("Origin")
    if origin is None:
        return "Upgrade" not in request.headers
    return origin == f"https://{request.host}"


def _forbidden() -> web.Response:
    return web.Response(status=403, text=_FORBIDDEN)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    known = _LOOPBACK.fullmatch(request.host)
    host = request.host if known else "127.0.0.1"
    for name, value in _HEADERS.items():
        response.headers[name] = value.format(origin=f"https://{host}", socket=f"wss://{host}")

"""The server of ``xsync open --serve``: textual-serve's, behind a token and TLS, with an end to its sessions."""

from __future__ import annotations

import asyncio
import logging
import shlex
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER
from typing import Any, Final, NamedTuple

import aiohttp_jinja2
from aiohttp import WSCloseCode, web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from engine.certificates import Credentials, context, throw_away
from engine.errors import UsageError
from xsync_tui.serving.access import Access
from xsync_tui.terminal import BROWSER_DRIVER

SESSIONS: Final = 4
"""Pages with an app at a time: each is a process of about 100 MB."""

_VALID_DAYS: Final = 365

_GRACE_SECONDS: Final = 5.0
"""How long an app may take to end by itself."""

_PAGE: Final = Path(__file__).parent / "page"

_FULL: Final = f"503: {SESSIONS} pages are open already. Close one, then load this page again.\n"


class Address(NamedTuple):
    """What a person needs to come in: a URL with the token, its port, and the SHA-256 of the certificate."""

    url: str
    port: int
    fingerprint: str


class AppServer(Server):
    """Serves apps on a port of 127.0.0.1; each page has a process of its own, which ends with the page."""

    def __init__(self, arguments: Sequence[str], port: int) -> None:
        """``arguments``: of each app's command line; ``port``: 0 for any that is free. Raises UsageError."""
        super().__init__(_command(arguments), "127.0.0.1", port, title="xsync", templates_path=_PAGE)
        self._socket = _listening(port)
        self._credentials: Credentials = throw_away("xsync", _VALID_DAYS, loopback=("127.0.0.1", "localhost"))
        self._access = Access()
        self._places = SESSIONS
        self._apps: dict[web.WebSocketResponse, Process] = {}
        self._ready: Callable[[], None] = lambda: None

    @property
    def address(self) -> Address:
        """Where it listens from the moment it was made."""
        port = int(self._socket.getsockname()[1])
        return Address(self._access.url(port), port, self._credentials.fingerprint)

    def serve_until_signal(self, ready: Callable[[], None]) -> None:
        """Call ``ready`` when it answers; return when SIGINT, SIGTERM or SIGHUP has come and all apps have ended."""
        logging.basicConfig(level=logging.ERROR, format="xsync: %(message)s")
        self._ready = ready
        try:
            web.run_app(
                self._make_app(),
                sock=self._socket,
                ssl_context=context(self._credentials, PROTOCOL_TLS_SERVER),
                shutdown_timeout=_GRACE_SECONDS,
                access_log=None,  # it would hold the token
                print=None,
            )
        finally:
            self._socket.close()
            for process in self._apps.values():
                _kill(process)

    async def _make_app(self) -> web.Application:
        app = web.Application()
        self._access.guard(app)
        room = await super()._make_app()
        room.router.add_get("/keyboard.js", _keyboard)
        app.add_subapp(self._access.room, room)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Heed a lost line as well, and say where it is."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.request_exit)
        self._ready()

    async def on_shutdown(self, app: web.Application) -> None:
        """End the apps; their pages are told."""
        for process in self._apps.values():
            with suppress(ProcessLookupError):
                process.terminate()
        closing = [asyncio.create_task(each.close(code=WSCloseCode.GOING_AWAY)) for each in self._apps]
        if closing:
            await asyncio.wait(closing, timeout=_GRACE_SECONDS)

    @aiohttp_jinja2.template("app_index.html")
    async def handle_index(self, request: web.Request) -> dict[str, Any]:
        """The page; it reaches the server under the name and port it was asked by: ``ssh -L`` may change them."""
        if not self._places:
            raise web.HTTPServiceUnavailable(text=_FULL)
        return {"socket": f"wss://{request.host}{self._access.room}/ws"}

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """What a page opens to get its app."""
        if not self._places:
            raise web.HTTPServiceUnavailable(text=_FULL)
        self._places -= 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._places += 1

    async def _process_messages(self, websocket: web.WebSocketResponse, app_service: AppService) -> None:
        """Hand on what is typed until the page is closed or the app has ended, in whatever way."""
        process = app_service._process
        assert process is not None
        self._apps[websocket] = process
        watching = asyncio.create_task(_close_after(process, websocket))
        try:
            await super()._process_messages(websocket, app_service)
        finally:
            watching.cancel()
            asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._forget, websocket)

    def _forget(self, websocket: web.WebSocketResponse) -> None:
        """End an app that did not end when it was asked to."""
        _kill(self._apps.pop(websocket))


async def _keyboard(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_PAGE / "keyboard.js")


async def _close_after(process: Process, websocket: web.WebSocketResponse) -> None:
    await process.wait()
    await websocket.close()


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()


def _command(arguments: Sequence[str]) -> str:
    """For a shell. What this terminal's tmux would take from the app is not where the browser is."""
    words = ["env", "-u", "TMUX", f"TEXTUAL_DRIVER={BROWSER_DRIVER}", sys.executable, "-m", "xsync_tui", *arguments]
    return f"exec {shlex.join(words)}"


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        hint = "Name another with --port; 0 takes any that is free."
        raise UsageError(f"Cannot listen on port {port} of 127.0.0.1: {error.strerror}. {hint}") from error

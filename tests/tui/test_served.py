"""``xsync open --serve`` as a real process: who is let in, what a page gets, and that nothing outlives it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import psutil
import pytest

from xsync_tui.cli import entry
from xsync_tui.serving.server import SESSIONS

SECONDS = 30.0


class Served:
    """A server, and what it said of itself."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "xsync_tui", "open", "--serve", "--port", "0", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C.UTF-8", "TMUX": "/nowhere,1,0"},
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.url, self.port, self.fingerprint = str(told["url"]), int(told["port"]), str(told["fingerprint"])
        self.origin, _, self.token = self.url.partition("/?token=")
        self.room = "/room"

    def apps(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def ends(self, number: signal.Signals) -> tuple[int, bytes]:
        """The exit code and all that it wrote after its address."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out + err


@pytest.fixture
def served() -> Iterator[Served]:
    server = Served()
    yield server
    if server.process.poll() is None:
        server.process.kill()
    server.process.communicate()


@asynccontextmanager
async def browser(served: Served, *, inside: bool) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps cookies of addresses, as browsers do; ``inside``: has opened the address with the token."""
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", served.port))
    trust = ssl.create_default_context(cadata=pem)
    jar = aiohttp.CookieJar(unsafe=True)
    sockets: list[socket.socket] = []

    def made(address: aiohttp.AddrInfoType) -> socket.socket:
        sockets.append(socket.socket(*address[:3]))
        return sockets[-1]

    connector = aiohttp.TCPConnector(ssl=trust, socket_factory=made)
    async with aiohttp.ClientSession(
        served.origin, connector=connector, cookie_jar=jar, timeout=aiohttp.ClientTimeout(SECONDS)
    ) as session:
        if inside:
            async with session.get("/", params={"token": served.token}) as answer:
                assert answer.status == 200
                served.room = answer.url.path.rstrip("/")
        yield session
    async with asyncio.timeout(SECONDS):  # the session does not wait for what a page that was closed has still to say
        while any(each.fileno() >= 0 for each in sockets):
            await asyncio.sleep(0.01)


async def read_until(page: aiohttp.ClientWebSocketResponse, text: bytes) -> bytes:
    """All that was drawn until ``text`` was."""
    seen = b""
    async with asyncio.timeout(SECONDS):
        async for message in page:
            if message.type is aiohttp.WSMsgType.BINARY:
                seen += message.data
            if text in seen:
                return seen
    raise AssertionError(seen[-2000:])


async def opening(session: aiohttp.ClientSession, served: Served, **headers: str) -> int:
    """The status that a websocket gets."""
    try:
        async with session.ws_connect(f"{served.room}/ws", headers=headers):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


def test_without_the_token_no_path_answers(served: Served) -> None:
    async def main() -> None:
        async with browser(served, inside=False) as session:
            for path in ("/", "/?token=", "/?token=%C3%A9", "/ws", "/static/js/textual.js", "/download/1", "/none"):
                async with session.get(path) as answer:
                    assert answer.status == 403, path
            async with session.post("/") as answer:
                assert answer.status == 403
            async with session.get("/", params={"token": served.token}, allow_redirects=False) as answer:
                served.room = answer.headers["Location"].rstrip("/")
            session.cookie_jar.clear()
            for cookie in ("", f"__Secure-xsync={served.token[:-1]}"):
                for path in ("/", "/ws", "/static/js/textual.js", "/none"):
                    async with session.get(f"{served.room}{path}", headers={"Cookie": cookie}) as answer:
                        assert answer.status == 403, path
            assert await opening(session, served, Origin=served.origin) == 403
        assert not served.apps()

    asyncio.run(main())


def test_the_address_gives_a_cookie_that_opens_the_page_and_its_parts(served: Served) -> None:
    async def main() -> None:
        async with browser(served, inside=False) as session:
            async with session.get("/", params={"token": served.token}, allow_redirects=False) as answer:
                assert answer.status == 303
                place = answer.headers["Location"]
                assert len(place) > 40
                assert served.token not in place
                cookie = answer.headers["Set-Cookie"]
                assert {"HttpOnly", "Secure", "SameSite=Strict", f"Path={place}"} <= set(cookie.split("; "))
            async with session.get("/") as answer:
                assert answer.status == 403, "the cookie is of its path alone"
            async with session.get(place) as answer:
                page = await answer.text()
                policy = answer.headers["Content-Security-Policy"]
            parts = re.findall(r'(?:src|href)="([\w/]+\.[^"]+)"|url\("([^"]+)"\)', page)
            assert len(parts) == 5
            for part in parts:
                async with session.get(f"{place}{part[0] or part[1]}") as answer:
                    assert answer.status == 200, part
        assert re.findall(r"\w+://[^\"/]+", page) == [served.origin.replace("https", "wss")]
        assert "default-src 'none'" in policy
        assert served.token not in page

    asyncio.run(main())


def test_a_page_elsewhere_gets_nothing_even_with_the_cookie(served: Served) -> None:
    async def main() -> None:
        async with browser(served, inside=True) as session:
            for origin in ("https://evil.example", "null", f"http://127.0.0.1:{served.port}", "https://127.0.0.1:1"):
                assert await opening(session, served, Origin=origin) == 403, origin
            assert await opening(session, served) == 403
            cookie = {"Cookie": f"__Secure-xsync={served.token}"}
            for host in (f"evil.example:{served.port}", f"127.0.0.1.evil.example:{served.port}"):
                async with session.get(f"{served.room}/", headers={"Host": host, **cookie}) as answer:
                    assert answer.status == 403, host
                async with session.get("/", headers={"Host": host}, params={"token": served.token}) as answer:
                    assert answer.status == 403, host
        assert not served.apps()

    asyncio.run(main())


def test_the_app_paints_answers_keys_and_ends_with_its_page(served: Served) -> None:
    async def main() -> None:
        async with browser(served, inside=True) as session:
            sized = f"{served.room}/ws?width=100&height=30"
            async with session.ws_connect(sized, headers={"Origin": served.origin}) as page:
                await read_until(page, b"Where is the data?")
                (app,) = served.apps()
                for each in (app, psutil.Process(served.process.pid)):
                    assert served.token not in " ".join(each.cmdline())
                    assert served.token not in str(each.environ())
                assert "TMUX" not in app.environ()
                await page.send_json(["stdin", "/mnt/from-the-browser"])
                await read_until(page, b"from-the-browser")
            await asyncio.to_thread(psutil.wait_procs, [app], SECONDS)
            assert not app.is_running()

    asyncio.run(main())


def test_pages_beyond_the_limit_are_told_so_and_a_closed_one_makes_room(served: Served) -> None:
    async def main() -> None:
        async with browser(served, inside=True) as session:
            place, headers = f"{served.room}/ws", {"Origin": served.origin}
            pages = [await session.ws_connect(place, headers=headers) for _ in range(SESSIONS)]
            assert await opening(session, served, Origin=served.origin) == 503
            async with session.get(f"{served.room}/") as answer:
                assert answer.status == 503
            await read_until(pages[0], b"Where is the data?")
            await pages[0].send_json(["stdin", "\x03"])
            async with asyncio.timeout(SECONDS):
                while await opening(session, served, Origin=served.origin) == 503:
                    await asyncio.sleep(0.05)

    asyncio.run(main())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_no_app_outlives_the_server_and_no_log_holds_the_token(number: signal.Signals, served: Served) -> None:
    async def main() -> None:
        async with (
            browser(served, inside=True) as session,
            session.ws_connect(f"{served.room}/ws", headers={"Origin": served.origin}) as page,
        ):
            await read_until(page, b"Where is the data?")
            apps = served.apps()
            ended = asyncio.create_task(asyncio.to_thread(served.ends, number))
            async for _ in page:
                pass
            code, said = await ended
        assert code == (-signal.SIGKILL if number is signal.SIGKILL else 0)
        assert said == b""
        assert len(apps) == 1
        assert not psutil.wait_procs(apps, SECONDS)[1]

    asyncio.run(main())


def test_it_listens_on_loopback_alone_and_speaks_only_tls_with_the_certificate_it_named(served: Served) -> None:
    listening = [each.laddr for each in psutil.Process(served.process.pid).net_connections() if each.status == "LISTEN"]
    assert listening == [("127.0.0.1", served.port)]
    shown = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", served.port)))
    assert hashlib.sha256(shown).digest().hex(":").upper() == served.fingerprint

    async def plainly() -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"http://127.0.0.1:{served.port}/")

    asyncio.run(plainly())


def test_a_port_that_is_taken_is_named(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.run(["open", "--serve", "--port", str(served.port)]) == 2
    assert f"port {served.port} of 127.0.0.1" in capsys.readouterr().err


def test_without_the_extra_it_says_how_to_get_it() -> None:
    script = (
        "import sys; sys.modules['textual_serve'] = None\n"
        "from xsync_tui.cli.entry import run; sys.exit(run(['open', '--serve']))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 2
    assert "pip install 'xsync-tui[serve]'" in done.stderr


def test_a_port_without_serve_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.run(["open", "--port", "8443"]) == 2
    assert "--serve" in capsys.readouterr().err

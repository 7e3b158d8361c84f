"""The local fleet with real agent processes: they join, work, die; nothing listens beyond loopback or without TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from engine.execution.agents.fleet import FleetEvent, LocalFleet, Progressed
from engine.execution.coordination.messages import AgentLost, AgentReady, UnitDone
from engine.model import FilterSpec, LocationSpec, TransferOptions
from engine.transfer.units import AgentConfig, ScanUnit, from_ipc
from tests.support import make_source

E = TypeVar("E", bound=FleetEvent)


@pytest.fixture
def config(tmp_path: Path) -> AgentConfig:
    source = make_source(tmp_path / "source", files=50)
    return AgentConfig(
        "test", LocationSpec(str(source)), LocationSpec(str(tmp_path / "target")), FilterSpec(), TransferOptions()
    )


@asynccontextmanager
async def running(config: AgentConfig, folder: Path, *names: str) -> AsyncIterator[LocalFleet]:
    """A fleet with these agents, all of them ready."""
    folder.mkdir(exist_ok=True)
    fleet = LocalFleet(config, folder)
    await fleet.start()
    try:
        for name in names:
            fleet.add(name)
        for _ in names:
            await heard(fleet, AgentReady)
        yield fleet
    finally:
        await fleet.close()


async def heard(fleet: LocalFleet, kind: type[E], condition: Callable[[E], bool] = lambda event: True) -> E:
    """The next event of a kind; others are passed over."""
    async with asyncio.timeout(30):
        while True:
            event = await fleet.events.get()
            if isinstance(event, kind) and condition(event):
                return event


def agent_processes() -> list[psutil.Process]:
    below = psutil.Process().children(recursive=True)
    return [one for one in below if one.name().startswith("xsync agent-")]


def test_agents_do_units_and_report(config: AgentConfig, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(config, tmp_path / "execution", "agent-1", "agent-2") as fleet:
            fleet.send("agent-2", ScanUnit(7, 1, [b""], listing=7, seconds=60.0))
            done = await heard(fleet, UnitDone)
            assert (done.agent, done.outcome.unit_id) == ("agent-2", 7)
            assert from_ipc(done.outcome.table).num_rows > 50
            await heard(fleet, Progressed, lambda event: event.agent == "agent-1")

    asyncio.run(scenario())


def test_a_killed_agent_is_reported_lost_once_it_is_dead(config: AgentConfig, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(config, tmp_path / "execution", "agent-1") as fleet:
            (process,) = agent_processes()
            process.kill()
            lost = await heard(fleet, AgentLost)
            assert (lost.agent, lost.reason) == ("agent-1", "killed by SIGKILL")
            assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
            fleet.add("agent-1")
            await heard(fleet, AgentReady)

    asyncio.run(scenario())


ORPHAN = """
import socket, sys
from engine.execution.agents.forks import _become_agent
_become_agent("xsync agent-1", socket.socketpair()[0], [], server=int(sys.argv[1]))
"""


def test_an_agent_whose_forker_died_before_it_could_be_bound_to_it_does_nothing() -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    orphan = subprocess.run([sys.executable, "-c", ORPHAN, str(dead.pid)], capture_output=True, check=False, timeout=60)
    assert (orphan.returncode, orphan.stderr) == (1, b"")  # had it waited for its orders, it would still wait


def test_agents_go_with_the_process_that_forks_them_and_another_one_forks_the_next(
    config: AgentConfig, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running(config, tmp_path / "execution", "agent-1") as fleet:
            (forker,) = [one for one in psutil.Process().children() if one.name() == "xsync agents" and one.children()]
            forker.kill()
            lost = await heard(fleet, AgentLost)
            assert (lost.agent, lost.reason) == ("agent-1", "killed by SIGKILL")
            fleet.add("agent-1")
            await heard(fleet, AgentReady)

    asyncio.run(scenario())


def test_every_open_port_is_on_loopback_and_speaks_tls_with_a_certificate(config: AgentConfig, tmp_path: Path) -> None:
    async def scenario() -> list[tuple[str, int]]:
        async with running(config, tmp_path / "execution", "agent-1", "agent-2") as fleet:
            fleet.send("agent-1", ScanUnit(1, 1, [b""], listing=1))
            await heard(fleet, UnitDone)
            processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
            ours = [process for process in processes if "weed" not in process.name()]
            found = [
                (connection.laddr.ip, connection.laddr.port)
                for process in ours
                for connection in process.net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            ]
            for address in found:
                await asyncio.to_thread(expect_refusal, address)
            return found

    listening = asyncio.run(scenario())
    assert {ip for ip, _ in listening} == {"127.0.0.1"}
    assert len(listening) == 1


def expect_refusal(address: tuple[str, int]) -> None:
    """Plain text gets no answer, and TLS without the fleet's certificate is turned away."""
    with socket.create_connection(address, timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with suppress(ConnectionResetError):
            assert not plain.recv(4096).startswith(b"HTTP")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        socket.create_connection(address, timeout=10) as raw,
        context.wrap_socket(raw) as stranger,
    ):
        stranger.sendall(b"hello")
        if not stranger.recv(4096):
            raise ConnectionResetError("closed at once")


def test_a_stopped_agent_leaves_without_being_lost(config: AgentConfig, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(config, tmp_path / "execution", "agent-1", "agent-2") as fleet:
            fleet.remove("agent-1")
            fleet.send("agent-2", ScanUnit(3, 1, [b""], listing=3))
            await heard(fleet, UnitDone)
            while not fleet.events.empty():
                assert not isinstance(fleet.events.get_nowait(), AgentLost)

    asyncio.run(scenario())

"""What the network around agents needs: interfaces, addresses, ports, endpoints; what distance and tunnels cost. Pure.

DataSync's facts: its user guide, datasync-network, required-network-interfaces and choose-service-endpoint.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.planning.surroundings import TUNNEL_BYTES_PER_SECOND
from engine.quantities import format_rate

Place = Literal["s3", "efs", "fsx", "nfs", "smb", "hdfs", "object", "file"]
"""Kinds of locations: ``object`` is an object store that is not S3, ``file`` a local file system."""

Endpoint = Literal["PUBLIC", "FIPS", "PRIVATE_LINK", "FIPS_PRIVATE_LINK"]

FAR_SECONDS = 0.010
"""An agent is near its source while the round trip takes single-digit milliseconds."""

_AWS_FILES = ("efs", "fsx")

_TASK = "task's interfaces"


class Opening(msgspec.Struct, frozen=True):
    """A port that has to be open from one to the other, and what for. ``ports``: ``443`` or ``1024-1064``."""

    source: str
    target: str
    ports: str
    protocol: Literal["tcp", "udp", "tcp+udp"]
    why: str


class DataSyncNetwork(msgspec.Struct, frozen=True):
    """What DataSync's tasks need: interfaces (one address each) of a task and of all, open ports, advice."""

    interfaces_per_task: int
    addresses: int
    openings: tuple[Opening, ...]
    advice: tuple[str, ...]


class Network(msgspec.Struct, frozen=True):
    """What xsync's agents need. ``entries_per_second_per_thread``: at most, None where the round trip is not known."""

    openings: tuple[Opening, ...]
    advice: tuple[str, ...]
    entries_per_second_per_thread: float | None = None


def interfaces_per_task(source: Place, destination: Place, endpoint: Endpoint, *, agent: bool) -> int:
    """Network interfaces that DataSync makes for each task, one free address each.

    With an agent 4 where AWS's end is EFS or FSx, and for S3 where the agent uses a VPC endpoint; else none. Without an
    agent 2 for each EFS or FSx location.
    """
    ends = [end for end in (source, destination) if end in _AWS_FILES]
    if not agent:
        return 2 * len(ends)
    private = endpoint in ("PRIVATE_LINK", "FIPS_PRIVATE_LINK")
    return 4 if ends or (private and "s3" in (source, destination)) else 0


def datasync_network(
    source: Place, destination: Place, endpoint: Endpoint = "PUBLIC", *, tasks: int = 1, agent: bool = True
) -> DataSyncNetwork:
    """Interfaces, addresses and ports of ``tasks`` that run at the same time."""
    each = interfaces_per_task(source, destination, endpoint, agent=agent)
    near = [end for end in (source, destination) if end != "s3" and end not in _AWS_FILES]
    openings = [*(opening for end in near for opening in _storage(end, "agent")), *_service(endpoint)] if agent else []
    openings += [opening for end in (source, destination) if end in _AWS_FILES for opening in _storage(end, _TASK)]
    return DataSyncNetwork(each, each * tasks, tuple(openings), tuple(_datasync_advice(endpoint, each, tasks)))


def network(
    source: Place,
    destination: Place,
    *,
    endpoint_port: int = 443,
    round_trip_seconds: float | None = None,
    threads: int | None = None,
    tunnels: int = 0,
    target_bytes_per_second: float | None = None,
) -> Network:
    """What to open for xsync's agents, and what distance from the source and VPN tunnels mean for them.

    ``round_trip_seconds``: between agent and source; ``threads``: that list and open files on one agent.
    """
    openings = [*_storage(source, "agent", endpoint_port), *_storage(destination, "agent", endpoint_port)]
    openings += [_DNS, _NTP]
    advice = [*_distance(round_trip_seconds, threads), *_tunnel(tunnels, target_bytes_per_second)]
    if "s3" in (source, destination):
        advice.append(
            "Inside AWS use a gateway endpoint of S3, which costs nothing and passes no NAT gateway; from outside over "
            "Direct Connect or VPN an interface endpoint (PrivateLink)."
        )
    trips = 1 / round_trip_seconds if round_trip_seconds else None
    return Network(tuple(dict.fromkeys(openings)), tuple(advice), trips)


_DNS = Opening("agent", "name server", "53", "tcp+udp", "DNS")
_NTP = Opening("agent", "time server", "123", "udp", "NTP: requests are signed with the time")

_PORTS: dict[Place, tuple[tuple[str, str], ...]] = {
    "s3": (("443", "S3"),),
    "object": (("443", "object store"),),
    "nfs": (("2049", "NFS"), ("111", "port mapper, NFSv3 alone")),
    "efs": (("2049", "NFS"),),
    "fsx": (("2049", "NFS"), ("111", "port mapper, ONTAP"), ("635", "mount, ONTAP"), ("445", "SMB")),
    "smb": (("445", "SMB"), ("139", "SMB over NetBIOS, if 445 is closed")),
    "hdfs": (("8020", "NameNode"), ("50010", "DataNodes"), ("9600", "key server"), ("88", "Kerberos")),
    "file": (),
}


def _storage(place: Place, agent: str, port: int = 443) -> list[Opening]:
    found = [_opening(agent, place, *each) for each in _PORTS[place]]
    if place in ("s3", "object"):
        return [msgspec.structs.replace(each, ports=str(port)) for each in found]
    return found


def _opening(source: str, place: Place, ports: str, why: str) -> Opening:
    return Opening(source, place, ports, "tcp", why)


def _service(endpoint: Endpoint) -> list[Opening]:
    if endpoint in ("PRIVATE_LINK", "FIPS_PRIVATE_LINK"):
        data = [
            Opening("agent", "VPC endpoint", "1024-1064", "tcp", "control"),
            Opening("agent", _TASK, "443", "tcp", "data"),
        ]
    else:
        data = [Opening("agent", "DataSync", "443", "tcp", "control and data")]
    activation = Opening("browser", "agent", "80", "tcp", "activation, once; closed afterwards")
    return [*data, activation, _DNS, _NTP]


def _datasync_advice(endpoint: Endpoint, each: int, tasks: int) -> list[str]:
    advice = ["The type of endpoint is fixed when an agent is activated; all agents of a location share it."]
    if endpoint in ("PRIVATE_LINK", "FIPS_PRIVATE_LINK"):
        advice.append("All agents of a location also share the endpoint's subnet; its VPC has default tenancy.")
    else:
        advice.append("Over Direct Connect or VPN use PRIVATE_LINK: traffic stays in the VPC and off the internet.")
    if each:
        advice.append(f"The subnet needs {each * tasks} free addresses: {each} for each of {tasks} tasks.")
    return advice


def _distance(round_trip: float | None, threads: int | None) -> list[str]:
    """What each entry costs where it takes a round trip or more: a thread does at most 1 / RTT of them a second."""
    if round_trip is None or round_trip < FAR_SECONDS:
        return []
    each = 1 / round_trip
    all_of_them = f", {each * threads:,.0f} with {threads} threads" if threads else ""
    far = f"The source is {round_trip * 1_000:.0f} ms away: a thread lists or opens at most {each:,.0f} entries/s"
    near = "Put agents next to the source, single-digit milliseconds away, and send from there."
    return [f"{far}{all_of_them}. {near}"]


def _tunnel(tunnels: int, target: float | None) -> list[str]:
    if tunnels < 1:
        return []
    most = tunnels * TUNNEL_BYTES_PER_SECOND
    said = f"{tunnels} VPN {'tunnel carries' if tunnels == 1 else 'tunnels carry'} at most {format_rate(most)}"
    if target is None or target <= most:
        return [f"{said} (1.25 Gbps each)."]
    return [f"{said} of {format_rate(target)}: add tunnels with equal-cost routes, or use Direct Connect."]

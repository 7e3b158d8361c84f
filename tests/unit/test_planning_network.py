"""Interfaces, addresses, ports and endpoints; what distance and tunnels cost."""

from __future__ import annotations

import msgspec
import pytest

from engine.planning.network import DataSyncNetwork, Endpoint, Place, datasync_network, interfaces_per_task, network


@pytest.mark.parametrize(
    ("source", "destination", "endpoint", "agent", "interfaces"),
    [
        ("nfs", "efs", "PUBLIC", True, 4),
        ("smb", "fsx", "FIPS", True, 4),
        ("nfs", "s3", "PUBLIC", True, 0),
        ("nfs", "s3", "PRIVATE_LINK", True, 4),
        ("s3", "nfs", "FIPS_PRIVATE_LINK", True, 4),
        ("s3", "s3", "PUBLIC", False, 0),
        ("s3", "efs", "PUBLIC", False, 2),
        ("efs", "fsx", "PUBLIC", False, 4),
    ],
)
def test_interfaces_of_a_task(
    source: Place, destination: Place, endpoint: Endpoint, agent: bool, interfaces: int
) -> None:
    assert interfaces_per_task(source, destination, endpoint, agent=agent) == interfaces


def test_four_tasks_take_sixteen_addresses() -> None:
    found = datasync_network("nfs", "s3", "PRIVATE_LINK", tasks=4)
    assert (found.interfaces_per_task, found.addresses) == (4, 16)
    assert "The subnet needs 16 free addresses: 4 for each of 4 tasks." in found.advice
    ports = {(each.source, each.target, each.ports) for each in found.openings}
    assert {
        ("agent", "nfs", "2049"),
        ("agent", "VPC endpoint", "1024-1064"),
        ("agent", "task's interfaces", "443"),
        ("browser", "agent", "80"),
    } <= ports
    assert not any(each.target == "s3" for each in found.openings)
    assert msgspec.json.decode(msgspec.json.encode(found), type=DataSyncNetwork) == found


def test_a_public_endpoint_needs_one_port_and_no_address() -> None:
    found = datasync_network("nfs", "s3", tasks=4)
    assert found.addresses == 0
    assert ("DataSync", "443") in {(each.target, each.ports) for each in found.openings}
    assert any("PRIVATE_LINK" in each for each in found.advice)


def test_interfaces_reach_file_systems_in_aws_not_the_agent() -> None:
    found = datasync_network("nfs", "efs")
    assert {each.source for each in found.openings if each.target == "efs"} == {"task's interfaces"}
    assert {each.source for each in datasync_network("efs", "fsx", agent=False).openings} == {"task's interfaces"}


def test_what_agents_of_xsync_open() -> None:
    found = network("nfs", "s3")
    assert {(each.target, each.ports) for each in found.openings} == {
        ("nfs", "2049"),
        ("nfs", "111"),
        ("s3", "443"),
        ("name server", "53"),
        ("time server", "123"),
    }
    own = network("file", "object", endpoint_port=9_000)
    assert ("object", "9000") in {(each.target, each.ports) for each in own.openings}
    assert own.advice == ()


def test_a_source_far_away_costs_a_round_trip_an_entry() -> None:
    far = network("nfs", "object", round_trip_seconds=0.050, threads=64)
    assert far.entries_per_second_per_thread == 20
    assert far.advice[0].startswith(
        "The source is 50 ms away: a thread lists or opens at most 20 entries/s, 1,280 with 64 threads."
    )
    near = network("nfs", "object", round_trip_seconds=0.009)
    assert near.advice == ()
    assert near.entries_per_second_per_thread == pytest.approx(111.1, abs=0.1)


def test_tunnels_carry_so_much_and_no_more() -> None:
    assert network("nfs", "object", tunnels=1).advice == ("1 VPN tunnel carries at most 156 MB/s (1.25 Gbps each).",)
    (short,) = network("nfs", "object", tunnels=2, target_bytes_per_second=2.5e9).advice
    assert short.startswith("2 VPN tunnels carry at most 312 MB/s of 2.50 GB/s: add tunnels")

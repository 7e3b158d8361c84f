"""The story in figures: 48.1 TB in four years of folders, to go over 20 Gbps, and the plan of it."""

from __future__ import annotations

import msgspec

from engine.planning.cost import RunWork, run_cost
from engine.planning.datasync_cost import datasync_cost
from engine.planning.fleet import size_fleet
from engine.planning.hosting import HostRoom
from engine.planning.network import datasync_network, network
from engine.planning.partition import DATASYNC, partition
from engine.planning.plan import Costs, Networks, Parts, Plan, make_plan
from engine.planning.prices import load_prices
from engine.planning.surroundings import Surroundings, default_roofline, limits
from engine.planning.timetable import Timetable
from engine.planning.values import Dataset, Figure, FolderNode, Origin, SizeBin

GBPS = 1e9 / 8
TB = 10**12
STATED = Origin("profile", "network")
YEARS = {b"2022": (3_200_000, 9.8), b"2023": (3_100_000, 11.2), b"2024": (3_000_000, 12.9), b"2025": (3_112_907, 14.2)}


def dataset(times: float = 1.0) -> Dataset:
    """48.1 TB in 12.4 M files, or so many times that: two thirds of them small."""
    files = round(times * sum(count for count, _ in YEARS.values()))
    size = round(times * sum(tb for _, tb in YEARS.values()) * TB)
    small = round(files * 0.67)
    bins = (
        SizeBin(1, 100_000, small, small * 20_000),
        SizeBin(100_000, 10_000_000, files - small - round(60_000 * times), round(0.15 * size)),
        SizeBin(10_000_000, 10_000_000_000, round(60_000 * times), size - small * 20_000 - round(0.15 * size)),
    )
    return Dataset(files, size, round(213_044 * times), round(min(4e9, 4e13 * times)), bins)


def tree(times: float = 1.0) -> list[FolderNode]:
    """The root, four years, and twelve months in each."""
    data = dataset(times)
    nodes = [FolderNode(b"", data.files, data.bytes, 0, 0, data.files + data.others)]
    for year, (files, tb) in YEARS.items():
        files, size = round(files * times), round(tb * TB * times)
        nodes.append(FolderNode(year, files, size, 0, 0, files))
        for month in range(12):
            share = FolderNode(b"%s/%02d" % (year, month + 1), files // 12, size // 12, files // 12, size // 12)
            nodes.append(msgspec.structs.replace(share, entries=files // 12))
    return nodes


def example_plan(
    *,
    level: int | None = 1,
    datasync: bool = False,
    agents: int | None = None,
    timetable: Timetable | None = None,
    times: float = 1.0,
    room: HostRoom | None = None,
) -> Plan:
    """The plan of it, or of so many times it, for a link of 20 Gbps, on which one agent reaches 5; ``room``: here."""
    cap = Figure(5 * GBPS, STATED)
    one = default_roofline("4 vCPU", cap)
    around = Surroundings(target=Figure(20 * GBPS, STATED), datasync="with agent" if datasync else None)
    known = limits(one, around)
    data, prices = dataset(times), load_prices()
    fleet = size_fleet(known, data, 20 * GBPS, agents=agents, room=room)
    cut = partition(
        tree(times), fleet.agents, round(one.knee_bytes), level=level, limits=DATASYNC if datasync else None
    )
    parts = Parts(
        source="file:///mnt/lab",
        destination="s3://lab-archive/images",
        surveyed_at=1.0,
        dataset=data,
        utilisation=0.85,
        fleet=fleet,
        roofline=one,
        limits=known,
        partition=cut,
        cost=Costs(run_cost(RunWork(data), prices), None, (datasync_cost("BASIC", data, prices, tasks=4),)),
        network=Networks(network("nfs", "s3"), datasync_network("nfs", "s3", "PRIVATE_LINK", tasks=4)),
        start_at=1_000_000.0,
        helps=not datasync,
    )
    return make_plan(parts, timetable)

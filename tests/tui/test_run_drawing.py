"""The Run screen as text: every state at 80x20 and 120x36, in Unicode and ASCII."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.journal.records import Command, Estimate
from engine.model import Bytes, Event, Limit, Snapshot, Status, Tally, Totals
from tests.tui.reading import golden
from tests.tui.reading import lines as text
from xsync_tui.drawing.past import Past
from xsync_tui.drawing.rows import Canvas, Role, plain
from xsync_tui.drawing.run import RunView, answer, body, state_words
from xsync_tui.gallery.runs import (
    ASCII,
    CANVAS,
    HOSTILE,
    NOW,
    WIDE,
    agent,
    fleet,
    fresh,
    past,
    run,
    seen,
    tasks,
    view,
)

DONE = Totals(
    Tally(discovered=12_412_907, transferred=12_412_907, verified=12_412_907),
    Tally(discovered=213_044),
    Bytes(source=48_100_000_000_000, transferred=48_100_000_000_000),
    listing_complete=True,
)
SOME_FAILED = Totals(
    Tally(discovered=1_000, transferred=996, failed=4, verified=996), Tally(9), Bytes(2_000_000, 1_990_000), True
)
ENDED: dict[str, Any] = {"ended_at": NOW - 60, "runner_alive": False, "agents": (), "failure_counts": {}, "events": ()}


def _body(snapshot: Snapshot, canvas: Canvas = CANVAS, **more: Any) -> list[str]:
    return text(body(view(snapshot, canvas, **more), canvas), canvas)


def test_four_agents() -> None:
    assert _body(run()) == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ██████▏··· 61 %  listed all
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤  ⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
       │
       │
      0│                        ╌╌
       └02:12             02:27             02:42             02:57        03:12
 4 agents:  4 moving
 1 2022 58 %                   539 MB/s  2 2023 61 %                   539 MB/s
 ⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷  ⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧
 134 files/s  32 open  waits: path       134 files/s  32 open  waits: path
 3 2024 64 %                   539 MB/s  4 2025 67 %                   539 MB/s
 ⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦  ⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷
 134 files/s  32 open  waits: path       134 files/s  32 open  waits: path
 discovered = transferred + skipped + failed + excluded +   pending │  verified
 12,412,907     7,571,203         0        3          0   4,841,701 │ 7,571,203
 ✗ 3 failed: 2 changed while read, 1 unreadable
 03:11:58 agent-2: x.svs changed: sent again
 03:09:42 kim@agent-01 asked to limit: done
""")


def test_four_agents_in_ascii() -> None:
    assert _body(run(), ASCII) == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ######.... 61 %  listed all
    2.5|--- limit 2.50 GB/s (20.0 Gbit/s) --------------------------------------
   GB/s|........................    ............................................
       |||||||||||||||||||||||||    ||||||||||||||||||||||||||||||||||||||||||||
       |||||||||||||||||||||||||    ||||||||||||||||||||||||||||||||||||||||||||
      0|||||||||||||||||||||||||????||||||||||||||||||||||||||||||||||||||||||||
       +02:12             02:27             02:42             02:57        03:12
 4 agents:  4 moving
 1 2022 58 %                   539 MB/s  2 2023 61 %                   539 MB/s
 :||:|:|:||:|:|:||:|:|:||:|:|:||:|:|:||  ::|:|:|::|:|:|::|:|:|::|:|:|::|:|:|::|
 134 files/s  32 open  waits: path       134 files/s  32 open  waits: path
 3 2024 64 %                   539 MB/s  4 2025 67 %                   539 MB/s
 .:|:|::.:|:|::.:|:|::.:|:|::.:|:|::.:|  :||:|:|:||:|:|:||:|:|:||:|:|:||:|:|:||
 134 files/s  32 open  waits: path       134 files/s  32 open  waits: path
 discovered = transferred + skipped + failed + excluded +   pending |  verified
 12,412,907     7,571,203         0        3          0   4,841,701 | 7,571,203
 x 3 failed: 2 changed while read, 1 unreadable
 03:11:58 agent-2: x.svs changed: sent again
 03:09:42 kim@agent-01 asked to limit: done
""")


def test_sixteen_agents_of_which_two_need_a_look() -> None:
    assert _body(run(agents=fleet(16, a7="stalled", a12="lost"), tasks=tasks(4))) == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ██████▏··· 61 %  listed all
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒  ⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒
      0│                        ╌╌
       └02:12             02:27             02:42             02:57        03:12
 16 agents:  14 moving  ✗ 1 LOST  ! 1 STALLED
 1 2022    539 MB/s  2 2023    539 MB/s  3 2024    539 MB/s  4 2025    539 MB/s
 ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾  ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  ⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴  ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾
 5         539 MB/s  6         539 MB/s  !7   STALLED 2 min  8         539 MB/s
 ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  ⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴  ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣇⣀⣀  ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾
 9         539 MB/s  10        539 MB/s  11        539 MB/s  ✗12     LOST 03:02
 ⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴  ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾  ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  ⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴╌╌
 13        539 MB/s  14        539 MB/s  15        539 MB/s  16        539 MB/s
 ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾  ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  ⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴  ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾
 discovered = transferred + skipped + failed + excluded +   pending │  verified
 12,412,907     7,571,203         0        3          0   4,841,701 │ 7,571,203
 ✗ 3 failed: 2 changed while read, 1 unreadable
 03:11:58 agent-2: x.svs changed: sent again
 03:09:42 kim@agent-01 asked to limit: done
""")


def test_sixteen_agents_on_a_wide_screen() -> None:
    assert _body(run(agents=fleet(16, a7="stalled", a12="lost"), tasks=tasks(4)), WIDE) == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ████████████▎······· 61 %  listed all
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│
       │
       │     ⢀  ⢀        ⡀       ⢀  ⢀                ⢀  ⢀        ⡀       ⢀  ⢀        ⡀       ⢀  ⢀        ⡀       ⢀  ⢀
       │⠊⠉⠉⠊⠉⠁⠋⠉⠁⠉⠉⠑⠉⠉⠑⠉⠉⠈⠉⠉⠊⠉⠉⠊⠉⠁⠋⠉⠁⠉⠉⠑⠉⠉⠑⠉⠉  ⠉⠊⠉⠉⠊⠉⠁⠋⠉⠁⠉⠉⠑⠉⠉⠑⠉⠉⠈⠉⠉⠊⠉⠉⠊⠉⠁⠋⠉⠁⠉⠉⠑⠉⠉⠑⠉⠉⠈⠉⠉⠊⠉⠉⠊⠉⠁⠋⠉⠁⠉⠉⠑⠉⠉⠑⠉⠉⠈⠉⠉⠊⠉⠉⠊⠉⠁⠋⠉⠁⠉⠉⠑
       │
       │
       │
       │
       │
       │
       │
       │
       │
       │
       │
       │
       │
       │
       │
      0│                                     ╌╌
       └02:08                       02:24                       02:40                       02:56                  03:12
 16 agents:  14 moving  ✗ 1 LOST  ! 1 STALLED
 1 2022    539 MB/s  2 2023    539 MB/s  3 2024    539 MB/s  4 2025    539 MB/s  5         539 MB/s  6         539 MB/s
 ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾  ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  ⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴  ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾  ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  ⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴
 !7   STALLED 2 min  8         539 MB/s  9         539 MB/s  10        539 MB/s  11        539 MB/s  ✗12     LOST 03:02
 ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣇⣀⣀  ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  ⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴  ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾  ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  ⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴╌╌
 13        539 MB/s  14        539 MB/s  15        539 MB/s  16        539 MB/s
 ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾  ⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  ⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴  ⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾
 discovered = transferred + skipped + failed + excluded +   pending │  verified
 12,412,907     7,571,203         0        3          0   4,841,701 │ 7,571,203
 ✗ 3 failed: 2 changed while read, 1 unreadable
 03:11:58 agent-2: x.svs changed: sent again
 03:09:42 kim@agent-01 asked to limit: done
""")


def test_sixty_four_agents() -> None:
    assert _body(
        run(agents=fleet(64, a7="stalled", a12="lost"), tasks=tasks(4), failure_counts={}, totals=DONE)
    ) == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 48.1 TB of 48.1 TB  █████████▉ 99 %  listed all
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤  ⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
       │
       │
      0│                        ╌╌
       └02:12             02:27             02:42             02:57        03:12
 64 agents:  62 moving  ✗ 1 LOST  ! 1 STALLED
   1 █ █ █ █ █ █ ! █ █ █ █ ✗ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █
  33 █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █
   agent task               rate  last 20 min           state
 ✗    12 -                 0 B/s  ⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⣦⣾⣴⣴⣴⣧⣦⡆╌╌  LOST 03:02
 !     7 -                 0 B/s  ⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣇⣀⣀  STALLED 2 min
       1 2022           539 MB/s  ⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾⣾⣴⣷⣷⣧⣾⣾  moving, waits: path
       2 2023           539 MB/s  ⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾⣴⣴⣷⣧⣦⣾⣾  moving, waits: path
 discovered = transferred + skipped + failed + excluded + pending │   verified
 12,412,907    12,412,907         0        0          0         0 │ 12,412,907
 03:11:58 agent-2: x.svs changed: sent again
 03:09:42 kim@agent-01 asked to limit: done
""")


def test_sixty_four_agents_in_ascii() -> None:
    assert _body(run(agents=fleet(64, a7="stalled", a12="lost"), tasks=tasks(4)), ASCII) == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ######.... 61 %  listed all
    2.5|--- limit 2.50 GB/s (20.0 Gbit/s) --------------------------------------
   GB/s|::::::::::::::::::::::::    ::::::::::::::::::::::::::::::::::::::::::::
       |||||||||||||||||||||||||    ||||||||||||||||||||||||||||||||||||||||||||
      0|||||||||||||||||||||||||????||||||||||||||||||||||||||||||||||||||||||||
       +02:12             02:27             02:42             02:57        03:12
 64 agents:  62 moving  x 1 LOST  ! 1 STALLED
   1 # # # # # # ! # # # # x # # # # # # # # # # # # # # # # # # # #
  33 # # # # # # # # # # # # # # # # # # # # # # # # # # # # # # # #
   agent task               rate  last 20 min           state
 x    12 -                 0 B/s  .:|:|::.:|:|::.:|??   LOST 03:02
 !     7 -                 0 B/s  :||:|:|:||:|:|:||___  STALLED 2 min
       1 2022           539 MB/s  :||:|:|:||:|:|:||:|:  moving, waits: path
       2 2023           539 MB/s  ::|:|:|::|:|:|::|:|:  moving, waits: path
 discovered = transferred + skipped + failed + excluded +   pending |  verified
 12,412,907     7,571,203         0        3          0   4,841,701 | 7,571,203
 x 3 failed: 2 changed while read, 1 unreadable
 03:11:58 agent-2: x.svs changed: sent again
 03:09:42 kim@agent-01 asked to limit: done
""")


def test_tasks_in_place_of_agents() -> None:
    assert _body(run(tasks=tasks(6)), pane="tasks") == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ██████▏··· 61 %  listed all
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤  ⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
       │
       │
      0│                        ╌╌
       └02:12             02:27             02:42             02:57        03:12
 task                   done  files left  bytes left   failed  agent
 2022                   58 %          50       420 B        0  agent-1
 2023                   61 %          50       390 B        0  agent-2
 2024                   64 %          50       360 B        0  agent-3
 2025                   67 %          50       330 B        0  agent-4
 2026                   70 %          50       300 B        0  agent-5
 2027                   73 %          50       270 B        0  agent-6
 discovered = transferred + skipped + failed + excluded +   pending │  verified
 12,412,907     7,571,203         0        3          0   4,841,701 │ 7,571,203
 ✗ 3 failed: 2 changed while read, 1 unreadable
 03:11:58 agent-2: x.svs changed: sent again
 03:09:42 kim@agent-01 asked to limit: done
""")


def test_zoomed_to_what_happened() -> None:
    assert _body(run(), zoomed="events") == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ██████▏··· 61 %  listed all
 What happened, newest first
 03:11:58 agent-2: x.svs changed: sent again
 03:09:42 kim@agent-01 asked to limit: done
""")


def test_starting() -> None:
    assert _body(fresh(status=Status.LAUNCHING), values=[]) == golden("""
 Starting agents.
 0 B/s  0 files/s  copied 0 B of at least 0 B  0 folders so far
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│
       │
       │
       │
       │
       │
       │
       │
       │
       │
       │
       │
       │
      0│
       └03:12:03          03:12:39          03:13:15          03:13:51  03:14:27
 discovered = transferred + skipped + failed + excluded + pending │ verified
          0             0         0        0          0         0 │        0
""")


def test_listing_tells_the_least_there_is_and_no_share() -> None:
    totals = Totals(
        Tally(discovered=3_100_000, transferred=12_000), Tally(40_512), Bytes(9 * 10**12, 10**11, 8 * 10**12)
    )
    rows = _body(fresh(status=Status.PREPARING, totals=totals, agents=fleet(2)))
    assert rows[:2] == golden("""
 Listing the source; the first files follow within seconds.
 0 B/s  0 files/s  copied 100 GB of at least 9.00 TB  40.5 k folders so far
""")


def test_an_incremental_run_counts_what_it_checked() -> None:
    totals = Totals(Tally(3_100_000, 12_000, skipped=2_900_000), Tally(40_512), Bytes(9 * 10**12, 2 * 10**10, 10**11))
    assert _body(fresh(totals=totals))[:2] == golden("""
 No estimate yet: the listing goes on.
 0 B/s  0 files/s  checked 2.91 M of at least 3.10 M files  copied 20.0 GB
""")


def test_paused_says_since_when_by_whom_and_how_to_go_on() -> None:
    paused = run(
        status=Status.PAUSED, bytes_per_second=0.0, events=(Event(NOW - 60, "pause", "kim@a1 asked to pause: done"),)
    )
    assert _body(paused)[0] == " Paused since 03:11:07 by kim@a1: nothing is sent. P goes on."
    assert state_words(view(paused, CANVAS), CANVAS) == ("PAUSED", "live", Role.MUTED)
    forgotten = msgspec.structs.replace(paused, events=())
    assert _body(forgotten)[0] == " Paused: nothing is sent. P goes on."


def test_what_was_asked_and_is_not_acknowledged_stands_in_the_title_and_first_among_the_events() -> None:
    asked = (Command(7, NOW - 3, "kim@agent-01", "pause", {}),)
    assert state_words(view(run(), CANVAS, asked=asked), CANVAS) == ("PAUSING asked 03:12:04 by kim", "", Role.LOOK)
    assert " 03:12:04 pause asked by kim@agent-01: not acknowledged yet" in _body(run(), asked=asked)
    limit = (Command(8, NOW - 3, "kim@agent-01", "limit", {}),)
    assert state_words(view(run(), CANVAS, asked=limit), CANVAS)[:2] == ("TRANSFERRING", "live")


def _foretold(before: tuple[float, float], snapshot: Snapshot) -> list[str]:
    low, high = before
    said = [Estimate(NOW - 600, NOW - 600 + low, NOW - 600 + high, 2.0e9)]
    return text(answer(view(snapshot, CANVAS, past=Past(estimates=said)), CANVAS), CANVAS)


def test_an_estimate_that_left_what_was_said_says_so_with_the_reason() -> None:
    later = _foretold((3_600, 4_200), run(agents=fleet(4, a2="stalled")))
    assert later[1] == " ! moved later by 1 h 46 since 03:02: agent-2 stalled"
    assert _foretold((3_600, 4_200), run(events=()))[1] == (
        " ! moved later by 1 h 46 since 03:02: the rate went from 2.00 GB/s to 2.17 GB/s"
    )
    limited = run(events=(Event(NOW - 30, "limit", "kim@agent-01 asked to limit: done"),))
    assert _foretold((3_600, 4_200), limited)[1].endswith("since 03:02: kim@agent-01 asked to limit: done")


def test_a_run_that_may_not_be_over_when_the_next_one_is_due_says_what_becomes_of_it() -> None:
    six, four = NOW + 10_073, NOW + 3_600
    (row,) = text(answer(view(run(), WIDE, past=Past(due=six)), WIDE), WIDE)
    assert row.endswith(" ! may still run at 06:00: the next one, due then, is skipped")
    said = text(answer(view(run(), CANVAS, past=Past(due=four)), CANVAS), CANVAS)
    assert said[1] == " ! still runs at 04:12: the next one, due then, is skipped"
    assert len(text(answer(view(run(), CANVAS, past=Past(due=NOW + 90_000)), CANVAS), CANVAS)[0]) < 42
    both = text(answer(view(run(), CANVAS, past=Past(window_ends=four, due=four)), CANVAS), CANVAS)
    assert both[1].startswith(" ! passes the window")


def test_the_end_may_pass_the_window_or_passes_it() -> None:
    six = NOW + 10_073  # 06:00
    (row,) = text(answer(view(run(), CANVAS, past=Past(window_ends=six)), CANVAS), CANVAS)
    assert row == " Done 05:35 - 06:10, in 2 h 23 - 2 h 58. ! may pass the window (06:00) by 10 min"
    said = text(answer(view(run(), CANVAS, past=Past(window_ends=NOW + 3_600)), CANVAS), CANVAS)
    assert said[1] == " ! passes the window (04:12) by 1 h 23 - 1 h 58"
    assert len(text(answer(view(run(), CANVAS, past=Past(window_ends=NOW + 90_000)), CANVAS), CANVAS)[0]) < 42
    paused = run(status=Status.PAUSED)
    assert "window" not in text(answer(view(paused, CANVAS, past=Past(window_ends=six)), CANVAS), CANVAS)[0]


def _limited(canvas: Canvas) -> RunView:
    """Someone lowered the limit for a while; the timetable lowers it at six."""
    snapshot = run(limit_until=NOW + 10_073)
    count = view(snapshot, canvas).window.buckets
    limits = [2.5e9] * (count // 2) + [1e9] * (count // 4)
    rates = [2.2e9] * (count // 2) + [0.9e9] * (count // 4)
    whole = [2.5e9] * (count - len(limits))
    known = past(snapshot, canvas, limits=[*limits, *whole], then=Limit(2.5e8))
    return view(snapshot, canvas, [*rates, *([2.17e9] * len(whole))], past=known)


def test_the_limits_past_and_what_it_will_be() -> None:
    assert text(body(_limited(CANVAS), CANVAS), CANVAS)[:9] == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58. ! may pass the window (06:00) by 10 min
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ██████▏··· 61 %  listed all
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) until 06:00, then 250 MB/s ┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⡀                 ⡤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
       │                                    ⡇                 ⡇
       │                                    ⠧⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠃
      0│
       └02:12             02:27             02:42             02:57        03:12
 4 agents:  4 moving
""")


def test_before_the_runner_has_set_a_limit_it_is_the_one_that_was_agreed_on() -> None:
    starting = run(status=Status.LAUNCHING, limit_bytes_per_second=None)
    count = view(starting, CANVAS).window.buckets
    known = past(starting, CANVAS, limits=[1.2e7] * count)
    drawn = body(view(starting, CANVAS, [None] * count, past=known), CANVAS)
    assert "limit 12.0 MB/s (96.0 Mbit/s)" in "\n".join(text(drawn, CANVAS))
    assert "now none" not in "\n".join(text(drawn, CANVAS))


def test_the_limits_past_in_ascii() -> None:
    assert text(body(_limited(ASCII), ASCII), ASCII)[:9] == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58. ! may pass the window (06:00) by 10 min
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ######.... 61 %  listed all
    2.5|--- limit 2.50 GB/s (20.0 Gbit/s) until 06:00, then 250 MB/s -----------
   GB/s|::::::::::::::::::::::::::::::::::::                  ..................
       |||||||||||||||||||||||||||||||||||||                  ||||||||||||||||||
       |||||||||||||||||||||||||||||||||||||..................||||||||||||||||||
      0|||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||
       +02:12             02:27             02:42             02:57        03:12
 4 agents:  4 moving
""")


def test_the_limits_past_on_a_wide_screen() -> None:
    wide = WIDE._replace(height=24)
    assert text(body(_limited(wide), wide), wide)[:12] == golden("""
 Done 05:35 - 06:10, in 2 h 23 - 2 h 58.  ! may pass the window (06:00) by 10 min
 2.17 GB/s  540 files/s  copied 29.4 TB of 48.1 TB  ████████████▎······· 61 %  listed all
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) until 06:00, then 250 MB/s                        ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│
       │⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⡆                           ⡏⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
       │                                                        ⡇                           ⡇
       │                                                        ⡇                           ⡇
       │                                                        ⡇┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄⡇
       │                                                        ⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
       │
      0│
       └02:08                       02:24                       02:40                       02:56                  03:12
""")


def test_an_estimate_that_stands_says_nothing() -> None:
    assert len(_foretold((9_000, 11_400), run())) == 1


def test_bits_where_they_are_wanted() -> None:
    rows = _body(run(), CANVAS._replace(bits=True))
    assert rows[1].startswith(" 17.4 Gbit/s")
    assert "4.31 Gbit/s" in "\n".join(rows)


def test_hostile_text_shows_as_escapes_on_every_pane() -> None:
    events = (Event(NOW - 9, "warning", HOSTILE), Event(NOW - 8, "pause", HOSTILE + " asked to pause"))
    hostile = run(
        profile=HOSTILE,
        message=HOSTILE,
        host=HOSTILE,
        agents=(
            agent(1, path=HOSTILE),
            agent(2, "stalled", path=HOSTILE),
            msgspec.structs.replace(agent(3), name=HOSTILE),
        ),
        tasks=tuple(msgspec.structs.replace(each, name=HOSTILE, agent=HOSTILE) for each in tasks(3)),
        failure_counts={HOSTILE: 3},
        events=events,
    )
    asked = (Command(1, NOW, HOSTILE, "pause", {}),)
    gone = msgspec.structs.replace(hostile, heartbeat_at=NOW - 300, runner_alive=False)
    paused = msgspec.structs.replace(hostile, status=Status.PAUSED)
    for canvas in (CANVAS, ASCII):
        for snapshot in (hostile, gone, paused):
            drawn = [
                text(body(view(snapshot, canvas, pane=pane, asked=asked), canvas), canvas)
                for pane in ("agents", "tasks")
            ]
            everything = "\n".join(
                [*drawn[0], *drawn[1], *state_words(view(snapshot, canvas, asked=asked), canvas)[:2]]
            )
            assert "\\x1b" in everything
            assert not set(everything) & set("\x1b\x07\u202e\udcff")


@given(
    st.sampled_from(Status),
    st.integers(0, 64),
    st.integers(0, 10**15),
    st.integers(80, 200),
    st.integers(17, 60),
    st.booleans(),
    st.sampled_from(["agents", "tasks"]),
)
def test_no_row_is_wider_and_no_body_higher_than_its_canvas(
    status: Status, agents: int, count: int, cells: int, height: int, unicode: bool, pane: str
) -> None:
    totals = Totals(Tally(count, count // 2, failed=count % 5), Tally(count), Bytes(count * 1000, 0, count), True)
    snapshot = run(status=status, agents=fleet(agents, a1="lost"), totals=totals, tasks=tasks(agents % 7))
    canvas = Canvas(cells, height, unicode, zone=CANVAS.zone)
    rows = body(view(snapshot, canvas)._replace(seen=seen(snapshot, 10), pane=pane), canvas)  # type: ignore[arg-type]
    assert text(rows, canvas)
    assert "discovered" in "\n".join(plain(rows))


def test_agents_of_a_paused_run_are_paused_not_stalled() -> None:
    rows = "\n".join(_body(run(status=Status.PAUSED, agents=fleet(4, a1="stalled", a2="lost"))))
    assert "STALLED" not in rows
    assert "1 paused  2 moving  ✗ 1 LOST" in rows

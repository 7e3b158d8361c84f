"""The throughput graph: buckets fixed by the clock, the ceiling and its words, gaps, zeros, in Unicode and ASCII."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.reading import golden
from tests.tui.reading import lines as text
from xsync_tui.drawing.graph import Ceiling, Window, ceiling, graph, spark, window
from xsync_tui.drawing.rows import Canvas, plain
from xsync_tui.gallery.runs import ASCII, CANVAS, NOW, WIDE

SMALL, SMALL_ASCII, WIDER = CANVAS._replace(height=6), ASCII._replace(height=6), WIDE._replace(height=8)
LIMITED = Ceiling(2.5e9, "limit 2.50 GB/s (20.0 Gbit/s) until 08:00")


def _drawn(
    values: Sequence[float | None], canvas: Canvas, top: Ceiling = LIMITED, started: float = 20_000
) -> list[str]:
    shown = window(NOW - started, NOW, 3_600.0, canvas)
    return text(graph(values, shown, top, NOW, canvas), canvas)


def _hour(canvas: Canvas) -> list[float | None]:
    """A steady rate with a hole, a time at zero and a slow end."""
    count = window(NOW - 20_000, NOW, 3_600.0, canvas).buckets
    values: list[float | None] = [2.1e9 + 3e7 * (index * 5 % 11) for index in range(count)]
    for part, value in ((0.25, None), (0.5, 0.0), (0.9, 0.4e9)):
        values[int(count * part) : int(count * (part + 0.06))] = [value] * int(count * 0.06)
    return values


def test_an_hour_in_unicode() -> None:
    assert _drawn(_hour(SMALL), SMALL) == golden("""
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) until 08:00 ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠔⠢⠢⠢⠢⠢⠒⠔⠔⠔⠔⠔⠢⠢⠢⠢⠢⠒    ⠔⠢⠢⠢⠢⠢⠒⠔⠔⠔⠔⠔⠢⠢⡀   ⡔⠔⠔⠔⠔⠢⠢⠢⠢⠢⠒⠔⠔⠔⠔⠔⠢⠢⠢⠢⠢⠒⠔⠔⢄   ⢰⠔⠔⠄
       │                                    ⡇   ⡇                       ⢸   ⢸
       │                                    ⡇   ⡇                       ⢸   ⢸
      0│                  ╌╌╌╌              ⣇⣀⣀⣀⠇                       ⠘⠒⠒⠒⠊
       └02:12             02:27             02:42             02:57        03:12
""")


def test_an_hour_in_ascii() -> None:
    assert _drawn(_hour(SMALL_ASCII), SMALL_ASCII) == golden("""
    2.5|--- limit 2.50 GB/s (20.0 Gbit/s) until 08:00 --------------------------
   GB/s|.:|::::.:.:.:|::::    .:|::::.:.:.:|    .:.:.:|::::.:.:.:|::::.:    :::
       |||||||||||||||||||    ||||||||||||||    ||||||||||||||||||||||||    |||
       |||||||||||||||||||    ||||||||||||||    ||||||||||||||||||||||||    |||
      0|||||||||||||||||||????||||||||||||||____||||||||||||||||||||||||::::|||
       +02:12             02:27             02:42             02:57        03:12
""")


def test_an_hour_on_a_wide_screen() -> None:
    assert _drawn(_hour(WIDER), WIDER) == golden("""
    2.5│┄┄┄ limit 2.50 GB/s (20.0 Gbit/s) until 08:00 ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⢠⢢⢦⢦⢄⢄⡔⡴⡴⡤⡠⣠⢢⢦⢦⢄⢄⡔⡴⡴⡤⡠⣠⢢⢦⢦⢄⢄      ⢀⢦⢦⢄⢄⡔⡴⡴⡤⡠⣠⢢⢦⢦⢄⢄⡔⡴⡴⡤⡠⣠⡀     ⢰⡴⡤⡠⣠⢢⢦⢦⢄⢄⡔⡴⡴⡤⡠⣠⢢⢦⢦⢄⢄⡔⡴⡴⡤⡠⣠⢢⢦⢦⢄⢄⡔⡴⡴⡤⡠⣠⢢      ⣦⢄⢄⡔⡄
       │⠁    ⠈     ⠁    ⠈     ⠁    ⠈          ⠈     ⠁    ⠈     ⠁⡇     ⢸   ⠁    ⠈     ⠁    ⠈     ⠁    ⠈     ⠁⢸      ⡇ ⠈
       │                                                        ⡇     ⢸                                     ⢸      ⡇
       │                                                        ⡇     ⢸                                     ⢸      ⡇
       │                                                        ⡇     ⢸                                     ⢸⣀⣀⣀⣀⣀⣀⠇
      0│                            ╌╌╌╌╌╌╌                     ⣇⣀⣀⣀⣀⣀⡸
       └02:08                       02:24                       02:40                       02:56                  03:12
""")


def test_a_run_of_a_minute_fills_the_graph_from_the_left() -> None:
    assert _drawn(
        [1e6 * (number + 40) for number in range(62)], SMALL, Ceiling(1.1e8, "best seen 110 MB/s"), started=61
    ) == golden("""
    110│┄┄┄ best seen 110 MB/s ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   MB/s│                      ⢀⣀⣀⣀⠤⠤⠤⠔⠒
       │       ⢀⣀⣀⣀⡠⠤⠤⠤⠒⠒⠒⠒⠉⠉⠉⠁
       │⠔⠒⠒⠒⠉⠉⠉⠁
      0│
       └03:11:06          03:11:42          03:12:18          03:12:54  03:13:30
""")


def test_a_run_of_seconds_that_is_over_fills_the_graph_and_begins_on_the_ground() -> None:
    shown = window(NOW - 15, NOW, 3_600.0, SMALL, over=True)
    values = [1e8 if number >= 8 and number % 5 == 3 else None for number in range(144)]
    drawn = plain(graph(values, shown, Ceiling(1e8, "best seen 100 MB/s"), NOW, SMALL))
    assert [line.rstrip() for line in drawn] == golden("""
    100│┄┄┄ best seen 100 MB/s ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   MB/s│    ⡏⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
       │    ⡇
       │    ⡇
      0│⣀⣀⣀⣀⠇
       └03:11:52          03:11:55          03:11:59          03:12:03  03:12:07
""")


def test_nothing_yet() -> None:
    assert _drawn([], SMALL, ceiling([], None, "", SMALL), started=1) == golden("""
       │┄┄┄ nothing moved yet ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
       │
       │
       │
      0│
       └03:12:06          03:12:42          03:13:18          03:13:54  03:14:30
""")


def test_a_limit_below_the_best_seen_is_marked_where_it_lies() -> None:
    assert _drawn(
        [2e9] * 70 + [1e9] * 74, SMALL, ceiling([2e9], 1e9, "limit 1.00 GB/s (8.00 Gbit/s)", SMALL, [1e9] * 144)
    ) == golden("""
      2│┄┄┄ best seen 2.00 GB/s, limit 1.00 GB/s (8.00 Gbit/s) ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⡆
       │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄⣇⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀
       │
      0│
       └02:12             02:27             02:42             02:57        03:12
""")


def test_bits_stand_at_the_axis_where_bits_are_wanted() -> None:
    rows = _drawn(_hour(SMALL), SMALL._replace(bits=True))
    assert rows[0].startswith("     20│")
    assert rows[1].startswith(" Gbit/s│")


def test_only_the_newest_cell_changes_while_its_bucket_lasts() -> None:
    shown = window(NOW - 20_000, NOW, 3_600.0, SMALL)
    values = _hour(SMALL)
    later = [*values[:-1], 1.0e9]
    assert window(NOW - 20_000, NOW + 5, 3_600.0, SMALL) == shown
    first, second = (plain(graph(each, shown, LIMITED, NOW, SMALL)) for each in (values, later))
    changed = [
        column
        for above, below in zip(first, second, strict=True)
        for column in range(80)
        if above[column] != below[column]
    ]
    assert changed
    assert set(changed) == {79}


def test_windows_are_fixed_by_the_clock_and_move_by_whole_buckets() -> None:
    first = window(NOW - 20_000, NOW, 3_600.0, CANVAS)
    assert first == Window(NOW // 25 * 25 - 143 * 25, 25.0, 144)
    assert window(NOW - 20_000, NOW + 25, 3_600.0, CANVAS).start == first.start + 25
    assert window(NOW - 90_000, NOW, None, CANVAS).step == 900.0
    assert window(NOW - 30, NOW, 3_600.0, CANVAS) == Window(NOW - 30, 1.0, 144)
    assert window(NOW - 30, NOW, 3_600.0, CANVAS, over=True) == Window(NOW - 30, 30 / 144, 144)
    assert window(NOW - 90_000, NOW, 3_600.0, CANVAS, over=True) == window(NOW - 90_000, NOW, 3_600.0, CANVAS)


def test_a_hole_shorter_than_a_runners_haste_is_closed_and_a_longer_one_is_not() -> None:
    shown = window(NOW - 61, NOW, 3_600.0, SMALL)
    holes: list[float | None] = [1e6, 1e6, None, 1e6, 1e6, *[None] * 8, *[1e6] * 49]
    ground = plain(graph(holes, shown, Ceiling(1e6, ""), NOW, SMALL))[4]
    assert ground.rstrip() == "      0│   ╌╌╌╌"


def test_the_ceiling_is_the_limit_unless_more_was_seen() -> None:
    assert ceiling([], None, None, CANVAS, moved=True) == Ceiling(0.0, "too short to draw a rate")
    assert ceiling([0.0], None, "", CANVAS, moved=True) == Ceiling(0.0, "")
    assert ceiling([None], None, "", CANVAS) == Ceiling(0.0, "nothing moved yet")
    assert ceiling([0.0], None, None, CANVAS) == Ceiling(0.0, "no byte was sent")
    assert ceiling([1e9, None], 2.5e9, "limit", CANVAS) == Ceiling(2.5e9, "limit")
    assert ceiling([2.52e9], 2.5e9, "limit", CANVAS) == Ceiling(2.5e9, "limit")
    assert ceiling([3e9], 2.5e9, "limit", CANVAS, [2.5e9]) == Ceiling(3e9, "best seen 3.00 GB/s, limit", [2.5e9])
    assert ceiling([3e9], None, "", CANVAS) == Ceiling(3e9, "best seen 3.00 GB/s")


def test_a_limit_that_changed_is_a_ceiling_that_steps() -> None:
    limits = [*[2.5e9] * 60, *[1e9] * 40, *[None] * 44]
    rates = [2.4e9] * 60 + [0.9e9] * 40 + [2.2e9] * 44
    top = ceiling(rates, 2.5e9, "limit 2.50 GB/s", SMALL, [*limits[:100], *[2.5e9] * 44])
    assert _drawn(rates, SMALL, top) == golden("""
    2.5│┄┄┄ limit 2.50 GB/s ┄┄┄┄┄┄┄┄┄┄                    ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
   GB/s│⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⡄                   ⡤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
       │                              ⡇                   ⡇
       │                              ⠧⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠃
      0│
       └02:12             02:27             02:42             02:57        03:12
""")
    top = ceiling(rates[::2], None, "", SMALL_ASCII, limits[::2])
    assert _drawn(rates[::2], SMALL_ASCII, top) == golden("""
    2.5|--- limit was 2.50 GB/s, now none
   GB/s|||||||||||||||||||||||||||||||                    ::::::::::::::::::::::
       |||||||||||||||||||||||||||||||                    ||||||||||||||||||||||
       |||||||||||||||||||||||||||||||....................||||||||||||||||||||||
      0|||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||
       +02:12             02:27             02:42             02:57        03:12
""")


def test_the_ceiling_says_what_was_and_what_is() -> None:
    assert ceiling([1e9], 1e9, "limit 1.00 GB/s until 08:00", CANVAS, [2e9, 1e9]).words == (
        "limit was 2.00 GB/s, now 1.00 GB/s until 08:00"
    )
    assert ceiling([1e9], None, "", CANVAS, [2e9, None]).words == "limit was 2.00 GB/s, now none"
    assert ceiling([1e9], None, None, CANVAS, [2e9, None]).words == "limit was 2.00 GB/s"


SPARKED = Window(NOW, 5.0, 20)


@pytest.mark.parametrize(("canvas", "drawn"), [(CANVAS, " ⢀⣠⣤⣴⣶⣿⣿  "), (ASCII, ":::::|||||")])
def test_a_spark_fills_from_the_left_and_is_blank_before_the_first_and_behind_the_newest(
    canvas: Canvas, drawn: str
) -> None:
    values = [None, None, None, *(float(number) for number in range(2, 15))]
    found = spark(values, SPARKED, 14.0, NOW + 80, 10, canvas)
    assert "".join(piece.text for piece in found) == drawn


@pytest.mark.parametrize(("canvas", "drawn"), [(CANVAS, "⣿╌⣿⡇ "), (ASCII, "??|||")])
def test_a_spark_shows_where_an_agent_was_not_and_waits_for_the_newest_value(canvas: Canvas, drawn: str) -> None:
    values = [1.0, 1.0, None, None, 1.0, 1.0, 1.0, None]
    found = spark(values, SPARKED, 1.0, NOW + 36, 5, canvas)
    assert "".join(piece.text for piece in found) == drawn
    gone = spark([*values[:6], *[None] * 4], SPARKED, 1.0, NOW + 49, 5, canvas)
    assert "".join(piece.text for piece in gone).rstrip()[-1] in "╌?"


@given(
    st.lists(st.none() | st.floats(0, 1e15), max_size=300),
    st.integers(20, 200),
    st.integers(3, 20),
    st.booleans(),
    st.floats(1, 1e8),
    st.sampled_from([900.0, 3_600.0, 21_600.0, None]),
)
def test_no_row_is_wider_and_no_graph_higher_than_its_canvas(
    values: list[float | None], cells: int, height: int, unicode: bool, age: float, span: float | None
) -> None:
    canvas = Canvas(cells, height, unicode, zone=CANVAS.zone)
    shown = window(NOW - age, NOW, span, canvas)
    assert shown.start <= NOW < shown.end
    assert len(text(graph(values, shown, ceiling(values, None, "", canvas), NOW, canvas), canvas)) == height

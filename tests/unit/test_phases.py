"""How long the parts of a run took."""

from __future__ import annotations

from engine.execution.phases import DELETIONS, FOLDERS, LISTING, Phases


def test_parts_follow_each_other_and_the_listing_goes_on_beside_them() -> None:
    now, seconds = [10.0], {"destination listing": 3.0}
    phases = Phases(seconds, whole=True, clock=lambda: now[0])
    now[0] = 15.0
    phases.end(LISTING)
    now[0] = 20.0
    phases.begin(DELETIONS)
    now[0] = 22.0
    phases.begin(FOLDERS)
    now[0] = 23.0
    for name in (LISTING, DELETIONS, FOLDERS):
        phases.end(name)
    assert seconds == {"destination listing": 3.0, LISTING: 5.0, DELETIONS: 2.0, FOLDERS: 1.0}


def test_what_is_left_of_a_listing_is_no_listing() -> None:
    seconds: dict[str, float] = {}
    Phases(seconds, whole=False).end(LISTING)
    assert seconds == {}

"""The next scheduled run on Home and Run, from what ``xsync schedule install`` keeps."""

from __future__ import annotations

from engine.execution.scheduling.schedule import ScheduleRecord, write_record
from engine.home import find_home, prepare_home
from profiles import store
from profiles.schema import Place, Profile, ScheduleSection
from tests.tui.driving import Driver, drive
from xsync_tui.app import XsyncApp
from xsync_tui.drawing.facts import Subject


def test_home_and_run_tell_when_the_schedule_begins_it(home: object) -> None:
    section = ScheduleSection(every="6 h")
    store.save(Profile(schema=1, name="lab", source=Place("/lab"), destination=Place("/new"), schedule=section))

    async def not_installed(driver: Driver) -> None:
        await driver.press("1")
        await driver.sees("schedule has no timer")
        await driver.press("5")
        seen = await driver.sees("has not been run yet")
        assert "schedule" not in seen

    async def installed(driver: Driver) -> None:
        await driver.press("1")
        await driver.sees("1 is due at ")
        await driver.press("5")
        await driver.sees("Its schedule begins it at ")

    async def damaged(driver: Driver) -> None:
        await driver.press("5")
        await driver.sees("has not been run yet")

    drive(not_installed, XsyncApp(Subject(profile="lab")))
    write_record(prepare_home(), ScheduleRecord("lab", "0 */6 * * *", 0.0, "crontab"))
    drive(installed, XsyncApp(Subject(profile="lab")))
    (find_home().schedules / "lab.json").write_text("{")
    drive(damaged, XsyncApp(Subject(profile="lab")))

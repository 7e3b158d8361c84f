"""Which screens there are, in the order of a migration. A screen's module is imported when it is first opened."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A screen: its name, digit (empty: not in the journey), label, ``module:Class``, and its command.

    Where ``screen`` is empty the app says the command instead; ``{name}`` in it is the profile.
    """

    name: str
    digit: str
    label: str
    screen: str
    command: str


PLACES = (
    Place("home", "1", "Home", "xsync_tui.screens.home:HomeScreen", "xsync"),
    Place("survey", "2", "Survey", "xsync_tui.screens.survey:SurveyScreen", "xsync survey LOCATION"),
    Place("plan", "3", "Plan", "xsync_tui.screens.plan:PlanScreen", "xsync plan {name}"),
    Place("test", "4", "Test", "xsync_tui.screens.testrun:TestScreen", "xsync test-run {name}"),
    Place("run", "5", "Run", "xsync_tui.screens.run:RunScreen", "xsync attach {name}"),
    Place("cutover", "6", "Cutover", "xsync_tui.screens.cutover:CutoverScreen", "xsync cutover {name} --estimate"),
    Place("report", "7", "Report", "xsync_tui.screens.report:ReportScreen", "xsync report {name}"),
    Place("failures", "", "Failures", "xsync_tui.screens.failures:FailuresScreen", "xsync report {name}"),
    Place(
        "new",
        "",
        "New migration",
        "xsync_tui.screens.wizard:WizardScreen",
        "xsync profiles new NAME SOURCE DESTINATION",
    ),
    Place("log", "", "Log", "xsync_tui.screens.log:LogScreen", "xsync report {name}"),
)
"""Give ``screen`` its ``module:Class`` to add one."""

BY_NAME = {place.name: place for place in PLACES}

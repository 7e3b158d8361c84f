"""The drawings and their states, by name: each draws itself on whatever canvas it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from engine.execution.cutover.record import STEPS
from engine.model import Status, Tally
from engine.planning.sizes import SizeTimes
from engine.planning.values import Seconds
from xsync_tui.drawing.agents import Look as AgentsLook
from xsync_tui.drawing.agents import agents_block, task_table
from xsync_tui.drawing.checklist import Work, checklist
from xsync_tui.drawing.choices import Choice, choice_rows
from xsync_tui.drawing.cutover import View as CutoverView
from xsync_tui.drawing.cutover import body as cutover_body
from xsync_tui.drawing.facts import CutoverBrief, Facts, Subject
from xsync_tui.drawing.folders import FolderTable, folder_rows
from xsync_tui.drawing.frame import Act, journey_row, small_rows, strip_rows, title_row
from xsync_tui.drawing.freeze import Bar, freeze_rows
from xsync_tui.drawing.graph import Ceiling, ceiling, graph, window
from xsync_tui.drawing.histogram import histogram_rows
from xsync_tui.drawing.home import HomeFacts, entries, first_rows, home_rows
from xsync_tui.drawing.icicle import icicle_rows
from xsync_tui.drawing.journey import steps_of, title_of
from xsync_tui.drawing.ledger import ledger
from xsync_tui.drawing.limits import limit_rows, what_if_rows
from xsync_tui.drawing.plan import PlanView, knob_row, plan_rows
from xsync_tui.drawing.report import View as ReportView
from xsync_tui.drawing.report import body as report_body
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, beside, width
from xsync_tui.drawing.run import body as run_body
from xsync_tui.drawing.scaling import curve_of, scaling
from xsync_tui.drawing.survey import Scanning, SurveyView, survey_rows
from xsync_tui.drawing.testrun import View as TestView
from xsync_tui.drawing.testrun import body as test_body
from xsync_tui.drawing.timeline import Slow, timeline_rows
from xsync_tui.drawing.verdict import changes_rows, verdict_rows
from xsync_tui.drawing.wizard import wizard_rows
from xsync_tui.drawing.wizard_view import WizardView
from xsync_tui.gallery import describing, executions, planning, proving, runs

Draw = Callable[[Canvas], list[Row]]

HOSTILE = runs.HOSTILE
PLAN = planning.plan_at_ten()
VIEW = planning.survey_view(planning.report(hazards=planning.HAZARDS))
HOUR = 3_600.0


class Exhibit(NamedTuple):
    """A drawing in one state: ``histogram/four years``."""

    name: str
    draw: Draw


def _times(**changes: Any) -> SizeTimes:
    assert VIEW.times is not None
    return VIEW.times._replace(**changes)


def _histogram(times: SizeTimes, canvas: Canvas) -> list[Row]:
    return histogram_rows(times, planning.TESTED, canvas)


def _folders(table: FolderTable, canvas: Canvas) -> list[Row]:
    return folder_rows(table, canvas, canvas.height)


def _icicle(table: FolderTable, cursor: int | None, canvas: Canvas) -> list[Row]:
    return icicle_rows(table, planning.MONTHS, cursor, canvas, 8)


def _many_folders() -> FolderTable:
    folders = tuple(
        planning.folder(f"2025/{'plate ' if n % 3 else 'scan-'}{n:03d}", 9_000 - 7 * n, 4e10 - 3e7 * n, 50.0 * n)
        for n in range(400)
    )
    return FolderTable("2025", folders, sum(each.bytes for each in folders), planning.NOW, "files", 210)


def _graph(
    values: list[float | None], limit: float | None, words: str, age: float, span: float | None, canvas: Canvas
) -> list[Row]:
    canvas = canvas._replace(height=9)
    shown = window(runs.NOW - age, runs.NOW, span, canvas)
    stretched = [values[at * len(values) // shown.buckets] for at in range(shown.buckets)] if values else []
    return graph(stretched, shown, ceiling(stretched, limit, words, canvas), runs.NOW, canvas)


def _empty_graph(canvas: Canvas) -> list[Row]:
    canvas = canvas._replace(height=9)
    return graph([], window(runs.NOW - 1, runs.NOW, HOUR, canvas), Ceiling(0.0, "nothing moved yet"), runs.NOW, canvas)


_STEADY: list[float | None] = [2.1e9 + 3e7 * (index * 5 % 11) for index in range(144)]
_BROKEN = [*_STEADY[:40], *[None] * 12, *_STEADY[:20], *[0.0] * 10, *_STEADY[:30], *[0.4e9] * 12, *_STEADY[:20]]
_LIMIT = "limit 2.50 GB/s (20.0 Gbit/s) until 08:00"


def _agents(count: int, states: Mapping[str, str], canvas: Canvas, **changes: Any) -> list[Row]:
    snapshot = runs.run(agents=runs.fleet(count, **states), tasks=runs.tasks(4), **changes)
    past = runs.past(snapshot, canvas).agents
    return agents_block(AgentsLook(snapshot, runs.seen(snapshot), past, runs.NOW), canvas)


def _run(snapshot: Any, canvas: Canvas, **more: Any) -> list[Row]:
    return run_body(runs.view(snapshot, canvas, **more), canvas)


def _what_if(agents: int | None, canvas: Canvas) -> list[Row]:
    plan = planning.plan_at_ten(agents)
    left = what_if_rows(plan, canvas)
    cells = max(map(width, left)) + 1
    return beside(
        left, limit_rows(plan, canvas._replace(width=canvas.width - cells - 1)), cells, "│" if canvas.unicode else "|"
    )


def _timeline(canvas: Canvas, **more: Any) -> list[Row]:
    return timeline_rows(PLAN, canvas, canvas.height, **more)


def _freeze(window: float, canvas: Canvas) -> list[Row]:
    ready = proving.ready(window, 8 * HOUR)
    freezes = (("freeze now", ready.now), (f"after {ready.passes} more passes", ready.then if ready.passes else None))
    return freeze_rows([Bar(name, each) for name, each in freezes if each is not None], window, canvas)


def _wizard(view: WizardView, canvas: Canvas) -> list[Row]:
    return wizard_rows(view, canvas).rows


def _home(facts: HomeFacts, canvas: Canvas) -> list[Row]:
    return home_rows(entries(facts, executions.NOW, canvas), 0, canvas)[0]


def _hostile_home() -> HomeFacts:
    found = executions.snapshot(profile=None, source=HOSTILE, destination=HOSTILE, host=HOSTILE)
    return HomeFacts(
        executions.HOST,
        {"lab": executions.profile("lab", HOSTILE, HOSTILE), "b": HOSTILE},
        [executions.execution(found)],
    )


LAB = Subject(profile="lab-images")
_FACTS = Facts(LAB, executions.profile("lab-images"), "", executions.survey(), executions.snapshot())


def _journey(facts: Facts, canvas: Canvas, here: str = "5") -> list[Row]:
    title = title_of(facts, executions.NOW, canvas)
    return [title_row(title, executions.NOW, canvas), journey_row(steps_of(facts, executions.NOW), here, canvas)]


def _strip(act: Act, trouble: str, canvas: Canvas) -> list[Row]:
    return strip_rows(act, "kim@agent-01", canvas, trouble)


def _palette(canvas: Canvas) -> list[Row]:
    choices = [
        Choice("pause", "P", "pause"),
        Choice("limit", "L", "limit"),
        Choice("retry failed", "F", "retry", "nothing failed"),
        Choice("cancel", "C", "cancel"),
        Choice("go to Report", "7", "go('report')"),
    ]
    return choice_rows(choices, 1, canvas)[0]


def _small(canvas: Canvas) -> list[Row]:
    answer: Row = (Piece(" Done 05:35 - 06:10, in 2 h 25 - 3 h.", Role.STRONG),)
    return small_rows([answer], canvas._replace(width=50, height=9))


_TABLE = planning.survey_view(planning.report()).table or FolderTable("", (), 0, planning.NOW)
_WATCHED = proving.measured_run
_LOST = runs.run(agents=runs.fleet(4, a3="lost"))
_GONE = runs.run(heartbeat_at=runs.NOW - 266, runner_alive=False)
_PAUSED = runs.run(status=Status.PAUSED, bytes_per_second=0.0, files_per_second=0.0, eta_seconds=None)
_ENDED = runs.run(status=Status.SUCCESS, ended_at=runs.NOW - 60, runner_alive=False, agents=(), failure_counts={})
_ASKS = Work(True, "", "If nobody can write to it any more", ("It looks when it last changed.",))
_SCANNING = Scanning(3_100_000, 3_200_000, 9 * 10**12, 18.0, 2)
_PAUSE = Act("P", "pause lab-images", "Agents finish the requests they have under way, then stop.", "pause", "run on")
_DELETE = Act("D", "delete lab", "Deletes the profile; what was copied stays.", "delete", "keep it", typed="lab")

GROUPS: Mapping[str, Mapping[str, Draw]] = {
    "histogram": {
        "four years": partial(_histogram, _times()),
        "bytes alone decide": partial(_histogram, _times(knee_index=0)),
        "one size": partial(_histogram, _times(bins=_times().bins[4:5], knee_index=1)),
    },
    "folders": {
        "four years": partial(_folders, _TABLE),
        "400 of them, by files": partial(_folders, _many_folders()),
        "empty": partial(_folders, FolderTable("2021", (), 0, planning.NOW)),
        "hostile": partial(_folders, FolderTable(HOSTILE, (planning.folder(HOSTILE, 3, 10.0, 5.0),), 10, planning.NOW)),
    },
    "wizard": {name: partial(_wizard, view) for name, view in describing.VIEWS.items()},
    "icicle": {
        "years and months": partial(_icicle, _TABLE, 1),
        "400 folders": partial(_icicle, _many_folders(), 3),
        "empty": partial(_icicle, FolderTable("2021", (), 0, planning.NOW), None),
    },
    "survey": {
        "complete": partial(survey_rows, VIEW),
        "partial": partial(survey_rows, planning.survey_view(planning.report(partial=True))),
        "again": partial(survey_rows, VIEW._replace(scanning=_SCANNING)),
        "first": partial(survey_rows, SurveyView(planning.NOW, scanning=_SCANNING)),
        "first, sizes growing": partial(
            survey_rows, SurveyView(planning.NOW, VIEW.report, VIEW.times, VIEW.origin, scanning=_SCANNING)
        ),
        "none yet": partial(survey_rows, SurveyView(planning.NOW)),
        "map": partial(survey_rows, VIEW._replace(pane="map")),
        "ages": partial(survey_rows, VIEW._replace(pane="ages")),
        "kinds": partial(survey_rows, VIEW._replace(pane="kinds")),
        "hazards": partial(survey_rows, VIEW._replace(pane="hazards")),
        "error": partial(survey_rows, SurveyView(planning.NOW, problem="/mnt/lab: no such folder")),
    },
    "graph": {
        "an hour": partial(_graph, _STEADY, 2.5e9, _LIMIT, 20_000.0, HOUR),
        "holes, zeros, slow": partial(_graph, _BROKEN, 2.5e9, _LIMIT, 20_000.0, HOUR),
        "no limit, a day": partial(_graph, _BROKEN, None, "", 90_000.0, None),
        "limit below what was seen": partial(_graph, _STEADY, 1e9, "limit 1.00 GB/s (8.00 Gbit/s)", 20_000.0, HOUR),
        "one minute": partial(_graph, _STEADY[:40], None, "", 61.0, HOUR),
        "nothing yet": _empty_graph,
    },
    "agents": {
        "4": partial(_agents, 4, {}),
        "4, one stalled, one lost": partial(_agents, 4, {"a2": "stalled", "a3": "lost"}),
        "16": partial(_agents, 16, {}),
        "16, one stalled, one lost": partial(_agents, 16, {"a7": "stalled", "a12": "lost"}),
        "64, one stalled, one lost": partial(_agents, 64, {"a7": "stalled", "a12": "lost"}),
        "4, paused": partial(_agents, 4, {f"a{n}": "stalled" for n in range(1, 5)}, status=Status.PAUSED),
        "none yet": partial(_agents, 0, {}),
        "by task": lambda canvas: task_table(runs.run(), canvas),
    },
    "ledger": {
        "usual": lambda canvas: ledger(runs.TOTALS.files, canvas),
        "small": lambda canvas: ledger(Tally(1_000, 600, 100, 2, 50, verified=600), canvas),
        "huge": lambda canvas: ledger(Tally(9_412_907_123, 7_571_203_000, 12, 3, 0, verified=7_571_203_000), canvas),
        "does not add up": lambda canvas: ledger(Tally(100, 80, 10, 3, 20, verified=80), canvas),
        "empty": lambda canvas: ledger(Tally(), canvas),
    },
    "run": {
        "4 agents": partial(_run, runs.run()),
        "one lost": partial(_run, _LOST),
        "16 agents": partial(_run, runs.run(agents=runs.fleet(16, a7="stalled", a12="lost"))),
        "64 agents": partial(_run, runs.run(agents=runs.fleet(64, a7="stalled", a12="lost"))),
        "paused": partial(_run, _PAUSED),
        "runner gone": partial(_run, _GONE),
        "ended": partial(_run, _ENDED),
        "just begun": partial(_run, runs.fresh()),
        "tasks": partial(_run, runs.run(), pane="tasks"),
        "hostile": partial(_run, runs.run(message=HOSTILE, host=HOSTILE, failure_counts={HOSTILE: 3})),
    },
    "what-if": {
        "agents chosen by xsync": partial(_what_if, None),
        "2 agents": partial(_what_if, 2),
        "6 agents, no gain": partial(_what_if, 6),
    },
    "timeline": {
        "four years": _timeline,
        "window": partial(_timeline, window_ends=planning.NOW + 11 * HOUR),
        "window too short": partial(_timeline, window_ends=planning.NOW + 5 * HOUR),
        "slow hours": partial(_timeline, slow=[Slow(planning.NOW + 2 * HOUR, planning.NOW + 4 * HOUR)]),
    },
    "plan": {
        "to be ready by 9": partial(
            plan_rows, PlanView(planning.NOW, PLAN, planning.KNOBS, 2, window_ends=planning.NOW + 11 * HOUR)
        ),
        "just changed": partial(
            plan_rows, PlanView(planning.NOW, PLAN, planning.KNOBS, 2, was=Seconds(30_000, 34_000, 40_000))
        ),
        "little work": partial(plan_rows, PlanView(planning.NOW, planning.little_work(), planning.KNOBS, 2)),
        "little work, why": partial(
            plan_rows, PlanView(planning.NOW, planning.little_work(), planning.KNOBS, 2, 0, why=True)
        ),
        "more than this host": partial(
            plan_rows, PlanView(planning.NOW, planning.too_large_for_here(), planning.KNOBS, 2)
        ),
        "why": partial(plan_rows, PlanView(planning.NOW, PLAN, planning.KNOBS, 2, 1, why=True)),
        "not surveyed": partial(plan_rows, PlanView(planning.NOW, surveyed=False)),
        "error": partial(plan_rows, PlanView(planning.NOW, problem="A plan is of a saved profile: 1 has the list.")),
        "knobs": lambda canvas: [knob_row(PlanView(planning.NOW, PLAN, planning.KNOBS, 0), canvas)],
    },
    "scaling": {
        "linear": lambda canvas: scaling(curve_of(proving.LINEAR, proving.LINK), canvas),
        "flat": lambda canvas: scaling(curve_of(proving.FLAT), canvas),
        "one point": lambda canvas: scaling(curve_of(_WATCHED({1: 551e6}), proving.LINK), canvas),
        "64 agents": lambda canvas: scaling(curve_of(_WATCHED({n: n * 4e8 for n in (1, 2, 4, 8, 16, 32, 64)})), canvas),
    },
    "verdict": {
        "linear": lambda canvas: verdict_rows(proving.LINEAR.verdict, canvas),
        "flat": lambda canvas: verdict_rows(proving.FLAT.verdict, canvas),
        "too small": lambda canvas: verdict_rows(_WATCHED({1: 5e6}, ended="out of data").verdict, canvas),
        "changes": lambda canvas: changes_rows(proving.LINEAR.changes, canvas),
    },
    "test run": {
        "nothing measured": partial(test_body, TestView()),
        "before": partial(test_body, TestView(prepared=proving.prepared(), dollars=4.02)),
        "at work": partial(
            test_body,
            TestView(
                prepared=proving.prepared(),
                measured=[proving.step(1, 551e6), proving.step(2, 1_098e6)],
                live=proving.LIVE,
                ceilings=proving.LINK,
            ),
        ),
        "linear": partial(test_body, TestView(found=proving.LINEAR, ceilings=proving.LINK, now=proving.NOW)),
        "flat": partial(test_body, TestView(found=proving.FLAT, now=proving.NOW)),
        "trouble": partial(test_body, TestView(trouble=f"s3://lab: access denied {HOSTILE}")),
    },
    "freeze": {
        "fits": partial(_freeze, 3_600.0),
        "after more passes": partial(_freeze, 1_200.0),
        "never": partial(_freeze, 300.0),
    },
    "checklist": {
        "not begun": lambda canvas: checklist(None, Work(), 0, canvas, proving.NOW),
        "waits for a person": lambda canvas: checklist(proving.begun("readiness"), _ASKS, 1, canvas, proving.NOW),
        "at work": lambda canvas: checklist(
            proving.begun("readiness", "read-only"), Work(True, "comparing: 4,203"), 2, canvas, proving.NOW
        ),
        "handed over": lambda canvas: checklist(proving.begun(*STEPS), Work(), 6, canvas, proving.NOW),
    },
    "cutover": {
        "ready": partial(
            cutover_body, CutoverView("lab-images", proving.past(), proving.ready(3_600.0), now=proving.NOW)
        ),
        "not yet": partial(
            cutover_body,
            CutoverView("lab-images", proving.past(5), proving.ready(1_200.0, 8 * HOUR), now=proving.NOW),
        ),
        "never": partial(
            cutover_body, CutoverView("lab-images", proving.past(), proving.ready(300.0), now=proving.NOW)
        ),
        "unknown": partial(
            cutover_body,
            CutoverView("lab-images", proving.past(1), proving.ready(3_600.0, known=False), now=proving.NOW),
        ),
    },
    "report": {
        "inside": partial(
            report_body, ReportView(proving.report(), "20250514-125000-lab-images-3f2a", now=proving.NOW)
        ),
        "failed": partial(report_body, ReportView(proving.FAILED, "20250514-125000-lab-images-3f2a", now=proving.NOW)),
        "none yet": partial(report_body, ReportView({}, now=proving.NOW)),
    },
    "home": {
        "one of everything": partial(_home, executions.FACTS),
        "nothing needs you": partial(
            _home,
            HomeFacts(
                executions.HOST,
                {"lab-images": executions.profile("lab-images")},
                [executions.execution(executions.snapshot(Status.SUCCESS))],
            ),
        ),
        "first start": partial(first_rows, "/home/kim/.local/state/xsync"),
        "hostile": partial(_home, _hostile_home()),
    },
    "journey": {
        "live": partial(_journey, _FACTS),
        "silent": partial(_journey, _FACTS._replace(snapshot=executions.snapshot(heartbeat_at=executions.NOW - 12))),
        "runner gone": partial(
            _journey,
            _FACTS._replace(snapshot=executions.snapshot(heartbeat_at=executions.NOW - 266, runner_alive=False)),
        ),
        "no run yet": partial(_journey, _FACTS._replace(snapshot=None), here="2"),
        "handed over": partial(
            _journey,
            _FACTS._replace(snapshot=executions.snapshot(Status.SUCCESS), cutover=CutoverBrief({"hand-over": {}})),
        ),
        "hostile": partial(
            _journey,
            Facts(Subject(execution=HOSTILE), None, "", None, msgspec.structs.replace(_PAUSED, source=HOSTILE)),
        ),
    },
    "frame": {
        "strip": partial(_strip, _PAUSE, ""),
        "strip that destroys": partial(_strip, _DELETE, "That is not it. Nothing has changed."),
        "palette": _palette,
        "too small": _small,
    },
}

EXHIBITS = tuple(
    Exhibit(f"{group}/{state}", draw) for group, states in GROUPS.items() for state, draw in states.items()
)


def named(name: str) -> list[Exhibit]:
    """The exhibit of that name, or all of a group."""
    exact = [each for each in EXHIBITS if each.name == name]
    return exact or [each for each in EXHIBITS if each.name.startswith(f"{name}/")]

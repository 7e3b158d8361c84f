"""The plan that tests of the Plan screen draw, seen at ten in the evening with a window of eleven hours."""

from __future__ import annotations

from datetime import UTC

from xsync_tui.drawing.plan import PlanView
from xsync_tui.drawing.rows import Canvas
from xsync_tui.gallery.planning import KNOBS, NOW, plan_at_ten

NARROW = Canvas(zone=UTC)
ASCII = NARROW._replace(unicode=False)
WIDE = NARROW._replace(width=120, height=36)
PLAN = plan_at_ten()
HOUR = 3_600
VIEW = PlanView(NOW, PLAN, KNOBS, 2, window_ends=NOW + 11 * HOUR)

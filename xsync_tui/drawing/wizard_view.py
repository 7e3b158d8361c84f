"""What the new-migration wizard shows, as values: looks at places, lists of buckets, what is known. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.execution.checking.findings import Finding
from engine.planning.sizes import SizeTimes
from engine.planning.values import Origin
from engine.survey.facts import FolderStatistics
from xsync_tui.drafting import Draft
from xsync_tui.drawing.facts import SurveyBrief
from xsync_tui.drawing.survey import Scanning

if TYPE_CHECKING:
    from engine.survey.matching import Kept

SILENT_SECONDS = 20.0
"""So long a look may take; what has not answered by then is left alone."""

BUCKETS_SECONDS = 10.0
"""The same for a list of buckets: nobody needs it."""

RECENT_SECONDS = 7 * 86_400
"""A complete survey that is younger is used, another one is made anew."""


def is_recent(survey: SurveyBrief | None, now: float) -> bool:
    """Whether a survey will do."""
    return survey is not None and not survey.partial and now - survey.surveyed_at < RECENT_SECONDS


class Look(NamedTuple):
    """A look at a place: going on for ``seconds``, ``silent`` if it took too long; ``tried``: with a canary."""

    running: bool = False
    seconds: float = 0.0
    silent: bool = False
    findings: tuple[Finding, ...] = ()
    tried: bool = False

    @property
    def failed(self) -> bool:
        """Whether a run would fail."""
        return self.silent or any(each.level == "failure" for each in self.findings)

    @property
    def done(self) -> bool:
        """Whether there is an answer."""
        return not self.running and (self.silent or bool(self.findings))


class Buckets(NamedTuple):
    """A list of buckets that was asked for, as Look; ``problem``: why there is none."""

    running: bool = False
    seconds: float = 0.0
    silent: bool = False
    names: tuple[str, ...] = ()
    problem: str = ""

    def like(self, typed: str) -> list[str]:
        """Those that begin with what was typed of a name, then those that hold it."""
        typed = typed.lower()
        first = [name for name in self.names if name.startswith(typed)]
        return [*first, *(name for name in self.names if typed in name and not name.startswith(typed))]


class Source(NamedTuple):
    """What a survey has found: sizes by the time one agent takes for them, folders in the root with all ``bytes``.

    ``origin``: what that time rests on. ``so_far``: there is more than was counted.
    """

    times: SizeTimes | None = None
    origin: Origin | None = None
    folders: Sequence[FolderStatistics] = ()
    bytes: int = 0
    surveyed_at: float = 0.0
    so_far: bool = False


class WizardView(NamedTuple):
    """What the wizard shows at ``now`` (Unix time).

    ``field``: the one that is typed into. ``problem``: why the step is not answered. ``look``: at the place that this
    step is about; ``buckets``: a list that was asked for there. ``scanning``, ``survey``, ``survey_problem``,
    ``found``: of the source. ``kept``: what the filters keep of it. ``canary``: what one would be called. ``path``,
    ``toml``: of the profile as it would be saved, shown from line ``first`` on. ``unsaved``: why the draft is not on
    disk.
    """

    draft: Draft
    field: int = 0
    now: float = 0.0
    problem: str = ""
    look: Look | None = None
    scanning: Scanning | None = None
    survey: SurveyBrief | None = None
    survey_problem: str = ""
    kept: Kept | None = None
    canary: str = ""
    path: str = ""
    toml: str = ""
    unsaved: str = ""
    buckets: Buckets | None = None
    found: Source = Source()
    first: int = 0

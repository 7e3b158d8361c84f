"""``xsync`` alone, off a terminal: what needs a person, what runs, which profiles there are, what to do next."""

from __future__ import annotations

from engine import __version__
from engine.home import find_home
from engine.journal.reader import list_executions
from profiles import store
from xsync_tui.cli.executions import list_lines
from xsync_tui.cli.output import current_look, put

_LATEST = 3
_PROFILES = 10

_FIRST_STEPS = """Start here:
  xsync demo                                  see it all work: dataset, S3 server, four agents, a check
  xsync survey /data                          what is there: files, bytes, sizes; nothing is written
  xsync run /data s3://bucket/prefix          copy it
  xsync profiles new NAME SOURCE DESTINATION  save a migration, then: xsync run NAME"""

_NEXT_STEPS = "Next: xsync run PROFILE | attach | status | report | --help"


def show() -> None:
    """Print the overview."""
    put(f"xsync {__version__}: plan a migration, run it, see it arrive.\n")
    executions, names = list_executions(find_home()), store.names()
    if executions:
        unended = [each for each in executions if each.problem or (each.status is not None and not each.status.ended)]
        put("Not ended:" if unended else "Latest executions:")
        print("\n".join([*list_lines(unended or executions[-_LATEST:], current_look()), ""]))
    if names:
        more = f" and {len(names) - _PROFILES} more" if len(names) > _PROFILES else ""
        put(f"Profiles: {', '.join(names[:_PROFILES])}{more}\n")
    put(_NEXT_STEPS if executions or names else _FIRST_STEPS)

"""The wizard's rows in every step and state, at both sizes and in ASCII, and the week of its limits.

The texts are in ``goldens/wizard-*.txt``; ``python -m tests.tui.test_wizard_drawing`` writes them anew, to be read.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.execution.checking.findings import failure, ok, warning
from engine.model import LimitRule
from engine.survey.matching import Kept
from xsync_tui.drafting import Draft, problem
from xsync_tui.drawing.rows import Canvas, plain, width
from xsync_tui.drawing.survey import Scanning
from xsync_tui.drawing.week import WEEK_ROWS, week_rows
from xsync_tui.drawing.wizard import Look, WizardView, wizard_rows
from xsync_tui.gallery.executions import ASCII, CANVAS, HOSTILE, NOW, WIDE, survey

GOLDENS = Path(__file__).with_name("goldens")
CANVASES = {"80": CANVAS, "ascii": ASCII, "120": WIDE}

DRAFT = Draft("0" * 16, source="/mnt/lab", destination="s3://lab/img", exclude="*.tmp|/scratch")
BARE = Draft("0" * 16)
FOUND = (
    ok("credentials", "do not end"),
    ok("identity", "arn:aws:iam::123456789012:role/migrate, from the role of this host"),
    ok("network", "s3.eu-central-1.amazonaws.com is 52.219.1.1 and 7 more; connecting takes 1.2 ms"),
    ok("destination", "bucket lab at https://s3.eu-central-1.amazonaws.com, region eu-central-1"),
)
TRIED = (
    ok("destination", "a canary was written in 31 ms, read in 12 ms"),
    warning("destination", "the canary cannot be deleted: AccessDenied", "Grant deletion."),
)
WRONG = (*FOUND[:2], failure("destination", f"there is no bucket lab ({HOSTILE})", "Check its name."))
KEPT = Kept(3_104_233, 12 * 10**12, 1_289_001, 6 * 10**12, (b"2024/a.tif",), (b"x.tmp", b"scratch/\x1b[2J\xff"))
SCANNING = Scanning(3_104_233, 3_200_000, 12 * 10**12, 18.0)
CANARY = "s3://lab/img/.xsync-canary-*"
LIMITS = "Mon-Fri 08:00-18:20 2Gbps; Sat 22:00-06:00 500Mbps"
TOML = 'schema = 1\nname = "lab"\n\n[source]\nurl = "/mnt/lab"\n\n' + "".join(f"key{n} = {n}\n" for n in range(20))


def at(step: int, draft: Draft = DRAFT, *, names: tuple[str, ...] = (), **known: object) -> WizardView:
    """A view of a step, with what is wrong with it."""
    draft = msgspec.structs.replace(draft, step=step)
    return WizardView(draft, now=NOW, problem=problem(draft, names))._replace(**known)  # type: ignore[arg-type]


def draft(**changed: str) -> Draft:
    """DRAFT, other than it was."""
    return msgspec.structs.replace(DRAFT, **changed)


VIEWS = {
    "1 nothing typed": at(1, BARE),
    "1 typing": at(1),
    "1 a bucket": at(1, draft(source="s3://lab"), field=1),
    "1 surveyed of late": at(1, survey=survey()),
    "1 surveyed long ago": at(1, survey=survey())._replace(now=NOW + 30 * 86_400),
    "1 looking": at(1, look=Look(running=True, seconds=3.0)),
    "1 not there": at(1, look=Look(findings=(failure("source", "there is no /mnt/lab", "Check the path."),))),
    "1 a password": at(1, draft(source="s3://me:secret@lab")),
    "2 nothing typed": at(2, draft(destination=""), scanning=SCANNING),
    "2 typing": at(2, scanning=SCANNING, canary=CANARY),
    "2 looking": at(2, scanning=SCANNING, look=Look(running=True, seconds=3.0, findings=FOUND[:2])),
    "2 fine": at(2, scanning=SCANNING, look=Look(findings=FOUND)),
    "2 canary stays": at(2, field=4, survey=survey(), look=Look(findings=TRIED, tried=True)),
    "2 canary": at(2, field=4, survey=survey(), look=Look(findings=TRIED[:1], tried=True)),
    "2 wrong bucket": at(2, survey=survey(), look=Look(findings=WRONG)),
    "2 no answer": at(2, survey_problem="the disk went away", look=Look(seconds=21.0, silent=True)),
    "2 a folder": at(2, draft(destination="/mnt/new"), canary="/mnt/new/.xsync-*"),
    "2 full disk": at(2, unsaved="/state/drafts/1.json: the draft cannot be kept: No space left on device"),
    "3 nothing typed": at(3, draft(exclude=""), scanning=SCANNING),
    "3 counting": at(3, scanning=SCANNING),
    "3 counted so far": at(3, scanning=SCANNING, kept=KEPT),
    "3 counted": at(3, survey=survey(), kept=KEPT),
    "3 nothing is left": at(3, survey=survey(), kept=KEPT._replace(kept_files=0, kept_size=0, examples_kept=())),
    "3 invalid": at(3, draft(exclude="a*b"), survey=survey()),
    "3 no survey": at(3),
    "4 nothing typed": at(4, survey=survey()),
    "4 typing": at(4, draft(limits="Mon-Fri 08:00-18:00 2Gbps; Sat"), survey=survey()),
    "4 typed": at(4, draft(limits=LIMITS, agents="12", bandwidth="20Gbps"), survey=survey()),
    "4 choosing": at(4, draft(limits="Mon-Fri 08:00-18:00 10Gbps", own_limits=LIMITS, bandwidth="20Gbps"), field=1),
    "4 wrong agents": at(4, draft(agents="many")),
    "5 review": at(5, survey=survey(), path="/home/kim/.config/xsync/profiles/lab.toml", toml=TOML),
    "5 taken": at(5, names=("lab",), survey=survey()),
    "hostile source": at(1, draft(source=f"/{HOSTILE}"), survey=survey(HOSTILE)),
    "hostile destination": at(
        2, draft(destination=f"s3://{HOSTILE}"), canary=f"s3://{HOSTILE}/*", survey_problem=HOSTILE
    ),
    "hostile patterns": at(3, draft(exclude=HOSTILE, include=HOSTILE), survey=survey()),
    "hostile limits": at(4, draft(limits=HOSTILE, agents=HOSTILE, bandwidth=HOSTILE)),
    "hostile name": at(5, draft(name=HOSTILE), path=HOSTILE, toml=HOSTILE),
}


def golden(canvas: Canvas) -> str:
    """All views, one after the other."""
    texts = []
    for name, view in VIEWS.items():
        rows = "\n".join(line.rstrip() for line in plain(wizard_rows(view, canvas).rows))
        texts.append(f"=== {name}\n{rows}\n")
    return "".join(texts)


@pytest.mark.parametrize("name", CANVASES)
def test_every_step_and_state(name: str) -> None:
    wanted = (GOLDENS / f"wizard-{name}.txt").read_text()
    for was, now in zip(wanted.split("=== "), golden(CANVASES[name]).split("=== "), strict=True):
        assert now == was


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("canvas", [CANVAS, ASCII, WIDE, Canvas(80, 17), Canvas(200, 60)])
def test_rows_fit_and_obey_nobody(name: str, canvas: Canvas) -> None:
    drawn = wizard_rows(VIEWS[name], canvas)
    assert {width(row) for row in drawn.rows} == {canvas.width}
    assert len(drawn.rows) == canvas.height
    text = "".join(plain(drawn.rows))
    assert not any(mark in text for mark in "\x1b\x07\u202e\u200b\udcff")
    assert canvas.unicode or text.isascii()


def test_what_is_typed_stands_over_the_row_of_its_field() -> None:
    drawn = wizard_rows(VIEWS["2 typing"]._replace(field=2), CANVAS)
    assert drawn.entry is not None
    column, row, cells = drawn.entry
    assert plain(drawn.rows)[row].startswith(" ▶ region")
    assert plain(drawn.rows)[row][column:].startswith("as AWS_REGION")
    assert column + cells < CANVAS.width
    assert wizard_rows(VIEWS["2 canary"], CANVAS).entry is None
    assert wizard_rows(VIEWS["4 choosing"], CANVAS).entry is None


def test_a_week_shows_the_lowest_limit_and_what_goes_over_midnight() -> None:
    rules = (
        LimitRule((0,), 60, 125, 10**9),
        LimitRule((0, 6), 23 * 60, 30, 10**6),
        LimitRule((0,), 0, 24 * 60, 10**10),
    )
    rows = plain(week_rows(rules, Canvas(80, 20, unicode=False)))
    assert len(rows) == WEEK_ROWS
    assert rows[1].strip() == "Mon ##-====" + "-" * 62 + "###"
    assert rows[2].strip() == "Tue ##" + "." * 70
    assert rows[7].strip() == "Sun " + "." * 69 + "###"
    assert rows[8].strip() == ". no limit   # 8.00 Mbit/s (1.00 MB/s)   = 8.00 Gbit/s (1.00 GB/s)   - 80.0"


if __name__ == "__main__":
    for each, drawn_on in CANVASES.items():
        (GOLDENS / f"wizard-{each}.txt").write_text(golden(drawn_on))

"""The wizard in every step and state: drafts, looks at places, what patterns keep, and hostile answers."""

from __future__ import annotations

import msgspec

from engine.execution.checking.findings import failure, ok, warning
from engine.survey.matching import Kept
from xsync_tui.drafting import Draft, problem
from xsync_tui.drawing.survey import Scanning
from xsync_tui.drawing.wizard_view import Buckets, Look, WizardView
from xsync_tui.gallery.executions import HOSTILE, NOW, survey
from xsync_tui.gallery.planning import report
from xsync_tui.surveying import found_by

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
SOURCE = found_by(report())
SMALL = KEPT._replace(small=1_204_233)
BUCKETS = Buckets(names=tuple(f"{name}-{n:02}" for name in ("atlas", "lab", "old-lab") for n in range(15)))
COLD = Draft("0" * 16, source="/mnt/lab", destination="s3://lab/img", storage_class="DEEP_ARCHIVE")
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
    "2 a cold class": at(2, draft(storage_class="GLACIER_IR"), field=4, scanning=SCANNING, kept=SMALL),
    "2 a cold class, looked at": at(2, COLD, survey=survey(), kept=SMALL, look=Look(findings=FOUND), found=SOURCE),
    "2 asking for buckets": at(2, draft(destination="s3://"), buckets=Buckets(running=True, seconds=3.0)),
    "2 buckets": at(2, draft(destination="s3://la"), buckets=BUCKETS, found=SOURCE),
    "2 no such bucket": at(2, draft(destination="s3://none"), buckets=BUCKETS),
    "2 buckets denied": at(2, buckets=Buckets(problem="these credentials may not list buckets (s3:ListAllMyBuckets).")),
    "2 no list": at(2, buckets=Buckets(seconds=11.0, silent=True)),
    "2 canary stays": at(2, field=5, survey=survey(), look=Look(findings=TRIED, tried=True)),
    "2 canary": at(2, field=5, survey=survey(), look=Look(findings=TRIED[:1], tried=True)),
    "2 wrong bucket": at(2, survey=survey(), look=Look(findings=WRONG)),
    "2 no answer": at(2, survey_problem="the disk went away", look=Look(seconds=21.0, silent=True)),
    "2 a folder": at(2, draft(destination="/mnt/new"), canary="/mnt/new/.xsync-*"),
    "2 full disk": at(2, unsaved="/state/drafts/1.json: the draft cannot be kept: No space left on device"),
    "3 nothing typed": at(3, draft(exclude=""), scanning=SCANNING),
    "3 nothing typed, surveyed": at(3, draft(exclude=""), survey=survey(), kept=SMALL, found=SOURCE),
    "3 ages and sizes": at(
        3, draft(min_age="15m", max_size="100GB", storage_class="STANDARD_IA"), field=2, survey=survey(), kept=SMALL
    ),
    "3 wrong ages": at(3, draft(min_age="30d", max_age="1d"), survey=survey()),
    "3 counting": at(3, scanning=SCANNING),
    "3 counted so far": at(3, scanning=SCANNING, kept=KEPT),
    "3 counted": at(3, survey=survey(), kept=KEPT),
    "3 nothing is left": at(3, survey=survey(), kept=KEPT._replace(kept_files=0, kept_size=0, examples_kept=())),
    "3 invalid": at(3, draft(exclude="a*b"), survey=survey()),
    "3 no survey": at(3),
    "4 nothing typed": at(4, survey=survey()),
    "4 typing": at(4, draft(limits="Mon-Fri 08:00-18:00 2Gbps; Sat"), survey=survey()),
    "4 typed": at(4, draft(limits=LIMITS, agents="12", bandwidth="20Gbps"), survey=survey(), found=SOURCE),
    "4 choosing": at(4, draft(limits="Mon-Fri 08:00-18:00 10Gbps", own_limits=LIMITS, bandwidth="20Gbps"), field=1),
    "4 wrong agents": at(4, draft(agents="many")),
    "5 review": at(5, survey=survey(), path="/home/kim/.config/xsync/profiles/lab.toml", toml=TOML),
    "5 review, further on": at(5, survey=survey(), path="/p/lab.toml", toml=TOML, first=99, found=SOURCE),
    "5 taken": at(5, names=("lab",), survey=survey()),
    "hostile source": at(1, draft(source=f"/{HOSTILE}"), survey=survey(HOSTILE)),
    "hostile bucket": at(2, draft(destination="s3://"), buckets=Buckets(names=(HOSTILE,))),
    "hostile destination": at(
        2, draft(destination=f"s3://{HOSTILE}"), canary=f"s3://{HOSTILE}/*", survey_problem=HOSTILE
    ),
    "hostile patterns": at(3, draft(exclude=HOSTILE, include=HOSTILE), survey=survey()),
    "hostile limits": at(4, draft(limits=HOSTILE, agents=HOSTILE, bandwidth=HOSTILE)),
    "hostile name": at(5, draft(name=HOSTILE), path=HOSTILE, toml=HOSTILE),
}

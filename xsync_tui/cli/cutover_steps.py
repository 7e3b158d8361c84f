"""The checklist of a cutover: does its steps one after the other, asks before them, and records what came of them."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from engine.errors import RefusedError, StoppedError, XsyncError
from engine.execution.cutover.record import (
    STEPS,
    Cutover,
    Done,
    Step,
    alone,
    delta_of,
    forget_cutover,
    newer_execution,
    read_cutover,
    write_cutover,
)
from engine.home import Home, account_name
from engine.model import Migration
from xsync_tui.cli.clock import moment
from xsync_tui.cli.cutover_talk import Listing, Talk

if TYPE_CHECKING:
    from engine.execution.comparing.verification import Verification
    from engine.execution.launch import Launched
    from engine.planning.cutover import Readiness

DIFFERS = 3


class _Stop(Exception):
    """The checklist ends here, with this exit code; what there is to say was said."""

    def __init__(self, code: int) -> None:
        self.code = code


class Checklist:
    """The cutover of one profile. ``verifies``: both sides are compared. ``yes``: nothing is asked.

    ``wait_quiet``: minutes that the source has to be unchanged. ``talk``: to whoever confirms it.
    """

    def __init__(
        self,
        home: Home,
        profile: str,
        migration: Migration,
        *,
        readiness: Readiness,
        verifies: bool,
        wait_quiet: int | None,
        yes: bool,
        talk: Talk,
    ) -> None:
        self._home = home
        self._profile = profile
        self._migration = migration
        self._readiness = readiness
        self._verifies = verifies
        self._wait_quiet = wait_quiet
        self._yes = yes
        self._talk = talk
        self._who = f"{account_name(os.geteuid())}@{socket.gethostname()}"

    def run(self, *, restart: bool) -> int:
        """Do all steps that are left; returns an exit code. Raises RefusedError, BusyError and other XsyncErrors."""
        with alone(self._home, self._profile):
            if restart:
                self._forget()
            known = read_cutover(self._home, self._profile)
            if known is not None and known.next is None:
                return self._over(known)
            self._require_consent()
            self._cutover = self._begun(known)
            try:
                while (step := self._cutover.next) is not None:
                    self._do(step)
            except _Stop as stop:
                return stop.code
            return self._over(self._cutover)

    def _forget(self) -> None:
        """Forget what is recorded; a destination that was handed over is taken back by a person alone."""
        known = read_cutover(self._home, self._profile)
        if known is not None and known.next is None:
            handed = known.steps["hand-over"]
            text = (
                f"{self._migration.destination.url} was handed over to its users on {moment(handed.at)}: another "
                "cutover replaces what they wrote there by what the source has"
            )
            if self._yes or not self._talk.answerable:
                raise RefusedError(f"{text}. To take it back all the same, say so on a terminal, without --yes")
            self._talk.say(f"{text}.")
            self._typed(f" To take it back all the same, type {self._profile}: ")
        forget_cutover(self._home, self._profile)

    def _begun(self, known: Cutover | None) -> Cutover:
        """The cutover to go on with, as far as what it recorded can still be trusted."""
        if known is None:
            return Cutover(self._profile, self._migration, time.time(), self._who)
        if known.migration != self._migration:
            raise RefusedError(
                f"the profile {self._profile} was changed since its cutover began on {moment(known.began_at)}: what "
                f"was done is not about it any more. Begin anew: xsync cutover {self._profile} --restart"
            )
        self._talk.say(f"Goes on with the cutover that {known.began_by} began on {moment(known.began_at)}.")
        for step, done in known.steps.items():
            self._talk.say(f"  done: {STEPS[step]}, {moment(done.at)} by {done.who}: {done.text}")
        cutover = known.resumed()
        if cutover is not known:
            self._talk.say("What was verified then may have changed since: it is verified again.")
        if "read-only" in cutover.steps and cutover.steps["read-only"].facts.get("mounted") and not self._mounted():
            self._talk.say("The source is no longer mounted read-only.")
            cutover = cutover.back_to("read-only")
        write_cutover(self._home, cutover)
        return cutover

    def _do(self, step: Step) -> None:
        self._talk.say(f"\nStep {list(STEPS).index(step) + 1} of {len(STEPS)}: {STEPS[step]}")
        if step in ("verification", "sign-off", "rollback", "hand-over"):
            self._require_fresh_delta()
        done = {
            "readiness": self._confirm_readiness,
            "read-only": self._see_read_only,
            "delta": self._final_delta,
            "verification": self._verify,
            "sign-off": self._sign_off,
            "rollback": self._rollback,
            "hand-over": self._hand_over,
        }[step]()
        self._keep(self._cutover.done(step, done))
        self._talk.record({"type": "step", "step": step, "at": done.at, "who": done.who, "text": done.text})
        self._talk.say(f"  done {moment(done.at)} by {done.who}: {done.text}")

    # -- the steps ---------------------------------------------------------------------------------------------

    def _confirm_readiness(self) -> Done:
        self._talk.readiness()
        self._warn_of_schedule()
        self._typed(f" To begin, with the freeze as it is, type {self._profile}: ")
        return self._done(f"{self._readiness.verdict}: {self._readiness.reason}")

    def _see_read_only(self) -> Done:
        mounted = self._mounted()
        if mounted is not None:
            text = f"mounted read-only on this host ({mounted}); whether others can write to it is not known"
            return self._done(text, {"mounted": True})
        self._talk.say(
            "  Make it read-only now; xsync does not write to it to find out. It looks when it last changed."
        )
        text = self._look()
        self._talk.say(f"  {text}")
        self._typed(f" If nobody can write to it any more, type {self._profile}: ")
        how = "confirmed with --yes, by nobody who looked" if self._yes else "confirmed by name"
        return self._done(f"{text}; {how}", {"mounted": False})

    def _final_delta(self) -> Done:
        from engine.journal.reader import read_snapshot
        from xsync_tui.cli.outcome import exit_code
        from xsync_tui.cli.running import read_report

        folder = self._run_delta()
        snapshot = read_snapshot(folder)
        code = exit_code(snapshot, gone=not snapshot.runner_alive)
        if not snapshot.status.ended or code == StoppedError.exit_code:
            self._stop(StoppedError.exit_code, "The final delta is not done.", "It goes on with")
        if code != 0:
            why = f"The final delta ended with: {snapshot.message}"
            self._keep(self._cutover.back_to("delta", why))
            self._stop(code, why, "Put that right, then")
        report = read_report(folder / "report.json")
        files = snapshot.totals.files
        text = f"{folder.name}: {files.transferred:,} sent, {files.deleted:,} deleted, 0 failed"
        return self._done(text, {"execution": folder.name, "started_at": report["started_at"]})

    def _verify(self) -> Done:
        if not self._verifies:
            return self._done("not done, as chosen: only what the final delta sent was verified, as it was sent")
        from engine.execution.cutover.checking import judge

        out = self._home.cutovers / f"{self._profile}-differences.parquet"
        with self._talk.listing() as listing:
            found = self._compare(out, listing)
        self._require_fresh_delta()
        judged = judge(found, self._delta_report())
        if not judged.good:
            whys = []
            if judged.changed:
                whys.append(f"The source changed since the final delta: {judged.changed}. It is not read-only.")
            if judged.differs:
                whys.append(f"The two sides differ: {judged.differs}. All of it: {out}")
            self._keep(self._cutover.back_to("delta", " ".join(whys)))
            for why in whys:
                self._talk.warn(f"  {why}")
            self._stop(DIFFERS, "Nothing is handed over: the final delta is to be done again.", "When it is quiet,")
        import msgspec

        text = f"{found.files:,} files and {found.folders:,} folders compared, nothing differs"
        if found.differences:
            text = text.replace("nothing", f"{found.differences['foreign']:,} at the destination alone, nothing else")
        return self._done(text, {"verification": msgspec.to_builtins(found)})

    def _sign_off(self) -> Done:
        from engine.execution.cutover.signoff import sign_off

        path = sign_off(self._home, self._cutover, self._who, self._delta_report(), time.time())
        return self._done(f"{path} and {path.with_suffix('.md').name}", {"report": str(path)})

    def _rollback(self) -> Done:
        from engine.execution.cutover.signoff import rollback_note

        for text in rollback_note(self._cutover):
            self._talk.paragraph(text)
        return self._done("shown, and in the sign-off report")

    def _hand_over(self) -> Done:
        from engine.execution.cutover.signoff import POINT_OF_NO_RETURN
        from engine.execution.scheduling.schedule import read_record

        if read_record(self._home, self._profile) is not None:
            raise RefusedError(
                f"{self._profile} has a schedule: its next run would replace what users write at the destination by "
                f"what the source had. First: xsync schedule remove {self._profile}, then this again"
            )
        self._talk.say(f"\n--- {POINT_OF_NO_RETURN}\n")
        self._typed(f" To hand {self._migration.destination.url} over to its users, type {self._profile}: ")
        return self._done("the destination is its users'; this profile must not be run again")

    # -- what they need ----------------------------------------------------------------------------------------

    def _run_delta(self) -> Path:
        """Run, continue or watch the final delta; the folder of its execution."""
        from engine.execution.earlier import resumable
        from engine.execution.launch import RunRequest, begin, create, resume
        from engine.journal.reader import read_snapshot
        from engine.model import Status

        folder = self._home.executions / (self._cutover.delta or "none")
        snapshot = read_snapshot(folder) if folder.is_dir() else None
        if snapshot is not None and snapshot.status not in (Status.SUPERSEDED, Status.CANCELLED):
            totals = snapshot.totals
            if snapshot.runner_alive:
                self._talk.watch(folder)
                return folder
            if snapshot.status.ended and not resumable(snapshot.status, totals.files.pending, totals.listing_complete):
                return folder

            def launch(detached: bool) -> Launched:
                return resume(folder, detached=detached)
        else:
            folder = create(RunRequest(delta_of(self._migration), self._profile))
            # Before it runs: if this process is killed, the next one goes on with that execution.
            self._keep(_with_delta(self._cutover, folder.name))

            def launch(detached: bool) -> Launched:
                return begin(folder, detached=detached)

        self._talk.run(launch)
        return folder

    def _compare(self, out: Path, listing: Listing) -> Verification:
        from engine.execution.comparing.verification import verify

        began_at = self._cutover.steps["delta"].facts["started_at"]
        return verify(
            delta_of(self._migration),
            out,
            strict=True,
            began_at=began_at,
            cancelled=listing.cancelled,
            on_progress=listing.show,
        )

    def _require_fresh_delta(self) -> None:
        """Go back to the final delta if it is gone, or another execution may have written to the destination since."""
        cutover = self._cutover
        gone = cutover.delta is None or not (self._home.executions / cutover.delta).is_dir()
        newer = None if gone else newer_execution(self._home, cutover)
        if gone or newer is not None:
            why = "The final delta's execution is gone." if gone else f"{newer} ran after the final delta."
            self._keep(cutover.back_to("delta", why))
            self._stop(DIFFERS, f"{why} It is to be done again.", "With nothing else running:")

    def _delta_report(self) -> dict[str, Any]:
        from xsync_tui.cli.running import read_report

        assert self._cutover.delta is not None
        report = read_report(self._home.executions / self._cutover.delta / "report.json")
        if not report:
            raise XsyncError(f"the report of {self._cutover.delta} is gone: xsync cutover {self._profile} --restart")
        return report

    def _mounted(self) -> str | None:
        from engine.execution.cutover.stillness import read_only_mount

        return read_only_mount(self._migration.source)

    def _look(self) -> str:
        from engine.execution.cutover.stillness import look, wait_until_quiet, words

        spec = self._migration.source
        with self._talk.listing() as listing:

            def look_once() -> Any:
                return look(
                    spec,
                    self._migration.filters,
                    self._home.cutovers,
                    cancelled=listing.cancelled,
                    on_progress=listing.show,
                )

            seconds = 60.0 * (self._wait_quiet or 0)
            seen = wait_until_quiet(look_once, seconds, cancelled=listing.cancelled)
        return words(seen, time.time(), spec)

    def _warn_of_schedule(self) -> None:
        from engine.execution.scheduling.schedule import read_record

        if read_record(self._home, self._profile) is not None:
            self._talk.say(
                f" {self._profile} has a schedule: a run of it in between undoes the final delta. Take it away: "
                f"xsync schedule remove {self._profile}"
            )

    # -- asking, telling, keeping ------------------------------------------------------------------------------

    def _require_consent(self) -> None:
        if not self._yes and not self._talk.answerable:
            raise RefusedError(
                f"a cutover asks before its steps, and nobody can answer here: xsync cutover {self._profile} on a "
                "terminal, or with --yes to confirm all of it. To see only whether it is time: --estimate"
            )

    def _typed(self, question: str) -> None:
        if self._yes:
            return
        if self._talk.typed(question).strip() != self._profile:
            raise RefusedError(f"not confirmed; nothing more is done. Go on: xsync cutover {self._profile}")

    def _done(self, text: str, facts: dict[str, Any] | None = None) -> Done:
        return Done(time.time(), self._who, text, facts or {})

    def _keep(self, cutover: Cutover) -> None:
        write_cutover(self._home, cutover)
        self._cutover = cutover

    def _stop(self, code: int, why: str, then: str) -> NoReturn:
        text = f"{why} {then} xsync cutover {self._profile}"
        next_step = self._cutover.next
        self._talk.record(
            {"type": "cutover", "profile": self._profile, "done": False, "next": next_step, "message": text}
        )
        self._talk.warn(f"\n{text}")
        raise _Stop(code)

    def _over(self, cutover: Cutover) -> int:
        report = cutover.steps["sign-off"].facts["report"]
        self._talk.record({"type": "cutover", "profile": self._profile, "done": True, "report": report})
        handed = cutover.steps["hand-over"]
        self._talk.say(
            f"\nThe cutover of {self._profile} is done, handed over {moment(handed.at)} by {handed.who}.\n"
            f"Report: {report}\nTo begin another: xsync cutover {self._profile} --restart"
        )
        return 0


def _with_delta(cutover: Cutover, execution: str) -> Cutover:
    import msgspec

    return msgspec.structs.replace(cutover, delta=execution)

"""What starts and ends migrations from a screen: the strip of each act, and what it does, as the commands do it."""

from __future__ import annotations

import subprocess
import sys

from engine.decoding import from_json
from engine.errors import XsyncError
from engine.journal.reader import read_migration
from engine.model import Migration, Snapshot, Status
from profiles import store
from profiles.schema import Profile
from xsync_tui import drafts
from xsync_tui.bridge import Bridge
from xsync_tui.cli.begun import ahead_words
from xsync_tui.cli.headline import Life, life_of
from xsync_tui.cli.outcome import files_left
from xsync_tui.drafting import Draft
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.frame import Act


def at_work(snapshot: Snapshot | None, now: float) -> bool:
    """Whether a runner works on it, as far as is known: then nothing else may begin at its destination."""
    return snapshot is not None and life_of(snapshot, now) in (Life.LIVE, Life.SILENT)


def run_act(profile: Profile) -> Act:
    """The strip before a profile is run."""
    deletes = profile.options.preserve_deleted_files == "REMOVE"
    effect = (
        f"Copies {profile.source.url} to {profile.destination.url}. What is there already and unchanged is skipped; "
        + ("what the source does not have is DELETED there." if deletes else "nothing is deleted.")
    )
    return Act("R", f"run {profile.name}", effect, "run", "start nothing", asked=False)


def run(bridge: Bridge, profile: Profile) -> str:
    """Start it, detached from this app. Blocks until its runner has accepted it. Raises XsyncError."""
    from engine.execution.launch import RunRequest, start
    from profiles.convert import to_migration

    launched = start(RunRequest(to_migration(profile), profile.name), detached=True)
    bridge.runners.append(launched.process)
    return f"{launched.execution} runs. It goes on when you leave."


def before_run(profile: Profile) -> str:
    """What a run of a profile would do about interrupted executions, in sentences. Reads journals."""
    from profiles.convert import to_migration

    return before_start(to_migration(profile), profile.name)


def before_start(migration: Migration, profile: str | None) -> str:
    """What a run of ``migration`` would do about interrupted executions, in sentences. Reads journals."""
    from engine.execution.earlier import look_back
    from engine.execution.launch import RunRequest, frozen

    try:
        return ahead_words(look_back(frozen(RunRequest(migration, profile))))
    except XsyncError:
        return ""  # the start will say it


def before_resume(bridge: Bridge, subject: Subject, profile: Profile | None) -> str:
    """In what the profile differs by now from the options that a resume goes on with. Reads a journal."""
    from engine.execution.earlier import differences
    from engine.execution.launch import RunRequest, frozen
    from profiles.convert import to_migration

    folder = bridge.folder_of(subject)
    if folder is None or profile is None:
        return ""
    try:
        keys = differences(read_migration(folder), frozen(RunRequest(to_migration(profile), profile.name)))
    except XsyncError:
        return ""
    changed = (
        f"The profile has changed since ({', '.join(keys)}): it goes on as it began. R on 3 Plan goes by the profile."
    )
    return changed if keys else ""


def resume_act(name: str) -> Act:
    """The strip before an interrupted execution goes on."""
    effect = "It goes on where it stopped. Finished files are not sent again; large files go on in the middle."
    return Act("R", f"resume {name}", effect, "resume", "start nothing", asked=False)


def resume(bridge: Bridge, subject: Subject) -> str:
    """Continue the subject's execution: ask its runner if that is paused, else start one. Raises XsyncError."""
    from engine.execution.launch import resume as launch

    folder = bridge.folder_of(subject)
    if folder is None:
        raise XsyncError(f"{subject.name} has no execution.")
    snapshot = bridge.snapshot(folder)
    if snapshot.runner_alive and snapshot.status is Status.PAUSED:
        said = bridge.answer(folder, bridge.ask(folder, "resume", {}))
        return f"resume: {said or 'asked; the runner has not answered yet'}"
    launched = launch(folder, detached=True)
    bridge.runners.append(launched.process)
    return f"{launched.execution} goes on."


def cancel_act(name: str, *, runs: bool) -> Act:
    """The strip before an execution is ended for good, by its runner or, where it has none any more, without."""
    effect = (
        "Ends this execution for good. Finished files stay at the destination; no half file is left there."
        if runs
        else "Ends this interrupted execution for good: it cannot be resumed. What it copied stays, and the next run "
        "does not send it again; its open uploads and temporary files are removed at the destination."
    )
    return Act("C", f"cancel {name}", effect, "cancel", "keep running" if runs else "leave it", typed=name)


def end(bridge: Bridge, subject: Subject) -> str:
    """End the subject's interrupted execution, in a process that goes on when this app does not. Raises XsyncError."""
    folder = bridge.folder_of(subject)
    if folder is None:
        raise XsyncError(f"{subject.name} has no execution.")
    command = [sys.executable, "-P", "-m", "xsync_tui", "cancel", folder.name, "--json"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, start_new_session=True, check=False)
    said = [from_json(line) for line in done.stdout.splitlines() if line.strip()]
    result = next((line for line in said if line["type"] == "result"), None)
    if result is None:
        raise XsyncError(next((line["message"] for line in said if line["type"] == "error"), f"code {done.returncode}"))
    answer = next(line["outcome"] for line in said if line["type"] == "answer")
    left = f"{folder.name} is cancelled, {files_left(bridge.snapshot(folder))}. What it copied counts."
    if done.returncode:
        raise XsyncError(f"{left} {answer}")
    return left


def retry_act(name: str) -> Act:
    """The strip before what failed is tried again."""
    effect = "Runs only what failed in the last execution, as a new one. Nothing else is looked at, counted or deleted."
    return Act("F", f"retry what failed in {name}", effect, "retry", "start nothing", asked=False)


def retry(bridge: Bridge, subject: Subject) -> str:
    """Run what failed in the subject's execution. Raises XsyncError."""
    from engine.execution.launch import begin
    from engine.execution.retry import prepare_retry
    from xsync_tui.cli.outcome import covers_line

    folder = bridge.folder_of(subject)
    if folder is None:
        raise XsyncError(f"{subject.name} has no execution.")
    prepared = prepare_retry(folder)
    if prepared is None:
        return f"Nothing failed in {folder.name}: there is nothing to retry."
    bridge.runners.append(begin(prepared.folder, detached=True).process)
    return covers_line(prepared.covers)


def delete_act(name: str) -> Act:
    """The strip before a profile is deleted."""
    effect = "Deletes this profile's file. Data on both sides, executions, surveys and reports stay."
    return Act("D", f"delete the profile {name}", effect, "delete", "keep it", typed=name, asked=False)


def delete(name: str) -> str:
    """Delete a profile. Raises ProfileError."""
    return f"Deleted: {store.delete(name)}"


def forget_act(draft: Draft) -> Act:
    """The strip before a draft is deleted."""
    effect = f"Forgets what was typed for this migration, up to step {draft.step}. Data, surveys and profiles stay."
    return Act("D", "delete the draft", effect, "delete", "keep it", asked=False)


def forget(bridge: Bridge, draft: Draft) -> str:
    """Delete a draft. Raises JournalError."""
    drafts.delete(bridge.home, draft.id)
    return "The draft is deleted."

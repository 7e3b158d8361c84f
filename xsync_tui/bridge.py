"""Between screens and what is on disk: blocking reads for threads, cached by what changes, and commands for runners."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from engine import cgroups
from engine.decoding import from_json
from engine.errors import JournalError, ProfileError
from engine.home import JOURNAL_NAME, Home, account_name, find_home, list_execution_folders
from engine.journal.agent_rates import Rates
from engine.journal.reader import SnapshotReader, read_migration
from engine.journal.records import Agreement, Command, Estimate
from engine.model import Failure, Sample, Snapshot
from profiles import store
from profiles.schema import Profile
from xsync_tui.drawing.facts import CutoverBrief, Execution, Facts, Host, Subject, SurveyBrief, plain_url

_Value = TypeVar("_Value")
Stamp = tuple[int, ...]


class _Cache(Generic[_Value]):
    """Values of files, read anew when the file's stamp changes."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[Stamp, _Value]] = {}

    def get(self, path: Path, stamp: Stamp, read: Callable[[], _Value]) -> _Value:
        kept = self._kept.get(path)
        if kept is None or kept[0] != stamp:
            kept = self._kept[path] = (stamp, read())
        return kept[1]

    def keep_only(self, paths: set[Path]) -> None:
        for path in self._kept.keys() - paths:
            del self._kept[path]


class Bridge:
    """Reads for screens. Every method blocks, so call it in a thread; any number of threads may."""

    def __init__(self, home: Home | None = None) -> None:
        self.home = home or find_home()
        self._lock = threading.RLock()
        self.runners: list[subprocess.Popen[bytes]] = []
        """Runners that this process started and that have not ended: they go on without it."""
        self._ended: _Cache[Execution] = _Cache()
        self._readers: dict[Path, SnapshotReader] = {}
        self._tests: dict[Path, bool] = {}
        self._profiles: _Cache[Profile | str] = _Cache()
        self._surveys: _Cache[SurveyBrief | None] = _Cache()

    def close(self) -> None:
        """Close all journals."""
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()

    def executions(self) -> list[Execution]:
        """All executions, oldest first. Raises JournalError where their folder cannot be read."""
        folders = list_execution_folders(self.home)
        with self._lock:
            self.runners[:] = [each for each in self.runners if each.poll() is None]  # or each would stay a zombie
            self._ended.keep_only(set(folders))
            for gone in self._readers.keys() - set(folders):
                self._readers.pop(gone).close()
            return [self._execution(folder) for folder in folders]

    def snapshot(self, folder: Path) -> Snapshot:
        """One execution as it is now; cheap while nothing changes. Raises JournalError."""
        with self._lock:
            return self._reader(folder).read()

    def samples(self, folder: Path, start: float, width: float, buckets: int) -> dict[int, Sample]:
        """Samples of times fixed by the clock, by number; see ``SnapshotReader.within``. Raises JournalError."""
        with self._lock:
            return self._reader(folder).within(start, width, buckets)

    def agent_rates(self, folder: Path, start: float, width: float, buckets: int) -> Rates:
        """Mean bytes/s of each agent in times fixed by the clock, by number. Raises JournalError."""
        with self._lock:
            return self._reader(folder).agent_rates(start, width, buckets)

    def estimates(self, folder: Path) -> list[Estimate]:
        """When it was said to end, since it last began to send, oldest first. Raises JournalError."""
        with self._lock:
            return self._reader(folder).estimates()

    def chosen_limits(self, folder: Path) -> list[tuple[float, float | None]]:
        """Limits that people chose, oldest first; see ``SnapshotReader.chosen_limits``. Raises JournalError."""
        with self._lock:
            return self._reader(folder).chosen_limits()

    def earlier_agreements(self, folder: Path) -> list[Agreement]:
        """Limits that were agreed before others took their place, oldest first. Raises JournalError."""
        with self._lock:
            return self._reader(folder).earlier_agreements()

    def is_test(self, execution: str) -> bool:
        """Whether it is a step of a test run. Raises JournalError."""
        folder = self.home.executions / execution
        if folder not in self._tests:
            self._tests[folder] = read_migration(folder).test
        return self._tests[folder]

    def unanswered(self, folder: Path) -> list[Command]:
        """What people asked of the runner and it has not answered yet, oldest first. Raises JournalError."""
        with self._lock:
            return self._reader(folder).unanswered()

    def failures(self, folder: Path) -> list[Failure]:
        """The failures that its journal kept. Raises JournalError."""
        with self._lock:
            return self._reader(folder).failures()

    def profiles(self) -> dict[str, Profile | str]:
        """Saved profiles by name; one that cannot be used is the text of why."""
        found = {name: store.path_of(name) for name in store.names()}
        with self._lock:
            self._profiles.keep_only(set(found.values()))
            return {name: self._profiles.get(path, _stamp(path), partial(_load, name)) for name, path in found.items()}

    def surveys(self) -> dict[str, SurveyBrief]:
        """The last survey of each location, by its plain URL."""
        paths = sorted(self.home.surveys.glob("*/survey.json"))
        with self._lock:
            self._surveys.keep_only(set(paths))
            briefs = [self._surveys.get(path, _stamp(path), partial(_brief, path)) for path in paths]
        known = sorted((brief for brief in briefs if brief is not None), key=lambda brief: brief.surveyed_at)
        return {plain_url(brief.location): brief for brief in known}

    def facts(self, subject: Subject) -> Facts:
        """What is known of a subject, without touching a source or a destination."""
        profile = self.profiles().get(subject.profile) if subject.profile else None
        problem = profile if isinstance(profile, str) else ""
        usable = profile if isinstance(profile, Profile) else None
        folder = self.folder_of(subject)
        found = None
        try:
            found = self.snapshot(folder) if folder is not None else None
        except JournalError as error:
            problem = problem or str(error)
        cutover = self._cutover(subject.profile) if subject.profile else None
        facts = Facts(subject, usable, problem, None, found, cutover)
        return facts._replace(survey=self.surveys().get(plain_url(facts.source)))

    def folder_of(self, subject: Subject) -> Path | None:
        """The folder of the execution a subject is about: the named one, else the newest of its profile, else None.

        Steps of test runs are about no profile: each copies a part.
        """
        if subject.execution is not None:
            folder = self.home.executions / subject.execution
            return folder if (folder / JOURNAL_NAME).exists() else None
        if subject.profile is None:
            return None
        found = [each for each in self.executions() if each.snapshot is not None and not each.test]
        mine = [e.folder for e in found if e.snapshot is not None and e.snapshot.profile == subject.profile]
        return mine[-1] if mine else None

    def cutovers(self) -> dict[str, CutoverBrief]:
        """Cutovers that were begun, by profile."""
        found = {name: self._cutover(name) for name in store.names()}
        return {name: brief for name, brief in found.items() if brief is not None}

    def schedules(self, now: float) -> tuple[dict[str, float], frozenset[str]]:
        """When each scheduled profile runs next (Unix time), and those whose schedule stopped itself."""
        from engine.execution.scheduling.schedule import read_records
        from engine.recurrence import Recurrence

        records = read_records(self.home)
        due = {each.name: next(Recurrence(each.cron).after(now)) for each in records if each.stopped_at is None}
        return due, frozenset(each.name for each in records if each.stopped_at is not None)

    def live(self) -> list[Snapshot]:
        """Executions that a living runner works on."""
        found = [each.snapshot for each in self.executions() if each.snapshot is not None]
        return [each for each in found if each.runner_alive and not each.status.ended]

    def host(self) -> Host:
        """The host as it is now."""
        import psutil

        links = {n: each.speed for n, each in psutil.net_if_stats().items() if each.isup and n != "lo" and each.speed}
        link = max(links, key=lambda name: links[name], default="")
        base = self.home.base
        while not base.exists():
            base = base.parent
        speed = links.get(link, 0) * 1e6
        return Host(socket.gethostname(), link, speed, cgroups.cores_here(), shutil.disk_usage(base).free)

    def who(self) -> str:
        """Who asks for what is asked for here."""
        return who()

    def ask(self, folder: Path, verb: str, arguments: Mapping[str, Any]) -> int:
        """Ask a runner for something through its journal, as the commands do. Returns the number of its answer.

        Raises JournalError, UsageError.
        """
        from engine.journal.commands import ask

        return ask(folder, verb, arguments, self.who())

    def answer(self, folder: Path, number: int, seconds: float = 10.0) -> str | None:
        """Wait up to ``seconds`` for what a runner says to a command. Raises JournalError."""
        from engine.journal.commands import outcome_of

        deadline = time.monotonic() + seconds
        while (outcome := outcome_of(folder, number)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        return outcome

    def _execution(self, folder: Path) -> Execution:
        stamp = (*_stamp(folder / JOURNAL_NAME), *_stamp(folder / f"{JOURNAL_NAME}-wal"))
        try:
            return self._ended.get(folder, stamp, lambda: self._read(folder))
        except _NotEnded as still:
            return still.execution

    def _read(self, folder: Path) -> Execution:
        """Raises _NotEnded for what is to be read again each time."""
        try:
            snapshot = self._reader(folder).read()
            if folder not in self._tests:
                self._tests[folder] = read_migration(folder).test
        except JournalError as error:
            raise _NotEnded(Execution(folder, None, str(error))) from None
        if not snapshot.status.ended:
            raise _NotEnded(Execution(folder, snapshot, test=self._tests[folder]))
        self._readers.pop(folder).close()
        return Execution(folder, snapshot, test=self._tests[folder])

    def _reader(self, folder: Path) -> SnapshotReader:
        reader = self._readers.get(folder)
        if reader is None:
            reader = self._readers[folder] = SnapshotReader(folder)
        return reader

    def _cutover(self, profile: str) -> CutoverBrief | None:
        try:
            return from_json((self.home.cutovers / f"{profile}.json").read_bytes(), CutoverBrief)
        except (OSError, msgspec.DecodeError):
            return None


class _NotEnded(Exception):
    """Carries what is not to be cached."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution


def who() -> str:
    """This account at this host, as it stands beside what it asked for."""
    return f"{account_name(os.geteuid())}@{socket.gethostname()}"


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _load(name: str) -> Profile | str:
    try:
        return store.load(name)
    except ProfileError as error:
        return str(error)


def _brief(path: Path) -> SurveyBrief | None:
    try:
        return from_json(path.read_bytes(), SurveyBrief)
    except (OSError, msgspec.DecodeError):
        return None

"""What screens know of a migration, as values: the subject, its profile, survey, execution and cutover. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from engine.model import Snapshot
from profiles.schema import Profile


class Subject(NamedTuple):
    """What the screens are about: a saved profile, one execution (its folder's name), or a bare location.

    ``draft``: the id of a migration that is still being described; its location is its source.
    """

    profile: str | None = None
    execution: str | None = None
    location: str | None = None
    draft: str | None = None

    @property
    def name(self) -> str:
        """As a person calls it; empty if it is about nothing yet."""
        return self.profile or self.execution or self.location or ("draft" if self.draft else "")


class SurveyBrief(msgspec.Struct, frozen=True):
    """The part of a survey's report that tells that there is one. ``surveyed_at``: Unix time."""

    location: str
    surveyed_at: float
    partial: bool
    files: int
    bytes: int
    seconds: float


class CutoverBrief(msgspec.Struct, frozen=True):
    """Which steps of a cutover are done, by their names in ``engine.execution.cutover.record.STEPS``."""

    steps: dict[str, Any] = {}


class Execution(NamedTuple):
    """An execution: a snapshot, or the reason why its journal cannot be read. ``test``: it is a step of a test run."""

    folder: Path
    snapshot: Snapshot | None
    problem: str = ""
    test: bool = False


class Facts(NamedTuple):
    """What is known of a subject. ``problem``: why its profile or its journal cannot be used."""

    subject: Subject
    profile: Profile | None = None
    problem: str = ""
    survey: SurveyBrief | None = None
    snapshot: Snapshot | None = None
    cutover: CutoverBrief | None = None

    @property
    def source(self) -> str:
        """Its URL, as the user wrote it."""
        if self.snapshot is not None and self.profile is None:
            return self.snapshot.source
        return self.profile.source.url if self.profile else self.subject.location or ""

    @property
    def destination(self) -> str:
        """Its URL; empty where there is none yet."""
        if self.profile is not None:
            return self.profile.destination.url
        return self.snapshot.destination if self.snapshot else ""


class Host(NamedTuple):
    """The host: its name, its fastest link and that one's bits/s (0: unknown), processors, bytes free for the state.

    ``cores``: those that xsync may use, with quotas of their time.
    """

    name: str
    link: str
    link_bits: float
    cores: float
    free_bytes: int


def plain_url(url: str) -> str:
    """A location's URL such that a folder reads the same with and without ``file://`` and a slash at its end."""
    return url.removeprefix("file://").rstrip("/") or "/"

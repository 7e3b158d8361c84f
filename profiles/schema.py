"""What a profile may hold: the sections of its TOML file, key by key. Quantities stay as the user wrote them."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
AgentCount = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Place(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A source or destination. Credentials come from the environment or ``aws_profile``, never from here.

    ``mounts``: other folders where the same export is mounted, perhaps from other addresses of its server.
    ``interfaces``: network interfaces that agents reach a bucket through, in turn.
    """

    url: str
    region: str | None = None
    endpoint_url: str | None = None
    aws_profile: str | None = None
    storage_class: str | None = None
    addressing: Literal["path", "virtual"] | None = None
    ca_bundle: str | None = None
    mounts: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    kms_key_id: str | None = None
    bucket_owner: Annotated[str, msgspec.Meta(pattern=r"^\d{12}$")] | None = None


class FilterSection(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """DataSync patterns, one or several (``|``) an entry, the path of a manifest, and which files by age and size."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    manifest: str | None = None
    min_age: str | None = None
    max_age: str | None = None
    min_size: str | None = None
    max_size: str | None = None


class OptionSection(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """DataSync's task options with DataSync's values, as far as a profile may say them; None is the default."""

    verify_mode: Literal["POINT_IN_TIME_CONSISTENT", "ONLY_FILES_TRANSFERRED", "NONE"] | None = None
    overwrite_mode: Literal["ALWAYS", "NEVER", "NEWER"] | None = None
    transfer_mode: Literal["CHANGED", "ALL"] | None = None
    preserve_deleted_files: Literal["PRESERVE", "REMOVE"] | None = None
    max_deletions: Annotated[int, msgspec.Meta(ge=0)] | None = None
    max_deletion_share: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    delete_foreign: bool | None = None
    preserve_devices: Literal["PRESERVE", "NONE"] | None = None
    posix_permissions: Literal["PRESERVE", "NONE"] | None = None
    uid: Literal["INT_VALUE", "NAME", "BOTH", "NONE"] | None = None
    gid: Literal["INT_VALUE", "NAME", "BOTH", "NONE"] | None = None
    mtime: Literal["PRESERVE", "NONE"] | None = None
    atime: Literal["BEST_EFFORT", "NONE"] | None = None
    bytes_per_second: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    task_queueing: Literal["ENABLED", "DISABLED"] | None = None
    log_level: Literal["OFF", "BASIC", "TRANSFER"] | None = None
    security_descriptor_copy_flags: Literal["NONE", "OWNER_DACL", "OWNER_DACL_SACL"] | None = None
    object_tags: Literal["PRESERVE", "NONE"] | None = None
    invalid_names: Literal["escape", "fail"] | None = None
    delta: Literal["state", "destination"] | None = None
    drift_every: Annotated[int, msgspec.Meta(ge=0)] | None = None
    checksum: bool | None = None


class TimetableEntry(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A bandwidth limit for some hours of some days."""

    days: str
    hours: str
    limit: str


class NetworkSection(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The link: its bandwidth, the known cap of one agent's path, how much of it to plan for, limits by the hour."""

    bandwidth: str | None = None
    per_agent: str | None = None
    utilisation: Share | None = None
    timetable: tuple[TimetableEntry, ...] = ()


class NotifySection(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whom to tell about an execution. The URL of a webhook stays in the environment, under ``webhook_variable``."""

    command: tuple[str, ...] = ()
    webhook_variable: str | None = None
    on: tuple[Literal["end", "failure", "stall"], ...] = ("end", "failure", "stall")


class TaskSection(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How the dataset is cut: a task for each folder of ``level`` (1: those in the root), or even ones by default."""

    level: Annotated[int, msgspec.Meta(ge=1, le=16)] | None = None


class CutoverSection(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How long the source may be frozen at the end."""

    window: str | None = None


class ScheduleSection(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """When ``xsync schedule install`` has the profile run: five fields of cron, or an interval; one of them."""

    cron: str | None = None
    every: str | None = None


class MeasuredStep(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A step of a test run: what so many agents reached together, and the limit in bytes/s if it held them back."""

    agents: AgentCount
    files_per_second: float
    bytes_per_second: float
    steady: bool = True
    limit_bytes_per_second: float | None = None


class MeasuredSection(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a test run found, and when. Rates are those of one agent, and absent where nothing showed them.

    ``agents``: the most that were tried. ``margin``: how far the rates may be off, as a share. ``shared_*``: what all
    agents together cannot exceed, and what that is a limit of.
    """

    date: datetime.datetime | None = None
    agents: AgentCount | None = None
    files_per_second: float | None = None
    bytes_per_second: float | None = None
    margin: Share | None = None
    verdict: str | None = None
    bottleneck: str | None = None
    shared_bytes_per_second: float | None = None
    shared_files_per_second: float | None = None
    shared_scope: Literal["host", "link", "source", "destination"] | None = None
    steps: tuple[MeasuredStep, ...] = ()


class Profile(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The saved description of a migration."""

    schema: Literal[1]
    name: str
    source: Place
    destination: Place
    agents: AgentCount | None = None
    filters: FilterSection = FilterSection()
    options: OptionSection = OptionSection()
    network: NetworkSection = NetworkSection()
    tasks: TaskSection = TaskSection()
    cutover: CutoverSection = CutoverSection()
    schedule: ScheduleSection = ScheduleSection()
    measured: MeasuredSection = MeasuredSection()
    notify: NotifySection = NotifySection()
    metrics_file: str | None = None

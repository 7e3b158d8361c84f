"""What a destination cannot hold or charges more for, as SQL, each with what xsync will do and what to do. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from engine.locations.storage_classes import storage_class
from engine.model import Fate, Kind
from engine.names import BACKSLASH
from engine.survey.columns import IS_ENTRY, IS_FILE, PATH

WIDE_ENTRIES = 1_000_000
"""Entries of one folder from which on servers list slowly, and a run lists it in slices."""

DEEP_NAMES = 100
"""Names of a path from which on tools begin to fail; 4,095 bytes is the limit of a path on Linux."""

ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
"""Classes whose objects cannot be read before they are restored."""


class Target(msgspec.Struct, frozen=True):
    """What a destination can hold. Sizes in bytes; ``max_path_bytes`` without the prefix or root that comes before.

    ``folds``: names that differ in case or Unicode form alone are one there, or may be. ``url`` None: of no place yet.
    """

    url: str | None
    objects: bool
    max_path_bytes: int
    max_name_bytes: int
    max_file_bytes: int
    folds: bool
    storage_class: str | None = None


ANYWHERE = Target(None, True, 1_024, 1_024, 5 << 40, True)
"""Where the destination is not known yet: a bucket by the narrowest limits, and names that fold."""


class Rule(NamedTuple):
    """A kind of hazard: SQL that is true of such entries, and what to say."""

    kind: str
    where: str
    advice: str


def entry_rules(target: Target) -> list[Rule]:
    """Those that one entry alone can break."""
    root_device = "(SELECT any_value(dev) FROM entries WHERE dir = ''::BLOB AND name = ''::BLOB)"
    not_utf8 = r"unusual AND regexp_matches(name::VARCHAR, '\\x[89A-F]') AND TRY(decode(name)) IS NULL"
    unsafe = f"fate = {int(Fate.UNREADABLE)} AND starts_with(error, 'unsafe name')"
    archived = ", ".join(f"'{name}'" for name in ARCHIVED)
    rules = [
        _too_long(target),
        Rule(
            "name not UTF-8",
            not_utf8,
            "Copied under an escaped key, and back under its own name; other tools show the escapes. DataSync fails."
            if target.objects
            else "Copied byte for byte, if the file system takes it. Tools on other systems may not show it.",
        ),
        Rule(
            "control character in name",
            r"unusual AND regexp_matches(name::VARCHAR, '\\x([01]|7F)')",
            "Copied as it is. Many tools cannot list, show or delete such names: rename it if others must.",
        ),
        Rule(
            "unsafe name",
            unsafe,
            "Left out and reported: a path segment is empty, . or .. (as in a//b). Copy it to another key first.",
        ),
        Rule(
            "unreadable",
            f"fate = {int(Fate.UNREADABLE)} AND NOT coalesce(starts_with(error, 'unsafe name'), false)",
            "Reported as failed, and the run ends with exit code 3. Run as an account that may read it, or exclude it.",
        ),
        Rule(
            "special file",
            f"kind = {int(Kind.SPECIAL)}",
            "Left out: sockets always, FIFOs and devices unless preserve_devices is set.",
        ),
        Rule(
            "nested mount",
            f"kind = {int(Kind.FOLDER)} AND dev <> {root_device}",
            "Not entered, nothing below it is counted or copied. Migrate it as a source of its own.",
        ),
        Rule(
            f"file over {_size(target.max_file_bytes)}",
            f"{IS_FILE} AND size > {target.max_file_bytes}",
            "The destination cannot hold it: reported as failed. Split it, or choose another destination for it.",
        ),
        Rule(
            "archived object",
            f"{IS_FILE} AND storage_class IN ({archived})",
            "Cannot be read: reported as failed. Restore it first (S3 Batch Operations), and plan the time and cost.",
        ),
        Rule(
            "file without data on disk",
            f"{IS_FILE} AND size >= 65536 AND blocks <= 1",
            "All holes, or moved to tape: then reading recalls it, slowly. Ask who runs the archive; recall ahead.",
        ),
    ]
    if target.objects:
        rules.append(
            Rule(
                BACKSLASH,
                r"unusual AND contains(name::VARCHAR, '\x5C')",
                "Amazon S3 keeps it. Where a server makes a slash of it, the file is reported as failed: rename it.",
            )
        )
    else:
        rules.append(
            Rule(
                f"name over {target.max_name_bytes} bytes",
                f"octet_length(name) > {target.max_name_bytes}",
                "The destination cannot hold it: reported as failed. Rename it at the source.",
            )
        )
    return rules + _small_objects(target)


def _too_long(target: Target) -> Rule:
    length = "octet_length(dir) + octet_length(name) + (dir <> ''::BLOB)::INT"
    if not target.objects:
        return Rule(
            f"path over {target.max_path_bytes:,} bytes",
            f"{length} > {target.max_path_bytes}",
            "The destination cannot hold it: reported as failed. Shorten folder names, or migrate that folder alone.",
        )
    marker = f"(kind = {int(Kind.FOLDER)})::INT"
    return Rule(
        "key over 1,024 bytes",
        f"{length} + {marker} > {target.max_path_bytes}",
        "S3 cannot hold it, the prefix counted: reported as failed. Shorten folder names, or take a shorter prefix.",
    )


def _small_objects(target: Target) -> list[Rule]:
    """What a cold storage class charges more for."""
    kind = storage_class(target.storage_class)
    if not kind.small_bytes:
        return []
    return [
        Rule(
            f"object under {kind.small_bytes >> 10} KiB in {kind.name}",
            f"{IS_FILE} AND size < {kind.small_bytes}",
            f"Copied, and {kind.small}. Put small files into STANDARD, or pack them first.",
        )
    ]


def folder_rules(target: Target) -> list[Rule]:
    """Those about whole folders; ``where`` is a query of their paths."""
    depth = "CASE WHEN text = '' THEN 0 ELSE 1 + len(text) - len(replace(text, '/', '')) END"
    found = [
        Rule(
            "folder not listed",
            f"SELECT dir AS path FROM listed WHERE NOT ({IS_ENTRY}) AND error IS NOT NULL",
            "Not in these figures, and a run reports it as failed. Give this account the right to list it.",
        ),
        Rule(
            f"folder with over {WIDE_ENTRIES:,} entries",
            f"SELECT dir AS path FROM folders WHERE entries > {WIDE_ENTRIES}",
            "Copied while it is listed. Filters cannot cut one folder: its task may be the longest.",
        ),
        Rule(
            f"folder deeper than {DEEP_NAMES} levels",
            f"SELECT dir AS path FROM folders WHERE {depth} > {DEEP_NAMES}",
            "Copied, but slowly; many other tools stop there. Look whether copies of copies made it.",
        ),
    ]
    if not target.objects:
        folders = f"SELECT dir, name FROM entries WHERE kind = {int(Kind.FOLDER)}"
        clash = f"SELECT {PATH} AS path FROM entries SEMI JOIN ({folders}) USING (dir, name) WHERE {IS_FILE}"
        advice = "A file system holds one of the two: the object is reported as failed. Give it another key."
        found.append(Rule("object and folder of one name", clash, advice))
    return found


def _size(size: int) -> str:
    return f"{size / (1 << 40):,.3g} TiB" if size >= 1 << 40 else f"{size / (1 << 30):,.3g} GiB"

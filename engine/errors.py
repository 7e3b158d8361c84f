"""One tree of errors; each class knows its exit code.

XsyncError                    1  something failed that a person can act on
|-- UsageError                2  bad command line, quantity, filter or manifest
|   `-- ProfileError          2  bad profile: names file, key, nearest valid key
|-- LocationError             1  a source or destination cannot be used
|   |-- WrongPlaceError       2  not there, or not for these credentials or options: what was typed has to change
|   |-- SourceError           1
|   |   |-- WrongSourceError  2  both
|   |   `-- SilentSourceError 1  the source does not answer now, and may later
|   `-- DestinationError      1
|       |-- WrongDestinationError 2  both
|       |-- UploadGoneError   1  a multipart upload vanished: the file starts again
|       |-- UnavailableError  1  the destination does not answer now, and may later
|       `-- ExistsError     1  there is something already, and nothing may be replaced
|-- JournalError              1  the journal cannot be read, written or is of another version
|   `-- StorageFullError      1  the disk of the state folder is full
|-- FleetError                1  agents cannot be started or joined
|-- RefusedError              4  refused for safety: says what would be lost
|   `-- BusyError             4  another run holds the destination: says who
`-- StoppedError         5  cancelled or interrupted

Failures of single files are data (``model.Failure``), never exceptions that cross a unit.
"""

from __future__ import annotations

from typing import ClassVar


class XsyncError(Exception):
    """A failure with a message for a person: what happened to what, what was expected, what to do."""

    exit_code: ClassVar[int] = 1


class UsageError(XsyncError):
    """Something the user typed is not valid."""

    exit_code = 2


class ProfileError(UsageError):
    """A profile cannot be loaded, saved or is not valid."""


class LocationError(XsyncError):
    """A location cannot be reached or used."""


class WrongPlaceError(LocationError):
    """What was named is not there, or does not take these credentials or options."""

    exit_code = 2


class SourceError(LocationError):
    """The source cannot be read."""


class WrongSourceError(WrongPlaceError, SourceError):
    """The source as it was named cannot be read: correct it."""


class SilentSourceError(SourceError):
    """The source does not answer or is too busy: the same request may succeed later."""


class DestinationError(LocationError):
    """The destination cannot be written."""


class WrongDestinationError(WrongPlaceError, DestinationError):
    """The destination as it was named cannot be written: correct it."""


class UploadGoneError(DestinationError):
    """A multipart upload no longer exists and the destination does not hold its content."""


class UnavailableError(DestinationError):
    """The destination does not answer or is too busy: the same request may succeed later."""


class ExistsError(DestinationError):
    """Something is there already, and nothing may be replaced."""


class JournalError(XsyncError):
    """The journal of an execution cannot be used."""


class StorageFullError(JournalError):
    """The disk of the state folder is full: what was to be recorded was not, and nothing recorded before is lost."""


class FleetError(XsyncError):
    """Agents cannot be started, reached or kept."""


class RefusedError(XsyncError):
    """Refused because data could be lost or mixed up."""

    exit_code = 4


class BusyError(RefusedError):
    """Another execution holds this destination."""


class StoppedError(XsyncError):
    """Cancelled or interrupted before the end."""

    exit_code = 5

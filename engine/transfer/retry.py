"""Pure retry policy: what an error means, when to try again, how many requests to keep in flight.

Codes are those of the S3 API (``<Code>`` of an error body) or names of the Common Runtime (``AWS_...``).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What an error says about the next attempt."""

    THROTTLED = "throttled"  # try again, with fewer requests in flight
    TRANSIENT = "transient"  # try again
    UNREACHABLE = "unreachable"  # try again; when that does not help, nothing can be sent
    EXISTS = "exists"  # the destination holds the key and must not be overwritten
    DENIED = "denied"  # permanent for this file; for all of them if nothing ever succeeded
    PERMANENT = "permanent"  # this file cannot be sent
    FATAL = "fatal"  # nothing can be sent
    CANCELLED = "cancelled"  # stopped by ourselves


class Fault(NamedTuple):
    """One failed attempt."""

    kind: Kind
    code: str
    detail: str = ""
    at_source: bool = False

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class SendError(Exception):
    """A request that failed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


_BY_CODE = {
    **dict.fromkeys(
        ("SlowDown", "ServiceUnavailable", "TooManyRequests", "RequestLimitExceeded", "Throttling", "Busy"),
        Kind.THROTTLED,
    ),
    **dict.fromkeys(
        (
            "InternalError",
            "RequestTimeout",
            "BadDigest",
            "IncompleteBody",
            "OperationAborted",
            "ConditionalRequestConflict",
            "XAmzContentSHA256Mismatch",
            "InvalidResponse",
            "connection failed",
        ),
        Kind.TRANSIENT,
    ),
    **dict.fromkeys(
        (
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "ExpiredToken",
            "InvalidToken",
            "TokenRefreshRequired",
            "AuthorizationHeaderMalformed",
            "AuthorizationQueryParametersError",
            "RequestTimeTooSkewed",
            "NoSuchBucket",
            "InvalidStorageClass",
            "PermanentRedirect",
            "AllAccessDisabled",
            "AccountProblem",
            "NotSignedUp",
            "TLS error",
            "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE",
        ),
        Kind.FATAL,
    ),
    **dict.fromkeys(("PreconditionFailed", "412"), Kind.EXISTS),
    **dict.fromkeys(("AccessDenied", "AccessForbidden", "403"), Kind.DENIED),
    "AWS_ERROR_S3_CANCELED": Kind.CANCELLED,
    "no connection": Kind.UNREACHABLE,
    **dict.fromkeys(("InvalidObjectState", "NotImplemented", "501"), Kind.PERMANENT),
}

_BY_PREFIX = (
    ("AWS_ERROR_S3_SLOW_DOWN", Kind.THROTTLED),
    ("AWS_IO_DNS", Kind.UNREACHABLE),
    ("AWS_ERROR_HTTP_PROXY", Kind.UNREACHABLE),
    ("AWS_IO_SOCKET_CONNECTION_REFUSED", Kind.UNREACHABLE),
    ("AWS_IO_SOCKET_NO_ROUTE", Kind.UNREACHABLE),
    ("AWS_IO_SOCKET_NETWORK_DOWN", Kind.UNREACHABLE),
    ("AWS_IO_SOCKET_TIMEOUT", Kind.UNREACHABLE),
    ("AWS_IO_", Kind.TRANSIENT),
    ("AWS_ERROR_HTTP_", Kind.TRANSIENT),
    ("AWS_ERROR_S3_", Kind.TRANSIENT),
)


def classify(code: str, status: int | None, detail: str = "") -> Fault:
    """What an error means. ``status`` is the HTTP status, None without a response."""
    kind = _BY_CODE.get(code)
    if kind is None and status:
        kind = _of_status(status)
    if kind is None:
        kind = next((kind for prefix, kind in _BY_PREFIX if code.startswith(prefix)), Kind.PERMANENT)
    return Fault(kind, code, detail)


def _of_status(status: int) -> Kind | None:
    if status in (429, 503):
        return Kind.THROTTLED
    if status == 412:
        return Kind.EXISTS
    if status in (301, 307):
        return Kind.FATAL
    if status == 408 or status >= 500:
        return Kind.TRANSIENT
    return Kind.PERMANENT if status >= 400 else None


def retryable(kind: Kind) -> bool:
    """Whether another attempt can help."""
    return kind in (Kind.THROTTLED, Kind.TRANSIENT, Kind.UNREACHABLE)


FIRST_DELAY_SECONDS = 0.1
"""Upper bound of the first delay; it doubles with each attempt."""

LONGEST_DELAY_SECONDS = 20.0


def delay(attempt: int, elapsed: float, budget: float, jitter: float) -> float | None:
    """Seconds to wait before the next attempt, or None to give up.

    ``attempt`` counts the failed ones from 1, ``elapsed`` are seconds since the first of them, ``budget`` how many
    seconds a file may be retried, ``jitter`` is random in [0, 1): the delay lies in the upper half of its bound, so
    that clients that failed together do not come back together.
    """
    bound: float = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempt - 1, 16))
    seconds = bound * (0.5 + 0.5 * jitter)
    return seconds if elapsed + seconds <= budget else None


DENIED_ATTEMPTS = 4
"""How often what is denied is tried while nothing else has succeeded: the first one may be the only one."""


def concerns_all(kind: Kind, attempt: int, *, succeeded: bool) -> bool | None:
    """Whether a failure means that nothing can be sent; None if that cannot be told yet.

    ``attempt`` counts the failed ones from 1; ``succeeded``: something else was not denied.
    """
    if kind is Kind.DENIED and not succeeded:
        return True if attempt >= DENIED_ATTEMPTS else None
    return kind is Kind.FATAL


class Backoff:
    """How many requests may be in flight: halved when the server says so, one more per full window of successes."""

    COOL_SECONDS = 1.0
    """Errors of requests sent before the last decrease must not decrease again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._window = float(limit)
        self._cooled_at = float("-inf")

    @property
    def window(self) -> int:
        """Requests that may be in flight, at least 1."""
        return int(self._window)

    @property
    def full(self) -> bool:
        """True when nothing is held back."""
        return self._window >= self._limit

    def slowed(self, now: float) -> None:
        """The server throttled a request at ``now`` (seconds, monotonic)."""
        if now - self._cooled_at >= self.COOL_SECONDS:
            self._cooled_at = now
            self._window = max(1.0, self._window / 2)

    def succeeded(self) -> None:
        """A request succeeded."""
        self._window = min(float(self._limit), self._window + 1 / self._window)

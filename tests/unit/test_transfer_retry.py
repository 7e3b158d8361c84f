"""What errors mean, how long to wait, and how many requests to keep in flight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.transfer.crt import error_in, fault_of
from engine.transfer.retry import (
    DENIED_ATTEMPTS,
    LONGEST_DELAY_SECONDS,
    Backoff,
    Kind,
    classify,
    concerns_all,
    delay,
    retryable,
)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("SlowDown", 503, Kind.THROTTLED),
        ("AWS_ERROR_S3_SLOW_DOWN", None, Kind.THROTTLED),
        ("AWS_ERROR_S3_SLOW_DOWN", 503, Kind.THROTTLED),
        ("429", 429, Kind.THROTTLED),
        ("InternalError", 500, Kind.TRANSIENT),
        ("InternalError", 200, Kind.TRANSIENT),
        ("InvalidResponse", 200, Kind.TRANSIENT),
        ("NotImplemented", 501, Kind.PERMANENT),
        ("501", 501, Kind.PERMANENT),
        ("BadDigest", 400, Kind.TRANSIENT),
        ("RequestTimeout", 400, Kind.TRANSIENT),
        ("502", 502, Kind.TRANSIENT),
        ("AWS_IO_SOCKET_CLOSED", None, Kind.TRANSIENT),
        ("AWS_ERROR_HTTP_CONNECTION_CLOSED", None, Kind.TRANSIENT),
        ("AWS_IO_DNS_INVALID_NAME", None, Kind.UNREACHABLE),
        ("AWS_IO_SOCKET_CONNECTION_REFUSED", None, Kind.UNREACHABLE),
        ("AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE", None, Kind.FATAL),
        ("InvalidAccessKeyId", 403, Kind.FATAL),
        ("SignatureDoesNotMatch", 403, Kind.FATAL),
        ("ExpiredToken", 400, Kind.FATAL),
        ("NoSuchBucket", 404, Kind.FATAL),
        ("PermanentRedirect", 301, Kind.FATAL),
        ("301", 301, Kind.FATAL),
        ("AccessDenied", 403, Kind.DENIED),
        ("PreconditionFailed", 412, Kind.EXISTS),
        ("KeyTooLongError", 400, Kind.PERMANENT),
        ("EntityTooLarge", 400, Kind.PERMANENT),
        ("AWS_ERROR_S3_CANCELED", None, Kind.CANCELLED),
        ("TypeError", None, Kind.PERMANENT),
    ],
)
def test_an_error_is_what_its_code_and_status_say(code: str, status: int | None, kind: Kind) -> None:
    assert classify(code, status).kind is kind


def test_only_passing_errors_are_tried_again() -> None:
    assert {kind for kind in Kind if retryable(kind)} == {Kind.THROTTLED, Kind.TRANSIENT, Kind.UNREACHABLE}


def test_the_code_of_the_body_beats_the_name_of_the_runtime() -> None:
    body = b"<?xml?><Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>"
    fault = fault_of(ValueError("x"), 400, body)
    assert (fault.kind, fault.code) == (Kind.FATAL, "ExpiredToken")
    assert str(fault) == "ExpiredToken: The token has expired. (HTTP 400)"


def test_a_body_without_error_holds_none() -> None:
    assert error_in(b"<Result/>") == (None, "")
    assert error_in(None) == (None, "")


@given(attempt=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_delays_grow_to_a_bound_and_never_collapse(attempt: int, jitter: float) -> None:
    seconds = delay(attempt, 0, 1e9, jitter)
    assert seconds is not None
    assert 0.05 <= seconds <= LONGEST_DELAY_SECONDS
    later = delay(attempt + 1, 0, 1e9, jitter)
    assert later is not None
    assert later >= seconds


def test_clients_that_failed_together_do_not_come_back_together() -> None:
    assert delay(8, 0, 1e9, 0.0) != delay(8, 0, 1e9, 0.9)


@given(attempt=st.integers(1, 100), elapsed=st.floats(0, 1000), jitter=st.floats(0, 1, exclude_max=True))
def test_no_retry_begins_after_the_budget(attempt: int, elapsed: float, jitter: float) -> None:
    seconds = delay(attempt, elapsed, 300, jitter)
    assert (seconds is None) == (elapsed + (delay(attempt, 0, 1e9, jitter) or 0) > 300)


def test_throttling_halves_the_window_once_per_burst_and_success_widens_it() -> None:
    backoff = Backoff(64)
    for _ in range(50):
        backoff.slowed(10.0)  # one burst: requests that were sent before the first answer
    assert backoff.window == 32
    backoff.slowed(11.5)
    assert backoff.window == 16
    for _ in range(16 + 17 + 1):
        backoff.succeeded()
    assert 17 <= backoff.window <= 18
    for _ in range(10_000):
        backoff.succeeded()
    assert backoff.window == 64
    assert backoff.full


def test_the_window_never_closes() -> None:
    backoff = Backoff(2)
    for second in range(20):
        backoff.slowed(second * 2.0)
    assert backoff.window == 1


def test_what_is_denied_concerns_all_only_if_nothing_else_succeeds() -> None:
    assert concerns_all(Kind.DENIED, 1, succeeded=False) is None
    assert concerns_all(Kind.DENIED, DENIED_ATTEMPTS, succeeded=False) is True
    assert concerns_all(Kind.DENIED, DENIED_ATTEMPTS, succeeded=True) is False
    assert concerns_all(Kind.FATAL, 1, succeeded=True) is True
    assert concerns_all(Kind.TRANSIENT, 9, succeeded=False) is False

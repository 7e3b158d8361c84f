"""A location on a server: the real one, or one that answers as told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from engine.locations.s3 import S3Location
from engine.model import LocationSpec
from tests.integration.s3_stub import Answer, Respond

Stub = Callable[[Respond], AbstractContextManager[S3Location]]
"""Opens a location on a server that answers so."""


@contextmanager
def opened(spec: LocationSpec) -> Iterator[S3Location]:
    location = S3Location(spec)
    try:
        yield location
    finally:
        location.close()


def always(answer: Answer) -> Respond:
    return lambda _: answer

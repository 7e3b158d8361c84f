"""The connection to an S3 endpoint: region, addressing, certificates, proxy, and botocore for the control plane."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, cast
from urllib.parse import quote, urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from engine import __version__
from engine.errors import (
    DestinationError,
    LocationError,
    SilentSourceError,
    SourceError,
    UnavailableError,
    WrongDestinationError,
    WrongPlaceError,
    WrongSourceError,
)
from engine.locations.credentials import new_session, proxy_for
from engine.locations.registry import bucket_and_prefix
from engine.locations.s3_errors import EXPIRED_CODES, code_of, is_ill_chosen, is_passing, sentence
from engine.locations.s3_listing import PARALLEL_LISTINGS
from engine.locations.s3_options import BAD_CLASS, asked_of, class_refused, expected_owner
from engine.model import LocationSpec

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 5
READ_SECONDS = 60
ATTEMPTS = 4
"""botocore's standard mode waits at most 20 s between them, 3 s in all as a rule."""

_PASSING: Mapping[type[LocationError], type[LocationError]] = MappingProxyType(
    {DestinationError: UnavailableError, SourceError: SilentSourceError}
)

_WRONG: Mapping[type[LocationError], type[LocationError]] = MappingProxyType(
    {DestinationError: WrongDestinationError, SourceError: WrongSourceError, LocationError: WrongPlaceError}
)

_T = TypeVar("_T")


def failure_of(kind: type[LocationError], error: Exception) -> type[LocationError]:
    """The error to raise for what botocore raised: ``kind``, or the form of it for what may pass or was ill chosen."""
    if is_passing(error):
        return _PASSING.get(kind, kind)
    return wrong(kind) if is_ill_chosen(error) else kind


def wrong(kind: type[LocationError]) -> type[LocationError]:
    """The form of ``kind`` for what was ill chosen."""
    return _WRONG.get(kind, kind)


class DataPath(NamedTuple):
    """How the data path reaches the same keys. ``base``: the quoted path of a key's parent, from / to /.

    ``host`` has a port unless it is the default one. ``proxy`` is a URL or None. ``headers`` go with every request.
    """

    tls: bool
    host: str
    base: str
    region: str
    ca_bundle: str | None
    proxy: str | None
    headers: Mapping[str, str] = MappingProxyType({})


def warm_up() -> None:
    """Read what all clients are made of, which takes longer than all else: processes forked from this one have it."""
    with suppress(BotoCoreError, LocationError):  # whoever needs a client will say what is wrong
        session = new_session(LocationSpec("s3://"))
        session.create_client("s3", region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-")


class Connection:
    """What it takes to talk to the endpoint of ``spec``. The client is made when first needed; for many threads."""

    def __init__(self, spec: LocationSpec) -> None:
        self.bucket, prefix = bucket_and_prefix(spec.url)
        self.key_prefix = f"{prefix}/" if prefix else ""
        self._spec = spec
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._client: S3Client | None = None
        self._once: S3Client | None = None

    @property
    def client(self) -> S3Client:
        """The client. Raises LocationError for a profile or endpoint that cannot be used."""
        with self._lock:
            if self._client is None:
                self._session = new_session(self._spec)
                self._client = self._make_client(ATTEMPTS)
            return self._client

    @property
    def once(self) -> S3Client:
        """A client that sends each request once: its caller has to know about every attempt."""
        _ = self.client
        with self._lock:
            if self._once is None:
                self._once = self._make_client(attempts=1)
            return self._once

    @property
    def endpoint(self) -> str:
        """The endpoint's URL."""
        return self.client.meta.endpoint_url

    @property
    def region(self) -> str:
        """The region that requests are signed for."""
        return self.client.meta.region_name

    def close(self) -> None:
        """Close connections; the client is made anew, with credentials read again, when it is next needed."""
        with self._lock:
            clients = [self._client, self._once]
            self._client = self._once = None
        for client in filter(None, clients):
            client.close()

    def ask(self, kind: type[LocationError], doing: str, call: Callable[[S3Client], _T], *, once: bool = False) -> _T:
        """Return ``call(client)``; once more with fresh credentials if they have expired. ``once``: no other attempt.

        What botocore raises becomes ``kind``: "<doing>: <why, and what to do>"; a DestinationError that may pass is an
        UnavailableError, a SourceError a SilentSourceError.
        """
        try:
            try:
                return call(self.once if once else self.client)
            except ClientError as error:
                if code_of(error) not in EXPIRED_CODES:
                    raise
                self.close()
                return call(self.once if once else self.client)
        except (BotoCoreError, ClientError) as error:
            raise failure_of(kind, error)(f"{doing}: {self.sentence(error)}") from error

    def sentence(self, error: Exception) -> str:
        """Why a request failed and what to do."""
        if isinstance(error, ClientError) and code_of(error) == BAD_CLASS and self._spec.storage_class:
            return class_refused(self._spec.storage_class, self.endpoint)
        return sentence(error, self.bucket, self.endpoint)

    def data_path(self) -> DataPath:
        """How requests that do not go through botocore reach the same keys."""
        address = urlsplit(self.endpoint)
        virtual = self._addressing() == "virtual"
        host = f"{self.bucket}.{address.netloc}" if virtual else address.netloc
        folder = self.key_prefix if virtual else f"{self.bucket}/{self.key_prefix}"
        base = address.path.rstrip("/") + "/" + quote(folder, safe="/~")
        proxy = proxy_for(f"{address.scheme}://{host}")
        tls, owner = address.scheme == "https", expected_owner(self._spec)
        return DataPath(tls, host, base, self.region, self._ca_bundle(), proxy, owner)

    def _addressing(self) -> Literal["path", "virtual"]:
        """A bucket name with a dot does not match the certificate; other servers need no DNS entry per bucket."""
        if self._spec.addressing:
            return self._spec.addressing
        return "path" if self._spec.endpoint_url or "." in self.bucket else "virtual"

    def _ca_bundle(self) -> str | None:
        configured = self._session.get_config_variable("ca_bundle") if self._session else None
        return self._spec.ca_bundle or configured

    def _make_client(self, attempts: int) -> S3Client:
        assert self._session is not None
        configured = os.environ.get("AWS_REGION") or self._session.get_config_variable("region")
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=2 * PARALLEL_LISTINGS,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": self._addressing()},
            user_agent_extra=f"xsync/{__version__}",
        )
        try:
            client = cast(
                "S3Client",
                self._session.create_client(
                    "s3",
                    region_name=self._spec.region or configured or "us-east-1",
                    endpoint_url=self._spec.endpoint_url,
                    verify=self._ca_bundle(),
                    config=config,
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise WrongPlaceError(f"{self._spec.url} cannot be used: {error}") from error
        client.meta.events.register("before-sign.s3", self._add_headers)
        return client

    def _add_headers(self, request: Any, operation_name: str, **_: Any) -> None:
        """Put what the options ask for into a request that is about to be signed."""
        for name, value in asked_of(operation_name, self._spec).items():
            if name not in request.headers:
                request.headers[name] = value

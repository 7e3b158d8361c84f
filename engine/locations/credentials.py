"""AWS credentials for the data path, and which proxy a connection takes: as boto3 decides both, so all paths agree."""

from __future__ import annotations

import threading
from copy import copy
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound
from botocore.hooks import HierarchicalEmitter
from botocore.loaders import Loader, create_loader
from botocore.session import Session
from botocore.utils import get_environ_proxies

from engine.errors import LocationError, WrongPlaceError
from engine.model import LocationSpec

NO_CREDENTIALS = (
    "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or aws_profile to a profile "
    "of ~/.aws/config, or run on a host with a role"
)


class Credentials(NamedTuple):
    """Credentials of one moment. ``expires_at``: seconds since the epoch, None if they do not say."""

    access_key: str
    secret_key: str
    token: str | None
    expires_at: float | None


_renewing: dict[str | None, RefreshableCredentials] = {}
_lock = threading.Lock()


def new_session(spec: LocationSpec) -> Session:
    """A session that reads environment and files anew. Raises LocationError for a profile that does not exist."""
    session = Session(profile=spec.aws_profile, event_hooks=copy(_handlers()), include_builtin_handlers=False)
    try:
        session.get_scoped_config()
    except ProfileNotFound as error:
        raise WrongPlaceError(
            f"the AWS profile {spec.aws_profile} does not exist. `aws configure list-profiles` lists those there are."
        ) from error
    session.register_component("data_loader", _models(session.get_config_variable("data_path")))
    return session


@lru_cache(1)
def _handlers() -> HierarchicalEmitter:
    """What botocore registers in every session: to do that again takes longer than all else in making one."""
    hooks = HierarchicalEmitter()
    Session(event_hooks=hooks)
    return hooks


@lru_cache(4)
def _models(data_path: str | None) -> Loader:
    """What botocore knows of services, kept for all sessions and clients: to read that of S3 takes 80 ms of CPU."""
    return create_loader(data_path)


def current_credentials(spec: LocationSpec) -> Credentials:
    """Credentials that are valid now; may ask a metadata or SSO service. Cheap enough for once a minute.

    Credentials that renew themselves (roles, SSO) are kept; others are read again from environment and files, where
    they may have been replaced. Raises LocationError that says how to provide them.
    """
    with _lock:
        try:
            found = _renewing.get(spec.aws_profile) or new_session(spec).get_credentials()
            if found is None:
                raise WrongPlaceError(f"{NO_CREDENTIALS}.")
            frozen = found.get_frozen_credentials()
        except BotoCoreError as error:
            raise LocationError(f"AWS credentials cannot be had: {error}. Sign in again (aws sso login).") from error
        expires_at: float | None = None
        if isinstance(found, RefreshableCredentials):
            _renewing[spec.aws_profile] = found
            expiry: datetime | None = getattr(found, "_expiry_time", None)
            expires_at = expiry.timestamp() if expiry else None
    return Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token or None, expires_at)


def proxy_for(endpoint_url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY give for ``endpoint_url``, or None. Lower case names too."""
    proxies: dict[str, str] = get_environ_proxies(endpoint_url)
    return proxies.get(endpoint_url.partition("://")[0].lower())


def identity_of(spec: LocationSpec, endpoint_url: str) -> str:
    """Whose credentials are used, in words, and where they come from; never a key.

    AWS is asked for the ARN (sts:GetCallerIdentity needs no right); no answer within some seconds is no ARN.
    """
    session = new_session(spec)
    found = session.get_credentials()
    if found is None:
        return NO_CREDENTIALS
    where = _WHERE.get(found.method, found.method)
    if spec.aws_profile:
        where = f"the AWS profile {spec.aws_profile}, {where}"
    arn = _arn(session) if urlsplit(endpoint_url).netloc.partition(":")[0].endswith(_AWS) else None
    return f"{arn}, from {where}" if arn else f"credentials from {where}"


_WHERE = {
    "env": "the environment",
    "shared-credentials-file": "~/.aws/credentials",
    "config-file": "~/.aws/config",
    "assume-role": "a role that is assumed",
    "assume-role-with-web-identity": "a web identity",
    "sso": "a sign-in (SSO)",
    "iam-role": "the role of this host",
    "container-role": "the role of this container",
    "custom-process": "a program",
}
"""What botocore calls where credentials come from."""

_AWS = (".amazonaws.com", ".amazonaws.com.cn")


def _arn(session: Session) -> str | None:
    config = Config(connect_timeout=3, read_timeout=3, retries={"total_max_attempts": 1})
    try:
        client: Any = session.create_client("sts", config=config)
        try:
            return str(client.get_caller_identity()["Arn"])
        finally:
            client.close()
    except (BotoCoreError, ClientError):
        return None

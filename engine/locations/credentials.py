"""AWS credentials for the data path, and which proxy a connection takes. boto3 decides both, so that all paths agree."""

from __future__ import annotations

import threading
from typing import NamedTuple

import botocore.credentials
import botocore.exceptions
import botocore.session
from botocore.utils import get_environ_proxies

from engine.errors import LocationError
from engine.model import LocationSpec


class Credentials(NamedTuple):
    """Credentials of one moment. ``expires_at``: seconds since the epoch, None if they do not expire by themselves."""

    access_key: str
    secret_key: str
    token: str | None
    expires_at: float | None


_sessions: dict[str | None, botocore.session.Session] = {}
_lock = threading.Lock()


def session_of(spec: LocationSpec) -> botocore.session.Session:
    """The botocore session of a profile.

    It is kept while its credentials renew themselves (roles, SSO); else a new one reads the environment and the files
    again, where keys may have been replaced.
    """
    with _lock:
        session = _sessions.get(spec.aws_profile)
        if session is None or not _renews_itself(session):
            session = botocore.session.Session(profile=spec.aws_profile)
            _sessions[spec.aws_profile] = session
        return session


def current_credentials(spec: LocationSpec) -> Credentials:
    """Credentials that are valid now. Cheap enough for once a minute; may ask a metadata or SSO service.

    Raises LocationError that says how to provide them.
    """
    try:
        found = session_of(spec).get_credentials()
        if found is None:
            raise LocationError(NO_CREDENTIALS)
        frozen = found.get_frozen_credentials()
    except botocore.exceptions.ProfileNotFound as error:
        raise LocationError(
            f"AWS profile {spec.aws_profile!r} is not in ~/.aws/config: see `aws configure list-profiles`"
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        raise LocationError(f"AWS credentials could not be renewed: {error}. Sign in again (aws sso login).") from error
    expiry = getattr(found, "_expiry_time", None)
    token = frozen.token or None
    return Credentials(frozen.access_key, frozen.secret_key, token, expiry.timestamp() if expiry else None)


NO_CREDENTIALS = (
    "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or aws_profile to a profile "
    "of ~/.aws/config, or run on a host with a role"
)


def proxy_for(endpoint_url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY give for ``endpoint_url``, or None. Lower case names too."""
    proxies: dict[str, str] = get_environ_proxies(endpoint_url)
    return proxies.get(endpoint_url.partition("://")[0].lower())


def _renews_itself(session: botocore.session.Session) -> bool:
    return isinstance(session.get_credentials(), botocore.credentials.RefreshableCredentials)

"""``xsync open --serve``: the app in a browser, until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import UsageError

if TYPE_CHECKING:
    from xsync_tui.serving.server import Address

_MISSING = "--serve needs packages that are not installed. Get them: pip install 'xsync-tui[serve]'"


def serve_app(what: str | None, port: int, *, low_bandwidth: bool, as_json: bool) -> None:
    """Serve the app about ``what`` on ``port`` of loopback until a signal ends it. Raises XsyncError.

    What would be wrong in each page is found before anything is served.
    """
    from xsync_tui.cli.open import subject_of
    from xsync_tui.cli.output import emit, put
    from xsync_tui.settings import load_settings

    try:
        from xsync_tui.serving.server import AppServer
    except ModuleNotFoundError as error:
        raise UsageError(f"{_MISSING} ({error.name} is missing)") from error

    load_settings()
    subject_of(what)
    arguments = ["open", *(["--low-bandwidth"] if low_bandwidth else []), *(["--", what] if what else [])]
    server = AppServer(arguments, port)
    address = server.address

    def ready() -> None:
        if as_json:
            emit({"type": "served", **address._asdict()})
        else:
            put("\n".join(_told(address)))

    server.serve_until_signal(ready)


def _told(address: Address) -> list[str]:
    """What a person needs to come in, and to be sure of where: 80 columns at most."""
    half = len(address.fingerprint) // 2 + 1
    return [
        "The app is served on this host's loopback. Open, and give to nobody:",
        "",
        f"  {address.url}",
        "",
        "The browser does not know the certificate. Accept it only with this SHA-256:",
        "",
        f"  {address.fingerprint[:half]}",
        f"  {address.fingerprint[half:]}",
        "",
        f"From another machine: ssh -L {address.port}:127.0.0.1:{address.port} USER@THIS-HOST",
        "Ctrl-C ends it; runs go on.",
    ]

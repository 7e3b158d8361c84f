"""Loads the profile that a person named, or says what there is and how to make one."""

from __future__ import annotations

import difflib

from engine.errors import ProfileError, UsageError
from profiles import store
from profiles.schema import Profile

_LISTED = 20


def load_profile(name: str) -> Profile:
    """The profile of a saved name or a ``.toml`` path.

    Raises ProfileError for one that is not valid or does not exist, UsageError for what looks like a location.
    """
    known = store.names()
    if name in known or name.endswith(".toml"):
        return store.load(name)
    if "/" in name or ":" in name:
        raise UsageError(f"{name} is a location, not a profile. To copy it: xsync run {name} DESTINATION")
    nearest = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean {nearest[0]}?" if nearest else ""
    make = f"Make it: xsync profiles new {name} SOURCE DESTINATION"
    raise ProfileError(f"There is no profile called {name}.{meant}\n{_listed(known)}\n{make}")


def _listed(known: list[str]) -> str:
    if not known:
        return f"There is no profile yet in {store.profiles_folder()}."
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"There are: {', '.join(known[:_LISTED])}{more}."

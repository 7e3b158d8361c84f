"""Where profiles are kept: one TOML file each, 0600, in a folder of mode 0700; loaded, saved, listed, deleted."""

from __future__ import annotations

import datetime
import difflib
import os
import re
import tempfile
import tomllib
from importlib import resources
from pathlib import Path

import msgspec
import tomli_w
from platformdirs.unix import Unix

from engine.errors import ProfileError
from profiles.schema import MeasuredSection, Profile
from profiles.validate import NAME, validate

_SUFFIX = ".toml"
_MEASURED = re.compile(r"\s*\[\[?\s*measured\s*[.\]]")


def profiles_folder() -> Path:
    """``$XSYNC_HOME/profiles``, else ``$XDG_CONFIG_HOME/xsync/profiles``, on every system; need not exist."""
    home = os.environ.get("XSYNC_HOME")
    return (Path(home).expanduser().absolute() if home else Unix("xsync").user_config_path) / "profiles"


def path_of(name: str) -> Path:
    """The file that a saved profile called ``name`` has or would have; ProfileError for a name that cannot be one."""
    if not NAME.fullmatch(name) or name.endswith(_SUFFIX):
        expected = f"expected letters, digits, dot, dash and underscore, not ending in {_SUFFIX}"
        raise ProfileError(f"{name!r} cannot name a profile: {expected}")
    return profiles_folder() / f"{name}{_SUFFIX}"


def names() -> list[str]:
    """The names of all saved profiles, sorted; they may still be invalid."""
    found = (path.stem for path in profiles_folder().glob(f"*{_SUFFIX}"))
    return sorted(name for name in found if NAME.fullmatch(name))


def find(name_or_path: str) -> Path:
    """The file of a saved name, or of a path that ends in ``.toml``; ProfileError with the nearest name if none is."""
    if name_or_path.endswith(_SUFFIX):
        path = Path(name_or_path)
        if not path.is_file():
            raise ProfileError(f"{path}: no such file")
        return path
    path = path_of(name_or_path)
    if not path.is_file():
        if os.path.lexists(path):
            raise ProfileError(f"{path}: not a file that can be read")
        nearest = difflib.get_close_matches(name_or_path, names(), n=1)
        hint = f" (did you mean {nearest[0]}?)" if nearest else "; xsync profiles list shows those there are"
        raise ProfileError(f"no profile called {name_or_path}{hint}")
    return path


def load(name_or_path: str) -> Profile:
    """The profile of a saved name or a ``.toml`` path.

    Raises ProfileError that names the file and, line or key by key, all that is wrong with it.
    """
    path = find(name_or_path)
    profile = parse(_read(path), str(path))
    if path.parent == profiles_folder() and profile.name != path.stem:
        raise ProfileError(f"{path}: name: expected {path.stem!r} as the file is called, got {profile.name!r}")
    return profile


def parse(text: str, origin: str) -> Profile:
    """The profile in TOML ``text``; ProfileErrors begin with ``origin``."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{origin}: not valid TOML: {error}") from None
    return validate(table, origin)


def render(profile: Profile) -> str:
    """The TOML text of ``profile``: what equals its default is left out."""
    return tomli_w.dumps(msgspec.to_builtins(profile, builtin_types=(datetime.datetime,)))


def save(profile: Profile, *, new: bool = False) -> Path:
    """Write ``profile`` under its name, whole or not at all; an invalid one raises ProfileError and is not written.

    With ``new`` so does one whose name is taken, whoever takes it at the same time.
    """
    path = path_of(profile.name)
    text = render(profile)
    parse(text, f"profile {profile.name}")
    try:
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, text, new=new)
    except FileExistsError:
        raise ProfileError(
            f"There is a profile {profile.name} already: {path}. Edit it, or: xsync profiles delete {profile.name}"
        ) from None
    except OSError as error:
        raise ProfileError(f"{path}: cannot be saved: {error.strerror}") from None
    return path


def save_measured(name_or_path: str, measured: MeasuredSection) -> Path:
    """Replace the section [measured] of a profile's file, leaving all else, comments too, as its user wrote it.

    Returns the file. Raises ProfileError.
    """
    path = find(name_or_path)
    text = _read(path)
    profile = msgspec.structs.replace(parse(text, str(path)), measured=measured)
    section = tomli_w.dumps({"measured": msgspec.to_builtins(measured, builtin_types=(datetime.datetime,))})
    updated = _without_measured(text).rstrip() + "\n\n" + section
    try:
        same = parse(updated, str(path)) == profile
    except ProfileError:
        same = False
    if not same:  # the section stood where lines do not tell it from others
        updated = render(profile)
    try:
        _replace(path, updated)
    except OSError as error:
        raise ProfileError(f"{path}: cannot be saved: {error.strerror}") from None
    return path


def _without_measured(text: str) -> str:
    """TOML text without the lines of [measured] and of the tables in it."""
    kept, inside = [], False
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            inside = _MEASURED.match(line) is not None
        if not inside:
            kept.append(line)
    return "\n".join(kept)


def delete(name: str) -> Path:
    """Remove the saved profile ``name`` and return where it was; ProfileError if there is none."""
    path_of(name)
    path = find(name)
    try:
        path.unlink()
    except OSError as error:
        raise ProfileError(f"{path}: cannot be deleted: {error.strerror}") from None
    return path


def examples() -> dict[str, str]:
    """The example profiles that come with xsync: name -> TOML text."""
    folder = resources.files("profiles").joinpath("examples")
    files = (file for file in folder.iterdir() if file.name.endswith(_SUFFIX))
    return {file.name.removesuffix(_SUFFIX): file.read_text(encoding="utf-8") for file in files}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ProfileError(f"{path}: not valid TOML: expected UTF-8 text") from None


def _replace(path: Path, text: str, *, new: bool = False) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".xsync-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if new:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))  # takes the name, on any file system
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""How the app looks and answers, from ``settings.toml``: read and validated like a profile. Loads no Textual."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from engine.decoding import from_builtins
from engine.errors import UsageError
from profiles.store import profiles_folder
from profiles.validate import wrong_types


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. ``rates``: what rates are shown in. ``keys``: other keys for bindings, by their id.

    ``bell``: ring when a run ends, or first needs a human.
    """

    theme: Literal["auto", "dark", "light", "contrast", "ansi-dark", "ansi-light"] = "auto"
    glyphs: Literal["auto", "unicode", "ascii"] = "auto"
    rates: Literal["bytes", "bits"] = "bytes"
    low_bandwidth: bool = False
    bell: bool = True
    keys: dict[str, str] = {}


class SettingsError(UsageError):
    """The settings cannot be read or are not valid: names file and key."""


def settings_path() -> Path:
    """Beside the folder of profiles; need not exist."""
    return profiles_folder().parent / "settings.toml"


def load_settings() -> Settings:
    """The settings, defaults where there is no file. Raises SettingsError."""
    path = settings_path()
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not valid TOML: expected UTF-8 text") from None


def parse(text: str, origin: str) -> Settings:
    """The settings in TOML ``text``. Raises SettingsError that begins with ``origin`` and names every wrong key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{origin}: not valid TOML: {error}") from None
    problems = [f"{key}: {problem}" for key, problem in wrong_types(Settings, table, "")]
    if problems:
        separator = ": " if len(problems) == 1 else ":\n  "
        raise SettingsError(origin + separator + "\n  ".join(problems))
    return from_builtins(table, Settings)

"""Settings are checked like profiles: file, key, what was expected, what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.cli_journals import xsync
from xsync_tui import terminal, themes
from xsync_tui.app import check_keymap
from xsync_tui.settings import Settings, SettingsError, load_settings, parse, settings_path

Capture = pytest.CaptureFixture[str]


def test_without_a_file_all_is_automatic() -> None:
    assert load_settings() == Settings()


def test_settings_are_read(home: Path) -> None:
    home.mkdir()
    settings_path().write_text('theme = "light"\nglyphs = "ascii"\nrates = "bits"\n[keys]\n"go.plan" = "p"\n')
    assert load_settings() == Settings("light", "ascii", "bits", keys={"go.plan": "p"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'theme = "drak"',
            "s.toml: theme: expected auto or dark or light or contrast or ansi-dark or ansi-light, got 'drak'",
        ),
        ('them = "dark"', "s.toml: them: unknown key (did you mean theme?)"),
        ("low_bandwidth = 1", "s.toml: low_bandwidth: expected true or false, got 1"),
        ("glyphs = ", "s.toml: not valid TOML: "),
        ('theme = 1\nrates = "bit"', "s.toml:\n  theme: "),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse(text, "s.toml")
    assert str(raised.value).startswith(said)


def test_a_key_that_does_not_exist_is_named_with_the_nearest() -> None:
    check_keymap({"go.plan": "p", "run.pause": "Z", "home.delete": "X"})
    with pytest.raises(SettingsError, match=r"settings.toml: keys.home.delte: .*did you mean home.delete"):
        check_keymap({"home.delte": "X"})


@pytest.mark.parametrize(
    ("wanted", "colors", "no_color", "name"),
    [
        ("auto", "truecolor", False, "textual-dark"),
        ("auto", "256", False, "textual-dark"),
        ("auto", "standard", False, "ansi-dark"),
        ("auto", "truecolor", True, "ansi-dark"),
        ("light", "standard", False, "ansi-light"),
        ("light", "truecolor", False, "textual-light"),
        ("contrast", "truecolor", False, "contrast"),
        ("contrast", None, False, "ansi-dark"),
    ],
)
def test_a_terminal_of_few_colours_gets_a_theme_of_few(
    wanted: str, colors: str | None, no_color: bool, name: str
) -> None:
    assert themes.choose(wanted, colors=colors, no_color=no_color) == name


def test_glyphs_follow_the_setting_the_locale_and_tmux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(terminal, "shows_unicode", lambda: True)
    monkeypatch.delenv("TMUX", raising=False)
    assert terminal.glyphs_beyond_ascii("auto")
    assert not terminal.glyphs_beyond_ascii("ascii")
    tool = tmp_path / "tmux"
    tool.write_text("#!/bin/sh\necho 0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("TMUX", "/tmp/x,1,0")
    assert not terminal.glyphs_beyond_ascii("auto")
    assert terminal.glyphs_beyond_ascii("unicode")
    monkeypatch.setattr(terminal, "shows_unicode", lambda: False)
    assert not terminal.glyphs_beyond_ascii("auto")


def test_text_is_copied_through_tmux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "tmux"
    tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat > {tmp_path}/taken\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("TMUX", raising=False)
    assert not terminal.copied_by_tmux("s3://lab")
    monkeypatch.setenv("TMUX", "/tmp/x,1,0")
    assert terminal.copied_by_tmux("s3://lab")
    assert (tmp_path / "asked").read_text() == "load-buffer -w -\n"
    assert (tmp_path / "taken").read_text() == "s3://lab"


def test_open_needs_a_terminal_and_tells_what_it_would_open(capsys: Capture) -> None:
    ran = xsync(capsys, "open")
    assert (ran.code, ran.err) == (
        2,
        "xsync: The app needs a terminal. Without one: xsync status, or xsync open --serve\n",
    )
    assert xsync(capsys, "open", "--json").json == {"type": "open", "profile": None, "execution": None}
    assert xsync(capsys, "open", "nothing").code == 2


def test_xsync_alone_off_a_terminal_is_the_overview(capsys: Capture) -> None:
    ran = xsync(capsys)
    assert ran.code == 0
    assert "Start here:" in ran.out

"""Profiles: strict, all errors at once, no secrets, saved whole, turned into what an execution needs."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.errors import ProfileError
from engine.model import FilterSpec, LimitRule, LocationSpec, Migration, Notify, TransferOptions
from profiles import store
from profiles.convert import to_migration
from profiles.schema import CutoverSection, MeasuredSection, MeasuredStep, Place, Profile

MINIMAL = """
schema = 1
name = "lab"
[source]
url = "file:///mnt/lab"
[destination]
url = "s3://lab-archive/images"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _profile(name: str = "lab") -> Profile:
    return Profile(schema=1, name=name, source=Place(url="file:///a"), destination=Place(url="s3://b/c"))


def _problem(text: str) -> str:
    with pytest.raises(ProfileError) as caught:
        store.parse(text, "lab.toml")
    return str(caught.value)


def test_the_design_example_is_valid_and_survives_a_round_trip() -> None:
    text = (
        MINIMAL
        + """
region = "us-west-2"
[filters]
include = ["/2024", "/2025"]
exclude = ["*.tmp", "/scratch"]
[options]
verify_mode = "ONLY_FILES_TRANSFERRED"
overwrite_mode = "ALWAYS"
preserve_deleted_files = "PRESERVE"
[network]
bandwidth = "20Gbps"
per_agent = "5Gbps"
utilisation = 0.85
[[network.timetable]]
days = "Mon-Fri"
hours = "08:00-18:00"
limit = "2Gbps"
[cutover]
window = "4h"
[measured]
date = 2025-01-02T03:04:05Z
files_per_second = 2600
bytes_per_second = 5.5e8
"""
    )
    profile = store.parse(text, "lab.toml")
    assert profile.network.timetable[0].limit == "2Gbps"
    assert store.parse(store.render(profile), "again") == profile


@pytest.mark.parametrize("name", sorted(store.examples()))
def test_examples_are_valid_and_can_run(name: str) -> None:
    profile = store.parse(store.examples()[name], name)
    assert profile.name == name
    assert to_migration(profile).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agent = 4\n" + MINIMAL, "lab.toml: agent: unknown key (did you mean agents?)"),
        (MINIMAL + "reigon = 'x'", "lab.toml: destination.reigon: unknown key (did you mean region?)"),
        (MINIMAL + "[zebra]", "lab.toml: zebra: unknown key"),
        (
            MINIMAL + "[options]\nagnets = 3",
            "lab.toml: options.agnets: unknown key (did you mean agents, above the first section?)",
        ),
        (MINIMAL + "[network]\nmin_size = '1 MB'", "network.min_size: unknown key (did you mean filters.min_size?)"),
        ("ur = '/x'\n" + MINIMAL, "lab.toml: ur: unknown key (did you mean source.url?)"),
        ("agents = 'four'\n" + MINIMAL, "lab.toml: agents: expected a whole number, got 'four'"),
        ("agents = true\n" + MINIMAL, "lab.toml: agents: expected a whole number, got true"),
        ("agents = 0\n" + MINIMAL, "lab.toml: agents: expected a whole number >= 1, got 0"),
        ("filters = 3\n" + MINIMAL, "lab.toml: filters: expected a section [filters], got 3"),
        (MINIMAL + "[filters]\ninclude = '/a'", "lab.toml: filters.include: expected a list, got '/a'"),
        (MINIMAL + "[filters]\ninclude = ['/a', 3]", "lab.toml: filters.include[1]: expected text, got a whole number"),
        (MINIMAL + "[filters]\ninclude = ['*.a']", "lab.toml: filters.include[0]: include pattern '*.a'"),
        (MINIMAL + "[network]\nutilisation = 2", "lab.toml: network.utilisation: expected a number <= 1.0, got 2"),
        (MINIMAL + "[network]\nbandwidth = '20G'", "lab.toml: network.bandwidth: '20G' is not a rate"),
        (MINIMAL + "[network]\ntimetable = [{days='Mon', hours='1-2', limit='1Gbps'}]", "network.timetable[0].hours:"),
        (
            MINIMAL + "[network]\ntimetable = [{day='Mon'}]",
            "network.timetable[0].day: unknown key (did you mean days?)",
        ),
        (MINIMAL + "[cutover]\nwindow = '4'", "lab.toml: cutover.window: '4' is not a duration"),
        (MINIMAL + "[measured]\ndate = 3", "lab.toml: measured.date: expected a date and time, got 3"),
        (MINIMAL.replace("schema = 1", "schema = 2"), "lab.toml: schema: expected 1, got 2"),
        (MINIMAL.replace("schema = 1", ""), "lab.toml: schema: missing"),
        (MINIMAL.replace("file:///mnt/lab", ""), "lab.toml: source.url: expected a location such as"),
        (MINIMAL.replace('"lab"', '"../lab"'), "lab.toml: name: expected letters"),
        ("schema = ", "lab.toml: not valid TOML: Invalid value (at end of document)"),
        (
            MINIMAL + "[options]\nverify_mode = 'ONLY_FILES'",
            "ONLY_FILES_TRANSFERRED or NONE, got 'ONLY_FILES' (did you mean ONLY_FILES_TRANSFERRED?)",
        ),
    ],
)
def test_errors_name_file_key_and_what_was_expected(text: str, message: str) -> None:
    assert message in _problem(text)


def test_all_errors_come_at_once() -> None:
    problem = _problem("agent = 1\nname = 3\n[source]\nurl = 4\n[options]\nmtime = 'x'\n")
    for key in ("agent:", "name:", "source.url:", "options.mtime:", "schema: missing", "destination: missing"):
        assert key in problem


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("log_level", "TRANSFER"),
        ("task_queueing", "ENABLED"),
        ("uid", "BOTH"),
    ],
)
def test_what_cannot_be_done_yet_is_never_accepted_in_silence(option: str, value: str) -> None:
    problem = _problem(f"{MINIMAL}[options]\n{option} = '{value}'")
    assert problem == f"lab.toml: options.{option}: {value} is not available yet in this version of xsync"


def test_the_limits_of_a_profile_become_those_of_its_migration() -> None:
    text = MINIMAL + "[options]\nbytes_per_second = 1000\n[network]\n"
    text += "timetable = [{days='Fri-Mon', hours='22:00-06:00', limit='1Gbps'}]"
    migration = to_migration(store.parse(text, "lab.toml"))
    assert migration.options.bytes_per_second == 1000
    assert migration.limits == (LimitRule((0, 4, 5, 6), 22 * 60, 6 * 60, 125_000_000),)
    assert to_migration(_profile()).limits == ()


def test_a_limit_of_nothing_is_refused() -> None:
    problem = _problem(MINIMAL + "[options]\nbytes_per_second = 0")
    assert problem.startswith("lab.toml: options.bytes_per_second: expected -1 for no limit")
    assert to_migration(store.parse(MINIMAL + "[options]\nbytes_per_second = -1", "x")).options == TransferOptions()


def test_a_key_of_kms_needs_encryption_by_kms() -> None:
    problem = _problem(MINIMAL + "sse = 'AES256'\nkms_key_id = 'alias/data'")
    assert "destination.kms_key_id: a key of KMS needs" in problem
    spec = to_migration(store.parse(MINIMAL + "sse = 'aws:kms'\nkms_key_id = 'alias/data'", "lab.toml")).destination
    assert (spec.sse, spec.kms_key_id) == ("aws:kms", "alias/data")


@pytest.mark.parametrize(
    "line",
    [
        "secret_access_key = 'hunter2'",
        "aws_access_key_id = 'hunter2'",
        "password = 'hunter2'",
        "session_token = 'hunter2'",
        "password = { value = 'hunter2' }",
        "endpoint_url = 'https://me:hunter2@s3.example.org'",
    ],
)
def test_secrets_are_refused_and_never_repeated(line: str) -> None:
    problem = _problem(MINIMAL + line)
    assert "use the environment, or aws_profile" in problem
    assert "destination." in problem
    assert "hunter2" not in problem


def test_an_at_sign_in_a_path_is_no_secret() -> None:
    store.parse(MINIMAL.replace("/mnt/lab", "/mnt/l@b"), "lab.toml")


def test_saved_listed_loaded_deleted(home: Path) -> None:
    assert store.names() == []
    path = store.save(_profile())
    assert path == home / "profiles" / "lab.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, home)] == [0o700, 0o700]
    store.save(msgspec.structs.replace(_profile(), agents=3))
    assert sorted(os.listdir(path.parent)) == ["lab.toml"]
    assert store.load("lab").agents == 3
    assert store.load(str(path)).agents == 3
    assert store.names() == ["lab"]
    assert store.delete("lab") == path
    assert store.names() == []


def test_an_invalid_profile_is_not_written() -> None:
    store.save(_profile())
    with pytest.raises(ProfileError, match=r"cutover\.window"):
        store.save(msgspec.structs.replace(_profile(), cutover=CutoverSection(window="soon")))
    assert store.load("lab") == _profile()


def test_a_new_profile_takes_the_place_of_none() -> None:
    mine = Profile(schema=1, name="mine", source=Place("/a"), destination=Place("/b"))
    path = store.save(mine, new=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = msgspec.structs.replace(mine, destination=Place("/c"))
    with pytest.raises(ProfileError, match="There is a profile mine already"):
        store.save(other, new=True)
    assert store.load("mine") == mine
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    store.save(other)
    assert store.load("mine") == other


def test_a_failed_save_leaves_the_old_file_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.save(_profile())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProfileError, match=r"lab\.toml: cannot be saved: No space left"):
        store.save(msgspec.structs.replace(_profile(), agents=9))
    assert os.listdir(path.parent) == ["lab.toml"]
    assert store.load("lab").agents is None


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 101, "a\n", "-rf"])
def test_names_that_are_no_file_names(name: str) -> None:
    with pytest.raises(ProfileError, match="cannot name a profile"):
        store.path_of(name)


def test_missing_profiles_suggest_the_nearest(tmp_path: Path) -> None:
    store.save(_profile("lab-images"))
    with pytest.raises(ProfileError, match=r"no profile called lab-image \(did you mean lab-images\?\)"):
        store.load("lab-image")
    with pytest.raises(ProfileError, match="xsync profiles list"):
        store.delete("zebra")
    with pytest.raises(ProfileError, match=r"none\.toml: no such file"):
        store.load(str(tmp_path / "none.toml"))


def test_files_that_cannot_be_profiles(tmp_path: Path, home: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"name = '\xff'")
    with pytest.raises(ProfileError, match=r"binary\.toml: not valid TOML: expected UTF-8"):
        store.load(str(binary))
    store.save(_profile())
    os.rename(home / "profiles" / "lab.toml", home / "profiles" / "other.toml")
    with pytest.raises(ProfileError, match=r"other\.toml: name: expected 'other'"):
        store.load("other")


def test_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XSYNC_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert store.profiles_folder() == tmp_path / "config" / "xsync" / "profiles"


def test_a_profile_becomes_a_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (
        "agents = 4\n"
        + MINIMAL
        + """
region = "us-west-2"
endpoint_url = "https://s3.example.org"
[filters]
include = ["/a|/b", "/c\\\\|d"]
manifest = "list.csv"
[options]
verify_mode = "NONE"
atime = "NONE"
invalid_names = "fail"
preserve_deleted_files = "PRESERVE"
"""
    )
    assert to_migration(store.parse(text, "lab.toml")) == Migration(
        source=LocationSpec(url="file:///mnt/lab"),
        destination=LocationSpec(
            url="s3://lab-archive/images", region="us-west-2", endpoint_url="https://s3.example.org"
        ),
        name="lab",
        filters=FilterSpec(include=("/a", "/b", "/c\\|d"), manifest=str(tmp_path / "list.csv")),
        options=TransferOptions(verify_mode="NONE", atime="NONE", invalid_names="fail"),
        agents=4,
    )
    assert to_migration(store.parse(MINIMAL, "lab.toml")).options == TransferOptions()


def test_tasks_by_a_level() -> None:
    assert to_migration(store.parse(MINIMAL + "[tasks]\nlevel = 2", "lab.toml")).task_level == 2
    assert to_migration(store.parse(MINIMAL, "lab.toml")).task_level is None
    with pytest.raises(ProfileError, match=r"tasks\.level: .*>= 1"):
        store.parse(MINIMAL + "[tasks]\nlevel = 0", "lab.toml")


def test_importing_profiles_is_light() -> None:
    code = (
        "import sys, profiles.store, profiles.convert, engine.planning.estimate, engine.planning.partition; "
        "print(sorted({'pyarrow', 'boto3', 'duckdb', 'cryptography', 'textual', 'awscrt'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ages_sizes_notices_and_metrics_reach_the_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"""
        {MINIMAL}
        [filters]
        min_age = "15m"
        max_age = "30d"
        min_size = "1 KiB"
        max_size = "10 GB"
        [notify]
        command = ["mail", "me"]
        webhook_variable = "HOOK"
        on = ["failure"]
    """
    migration = to_migration(store.parse(f'metrics_file = "x.prom"\n{text}', "x"))
    filters = migration.filters
    assert (filters.min_age_seconds, filters.max_age_seconds) == (900, 30 * 86_400)
    assert (filters.min_size_bytes, filters.max_size_bytes) == (1024, 10 * 10**9)
    assert migration.notify == Notify(("mail", "me"), "HOOK", ("failure",))
    assert migration.metrics_file == str(tmp_path / "x.prom")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('[filters]\nmin_age = "soon"', "filters.min_age"),
        ('[filters]\nmin_size = "2 kB"\nmax_size = "1 kB"', "no file would be copied"),
        ('[notify]\nwebhook_variable = "https://hooks.example/s3cret"', "expected the name of an environment variable"),
        ('[notify]\ncommand = [""]', "expected a program"),
        ('[notify]\ncommand = ["x"]\non = []', "at least one of"),
        ('[notify]\ncommand = ["x"]\non = ["start"]', "notify.on"),
    ],
)
def test_wrong_ages_sizes_and_notices_are_said(section: str, said: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(said)) as caught:
        store.parse(f"{MINIMAL}\n{section}", "x")
    assert "s3cret" not in str(caught.value)


def test_the_destination_as_it_is() -> None:
    text = (
        MINIMAL + '[options]\noverwrite_mode = "NEWER"\nverify_mode = "POINT_IN_TIME_CONSISTENT"\n'
        'delta = "destination"\ndrift_every = 0\nchecksum = true\n'
    )
    options = to_migration(store.parse(text, "lab.toml")).options
    assert (options.overwrite_mode, options.verify_mode) == ("NEWER", "POINT_IN_TIME_CONSISTENT")
    assert (options.delta, options.drift_every, options.checksum) == ("destination", 0, True)
    assert to_migration(store.parse(MINIMAL, "lab.toml")).options.drift_every == 7


def test_measured_figures_are_kept_and_all_else_stays_as_it_was_written(home: Path) -> None:
    path = store.path_of("lab")
    path.parent.mkdir(parents=True)
    text = (
        '# agreed with ann\nschema = 1\nname = "lab"\n\n[source]\nurl = "file:///mnt/lab"  # the old filer\n'
        '[destination]\nurl = "s3://b"\n[measured]\nagents = 1\n[[measured.steps]]\nagents = 1\n'
        "files_per_second = 1.0\nbytes_per_second = 1.0\n[network]\nbandwidth = '20Gbps'\n"
    )
    path.write_text(text)
    steps = (MeasuredStep(1, 10.5, 61e6), MeasuredStep(2, 21.0, 122e6, steady=False))
    found = MeasuredSection(agents=2, bytes_per_second=61e6, verdict="LINEAR", steps=steps)
    for _ in range(2):
        assert store.save_measured("lab", found) == path
    kept = path.read_text()
    assert kept.startswith(text.partition("[measured]")[0])
    assert "[network]\nbandwidth = '20Gbps'\n" in kept
    assert kept.count("[measured]") == 1
    assert store.load("lab").measured == found
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_profile_whose_measured_section_is_written_inline_is_saved_whole(home: Path) -> None:
    path = store.path_of("lab")
    path.parent.mkdir(parents=True)
    path.write_text(
        'schema = 1\nname = "lab"\nmeasured = {agents = 1}\n[source]\nurl = "file:///a"\n[destination]\nurl = "s3://b"\n'
    )
    store.save_measured("lab", MeasuredSection(agents=3))
    assert store.load("lab").measured.agents == 3
    assert store.load("lab").source.url == "file:///a"


def test_interfaces_are_of_a_bucket_that_is_written_to(home: Path) -> None:
    text = 'schema = 1\nname = "lab"\n[source]\nurl = "s3://a"\ninterfaces = ["eth1"]\n[destination]\nurl = "s3://b"\n'
    with pytest.raises(ProfileError, match=r"source\.interfaces"):
        store.parse(text, "lab.toml")

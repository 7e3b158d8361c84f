"""Where xsync keeps its files: folders of this account, execution ids, and file systems it refuses."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import stat
import time
from pathlib import Path
from typing import NamedTuple

import platformdirs

from engine.errors import JournalError, UsageError

JOURNAL_NAME = "journal.sqlite"
"""A folder below ``executions`` is an execution once it holds this file."""

_ID = re.compile(r"(?P<stamp>\d{8}-\d{6})(?:-(?P<name>.+))?-(?P<fraction>[0-9a-f]{4})")
_SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

_LOCAL_FUSE = r"fuse\.(?:bindfs|encfs|exfat|fuse-overlayfs|gocryptfs|mergerfs|ntfs-3g)"
_NETWORK = re.compile(
    rf"9p|acfs|afs|beegfs|ceph|cifs|coda|davfs|drvfs|fuse|(?!{_LOCAL_FUSE}$)fuse\..*|glusterfs|gpfs|lustre|mmfs|ncpfs|"
    r"nfs|nfs4|orangefs|panfs|prl_fs|pvfs2|smb3|smbfs|vboxsf|vmhgfs|wekafs"
)


class Home(NamedTuple):
    """The folders of this account. ``own_base``: the base is xsync's alone, not a folder that ``$XSYNC_HOME`` names."""

    base: Path
    profiles: Path
    own_base: bool

    @property
    def executions(self) -> Path:
        """One folder an execution, named by its id."""
        return self.base / "executions"

    @property
    def state(self) -> Path:
        """What is known to be at each destination."""
        return self.base / "state"

    @property
    def surveys(self) -> Path:
        """Catalogs of surveys."""
        return self.base / "surveys"

    @property
    def schedules(self) -> Path:
        """What happened to schedules."""
        return self.base / "schedules"

    @property
    def test_runs(self) -> Path:
        """What test runs measured, one file each."""
        return self.base / "test-runs"

    @property
    def cutovers(self) -> Path:
        """How far cutovers are, and their sign-off reports."""
        return self.base / "cutovers"

    @property
    def drafts(self) -> Path:
        """Migrations that are still being described, one file each."""
        return self.base / "drafts"

    @property
    def manifests(self) -> Path:
        """Manifests as they were when an execution of theirs began."""
        return self.base / "manifests"

    @property
    def locks(self) -> Path:
        """Locks of destinations."""
        return self.base / "locks"


class Mount(NamedTuple):
    """One line of mountinfo: where a file system is mounted, its type (``ext4``, ``fuse.sshfs``) and its source."""

    point: str
    type: str
    source: str


def find_home() -> Home:
    """Say where the folders are, creating nothing. Raises JournalError if another account owns them."""
    chosen = os.environ.get("XSYNC_HOME")
    if chosen:
        base = Path(chosen).expanduser().absolute()
        home = Home(base, base / "profiles", own_base=False)
    else:
        profiles = platformdirs.user_config_path("xsync") / "profiles"
        home = Home(platformdirs.user_state_path("xsync"), profiles, own_base=True)
    for folder in (home.base, home.executions, home.profiles):
        _check_owner(folder)
    return home


def prepare_home() -> Home:
    """Create the folders where they are missing, readable by this account alone.

    A base folder that ``$XSYNC_HOME`` names and that exists keeps its mode: it may be ``/tmp``. Everything xsync makes
    in it is private. Raises JournalError if a folder cannot be made, belongs to another account, or lies on a network
    file system.
    """
    home = find_home()
    if home.own_base or not home.base.exists():
        private_folder(home.base)
    for folder in (home.executions, home.state, home.surveys, home.locks, home.profiles):
        private_folder(folder)
    check_local_file_system(home.base)
    return home


def private_folder(path: Path) -> Path:
    """Create ``path`` with mode 0700, or narrow an existing folder to it. Raises JournalError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_owner(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise JournalError(
            f"Cannot use the folder {path}: {error.strerror}. Set XSYNC_HOME to a folder on a local disk that you own."
        ) from error
    return path


def account_name(uid: int) -> str:
    """The name of an account, or its number where it has no name (containers)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def check_local_file_system(path: Path) -> None:
    """Raise JournalError if ``path`` lies on a network file system: SQLite's WAL and flock need one kernel.

    Reads /proc/self/mountinfo alone, so a hung mount elsewhere does no harm. Where there is none, nothing is refused.
    """
    try:
        mountinfo = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return
    mount = mount_of(os.path.realpath(path), parse_mountinfo(mountinfo))
    if mount is not None and is_network_type(mount.type):
        raise JournalError(
            f"{path} is on a network file system ({mount.type} from {mount.source}, mounted at {mount.point}), where a "
            "journal is not safe. Set XSYNC_HOME to a folder on a local disk."
        )


def parse_mountinfo(text: bytes) -> list[Mount]:
    """Read the lines of a mountinfo file (proc_pid_mountinfo(5)) in their order, passing over lines of another form."""
    mounts = []
    for line in text.splitlines():
        left, separator, right = line.partition(b" - ")
        before, after = left.split(b" "), right.split(b" ")
        if separator and len(before) >= 5 and len(after) >= 2:
            mounts.append(Mount(_unescape(before[4]), _unescape(after[0]), _unescape(after[1])))
    return mounts


def mount_of(path: str, mounts: list[Mount]) -> Mount | None:
    """The mount that holds an absolute ``path`` free of symlinks: the longest mount point, and the last one there."""
    holding = [mount for mount in mounts if (path + "/").startswith(mount.point.rstrip("/") + "/")]
    longest = max((len(mount.point) for mount in holding), default=0)
    return next((mount for mount in reversed(holding) if len(mount.point) == longest), None)


def is_network_type(file_system: str) -> bool:
    """Whether a type of file system is served from elsewhere; a FUSE type is, unless it is known to be local."""
    return _NETWORK.fullmatch(file_system) is not None


def new_execution_id(now: float, name: str | None) -> str:
    """Make the id of an execution started at ``now``, such as ``20261122-210512-lab-images-3f2a``.

    ``now``: seconds since the epoch; shown in UTC, with the fraction of the second in 1/65536 at the end.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return "-".join(part for part in (stamp, _safe_name(name or ""), f"{int(now % 1 * 65536):04x}") if part)


def list_execution_folders(home: Home) -> list[Path]:
    """Folders of all executions, oldest first. Raises JournalError if they cannot be read."""
    try:
        named = [path for path in home.executions.iterdir() if _ID.fullmatch(path.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(f"Cannot read {home.executions}: {error.strerror}.") from error
    found = [path for path in named if (path / JOURNAL_NAME).exists()]
    return sorted(found, key=lambda path: (path.name[:15], path.name[-4:]))


def find_execution(home: Home, text: str | None = None) -> Path:
    """The folder of the execution that ``text`` means: an id, a profile's name (its latest), or the start of one id.

    None means the latest of all. Raises UsageError that lists what exists.
    """
    folders = list_execution_folders(home)
    if not folders:
        raise UsageError(f"There is no execution in {home.executions} yet. Start one with: xsync run PROFILE")
    if text is None:
        return folders[-1]
    exact = [path for path in folders if path.name == text]
    named = [path for path in folders if text and _name_in(path.name) == _safe_name(text)]
    if exact or named:
        return (exact or named)[-1]
    started = [path for path in folders if text and path.name.startswith(text)]
    if len(started) == 1:
        return started[0]
    if started:
        raise UsageError(f"{len(started)} executions start with {text!r}. {_listed(started)}")
    raise UsageError(f"No execution or profile is called {text!r}. {_listed(folders)}")


def _listed(folders: list[Path]) -> str:
    newest = [path.name for path in reversed(folders[-10:])]
    more = f" and {len(folders) - 10} older ones" if len(folders) > 10 else ""
    return f"Newest first: {', '.join(newest)}{more}."


def _name_in(execution: str) -> str | None:
    match = _ID.fullmatch(execution)
    return match["name"] if match else None


def _safe_name(name: str) -> str:
    """``name`` as part of a file name; a digest keeps two names apart that would look alike."""
    if not name or _SAFE_NAME.fullmatch(name):
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9._]+", "-", name)[:40].strip("-")
    return f"{readable}-{digest}".lstrip("-")


def _check_owner(path: Path) -> None:
    try:
        owner = path.stat().st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalError(f"Cannot look at {path}: {error.strerror}. Set XSYNC_HOME to your own folder.") from error
    if owner != os.geteuid():
        raise JournalError(
            f"{path} belongs to {account_name(owner)}, and this is {account_name(os.geteuid())}. "
            f"Run xsync as {account_name(owner)}, or set XSYNC_HOME to a folder of your own."
        )


def _unescape(field: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field))

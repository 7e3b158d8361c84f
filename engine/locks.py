"""Locks between processes of one host: held by flock, so that a dead holder never needs cleaning up.

A lock lasts as long as the open file description that took it. Descriptors are closed on exec, and in the child of a
plain fork by the hook below, which is the first that it runs: no child keeps a lock of its parent alive. Only a parent
that is killed before its forked child first gets a processor leaves the lock to it for that long.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
import weakref
from contextlib import suppress
from pathlib import Path

import msgspec

from engine.decoding import from_json
from engine.errors import BusyError, JournalError

PROBE_GRACE_SECONDS = 1.0
"""``is_locked`` takes the lock for an instant; whoever wants it exclusively waits this long before calling it held."""

MUTEX_SECONDS = 30.0
"""The mutex of the locks folder is held for milliseconds; past this its holder is stopped or hangs."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a destination, for the message that another run gets. ``since``: seconds since the epoch."""

    execution: str
    profile: str | None
    user: str
    host: str
    pid: int
    since: float


class DestinationRecord(msgspec.Struct, frozen=True):
    """Content of the lock file of a destination."""

    identity: str
    prefix: bytes
    holder: Holder


class FileLock:
    """A held lock; a context manager. Kept until ``release`` or the end of the process."""

    def __init__(self, path: Path, fd: int, *, remove: bool = False) -> None:
        self.path = path
        self._fd = fd
        self._remove = remove
        _held.add(self)

    def release(self) -> None:
        """Let go of it; idempotent."""
        if self._fd < 0:
            return
        if self._remove:
            self.path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Close this process's descriptor; another process that shares it keeps the lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)


def runner_lock(folder: Path) -> FileLock:
    """Become the runner of the execution in ``folder``. Raises BusyError that names the process which is."""
    path = folder / "runner.lock"
    fd = _open(path)
    if not _flock(fd, fcntl.LOCK_EX, PROBE_GRACE_SECONDS):
        os.close(fd)
        raise BusyError(f"Execution {folder.name} already runs ({_pids(path)}). Watch it: xsync attach {folder.name}")
    return FileLock(path, fd)


def runner_alive(folder: Path) -> bool:
    """Whether a runner works on the execution in ``folder``, as far as this host can tell."""
    return is_locked(folder / "runner.lock")


def is_locked(path: Path) -> bool:
    """Whether someone holds ``path`` exclusively.

    The probe takes the lock shared and gives it back at once; for that instant nobody gets it exclusively, which is why
    ``runner_lock`` tries for PROBE_GRACE_SECONDS. The answer may be old by the time it is read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _flock(fd, fcntl.LOCK_SH, 0.0)
    finally:
        os.close(fd)


def agents_lock(folder: Path) -> FileLock:
    """Taken by each agent, in the agent's own process, before its first unit; shared with the other agents.

    Raises BusyError if a resume still waits for the agents of an earlier run after 30 s.
    """
    path = folder / "agents.lock"
    fd = _open(path)
    if not _flock(fd, fcntl.LOCK_SH, MUTEX_SECONDS):
        os.close(fd)
        raise BusyError(f"Execution {folder.name} waits for agents of an earlier run ({_pids(path)}).")
    return FileLock(path, fd)


def wait_for_agents(folder: Path, seconds: float) -> None:
    """Return once no agent of an earlier run lives; called under ``runner_lock`` and before the first agent starts.

    Raises BusyError after ``seconds`` that names the processes which still hold their lock: an agent in an
    uninterruptible read (a dead mount) outlives its runner and could still write.
    """
    path = folder / "agents.lock"
    fd = _open(path)
    try:
        if not _flock(fd, fcntl.LOCK_EX, seconds):
            raise BusyError(
                f"Agents of the earlier run of {folder.name} still live after {seconds:.0f} s ({_pids(path)}): they "
                "may hang in a read of a dead mount. Bring the mount back or end these processes, then: "
                f"xsync resume {folder.name}"
            )
    finally:
        os.close(fd)


def overlaps(one: bytes, other: bytes) -> bool:
    """Whether two folders are the same or one lies in the other, by whole path components; b"" is the root."""
    first, second = ([part for part in path.split(b"/") if part] for path in (one, other))
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def destination_lock(locks: Path, identity: str, prefix: bytes, holder: Holder) -> FileLock:
    """Claim folder ``prefix`` of the destination ``identity`` (the bucket or file system, without the prefix).

    ``locks`` is the locks folder of this account: other accounts and other hosts are not seen. Raises BusyError if a
    live run of this account holds an overlapping folder, JournalError if the lock cannot be written.
    """
    path = locks / "mutex"
    mutex = _open(path)
    try:
        if not _flock(mutex, fcntl.LOCK_EX, MUTEX_SECONDS):
            raise BusyError(f"Another xsync ({_pids(path)}) holds {path} for more than {MUTEX_SECONDS:.0f} s.")
        for other in locks.glob("*.lock"):
            _check_other(other, identity, prefix)
        return _claim(locks, DestinationRecord(identity, prefix, holder))
    finally:
        os.close(mutex)


def _check_other(path: Path, identity: str, prefix: bytes) -> None:
    """Raise BusyError if the live holder of ``path`` overlaps; remove the file if its holder is gone."""
    if not is_locked(path):
        path.unlink(missing_ok=True)
        return
    try:
        other = from_json(path.read_bytes(), DestinationRecord)
    except FileNotFoundError:
        return
    except (OSError, msgspec.MsgspecError) as error:
        raise BusyError(f"A run of this account ({_pids(path)}) holds {path}, which cannot be read: {error}") from error
    if other.identity == identity and overlaps(other.prefix, prefix):
        raise BusyError(_busy_text(other))


def _busy_text(other: DestinationRecord) -> str:
    holder = other.holder
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(holder.since))
    profile = f" of profile {holder.profile}" if holder.profile else ""
    folder = other.prefix.decode("utf-8", "backslashreplace") or "/"
    return (
        f"Execution {holder.execution}{profile} writes to this destination: {holder.user}@{holder.host}, "
        f"pid {holder.pid}, since {since}. Wait for it, watch it (xsync attach {holder.execution}) or stop it "
        f"(xsync cancel {holder.execution}). It holds folder {folder} of {other.identity}."
    )


def _claim(locks: Path, record: DestinationRecord) -> FileLock:
    path = locks / f"{record.holder.execution}.{secrets.token_hex(4)}.lock"
    lock = FileLock(path, _open(path), remove=True)
    try:
        fcntl.flock(lock._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(lock._fd, msgspec.json.encode(record))
    except OSError as error:
        lock.release()
        raise JournalError(f"Cannot write the lock {path}: {error.strerror}.") from error
    return lock


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"Cannot open the lock {path}: {error.strerror}.") from error


def _flock(fd: int, operation: int, seconds: float) -> bool:
    """Try for ``seconds`` to take the lock; False if another holds it to the end."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        except OSError as error:
            raise JournalError(f"Cannot lock the state folder: {error.strerror}. Is it on a local disk?") from error
        else:
            return True


def _pids(path: Path) -> str:
    pids = holders(path)
    return f"pid {', '.join(map(str, pids))}" if pids else "a process that cannot be seen from here"


def holders(path: Path) -> list[int]:
    """Pids of the other processes of this account that have ``path`` open.

    Read from the links in /proc/<pid>/fd: these exist as long as the lock does, need no file that could be stale, and
    reading them never touches a hung mount. Empty where there is no /proc or the holder is in another container.
    """
    wanted = os.path.realpath(path)
    pids = [int(name) for name in _names("/proc") if name.isdecimal() and int(name) != os.getpid()]
    return sorted(pid for pid in pids if wanted in _open_files(pid))


def _open_files(pid: int) -> set[str]:
    return {_target(f"/proc/{pid}/fd/{fd}") for fd in _names(f"/proc/{pid}/fd")}


def _names(folder: str) -> list[str]:
    with suppress(OSError):
        return os.listdir(folder)
    return []


def _target(link: str) -> str:
    with suppress(OSError):
        return os.readlink(link)
    return ""

"""What some tests need of the account that runs them: to mount file systems, to be root, to become another account.

A mount that vanishes, a disk that is full, or a file that another account owns cannot be had otherwise, and a fake
would prove nothing about the kernel. An account that may not do it (a developer's, a locked-down container) skips those
tests, and pytest's summary names each.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other accounts")


def mount(*arguments: str | Path) -> None:
    """Run mount(8), or skip the test."""
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this account may not mount: {done.stderr.strip()}")


def unmount(place: Path) -> None:
    """Take a file system away at once, whoever uses it; nothing if there is none."""
    subprocess.run(["umount", "-l", place], check=False, capture_output=True)


@contextmanager
def mounted(place: Path, *arguments: str | Path) -> Iterator[None]:
    """What ``mount ARGUMENTS PLACE`` mounts, until the end."""
    mount(*arguments, place)
    try:
        yield
    finally:
        unmount(place)


def run_with_mounts(script: str, *arguments: str) -> str:
    """Output of a Python script in a mount namespace of its own, or skip the test."""
    allowed = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    if allowed.returncode:
        pytest.skip(f"this account may not mount: {allowed.stderr.strip()}")
    command = ["unshare", "--mount", sys.executable, "-c", script, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


@contextmanager
def as_nobody() -> Iterator[None]:
    """Work without the rights of root, if this is root."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)

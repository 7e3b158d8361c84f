"""What commands that list entries share: the file they are listed in, and how far they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xsync_tui.cli import options

if TYPE_CHECKING:
    from engine.execution.comparing.verification import Progress


@contextmanager
def listed_in(output: str | None) -> Iterator[Path]:
    """The Parquet file for a list: ``output`` if that is one, else one that goes. Raises click.UsageError."""
    import tempfile

    from engine.home import prepare_home

    if output is not None and Path(output).suffix not in (".parquet", ".jsonl"):
        raise click.UsageError("--output: expected a file that ends in .parquet or .jsonl")
    target = None if output is None else options.writable(output)
    if target is not None and target.suffix == ".parquet":
        yield target
        return
    with tempfile.TemporaryDirectory(dir=prepare_home().executions.parent, prefix=".listed-") as folder:
        yield Path(folder) / "list.parquet"


def write_lines(output: str | None, rows: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
    """Write ``rows()`` to ``output`` as JSON lines, if that is what it is for. Raises OSError."""
    import msgspec

    from engine.catalog.files import replacing

    if output is None or not output.endswith(".jsonl"):
        return
    with replacing(Path(output).absolute()) as file:
        for row in rows():
            file.write(msgspec.json.encode(row) + b"\n")


class Counter:
    """A line on stderr that is redrawn, if that is a terminal."""

    def __init__(self) -> None:
        from xsync_tui.cli.block import Block

        self._block = Block(sys.stderr) if sys.stderr.isatty() else None

    def show(self, progress: Progress) -> None:
        """Draw how far it is."""
        if self._block is not None:
            from xsync_tui.cli.output import current_look

            self._block.draw([f"{progress.step}: {progress.entries:,} entries"], current_look().width)

    def erase(self) -> None:
        """Leave nothing of it."""
        if self._block is not None:
            from xsync_tui.cli.output import current_look

            self._block.erase(current_look().width)

"""``python -m xsync_tui.gallery``: shows, lists or prints drawings; makes the pictures and the cast of the docs."""

from __future__ import annotations

import os
import sys
from datetime import UTC
from pathlib import Path

import click

from xsync_tui.drawing.rows import Canvas, plain


@click.command
@click.option("--list", "lists", is_flag=True, help="Names of all drawings and their states.")
@click.option(
    "--text", "name", metavar="NAME", help="Print a drawing (histogram/four years), or all of one (histogram)."
)
@click.option("--width", default=80, show_default=True, help="Cells of what is printed.")
@click.option("--ascii", "plain_glyphs", is_flag=True, help="Print it without glyphs beyond ASCII.")
@click.option("--pictures", metavar="FOLDER", type=Path, help="Write the docs' pictures (SVG) into FOLDER.")
@click.option("--cast", metavar="FILE", type=Path, help="Write the story as a cast (asciinema v2) to FILE.")
def main(
    lists: bool, name: str | None, width: int, plain_glyphs: bool, pictures: Path | None, cast: Path | None
) -> None:
    """Show every drawing of the app in every state, from made-up values."""
    if pictures is not None or cast is not None:
        _make(pictures, cast)
    elif lists or name is not None:
        _print(name, Canvas(width, 20 if width < 100 else 36, unicode=not plain_glyphs, zone=UTC))
    else:
        from xsync_tui.gallery.viewer import Gallery

        Gallery(no_color=bool(os.environ.get("NO_COLOR"))).run(mouse=False)


def _print(name: str | None, canvas: Canvas) -> None:
    from xsync_tui.gallery.exhibits import EXHIBITS, named

    if name is None:
        print("\n".join(each.name for each in EXHIBITS))
        return
    found = named(name)
    if not found:
        raise click.BadParameter(f"{name!r}: no drawing is called like that; --list names all")
    for each in found:
        if len(found) > 1:
            print(f"-- {each.name}")
        print("\n".join(line.rstrip() for line in plain(each.draw(canvas))))


def _make(pictures: Path | None, cast: Path | None) -> None:
    from xsync_tui.gallery import making

    if pictures is not None:
        for path in making.pictures(pictures):
            print(path)
    if cast is not None:
        making.cast(cast)
        print(cast)


if __name__ == "__main__":
    sys.exit(main())

"""The ``xsync`` command: ``python -m xsync_tui`` and the console script are the same."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code (design.md, section 10)."""
    from xsync_tui.cli.entry import run

    code = run(sys.argv[1:])
    sys.exit(code)


if __name__ == "__main__":
    main()

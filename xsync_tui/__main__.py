"""The ``xsync`` command: ``python -m xsync_tui`` and the console script are the same."""

from __future__ import annotations

import os
import sys

_ALLOCATOR = "ARROW_DEFAULT_MEMORY_POOL", "system"
"""For Arrow, in this process and all that it starts: malloc. Its own choice, mimalloc, takes memory in huge pages; to
zero them took 10 to 30 ms at a time, several times what a survey's worker then did in them. In runners and agents it
was a quarter more memory, and 4 % of the CPU."""


def main() -> None:
    """Run the command line and exit with its code (design.md, section 10)."""
    os.environ.setdefault(*_ALLOCATOR)
    from xsync_tui.cli.entry import run

    code = run(sys.argv[1:])
    sys.exit(code)


if __name__ == "__main__":
    main()

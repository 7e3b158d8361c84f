"""Who took whose place: what ties an interrupted execution to the newer one between the same two sides."""

from __future__ import annotations

from collections.abc import Iterable

from engine.journal.records import Upload
from engine.journal.uploads import Uploads
from engine.model import Identity, Status

NOT_TO_BE_USED = Identity(0, 0, 0, 0, 0)
"""Of an upload that was taken over to be discarded: no file in parts is of this identity."""


class Succession(Uploads):
    """Both sides: the older execution is marked, the newer one says whose place it takes, and has what was open."""

    def supersede(self, by: str, at: float) -> None:
        """Say that execution ``by`` has taken the place of this one: it has ended for good. The first one stays."""
        with self.transaction():
            if self.superseded_by():
                return
            self._run("INSERT OR REPLACE INTO succession VALUES (?, 1)", by)
            self._run("UPDATE execution SET status = ?, message = '', ended_at = ?", Status.SUPERSEDED.value, at)

    def superseded_by(self) -> str:
        """The execution that took the place of this one, or ""."""
        return next((name for (name,) in self._rows("SELECT execution FROM succession WHERE newer = 1")), "")

    def add_supersedes(self, executions: Iterable[str]) -> None:
        """Say whose place this execution is to take when its runner begins."""
        self._run_many("INSERT OR IGNORE INTO succession VALUES (?, 0)", ((name,) for name in executions))

    def supersedes(self) -> list[str]:
        """Executions whose place this one takes."""
        return [name for (name,) in self._rows("SELECT execution FROM succession WHERE newer = 0 ORDER BY execution")]

    def take_uploads(self, uploads: Iterable[Upload], intents: Iterable[tuple[bytes, float]], *, usable: bool) -> None:
        """Take over what another execution has open: to go on with, or (not ``usable``) to discard it.

        What is taken over already stays as it is: a crash may come before the other one has forgotten it.
        """
        with self.transaction():
            known = {(upload.path, upload.upload_id) for upload in self.open_uploads()}
            for upload in uploads:
                if (upload.path, upload.upload_id) in known:
                    continue
                identity = upload.identity if usable else NOT_TO_BE_USED
                number = self.open_upload(upload.path, upload.upload_id, identity, upload.part_size, upload.opened_at)
                self.add_parts(number, upload.parts if usable else ())
            # As if intended twice: none of ours may take an intent for fulfilled that was another's.
            self._run_many("INSERT OR IGNORE INTO intents VALUES (?, ?, 2)", intents)

    def forget_uploads(self) -> None:
        """Forget all that is open: another journal has it."""
        with self.transaction():
            self._run("DELETE FROM uploads")
            self._run("DELETE FROM intents")

"""What long jobs keep of their way in the store, so that an interruption costs little: a cache, never the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared.items.keys import scratch_key
from shared.observe.logs import get_logger
from shared.run.commit import is_below
from shared.stage.declare import AnyStage
from shared.store import Forbidden, NotFound, Store, StoreError

NAME: Final = "checkpoint"
"""The one object of a job: what was kept before is replaced in one step, so a reader has all of one or of another."""


class ScratchSpace:
    """Keeps the checkpoints of one stage's jobs; does nothing for a stage that declares none.

    Args:
        stage: the stage.
        store: where to.
    """

    def __init__(self, stage: AnyStage, store: Store) -> None:
        self._stage, self._store = stage, store
        self._log = get_logger(stage=stage.name)

    def fetch(self, job_id: str, path: Path) -> Path | None:
        """Bring what a job kept last to a new local file; None where there is nothing."""
        if not self._stage.checkpoints:
            return None
        try:
            found = self._store.fetch(self._key(job_id), path)
        except NotFound:
            return None
        return path if found.size else None

    def keep(self, job_id: str, folder: Path, path: Path) -> None:
        """Put a file in the place of what a job kept before, and remove it here.

        A store that does not take it costs no job: it goes on, and is begun further back should it be interrupted.

        Args:
            job_id: the job.
            folder: the one that the worker was given; what lies elsewhere is left alone.
            path: the file.
        """
        if not self._stage.checkpoints:
            return
        if not is_below(folder, path):
            self._log.error("no checkpoint kept", job=job_id, error=f"{path} is not below the task's folder")
            return
        try:
            self._store.put(self._key(job_id), path)
        except (StoreError, OSError) as error:
            self._log.warning("no checkpoint kept", job=job_id, error=str(error))
        path.unlink(missing_ok=True)

    def clear(self, job_id: str) -> None:
        """Remove what a job kept, as it has its result, or must begin anew.

        On a store whose policy lets no service delete it is emptied, and `landstream prune` removes what is left.
        """
        if not self._stage.checkpoints:
            return
        key = self._key(job_id)
        try:
            self._clear(key)
        except StoreError as error:
            self._log.warning("a checkpoint is left", job=job_id, error=str(error))

    def _clear(self, key: str) -> None:
        try:
            if not self._store.head(key).size:
                return
        except NotFound:
            return
        try:
            self._store.delete(key)
        except Forbidden:
            self._store.put(key, b"")

    def _key(self, job_id: str) -> str:
        return scratch_key(self._stage.name, job_id, NAME)

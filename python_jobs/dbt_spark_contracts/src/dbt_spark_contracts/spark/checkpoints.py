"""The checkpoints of one dbt command: a folder of their own that is deleted at the end.

Spark itself never deletes them.
"""

import atexit
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from dbt_spark_contracts.spark import executors, session
from dbt_spark_contracts.spark.settings import CHECKPOINT_DIR


class Checkpoints:
    """The place of a command's reliable checkpoints."""

    def __init__(self, parent: str | None = None) -> None:
        """Set the parent folder.

        Args:
            parent: The profile's `spark.checkpoint.dir`. Without it, the temporary folder is used.
        """
        self._parent = (parent or tempfile.gettempdir()).rstrip("/")
        self._named: str | None = None
        self._used: str | None = None
        self._one_at_a_time = threading.Lock()

    def name(self, run: str) -> None:
        """Use a folder named after a run, so that it can be found if the run is killed."""
        self._named = self._folder_of(run)

    def use(self) -> None:
        """Direct Spark's checkpoints to the folder from now on."""
        context = session.get().sparkContext
        with self._one_at_a_time:
            if self._used is not None:
                return
            folder = self._named or self._parent
            executors.require_shared(CHECKPOINT_DIR, self._parent, context.master)
            if "://" not in folder:
                session.make_folder(CHECKPOINT_DIR, folder)  # Spark would not report the failure
            context.setCheckpointDir(folder)  # Spark makes a folder of its own inside
            self._used = self._named or context.getCheckpointDir()
            atexit.register(self.delete)

    def delete(self) -> None:
        """Delete the checkpoints. The next command names a folder of its own."""
        with self._one_at_a_time:
            folder, self._used, self._named = self._used, None, None
        if folder:
            atexit.unregister(self.delete)
            session.delete_folder(folder)

    def unused_for(self, age: timedelta, is_run: Callable[[str], bool]) -> list[str]:
        """Return the runs whose checkpoints are left, and were last written so long ago.

        Args:
            age: The least age of what was written last.
            is_run: Whether a folder's name is that of a run.
        """
        millis = int((time.time() - age.total_seconds()) * 1000)
        return session.folders_unused_since(self._parent, millis, is_run)

    def delete_those_of(self, run: str) -> None:
        """Delete the checkpoints of a killed run."""
        session.delete_folder(self._folder_of(run))

    def left(self, is_run: Callable[[str], bool]) -> list[str]:
        """Return the folders of runs that were killed, or that run now."""
        return sorted(map(self._folder_of, self.unused_for(timedelta(0), is_run)))

    def _folder_of(self, run: str) -> str:
        if not run.isidentifier():
            raise ValueError(f"{run!r} is not the name of a run")
        return f"{self._parent}/{run}"

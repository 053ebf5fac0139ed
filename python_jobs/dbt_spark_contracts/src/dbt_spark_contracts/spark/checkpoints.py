"""The checkpoints of one dbt command: they lie in a folder of their own, which goes when it ends.

Spark never deletes them.
"""

import atexit
import tempfile
import threading

from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark.settings import CHECKPOINT_DIR


class Checkpoints:
    """Where a command's reliable checkpoints are."""

    def __init__(self, parent: str | None = None) -> None:
        """In: the profile's `spark.checkpoint.dir`. Without one, it is the temporary folder."""
        self._parent = (parent or tempfile.gettempdir()).rstrip("/")
        self._named: str | None = None
        self._used: str | None = None
        self._one_at_a_time = threading.Lock()

    def name(self, run: str) -> None:
        """Let them lie in a folder of a run's name: that is known if the run is killed."""
        self._named = self._folder_of(run)

    def use(self) -> None:
        """Let Spark's checkpoints go there, from now on."""
        context = session.get().sparkContext
        with self._one_at_a_time:
            if self._used is not None:
                return
            folder = self._named or self._parent
            if "://" not in folder:
                session.make_folder(CHECKPOINT_DIR, folder)  # Spark would not say that it cannot
            context.setCheckpointDir(folder)  # and Spark makes one of its own in there
            self._used = self._named or context.getCheckpointDir()
            atexit.register(self.delete)

    def delete(self) -> None:
        """Delete them. The next command names a folder of its own."""
        with self._one_at_a_time:
            folder, self._used, self._named = self._used, None, None
        if folder:
            atexit.unregister(self.delete)
            session.delete_folder(folder)

    def delete_those_of(self, run: str) -> None:
        """Delete those of a run of that name, which was killed."""
        session.delete_folder(self._folder_of(run))

    def _folder_of(self, run: str) -> str:
        if not run.isidentifier():
            raise ValueError(f"{run!r} is no run's name")
        return f"{self._parent}/{run}"

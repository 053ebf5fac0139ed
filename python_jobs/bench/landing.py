"""The events that all contestants read: a large file, and a second one that arrives later."""

import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path

from python_jobs import generate_landing

SEED = 1


class Landing:
    """A landing folder with one file of events, to which one per cent more can be added.

    Attributes:
        folder: The folder that the contestants read.
    """

    def __init__(self, place: Path, events: int) -> None:
        self.folder = place / "landing"
        self._later = place / "later"
        for folder in (self.folder, self._later):
            shutil.rmtree(folder, ignore_errors=True)
        with redirect_stdout(sys.stderr):
            generate_landing.main(
                [
                    *("--events", str(events + max(1, events // 100))),
                    *("--events-per-file", str(events)),
                    *("--cars", str(max(10, events // 1000))),
                    *("--seed", str(SEED)),
                    *("--duplicates", "0.02", "--corrupt", "0.01"),
                    *("--format", "jsonl", "--out", str(self.folder)),
                ]
            )
        self._later.mkdir()
        self._new_file = sorted(self.folder.iterdir())[-1]
        self._new_file.rename(self._later / self._new_file.name)

    def add_new_events(self) -> None:
        """Add the one per cent, if it has not been added."""
        if not self._new_file.exists():
            shutil.copy(self._later / self._new_file.name, self._new_file)

    def remove_new_events(self) -> None:
        """Restore the state with only the first file."""
        self._new_file.unlink(missing_ok=True)

"""The events that all contestants read, and one per cent more that arrives later."""

import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path

from python_jobs import generate_landing

SEED = 1


class Landing:
    """A landing folder with files of events, to which one per cent more can be added.

    Attributes:
        folder: The folder that the contestants read.
    """

    def __init__(self, place: Path, events: int, is_split: bool = False) -> None:
        """Generate the events.

        Args:
            place: A folder for the landing folder and for what arrives later.
            events: The number of events at first.
            is_split: Whether each event has a file of its own, instead of one file for all.
        """
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
        later = sorted(self.folder.iterdir())[-1]
        later.rename(self._later / later.name)
        if is_split:
            # The generator would write other events: how late one arrives depends on the files.
            for file in [*self.folder.iterdir(), *self._later.iterdir()]:
                _split(file)
        self._new = [self.folder / file.name for file in self._later.iterdir()]

    def add_new_events(self) -> None:
        """Add the one per cent, if it has not been added."""
        for file in self._new:
            if not file.exists():
                shutil.copy(self._later / file.name, file)

    def remove_new_events(self) -> None:
        """Restore the state before they arrived."""
        for file in self._new:
            file.unlink(missing_ok=True)


def _split(file: Path) -> None:
    """Replace a file of lines by a file for each line."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines):
            file.with_name(f"{file.stem}_{number:07}{file.suffix}").write_bytes(line)
    file.unlink()

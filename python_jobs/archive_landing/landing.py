"""The landing folder: its files as Bronze names them, and how one is taken out of it."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

# Spark does not look into a folder whose name begins with a dot.
ASIDE = ".archiving-"


@dataclass(frozen=True)
class Version:
    """A file as it was when it was looked at.

    Attributes:
        path: Where it is.
        name: Its path, relative to the landing folder, as Bronze has it.
        modified_ns: Its last modification, in nanoseconds.
        size: Its size in bytes.
    """

    path: Path
    name: str
    modified_ns: int
    size: int

    @property
    def key(self) -> tuple[str, int | None, int]:
        """Name, time and size as in Bronze: to the millisecond, and no time for an empty file."""
        micros = self.modified_ns // 1_000_000 * 1000 if self.size else None
        return self.name, micros, self.size

    def is_that_of(self, path: Path) -> bool:
        """Return whether the file at `path` is there, and is this version."""
        with suppress(FileNotFoundError):
            found = path.lstat()
            return (found.st_mtime_ns, found.st_size) == (self.modified_ns, self.size)
        return False


class Landing:
    """A landing folder on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._aside = f"{ASIDE}{uuid4().hex}"

    def versions(self) -> list[Version]:
        """Return the files, in the order of their names. Links and hidden files are left out."""
        return sorted(self._versions(), key=lambda version: version.name)

    def _versions(self) -> Iterator[Version]:
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith((".", "_"))]
            for name in files:
                path = Path(folder) / name
                with suppress(FileNotFoundError):  # another command has moved it
                    found = path.lstat()
                    if stat.S_ISREG(found.st_mode) and not name.startswith((".", "_")):
                        relative = path.relative_to(self.root).as_posix()
                        yield Version(path, relative, found.st_mtime_ns, found.st_size)

    def take(self, version: Version) -> Path | None:
        """Move a file aside, to where no build sees it, if it is still that version.

        What is looked at after the move is what the caller gets: nobody replaces it any more. A
        file that has changed goes back.

        Returns:
            Where it is, or None if it has changed or is gone.
        """
        aside = version.path.parent / self._aside / version.path.name
        aside.parent.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # another command has moved it
            version.path.rename(aside)
            if version.is_that_of(aside):
                return aside
            self.put_back(aside)
        _remove_empty(aside.parent)
        return None

    def put_back(self, aside: Path) -> None:
        """Move a file back to where it was taken.

        If a newer file has come there meanwhile, the older one stays aside: nothing is deleted.
        """
        with suppress(FileExistsError, FileNotFoundError):
            os.link(aside, aside.parent.parent / aside.name, follow_symlinks=False)
            aside.unlink()
        _remove_empty(aside.parent)

    def put_all_back(self) -> None:
        """Put back what killed commands have left aside."""
        for folder, folders, _ in os.walk(self.root):
            for name in [name for name in folders if name.startswith(ASIDE)]:
                with suppress(FileNotFoundError):  # another command has put it back
                    for file in [*(Path(folder) / name).iterdir()]:
                        self.put_back(file)
                _remove_empty(Path(folder) / name)

    def forget(self, aside: Path) -> None:
        """Remove a file that is in the archive from where it was moved aside."""
        aside.unlink(missing_ok=True)  # another command may have put it back
        _remove_empty(aside.parent)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()

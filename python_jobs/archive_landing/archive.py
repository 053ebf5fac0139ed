"""The archive: a folder a day, and in it each file under its own name."""

import errno
import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from uuid import uuid4

from python_jobs.archive_landing.landing import Landing, Version

MOVED = "moved"
CHANGED = "left: it changed while it was moved, or another command moved it"

# Why a file has no second name there: another file system, somebody else's file, no links at all.
COPY_INSTEAD = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EMLINK)


class CannotArchiveError(Exception):
    """Why nothing more can be moved, and the way out, in one line."""


class Archive:
    """A folder on this machine that landing files are moved to.

    Args:
        root: The folder; made if need be.
        landing: Where the files come from.

    Raises:
        CannotArchiveError: If one of the two folders is in the other.
    """

    def __init__(self, root: Path, landing: Landing) -> None:
        self.root = root
        self._landing = landing
        folders = [root, landing.root.resolve()]
        if folders[0].is_relative_to(folders[1]) or folders[1].is_relative_to(folders[0]):
            raise CannotArchiveError(f"{root} and the landing folder overlap: name another --to")

    def take(self, version: Version) -> tuple[str, str]:
        """Move a file here, unless it has changed.

        It is moved aside, then kept here, then removed there. A command that is killed leaves it
        aside, and the next one puts it back and begins again. Two commands at once do no harm: a
        file here is never replaced, and one there is removed only if it is here.

        Returns:
            What became of it, and where it is now.

        Raises:
            CannotArchiveError: If it cannot be moved. It is where it was.
        """
        try:
            aside = self._landing.take(version)
            if aside is None:
                return CHANGED, ""
            place = None
            try:
                place = self._keep(aside, version)
            finally:
                if place is None:
                    self._landing.put_back(aside)
            if place is None:
                return CHANGED, ""
            self._landing.forget(aside)
            return MOVED, str(place)
        except OSError as error:
            raise CannotArchiveError(
                f"{version.name}: {error.strerror} ({error.filename2 or error.filename}): "
                "make room or set the permission, and run it again"
            ) from error

    def check(self) -> None:
        """Check that the archive is a folder, or can become one. Creates nothing.

        Raises:
            CannotArchiveError: If it cannot.
        """
        there = next(path for path in (self.root, *self.root.parents) if path.exists())
        if not there.is_dir():
            raise CannotArchiveError(f"{there} is not a folder: name another archive, --to")
        if not os.access(there, os.W_OK | os.X_OK) or not _can_create(there):
            raise CannotArchiveError(f"{there} cannot be written to: name another archive, --to")

    def place_of(self, version: Version) -> Path:
        """Return where a file goes: a place that is free, or that has the same content."""
        return next(
            place
            for place in self._places(version)
            if not place.exists() or filecmp.cmp(place, version.path, shallow=False)
        )

    def _places(self, version: Version) -> Iterator[Path]:
        """Yield the places that a file may have, the best first.

        Several versions of one file that changed on one day are in folders beside each other.
        """
        day = datetime.fromtimestamp(version.modified_ns / 1e9, timezone.utc).date()
        for number in count(1):
            yield self.root / (f"{day}" if number == 1 else f"{day}.{number}") / version.name

    def _keep(self, aside: Path, version: Version) -> Path | None:
        """Give a file its place here, and return it. None if it changes meanwhile."""
        for place in self._places(version):
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                self._link(aside, place, version)
            except (FileExistsError, NotADirectoryError):
                if not place.is_file() or not filecmp.cmp(place, aside, shallow=False):
                    continue
            except FileNotFoundError:
                return None
            _sync(place.parent)
            return place if version.is_that_of(aside) else None
        return None

    def _link(self, aside: Path, place: Path, version: Version) -> None:
        """Make `place` the file's name, or that of a copy. Never replaces a file.

        Raises:
            FileExistsError: If there is a file of that name.
            FileNotFoundError: If the file changed while it was copied, or is gone.
        """
        try:
            os.link(aside, place, follow_symlinks=False)
            return
        except OSError as error:
            if error.errno not in COPY_INSTEAD:
                raise
        if place.exists():
            raise FileExistsError(place)
        part = self.root / f".part-{uuid4().hex}"
        try:
            shutil.copy2(aside, part)
            _sync(part)
            if not version.is_that_of(aside):
                raise FileNotFoundError(aside)
            os.link(part, place)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()


def _can_create(folder: Path) -> bool:
    """Return whether a file can be created in a folder. Leaves none."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Landing files move to an archive, and no file is lost if the command is killed.

What this means for Bronze is tested in test_backfill.py.
"""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from python_jobs.archive_landing import archive as archive_module
from python_jobs.archive_landing.archive import CHANGED, MOVED, Archive, CannotArchiveError
from python_jobs.archive_landing.landing import Landing

pytestmark = pytest.mark.quick

# 2026-01-14 08:00:00.123456789 UTC
MODIFIED = 1_768_377_600_123_456_789
DAY = "2026-01-14"

NAMES = [
    *("a.json", "a b.json", " a.json", "a.json ", "-rf", "--to", "*?[x]{y}.json", "a:b.json"),
    *("new\nline.json", "tab\t.json", "a'b\"c.json", "$(x)`y`.json", "back\\slash.json"),
    *(
        "über 車.json",
        "e\u0301.json",
        f"{'x' * 250}.json",
        "sub/folder/a.json",
        "sub/a.json/b.json",
    ),
]


@pytest.fixture(params=["one file system", "two file systems"])
def file_systems(request, monkeypatch):
    """Run on one file system and on two, between which hard links fail."""
    if request.param == "two file systems":
        monkeypatch.setattr(archive_module.os, "link", link_within_the_archive)


real_link = os.link


def link_within_the_archive(source, place, **options):
    within = {str(path).partition("/archive/")[1] for path in (source, place)}
    if len(within) == 2:
        raise OSError(18, "Invalid cross-device link", str(source), None, str(place))
    real_link(source, place, **options)


def land(folder: Path, name: str, text: str = "{}", modified: int = MODIFIED) -> Path:
    file = folder / "landing" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, ns=(modified, modified))
    return file


def both(folder: Path) -> tuple[Landing, Archive]:
    landing = Landing(folder / "landing")
    return landing, Archive(folder / "archive", landing)


def take_all(folder: Path) -> list[tuple[str, str]]:
    """Do what the command does when Bronze contains every file."""
    landing, archive = both(folder)
    landing.put_all_back()
    return [archive.take(version) for version in landing.versions()]


def files(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): file.read_text()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.usefixtures("file_systems")
def test_each_file_keeps_its_name_its_time_and_its_content(tmp_path):
    for number, name in enumerate(NAMES):
        land(tmp_path, name, str(number))
    before = files(tmp_path / "landing")
    assert {what for what, _ in take_all(tmp_path)} == {MOVED}
    assert files(tmp_path / "landing") == {}
    assert files(tmp_path / "archive" / DAY) == before
    times = {
        path.stat().st_mtime_ns for path in (tmp_path / "archive").rglob("*") if path.is_file()
    }
    assert times == {MODIFIED}
    # The command that docs/operations.md gives to restore files.
    shutil.copytree(tmp_path / "archive" / DAY, tmp_path / "landing", dirs_exist_ok=True)
    landing, _ = both(tmp_path)
    assert {version.key[1] for version in landing.versions()} == {1_768_377_600_123_000}


def test_what_spark_does_not_read_stays(tmp_path):
    land(tmp_path, "a.json")
    for name in (".hidden.json", "_hidden.json", ".folder/a.json", "_folder/a.json"):
        land(tmp_path, name)
    (tmp_path / "landing/link.json").symlink_to(tmp_path / "landing/a.json")
    take_all(tmp_path)
    assert files(tmp_path / "archive").keys() == {f"{DAY}/a.json"}
    assert (tmp_path / "landing/link.json").is_symlink()
    assert (tmp_path / "landing/_folder/a.json").is_file()


def test_a_file_that_has_changed_since_it_was_looked_at_stays(tmp_path):
    land(tmp_path, "a.json")
    longer, gone = land(tmp_path, "b.json"), land(tmp_path, "c.json")
    landing, archive = both(tmp_path)
    versions = landing.versions()
    land(tmp_path, "a.json", "[]", MODIFIED + 1)
    with longer.open("a") as file:
        file.write("{}")
    gone.unlink()
    assert [archive.take(version) for version in versions] == 3 * [(CHANGED, "")]
    assert files(tmp_path / "landing") == {"a.json": "[]", "b.json": "{}{}"}
    assert not (tmp_path / "archive").exists()


def test_a_file_that_is_written_to_while_it_is_copied_stays(tmp_path, monkeypatch):
    """A process that still has the file open can write to it."""
    land(tmp_path, "a.json")
    copy = shutil.copy2

    def copy_and_write(aside, part):
        copy(aside, part)
        with Path(aside).open("a") as file:
            file.write("late")

    monkeypatch.setattr(archive_module.os, "link", link_within_the_archive)
    monkeypatch.setattr(archive_module.shutil, "copy2", copy_and_write)
    assert take_all(tmp_path) == [(CHANGED, "")]
    assert files(tmp_path / "landing") == {"a.json": "{}late"}
    assert files(tmp_path / "archive") == {}


@pytest.mark.usefixtures("file_systems")
def test_a_file_in_the_archive_is_never_replaced(tmp_path):
    for number in range(3):
        land(tmp_path, "a.json", str(number), MODIFIED + number)
        take_all(tmp_path)
    # A file that is already in the archive is not archived as a new version.
    land(tmp_path, "a.json", "1")
    assert take_all(tmp_path) == [(MOVED, str(tmp_path / f"archive/{DAY}.2/a.json"))]
    assert files(tmp_path / "archive") == {
        f"{DAY}/a.json": "0",
        f"{DAY}.2/a.json": "1",
        f"{DAY}.3/a.json": "2",
    }
    # A folder in the place of a file, and a file in the place of a folder.
    land(tmp_path, "a.json/b.json", "3")
    take_all(tmp_path)
    shutil.rmtree(tmp_path / "landing/a.json")
    assert files(tmp_path / "archive")[f"{DAY}.4/a.json/b.json"] == "3"
    land(tmp_path, "c/d.json", "4")
    take_all(tmp_path)
    shutil.rmtree(tmp_path / "landing/c")
    land(tmp_path, "c", "5")
    take_all(tmp_path)
    assert files(tmp_path / "archive")[f"{DAY}.2/c"] == "5"
    assert files(tmp_path / "landing") == {}


EVENTS = ("open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.copyfile")


def killed_at(step: int, folder: Path) -> bool:
    """Archive all files in a child process that is killed before step `step` in the folder.

    Returns:
        Whether the process was killed before it finished.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = step

    def on_event(event, arguments):
        nonlocal left
        if event in EVENTS and str(folder) in str(arguments[0]):
            left -= 1
            if left < 0:
                os._exit(9)

    try:
        sys.addaudithook(on_event)
        take_all(folder)
    finally:
        os._exit(0)


@pytest.mark.usefixtures("file_systems")
def test_a_command_may_be_killed_at_any_step(tmp_path):
    wanted = {"a.json": "first", "sub/b.json": "second"}
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        for name, text in wanted.items():
            land(folder, name, text)
        was_killed = killed_at(steps, folder)
        left = files(folder)
        for text in wanted.values():
            assert text in left.values(), (steps, left)
        archived = {name: text for name, text in left.items() if f"archive/{DAY}" in name}
        assert all(wanted[name.partition(f"{DAY}/")[2]] == archived[name] for name in archived)
        take_all(folder)
        assert files(folder / "archive" / DAY) == wanted, steps
        assert files(folder / "landing") == {}, steps
        if not was_killed:
            break
        steps += 1
    assert steps > 10


def test_a_newer_file_is_not_replaced_by_what_a_killed_command_left(tmp_path):
    aside = land(tmp_path, ".archiving-1/a.json", "older")
    land(tmp_path, "a.json", "newer")
    take_all(tmp_path)
    assert files(tmp_path / "archive") == {f"{DAY}/a.json": "newer"}
    assert aside.read_text() == "older"
    take_all(tmp_path)  # the place of the older file is free now
    assert files(tmp_path) == {
        f"archive/{DAY}/a.json": "newer",
        f"archive/{DAY}.2/a.json": "older",
    }


@pytest.mark.usefixtures("file_systems")
def test_two_commands_at_once(tmp_path):
    wanted = {f"{number}.json": str(number) for number in range(60)}
    for name, text in wanted.items():
        land(tmp_path, name, text)
    with ThreadPoolExecutor(3) as pool:
        told = [*chain.from_iterable(pool.map(take_all, 3 * [tmp_path]))]
    take_all(tmp_path)
    assert files(tmp_path / "archive") == {f"{DAY}/{name}": text for name, text in wanted.items()}
    assert files(tmp_path / "landing") == {}
    assert MOVED in {what for what, _ in told}


def test_folders_that_overlap_and_folders_that_cannot_be_written(tmp_path, monkeypatch):
    land(tmp_path, "a.json")
    landing = Landing(tmp_path / "landing")
    for folder in ("landing", "landing/archive", "."):
        with pytest.raises(CannotArchiveError, match=r"overlap: name another --to"):
            Archive((tmp_path / folder).resolve(), landing)

    def full(*_, **__):
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(archive_module.os, "link", full)
    with pytest.raises(CannotArchiveError, match=r"^a\.json: No space left on device \(x\): make"):
        Archive(tmp_path / "archive", landing).take(landing.versions()[0])
    monkeypatch.undo()
    take_all(tmp_path)
    assert files(tmp_path / "archive") == {f"{DAY}/a.json": "{}"}


@pytest.mark.parametrize("name", ["a_file", "a_file/archive", "a_file/archive/below"])
def test_an_archive_that_cannot_be_a_folder_is_refused_before_anything_is_moved(tmp_path, name):
    (tmp_path / "a_file").write_text("")
    land(tmp_path, "a.json")
    with pytest.raises(CannotArchiveError, match="a_file is not a folder: name another archive"):
        Archive(tmp_path / name, Landing(tmp_path / "landing")).check()
    Archive(tmp_path / "new/archive", Landing(tmp_path / "landing")).check()
    assert not (tmp_path / "new").exists()

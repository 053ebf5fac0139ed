"""The archive of Java classes: who creates it, when it is used, and its failures.

The archives here are real but small. The Java that Spark would use creates them from a few classes.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from dbt_spark_contracts.spark import archive, launch, make_archive
from dbt_spark_contracts.spark.archive import Archive, ArchiveError
from dbt_spark_contracts.spark.java import find_java_home, java_version
from dbt_spark_contracts.spark.settings import spark_settings

from tests.support.pool import wait_until

SPARK_CLASS = "org/apache/spark/deploy/SparkSubmit"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Return a cache folder for the test, and unset the variables that turn the archive off."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv(archive.SWITCH, raising=False)
    return tmp_path / "cache" / "dbt-spark-contracts"


@pytest.fixture
def java_home():
    home = find_java_home()
    if java_version(home) != archive.KNOWN_JAVA:
        pytest.skip(f"Java {archive.KNOWN_JAVA} is not the one that Spark would run on")
    return home


@pytest.fixture
def class_path(tmp_path):
    return launch.class_path(spark_settings({}, tmp_path, tmp_path))


@pytest.fixture
def small(monkeypatch):
    """Limit archives to one class of Spark. Return the archives whose classes were listed."""
    listed = []

    def list_classes(classes: Path, folder: Path, wanted: Archive) -> None:
        listed.append(wanted)
        classes.write_text(f"java/lang/Object\n{SPARK_CLASS}\n")

    monkeypatch.setattr(make_archive, "_list_classes", list_classes)
    return listed


@pytest.fixture
def started(monkeypatch):
    """Return the command lines that `make_later` would start. They do not run."""
    commands = []
    monkeypatch.setattr(archive.subprocess, "Popen", lambda command, **_: commands.append(command))
    return commands


def where_spark_is_loaded_from(java_home: Path, class_path: list[Path]) -> str:
    """Start Java as a command would. Return where Java says it loaded Spark's class from."""
    said = subprocess.run(
        [
            *(java_home / "bin" / "java", *archive.options(java_home, class_path)),
            *("-Xlog:class+load", "-cp", os.pathsep.join(map(str, class_path))),
            *(SPARK_CLASS.replace("/", "."), "--version"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert said.returncode == 0 and "version 3.5" in said.stderr, said.stderr
    # Spark prints its version on stderr. Java prints no warnings there.
    assert "[warning]" not in said.stderr, said.stderr
    lines = [
        line for line in said.stdout.splitlines() if f" {SPARK_CLASS.replace('/', '.')} " in line
    ]
    return lines[0].partition("source: ")[2]


def test_java_takes_spark_from_the_archive(java_home, class_path, small, cache):
    assert archive.options(java_home, class_path) == []
    assert where_spark_is_loaded_from(java_home, class_path).startswith("file:")
    made = Archive(java_home, class_path)
    assert made.is_due()
    make_archive.make(made)
    assert not made.is_due()
    assert where_spark_is_loaded_from(java_home, class_path) == "shared objects file"
    assert sorted(path.name for path in made.folder.iterdir()) == sorted([made.file.name, "lock"])
    assert {path.stat().st_mode & 0o077 for path in (cache, made.folder)} == {0}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: text[: len(text) // 2], marks=pytest.mark.slow),
        lambda text: text[:100] + b"of another version" + text[118:],
        pytest.param(lambda text: b"", marks=pytest.mark.slow),
        pytest.param(lambda text: bytes(len(text)), marks=pytest.mark.slow),
        pytest.param(lambda text: b"no archive", marks=pytest.mark.slow),
    ],
    ids=["cut off", "another header", "empty", "zeros", "text"],
)
def test_java_goes_on_without_an_archive_that_is_damaged(
    spoil, java_home, class_path, small, cache
):
    made = Archive(java_home, class_path)
    make_archive.make(made)
    text = made.file.read_bytes()
    made.file.unlink()
    made.file.write_bytes(spoil(text))
    assert where_spark_is_loaded_from(java_home, class_path).startswith("file:")


@pytest.mark.parametrize("what", ["a jar", "the order", "Java"])
def test_another_version_is_another_archive(what, java_home, class_path, tmp_path):
    jar = tmp_path / "jars" / "a.jar"
    jar.parent.mkdir()
    shutil.copy(class_path[-1], jar)
    home = tmp_path / "java"
    shutil.copytree(java_home / "bin", home / "bin")
    (home / "release").write_text('JAVA_VERSION="17.0.1"')
    before = Archive(home, [jar, *class_path])
    if what == "a jar":
        os.utime(jar, (0, 0))
    elif what == "the order":
        class_path = class_path[::-1]
    else:
        (home / "release").write_text('JAVA_VERSION="17.0.20"')
    assert Archive(home, [jar, *class_path]).file != before.file


def test_only_the_newest_of_an_installation_is_kept(java_home, class_path, small):
    new = Archive(java_home, class_path)
    old = new.folder / f"{new.installation}-0123.jsa"
    failed = old.with_suffix(".failed")
    others = [new.folder / f"{number}-0.jsa" for number in range(make_archive.MOST_ARCHIVES)]
    for age, file in enumerate([old, failed, *others]):
        file.touch()
        os.utime(file, (time.time() - age, time.time() - age))
    make_archive.make(new)
    left = {path for path in new.folder.iterdir() if path.suffix}
    assert left == {new.file, *others[:-1]}  # the last one is the least recently used


def test_two_at_once_make_one(java_home, class_path, small):
    wanted = [Archive(java_home, class_path) for _ in range(2)]
    threads = [threading.Thread(target=make_archive.make, args=(one,)) for one in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(small) == 1
    assert wanted[0].file.exists()


def test_while_it_is_made_no_other_process_is_started_for_it(java_home, class_path, started):
    with Archive(java_home, class_path).lock():
        archive.make_later(java_home, class_path)
    assert started == []
    archive.make_later(java_home, class_path)
    assert len(started) == 1


def test_files_of_a_killed_process_are_removed(java_home, class_path, small):
    made = Archive(java_home, class_path)
    left = made.folder / "making-x"
    left.mkdir()
    (left / "archive").write_bytes(b"half")
    make_archive.make(made)
    assert not left.exists()
    assert made.file.exists()


def test_a_full_disk_is_noted_and_tried_again_after_a_day(
    java_home, class_path, small, monkeypatch, started
):
    made = Archive(java_home, class_path)
    usage = shutil.disk_usage(made.folder)._replace(free=1 << 29)
    monkeypatch.setattr(make_archive.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ArchiveError, match=r"^less than 1 GB is free in "):
        make_archive.make(made)
    assert small == []
    archive.make_later(java_home, class_path)
    assert started == []
    yesterday = time.time() - archive.FAILURE_LASTS - 1
    os.utime(made.failure, (yesterday, yesterday))
    archive.make_later(java_home, class_path)
    assert len(started) == 1


def test_a_java_that_cannot_make_one_leaves_nothing_half_made(java_home, class_path, monkeypatch):
    """Java ends with an error, as on a full disk."""
    monkeypatch.setattr(
        make_archive, "_list_classes", lambda classes, *_: classes.with_name("archive").mkdir()
    )
    made = Archive(java_home, class_path)
    with pytest.raises(ArchiveError, match=r"^java -Xshare:dump ended with 1"):
        make_archive.make(made)
    assert {path.name for path in made.folder.iterdir()} == {made.failure.name, "lock"}
    assert made.failure.read_text().startswith("java -Xshare:dump ended with 1")


def test_it_is_made_in_the_background_once(java_home, class_path, started):
    archive.make_later(java_home, class_path)
    (command,) = started
    assert command[1:3] == ["-m", "dbt_spark_contracts.spark.make_archive"]
    assert command[3:] == [str(java_home), *map(str, class_path)]
    Archive(java_home, class_path).file.touch()
    archive.make_later(java_home, class_path)
    assert len(started) == 1


def test_it_is_made_at_the_lowest_priority(java_home, class_path, monkeypatch):
    """The process that a command starts waits here for the lock, so that it starts no Java."""
    start, processes = subprocess.Popen, []

    def keep(*args, **options):
        processes.append(start(*args, **options))

    # `make_later` would not start it while the lock is held.
    monkeypatch.setattr(Archive, "is_due", lambda _: True)
    with Archive(java_home, class_path).lock():
        with monkeypatch.context() as patch:
            patch.setattr(archive.subprocess, "Popen", keep)
            archive.make_later(java_home, class_path)
        [process] = processes
        try:
            wait_until(lambda: psutil.Process(process.pid).nice() == 19, "it is nice")
            session = Path(f"/proc/{process.pid}/autogroup")
            assert not session.exists() or session.read_text().endswith("nice 19\n")
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(("ci", "times"), [("true", 0), ("1", 0), ("false", 1), ("", 1)])
def test_it_is_not_created_automatically_in_ci(
    ci, times, java_home, class_path, started, monkeypatch
):
    monkeypatch.setenv("CI", ci)
    archive.make_later(java_home, class_path)
    assert len(started) == times


@pytest.mark.parametrize(
    ("variable", "settings", "is_wanted"),
    [
        (None, {}, True),
        ("on", {archive.SWITCH_SETTING: "on"}, True),
        ("off", {}, False),
        ("0", {}, False),
        (None, {archive.SWITCH_SETTING: "off"}, False),
        (None, {"spark.driver.extraJavaOptions": "-Xss4m"}, True),
        (None, {"spark.driver.extraJavaOptions": "-XX:SharedArchiveFile=/x"}, False),
        (None, {"spark.driver.extraJavaOptions": "-Xshare:off"}, False),
        (None, {"spark.driver.extraJavaOptions": "-XX:StartFlightRecording=filename=x"}, False),
        (None, {"spark.driver.extraJavaOptions": "-Xss4m -javaagent:/x.jar"}, False),
    ],
)
def test_one_setting_turns_it_off(variable, settings, is_wanted, java_home, monkeypatch):
    """The user's own archive turns it off too."""
    if variable:
        monkeypatch.setenv(archive.SWITCH, variable)
    assert archive.is_wanted(settings) == is_wanted
    assert launch.plan(settings, java_home).uses_archive == is_wanted


@pytest.mark.parametrize("variable", archive.OPTION_VARIABLES)
def test_a_tool_in_a_variable_of_java_turns_it_off(variable, java_home, monkeypatch):
    monkeypatch.setenv(variable, "-agentlib:jdwp=transport=dt_socket")
    assert not archive.is_wanted({})
    assert not launch.plan({}, java_home).uses_archive


def test_a_spare_java_older_than_the_archive_has_the_same_launch(java_home, class_path, tmp_path):
    """Otherwise the pool would not find the spare, and the second command would start cold."""
    settings = spark_settings({}, tmp_path, tmp_path)
    before = launch.plan(settings, java_home)
    Archive(java_home, class_path).file.touch()
    assert archive.options(before.java_home, before.class_path) != []
    assert launch.plan(settings, java_home).key == before.key


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2", "21.0.1"])
def test_another_java_has_none(version, java_home, class_path, tmp_path, started):
    shutil.copytree(java_home / "bin", tmp_path / "java" / "bin")
    (tmp_path / "java" / "release").write_text(f'JAVA_VERSION="{version}"')
    assert archive.options(tmp_path / "java", class_path) == []
    archive.make_later(tmp_path / "java", class_path)
    assert started == []


def test_a_class_path_with_a_missing_jar_has_no_archive(java_home, class_path, started):
    path = [Path("/nowhere/a.jar"), *class_path]
    assert archive.options(java_home, path) == []
    archive.make_later(java_home, path)
    assert started == []


def test_a_cache_that_others_can_write_to_is_not_used(java_home, class_path, cache, started):
    """Java executes the code in an archive."""
    Archive(java_home, class_path).file.touch()
    assert archive.options(java_home, class_path) != []
    cache.chmod(0o770)
    assert archive.options(java_home, class_path) == []
    archive.make_later(java_home, class_path)
    assert started == []


def test_without_a_cache_folder_there_is_none(
    java_home, class_path, monkeypatch, tmp_path, started
):
    """The cache's parent is a file or is not writable."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert archive.options(java_home, class_path) == []
    archive.make_later(java_home, class_path)
    assert started == []


@pytest.mark.full
def test_the_whole_archive_is_made_by_one_command(java_home, class_path, cache):
    """It has the classes of Iceberg, those of a query, and Scala's lambdas."""
    command = [sys.executable, "-m", "dbt_spark_contracts.spark.make_archive"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert said.returncode == 0, said.stderr
    made = Archive(java_home, class_path)
    assert said.stdout.splitlines()[-1] == str(made.file)
    assert where_spark_is_loaded_from(java_home, class_path) == "shared objects file"
    assert made.file.stat().st_size > 100_000_000

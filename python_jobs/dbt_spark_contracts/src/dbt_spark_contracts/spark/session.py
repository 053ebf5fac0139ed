"""The one Spark session of a process: when it starts, and with what. Commands come and go in it.

dbt-spark takes the running session if there is one, so whoever starts it decides its settings.
"""

import atexit
import contextlib
import os
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.compat import py4j, pyspark
from dbt_spark_contracts.errors import explain, local_folders
from dbt_spark_contracts.spark import archive, launch, pool
from dbt_spark_contracts.spark.java import find_java_home
from dbt_spark_contracts.spark.launch import JavaEnded
from dbt_spark_contracts.spark.settings import folders

if TYPE_CHECKING:  # pyspark takes a while to import, and `dbt parse` needs none of it
    from pyspark.sql import SparkSession

# How a master starts that Spark knows.
MASTERS = ("local", "spark:", "k8s:", "mesos:", "yarn")

# The process's, as its Java is: pyspark has one of them.
_lock = threading.Lock()
_settings: dict[str, str] = {}
_session: "Future[SparkSession] | None" = None

# Iceberg's: where this session's writes to tables with `write.wap.enabled` go, and what it reads.
BRANCH = "spark.wap.branch"

# A plan of the usual kinds of steps and expressions, which is parsed and not analyzed.
_A_PLAN = "select a, 'x' as b, cast(c as int) as d, count(*) as n from t where a = 1 group by a"

# Spark's rule that makes a `delete` of whole files one of metadata, if the table says it can be.
# Iceberg looks at main's files for that, and then deletes the branch's: it fails, or would delete
# rows that it should not (apache/iceberg 15512). Without the rule, the rows are looked at.
EXCLUDED_RULES = "spark.sql.optimizer.excludedRules"
DELETES_FILES = "org.apache.spark.sql.execution.datasources.v2.OptimizeMetadataOnlyDeleteFromTable"


def configure(settings: dict[str, str]) -> None:
    """State what the session is, or will be, started with. Nothing is started.

    Raises DbtRuntimeError if a session runs already in this process and its catalog is another.
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
    """Start the session in the background, if it does not run yet. Errors come with `get`.

    Args:
        reads_plans: Whether models will be staged. Then Java loads in the background what reads
            the first plan, while dbt parses.
    """
    global _session
    with _lock:
        future = _session
        if future is None:
            future = _session = Future()
            # A daemon, so that a dbt which stops at a parse error does not wait for Java.
            threading.Thread(
                target=_start, args=(future, reads_plans), name="spark-start", daemon=True
            ).start()
        return future  # not _session, which a start that fails at once has unset


def get() -> "SparkSession":
    """The session, once it runs.

    Raises DbtRuntimeError, in one line, if it cannot be started.
    """
    return start().result()


def _start(future: "Future[SparkSession]", reads_plans: bool = False) -> None:
    global _session
    try:
        session = _create(dict(_settings))
        future.set_result(session)
        if reads_plans:
            _load_reader(session)
    except Exception as error:
        _session = None  # the next command may try again
        if not isinstance(error, DbtRuntimeError):
            error = DbtRuntimeError(f"Spark did not start: {explain(error)}")
        future.set_exception(error)


def _load_reader(session: "SparkSession") -> None:
    """Have Java load what writes a plan as JSON, Scala's reflection above all; no Spark job."""
    with contextlib.suppress(Exception):  # it is no part of the start
        pyspark.sql_parser(session).parsePlan(_A_PLAN).toJSON()


def _create(settings: dict[str, str]) -> "SparkSession":
    home = find_java_home()
    os.environ["JAVA_HOME"] = str(home)
    master = settings.get("spark.master", "local")
    if not master.startswith(MASTERS):
        # Java would say so in a stack, and Python only that Java has ended.
        raise DbtRuntimeError(
            f"spark.master is {master!r}: use local[*], spark://host:7077, k8s://… or yarn."
        )
    if master.startswith("local"):
        # Spark's workers are of the same Python, whether or not its environment is activated.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if os.environ.get("LC_ALL") in ("C", "POSIX"):
        # In that locale Java does not find a file whose name is not ASCII.
        os.environ["LC_ALL"] = "C.UTF-8"
    for name in folders(settings):
        if settings[name] and "://" not in settings[name]:
            make_folder(name, settings[name])

    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    py4j.remember_names()
    builder = SparkSession.builder.appName("dbt")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        if not pyspark.has_java():  # Java runs on when the session in it was stopped
            _use_java(settings, home)
        session = builder.getOrCreate()
    except (JavaEnded, PySparkRuntimeError) as error:
        raise DbtRuntimeError(
            f"Java at {home} did not start Spark ({error}). What it said stands above; "
            "set JAVA_HOME to another Java 8, 11 or 17, or check the profile's spark.* settings."
        ) from error
    try:
        session.catalog.currentCatalog()  # a catalog or setting that is wrong shows only in use
    except Exception:
        session.stop()  # the next command may try again
        raise
    _read_files_with_colons(session)
    session.sparkContext.environment.update(launch.worker_variables(settings))
    return session


def _use_java(settings: dict[str, str], home: Path) -> None:
    """Have pyspark use a spare Java, or else a new one."""
    plan = launch.plan(settings, home)
    if plan is None:
        return  # pyspark starts Java, by Spark's own script
    if plan.uses_archive:
        atexit.register(archive.make_later, home, plan.class_path)
    if pool.is_wanted(settings):
        # Registered first, it is called last: when nothing is left to do for this command.
        atexit.register(pool.leave_spare, plan)
        if _use_spare(plan):
            return
    launch.use(launch.start(plan))


def _use_spare(plan: launch.Launch) -> bool:
    java = pool.claim(plan)
    if java is None:
        return False
    try:
        launch.use(java)
        if plan.log_file:
            launch.log_to(plan.log_file)
    except Exception as error:  # a Java that cannot be used is none
        fire_event(Note(msg=f"The spare Java is of no use: {explain(error)}"), EventLevel.DEBUG)
        return False
    fire_event(Note(msg="Spark runs in a Java that was warmed before."), EventLevel.DEBUG)
    return True


def make_folder(name: str, folder: str) -> None:
    """Make the folder of a setting. Raises DbtRuntimeError, in one line, if that cannot be."""
    # Iceberg's folder catalog takes no warehouse folder for no namespace.
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DbtRuntimeError(
            f"{name}: cannot make the folder {folder}: {error.strerror}"
        ) from error


def _read_files_with_colons(session: "SparkSession") -> None:
    # Hadoop looks for a checksum file beside each local file, and cannot spell its name where the
    # file's own has a colon, as in a timestamp.
    hadoop = pyspark.java_classes(session).org.apache.hadoop.fs.FileSystem
    hadoop.getLocal(pyspark.hadoop_configuration(session)).setVerifyChecksum(False)


def use_branch(name: str | None) -> None:
    """Write to the branch `name` of every table, and read it where it is; None: main again."""
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
    """The branch that the command writes to; None if that is main."""
    return get().conf.get(BRANCH, None)


def delete_folder(folder: str) -> None:
    """Delete a folder, local or an object store's, with all that is in it."""
    path = pyspark.java_classes(get()).org.apache.hadoop.fs.Path(folder)
    path.getFileSystem(pyspark.hadoop_configuration(get())).delete(path, True)


def is_running() -> bool:
    """Does the session run? It may not be there yet, or have failed to start."""
    return _session is not None and _session.done() and not _session.exception()

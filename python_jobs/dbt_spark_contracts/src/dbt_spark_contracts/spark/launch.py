"""Starts Java with Spark in it, and connects pyspark to it.

pyspark starts Java with a shell script, which first starts another Java to work out the command
line. Here the command line is built directly. If a setting or variable needs the script, `plan`
returns None and pyspark's way is used.
"""

import atexit
import hashlib
import json
import os
import shlex
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from dbt_spark_contracts.compat import pyspark
from dbt_spark_contracts.spark import archive
from dbt_spark_contracts.spark.private_folder import temporary_folder

MAIN_CLASS = "org.apache.spark.deploy.SparkSubmit"

# The option with the log file that this package's log4j2.properties writes to.
LOG_FILE = "-Dspark.log.file="

# A setting of this package: comma-separated patterns of environment variables that only the profile
# reads.
PROFILE_VARIABLES = "spark.dbt.profileVariables"

# Settings that Spark reads only when a context or session is created. Java starts without them, so
# a spare fits any values.
CONTEXT_SETTINGS = (
    *("spark.app.name", "spark.checkpoint.*", "spark.dbt.*", "spark.eventLog.*"),
    *("spark.executorEnv.*", "spark.sql.*", "spark.ui.*"),
)

# Variables of the terminal and of dbt. Java starts without them. Python workers still get dbt's.
TERMINAL_VARIABLES = (
    *("_", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "TERM", "TERM_*", "TMUX*", "WINDOWID"),
    *("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY"),
)
DBT_VARIABLES = ("DBT_*",)

# The SPARK_ variables that Spark itself reads, in Java. Only the script reads the others.
SPARK_VARIABLES = {
    *("SPARK_AUTH_SOCKET_TIMEOUT", "SPARK_BUFFER_SIZE", "SPARK_LOCAL_DIRS"),
    *("SPARK_LOCAL_HOSTNAME", "SPARK_LOCAL_IP", "SPARK_USER"),
}
SCRIPT_VARIABLES = ("SPARK_*", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "PYSPARK_*")
PYSPARK_VARIABLES = {"PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "PYSPARK_PIN_THREAD"}
SCRIPT_SETTINGS = {
    *("spark.driver.defaultJavaOptions", "spark.driver.extraLibraryPath"),
    *("spark.local.connect", "spark.remote", "spark.submit.deployMode"),
}

# The options of org.apache.spark.launcher.JavaModuleOptions. The first makes Java 8, which has no
# modules, ignore the rest.
MODULE_OPTIONS = [
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(
        f"--add-opens={package}=ALL-UNNAMED"
        for package in (
            *("java.base/java.lang", "java.base/java.lang.invoke", "java.base/java.lang.reflect"),
            *("java.base/java.io", "java.base/java.net", "java.base/java.nio"),
            *("java.base/java.util", "java.base/java.util.concurrent"),
            *("java.base/java.util.concurrent.atomic", "java.base/jdk.internal.ref"),
            *("java.base/sun.nio.ch", "java.base/sun.nio.cs", "java.base/sun.security.action"),
            *("java.base/sun.util.calendar", "java.security.jgss/sun.security.krb5"),
        )
    ),
    "-Djdk.reflect.useDirectMethodHandle=false",
]


# The Java of this process. It ends when Python releases it.
_used: "Java | None" = None


class JavaEnded(Exception):
    """Java ended instead of starting Spark."""


@dataclass(frozen=True)
class Launch:
    """Everything that determines a started Java. Two equal launches start the same Java.

    Attributes:
        command: Java's command line, up to the main class.
        environment: The complete environment of the process.
        properties: The settings that Spark reads at start-up.
        folder: The working folder.
        versions: The state of external inputs: files (size and time) and the time zone.
        uses_archive: Whether Java may use an archive of its classes (archive.py).
    """

    command: list[str]
    environment: dict[str, str]
    properties: dict[str, str]
    folder: str
    versions: list[list]
    uses_archive: bool

    @property
    def key(self) -> str:
        """The key that all equal launches share."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    @property
    def java_home(self) -> Path:
        """The home of the Java to start."""
        return Path(self.command[0]).parents[1]

    @property
    def class_path(self) -> list[Path]:
        """The class path."""
        return [*map(Path, self.command[-1].split(os.pathsep))]

    @property
    def log_file(self) -> str | None:
        """Spark's log file, if this package configures the log."""
        files = [part for part in self.command if part.startswith(LOG_FILE)]
        return files[-1].removeprefix(LOG_FILE) if files else None


@dataclass
class Java:
    """A running Java. It ends when its standard input is closed, also when its owner is killed.

    Attributes:
        port: The port that pyspark connects to.
        secret: The secret that pyspark authenticates with.
        stdin: The writing end of Java's standard input, if this process owns it.
        process: The process, if it is a child of this one.
    """

    port: int
    secret: str
    stdin: IO[bytes] | None = None
    process: subprocess.Popen | None = None


def plan(settings: dict[str, str], java_home: Path) -> Launch | None:
    """Work out what to start for these settings, the environment and the working folder.

    Args:
        settings: Spark's settings.
        java_home: The home of the Java to start.

    Returns:
        The launch, or None if only Spark's own script can start it.
    """
    spark_home = find_spark_home()
    if (
        os.name != "posix"
        or not settings.get("spark.master", "local").startswith("local")
        or SCRIPT_SETTINGS & settings.keys()
        or (spark_home / "conf").exists()
        or any(map(is_for_the_script, os.environ))
        or "-Xmx" in settings.get("spark.driver.extraJavaOptions", "")
    ):
        return None
    left_out = (*TERMINAL_VARIABLES, *profile_variables(settings))
    environment = {
        **{name: value for name, value in os.environ.items() if not _matches(name, left_out)},
        "JAVA_HOME": str(java_home),
        "SPARK_HOME": str(spark_home),
        # The script sets it, so that hashes of Python workers agree.
        "PYTHONHASHSEED": "0",
    }
    path = class_path(settings)
    return Launch(
        command=[
            str(java_home / "bin" / "java"),
            *jvm_options(settings, java_home),
            *("-cp", os.pathsep.join(map(str, path))),
        ],
        environment=environment,
        properties={
            name: value for name, value in settings.items() if not _matches(name, CONTEXT_SETTINGS)
        },
        folder=str(Path.cwd()),
        versions=_versions([java_home / "release", *path, *local_jars(settings)]),
        uses_archive=archive.is_wanted(settings),
    )


def profile_variables(settings: dict[str, str]) -> tuple[str, ...]:
    """Return patterns of the environment variables that the settings already reflect."""
    patterns = settings.get(PROFILE_VARIABLES, "").split(",")
    return (*DBT_VARIABLES, *filter(None, map(str.strip, patterns)))


def worker_variables(settings: dict[str, str]) -> dict[str, str]:
    """Return the variables that Java starts without but Python workers need."""
    patterns = profile_variables(settings)
    return {name: value for name, value in os.environ.items() if _matches(name, patterns)}


def jvm_options(settings: dict[str, str], java_home: Path) -> list[str]:
    """Return Java's options for these settings."""
    return [
        f"-Xmx{settings.get('spark.driver.memory', '1g')}",
        *shlex.split(settings.get("spark.driver.extraJavaOptions", "")),
        *MODULE_OPTIONS,
    ]


def class_path(settings: dict[str, str]) -> list[Path]:
    """Return the class path: the profile's own entries, then Spark's jars."""
    spark_home = find_spark_home()
    extra = settings.get("spark.driver.extraClassPath", "").split(os.pathsep)
    return [*map(Path, filter(None, extra)), *sorted((spark_home / "jars").glob("*.jar"))]


def find_spark_home() -> Path:
    """Return the folder of pyspark, which contains Spark's jars."""
    spec = find_spec("pyspark")
    assert spec and spec.submodule_search_locations  # it is a dependency
    return Path(spec.submodule_search_locations[0])


def local_jars(settings: dict[str, str]) -> list[Path]:
    """Return the files among `spark.jars`."""
    jars = filter(None, settings.get("spark.jars", "").split(","))
    return [Path(jar.strip().removeprefix("file:")) for jar in jars]


def start(launch: Launch, log_file: str | None = None, output: int | None = None) -> Java:
    """Start a Java and wait until pyspark can connect to it.

    Args:
        launch: What to start.
        log_file: Spark's log file until the Java is used, if not its own.
        output: Standard output and standard error, as in subprocess.Popen.

    Returns:
        The running Java.

    Raises:
        JavaEnded: If Java could not be run, or ended. Its standard error says why.
    """
    options = [f"{LOG_FILE}{log_file}"] if log_file else []
    if launch.uses_archive:
        # Not part of the command: a spare that is older than the archive fits as well.
        options += archive.options(launch.java_home, launch.class_path)
    # Spark writes the secret there. Both files are deleted once it runs.
    with temporary_folder("dbt-spark-start-") as (folder, lock):
        properties, told = folder / "spark.properties", folder / "gateway"
        properties.write_text(_as_properties(launch.properties), encoding="utf-8")
        # Ctrl-C is for dbt, which cancels Spark's work and then ends.
        command = ["/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
        command += [*launch.command[:-2], *options, *launch.command[-2:]]
        command += [MAIN_CLASS, "--properties-file", str(properties), "pyspark-shell"]
        environment = launch.environment | {"_PYSPARK_DRIVER_CONN_INFO_PATH": str(told)}
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=launch.folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[lock],
        )
        # If this process is killed, Java still starts, and ends when it finds its input closed. But
        # if the process ends by itself, it deletes the folder. A Java that then cannot write the
        # secret would not read its input, and run for good.
        atexit.register(process.kill)
        while not told.exists():
            if process.poll() is not None:
                said = f"exit code {process.returncode}"
                if process.stderr:
                    said += f": {process.stderr.read().decode(errors='replace').strip()}"
                raise JavaEnded(said)
            time.sleep(0.02)
        atexit.unregister(process.kill)
        port, length = struct.unpack_from(">ii", content := told.read_bytes())
        return Java(port, content[8 : 8 + length].decode(), process.stdin, process)


def use(java: Java) -> None:
    """Let pyspark in this process use this Java."""
    global _used
    pyspark.connect(java.port, java.secret)
    _used = java


def log_to(file: str) -> None:
    """Redirect the log of pyspark's Java to this file."""
    jvm = pyspark.classes_of_this_java()
    jvm.java.lang.System.setProperty(LOG_FILE.removeprefix("-D").rstrip("="), file)
    jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure()


def is_for_the_script(name: str) -> bool:
    """Return whether only Spark's own script reads this environment variable."""
    known = SPARK_VARIABLES | PYSPARK_VARIABLES
    return _matches(name, SCRIPT_VARIABLES) and name not in known


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _versions(files: list[Path]) -> list[list]:
    own = [*sorted(Path(__file__).parent.glob("*.py")), Path(pyspark.__file__)]
    folder = Path.cwd().stat()
    return [
        [sys.version, str(Path("/etc/localtime").resolve())],
        [folder.st_dev, folder.st_ino],
        *([str(file), *_version(file)] for file in (*own, *files)),
    ]


def _version(file: Path) -> tuple[int, int]:
    try:
        state = file.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def _as_properties(settings: dict[str, str]) -> str:
    """Return the text of a file for java.util.Properties."""
    escape = str.maketrans(
        {**{char: f"\\{char}" for char in "\\ :=#!"}, "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    )
    return "".join(
        f"{name.translate(escape)}={value.translate(escape)}\n" for name, value in settings.items()
    )

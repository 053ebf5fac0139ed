"""Starts Java with Spark in it, and connects pyspark to it.

pyspark starts Java by a shell script, which starts a Java of its own to work out the command line
of the second. Here the command line is made directly. Where a setting or a variable is involved
that only the script understands, `plan` returns None and pyspark's way is used.
"""

import hashlib
import json
import os
import shlex
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from dbt_spark_contracts.compat import pyspark
from dbt_spark_contracts.spark import archive

MAIN_CLASS = "org.apache.spark.deploy.SparkSubmit"

# Where the log4j2.properties of this package write to.
LOG_FILE = "-Dspark.log.file="

# A setting of this package: the patterns, separated by commas, of the environment variables that
# only the profile reads.
PROFILE_VARIABLES = "spark.dbt.profileVariables"

# Settings that Spark reads when a Spark context or a session is made, and not before. A Java is
# started without them and fits whatever they are.
CONTEXT_SETTINGS = (
    *("spark.app.name", "spark.checkpoint.*", "spark.dbt.*", "spark.eventLog.*"),
    *("spark.executorEnv.*", "spark.sql.*", "spark.ui.*"),
)

# Of the terminal and of dbt. Java is started without them; Python workers get dbt's all the same.
TERMINAL_VARIABLES = (
    *("_", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "TERM", "TERM_*", "TMUX*", "WINDOWID"),
    *("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY"),
)
DBT_VARIABLES = ("DBT_*",)

# Which variables starting with SPARK_ Spark itself reads, in Java. The others are the script's.
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

# What org.apache.spark.launcher.JavaModuleOptions gives; Java 8, which has no modules, passes over
# it because of the first.
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


# The Java of this process: it ends when Python lets go of it.
_used: "Java | None" = None


class JavaEnded(Exception):
    """Java has ended where it should have started Spark."""


@dataclass(frozen=True)
class Launch:
    """All that decides what a started Java is: two that are equal start the same.

    Attributes:
        command: Java's own command line, up to the main class.
        environment: The whole environment of the process.
        properties: The settings that Spark reads at its start.
        folder: The working folder.
        versions: The state of what is outside: files (size and time) and the time zone.
        uses_archive: May Java use an archive of its classes (archive.py) if there is one?
    """

    command: list[str]
    environment: dict[str, str]
    properties: dict[str, str]
    folder: str
    versions: list[list]
    uses_archive: bool

    @property
    def key(self) -> str:
        """The name of all that are equal to this one."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    @property
    def java_home(self) -> Path:
        """The home of the Java that is started."""
        return Path(self.command[0]).parents[1]

    @property
    def class_path(self) -> list[Path]:
        """Where it finds its classes."""
        return [*map(Path, self.command[-1].split(os.pathsep))]

    @property
    def log_file(self) -> str | None:
        """Where Spark logs to, if it is by the configuration of this package."""
        files = [part for part in self.command if part.startswith(LOG_FILE)]
        return files[-1].removeprefix(LOG_FILE) if files else None


@dataclass
class Java:
    """A running Java. It ends when its standard input is closed, which also a kill does.

    Attributes:
        port: Where pyspark connects to.
        secret: What pyspark is let in by.
        stdin: The writing end of Java's standard input, where this process owns it.
        process: The process, where it is a child of this one.
    """

    port: int
    secret: str
    stdin: IO[bytes] | None = None
    process: subprocess.Popen | None = None


def plan(settings: dict[str, str], java_home: Path) -> Launch | None:
    """What to start for these settings and the environment and working folder of this process.

    Returns:
        None if only Spark's own script knows how.
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
        # The script's, for what Python workers hash.
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
    """The patterns of the environment variables whose effect is in the settings."""
    patterns = settings.get(PROFILE_VARIABLES, "").split(",")
    return (*DBT_VARIABLES, *filter(None, map(str.strip, patterns)))


def worker_variables(settings: dict[str, str]) -> dict[str, str]:
    """The variables that Java is started without and Python workers shall see."""
    patterns = profile_variables(settings)
    return {name: value for name, value in os.environ.items() if _matches(name, patterns)}


def jvm_options(settings: dict[str, str], java_home: Path) -> list[str]:
    """Java's options for these settings."""
    return [
        f"-Xmx{settings.get('spark.driver.memory', '1g')}",
        *shlex.split(settings.get("spark.driver.extraJavaOptions", "")),
        *MODULE_OPTIONS,
    ]


def class_path(settings: dict[str, str]) -> list[Path]:
    """Where Java finds its classes, Spark's own and the profile's."""
    spark_home = find_spark_home()
    extra = settings.get("spark.driver.extraClassPath", "").split(os.pathsep)
    return [*map(Path, filter(None, extra)), *sorted((spark_home / "jars").glob("*.jar"))]


def find_spark_home() -> Path:
    """The folder of pyspark, which has Spark's jars."""
    spec = find_spec("pyspark")
    assert spec and spec.submodule_search_locations  # it is a dependency
    return Path(spec.submodule_search_locations[0])


def local_jars(settings: dict[str, str]) -> list[Path]:
    """The files among `spark.jars`."""
    jars = filter(None, settings.get("spark.jars", "").split(","))
    return [Path(jar.strip().removeprefix("file:")) for jar in jars]


def start(launch: Launch, log_file: str | None = None, output: int | None = None) -> Java:
    """Start a Java and wait until pyspark can connect to it.

    Args:
        launch: What to start.
        log_file: Where Spark logs to until the Java is used, if not to its own file.
        output: What standard output and standard error are, each, as in subprocess.Popen.

    Raises:
        JavaEnded: Java ended, having said why on its standard error, or could not be run.
    """
    options = [f"{LOG_FILE}{log_file}"] if log_file else []
    if launch.uses_archive:
        # Not in the command: a spare that is older than the archive serves as well.
        options += archive.options(launch.java_home, launch.class_path)
    # For this user only. Spark writes the secret in there, and both files are gone when it runs.
    with tempfile.TemporaryDirectory(prefix="dbt-spark-") as folder:
        properties, told = Path(folder, "spark.properties"), Path(folder, "gateway")
        properties.write_text(_as_properties(launch.properties), encoding="utf-8")
        # Ctrl-C is for dbt, which stops what runs in Spark and then ends.
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
        )
        while not told.exists():
            if process.poll() is not None:
                said = f"exit code {process.returncode}"
                if process.stderr:
                    said += f": {process.stderr.read().decode(errors='replace').strip()}"
                raise JavaEnded(said)
            time.sleep(0.02)
        port, length = struct.unpack_from(">ii", content := told.read_bytes())
        return Java(port, content[8 : 8 + length].decode(), process.stdin, process)


def use(java: Java) -> None:
    """Let pyspark in this process use that Java."""
    global _used
    pyspark.connect(java.port, java.secret)
    _used = java


def log_to(file: str) -> None:
    """Let the Java that pyspark uses log to that file from now on."""
    jvm = pyspark.classes_of_this_java()
    jvm.java.lang.System.setProperty(LOG_FILE.removeprefix("-D").rstrip("="), file)
    jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure()


def is_for_the_script(name: str) -> bool:
    """Does this variable of the environment mean something to Spark's own script alone?"""
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
    """The text of a file for java.util.Properties."""
    escape = str.maketrans(
        {**{char: f"\\{char}" for char in "\\ :=#!"}, "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    )
    return "".join(
        f"{name.translate(escape)}={value.translate(escape)}\n" for name, value in settings.items()
    )

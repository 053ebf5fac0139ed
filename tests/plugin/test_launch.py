"""How Java is started: its settings, what other processes see, and the message of a failure."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts.spark import launch, session
from dbt_spark_contracts.spark.java import find_java_home
from py4j.clientserver import ClientServer, JavaParameters, PythonParameters
from pyspark import SparkContext, java_gateway

from tests.support.pool import wait_until

SETTINGS = {"spark.master": "local[1]", "spark.driver.memory": "1g"}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    """Remove the variables that require Spark's own script, and use a new working folder."""
    for name in [name for name in os.environ if launch.is_for_the_script(name)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def plan(settings: dict[str, str] | None = None, java_home: Path | None = None) -> launch.Launch:
    return launch.plan(SETTINGS | (settings or {}), java_home or find_java_home())


class TestKey:
    """Two launches have the same key if and only if they start the same Java."""

    @pytest.mark.quick
    @pytest.mark.parametrize(
        "settings",
        [
            {"spark.driver.memory": "2g"},
            {"spark.master": "local[2]"},
            {"spark.driver.extraJavaOptions": "-Dx=y"},
            {"spark.driver.extraClassPath": "/nowhere/some.jar"},
            {"spark.jars": "/nowhere/some.jar"},
            {"spark.hadoop.fs.s3a.access.key": "mine"},
            {"spark.what.nobody.knows": "1"},
        ],
        ids=lambda settings: next(iter(settings)),
    )
    def test_other_settings_are_another_java(self, settings):
        assert plan(settings).key != plan().key

    @pytest.mark.quick
    @pytest.mark.parametrize(
        "settings",
        [
            {"spark.sql.shuffle.partitions": "7"},
            {"spark.sql.catalog.other": "org.apache.iceberg.spark.SparkCatalog"},
            {"spark.checkpoint.dir": "/elsewhere"},
            {"spark.executorEnv.PYTHONPATH": "/elsewhere"},
        ],
        ids=lambda settings: next(iter(settings)),
    )
    def test_settings_of_the_session_are_not_javas(self, settings):
        """Spark reads them when a command creates its session, which commands do not share."""
        assert plan(settings).key == plan().key
        assert not settings.keys() & plan(settings).properties.keys()

    @pytest.mark.quick
    @pytest.mark.parametrize("name", ["AWS_PROFILE", "TZ", "PATH", "LANG", "ANY_OTHER"])
    def test_another_environment_is_another_java(self, monkeypatch, name):
        before = plan().key
        monkeypatch.setenv(name, "another")
        assert plan().key != before

    @pytest.mark.quick
    @pytest.mark.parametrize("name", ["DBT_TARGET_PATH", "COLUMNS", "TERM", "SHLVL", "FLEET_HOME"])
    def test_variables_that_are_not_javas_do_not_reach_it(self, monkeypatch, name):
        settings = {launch.PROFILE_VARIABLES: "FLEET_*"}
        before = plan(settings).key
        monkeypatch.setenv(name, "another")
        assert plan(settings).key == before
        assert name not in plan(settings).environment

    @pytest.mark.quick
    def test_python_workers_see_dbts_variables(self, monkeypatch):
        monkeypatch.setenv("DBT_TODAY", "monday")
        monkeypatch.setenv("FLEET_HOME", "here")
        variables = launch.worker_variables({launch.PROFILE_VARIABLES: "FLEET_*"})
        assert variables["DBT_TODAY"] == "monday" and variables["FLEET_HOME"] == "here"
        assert "PATH" not in variables

    @pytest.mark.quick
    def test_another_working_folder_is_another_java(self, monkeypatch, tmp_path):
        (tmp_path / "a").mkdir()
        monkeypatch.chdir(tmp_path / "a")
        before = plan().key
        monkeypatch.chdir(tmp_path)
        assert plan().key != before
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "a").mkdir()
        monkeypatch.chdir(tmp_path / "a")
        assert plan().key != before, "a folder of the same name is another folder"

    @pytest.mark.quick
    def test_a_changed_jar_is_another_java(self, tmp_path):
        jar = tmp_path / "some.jar"
        jar.write_bytes(b"1")
        settings = {"spark.jars": str(jar)}
        before = plan(settings).key
        jar.write_bytes(b"12")
        assert plan(settings).key != before

    @pytest.mark.quick
    def test_another_java_home_is_another_java(self, tmp_path):
        assert plan(java_home=tmp_path).key != plan().key

    @pytest.mark.quick
    def test_another_version_of_this_package_is_another_java(self, monkeypatch, tmp_path):
        before = plan().key
        (tmp_path / "launch.py").write_text("# of another version")
        monkeypatch.setattr(launch, "__file__", str(tmp_path / "launch.py"))
        assert plan().key != before


class TestSparksOwnScript:
    """Settings that only Spark's own script understands are left to the script."""

    @pytest.mark.quick
    @pytest.mark.parametrize(
        "name", ["SPARK_HOME", "SPARK_CONF_DIR", "SPARK_SUBMIT_OPTS", "HADOOP_CONF_DIR"]
    )
    def test_a_variable_of_the_script(self, monkeypatch, name):
        monkeypatch.setenv(name, "/somewhere")
        assert plan() is None

    @pytest.mark.quick
    @pytest.mark.parametrize("name", ["PYSPARK_SUBMIT_ARGS", "PYSPARK_GATEWAY_PORT"])
    def test_a_variable_of_pyspark(self, monkeypatch, name):
        monkeypatch.setenv(name, "25333")
        assert plan() is None

    @pytest.mark.quick
    @pytest.mark.parametrize(
        "settings",
        [
            {"spark.master": "spark://host:7077"},
            {"spark.driver.extraLibraryPath": "/somewhere"},
            {"spark.driver.defaultJavaOptions": "-Dx=y"},
            {"spark.driver.extraJavaOptions": "-Xmx1g"},
        ],
        ids=lambda settings: next(iter(settings)),
    )
    def test_a_setting_of_the_script(self, settings):
        assert plan(settings) is None

    @pytest.mark.quick
    def test_what_java_reads_itself_is_none_of_the_scripts(self, monkeypatch):
        monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        monkeypatch.setenv("PYSPARK_PYTHON", "python3")
        assert plan() is not None


VALUES = {
    "spark.hadoop.secret": "only for its owner",
    "spark.some.text": " a b=c:d\\e #f!\n\tg \u00e9\u4e2d ",
}


@pytest.fixture(scope="module")
def java():
    """Yield a Java that was started with VALUES."""
    java = launch.start(plan(VALUES))
    yield java
    java.stdin.close()
    java.process.wait(60)


@pytest.fixture(scope="module")
def jvm(java):
    """Yield the JVM of that Java, as py4j shows it."""
    gateway = ClientServer(
        JavaParameters(port=java.port, auth_token=java.secret), PythonParameters(port=0)
    )
    yield gateway.jvm
    gateway.close()


class TestStart:
    """One Java is started, inspected and ended."""

    @pytest.mark.parametrize("name", VALUES)
    def test_settings_arrive_as_they_are(self, jvm, name):
        # Java strips trailing blanks of a value, as on a command line.
        said = jvm.java.lang.System.getProperty(name)
        assert said.strip() == VALUES[name].strip()

    def test_neither_settings_nor_secret_are_on_the_command_line(self, java):
        line = " ".join(psutil.Process(java.process.pid).cmdline())
        assert "--properties-file" in line
        for value in (*VALUES.values(), java.secret):
            assert value not in line

    def test_neither_settings_nor_secret_stay_on_the_disk(self, java):
        line = psutil.Process(java.process.pid).cmdline()
        properties = Path(line[line.index("--properties-file") + 1])
        assert not properties.parent.exists()

    def test_modules_are_opened_as_sparks_launcher_does(self, jvm):
        options = jvm.org.apache.spark.launcher.JavaModuleOptions.defaultModuleOptions()
        assert options.split() == launch.MODULE_OPTIONS

    def test_the_memory_is_the_profiles(self, jvm):
        most = jvm.java.lang.Runtime.getRuntime().maxMemory()
        assert 0.9 * 2**30 < most <= 2**30

    def test_ctrl_c_does_not_end_java(self, java, jvm):
        os.kill(java.process.pid, signal.SIGINT)
        assert jvm.java.lang.System.getProperty("spark.hadoop.secret")
        assert java.process.poll() is None

    def test_it_ends_when_its_input_ends(self):
        java = launch.start(plan())
        java.stdin.close()
        assert java.process.wait(60) == 0


class TestFailure:
    @pytest.mark.quick
    def test_a_java_that_dies_is_one_line_and_what_it_said(self, monkeypatch, capfd, tmp_path):
        java = tmp_path / "home" / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text("#!/bin/sh\necho 'Too small initial heap' >&2\nexit 1\n")
        java.chmod(0o755)
        monkeypatch.setattr(session, "find_java_home", lambda: tmp_path / "home")
        monkeypatch.setattr(SparkContext, "_gateway", None)
        monkeypatch.setenv("JAVA_HOME", "")  # which `create` sets
        with pytest.raises(
            DbtRuntimeError, match=r"did not start Spark \(exit code 1\)\."
        ) as error:
            session._create(SETTINGS)
        assert "\n" not in error.value.msg
        assert "Too small initial heap" in capfd.readouterr().err

    @pytest.mark.quick
    def test_a_java_that_is_gone(self, tmp_path):
        with pytest.raises(launch.JavaEnded):
            launch.start(plan(java_home=tmp_path))

    @pytest.mark.quick
    def test_what_it_said_is_kept_where_nobody_watches(self, tmp_path):
        with pytest.raises(launch.JavaEnded, match="not found"):
            launch.start(plan(java_home=tmp_path), output=subprocess.PIPE)


# A process that starts a Java, as a dbt command does.
STARTER = """
import json, sys
from dbt_spark_contracts.spark import launch
launch.start(launch.Launch(**json.load(sys.stdin)))
"""


def test_a_command_that_is_killed_while_java_starts(monkeypatch, tmp_path):
    """Java ends, and the next command deletes the settings of the killed one."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # Python remembers the variable's old value
    command = subprocess.Popen([sys.executable, "-c", STARTER], stdin=subprocess.PIPE, text=True)
    with command.stdin:
        json.dump(asdict(plan(VALUES)), command.stdin)
    children = psutil.Process(command.pid).children
    [java] = wait_until(
        lambda: [child for child in children() if "SparkSubmit" in " ".join(child.cmdline())],
        "Java starts",
    )
    java.suspend()
    command.kill()
    command.wait()

    def left() -> list[Path]:
        """Return the settings that are left when a next command has tried to start Java."""
        with pytest.raises(launch.JavaEnded):
            launch.start(plan(java_home=tmp_path / "nowhere"))
        return [*tmp_path.rglob("spark.properties")]

    assert VALUES["spark.hadoop.secret"] in left()[0].read_text().replace("\\", "")
    java.resume()
    wait_until(lambda: not left(), "Java ends, and a command deletes what it does not need now")


def test_pyspark_gets_the_java_through_a_separate_environment(monkeypatch):
    """A thread that reads the process's environment would fail while a variable is removed."""
    told = []
    monkeypatch.setattr(
        SparkContext,
        "_ensure_initialized",
        lambda: told.extend((dict(java_gateway.os.environ), dict(os.environ))),
    )
    monkeypatch.setattr(launch, "_used", None)
    launch.use(launch.Java(4711, "secret", None, None))
    pysparks, ours = told
    assert pysparks == {**ours, "PYSPARK_GATEWAY_PORT": "4711", "PYSPARK_GATEWAY_SECRET": "secret"}
    assert "PYSPARK_GATEWAY_PORT" not in ours
    assert java_gateway.os is os

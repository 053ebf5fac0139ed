"""The conversion of a profile's parameters to Spark's settings."""

import shlex
import sys
from pathlib import Path

import pytest
from dbt_spark_contracts.spark import settings, sqlite
from dbt_spark_contracts.spark.settings import bundled_iceberg_jar, spark_settings

pytestmark = pytest.mark.quick

PROJECT = Path("/my project")
LOGS = Path("/my project/logs of today")

FOLDERS = (
    "spark.sql.catalog.lakehouse.warehouse",
    "spark.checkpoint.dir",
    "spark.eventLog.dir",
    "spark.local.dir",
)


def made_of(**parameters: str) -> dict[str, str]:
    """Return the settings for the parameters, whose names have __ instead of dots."""
    named = {name.replace("__", "."): value for name, value in parameters.items()}
    return spark_settings(named, PROJECT, LOGS)


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize(
    ("folder", "meant"),
    [
        (".lakehouse/x", "/my project/.lakehouse/x"),
        ("../x y", "/x y"),
        ("/tmp/x y", "/tmp/x y"),
        ("s3a://bucket/x", "s3a://bucket/x"),
        ("file:///tmp/x", "file:///tmp/x"),
        ("file:/tmp/x", "file:/tmp/x"),
        ("", ""),
    ],
)
def test_a_folder_is_seen_from_the_project(name, folder, meant):
    """The working directory does not matter. URLs and empty settings are unchanged."""
    assert spark_settings({name: folder}, PROJECT, LOGS)[name] == meant


@pytest.mark.parametrize(
    "type", ["type: hadoop", "catalog-impl: org.apache.iceberg.hadoop.HadoopCatalog"]
)
@pytest.mark.parametrize("scheme", ["s3a", "S3", "gs", "abfss", "unknown"])
def test_a_catalog_in_a_folder_is_refused_on_an_object_store(type, scheme):
    """A commit is a rename. On an object store it can overwrite another writer's commit."""
    key, _, kind = type.partition(": ")
    parameters = {
        f"spark.sql.catalog.lake.{key}": kind,
        "spark.sql.catalog.lake.warehouse": f"{scheme}://bucket/x",
    }
    with pytest.raises(
        ValueError, match=r"lake\.warehouse is .*: a catalog of type hadoop can lose"
    ):
        spark_settings(parameters, PROJECT, LOGS)
    locked = parameters | {"spark.sql.catalog.lake.lock-impl": "a.LockManager"}
    assert spark_settings(locked, PROJECT, LOGS)


@pytest.mark.parametrize(
    ("kind", "warehouse"),
    [("hadoop", "hdfs://x/y"), ("hadoop", "file:///x"), ("glue", "s3://x"), ("rest", "s3://x")],
)
def test_other_catalogs_may_be_anywhere(kind, warehouse):
    catalog = "spark.sql.catalog.lake"
    assert spark_settings(
        {f"{catalog}.type": kind, f"{catalog}.warehouse": warehouse}, PROJECT, LOGS
    )


def test_the_warehouse_of_a_rest_catalog_is_a_name():
    catalog = "spark.sql.catalog.lakehouse"
    told = {f"{catalog}.type": "rest", f"{catalog}.warehouse": "sales"}
    assert spark_settings(told, PROJECT, LOGS)[f"{catalog}.warehouse"] == "sales"


def test_parameters_that_are_not_paths_stay_unchanged():
    parameters = {
        "spark.sql.catalog.lakehouse.type": "hadoop",
        "spark.sql.catalog.lakehouse.uri": "thrift/x",
        "spark.sql.session.timeZone": "America/Sao_Paulo",
        "spark.master": "local[*]",
    }
    made = spark_settings(parameters, PROJECT, LOGS)
    assert {name: made[name] for name in parameters} == parameters


def test_the_profiles_own_parameters_are_not_changed():
    parameters = {"spark.checkpoint.dir": "x"}
    spark_settings(parameters, PROJECT, LOGS)
    assert parameters == {"spark.checkpoint.dir": "x"}


@pytest.mark.parametrize("master", ["local", "local[*]", "local[2,3]"])
def test_icebergs_jar_is_on_the_class_path_where_spark_is_one_process(master):
    made = made_of(spark__master=master)
    assert made["spark.driver.extraClassPath"] == str(bundled_iceberg_jar())
    assert "spark.jars" not in made
    assert bundled_iceberg_jar().is_file()


@pytest.mark.parametrize("master", ["local-cluster[2,1,1024]", "spark://host:7077", "yarn"])
def test_icebergs_jar_is_sent_to_executors_that_are_other_processes(master):
    made = made_of(spark__master=master)
    assert made["spark.jars"] == str(bundled_iceberg_jar())
    assert "spark.driver.extraClassPath" not in made


@pytest.mark.parametrize("name", ["PYSPARK_SUBMIT_ARGS", "SPARK_CONF_DIR", "SPARK_HOME"])
def test_icebergs_jar_is_beside_those_that_are_named_elsewhere(name, monkeypatch):
    """Such a variable may add iceberg-aws-bundle, and Iceberg must see its classes."""
    monkeypatch.setenv(name, "x")
    assert made_of()["spark.jars"] == str(bundled_iceberg_jar())


def test_icebergs_jar_is_beside_the_profiles_own_class_path():
    made = made_of(spark__driver__extraClassPath="/jars/a.jar")
    assert made["spark.driver.extraClassPath"] == "/jars/a.jar"
    assert made["spark.jars"] == str(bundled_iceberg_jar())


@pytest.mark.parametrize(
    "parameters",
    [
        {"spark__jars": "/jars/a.jar", "spark__jars__packages": ""},
        {"spark__jars": "/jars/a.jar", "spark__jars__packages": "org.postgresql:postgresql:42.7.4"},
        # Neither of these is Iceberg's Spark runtime.
        {"spark__jars": "/iceberg-spark/a.jar"},
        {
            "spark__jars": "/j/a.jar",
            "spark__jars__packages": "org.apache.iceberg:iceberg-aws-bundle:1",
        },
    ],
)
def test_icebergs_jar_comes_after_the_users_own(parameters):
    jars = made_of(**parameters)["spark.jars"].split(",")
    assert jars == [parameters["spark__jars"], str(bundled_iceberg_jar())]


@pytest.mark.parametrize(
    "parameters",
    [
        {"spark__jars": "/jars/a.jar,/jars/iceberg-spark-runtime-3.5_2.12-1.10.0.jar"},
        {"spark__jars": "s3://jars/iceberg-spark3-runtime.jar"},
        {"spark__jars__packages": "x:y:1,org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.0"},
        {"spark__driver__extraClassPath": "/a.jar:/jars/iceberg-spark-runtime-3.5_2.12-1.10.0.jar"},
    ],
)
def test_no_second_iceberg_is_added(parameters, monkeypatch):
    """Two versions of Iceberg on one class path fail with confusing errors."""
    monkeypatch.setattr(settings, "find_spec", lambda name: None)  # the wheel is not needed
    made = made_of(**parameters)
    assert made.get("spark.jars") == parameters.get("spark__jars")
    assert made.get("spark.driver.extraClassPath") == parameters.get(
        "spark__driver__extraClassPath"
    )


@pytest.mark.parametrize("name", ["snowpark_connect_deps_iceberg", None])
def test_no_iceberg_jar_is_one_line_with_the_way_out(name, monkeypatch, tmp_path):
    """The wheel is not installed, or has the jar in another place."""
    package = type("Spec", (), {"origin": str(tmp_path / "__init__.py")}) if name else None
    monkeypatch.setattr(settings, "find_spec", lambda _: package)
    with pytest.raises(FileNotFoundError) as error:
        made_of()
    assert str(error.value) == (
        "No Iceberg jar: `pip install snowpark-connect-deps-iceberg==1.0.2`, or name one in the "
        "profile's spark.jars or spark.jars.packages."
    )


def test_spark_logs_to_a_file_beside_dbts_own():
    """Both options work with a blank in their path. Spark splits the options like a shell."""
    configuration, log = shlex.split(made_of()["spark.driver.extraJavaOptions"])
    name, _, value = configuration.partition("=")
    assert name == "-Dlog4j2.configurationFile"
    assert "spark.log.file" in Path(value).read_text()
    assert log == "-Dspark.log.file=/my project/logs of today/spark.log"


def test_the_users_own_java_options_come_first():
    options = made_of(spark__driver__extraJavaOptions="-Xss4m '-Dx=a b'")
    split = shlex.split(options["spark.driver.extraJavaOptions"])
    assert split[:2] == ["-Xss4m", "-Dx=a b"]
    assert len(split) == 4


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_progress_bar_is_for_a_terminal_only(is_terminal, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert made_of()["spark.ui.showConsoleProgress"] == ("true" if is_terminal else "false")
    chosen = made_of(spark__ui__showConsoleProgress="no")
    assert chosen["spark.ui.showConsoleProgress"] == "no"


SMALL = ["-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m", "-XX:+UseSerialGC"]


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ({}, []),
        ({"spark__dbt__size": "large"}, ["-XX:+UseParallelGC"]),
        ({"spark__dbt__size": "large", "spark__master": "yarn"}, []),
        ({"spark__dbt__size": "small"}, SMALL),
        ({"spark__dbt__size": "small", "spark__master": "local[2]"}, SMALL),
        ({"spark__dbt__size": "small", "spark__master": "spark://host:7077"}, []),
        # Java accepts only one garbage collector.
        (
            {
                "spark__dbt__size": "small",
                "spark__driver__extraJavaOptions": "-XX:+UseParallelGC -XX:+UseStringDeduplication",
            },
            ["-XX:+UseParallelGC", "-XX:+UseStringDeduplication", *SMALL[:2]],
        ),
        (
            {
                "spark__dbt__size": "large",
                "spark__driver__extraJavaOptions": "-XX:+UseZGC",
            },
            ["-XX:+UseZGC"],
        ),
    ],
)
def test_java_gets_options_for_the_amount_of_data(parameters, options):
    assert shlex.split(made_of(**parameters)["spark.driver.extraJavaOptions"])[:-2] == options


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({}, (None, None)),
        ({"spark__dbt__size": "large"}, (None, None)),
        ({"spark__dbt__size": "small"}, ("1", "false")),
        ({"spark__dbt__size": "small", "spark__sql__shuffle__partitions": "8"}, ("8", "false")),
        ({"spark__dbt__size": "small", "spark__sql__adaptive__enabled": "true"}, ("1", "true")),
        ({"spark__dbt__size": "small", "spark__master": "yarn"}, (None, None)),
    ],
)
def test_spark_plans_little_data_once_and_in_one_partition(parameters, values):
    made = made_of(**parameters)
    names = "spark.sql.shuffle.partitions", "spark.sql.adaptive.enabled"
    assert tuple(map(made.get, names)) == values


def test_another_size_is_one_line_with_the_way_out():
    with pytest.raises(ValueError, match=r"^spark\.dbt\.size is 'tiny': use small or large\.$"):
        made_of(spark__dbt__size="tiny")


def test_a_catalog_in_sqlite_does_not_ask_for_its_tables_unless_the_profile_says_so():
    catalog = "spark.sql.catalog.{}"
    in_sqlite = {catalog.format("a.uri"): "jdbc:sqlite:/data/catalog.db?busy_timeout=60000"}
    asks = catalog.format("a.jdbc.init-catalog-tables")
    assert sqlite.unasked(in_sqlite) == {asks: "false"}
    assert sqlite.unasked(in_sqlite | {asks: "true"}) == {}
    for uri in ("jdbc:postgresql://host/lake", "https://host/catalog", ""):
        assert sqlite.unasked({catalog.format("a.uri"): uri}) == {}

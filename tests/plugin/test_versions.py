"""The known versions of Spark and Iceberg, and the message for other versions."""

import json
import subprocess
import sys

import pytest
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts.spark import versions
from dbt_spark_contracts.spark.java import usable_versions
from dbt_spark_contracts.spark.settings import bundled_iceberg_jar, spark_settings

pytestmark = pytest.mark.quick


@pytest.fixture
def pyspark(monkeypatch):
    """Yield a function that fakes the installed version of pyspark."""

    def install(version: str) -> None:
        monkeypatch.setattr(versions.metadata, "version", lambda name: version)
        versions.installed.cache_clear()

    yield install
    versions.installed.cache_clear()


def test_the_installed_spark_is_known_without_importing_it():
    code = (
        "import json, sys\nfrom dbt_spark_contracts.spark import versions\n"
        "print(json.dumps([versions.installed().iceberg, 'pyspark' in sys.modules]))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    runtime, is_imported = json.loads(said.stdout)
    assert runtime in {known.iceberg for known in versions.KNOWN.values()}
    assert not is_imported


@pytest.mark.parametrize("version", ["3.4.4", "4.1.0", "4.10.0", "5.0.0.dev1"])
def test_another_spark_is_one_line_with_the_way_out(version):
    with pytest.raises(DbtRuntimeError) as error:
        versions.known(version)
    assert error.value.msg == (
        f"dbt-spark-contracts knows Spark 3.5 and 4.0, and this is {version}: install "
        "pyspark~=3.5.0, or a newer dbt-spark-contracts."
    )


def test_each_spark_has_its_java(pyspark):
    pyspark("4.0.5")
    assert usable_versions() == "17 or 21"
    pyspark("3.5.9")
    assert usable_versions() == "8, 11 or 17"


def test_the_wheels_iceberg_is_for_another_spark(pyspark, tmp_path):
    """With Spark 4, the message names the jar to set."""
    pyspark("4.0.5")
    with pytest.raises(FileNotFoundError) as error:
        bundled_iceberg_jar()
    assert str(error.value) == (
        "No Iceberg jar for this pyspark: set the profile's spark.jars.packages to "
        "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.10.2, or spark.jars to that file. "
        "No wheel has it."
    )
    jar = "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.10.2"
    made = spark_settings({"spark.jars.packages": jar}, tmp_path, tmp_path)
    assert made["spark.jars.packages"] == jar


@pytest.mark.parametrize(
    ("setting", "jar"),
    [
        ("spark.jars.packages", "org.apache.iceberg:iceberg-spark-runtime-3.5_2.13:1.10.2"),
        ("spark.jars", "/jars/iceberg-spark-runtime-4.0_2.13-1.10.2.jar"),
        ("spark.driver.extraClassPath", "/jars/iceberg-spark-runtime-3.4_2.12-1.9.0.jar"),
    ],
)
def test_a_jar_for_another_spark_is_one_line(pyspark, tmp_path, setting, jar):
    pyspark("3.5.9")
    with pytest.raises(ValueError) as error:
        spark_settings({setting: jar}, tmp_path, tmp_path)
    assert str(error.value) == (
        f"{jar} is not for this pyspark (3.5.9): name a version of iceberg-spark-runtime-3.5_2.12 "
        "instead."
    )


def test_another_iceberg_gets_a_line():
    assert versions.unknown_iceberg("1.10.2") == ""
    assert versions.unknown_iceberg("1.11.0") == (
        "dbt-spark-contracts was tested with Iceberg 1.10, and this is 1.11.0: try 1.10 if "
        "something fails."
    )

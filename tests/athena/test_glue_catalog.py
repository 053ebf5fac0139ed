"""The target `cluster` with Iceberg's Glue catalog, for Spark on AWS, tested without AWS.

Iceberg accepts the settings and loads the catalog, up to the first class of the AWS SDK. That class
comes with iceberg-aws-bundle and not with a Python wheel.
"""

import pytest
from dbt_spark_contracts import errors
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark.settings import bundled_iceberg_jar

from tests.support.dbt_runner import environment

GLUE = {
    "LAKEHOUSE_CATALOG": "glue",
    "LAKEHOUSE_WAREHOUSE": "s3://bucket/warehouse",
    "LAKEHOUSE_CHECKPOINTS": "s3://bucket/checkpoints",
    "LAKEHOUSE_MASTER": "yarn",
}
BUNDLE = "org.apache.iceberg:iceberg-aws-bundle:1.10.1"
NAME = "spark.sql.catalog.lakehouse"


@pytest.fixture
def settings(small_project, monkeypatch):
    """Return a function that renders the Spark settings for the given environment variables."""

    def render(**variables: str) -> dict[str, str]:
        seen = []
        monkeypatch.setattr(session, "configure", seen.append)
        with environment(**GLUE | variables):
            result = small_project({"models/a.sql": "select 1 as id"})(
                "parse", "--target", "cluster"
            )
        assert result.success, result.text
        return seen[0]

    return render


def test_the_catalog_is_glue_by_environment_variables_alone(settings):
    made = settings(LAKEHOUSE_PACKAGES=BUNDLE)
    assert {name: value for name, value in made.items() if name.startswith(NAME)} == {
        NAME: "org.apache.iceberg.spark.SparkCatalog",
        f"{NAME}.type": "glue",
        f"{NAME}.uri": "",
        f"{NAME}.warehouse": "s3://bucket/warehouse",
    }
    assert made["spark.master"] == "yarn"
    assert made["spark.checkpoint.dir"] == "s3://bucket/checkpoints"
    assert made["spark.jars.packages"] == BUNDLE
    assert made["spark.jars"] == str(bundled_iceberg_jar())


def test_where_the_cluster_has_iceberg_none_is_sent_along(settings):
    jar = "/usr/share/aws/iceberg/lib/iceberg-spark3-runtime.jar"
    assert settings(LAKEHOUSE_JARS=jar)["spark.jars"] == jar


def test_iceberg_has_the_catalog_and_lacks_the_sdk_of_aws(settings, spark):
    for name, value in settings().items():
        if name.startswith(NAME):
            spark.conf.set(name.replace(NAME, "spark.sql.catalog.glue"), value)
    with pytest.raises(Exception, match="Cannot initialize Catalog implementation") as error:
        spark.sql("show namespaces in glue")
    assert errors.explain(error.value) == (
        "IllegalArgumentException: Cannot initialize Catalog implementation "
        "org.apache.iceberg.aws.glue.GlueCatalog: java.lang.NoClassDefFoundError: "
        "software/amazon/awssdk/services/glue/model/InvalidInputException"
    )

"""A cluster's own Spark SQL defaults do not change the results."""

import json
import os
import re
from unittest.mock import patch

import pytest
import yaml

from tests.support.dbt_runner import ROOT
from tests.support.events import GOLD, RUN_TIMES, SILVER, without_columns

# Each setting changes the result of an expression in the models, or whether it parses.
HOSTILE = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "America/New_York",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.legacy.timeParserPolicy": "LEGACY",
    "spark.sql.storeAssignmentPolicy": "STRICT",
    "spark.sql.caseSensitive": "true",
    "spark.sql.parser.escapedStringLiterals": "true",
    "spark.sql.parser.quotedRegexColumnNames": "true",
    "spark.sql.columnNameOfCorruptRecord": "broken",
    "spark.sql.json.enablePartialResults": "false",
    "spark.sql.jsonGenerator.ignoreNullFields": "false",
    "spark.sql.legacy.sizeOfNull": "false",
    "spark.sql.legacy.json.allowEmptyString.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.files.ignoreCorruptFiles": "true",
    "spark.sql.files.ignoreMissingFiles": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.crossJoin.enabled": "false",
    "spark.sql.jsonGenerator.writeNullIfWithDefaultValue": "false",
    "spark.sql.json.filterPushdown.enabled": "false",
    "spark.sql.mapKeyDedupPolicy": "LAST_WIN",
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "spark.sql.variable.substitute": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.datetime.java8API.enabled": "true",
    "spark.sql.legacy.castComplexTypesToString.enabled": "true",
    "spark.sql.legacy.ctePrecedencePolicy": "LEGACY",
    "spark.sql.legacy.exponentLiteralAsDecimal.enabled": "true",
    "spark.sql.legacy.literal.pickMinimumPrecision": "false",
    "spark.sql.legacy.followThreeValuedLogicInArrayExists": "false",
    "spark.sql.legacy.negativeIndexInArrayInsert": "true",
    "spark.sql.legacy.allowHashOnMapType": "true",
    "spark.sql.legacy.setopsPrecedence.enabled": "true",
    "spark.sql.legacy.typeCoercion.datetimeToString.enabled": "true",
    "spark.sql.legacy.nullInEmptyListBehavior": "true",
    "spark.sql.legacy.parser.havingWithoutGroupByAsWhere": "true",
    "spark.sql.legacy.parseNullPartitionSpecAsStringLiteral": "true",
    "spark.sql.legacy.interval.enabled": "true",
    "spark.sql.legacy.fromDayTimeString.enabled": "true",
    "spark.sql.legacy.createEmptyCollectionUsingStringType": "true",
    "spark.sql.legacy.statisticalAggregate": "true",
    "spark.sql.legacy.doLooseUpcast": "true",
    "spark.sql.legacy.viewSchemaCompensation": "false",
    "spark.sql.legacy.storeAnalyzedPlanForView": "true",
    "spark.sql.legacy.useV1Command": "true",
    "spark.sql.parquet.filterPushdown": "false",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "LEGACY",
    "spark.sql.parquet.int96RebaseModeInWrite": "LEGACY",
    "spark.sql.parquet.binaryAsString": "true",
    "spark.sql.files.maxRecordsPerFile": "3",
    "spark.sql.files.maxPartitionBytes": "2000",
    "spark.sql.runSQLOnFiles": "false",
    "spark.sql.iceberg.vectorization.enabled": "false",
    "spark.speculation": "true",
    "spark.hadoop.mapreduce.input.linerecordreader.line.maxlength": "100",
    "spark.hadoop.mapreduce.input.fileinputformat.input.dir.recursive": "false",
}
OF_THE_RUN = (*RUN_TIMES, "ingested_at")
# Edge cases: valid events with unusual values, and invalid ones.
ODD = """{"event_id": "odd", "carChassis": "c", "event_primary_timestamp": "2025-11-02T05:30Z"}
{"event_id": 1.10, "carChassis": "c", "event_primary_timestamp": "2025-11-02T01:30:00,5-05"}
{"event_id": "twice", "carChassis": "c", "carChassis": "d"}
{"event_id": "none", "carChassis": "c", "event_primary_timestamp": "2025-02-30T00:00:00Z"}
"""


@pytest.mark.slow
def test_a_build_under_hostile_defaults_ends_in_the_same_tables(dbt, read, tmp_path, schema):
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "odd.jsonl").write_text(ODD)
    (landing / "objects").symlink_to(ROOT / "landing/objects")
    tables = {"silver": SILVER, "gold": GOLD}
    variables = {"landing_path": str(landing), "as_of_date": "2026-01-15"}

    def rows(prefix):
        return {
            name: without_columns(read(f"{prefix}_{layer}", name), *OF_THE_RUN)
            for layer, names in tables.items()
            for name in names
        }

    plain = dbt("build", "--exclude-resource-type", "unit_test", schema=schema, **variables)
    assert plain.success, plain.text

    conf = tmp_path / "conf"
    conf.mkdir()
    settings = [f"{name} {value}" for name, value in HOSTILE.items()]
    (conf / "spark-defaults.conf").write_text("\n".join(settings))
    with patch.dict(os.environ, SPARK_CONF_DIR=str(conf), TZ="Europe/Berlin"):
        build = dbt.start(
            *("build", "--exclude-resource-type", "unit_test"),
            schema=f"{schema}_x",
            target_path=tmp_path / "target",
            **variables,
        )
        said, _ = build.communicate(timeout=600)
    assert build.returncode == 0, said
    assert json.dumps(rows(f"{schema}_x"), default=str) == json.dumps(rows(schema), default=str)


FEWER_FOR_LITTLE_DATA = (
    "{{ env_var('LAKEHOUSE_SHUFFLE_PARTITIONS', "
    "'1' if env_var('LAKEHOUSE_SIZE', 'small') == 'small' else '4') }}"
)

# Settings that suit a laptop but not a cluster: their values on each.
LAPTOPS = {
    "spark.driver.memory": ("2g", "4g"),
    "spark.sql.shuffle.partitions": (FEWER_FOR_LITTLE_DATA, "200"),
    "spark.dbt.size": ("small", None),
    "spark.sql.files.openCostInBytes": ("131072", None),
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": ("8", None),
    "spark.master": ("local[*]", "spark://localhost:7077"),
}


@pytest.mark.quick
def test_a_cluster_has_the_settings_of_the_results_and_not_those_of_a_laptop():
    """Compare the settings of the targets in profiles.yml, with their defaults."""
    targets = yaml.safe_load((ROOT / "profiles.yml").read_text())["lakehouse"]["outputs"]
    default = re.compile(r"\{\{ env_var\('\w+', '([^']*)'\) \}\}")
    local, ci, cluster = (
        {
            name: default.sub(r"\1", value)
            for name, value in targets[target]["server_side_parameters"].items()
        }
        for target in ("local", "ci", "cluster")
    )
    assert ci == local
    for name, values in LAPTOPS.items():
        assert (local.pop(name), cluster.pop(name, None)) == values
    assert {name: cluster[name] for name in local} == local
    assert {*cluster} == {*local}


def test_threads_share_spark_and_checkpoints_are_compressed(spark):
    conf = spark.sparkContext.getConf()
    assert conf.get("spark.scheduler.mode") == "FAIR"
    assert conf.get("spark.checkpoint.compress") == "true"

"""What a cluster's own defaults say about Spark's SQL changes no result."""

import json
import os
from unittest.mock import patch

from tests.support.dbt_runner import ROOT
from tests.support.events import GOLD, RUN_TIMES, SILVER, without_columns

# Each changes what some expression of the models gives, or whether it is SQL at all.
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
}
OF_THE_RUN = (*RUN_TIMES, "ingested_at")
# Neither good, nor rejected by its text alone.
ODD = """{"event_id": "odd", "carChassis": "c", "event_primary_timestamp": "2025-11-02T05:30Z"}
{"event_id": 1.10, "carChassis": "c", "event_primary_timestamp": "2025-11-02T01:30:00,5-05"}
{"event_id": "twice", "carChassis": "c", "carChassis": "d"}
{"event_id": "none", "carChassis": "c", "event_primary_timestamp": "2025-02-30T00:00:00Z"}
"""


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

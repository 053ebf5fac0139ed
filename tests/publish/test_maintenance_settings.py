"""The meta `maintenance` is merged from layer to layer, and wrong settings stop any command."""

import json
from datetime import timedelta

import pytest
import yaml
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts.publish.maintenance import settings
from dbt_spark_contracts.publish.maintenance.limits import Limits
from dbt_spark_contracts.publish.maintenance.settings import Settings
from dbt_spark_contracts.publish.maintenance.wanted import Wanted

pytestmark = pytest.mark.quick


def meta(**keys) -> dict:
    return {"+meta": {"maintenance": keys}}


def project_yml(models: dict) -> str:
    return yaml.safe_dump({
        "name": "small",
        "profile": "lakehouse",
        "flags": {"send_anonymous_usage_stats": False},
        "models": {"+file_format": "iceberg", **models},
    })  # fmt: skip


def test_a_layers_own_keys_win_and_the_others_are_kept(small_project, schema):
    layers = {
        "+meta": {"maintenance": {"keep_days": 7, "small_files": 8}, "other": {"a": 1}},
        "small": {
            "gold": {
                "+meta": {"maintenance": {"keep_days": 30, "orphan_days": False}, "other": {"b": 2}}
            }
        },
    }
    own = {"models": [{"name": "c", "config": {"meta": {"maintenance": {"keep_snapshots": 2}}}}]}
    project = small_project({
        "dbt_project.yml": project_yml(layers),
        "models/a.sql": "select 1 as id",
        "models/gold/b.sql": "select 1 as id",
        "models/gold/c.sql": "{{ config(meta={'maintenance': {'keep_days': 90}}) }} select 1 as id",
        "models/gold/c.yml": json.dumps(own),
    })  # fmt: skip
    result = project("parse", schema=schema)
    assert result.success, result.text
    nodes = json.loads((project.target_path / "manifest.json").read_text())["nodes"].values()
    found = {node["name"]: settings.of_node(node) for node in nodes}
    layer = Settings(keep_days=30, small_files=8, orphan_days=False)
    assert found == {
        "a": Settings(keep_days=7, small_files=8),
        "b": layer,
        "c": Settings(keep_days=90, keep_snapshots=2, small_files=8, orphan_days=False),
    }
    # dbt merges all other meta as usual.
    assert {n["name"]: n["config"]["meta"]["other"] for n in nodes}["b"] == {"b": 2}


@pytest.mark.parametrize(
    ("of_model", "line"),
    [
        (
            {"maintenance": {"keep_day": 7}},
            "a: meta maintenance: keep_day is no setting: it is spelt keep_days.",
        ),
        (
            {"maintenance": {"vacuum": True}},
            "a: meta maintenance: vacuum is no setting: there are keep_days, keep_snapshots,",
        ),
        (
            {"maintenance": {"keep_days": "7"}},
            "a: meta maintenance: keep_days is '7', and must be a number from 0 to 36500, or",
        ),
        (
            {"maintenance": {"keep_snapshots": False}},
            "a: meta maintenance: keep_snapshots is False, and must be a whole number from 1 to",
        ),
        (
            {"maintenance": {"small_files": 2.5}},
            "a: meta maintenance: small_files is 2.5, and must be a whole number from 2 to",
        ),
        (
            {"maintenance": {"small_file_ratio": 20}},
            "a: meta maintenance: small_file_ratio is 20, and must be a number from 0 to 1, or",
        ),
        (
            {"maintenance": {"orphan_days": 0.5}},
            "a: meta maintenance: orphan_days is 0.5, and must be a number from 1 to 36500, or",
        ),
        (
            {"maintenance": 7},
            "a: meta maintenance is 7, and must be settings, as `maintenance: {keep_days: 7}`.",
        ),
        ({"maintainance": {}}, "a: meta maintainance has no meaning: it is spelt maintenance."),
    ],
)
def test_a_wrong_setting_is_one_line_before_anything_is_done(small_project, of_model, line, schema):
    model = {"name": "a", "config": {"meta": of_model}}
    files = {"models/a.sql": "select 1 as id", "models/a.yml": json.dumps({"models": [model]})}
    result = small_project({"dbt_project.yml": project_yml({}), **files})("parse", schema=schema)
    assert not result.success
    assert line in result.text and "Traceback" not in result.text
    with pytest.raises(DbtRuntimeError) as error:
        settings.read("a", of_model)
    assert "\n" not in error.value.msg and error.value.msg.startswith(line)


def test_a_setting_at_a_column_is_refused():
    node = {"name": "a", "config": {}, "columns": {"id": {"meta": {"maintenance": {}}}}}
    with pytest.raises(DbtRuntimeError, match="has no meaning at the column id"):
        settings.of_node(node)


def test_every_setting_has_its_range_and_null_is_the_default():
    assert [*Settings.__dataclass_fields__] == [*settings.RANGES]
    nothing = dict.fromkeys(settings.RANGES)
    assert settings.read("a", {"maintenance": nothing}) == Settings()
    assert all(
        value is None or value in settings.RANGES[name] for name, value in vars(Settings()).items()
    )


def test_what_is_not_declared_is_as_the_tables_properties_say():
    properties = {
        "history.expire.max-snapshot-age-ms": "3600000",
        "write.target-file-size-bytes": "1048576",
        "write.metadata.delete-after-commit.enabled": "false",
    }
    found = Limits.of(Settings(), properties)
    assert (found.keep, found.file_size, found.metadata_files) == (
        timedelta(hours=1),
        1048576,
        False,
    )
    declared = Settings(keep_days=2, target_file_size_mb=2, metadata_files=5)
    found = Limits.of(declared, properties)
    assert (found.keep, found.file_size, found.metadata_files) == (timedelta(days=2), 2097152, 5)
    found = Limits.of(Settings(), {})
    assert (found.keep, found.file_size, found.metadata_files) == (
        timedelta(days=7),
        512 * 1024 * 1024,
        100,
    )
    assert Limits.of(Settings(keep_days=False), properties).keep is False


@pytest.mark.parametrize("budget", ["10m", "90s", "1.5h", " 5 m "])
def test_a_budget_is_a_time(budget):
    assert not Wanted(None, [], budget=budget).is_over


def test_a_budget_is_used_up():
    assert Wanted(None, [], budget="0s").is_over
    for wrong in ("10", "-1m", "ten", "1d", ""):
        with pytest.raises(DbtRuntimeError, match="budget must be a time"):
            Wanted(None, [], budget=wrong)

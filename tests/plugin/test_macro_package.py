"""The guard's macros are a package like dbt's own.

The tests cover a project's macros with the same names, other adapters, other versions of dbt, and
projects that dbt has parsed before.
"""

import json
import re
import shutil
from types import SimpleNamespace

import pytest
import yaml
from dbt.adapters.factory import FACTORY
from dbt.adapters.spark import connections
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.version import installed
from dbt_common.semver import VersionSpecifier
from dbt_spark_contracts import plugin
from dbt_spark_contracts.adapter import SparkAdapter
from dbt_spark_contracts.compat import dbt_adapters, dbt_core, patches
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.sql_only import adapter as sql_only

from tests.support.dbt_runner import ROOT, environment

PACKAGE = ROOT / "python_jobs/dbt_spark_contracts"
PUBLIC_MACROS = (
    *("begin_run", "end_run", "publish", "roll_back", "maintain", "unlock", "history"),
    *("drop_stray_columns", "new_rows"),
)
OWN_MACROS = "\n".join(
    f"{{% macro {name}() %}}{{% do log('the user\\'s {name}', info=true) %}}{{% endmacro %}}"
    for name in PUBLIC_MACROS
)

CONTRACTED = {
    "name": "a",
    "config": {"contract": {"enforced": True}},
    "columns": [{"name": "id", "data_type": "int"}],
}


def manifest_of(project) -> Manifest:
    return Manifest.from_dict(json.loads((project.target_path / "manifest.json").read_text()))


# A project's own macros


def test_a_projects_macros_of_the_same_names_are_its_own_and_ours_call_ours(small_project, schema):
    hooks = {"on-run-start": "{{ dbt.begin_run() }}", "on-run-end": "{{ dbt.end_run() }}"}
    settings = {
        "name": "small",
        "profile": "lakehouse",
        "flags": {"send_anonymous_usage_stats": False},
        "models": {"+file_format": "iceberg"},
    }
    project = small_project({
        "dbt_project.yml": yaml.safe_dump({**settings, **hooks}),
        "models/a.sql": "{{ config(materialized='table') }} select 1 as id",
        "models/a.yml": json.dumps({"models": [CONTRACTED]}),
        "macros/own.sql": OWN_MACROS,
    })  # fmt: skip
    result = project("build", schema=schema)
    assert result.success, result.text
    assert "Published 1 table" in result.text
    assert "the user's" not in result.text

    result = project("run-operation", "maintain", schema=schema)
    assert "the user's maintain" in result.text
    arguments = ("--args", "{model: a}")
    for operation in (["maintain"], ["drop_stray_columns", *arguments], ["unlock"]):
        operation[0] = f"dbt_spark_contracts.{operation[0]}"
        result = project("run-operation", *operation, schema=schema)
        assert "the user's" not in result.text
        assert result.success or operation[0].endswith("unlock"), result.text


@pytest.mark.quick
def test_every_internal_macro_has_the_prefix():
    """Except for macros that override those of dbt, dbt-spark and dbt-athena."""
    source = PACKAGE / "src/dbt_spark_contracts"
    dbts = {"build_source_function", "get_column_comment_sql", "spark__comment_clause"}
    dbts |= {"spark__get_columns_in_relation", "spark__snapshot_merge_sql"}
    dbts |= {"spark__get_merge_update_columns", "spark__get_merge_sql"}
    names = {
        name
        for file in (source / "macros").rglob("*.sql")
        for name in re.findall(r"{%-? *macro (\w+)", file.read_text())
    }
    assert {name for name in names if not name.startswith("contracts__")} == {*PUBLIC_MACROS, *dbts}
    for file in (source / "sql_only").rglob("*.sql"):
        for name in re.findall(r"{%-? *macro (\w+)", file.read_text()):
            assert name.startswith("contracts__") or name in PUBLIC_MACROS
    for file in (source / "athena_macros").rglob("*.sql"):
        for name in re.findall(r"{%-? *macro (\w+)", file.read_text()):
            assert name.startswith(("contracts__", "athena__")) or name == "dml_data_type"


@pytest.mark.quick
def test_the_readme_names_every_door():
    readme = (PACKAGE / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in PUBLIC_MACROS)


# Projects without Spark in the process


@pytest.fixture
def another_dbt(monkeypatch):
    version = VersionSpecifier.from_version_string("1.9.4")
    assert version.minor != installed.minor
    monkeypatch.setattr(dbt_core, "installed", version)


@pytest.mark.quick
@pytest.mark.parametrize("method", ["thrift", "http"])
def test_a_spark_project_of_another_method_has_the_macros_that_need_sql_only(
    small_project, monkeypatch, method, tmp_path
):
    """They do not start our Spark, even in a process that has had one."""
    dbt_adapters.use_package("spark")
    dbt_adapters.use_adapter(SparkAdapter)
    for name in ("ThriftState", "THttpClient", "hive"):  # from packages that are not installed
        monkeypatch.setattr(connections, name, object())
    monkeypatch.setattr(session, "configure", lambda settings: pytest.fail("not our Spark"))
    output = {"type": "spark", "method": method, "host": "example.org", "schema": "s"}
    profile = {"lakehouse": {"target": "far", "outputs": {"far": {**output, "token": "t"}}}}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profile))
    project = small_project({"models/a.sql": "select 1 as id", "macros/own.sql": OWN_MACROS})
    folders = {
        "project": project.project_dir,
        "profiles": tmp_path,
        "log": tmp_path,
        "target": project.target_path,
    }
    options = [
        part
        for name, folder in folders.items()
        for part in (f"--{name}-{'dir' if name in ('project', 'profiles') else 'path'}", folder)
    ]
    result = dbtRunner().invoke(["parse", *map(str, options)])
    assert result.success, result.exception
    manifest = manifest_of(project)
    ours = {name for name in manifest.macros if ".dbt_spark_contracts." in name}
    assert "macro.dbt_spark_contracts.contracts__by_sql" in ours
    assert "macro.dbt_spark_contracts.contracts__make_table" not in ours
    found = manifest.find_materialization_macro_by_name("small", "table", "spark")
    assert found.package_name == dbt_adapters.PACKAGE
    assert type(FACTORY.lookup_adapter("spark")) is sql_only.SparkAdapter
    assert {*PUBLIC_MACROS} <= {name.rpartition(".")[2] for name in ours}


@pytest.mark.quick
@pytest.mark.parametrize("credentials", [None, SimpleNamespace(type="duckdb")])
def test_a_project_of_another_adapter_is_left_alone(another_dbt, monkeypatch, credentials):
    monkeypatch.setattr(dbt_core, "current_credentials", lambda: credentials)
    for where, name in (
        (dbt_core, "require_known_dbt"),
        (dbt_core, "add_macros"),
        (dbt_adapters, "use_package"),
        (dbt_adapters, "use_adapter"),
    ):
        monkeypatch.setattr(where, name, lambda *_, name=name: pytest.fail(name))
    assert plugin.SparkContractsPlugin("shop").get_manifest_artifacts(None) == {}


# Projects that dbt has parsed before


@pytest.mark.quick
def test_a_project_that_was_parsed_without_the_package_gets_its_macros(small_project, monkeypatch):
    project = small_project({"models/a.sql": "select 1 as id"})
    with monkeypatch.context() as patch:
        patch.setattr(plugin.SparkContractsPlugin, "initialize", lambda self: None)
        patches.undo()
        assert project("parse").success
    assert "macro.dbt_spark_contracts.begin_run" not in manifest_of(project).macros
    assert project("parse").success
    manifest = manifest_of(project)
    assert "macro.dbt_spark_contracts.begin_run" in manifest.macros
    found = manifest.find_materialization_macro_by_name("small", "table", "spark")
    assert found.package_name == "dbt_spark_contracts"


@pytest.mark.quick
def test_a_newer_package_brings_its_newer_macros(small_project, monkeypatch, tmp_path):
    """dbt parses everything again if the text of a package's dbt_project.yml differs."""
    folder = tmp_path / "package"
    source = PACKAGE / "src/dbt_spark_contracts"
    shutil.copytree(source / "macros", folder / "macros")
    shutil.copy(source / "dbt_project.yml", folder)
    monkeypatch.setattr(dbt_adapters, "MACROS", folder)
    project = small_project({"models/a.sql": "select 1 as id"})
    assert project("parse").success
    version = re.search(r"^version: (.*)$", (folder / "dbt_project.yml").read_text(), re.M)
    upgraded = version.string.replace(version[0], "version: 99.0.0")
    (folder / "dbt_project.yml").write_text(upgraded)
    (folder / "macros/new.sql").write_text("{% macro contracts__new() %}{% endmacro %}")
    shutil.rmtree(folder / "macros/publish")
    result = project("parse")
    assert result.success, result.text
    assert "a project config has changed" in result.text
    macros = manifest_of(project).macros
    assert "macro.dbt_spark_contracts.contracts__new" in macros
    assert "macro.dbt_spark_contracts.begin_run" not in macros


@pytest.mark.quick
def test_the_macros_have_the_version_of_the_package():
    package = (PACKAGE / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.*)"$', package, re.M)[1]
    for folder in ("", "sql_only/"):
        macros = (PACKAGE / f"src/dbt_spark_contracts/{folder}dbt_project.yml").read_text()
        assert f"\nversion: {version}\n" in macros


# Athena


@pytest.mark.quick
def test_a_retry_on_athena_has_athenas_macros(small_project):
    project = small_project({"models/a.sql": "select 1 as id"})
    result = project("compile", "--no-introspect", "--target", "athena")
    assert result.success, result.text
    results = project.target_path / "run_results.json"
    results.write_text(results.read_text().replace('"status": "success"', '"status": "error"'))
    (project.target_path / "manifest.json").unlink()
    result = project("retry")
    assert result.success, result.text
    assert f"macro.small.{dbt_core.ATHENA_WRITER}" in manifest_of(project).macros


@pytest.mark.quick
def test_a_retry_is_of_the_target_that_its_run_had(small_project, monkeypatch):
    """It does not use the profile's default target."""
    project = small_project({"models/a.sql": "select 1 as id"})
    result = project("compile", "--no-introspect", "--target", "ci")
    assert result.success, result.text
    results = project.target_path / "run_results.json"
    results.write_text(results.read_text().replace('"status": "success"', '"status": "error"'))
    monkeypatch.setattr(project, "_environment", lambda schema: {"LAKEHOUSE_TARGET": "athena"})
    with environment(LAKEHOUSE_HOME=str(project.home)):
        result = project("retry")
    assert result.success, result.text
    assert type(FACTORY.lookup_adapter("spark")) is SparkAdapter

"""A mark without effect (wrong place, spelling or column) is refused with a one-line message."""

import pytest
import yaml

# By case: the YAML, and the message.
SAYS = {
    "at_the_model": (
        {"config": {"meta": {"pii": True}}},
        "m: meta pii marks nothing here: set it on each column",
    ),
    "at_the_model_by_its_old_place": (
        {"meta": {"silver_only": "yes"}},
        "m: meta silver_only marks nothing here",
    ),
    "beside_meta_of_the_model": ({"config": {"pii": True}}, "m: pii has no meaning outside meta"),
    "an_allowance_mistyped": (
        {"config": {"meta": {"pii-allowed": {"x": "So."}}}},
        "m: meta pii-allowed has no meaning: write pii_allowed.",
    ),
    "an_allowance_of_no_column": (
        {
            "config": {"meta": {"pii_allowed": {"z": "So."}}},
            "columns": [{"name": "x", "config": {"meta": {"pii": True}}}],
        },
        "m: meta pii_allowed names z, a column that does not exist",
    ),
    "a_text": (
        {"columns": [{"name": "x", "config": {"meta": {"silver_only": "yes"}}}]},
        "m.x: meta silver_only is 'yes', but must be true or false.",
    ),
    "a_text_that_says_no": (
        {"columns": [{"name": "x", "config": {"meta": {"pii": "false"}}}]},
        "m.x: meta pii is 'false', but must be true or false.",
    ),
    "a_number": (
        {"columns": [{"name": "x", "config": {"meta": {"pii": 1}}}]},
        "m.x: meta pii is 1, but must be true or false.",
    ),
    "in_capitals": (
        {"columns": [{"name": "x", "config": {"meta": {"PII": True}}}]},
        "m.x: meta PII marks nothing: write pii.",
    ),
    "with_a_dash": (
        {"columns": [{"name": "x", "config": {"meta": {"silver-only": True}}}]},
        "m.x: meta silver-only marks nothing: write silver_only.",
    ),
    "mistyped": (
        {"columns": [{"name": "x", "config": {"meta": {"silver_olny": True}}}]},
        "m.x: meta silver_olny marks nothing: write silver_only.",
    ),
    "beside_meta": (
        {"columns": [{"name": "x", "pii": True}]},
        "m.x: pii has no meaning outside meta: put it into meta.",
    ),
    "in_the_config_of_a_column": (
        {"columns": [{"name": "x", "config": {"silver_only": True, "pii": True}}]},
        "m.x: pii has no meaning outside meta: put it into meta.",
    ),
    "an_allowance_at_a_column": (
        {"columns": [{"name": "x", "config": {"meta": {"pii_allowed": "So."}}}]},
        "m.x: meta pii_allowed has no meaning on a column",
    ),
    "no_such_column": (
        {"columns": [{"name": "polcy", "config": {"meta": {"pii": True}}}]},
        "m.polcy is marked pii, and there is no such column",
    ),
}
SOURCES = {
    "a_source": ({"meta": {"pii": True}}, {}, "s.t: meta pii marks nothing here"),
    "a_table_of_it": ({}, {"config": {"meta": {"pii": True}}}, "s.t: meta pii marks nothing here"),
    "no_column_of_it": (
        {},
        {"columns": [{"name": "polcy", "config": {"meta": {"pii": True}}}]},
        "s.t.polcy is marked pii, and there is no such column",
    ),
}
SNAPSHOT = {
    "name": "history",
    "relation": "ref('m')",
    "config": {"strategy": "check", "unique_key": "x", "check_cols": "all"},
}


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory, module_schema, spark):
    from tests.support.dbt_runner import make_project

    of_iceberg = {"+file_format": "iceberg"}
    settings = {
        **{
            "name": "small",
            "profile": "lakehouse",
            "models": of_iceberg | {"+materialized": "table"},
        },
        **{"seeds": of_iceberg, "snapshots": of_iceberg},
    }
    files = {
        "dbt_project.yml": yaml.safe_dump(settings),
        "models/m.sql": "select 'a' as x, struct(1 as f) as y",
        "models/reads.sql": "select q as x from {{ source('s', 't') }}",
    }
    project = make_project(dbt, tmp_path_factory.mktemp("wrong_marks"), files)
    (project.project_dir / "seeds").mkdir()
    (project.project_dir / "seeds/numbers.csv").write_text("n\n1\n")
    (project.project_dir / "snapshots").mkdir()
    spark.sql(f"create schema if not exists {module_schema}")
    spark.sql(f"create table {module_schema}.t using iceberg as select 'a' as q")

    def run(*arguments, **yml):
        tables = {"sources": [{"name": "s", "schema": module_schema, "tables": [{"name": "t"}]}]}
        text = yaml.safe_dump(tables | yml)
        (project.project_dir / "models/all.yml").write_text(text)
        return project(*arguments, schema=module_schema)

    return run


@pytest.mark.parametrize("name", SAYS)
def test_what_a_model_says(project, name):
    says, line = SAYS[name]
    result = project("run", "-s", "m", models=[{"name": "m"} | says])
    assert not result.success
    assert line in result.message["m"]


@pytest.mark.parametrize("name", SOURCES)
def test_what_a_source_says(project, module_schema, name):
    of_source, of_table, line = SOURCES[name]
    source = {"name": "s", "schema": module_schema, "tables": [{"name": "t"} | of_table]}
    result = project("run", "-s", "reads", sources=[source | of_source])
    assert not result.success
    assert line in result.message["reads"]


def test_what_seeds_and_snapshots_say(project):
    column = {"columns": [{"name": "polcy", "config": {"meta": {"pii": True}}}]}
    seeds, snapshots = [{"name": "numbers"} | column], [SNAPSHOT | column]
    result = project("build", seeds=seeds, snapshots=snapshots)
    for name in ("numbers", "history"):
        assert f"{name}.polcy is marked pii, and there is no such column" in result.message[name]
    at_the_whole = {"config": {"meta": {"pii": True}}}
    in_config = {"columns": [{"name": "n", "config": {"pii": True}}]}
    result = project("seed", seeds=[{"name": "numbers"} | in_config])
    assert "numbers.n: pii has no meaning outside meta" in result.message["numbers"]
    result = project("seed", seeds=[{"name": "numbers"} | at_the_whole])
    assert "numbers: meta pii marks nothing here" in result.message["numbers"]


def test_what_is_right_passes(project):
    columns = [
        {"name": "X", "config": {"meta": {"pii": True, "silver_only": False, "owner": "a"}}},
        {"name": "y.f", "config": {"meta": {"pii": True}}},
    ]
    meta = {"meta": {"api": True, "unproven_keys": "error", "pii": False}}
    result = project("run", "-s", "m", models=[{"name": "m", "config": meta, "columns": columns}])
    assert result.success, result.text

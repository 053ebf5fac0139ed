"""Constraints are enforced, or dbt warns that they are not."""

import pytest
import yaml

CODE = {
    "sql": "select id, v, q from {{ ref('given') }}",
    "py": "def model(dbt, spark):\n    return dbt.ref('given').select('id', 'v', 'q')\n",
}
GIVEN = """
select cast(id as int) as id, cast(v as string) as v, q
from values {{ var('rows', "(1, 'a', 'x')") }} as given(id, v, q)
"""


def contract(name: str, constraints=(), of_v=(), v="string", **config) -> dict:
    """Return a contracted model with the columns id, v and q."""
    return {
        "name": name,
        "config": {"contract": {"enforced": True}, "on_schema_change": "fail", **config},
        "constraints": list(constraints),
        "columns": [
            {"name": "id", "data_type": "int"},
            {"name": "v", "data_type": v, "constraints": list(of_v)},
            {"name": "q", "data_type": "string"},
        ],
    }


def files(*models: dict, language: str = "sql") -> dict[str, str]:
    """Return a project of these models and their parent."""
    code = {f"models/{model['name']}.{language}": CODE[language] for model in models}
    return {
        **code,
        "models/given.sql": GIVEN,
        "models/m.yml": yaml.safe_dump({"models": list(models)}),
    }


CHECKS = [
    {
        "type": "check",
        "expression": r"v is null or v not rlike '^it\'s \\d+$'",
        "name": "no digits",
    },
    {"type": "check", "expression": "`id` < 10"},
]


@pytest.mark.parametrize("language", ["sql", "py"])
def test_a_row_that_breaks_a_check_is_not_written(small_project, read, schema, language):
    """This holds for overwrite, merge and append. A check that evaluates to null passes."""
    models = [
        contract("t", CHECKS),
        contract("merged", CHECKS, materialized="incremental", unique_key="id"),
        contract("appended", CHECKS, materialized="incremental"),
        contract("of_a_column", of_v=CHECKS),
        contract("short", v="varchar(3)"),
    ]
    project = small_project(files(*models, language=language))
    first = project("run", schema=schema, rows="(1, 'abc', 'x'), (null, 'ab', 'x')")
    assert first.success, first.text
    breaking = project("run", schema=schema, rows=r"(2, 'it\'s 17', 'x'), (3, 'b', null)")
    for name, told in {
        **dict.fromkeys(("t", "merged", "appended", "of_a_column"), "breaks the check no digits"),
        "short": "breaks the check v varchar(3)",
    }.items():
        assert breaking.status[name] == "error", breaking.text
        message = breaking.message[name].strip()
        assert f"{schema}.{name}: a row {told}" in message
        assert "\tat " not in message
        assert len(read(schema, name)) == 2
    again = project("run", schema=schema, rows="(12, 'b', 'x')")
    assert "breaks the check `id` < 10" in again.message["merged"]
    assert again.status["short"] == "success"


def test_not_null_at_the_model_is_as_at_the_column(small_project, read, spark, schema):
    model = contract("t", [{"type": "not_null", "columns": ["id", "v"]}])
    project = small_project(files(model))
    rows = "(1, 'a', 'x'), (2, null, 'x')"
    refused = project("run", schema=schema, rows=rows)
    assert "string not null" in refused.message["t"]
    proven = CODE["sql"] + " where id is not null and v is not null"
    (project.project_dir / "models/t.sql").write_text(proven)
    assert project("run", schema=schema, rows=rows).success
    assert [field.nullable for field in spark.table(f"{schema}.t").schema] == [False, False, True]


@pytest.mark.parametrize("language", ["sql", "py"])
def test_constraints_that_are_not_enforced_are_reported(small_project, schema, language):
    kinds = ("foreign_key", "custom")
    of_model = [{"type": kind, "columns": ["id"], "expression": "given (id)"} for kind in kinds]
    silent = [{**written, "warn_unenforced": False} for written in of_model]
    models = contract("at_model", of_model), contract("at_column", of_v=of_model[1:])
    quiet = contract("quiet", silent)
    for shown in models:
        for column in shown["columns"]:
            for written in column.get("constraints", ()):
                written.pop("columns", None)
    project = small_project(files(*models, quiet, language=language))
    for name, told in {"at_model": kinds, "at_column": ("custom",)}.items():
        result = project("run", "-s", "given", name, schema=schema)
        assert result.success, result.text
        said = " ".join(" ".join(result.said).split())
        for kind in told:
            assert f"The constraint type {kind} is not supported by spark" in said
    assert "constraint type" not in project("run", "-s", "quiet", schema=schema).text


CANNOT_BE_HELD = [
    ({"type": "check", "expression": "nope > 1"}, "`nope` cannot be resolved"),
    ({"type": "check", "expression": "sum(id) > 1"}, "told from one row alone"),
    ({"type": "check", "expression": "id in (select 1)"}, "told from one row alone"),
    ({"type": "check", "expression": "rand() > 0"}, "told from one row alone"),
    ({"type": "check", "expression": "id +"}, "cannot be enforced: "),
    ({"type": "check", "expression": "id"}, "it is int, and no condition"),
    ({"type": "not_null", "columns": ["nope"]}, "the contract has none of that name"),
]


def test_what_cannot_be_enforced_is_refused(small_project, schema):
    models = [contract(f"t{n}", [written]) for n, (written, _) in enumerate(CANNOT_BE_HELD)]
    result = small_project(files(*models))("run", schema=schema)
    for number, (_, told) in enumerate(CANNOT_BE_HELD):
        assert result.status[f"t{number}"] == "error"
        assert told in result.message[f"t{number}"]
        assert "\tat " not in result.message[f"t{number}"]


@pytest.mark.slow
def test_merge_of_some_columns_combines_two_rows(small_project, read, schema):
    """Each input row satisfies the check, but the merged row does not."""
    model = contract(
        "t",
        [{"type": "check", "expression": "v <=> q"}],
        materialized="incremental",
        unique_key="id",
        merge_update_columns=["v"],
    )
    project = small_project(
        {
            **files(model),
            "dbt_project.yml": yaml.safe_dump(
                {
                    "name": "small",
                    "profile": "lakehouse",
                    "flags": {"send_anonymous_usage_stats": False},
                    "models": {"+file_format": "iceberg", "+materialized": "table"},
                    "on-run-start": "{{ begin_run() }}",
                    "on-run-end": "{{ end_run() }}",
                }
            ),
        }
    )
    assert project("run", schema=schema, rows="(1, 'a', 'a')").success
    result = project("run", schema=schema, rows="(1, 'b', 'b'), (2, 'c', 'c')")
    assert "v <=> q does not hold for each row" in result.message["t"]
    assert read(schema, "t") == [{"id": 1, "v": "a", "q": "a"}]


@pytest.mark.slow
@pytest.mark.parametrize(
    "hooks", [{}, {"on-run-start": "{{ begin_run() }}", "on-run-end": "{{ end_run() }}"}]
)
def test_not_null_may_be_promised_later(small_project, spark, schema, hooks):
    """A full rewrite can add not_null to a table. A merge needs --full-refresh for it."""
    names = {"t": {}, "merged": {"materialized": "incremental", "unique_key": "id"}}

    def models(*constraints):
        return [contract(name, constraints, **config) for name, config in names.items()]

    settings = {
        "name": "small",
        "profile": "lakehouse",
        "flags": {"send_anonymous_usage_stats": False},
        "models": {"+file_format": "iceberg", "+materialized": "table"},
        **hooks,
    }
    project = small_project({**files(*models()), "dbt_project.yml": yaml.safe_dump(settings)})
    assert project("run", schema=schema, rows="(1, null, 'x')").success
    promised = files(*models({"type": "not_null", "columns": ["v"]}))
    for path, text in promised.items():
        text = text.replace("ref('given') }}", "ref('given') }} where v is not null")
        (project.project_dir / path).write_text(text)
    later = project("run", "-s", "given", "merged", schema=schema)
    assert "v: string in the table, string not null in the contract" in later.message["merged"]
    assert project("run", "--full-refresh", "-s", "given", "merged", schema=schema).success
    assert project("run", "-s", "given", "t", schema=schema).success
    assert project("run", schema=schema).success
    for name in names:
        spark.sql(f"refresh table {schema}.{name}")
        assert not spark.table(f"{schema}.{name}").schema["v"].nullable

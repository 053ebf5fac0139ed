"""A seed is built in the same steps as a model, and its table has the content of its file."""

from datetime import date, datetime, timezone
from decimal import Decimal
from operator import itemgetter

from yaml import safe_dump

SEED = r"""id,text,amount,price,is_new,day,at,empty
1,it's,1.5,10.10,true,2026-01-02,2026-01-02T03:04:05,
2,a\b "c" ``` ${x} {{ y }},-2,,false,,,
3,,1e3,0.1,,1999-12-31,,
"""
YML = """
seeds:
  - name: s
    description: Cells of every kind.
    columns: [{name: text, description: "It's text."}]
    config: {column_types: {id: bigint, price: "decimal(10,2)", empty: string}}
models:
  - name: m
    columns: [{name: id, data_type: bigint}]
"""
FILES = {
    "seeds/s.csv": SEED.replace('"c"', '""c""')
    .replace(r"a\b", r'"a\b')
    .replace("{{ y }}", '{{ y }}"'),
    "models/s.yml": YML,
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
seeds: {+file_format: iceberg, +persist_docs: {relation: true, columns: true}}
""",
    "models/m.sql": "select id from {{ ref('s') }}",
}


def test_cells_and_types(small_project, read, spark, schema):
    project = small_project(FILES)
    for _ in range(2):  # the table exists in the second run
        result = project("seed", schema=schema)
        assert result.success, result.text
        assert read(schema, "s") == [
            {
                "id": 1, "text": "it's", "amount": 1.5, "price": Decimal("10.10"), "is_new": True,
                "day": date(2026, 1, 2), "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
                "empty": None,
            },
            {
                "id": 2, "text": 'a\\b "c" ``` ${x} {{ y }}', "amount": -2.0, "price": None,
                "is_new": False, "day": None, "at": None, "empty": None,
            },
            {
                "id": 3, "text": None, "amount": 1000.0, "price": Decimal("0.10"), "is_new": None,
                "day": date(1999, 12, 31), "at": None, "empty": None,
            },
        ]  # fmt: skip
    (text,) = spark.sql(f"describe {schema}.s").where("col_name = 'text'").collect()
    assert text.comment == "It's text."


def test_a_seed_is_written_when_its_table_has_not_the_rows_of_its_file(
    small_project, read, spark, schema
):
    files = FILES | {"models/s.yml": YML.replace("{id: big", "{amount: double, id: big")}
    project = small_project(files)

    def run(*arguments: str, project=project) -> tuple[str, int]:
        """Return dbt's message about the seed, and how often its table has been written."""
        result = project("seed", *arguments, schema=schema)
        assert result.success, result.text
        rows = read(schema, "s")
        assert [row["id"] for row in rows] == [1, 2, 3] and rows[0]["text"] == "it's", rows
        return result.message["s"], spark.table(f"{schema}.s.snapshots").count()

    assert run() == ("INSERT 3", 1)
    assert run() == ("unchanged", 1)
    assert run("--full-refresh") == ("INSERT 3", 2)
    assert run() == ("unchanged", 2)
    # Changed by hand: rows, a value, a column.
    spark.sql(f"delete from {schema}.s where id = 3")
    assert run() == ("INSERT 3", 4)
    spark.sql(f"update {schema}.s set text = 'its' where id = 1")
    assert run() == ("INSERT 3", 6)
    spark.sql(f"alter table {schema}.s drop column text")
    assert run()[0] == "INSERT 3"
    assert run()[0] == "unchanged"
    # A hook may do anything to the rows.
    hook = """post_hook="delete from {{ this }} where id > 3" """.replace("=", ": ", 1)
    hooked = small_project(
        files
        | {"models/s.yml": files["models/s.yml"].replace("config: {", "config: {" + hook + ", ")},
        "hooked",
    )
    assert [run(project=hooked)[0] for _ in range(2)] == ["INSERT 3"] * 2


def test_columns_follow_the_file(small_project, read, spark, schema):
    project = small_project(FILES)
    assert project("seed", schema=schema).success
    (project.project_dir / "seeds/s.csv").write_text("id,other\n7,x\n")
    assert project("seed", schema=schema).success
    assert read(schema, "s") == [{"id": 7, "other": "x"}]


def test_a_column_of_another_type_stops_the_run(small_project, read, schema):
    project = small_project(FILES)
    assert project("seed", schema=schema).success
    (project.project_dir / "seeds/s.csv").write_text(SEED.replace("1.5", "much"))
    result = project("seed", schema=schema)
    assert not result.success
    assert "amount: double in the table, string in the contract" in result.text
    assert len(read(schema, "s")) == 3


def test_a_cell_that_has_not_its_columns_type_stops_the_run(small_project, read, schema):
    """Spark's cast would turn the cell into null. A column without nulls can be not_null."""
    contract = {"contract": {"enforced": True}, "column_types": {"id": "int", "at": "date"}}
    columns = [
        {"name": "id", "data_type": "int", "constraints": [{"type": "not_null"}]},
        {"name": "at", "data_type": "date"},
    ]
    yml = safe_dump({"seeds": [{"name": "s", "config": contract, "columns": columns}]})
    given = {"seeds/s.csv": "id,at\n1,\n2,2026-01-02\n", "models/s.yml": yml}
    project = small_project(FILES | given)
    result = project("seed", schema=schema)
    assert result.success, result.text
    rows = [{"id": 1, "at": None}, {"id": 2, "at": date(2026, 1, 2)}]
    for cells, told in (
        ("3000000000,", "In the column id, `3000000000` is no int: correct the file"),
        ("3,2026-13-01", "In the column at, `2026-13-01` is no date"),
        (",2026-01-02", "id          | int             | int not null"),
    ):
        (project.project_dir / "seeds/s.csv").write_text(f"id,at\n1,\n{cells}\n")
        result = project("seed", schema=schema)
        assert not result.success
        assert told in result.message["s"]
        assert sorted(read(schema, "s"), key=itemgetter("id")) == rows
    (project.project_dir / "seeds/s.csv").write_text("id,at,AT\n1,,\n")
    result = project("seed", schema=schema)
    assert not result.success and "at" in result.message["s"]
    assert "Traceback" not in "".join(result.said)


def test_a_seed_of_no_rows(small_project, read, schema):
    project = small_project({**FILES, "seeds/s.csv": "id,text\n"})
    assert project("seed", schema=schema).success
    assert read(schema, "s") == []


def test_a_file_without_a_line_is_named(small_project, schema):
    project = small_project({**FILES, "seeds/none.csv": ""})
    result = project("seed", "--select", "none", schema=schema)
    assert "the file seeds/none.csv is empty: write a line" in result.message["none"]

"""`erase`: find a value in all tables and files, remove it, and check again."""

import io
import json
import os
import re
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import yaml
from dbt_spark_contracts import tables
from dbt_spark_contracts.publish.erase import pattern, rewrite
from dbt_spark_contracts.publish.erase.asked import SAME, Asked
from dbt_spark_contracts.publish.erase.conditions import match, used
from dbt_spark_contracts.publish.lease import Lease
from dbt_spark_contracts.publish.lease_table import LeaseTable
from dbt_spark_contracts.publish.tags import is_tag

from tests.support.dbt_runner import ROOT, copy_project, environment, make_project
from tests.support.events import BUILD, event

PROJECT = {
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
seeds: {+file_format: iceberg}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
    "seeds/visits.csv": "visit,guest,room\n",
    "models/raw.sql": """
select cast(visit as bigint) as visit, to_json(named_struct('guest', guest, 'room', room)) as body
from {{ ref('visits') }}
""",
    # With merge-on-read, deleted rows remain in their data files.
    "models/stays.sql": """
{{ config(materialized='incremental', unique_key='visit', tblproperties={
    'write.update.mode': 'merge-on-read', 'write.delete.mode': 'merge-on-read'}) }}
select
    visit, get_json_object(body, '$.guest') as guest,
    if(visit < 0, null, named_struct('body', body)) as nested,
    encode(body, 'UTF-8') as bytes
from {{ ref('raw') }}
""",
    "models/guests.sql": """
{{ config(materialized='incremental', unique_key='guest') }}
select distinct guest, sha2(guest, 256) as hash, 'x@y' as mail from {{ ref('stays') }}
where guest is not null
""",
    "models/schema.yml": """
models:
  - name: guests
    columns:
      - name: guest
        data_tests:
          - accepted_values:
              arguments: {values: [nobody]}
              config: {enabled: "{{ var('fails') }}"}
      - {name: mail, config: {meta: {pii: true}}}
sources:
  - name: old
    schema: spark_catalog.default
    tables: [{name: "{{ target.schema }}_people"}]
""",
}

# A guest, and another one whose name has the same prefix.
GUEST, OTHER = "guest-1", "guest-10"
NAMED = re.compile("guest-1(?!0)")


class Hotel:
    """The project above and the `erase` command on it."""

    def __init__(self, dbt, folder, schema, capsys):
        self.dbt, self.schema, self.capsys = make_project(dbt, folder, PROJECT), schema, capsys
        self.seed = folder / "seeds/visits.csv"
        self.warehouse = dbt.home / "warehouse"

    def build(self, *guests, **variables):
        """Build with one visit per guest."""
        lines = [f"{number},{guest},sea\n" for number, guest in enumerate(guests)]
        self.seed.write_text("visit,guest,room\n" + "".join(lines))
        return self.dbt("build", schema=self.schema, **{"fails": False, **variables})

    def erase(self, *options, column="guests.guest", value=GUEST):
        """Run `erase`. Return the exit code and the JSON, or the last line of an error."""
        self.capsys.readouterr()
        arguments = ("erase", "--column", column, "--value", value, *options)
        arguments = (*arguments, "--vars", "{fails: false}", "--json")
        code = self.dbt.tool(*arguments, schema=self.schema)
        out, err = self.capsys.readouterr()
        assert not NAMED.search(out + err)
        return code, json.loads(out) if code < 2 else err.splitlines()[-1]

    def files(self):
        """Return the data files on disk."""
        return [*self.warehouse.glob(f"{self.schema}*/*/data/**/*.parquet")]


@pytest.fixture
def hotel(dbt, tmp_path, schema, capsys, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    return Hotel(dbt, tmp_path / "hotel", schema, capsys)


def snapshots(spark, table):
    tables.forget(spark, table)
    return {row.snapshot_id for row in spark.table(f"{table}.snapshots").collect()}


def test_a_guest_is_erased_from_everything(hotel, spark, monkeypatch):
    code, line = hotel.erase()
    assert (code, "run `dbt build` first" in line) == (2, True)
    assert hotel.build(OTHER).success
    raw, stays, guests, visits = (
        f"{hotel.schema}.{name}" for name in ("raw", "stays", "guests", "visits")
    )
    clean = {name: snapshots(spark, name) for name in (raw, stays, guests, visits)}

    assert hotel.build(GUEST, OTHER).success
    held = hotel.build(GUEST, OTHER, GUEST, fails=True)
    assert not held.success
    spark.sql(f"alter table {visits} create tag audit")
    # An orphan file of a killed run with a dropped column and one of another type, and a node's
    # error message.
    left = hotel.warehouse / hotel.schema / "raw/data/left.parquet"
    spark.createDataFrame([(GUEST, "x")], "gone string, visit string").toPandas().to_parquet(left)
    nodes = f"{hotel.schema}_ops.dbt_nodes"
    spark.sql(f"update {nodes} set message = 'no number: {GUEST}.' where node = 'model.small.raw'")

    # Without --rewrite, erase reports all of that and changes nothing.
    before = {name: snapshots(spark, name) for name in (raw, stays, guests, visits, nodes)}
    code, told = hotel.erase()
    assert code == 1
    assert {
        (row["table"].rpartition(".")[2], row["column"], row["found"]) for row in tables_of(told)
    } == {
        ("visits", "guest", "inside a text"),
        ("raw", "body", "inside a text"),
        ("raw", "gone", "inside a text"),
        ("stays", "guest", "whole value"),
        ("stays", "nested", "inside a text"),
        ("stays", "bytes", "inside a text"),
        ("guests", "guest", "whole value"),
        ("dbt_nodes", "message", "inside a text"),
    }
    by_column = {(row["table"], row["column"]): row for row in tables_of(told)}
    assert by_column[raw, "body"]["rows"] == 1  # only published rows count
    assert by_column[raw, "gone"]["unnamed_files"] == 1
    assert len(by_column[visits, "guest"]["snapshots"]) == 2
    assert "audit" in by_column[visits, "guest"]["refs"]
    branch, tag = by_column[raw, "body"]["refs"]
    assert branch.startswith("dbt_") and is_tag(tag)
    assert not clean[raw] & {*by_column[raw, "body"]["snapshots"]}
    assert [row["path"] for row in told["held"] if row["kind"] == "seed file"] == [str(hotel.seed)]
    assert told["derived"] == hash_of()
    assert told["beside"] == [{"table": "guests", "columns": ["mail"]}]
    assert {name: snapshots(spark, name) for name in before} == before

    # The command fails after it has rewritten the rows. The next one continues.
    with monkeypatch.context() as patched:
        patched.setattr(rewrite, "expire", broken_off)
        code, line = hotel.erase("--rewrite")
    assert (code, "broken off" in line) == (2, True)
    code, told = hotel.erase("--rewrite")
    assert code == 1
    assert [row["kind"] for row in told["left"]] == ["seed file"]

    # No data file on disk has the value, and no manifest has it in its bounds.
    assert hotel.files()
    for file in hotel.files():
        assert not NAMED.search(str(pq.read_table(file).to_pylist())), file
    assert not left.exists()
    for name in (raw, stays, guests, visits, nodes):
        tables.forget(spark, name)
        entries = spark.table(f"{name}.all_entries").select("status", "data_file").collect()
        assert not NAMED.search(str(entries))
        refs = {row.name for row in spark.table(f"{name}.refs").collect()}
        assert tag not in refs and {ref for ref in refs if not is_tag(ref)} == {"main"}
    # Earlier snapshots and the other guests' rows are kept.
    for name in (raw, stays, guests, visits):
        assert clean[name] - snapshots(spark, name) == set()
    assert spark.table(raw).orderBy("visit").collect() == [
        (0, '{"guest":null,"room":"sea"}'),
        (1, f'{{"guest":"{OTHER}","room":"sea"}}'),
    ]
    seen = spark.table(stays).orderBy("visit").selectExpr("guest", "nested.body is null", "bytes")
    assert seen.collect() == [
        (None, True, b'{"guest":null,"room":"sea"}'),
        (OTHER, False, f'{{"guest":"{OTHER}","room":"sea"}}'.encode()),
    ]
    # The value is the key of this table, so the whole row is deleted.
    assert [row.guest for row in spark.table(guests).collect()] == [OTHER]
    message = spark.table(nodes).where("message like 'no number%'").select("message").distinct()
    assert message.collect() == [("no number: erased.",)]
    # The publish log has the new snapshots, so a roll back knows the current state.
    logged = spark.sql(
        f"select table_name, to_snapshot_id from {hotel.schema}_ops.publish_log "
        "where run like 'erase_%' and status = 'published'"
    ).collect()
    assert {*logged} >= {
        (name, tables.newest_snapshot(spark, name, None)) for name in (raw, guests)
    }

    # The seed file belongs to the user. The value would come back from it.
    assert hotel.build(OTHER, OTHER).success
    code, told = hotel.erase()
    assert (code, told) == (0, {"holds": False, "held": [], "derived": hash_of(), "beside": []})


@pytest.mark.full
@pytest.mark.parametrize("last_line", ["rewritten", "snapshots expire"])
def test_a_command_that_was_killed_is_continued(hotel, last_line):
    assert hotel.build(OTHER).success
    assert hotel.build(OTHER, GUEST).success
    command = [sys.executable, "-m", "dbt_spark_contracts", "erase", "--column", "guest"]
    command += ["--value", GUEST, "--rewrite", "--vars", "{fails: false}"]
    command += ["--project-dir", str(hotel.dbt.project_dir), "--profiles-dir", str(ROOT)]
    where = {"HOME": str(hotel.dbt.home), "SCHEMA": hotel.schema, "TARGET": "ci"}
    with environment(**{f"LAKEHOUSE_{name}": value for name, value in where.items()}):
        killed = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
    assert any(last_line in line for line in killed.stderr)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    code, told = hotel.erase("--rewrite", column="guest")
    assert code == 1
    assert [row["kind"] for row in told["left"]] == ["seed file"]
    assert hotel.build(OTHER).success
    assert hotel.erase(column="guest")[0] == 0


def hash_of():
    return [{"column": "guests.hash", "how": "hash, count or test"}]


def broken_off(*_):
    raise OSError("broken off")


def tables_of(told):
    return [row for row in told["held"] if row["kind"] == "table"]


@pytest.mark.slow
def test_what_cannot_be_done_is_one_line_and_2(hotel, spark, tmp_path, monkeypatch):
    assert hotel.build(GUEST, "ab").success
    for options, words in (
        ({"column": "guest_id"}, "no table has a column guest_id: did you mean guest"),
        (
            {"column": "guest.guest"},
            "no model, seed or source is named guest: did you mean guests",
        ),
        ({"value": " "}, "the value is a text of one line"),
        ({"value": "erased"}, "the value is the word that replaces an erased one"),
    ):
        code, line = hotel.erase(**options)
        assert (code, words in line) == (2, True), line
    # A value this short also matches unrelated text.
    code, line = hotel.erase("--rewrite", value="ab")
    assert (code, "erase a longer value" in line) == (2, True), line
    # Another build is running.
    other = Lease(
        LeaseTable(spark, f"{hotel.schema}_ops.build_lease"),
        "dbt_20260101t000000_00000000", "2026-01-01", 90.0, {"host": "another"}, lambda _: False,
    )  # fmt: skip
    other.take(0, False, lambda _: None)
    try:
        code, line = hotel.erase("--rewrite")
    finally:
        other.give_back()
    assert (code, "Another build of these tables runs" in line) == (2, True), line
    # Tables outside the project and checkpoints are only listed.
    spark.sql(f"create table {hotel.schema}.by_hand using iceberg as select 'for {GUEST}' as note")
    people = f"spark_catalog.default.{hotel.schema}_people"
    spark.sql(f"create table {people} using parquet as select '{GUEST}' as guest")
    checkpoint = tmp_path / "checkpoints/dbt_20260101t000000_00000000"
    checkpoint.mkdir(parents=True)
    # The value comes from stdin, so no shell history has it. Several tables have the column.
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GUEST}\n"))
    # dbt logs the command line of the process, which has the value if `--value -` is not used.
    monkeypatch.setattr("sys.argv", ["dbt-spark-contracts", "erase", "--value", GUEST])
    code, told = hotel.erase("--rewrite", column="guest", value="-")
    spark.sql(f"drop table {people}")
    assert code == 1
    left = [(row.get("table") or row["path"], row.get("not_rewritten")) for row in told["left"]]
    assert left == [
        (people, "a source: erase it there"),
        (f"{hotel.schema}.by_hand", "not a table of this project"),
        (str(hotel.seed), None),
        (str(checkpoint), None),
    ]
    # dbt's log and artifacts do not have the value.
    kept = [*hotel.dbt.project_dir.glob("logs/*"), *hotel.dbt.target_path.glob("*.json")]
    assert kept
    assert [file for file in kept if NAMED.search(file.read_text(errors="replace"))] == []
    done = hotel.dbt("run-operation", "contracts__erase", schema=hotel.schema, fails=False)
    assert not done.success
    assert "run `dbt-spark-contracts erase` instead" in done.text


def test_a_text_may_spell_it_in_many_ways(spark):
    value = 'Jo "Ü/1'
    texts = {
        '{"a": "Jo \\"Ü\\/1", "b": 2}': '{"a": null, "b": 2}',
        '{"a": "Jo \\u0022\\u00dC/1"}': '{"a": null}',
        '7,"Jo ""Ü/1",8': "7,null,8",
        '{"Jo \\"Ü/1": 3}': '{"erased": 3}',
        '{"a": "\\nJo \\"Ü/1."}': '{"a": "\\nerased."}',
        'see Jo "Ã\x9c/1!': "see erased!",
        'Jo "Ü/12': None,
        'xJo "Ü/1': None,
        'Jo "Ü/1-b': None,
        "Jo Ü/1": None,
    }
    assert replaced(spark, value, texts) == texts
    numbers = {
        '{"a": 512, "b": [512]}': '{"a": null, "b": [null]}',
        '{"a": 512.5, "b": "5120"}': None,
    }
    assert replaced(spark, "512", numbers) == numbers


def test_a_number_is_compared_as_its_column_has_it(spark):
    asked = Asked("5", {}, frozenset())
    values = {"int": "5", "decimal(9,2)": "5.00", "double": "5.0", "string": "5", "bigint": "50"}
    for kind, value in values.items():
        sql = match("c", kind, SAME, asked).sql
        query = f"select {sql} from (select cast('{value}' as {kind}) as c)"
        assert spark.sql(query, args=used(asked, query)).first()[0] == (kind != "bigint"), kind


def replaced(spark, value, texts):
    """Return each text without the value, or None if the text does not have it."""
    spark.createDataFrame([(text,) for text in texts], "text string").createOrReplaceTempView(
        "ways"
    )
    query = """
        select text, if(text rlike :inside,
            regexp_replace(regexp_replace(text, :json, 'null'), :inside, 'erased'), null)
        from ways
    """
    patterns = {"inside": pattern.inside(value), "json": pattern.json_value(value)}
    return dict(map(tuple, spark.sql(query, args=patterns).collect()))


CUSTOMER, NEIGHBOUR = "CUST-0077", "CUST-00771"
RENTED_BY = "current_rental_agreement.data.customer_id"
WHO_RENTED = ("silver.silver_car_telemetry", "event_id", "rental_customer_id")
ERASED = [("e1", None), ("e2", NEIGHBOUR), ("e3", None)]


class Fleet:
    """A copy of this project with events of a customer that was erased after a build.

    Attributes:
        lines: A JSON Lines landing file with events and rejected records.
        cells: A CSV landing file with an event.
        code: The exit code of the command.
        told: The output of the command.
    """

    def __init__(self, dbt, spark, folder, schema, capsys):
        self.dbt, self.spark, self.schema, self.capsys = (
            copy_project(dbt, folder / "project"), spark, schema, capsys
        )  # fmt: skip
        self.landing = folder / "landing"
        self.landing.mkdir()
        self.variables = {"landing_path": str(self.landing), "as_of_date": "2026-01-15"}
        events = [event("e1", {RENTED_BY: CUSTOMER}), event("e2", {RENTED_BY: NEIGHBOUR})]
        # These two are equal after the customer is erased.
        events += [json.dumps({"event_id": "r1", "who": who}) for who in (CUSTOMER, None)]
        self.lines, self.cells = self.landing / "a.jsonl", self.landing / "b.csv"
        self.lines.write_text("\n".join(events))
        self.cells.write_text(
            f"event_id,carChassis,event_primary_timestamp,{RENTED_BY}\n"
            f"e3,car,2026-01-02T03:04:05Z,{CUSTOMER}\n"
        )
        self.build()
        self.code, self.told = self.erase("--rewrite")

    def build(self, *arguments):
        """Build with the data tests, which include no_record_is_lost."""
        result = self.dbt(*BUILD, *arguments, schema=self.schema, **self.variables)
        assert result.success, result.text

    def erase(self, *options):
        """Run `erase`. Return its exit code and output."""
        self.capsys.readouterr()
        arguments = ("erase", "--column", "rental_customer_id", "--value", CUSTOMER, *options)
        variables = yaml.safe_dump(self.variables)
        code = self.dbt.tool(*arguments, "--vars", variables, schema=self.schema)
        out, err = self.capsys.readouterr()
        assert CUSTOMER not in out + err
        return code, out

    def rows(self, table, *columns):
        name = f"{self.schema}_{table}"
        tables.forget(self.spark, name)
        return sorted(map(tuple, self.spark.table(name).select(*columns).collect()), key=str)


@pytest.fixture
def fleet(dbt, spark, tmp_path, schema, capsys, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    return Fleet(dbt, spark, tmp_path, schema, capsys)


@pytest.mark.slow
def test_a_customer_of_this_project(fleet):
    assert fleet.code == 1
    files = re.findall(r"^landing file: (.*)$", fleet.told, re.M)
    assert files == [str(fleet.lines), str(fleet.cells)]
    for table in ("bronze_car_events", "stg_car_events", "silver_rejected_events"):
        assert re.search(rf"[.]{table} .* erased$", fleet.told, re.M), fleet.told
    hashed = "derived from it: silver_rejected_events.rejected_event_id (hash, count or test)"
    assert hashed in fleet.told
    assert "also have insurance_policy_number, rental_agreement_id, marked pii." in fleet.told
    assert fleet.rows(*WHO_RENTED) == ERASED

    # Bronze does not read unchanged files again. The changed file no longer has the value.
    records = len(fleet.rows("bronze.bronze_car_events", "record_id"))
    fleet.lines.write_text(fleet.lines.read_text().replace(f'"{CUSTOMER}"', "null"))
    fleet.build()
    assert len(fleet.rows("bronze.bronze_car_events", "record_id")) == records + 4
    assert fleet.rows(*WHO_RENTED) == ERASED
    code, out = fleet.erase()
    assert (code, out.splitlines()[0]) == (1, f"landing file: {fleet.cells}")


@pytest.mark.full
def test_bronze_makes_silver_again_and_a_file_brings_the_customer_back(fleet):
    before = fleet.rows(*WHO_RENTED, "car_chassis", "event_timestamp", "source_file")
    fleet.build("--full-refresh", "--select", "stg_car_events+")
    assert fleet.rows(*WHO_RENTED, "car_chassis", "event_timestamp", "source_file") == before

    # A renamed file is a new file, so Bronze reads it again.
    fleet.lines.unlink()
    renamed = fleet.cells.rename(fleet.landing / "c.csv")
    fleet.build()
    code, out = fleet.erase()
    assert code == 1
    assert re.search(r"bronze.bronze_car_events +csv_as_json", out)
    renamed.unlink()
    assert fleet.erase("--rewrite")[0] == 0
    fleet.build()
    assert fleet.erase() == (0, "Nothing holds it.\n")

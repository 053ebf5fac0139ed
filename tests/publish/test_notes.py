"""A snapshot's note describes its own rows or is missing, so no file is lost or read twice.

Like Bronze, the Python model reads the files that neither its note nor its rows know.
"""

from datetime import datetime, timezone

import pytest
from dbt_spark_contracts import snapshot_notes

READS = """
import json


def model(dbt, spark):
    dbt.config(materialized="incremental")
    known = set()
    if dbt.is_incremental:
        note = dbt.notes.recall()
        dbt.say("Known by a note." if note else "Known by the rows.")
        rows = spark.table(str(dbt.this))
        known = set(json.loads(note)) if note else {row.name for row in rows.collect()}
    landed = dbt.source("landing", "files").select("relative_path").collect()
    new = {row.relative_path for row in landed} - known
    dbt.notes.keep(json.dumps(sorted(known | new)))
    return spark.createDataFrame([(name,) for name in sorted(new)], "name string")
"""
FILES = {
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
    "models/reads.py": READS,
    "models/landing.yml": """
sources:
  - name: landing
    tables: [{name: files, external: {location: "{{ var('landing') }}"}}]
""",
    "tests/fails.sql": """
-- depends_on: {{ ref('reads') }}
select 1 as one where {{ var('fails', false) }}
""",
}


class House:
    """The project, its landing folder, and its table as a client other than Spark reads it."""

    def __init__(self, project, read, schema, folder) -> None:
        self.project, self._read, self.schema, self.folder = project, read, schema, folder
        self.variables = {"landing": str(folder)}
        folder.mkdir()

    def run(self, *arguments: str, **variables):
        return self.project(*arguments, schema=self.schema, **self.variables, **variables)

    def build(self, *names: str, **variables):
        """Create files with these names in the landing folder and build."""
        for name in names:
            (self.folder / name).touch()
        return self.run("build", **variables)

    def read(self) -> str:
        return "".join(sorted(row["name"] for row in self._read(self.schema, "reads")))


@pytest.fixture
def house(small_project, read, schema, tmp_path):
    return House(small_project(FILES), read, schema, tmp_path / "landing")


@pytest.mark.slow
def test_a_note_that_is_not_written(house, monkeypatch):
    """The write of the note fails after the rows. Runs are held back, retried and rolled back."""

    def no_room(*_) -> None:
        raise OSError("no room")

    assert house.build("a").success
    for name, audits, before, after in (("b", True, "a", "ab"), ("c", False, "abc", "abc")):
        with monkeypatch.context() as patch:
            patch.setattr(snapshot_notes, "_write", no_room)
            result = house.build(name, write_audit_publish=audits)
        assert not result.success and "no room" in result.message["reads"]
        assert "Known by a note." in result.text
        assert house.read() == before
        result = house.run("retry")
        assert result.success and "Known by the rows." in result.text
        assert house.read() == after

    assert not house.build("d", fails=True).success
    assert house.read() == "abc"
    published_at = datetime.now(timezone.utc)
    for name in ("e", ""):  # files of a held back or rolled back run are read again
        result = house.build(*name)
        assert result.success and "Known by a note." in result.text
        assert house.read() == "abcde"
        result = house.run("run-operation", "roll_back", "--args", f"{{to: '{published_at}'}}")
        assert result.success and house.read() == "abc", result.text


@pytest.mark.slow
@pytest.mark.parametrize("audits", [True, False])
def test_killed_between_the_rows_and_their_note(house, tmp_path, audits):
    assert house.build("a").success
    (house.folder / "b").touch()
    start = ("tests.support.killed_dbt", "keep a note about", "0", "0", "all", "--")
    process = house.project.start(
        "build",
        schema=house.schema,
        target_path=tmp_path / "target",
        run=start,
        **house.variables,
        write_audit_publish=audits,
    )
    said, _ = process.communicate()
    assert process.returncode == -9, said
    assert house.read() == ("a" if audits else "ab")
    result = house.build("c")
    assert result.success, result.text
    assert f"Known by {'a note' if audits else 'the rows'}." in result.text
    assert house.read() == "abc"


def test_a_note_is_of_its_own_command(house, spark, schema):
    """The next command does not write the note of a model that has failed."""
    model = house.project.project_dir / "models/reads.py"
    fails = "dbt.notes.keep('of a command that failed')\n    raise ValueError"
    model.write_text(READS.replace("return", f"{fails}\n    return"))
    assert not house.build("a").success
    model.unlink()
    model.with_suffix(".sql").write_text("{{ config(materialized='table') }} select 'x' as name")
    result = house.build()
    assert result.success, result.text
    assert house.read() == "x"
    files = spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(
        spark._jsparkSession, f"{schema}.reads"
    ).statisticsFiles()
    assert files.size() == 0

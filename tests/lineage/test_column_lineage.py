"""column_lineage.json, and how the manifest and the docs show it."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from dbt_spark_contracts.lineage import record
from dbt_spark_contracts.lineage.artifact import ColumnLineage
from dbt_spark_contracts.lineage.record import FILE_NAME, SCHEMA_VERSION

from tests.support.dbt_runner import make_project

MODELS = {
    "models/silver_t.sql": "select id as a, id as b, uuid() as c from range(1)",
    "models/gold_x.py": """
from pyspark.sql import functions as F

def model(dbt, spark):
    t = dbt.ref("silver_t").where("b > 0")
    return t.select("a", (F.col("a") + F.col("b")).alias("sum"), F.lit(1).alias("one"))
""",
    "models/gold_y.sql": "select code, sum from {{ ref('codes') }} cross join {{ ref('gold_x') }}",
    "models/files.py": """
def model(dbt, spark):
    return dbt.source("landing", "events").select("length", "relative_path")
""",
    "models/models.yml": yaml.safe_dump(
        {
            "models": [
                {"name": "gold_x", "columns": [{"name": name} for name in ("a", "sum", "one")]},
                {"name": "gold_y", "columns": [{"name": "code"}, {"name": "SUM"}]},
                {"name": "files", "columns": [{"name": "length"}]},
            ],
            "sources": [
                {
                    "name": "landing",
                    "tables": [{"name": "events", "external": {"location": "models"}}],
                }
            ],
        }
    ),
    "seeds/codes.csv": "code\nx\n",
}
SCHEMA = Path(record.__file__).parents[1] / "column_lineage.schema.json"
SEED = {"seeds": {"+file_format": "iceberg"}}


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory, module_schema):
    project = make_project(dbt, tmp_path_factory.mktemp("lineage"), MODELS)
    settings = project.project_dir / "dbt_project.yml"
    settings.write_text(settings.read_text() + yaml.safe_dump(SEED))
    built = project("build", schema=module_schema)
    assert built.success, built.text
    return project


def artifact(project, name: str = "column_lineage.json") -> dict:
    return json.loads((project.target_path / name).read_text(encoding="utf-8"))


def origins(project, model: str) -> dict[str, list[str]]:
    columns = artifact(project)["nodes"][f"model.small.{model}"]["columns"]
    return {
        name: [f"{o['kind']} {o['node']}.{o['column']}" for o in column["origins"]]
        for name, column in columns.items()
    }


def meta(project, model: str) -> dict[str, dict]:
    node = artifact(project, "manifest.json")["nodes"][f"model.small.{model}"]
    return {name: column["meta"] for name, column in node["columns"].items()}


def test_each_model_shows_its_origins(project):
    assert origins(project, "silver_t") == {"a": [], "b": [], "c": []}
    assert origins(project, "gold_x") == {
        "a": ["copy model.small.silver_t.a"],
        "sum": ["computed model.small.silver_t.a", "computed model.small.silver_t.b"],
        "one": [],
    }
    assert origins(project, "gold_y") == {
        "code": ["copy seed.small.codes.code"],
        "sum": ["copy model.small.gold_x.sum"],
    }
    assert origins(project, "files") == {
        "length": ["copy source.small.landing.events.length"],
        "relative_path": ["copy source.small.landing.events.relative_path"],
    }


def test_artifact_says_what_it_is(project, module_schema):
    jsonschema.validate(artifact(project), json.loads(SCHEMA.read_text()))
    read = record.read(project.target_path / FILE_NAME)
    assert {id: model.as_dict() for id, model in read.models.items()} == artifact(project)["nodes"]
    metadata = artifact(project)["metadata"]
    manifest = artifact(project, "manifest.json")["metadata"]
    assert metadata["schema_version"] == SCHEMA_VERSION
    assert metadata["project_name"] == "small"
    assert metadata["generated_at"] >= manifest["generated_at"][:19]
    assert len(metadata["invocation_id"]) == len(manifest["invocation_id"])
    entry = artifact(project)["nodes"]["model.small.gold_x"]
    assert entry["relation_name"] == f"lakehouse.{module_schema}.gold_x"
    assert [column["data_type"] for column in entry["columns"].values()] == [
        "bigint",
        "bigint",
        "int",
    ]


TOLD = {
    "a": {"from": "silver_t.a"},
    "sum": {"from": "silver_t.a (computed), silver_t.b (computed)"},
    "one": {},
}


def test_manifests_of_the_build_and_the_docs_contain_it(project, module_schema):
    node = artifact(project, "manifest.json")["nodes"]["model.small.gold_x"]
    assert meta(project, "gold_x") == TOLD
    assert node["meta"] == {"rows by": "silver_t.b (filter)"}
    assert project("docs", "generate", "--static", "--empty-catalog", schema=module_schema).success
    assert meta(project, "gold_x") == TOLD
    assert meta(project, "gold_y")["SUM"] == {"from": "gold_x.sum"}
    assert "silver_t.a (computed)" in (project.target_path / "static_index.html").read_text()


def test_a_part_of_the_models_leaves_what_is_known_of_the_others(project, module_schema):
    before = artifact(project)
    assert project("run", "--select", "silver_t", schema=module_schema).success
    after = artifact(project)
    assert after["nodes"] == before["nodes"]
    assert after["metadata"]["invocation_id"] != before["metadata"]["invocation_id"]


def test_no_write_json_writes_nothing(project, module_schema):
    before = artifact(project)
    assert project("--no-write-json", "run", "--select", "silver_t", schema=module_schema).success
    assert artifact(project) == before


def test_findings_about_another_file_are_dropped(project, module_schema):
    path = project.project_dir / "models" / "gold_y.sql"
    written = path.read_text()
    path.write_text(written.replace("code, sum", "code, a as sum"))
    assert project("docs", "generate", "--empty-catalog", schema=module_schema).success
    assert meta(project, "gold_y") == {"code": {}, "SUM": {}}
    assert meta(project, "gold_x") == TOLD
    assert project("run", "--select", "gold_y", schema=module_schema).success
    assert meta(project, "gold_y")["SUM"] == {"from": "gold_x.a"}
    path.write_text(written)


def test_invalid_file_is_replaced(project, module_schema):
    path = project.target_path / FILE_NAME
    written = path.read_text()
    path.write_text("nonsense")
    assert project("run", "--select", "silver_t", schema=module_schema).success
    assert [*artifact(project)["nodes"]] == ["model.small.silver_t"]
    path.write_text(written)


METADATA = {
    "schema_version": SCHEMA_VERSION,
    "generated_at": "2026-11-24T04:30:00Z",
    "invocation_id": "1",
    "project_name": "small",
}
COLUMN = {
    "data_type": "string",
    "origins": [
        {"node": "model.small.b", "column": "c", "kind": "copy", "masking": True, "field": "x"},
        {"node": "lake.t", "column": "d", "kind": "window"},
    ],
    "untraced": ["a reason"],
    "fingerprint": "1",
}
NODE = {
    "relation_name": "lake.s.a",
    "checksum": "1",
    "columns": {"a": COLUMN},
    "rows": {
        "origins": [{"node": "model.small.b", "column": "c", "kind": "filter"}],
        "untraced": [],
        "fingerprint": "1",
    },
}


def edited(path: str, value: object = None) -> dict:
    """Return a file's content with another value at the path, or without the path."""
    content = json.loads(json.dumps({"metadata": METADATA, "nodes": {"m": NODE}}))
    *way, last = path.split("/")
    place = content
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return content


def written(folder: Path, content: object) -> Path:
    """Write a file with this content, a string or a value for JSON. Return its path."""
    path = folder / FILE_NAME
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.quick
def test_what_is_read_of_a_file(tmp_path):
    content = {"metadata": METADATA, "nodes": {"m": NODE}}
    found = record.read(written(tmp_path, content))
    assert found.metadata.as_dict() == METADATA
    assert found.models["m"].as_dict() == NODE
    assert found.models["m"].columns["a"].origins[0].field == "x"
    assert ColumnLineage(tmp_path, "small").nodes == found.models
    again = tmp_path / "new folder" / record.FILE_NAME
    record.write(again, found)
    assert json.loads(again.read_text()) == content
    jsonschema.validate(content, json.loads(SCHEMA.read_text()))


BROKEN = [
    *(("is broken", text) for text in ("", "nonsense", "[]", "{}", "[" * 100_000)),
    ("has schema_version 99", edited("metadata/schema_version", 99)),
    ("has schema_version True", edited("metadata/schema_version", True)),
    ("metadata lacks schema_version", edited("metadata/schema_version")),
    ("nodes has to be an object", edited("nodes", [])),
    ("nodes.m has to be an object", edited("nodes/m", 1)),
    ("nodes.m lacks checksum", edited("nodes/m/checksum")),
    ("nodes.m has more, which is not known", edited("nodes/m/more", 1)),
    ("nodes.m.relation_name has to be a text", edited("nodes/m/relation_name", 1)),
    ("nodes.m.columns.a lacks origins", edited("nodes/m/columns/a/origins")),
    ("nodes.m.columns.a.untraced", edited("nodes/m/columns/a/untraced", [1])),
    ("nodes.m.columns.a.origins has the kind filter",
     edited("nodes/m/columns/a/origins/0/kind", "filter")),
    ("nodes.m.columns.a.origins.masking", edited("nodes/m/columns/a/origins/0/masking", "yes")),
    ("nodes.m.rows.origins has the kind copy", edited("nodes/m/rows/origins/0/kind", "copy")),
]  # fmt: skip


@pytest.mark.quick
@pytest.mark.parametrize(("line", "content"), BROKEN)
def test_unreadable_file_is_one_line_and_a_build_starts_a_new_one(tmp_path, line, content):
    path = written(tmp_path, content)
    with pytest.raises(record.Unreadable) as error:
        record.read(path)
    (said,) = str(error.value).splitlines()
    assert said.startswith(str(path)) and line in said and "run `dbt build`" in said
    assert ColumnLineage(tmp_path, "small").nodes == {}

"""A contract is written into a yml in place, and all other bytes of the yml stay the same."""

import difflib

import pytest
from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.cli.contract.odcs.types import logical
from dbt_spark_contracts.cli.contract.yml.change import NOT_NULL, ColumnChange, ModelChange
from dbt_spark_contracts.cli.contract.yml.file import changed
from dbt_spark_contracts.cli.contract.yml.place import file_of

from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

BY_HAND = """\
# ours
models:

- name: orders   # the orders
  # why: see the wiki
  columns:
  - {name: id}   # a key
  - name: note
    description: >
      What they
      said.
    data_tests: [not_null]

  # the last word

- name: customers
  description: 'Who buys.'
"""
COLUMNS = [
    ColumnChange("id", "decimal(9,0)", constraints=[NOT_NULL]),
    ColumnChange("new", "struct<a:int,b:string>", "It's {{ doc('x') }}: new", [NOT_NULL]),
    ColumnChange("note", "string", meta={"pii": True}),
]
KEY = {"type": "primary_key", "columns": ["id"]}


def added(before, after):
    """Return the added lines. No line may be removed."""
    lines = [*difflib.ndiff(before.splitlines(), after.splitlines())]
    assert [line for line in lines if line.startswith("- ")] == []
    return [line[2:] for line in lines if line.startswith("+ ")]


def test_hand_edits_and_comments_stay():
    after = changed(
        "a.yml",
        BY_HAND,
        [ModelChange("orders", COLUMNS, [KEY], config={"contract": {"enforced": True}})],
    )
    assert after == BY_HAND.replace(
        "  # why",
        "  config: {contract: {enforced: true}}\n"
        "  constraints: [{type: primary_key, columns: [id]}]\n"
        "  # why",
    ).replace(
        "  - {name: id}   # a key\n",
        '  - {name: id, data_type: "decimal(9,0)", constraints: [{type: not_null}]}   # a key\n'
        "  - name: new\n"
        "    data_type: struct<a:int,b:string>\n"
        "    description: \"It's {{ doc('x') }}: new\"\n"
        "    constraints: [{type: not_null}]\n",
    ).replace("  - name: note\n", "  - name: note\n    data_type: string\n").replace(
        "    data_tests: [not_null]\n",
        "    data_tests: [not_null]\n    config: {meta: {pii: true}}\n",
    )


def test_models_that_the_yml_does_not_have():
    one = ModelChange("one", [ColumnChange("a", "int")], config={"contract": {"enforced": True}})
    block = [
        *("", "- name: one", "  config:", "    contract: {enforced: true}"),
        *("  columns:", "  - name: a", "    data_type: int"),
    ]
    assert added(BY_HAND, changed("a.yml", BY_HAND, [one])) == block
    assert changed("a.yml", "", [one]) == (
        "version: 2\n\nmodels:\n\n  - name: one\n    config:\n      contract: {enforced: true}\n"
        "    columns:\n      - name: a\n        data_type: int\n"
    )


def test_a_file_of_windows_stays_one():
    before = BY_HAND.replace("\n", "\r\n")
    after = changed("a.yml", before, [ModelChange("customers", [ColumnChange("a", "int")])])
    assert after.count("\r\n") == after.count("\n") == before.count("\n") + 3


def test_anchors():
    """This project's own yml defines columns once and reuses them through anchors."""
    text = (ROOT / "models/silver/_silver__models.yml").read_text(encoding="utf-8")
    merged = ModelChange(
        "silver_rejected_events", [ColumnChange("event_id", constraints=[NOT_NULL])]
    )
    assert added(text, changed("s.yml", text, [merged])) == [
        "        constraints: [{type: not_null}]"
    ]
    gone = changed("s.yml", text, [ModelChange("silver_car_telemetry", remove=["model"])])
    assert gone == text.replace("      - *model\n", "")
    for model, way_out in {
        "stg_car_events": "changing what shares its lines through an anchor",
        "silver_car_telemetry": r"the column model .* is an alias .*: write it out",
    }.items():
        with pytest.raises(Cannot, match=way_out):
            changed("s.yml", text, [ModelChange(model, [ColumnChange("model", "int")])])


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("models: [\n", "is not valid YAML"),
        ("models: {a: b}\n", "is not a list"),
        ("models: [{name: m}]\n", "is on one line: put it on several lines"),
        (
            "models:\n  - name: m\n    columns: [{name: b}]\n",
            "are on one line: put them on several lines",
        ),
        ("models:\n  - name: m\n    columns: []\n", "an empty list: remove it"),
    ],
)
def test_what_cannot_be_changed_in_place(text, way_out):
    with pytest.raises(Cannot, match=way_out):
        changed("a.yml", text, [ModelChange("m", [ColumnChange("a", "int")])])


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({}, "_marts__models.yml"),
        ({"_marts__sources.yml": "sources: []"}, "_marts__models.yml"),
        ({"things.yml": "models: [{name: a}, {name: b}]"}, "things.yml"),
        ({"a.yml": "models: [{name: a}]", "b.yaml": "models: [{name: b}]"}, "new.yml"),
        (
            {"schema.yml": "models: [{name: a}, {name: c}]", "b.yml": "models: [{name: b}]"},
            "schema.yml",
        ),
        ({"x.yml": "models: [{name: a}, {name: c}]", "b.yml": "models: [{name: b}]"}, None),
    ],
)
def test_where_a_new_contract_goes(tmp_path, files, chosen):
    folder = tmp_path / "models" / "marts"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    node = {"name": "new", "original_file_path": "models/marts/new.sql", "patch_path": None}
    if chosen:
        assert file_of(tmp_path, node) == folder / chosen
    else:
        with pytest.raises(Cannot, match="write its name into one of them"):
            file_of(tmp_path, node)


def test_types_of_the_standard():
    assert logical("array<struct<`a b`:decimal(10,2),c:map<string,int>>>") == {
        "logicalType": "array",
        "physicalType": "array<struct<`a b`:decimal(10,2),c:map<string,int>>>",
        "items": {
            "logicalType": "object",
            "physicalType": "struct<`a b`:decimal(10,2),c:map<string,int>>",
            "properties": [
                {"name": "a b", "logicalType": "number", "physicalType": "decimal(10,2)"},
                {"name": "c", "logicalType": "object", "physicalType": "map<string,int>"},
            ],
        },
    }
    assert logical("interval day") == {"physicalType": "interval day"}

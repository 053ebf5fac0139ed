"""Each change in a pull request is reported with the models and exposures that it affects.

A small project is checked without a build, through dbt's graph, and with a build, through column
lineage.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from dbt_spark_contracts.cli.check_pull_request.changes import environment as environment_changes
from dbt_spark_contracts.cli.check_pull_request.changes.imports import modules_of
from dbt_spark_contracts.cli.check_pull_request.check import Checked, check
from dbt_spark_contracts.cli.check_pull_request.project import Project
from dbt_spark_contracts.spark import session

from tests.support.dbt_runner import ROOT, environment
from tests.support.repository import Repository

SETTINGS = """
name: fleet
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
vars:
  factor: 3
  contracts_required_in: [gold]
  fleet: {least: 1}
models:
  +file_format: iceberg
  +materialized: table
  fleet: {gold: {+schema: gold}}
seeds: {+file_format: iceberg}
on-run-start: ["{{ begin_run() }}", "{{ greet() }}"]
on-run-end: "{{ end_run() }}"
"""
CONTRACT = """
models:
  - name: gold_worth
    config: {contract: {enforced: true}}
    columns:
      - name: id
        data_type: bigint
      - name: worth
        data_type: bigint
  - name: gold_alerts
    config: {contract: {enforced: true}}
    columns:
      - name: id
        data_type: bigint
      - name: grade
        data_type: string
      - name: bound
        data_type: bigint
"""
EXPOSURES = """
exposures:
  - name: desk
    type: dashboard
    owner: {name: The desk, email: desk@example.org}
    config: {meta: {columns: {gold_alerts: [id, grade]}}}
    depends_on: [ref('gold_alerts')]
  - name: board
    type: dashboard
    owner: {name: The board, email: board@example.org}
    depends_on: [ref('gold_worth'), ref('gold_alerts')]
"""
FILES = {
    ".gitignore": "target/\nlogs/\ndbt_packages/\n__pycache__/\npackage-lock.yml\n",
    "dbt_project.yml": SETTINGS,
    "packages.yml": "packages: [{local: tools}]\n",
    "tools/dbt_project.yml": "name: tools\nconfig-version: 2\n",
    "tools/macros/tools.sql": (
        "{% macro times(x) %}{{ x }} * {{ var('factor') }}{% endmacro %}\n"
        "{% macro audit() %}select 1{% endmacro %}\n"
    ),
    "macros/own.sql": (
        "{% macro counted(x) %}{{ inner_of(x) }}{% endmacro %}\n"
        "{% macro inner_of(x) %}cast({{ x }} as bigint){% endmacro %}\n"
        "{% macro after_it() %}select 1{% endmacro %}\n"
        "{% macro greet() %}select 1{% endmacro %}\n"
        "{% macro unused() %}1{% endmacro %}\n"
        "{% materialization noted, adapter='spark' %}"
        "{{ return({'relations': [noted_as()]}) }}{% endmaterialization %}\n"
        "{% macro noted_as() %}{{ return(this) }}{% endmacro %}\n"
    ),
    "seeds/events.csv": "id,worth\n1,10\n2,20\n",
    "seeds/rules.csv": "grade,bound\nhigh,15\nlow,5\n",
    "seeds/schema.yml": """
seeds:
  - {name: events, config: {column_types: {id: bigint, worth: bigint}}}
  - {name: rules, config: {column_types: {grade: string, bound: bigint}}}
""",
    "models/silver_events.sql": (
        "select {{ counted('id') }} as id, {{ tools.times('worth') }} as worth\n"
        "from {{ ref('events') }} where id >= {{ var('least') }}\n"
    ),
    "models/gold/gold_worth.sql": (
        "{{ config(post_hook='{{ after_it() }}') }}\n"
        "select id, worth from {{ ref('silver_events') }}\n"
    ),
    "models/gold/gold_alerts.py": """
from pyspark.sql import functions as F

from shared.grades import grade_of


def model(dbt, spark):
    events, rules = dbt.ref("silver_events"), dbt.ref("rules")
    broken = events.join(rules, events.worth > rules.bound)
    return broken.select("id", grade_of(F.col("grade")).alias("grade"), "bound")
""",
    "models/gold/schema.yml": CONTRACT,
    "models/exposures.yml": EXPOSURES,
    "shared/__init__.py": "",
    "shared/grades.py": (
        "from pyspark.sql import functions as F\n\nfrom shared.texts import PREFIX\n\n\n"
        "def grade_of(column):\n    return F.concat(F.lit(PREFIX), column)\n"
    ),
    "shared/texts.py": 'PREFIX = "g:"\n',
}
SILVER, WORTH, ALERTS = "silver_events", "gold_worth", "gold_alerts"


@dataclass
class Branch:
    """A branch of the small project, checked in this process."""

    repository: Repository
    folder: Path
    environment: dict = field(default_factory=dict)
    profiles: Path = ROOT

    def begin_with(self, path: str, text: str) -> None:
        """Start the branch again from a base that contains this file."""
        self.repository.git("switch", "--quiet", "main")
        self.repository.write(path, text)
        self.repository.commit()
        self.repository.git("switch", "--quiet", "--force-create", "change")

    def check(self, build: bool = False) -> Checked:
        project = Project(self.repository.root, self.profiles)
        folder = self.folder / "needed"
        folder.mkdir()
        with environment(**self.environment):
            return check(project, "main", folder, build)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return Repository(tmp_path_factory.mktemp("fleet"), FILES)


@pytest.fixture
def branch(repository, dbt, module_schema, tmp_path, monkeypatch):
    monkeypatch.chdir(repository.root)
    main = repository.git("rev-parse", "main").strip()
    repository.begin_branch()
    yield Branch(
        repository, tmp_path, {"LAKEHOUSE_HOME": str(dbt.home), "LAKEHOUSE_SCHEMA": module_schema}
    )
    repository.end_branch(main)


def told(checked: Checked) -> dict[str, str]:
    """Return the text of each change by its kind."""
    return {change.kind: change.text for change in checked.changes}


def touched(checked: Checked) -> dict[str, list[str]]:
    """Return the names of the exposures that read each affected model."""
    return {
        each.model: [exposure["name"] for exposure in each.exposures]
        for each in checked.radius.touched
    }


def test_nothing(branch):
    checked = branch.check()
    assert (checked.changes, checked.radius.touched, checked.problems) == ([], [], [])


def test_moved_model(branch):
    branch.repository.change(
        "models/gold/schema.yml",
        "  - name: gold_alerts\n    config: {",
        "  - name: gold_alerts\n    config: {alias: alerts, ",
    )
    checked = branch.check()
    moved = "gold_alerts moves from {0}_gold.gold_alerts to {0}_gold.alerts"
    schema = branch.environment["LAKEHOUSE_SCHEMA"]
    assert told(checked)["moved"] == moved.format(schema)
    assert touched(checked) == {ALERTS: ["board", "desk"]}
    (problem,) = checked.problems
    assert problem.rule == "moved"
    assert problem.places[0].file == "models/gold/schema.yml"
    assert problem.details[1] == "Read by: board (The board), desk (The desk)."


def test_model_without_contract_that_moves_is_named_with_its_readers(branch):
    branch.repository.change("dbt_project.yml", "{gold: ", "{silver_events: {+schema: s}, gold: ")
    checked = branch.check()
    assert told(checked)["moved"].endswith("_s.silver_events; read by gold_alerts, gold_worth")
    assert not checked.problems


def test_macro_that_moves_all(branch):
    macro = "{% macro generate_alias_name(n=none, node=none) %}new_{{ node.name }}{% endmacro %}\n"
    branch.repository.write("macros/alias.sql", macro)
    checked = branch.check()
    moved = [change.text for change in checked.changes if change.kind == "moved"]
    assert len(moved) == 5
    assert {problem.rule for problem in checked.problems} == {"moved"}


def test_changed_seed(branch):
    branch.repository.change("seeds/rules.csv", "low,5", "low,6")
    checked = branch.check()
    (change,) = checked.changes
    assert change.text == "the seed rules has other rows: bound"
    assert change.details == ["low: bound is 6, and was 5"]
    assert touched(checked) == {ALERTS: ["board", "desk"]}


@pytest.mark.parametrize(
    ("csv", "first", "details"),
    [
        ("grade,bound\nhigh,15\n", "1 rows, and 2 before", ["gone: low, 5"]),
        ("grade,bound\nhigh,15\nlow,5\nmid,9\n", "3 rows, and 2 before", ["new: mid, 9"]),
        ("grade,bound,more\nhigh,15,1\nlow,5,2\n", "columns: more is new", []),
        ("bound,grade\n15,high\n5,low\n", "columns: in a different order", []),
    ],
)
def test_seed_that_has_other_rows(branch, csv, first, details):
    branch.repository.write("seeds/rules.csv", csv)
    (change,) = branch.check().changes
    assert change.text == f"the seed rules has other rows: {first}"
    assert change.details == details


@pytest.mark.parametrize("file", ["shared/grades.py", "shared/texts.py", "shared/__init__.py"])
def test_module_of_a_python_model(branch, file):
    """A module that the model imports, one that this module imports, and their package."""
    branch.repository.write(file, (branch.repository.root / file).read_text() + "# changed\n")
    checked = branch.check()
    assert told(checked) == {"import": f"the module {file} has changed: imported by gold_alerts"}
    assert touched(checked) == {ALERTS: ["board", "desk"]}


@pytest.mark.parametrize(
    "imports",
    [
        "import shared.grades as g",
        "from shared import grades",
        "def f():\n    from shared.grades import grade_of",
        "import importlib\nimportlib.import_module('shared.grades')",
        "try:\n    import shared.grades\nexcept ImportError:\n    pass",
    ],
)
def test_ways_to_import_a_module(repository, imports):
    found = modules_of(repository.root, imports)
    assert found == {"shared/__init__.py", "shared/grades.py", "shared/texts.py"}


def test_import_within_a_package(tmp_path):
    for file, text in {
        "a/__init__.py": "",
        "a/b.py": "from . import c\nfrom .d.e import x\nimport_module('.g', 'a')\n",
        "a/g.py": "# caf\u00e9\n",
        "a/c.py": "import os, json\n",
        "a/d/__init__.py": "",
        "a/d/e.py": "from ..f import x\n",
        "a/f.py": "x = 1\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    files = {"a/__init__.py", "a/b.py", "a/c.py", "a/d/__init__.py", "a/d/e.py", "a/f.py", "a/g.py"}
    assert modules_of(tmp_path, "from a import b") == files


@pytest.mark.parametrize(
    ("file", "old", "new", "models"),
    [
        ("macros/own.sql", "{{ inner_of(x) }}", "{{ inner_of(x) }} ", {WORTH, ALERTS}),
        ("macros/own.sql", "as bigint)", "as  bigint)", {WORTH, ALERTS}),  # called by a macro
        ("macros/own.sql", "after_it() %}select 1", "after_it() %}select 2", {WORTH}),  # by a hook
        ("tools/macros/tools.sql", "{{ x }} *", "{{ x }}  *", {WORTH, ALERTS}),  # of a package
        ("macros/own.sql", "greet() %}select 1", "greet() %}select 2", {WORTH, ALERTS}),
        ("macros/own.sql", "unused() %}1", "unused() %}2", set()),
    ],
    ids=["macro", "macro of a macro", "hook", "package", "on-run-start", "unused"],
)
def test_changed_macro(branch, file, old, new, models):
    branch.repository.change(file, old, new)
    checked = branch.check()
    assert {change.kind for change in checked.changes} == {"macro"}
    assert models <= set(touched(checked))
    if models == {WORTH}:
        assert touched(checked) == {WORTH: ["board"]}
    if not models:
        assert told(checked)["macro"] == "the macro unused has changed: no model uses it"
        assert touched(checked) == {}


def test_macro_of_a_materialization(branch):
    """dbt does not list the materialization of a SQL model among its macros."""
    branch.begin_with("models/noted.sql", "{{ config(materialized='noted') }}\nselect 1 as x")
    branch.repository.change("macros/own.sql", "{{ return(this) }}", "{{ return( this) }}")
    checked = branch.check()
    assert told(checked)["macro"] == "the macro noted_as has changed: used by noted"


def test_macro_that_dbt_calls_by_itself(branch):
    branch.repository.write("macros/run.sql", "{% macro drop_schema_named(s) %}{% endmacro %}\n")
    branch.repository.write(
        "macros/where.sql", "{% macro get_where_subquery(r) %}{{ r }}{% endmacro %}\n"
    )
    branch.repository.write("tests/few.sql", "select 1 as x where false")
    texts = "\n".join(change.text for change in branch.check().changes)
    assert "get_where_subquery is new: used by the data test few" in texts
    assert "drop_schema_named is new: it takes the place of dbt's, which dbt may call by" in texts


def test_new_macro_that_takes_the_place_of_dbts(branch):
    branch.repository.write(
        "macros/run.sql", "{% macro contracts__overwrite(a, b, c, d) %}{% endmacro %}\n"
    )
    checked = branch.check()
    assert told(checked)["macro"].startswith("the macro contracts__overwrite is new: used by ")
    assert {WORTH, ALERTS} <= set(touched(checked))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            "least: 1",
            "least: 2",
            "the var fleet.least is 2 by default, and was 1: read by silver_events",
        ),
        (
            "factor: 3",
            "factor: 4",
            "the var factor is 4 by default, and was 3: read by silver_events",
        ),
    ],
)
def test_default_of_a_var(branch, old, new, text):
    branch.repository.change("dbt_project.yml", old, new)
    checked = branch.check()
    assert told(checked) == {"var": text}
    assert touched(checked) == {WORTH: ["board"], ALERTS: ["board", "desk"]}


@pytest.mark.parametrize("config", ["+materialized: view", "+partition_by: id"])
def test_config(branch, config):
    branch.repository.change("dbt_project.yml", "{gold: ", f"{{silver_events: {{{config}}}, gold: ")
    checked = branch.check()
    name, value = config.removeprefix("+").split(": ")
    assert told(checked)["config"].startswith(f"silver_events: {name} is {value}, and was ")
    assert touched(checked) == {WORTH: ["board"], ALERTS: ["board", "desk"]}


def test_setting_of_the_profile(branch, tmp_path):
    profile = (ROOT / "profiles.yml").read_text()
    branch.begin_with("profiles.yml", profile)
    branch.profiles = branch.repository.root
    old = 'spark.sql.ansi.enabled: "false"'
    branch.repository.change("profiles.yml", old, old.replace("false", "true"))
    branch.repository.change("profiles.yml", "threads: 4", "threads: 5")
    checked = branch.check()
    texts = [change.text for change in checked.changes]
    assert any("spark.sql.ansi.enabled is true, and was false" in text for text in texts)
    assert any("threads is 5, and was 4, which affects no rows" in text for text in texts)
    assert set(touched(checked)) == {WORTH, ALERTS}


# Definitions that affect no rows of a table, but that a reviewer must see.
DEFINED = """
groups:
  - name: finance
    owner: {name: Ann, email: ann@example.org}
sources:
  - name: raw
    loaded_at_field: ts
    freshness: {warn_after: {count: 1, period: day}}
    tables: [{name: orders, columns: [{name: id, data_type: bigint}]}]
models:
  - name: gold_ver
    description: "{{ doc('about') }}"
    latest_version: 1
    config: {group: finance, tags: [nightly], meta: {team: a}, contract: {enforced: true}}
    columns:
      - {name: id, data_type: "decimal(10,2)", description: The id}
      - {name: name, data_type: string, config: {meta: {unit: s}}}
    versions: [{v: 1}, {v: 2}]
semantic_models:
  - name: orders
    model: ref('gold_ver', v=1)
    defaults: {agg_time_dimension: at}
    entities: [{name: id, type: primary}]
    dimensions: [{name: at, type: time, type_params: {time_granularity: day}}]
    measures: [{name: count_of, agg: count, expr: id}]
metrics:
  - {name: number, label: N, type: simple, type_params: {measure: count_of}}
exposures:
  - name: app
    type: application
    owner: {name: App, email: app@example.org}
    depends_on: [metric('number')]
"""
DEFINED_FILES = {
    "models/defined.yml": DEFINED,
    "models/spine.yml": """
models:
  - name: spine
    time_spine: {standard_granularity_column: d}
    columns: [{name: d, granularity: day}]
""",
    "models/spine.sql": "select cast('2020-01-01' as date) as d",
    "models/about.md": "{% docs about %}All of it.{% enddocs %}",
    "models/gold/gold_ver_v1.sql": "select 1 as id, 'a' as name",
    "models/gold/gold_ver_v2.sql": "select 1 as id, 'a' as name",
    "models/reader.sql": "select id from {{ ref('gold_ver') }}",
    "analyses/look.sql": "select 1",
    "selectors.yml": "selectors: [{name: nightly, definition: 'tag:nightly'}]",
}


def begin_with_definitions(branch) -> None:
    branch.repository.git("switch", "--quiet", "main")
    for path, text in DEFINED_FILES.items():
        branch.repository.write(path, text)
    branch.begin_with(".begun", "")


def test_every_field_of_a_definition(branch):
    """Known and unknown fields are both reported."""
    begin_with_definitions(branch)
    for old, new in {
        "name: Ann": "name: Bob",
        "count: 1": "count: 2",
        "data_type: bigint": "data_type: int",
        "latest_version: 1": "latest_version: 2",
        "[{v: 1}": "[{v: 1, deprecation_date: 2027-01-01}",
        "tags: [nightly]": "tags: [daily], persist_docs: {relation: true}",
        "team: a": "team: b",
        "description: The id": "description: An id, constraints: [{type: not_null}]",
        "unit: s": "unit: ms",
        "agg: count,": "agg: sum,",
        "label: N": "label: M",
        "type: application": "type: application\n    url: https://example.org",
    }.items():
        branch.repository.change("models/defined.yml", old, new)
    branch.repository.write("models/about.md", "{% docs about %}Some of it.{% enddocs %}")
    branch.repository.write("analyses/look.sql", "select 2")
    branch.repository.change("selectors.yml", "'tag:nightly'", "'tag:daily'")
    checked = branch.check()
    texts = "\n".join(change.text for change in checked.changes)
    owner = "the group finance: owner is {'email': 'ann@example.org', 'name': 'Bob'}, and was {"
    for text in (
        owner,
        "; of gold_ver.v1, gold_ver.v2",
        "the source raw.orders: freshness is {'warn_after': {'count': 2,",
        "the source raw.orders: freshness",
        "column id: data_type is int, and was bigint",
        "reader reads gold_ver.v2, and no longer reads gold_ver.v1",
        # dbt adds the time zone of the machine.
        f"deprecation_date is {datetime(2027, 1, 1).astimezone().isoformat()}, and was not set",
        "latest_version is 2, and was 1",
        "persist_docs is {'relation': True}, and was not set",
        "tags is ['daily'], and was ['nightly']",
        "meta is {'team': 'b'}, and was {'team': 'a'}",
        "description has changed",
        "column id: constraints is [{'type': 'not_null'}], and was not set",
        "the semantic model orders: measures is [{",
        "the metric number: label is M, and was N; read by app",
        "the exposure app: url is https://example.org, and was not set",
        "the docs block about: block_contents has changed",
        "the analysis look: code has changed",
        "the selector nightly: definition is {'method': 'tag', 'value': 'daily'}",
    ):
        assert text in texts, text
    assert not checked.problems
    # The exposure reads a metric, which reads a semantic model on gold_ver.
    assert touched(checked)["gold_ver.v1"] == ["app"]


def test_size_of_a_type_and_order_of_columns(branch):
    """dbt's own comparison ignores both."""
    begin_with_definitions(branch)
    id_, name = (f"      - {{name: {each}" for each in ("id, data_type", "name, data_type"))
    lines = DEFINED.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith(id_))
    assert lines[first + 1].startswith(name)
    narrower = lines[first].replace("decimal(10,2)", "decimal(8, 2)")
    lines[first : first + 2] = [lines[first + 1], narrower]
    branch.repository.write("models/defined.yml", "".join(lines))
    checked = branch.check()
    found = {place.text for problem in checked.problems for place in problem.places}
    assert found == {"gold_ver: Columns with data_type changes: id (decimal(10,2) -> decimal(8,2))"}
    assert any("its columns are in a different order" in change.text for change in checked.changes)


def test_contracts_that_are_no_longer_required(branch):
    branch.repository.change("dbt_project.yml", "[gold]", "[]")
    assert told(branch.check())["allowance"] == "contracts are no longer required in gold"


def test_file_that_a_model_names(branch):
    """Files named in code, modules, macros and vars affect models. Others are listed apart."""
    branch.begin_with("shared/texts.py", 'PREFIX = open("data/prefix.txt").read()\n')
    branch.begin_with("macros/files.sql", "{% macro files() %}`data/more/*.json`{% endmacro %}")
    branch.begin_with("models/reader.sql", "select '{{ files() }}', '{{ var(\"folder\") }}'")
    branch.repository.change("dbt_project.yml", "  factor: 3", "  factor: 3\n  folder: landing")
    branch.repository.commit()
    branch.repository.git("switch", "--quiet", "main")
    branch.repository.git("merge", "--quiet", "change")
    branch.repository.git("switch", "--quiet", "change")
    for file in ("data/prefix.txt", "data/more/a.json", "landing/x/y.csv", "lib/x.zip"):
        branch.repository.write(file, "x")
    checked = branch.check()
    assert [change.text for change in checked.changes] == [
        "the file data/more/a.json has changed: named by reader",
        "the file data/prefix.txt has changed: named by gold_alerts",
        "the file landing/x/y.csv has changed: named by reader",
        "files that no model is known to read: lib/x.zip",
    ]
    assert {ALERTS} <= set(touched(checked))


def test_module_that_a_model_may_import(branch):
    branch.begin_with("shared/texts.py", "import importlib\nimportlib.import_module('a' + 'b')\n")
    branch.repository.write("other/ab.py", "X = 1\n")
    assert told(branch.check()) == {
        "import": "the module other/ab.py has changed: gold_alerts may import it"
    }


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("seeds/rules.csv", f"grade,bound\n{'x' * 200_000},15\nlow,5\n"),
        ("seeds/rules.csv", "grade,bound\nhigh,15,16\nlow,5\n"),
        ("seeds/rules.csv", 'grade,bound\n"hi\ngh",15\nlow,5\n'),
    ],
    ids=["a long cell", "a cell too many", "two lines in a cell"],
)
def test_odd_seed(branch, file, text):
    branch.repository.write(file, text)
    (change,) = branch.check().changes
    assert change.text.startswith("the seed rules has other rows: ")
    assert all(len(line) < 250 for line in change.details)


def test_seed_with_the_same_rows_in_another_order_of_columns(branch):
    branch.repository.write("seeds/rules.csv", 'grade,bound\n"high",15\nlow,5\n')
    checked = branch.check()
    text = "the file of the seed rules has changed, but its rows are the same"
    assert (told(checked), touched(checked)) == ({"seed": text}, {})


def test_moved_or_broken_profile(branch):
    profile = (ROOT / "profiles.yml").read_text()
    branch.begin_with("profiles.yml", profile)
    branch.profiles = branch.repository.root
    branch.repository.change("profiles.yml", "'LAKEHOUSE_SCHEMA', 'ci'", "'LAKEHOUSE_SCHEMA', 'c'")
    checked = branch.check()
    assert told(checked)["profile"].endswith(", so every table of that target moves")
    assert {WORTH, ALERTS} <= set(touched(checked))
    branch.folder = branch.folder / "again"
    branch.folder.mkdir()
    branch.repository.write("profiles.yml", "][")
    (problem,) = branch.check().problems
    assert problem.rule == "parse"


def test_what_an_earlier_check_has_parsed_is_not_of_this_tree(branch):
    """dbt's partial parsing reports a snapshot as a duplicate when its yml changes."""
    yml = """
snapshots:
  - name: snap
    relation: ref('silver_events')
    config: {unique_key: id, strategy: check, check_cols: [id]}
"""
    branch.begin_with("snapshots/snap.yml", yml)
    for number, columns in enumerate(("[id]", "[worth]", "[id, worth]")):
        branch.folder = branch.folder / str(number)
        branch.folder.mkdir()
        branch.repository.write("snapshots/snap.yml", yml.replace("[id]", columns))
        assert not branch.check().problems


SAFEGUARDS = """
models:
  - name: silver_events
    columns:
      - name: id
        data_tests:
          - not_null
          - unique: {name: one_row_an_event, config: {severity: error}}
unit_tests:
  - name: it_multiplies
    model: silver_events
    given: [{input: ref('events'), rows: [{id: 1, worth: 2}]}]
    expect: {rows: [{id: 1, worth: 6}]}
"""


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            "severity: error",
            "severity: warn",
            "the data test one_row_an_event of silver_events: severity is warn, and was error",
        ),
        (
            "severity: error",
            "where: id > 1",
            "the data test one_row_an_event of silver_events: where is id > 1, and was not set",
        ),
        (
            "severity: error",
            "error_if: '> 9'",
            "the data test one_row_an_event of silver_events: error_if is > 9, and was != 0",
        ),
        (
            "severity: error",
            "enabled: false",
            "the data test one_row_an_event of silver_events is disabled",
        ),
        (
            "          - not_null\n",
            "",
            "the data test not_null_silver_events_id of silver_events is gone",
        ),
        (
            "worth: 6",
            "worth: 7",
            "the unit test it_multiplies of silver_events tests something else",
        ),
    ],
)
def test_test_that_is_weaker(branch, old, new, text):
    branch.begin_with("models/silver.yml", SAFEGUARDS)
    branch.repository.change("models/silver.yml", old, new)
    checked = branch.check()
    assert text in [change.text for change in checked.changes if change.kind == "test"]
    assert not touched(checked)


def test_macro_of_a_data_test(branch):
    branch.begin_with("tests/few.sql", "select {{ unused() }} as x where false")
    branch.repository.change("macros/own.sql", "unused() %}1", "unused() %}2")
    assert (
        told(branch.check())["macro"] == "the macro unused has changed: used by the data test few"
    )


@pytest.mark.parametrize(
    ("old", "new", "kind", "text"),
    [
        (
            "config: {contract",
            "access: public\n    config: {contract",
            "access",
            "gold_worth: access is public, and was protected",
        ),
        (
            "config: {",
            "config: {meta: {pii_allowed: {id: No reason}}, ",
            "allowance",
            "gold_worth: meta pii_allowed is {'id': 'No reason'}, and was not set",
        ),
    ],
)
def test_access_and_allowance(branch, old, new, kind, text):
    branch.repository.change(
        "models/gold/schema.yml",
        f"gold_worth\n    {old}",
        f"gold_worth\n    {new}",
    )
    checked = branch.check()
    assert text in [change.text for change in checked.changes if change.kind == kind]
    assert not touched(checked)


def test_hook_of_all_commands_that_is_gone(branch):
    branch.repository.change("dbt_project.yml", 'on-run-end: "{{ end_run() }}"\n', "")
    checked = branch.check()
    text = "on-run-end is not set, and was {{ end_run() }}, which may affect every model"
    assert told(checked) == {"project": text}
    assert set(touched(checked)) == {WORTH, ALERTS}


def test_the_guard_itself_and_versions_of_libraries(branch, monkeypatch):
    monkeypatch.setattr(environment_changes, "GUARD", branch.repository.root / "guard")
    branch.repository.write("guard/macros/table.sql", "{% macro own() %}{% endmacro %}")
    branch.repository.write("guard/cli/main.py", "# no build runs it\n")
    branch.repository.write("uv.lock", "pyspark 3.5")
    checked = branch.check()
    assert told(checked) == {
        "guard": "the guard itself has changed, which may affect every model: "
        "guard/macros/table.sql",
        "file": "files that no model is known to read: guard/cli/main.py",
        "environment": (
            "uv.lock has changed: this check uses the packages that are installed here"
        ),
    }
    assert set(touched(checked)) == {WORTH, ALERTS}


def test_other_packages_are_installed(branch):
    branch.repository.write("dbt_packages/.keep", "")
    branch.repository.write("more/dbt_project.yml", "name: more\nconfig-version: 2\n")
    branch.repository.write("more/macros/m.sql", "{% macro m() %}1{% endmacro %}")
    branch.repository.change("packages.yml", "{local: tools}", "{local: tools}, {local: more}")
    assert told(branch.check())["macro"] == "the macro more.m is new: no model uses it"


def test_key_that_is_no_longer_promised(branch):
    keyed = "{contract: {enforced: true}}\n    constraints: [{type: primary_key, columns: [id]}]"
    old = FILES["models/gold/schema.yml"]
    branch.begin_with("models/gold/schema.yml", old.replace("{contract: {enforced: true}}", keyed))
    # One model loses its key. The other gets a wider key, which is a weaker promise.
    weaker = keyed.replace("[id]", "[id, bound]").join(
        old.rpartition("{contract: {enforced: true}}")[::2]
    )
    branch.repository.write("models/gold/schema.yml", weaker)
    texts = [place.text for problem in branch.check().problems for place in problem.places]
    assert texts == [
        "gold_alerts: the key (id) is no longer promised",
        "gold_worth: the key (id) is no longer promised",
    ]


def test_new_model_without_contract_where_it_is_required(branch):
    branch.repository.write("models/gold/gold_new.sql", "select 1 as x")
    branch.repository.write("models/silver_new.sql", "select 1 as x")
    checked = branch.check()
    (problem,) = checked.problems
    text = "gold_new has no contract, which is required in gold"
    assert (problem.rule, [*problem.places]) == (
        "no-contract",
        [("models/gold/gold_new.sql", 1, text)],
    )


def test_model_that_was_there_without_contract(branch):
    branch.begin_with("models/gold/gold_old.sql", "select 1 as x")
    branch.repository.change("models/gold/gold_old.sql", "1", "2")
    assert not branch.check().problems


def test_exposure_that_loses_its_column(branch):
    branch.repository.change("models/gold/schema.yml", "grade\n", "grades\n")
    checked = branch.check()
    by_rule = {problem.rule: problem for problem in checked.problems}
    assert set(by_rule) == {"breaking-change", "exposure"}
    assert by_rule["exposure"].title == "The exposure desk (The desk) loses a column"
    (place,) = by_rule["exposure"].places
    assert place == (
        "models/exposures.yml",
        3,
        "desk reads gold_alerts.grade, which does not exist",
    )
    assert "Read by: board (The board), desk (The desk)." in by_rule["breaking-change"].details


def test_exposure_that_is_gone_or_reads_less(branch):
    branch.repository.change("models/exposures.yml", "ref('gold_worth'), ", "")
    assert told(branch.check())["exposure"] == ("the exposure board no longer reads gold_worth")


def test_every_breaking_change_of_versioned_models_is_reported(branch):
    """dbt itself stops at the first one."""
    branch.repository.git("switch", "--quiet", "main")
    versions = "    latest_version: 1\n    versions: [{v: 1, config: {alias: %s}}]\n"
    yml = FILES["models/gold/schema.yml"]
    for name, suffix in ((WORTH, "sql"), (ALERTS, "py")):
        head = f"  - name: {name}\n"
        yml = yml.replace(head, head + versions % name)
        branch.repository.git(
            "mv", f"models/gold/{name}.{suffix}", f"models/gold/{name}_v1.{suffix}"
        )
    branch.repository.write("models/gold/schema.yml", yml)
    branch.repository.commit()
    branch.repository.git("switch", "--quiet", "--force-create", "change")
    branch.repository.write(
        "models/gold/schema.yml", yml.replace("data_type: bigint", "data_type: int")
    )
    breaking = [p for p in branch.check().problems if p.rule == "breaking-change"]
    texts = sorted(place.text for problem in breaking for place in problem.places)
    assert texts == [
        f"{name}: Columns with data_type changes: {column} (bigint -> int)"
        for name, column in ((ALERTS, "bound"), (ALERTS, "id"), (WORTH, "id"), (WORTH, "worth"))
    ]


def drop_tables(prefix: str) -> None:
    """Drop the tables of a build, so that the next branch starts without them."""
    spark = session.get()
    for namespace in (row.namespace for row in spark.sql("show namespaces").collect()):
        if namespace.startswith(prefix):
            for row in spark.sql(f"show tables in {namespace}").collect():
                spark.sql(f"drop table {namespace}.{row.tableName}")


@pytest.fixture
def built(branch):
    yield branch
    drop_tables(branch.environment["LAKEHOUSE_SCHEMA"])


def columns(checked: Checked) -> dict[str, tuple]:
    """Return the affected columns of each model, and whether its rows may differ."""
    return {each.model: (each.columns, each.by_rows) for each in checked.radius.touched}


@pytest.mark.slow
def test_threshold_of_a_seed_affects_the_columns_computed_from_it(built):
    built.repository.change("seeds/rules.csv", "low,5", "low,6")
    checked = built.check(build=True)
    assert not checked.problems
    # The column is part of a join condition.
    assert columns(checked) == {ALERTS: (["bound"], True)}
    assert touched(checked) == {ALERTS: ["board", "desk"]}


def test_column_of_a_seed_that_nothing_is_joined_by(built):
    """Only the column itself is affected, and not the rows of the model."""
    built.repository.change("seeds/rules.csv", "low,5", "lower,5")
    assert columns(built.check(build=True)) == {ALERTS: (["grade"], False)}


def test_proven_no_change(built):
    repository = built.repository
    sql = "models/gold/gold_worth.sql"
    repository.change(sql, "select id, worth from", "with e as (select * from")
    repository.change(sql, "silver_events') }}", "silver_events') }}) select e.id, e.worth from e")
    repository.change("shared/grades.py", "F.concat(F.lit(PREFIX), column)", "made(column)")
    repository.change(
        "shared/grades.py",
        "\n\ndef",
        "\n\ndef made(c):\n    return F.concat(F.lit(PREFIX), c)\n\n\ndef",
    )
    checked = built.check(build=True)
    assert not checked.problems
    assert {change.kind for change in checked.changes} == {"code", "import"}
    assert checked.proven == [ALERTS, WORTH]
    assert columns(checked) == {}


BY_KEY = """
from pyspark.sql import functions as F


def model(dbt, spark):
    dbt.config(
        materialized="incremental", incremental_strategy="delete+insert", unique_key="id"
    )
    events = dbt.affected(dbt.ref("silver_events"), ["id"])
    return events.groupBy("id").agg(F.sum("worth").alias("worth"))
"""


@pytest.mark.slow
def test_a_model_that_makes_the_rows_of_changed_keys(built):
    """It may be proven to be the same. Other keys are a change, though all rows are the same."""
    names = "kept", "keyed", "replaced"
    for name in names:
        built.begin_with(f"models/gold/{name}.py", BY_KEY)
    repository = built.repository
    repository.change(
        "models/gold/kept.py", "events.groupBy", 'events.select("id", "worth").groupBy'
    )
    repository.change("models/gold/keyed.py", '["id"]', '["id", "worth"]')
    repository.change("models/gold/replaced.py", 'unique_key="id"', 'unique_key="worth"')
    checked = built.check(build=True)
    assert not checked.problems
    texts = [change.text for change in checked.changes]
    assert {f"the code of {name} has changed" for name in names} < {*texts}
    assert "replaced: unique_key is worth, and was id" in texts
    assert checked.proven == ["kept"]
    unseen = "the plan of a first build does not show the difference"
    assert f"keyed: {unseen}" in checked.radius.untraced
    assert "kept" not in str(checked.radius.untraced) + str(columns(checked))

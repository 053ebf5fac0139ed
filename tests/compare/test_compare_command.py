"""`dbt-spark-contracts compare`: arguments, results and errors."""

import json
import re
import shlex
import shutil
import sys
from datetime import datetime, timedelta, timezone

import pytest
from dbt_spark_contracts import tables
from dbt_spark_contracts.cli.compare.problem import CannotCompare
from dbt_spark_contracts.cli.compare.review import project_of
from dbt_spark_contracts.cli.compare.sides import find
from dbt_spark_contracts.cli.main import run
from dbt_spark_contracts.cli.opened import Place, open_project
from dbt_spark_contracts.publish.command import is_run_name

from tests.support.dbt_runner import ROOT, environment, make_project
from tests.support.repository import Repository

PROJECT = {
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table, +contract: {enforced: true}}
seeds: {+file_format: iceberg}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
    "models/raw.sql": """
select cast(id as int) as id, concat('n', id) as name,
    cast(id * {{ var('worth', 1) }} as double) as worth,
    concat('secret', id, fact) as secret, cast(id as bigint) as internal
from {{ ref('facts') }}
""",
    "seeds/facts.csv": "id,fact\n0,1\n1,1\n2,1\n3,1\n",
    "models/cars.sql": "select id, name, worth * 2 as worth, secret from {{ ref('raw') }}",
    "models/schema.yml": """
models:
  - name: raw
    columns:
      - {name: id, data_type: int}
      - {name: name, data_type: string}
      - {name: worth, data_type: double}
      - {name: secret, data_type: string, config: {meta: {pii: true}}}
      - {name: internal, data_type: bigint, config: {meta: {silver_only: true}}}
  - name: cars
    constraints: [{type: primary_key, columns: [id]}]
    columns:
      - {name: id, data_type: int}
      - {name: name, data_type: string}
      - name: worth
        data_type: double
        data_tests: [{few: {arguments: {most: "{{ var('most', 100) }}"}}}]
      - {name: secret, data_type: string, config: {meta: {pii: true}}}
""",
    "tests/generic/few.sql": """
{% test few(model, column_name, most) %}
select * from {{ model }} where {{ column_name }} > {{ most }}
{% endtest %}
""",
}


# The seed before the second build: another fact for each car, and one more car.
LANDED = "id,fact\n0,3\n1,3\n2,3\n3,3\n4,3\n"


class Small:
    """The project above, built three times: published twice, and held back once.

    Attributes:
        dbt: A function that runs dbt on the project.
        schema: The schema of its tables.
        cars: The full name of the table `cars`.
        first: The snapshot ID of the first build.
        run: The run name of the first build.
        between: A time between the first and the second build.
        branch: The branch of the third build.
    """

    def __init__(self, dbt, folder, schema, spark):
        self.dbt, self.schema, self.spark = make_project(dbt, folder, PROJECT), schema, spark
        self.cars = f"{schema}.cars"
        self.build(worth=1)
        self.first = self.newest()
        *_, published = tables.load_anew(spark, self.cars).history()
        time = datetime.fromtimestamp(published.timestampMillis() / 1000, timezone.utc)
        self.between = (time + timedelta(milliseconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%f")
        (self.run,) = spark.sql(f"select distinct run from {schema}_ops.publish_log").first()
        shutil.copy(folder / "target/column_lineage.json", folder / "before.json")
        (folder / "seeds/facts.csv").write_text(LANDED)
        self.build(worth=3)
        assert not self.dbt("build", schema=schema, worth=3, most=1).success
        (self.branch,) = filter(is_run_name, tables.load_anew(spark, self.cars).refs())

    def build(self, **variables):
        done = self.dbt("build", schema=self.schema, **variables)
        assert done.success, done.text

    def newest(self):
        tables.forget(self.spark, self.cars)
        return tables.newest_snapshot(self.spark, self.cars, None)

    def compare(self, old, new, *options):
        """Run a comparison and return its exit code."""
        arguments = map(str, ("--old", old, "--new", new, *options))
        return self.dbt.tool("compare", *arguments, schema=self.schema)


@pytest.fixture(scope="module")
def small(dbt, spark, tmp_path_factory, module_schema):
    return Small(dbt, tmp_path_factory.mktemp("small"), module_schema, spark)


@pytest.fixture(scope="module")
def found_by(small, spark):
    """Return a function that resolves the name of a table, version or path."""
    settings = {"LAKEHOUSE_HOME": str(small.dbt.home), "LAKEHOUSE_SCHEMA": small.schema}
    with environment(**settings):
        opened = open_project(Place(small.dbt.project_dir, ROOT, "ci"))
    project = project_of(opened, spark)
    return lambda words: find(spark, project, words, lambda run: None)


@pytest.fixture
def answer(small, capsys):
    """Return a function that compares, and returns the exit code with the JSON report or error."""

    def compare(old, new, *options):
        capsys.readouterr()
        code = small.compare(old, new, *options, "--json", "-")
        out, err = capsys.readouterr()
        return code, json.loads(out) if code < 2 else err.splitlines()[-1]

    return compare


@pytest.fixture
def parquet(spark, tmp_path):
    """Return a function that writes the rows of a query to Parquet and returns the folder."""

    def write(query, partition_by=(), name="old"):
        folder = tmp_path / name
        spark.sql(query).coalesce(1).write.partitionBy(*partition_by).parquet(str(folder))
        return folder

    return write


CARS = "select cast(id as int) as id, concat('n', id) as name, id * 6D as worth, 's' as secret"


# ---- two versions of one table


@pytest.mark.slow
def test_a_held_back_branch_beside_what_readers_see(small, answer):
    code, found = answer("cars", f"cars@{small.branch}")
    assert (code, found["equal"], found["rows"]["same"]) == (0, True, 5)
    code, found = answer(f"cars@{small.first}", f"{small.cars}.branch_{small.branch}")
    assert code == 1
    assert found["key"] == ["id"]
    assert [column["name"] for column in found["columns"]["changed"]] == ["worth", "secret"]
    assert found["rows"]["only_new"] == {"rows": 1, "keys": 1, "examples": [["4"]]}
    worth = found["columns"]["changed"][0]
    assert worth["rows"] == 3  # for car 0 it is 0 in both
    assert worth["examples"][0] == {"key": ["1"], "old": "2.0", "new": "6.0"}


@pytest.mark.slow
def test_the_name_of_a_run_is_a_version(small, answer):
    code, found = answer(f"cars@{small.run}", f"cars@{small.first}")
    assert (code, found["rows"]["same"]) == (0, 4)


@pytest.mark.parametrize(
    "words",
    [
        "cars@{first}",
        "{cars}@{first}",
        "{cars}@{between}",
        "{cars}@{between}Z",
        "{cars}.snapshot_id_{first}",
        "{cars} version as of {first}",
        "{cars} FOR TIMESTAMP AS OF '{between}'",
        "model.small.cars@{first}",
    ],
)
def test_words_for_a_version(small, found_by, words):
    side = found_by(words.format(**vars(small)))
    assert side.frame.count() == 4
    assert side.node["name"] == "cars"


def test_column_of_a_held_back_build_is_visible(spark, small, answer):
    """The column is in the branch's snapshot, but not in the current schema that queries use."""
    name = f"{small.schema}.wider"
    spark.sql(f"create table {name} using iceberg as select 1 as id")
    spark.sql(f"alter table {name} add column added int")
    spark.sql(f"alter table {name} create branch later")
    spark.sql(f"insert into {name}.branch_later values (2, 3)")
    spark.sql(f"alter table {name} drop column added")
    code, found = answer(name, f"{name}@later", "--key", "id")
    assert code == 1
    assert [column["name"] for column in found["columns"]["only_new"]] == ["added"]


# ---- from Parquet


def test_old_gold_has_one_row_per_event(small, answer, parquet, capsys, tmp_path):
    old = parquet(
        f"{CARS}, id * 10 + visit as event_id, visit as internal "
        "from range(5) lateral view explode(sequence(1, 9)) as visit"
    )
    code, found = answer(old, small.cars)
    assert code == 1
    note = "The old table has 45 rows for 5 id: one per event_id."
    assert note in found["notes"]
    assert found["old"]["one_row_per"] == ["event_id"]
    assert found["rows"]["more_old"]["rows"] == 40
    assert [each["name"] for each in found["columns"]["only_old"]] == ["event_id", "internal"]

    page = tmp_path / "page.html"
    assert small.compare(old, small.cars, "--html", page) == 1
    out, err = capsys.readouterr()
    assert note in out.splitlines() and out.splitlines()[-2] == "The tables differ."
    assert "Matching the rows of both … done" in err
    assert note in page.read_text()


@pytest.mark.parametrize("form", ["folder", "file", "partitions", "no-slash.parquet"])
def test_parquet_in_any_form(answer, parquet, monkeypatch, tmp_path, form):
    query = f"{CARS} from range(5)"
    folder = parquet(query, ["name"] if form == "partitions" else [], name=form)
    old = next(folder.glob("*.parquet")) if form == "file" else folder
    if form.startswith("no-slash"):
        monkeypatch.chdir(tmp_path)
        old = form
    code, found = answer(old, "cars", "--ignore", "secret")
    assert (code, found["rows"]["same"]) == (0, 5)


def test_files_with_different_columns_have_all_of_them(spark, answer, tmp_path):
    for name, query in {"a": "1 as id", "b": "2 as id, 'x' as more"}.items():
        spark.sql(f"select {query}").write.mode("append").parquet(str(tmp_path / "old"))
        spark.sql(f"select {query}").write.parquet(str(tmp_path / name))
    code, found = answer(tmp_path / "old", tmp_path / "a", "--key", "id")
    assert code == 1
    assert [each["name"] for each in found["columns"]["only_old"]] == ["more"]


@pytest.mark.slow
def test_empty_tables(answer, parquet):
    empty = parquet(f"{CARS} from range(0)")
    code, found = answer(empty, empty, "--key", "id")
    assert (code, found["equal"]) == (0, True)
    assert found["notes"][:2] == ["The old table is empty.", "The new table is empty."]
    code, found = answer(empty, "cars", "--ignore", "secret")
    assert (code, found["rows"]["only_new"]["rows"]) == (1, 5)


def test_no_common_column_except_the_key(answer, parquet):
    code, found = answer(parquet("select id as ID, 1 as x from range(5)"), "cars", "--key", "id")
    assert code == 1
    assert any("share no column outside the key" in note for note in found["notes"])
    assert found["rows"]["same"] == 5


@pytest.mark.slow
def test_a_tolerance_and_a_null_key(answer, parquet):
    old = parquet(f"{CARS} from range(5) union all select null, null, null, null")
    code, found = answer(old, "cars", "--ignore", "secret", "--tolerance", "worth=0.5")
    assert code == 1
    assert "1 row of the old table has no id (null)." in found["notes"]
    near = parquet("select id, id * 6D + 0.25D as worth from range(5)", name="near")
    options = ("--ignore", "secret,name", "--ignore", "id2", "--tolerance", "worth=0.5")
    code, error = answer(near, "cars", *options)
    assert (code, error) == (2, "Cannot compare: --ignore id2: neither table has such a column")
    code, found = answer(near, "cars", *options[:2], *options[4:])
    assert (code, found["rows"]["within_tolerance"]) == (1, 5)  # id has another type


# ---- hidden values


@pytest.mark.slow
def test_values_of_marked_columns_are_not_shown(small, answer, parquet, capsys, tmp_path):
    old = parquet(f"{CARS}, 7777 as internal from range(5)")
    page = tmp_path / "page.html"
    code, found = answer(old, "cars", "--html", page)
    assert code == 1
    assert found["hidden"] == {"internal": "stays_in", "secret": "pii"}
    (changed,) = found["columns"]["changed"]
    assert (changed["name"], changed["rows"], changed["examples"]) == ("secret", 5, [])
    assert small.compare(old, "cars") == 1
    for shown in (page.read_text(), *capsys.readouterr()):
        assert "secret1" not in shown and "7777" not in shown
    code, found = answer(old, "cars", "--show-marked")
    assert found["columns"]["changed"][0]["examples"][0]["new"] == "secret03"
    # The values of a marked key are not shown either.
    code, found = answer(f"cars@{small.first}", "cars", "--key", "secret")
    assert found["rows"]["only_old"] == {"rows": 4, "keys": 4, "examples": []}


# ---- differences explained by code changes


def test_what_a_change_of_the_code_explains(small, answer):
    """The code of `worth` has changed. For `secret`, only the data has."""
    folder = small.dbt.project_dir
    lineage = ("--lineage-before", folder / "before.json")
    code, found = answer(f"cars@{small.first}", "cars", *lineage)
    assert code == 1
    told = {column["name"]: column["explained"] for column in found["columns"]["changed"]}
    assert told == {
        "worth": "explained: the code computes it differently",
        "secret": "not explained by the code",
    }
    assert found["rows"]["explained"] == "not explained by the code"
    assert found["explained_by"].endswith("before.json")
    code, error = answer("cars", "cars", "--lineage-before", folder / "nix.json")
    assert code == 2 and error.startswith("Cannot compare: there is no ")
    with environment(DBT_TARGET_PATH=str(folder / "elsewhere")):
        code, error = answer("cars", "cars", *lineage)
    assert code == 2 and "elsewhere/column_lineage.json: `dbt build` writes it" in error


@pytest.mark.full
def test_what_the_change_since_a_commit_explains(dbt, spark, tmp_path, schema, capsys):
    repository = Repository(tmp_path / "repository", PROJECT)
    shutil.copy(ROOT / "profiles.yml", repository.root)
    repository.commit()
    project = make_project(dbt, repository.root, {})
    (repository.root / "dbt_project.yml").write_text(PROJECT["dbt_project.yml"])
    assert project("build", schema=schema).success
    tables.forget(spark, f"{schema}.cars")
    first = tables.newest_snapshot(spark, f"{schema}.cars", None)
    cars = repository.root / "models/cars.sql"
    cars.write_text(cars.read_text().replace("worth * 2", "worth * 4"))
    assert project("build", schema=schema).success
    capsys.readouterr()
    settings = {"LAKEHOUSE_HOME": str(dbt.home), "LAKEHOUSE_SCHEMA": schema}
    options = ["--base", "main", "--json", "-", "--target", "ci"]
    where = ["--project-dir", str(repository.root), "--profiles-dir", str(repository.root)]
    with environment(**settings):
        code = run(["compare", "--old", f"cars@{first}", "--new", "cars", *options, *where])
    out, err = capsys.readouterr()
    assert code == 1, err
    found = json.loads(out)
    (worth,) = found["columns"]["changed"]
    assert worth["name"] == "worth"
    assert worth["explained"] == "explained: the code computes it differently"
    assert found["rows"]["explained"] == "not explained by the code"
    assert found["explained_by"].startswith("the code since main (")


# ---- the documentation

COMMAND = re.compile(r"^    uv run dbt-spark-contracts (compare (?:.*\\\n)*.*)", re.MULTILINE)


def documented():
    """Return the documented commands, except those with --base, which is tested above."""
    pages = [ROOT / "docs/compare.md", ROOT / "docs/operations.md"]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    found = [each.replace("\\\n", " ") for text in texts for each in COMMAND.findall(text)]
    assert len(found) >= 7
    return list(dict.fromkeys(each for each in found if "--base" not in each))


@pytest.mark.parametrize("command", documented())
def test_each_documented_command_runs(small, parquet, capsys, tmp_path, command):
    """The names in the command are replaced by those of the small project."""
    run_named = re.search(r"@(dbt_\w+)", command)
    names = {
        "/data/old_gold": parquet(f"{CARS} from range(4)"),
        "gold_car_current_state": "cars",
        "gold_processing_timestamp": "secret",
        "current_mileage_km": "worth",
        "2026-01-14 18:00": small.between.replace("T", " "),
        "report.html": tmp_path / "report.html",
        "before/column_lineage.json": small.dbt.project_dir / "before.json",
        **({run_named[1]: small.branch} if run_named else {}),
    }
    for name, value in names.items():
        command = command.replace(name, str(value))
    _, *options = shlex.split(command)
    assert small.dbt.tool("compare", *options, schema=small.schema) in (0, 1)
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("old  "), err


# ---- errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("/no/such/folder", "there is no /no/such/folder: give files or a folder"),
        ("{folder}/models", " is not a Parquet file"),
        ("{folder}/empty", "contains no Parquet file: give a folder that does"),
        ("{folder}/models/cars.sql", "cars.sql cannot be read: "),
        ("{home}/warehouse/{schema}/cars", "is the folder of an Iceberg table"),
        ("{home}/warehouse/{schema}/cars/data", "is the folder of an Iceberg table"),
        ("s4://bucket/x", 'No FileSystem for scheme "s4"'),
        ("nix", "has no table nix: name a table, a model, or a path"),
        ("{schema}.carz", "has no table {schema}.carz: is it {schema}.cars?"),
        ("a b", "'a b' is not the name of a table"),
        ("cars@nix", "cars has no branch, tag, snapshot, published run or time 'nix': it has "),
        ("cars@dbt_20200101t000000_00000000", "cars has no branch, tag, snapshot, published"),
        ("cars@12345678", "cars has no snapshot 12345678 (or no longer): it has main"),
        ("cars@2001-01-01", "cars has no version 2001-01-01 (or no longer)"),
        ("cars@2001-13-01", "published run or time '2001-13-01'"),
    ],
)
def test_unknown_table_is_one_line(small, found_by, words, said):
    known = {"folder": small.dbt.project_dir, "home": small.dbt.home, "schema": small.schema}
    (small.dbt.project_dir / "empty").mkdir(exist_ok=True)
    with pytest.raises(CannotCompare) as told:
        found_by(words.format(**known))
    assert said.format(**known) in str(told.value)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "options", "said"),
    [
        ("nix", (), "has no table nix: "),
        ("raw", ("--key", "internal"), "only the old table has internal: choose a --key that"),
        ("cars", ("--base", "main"), "--base main: "),
    ],
)
def test_what_cannot_be_compared_is_one_line(small, capsys, old, options, said):
    code = small.compare(old, "cars", *options)
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if " … " not in line]
    assert (code, out, len(lines)) == (2, "", 1), err
    assert lines[0].startswith("Cannot compare: ") and said in lines[0]


def test_no_key_is_one_line(answer):
    code, error = answer("raw", "raw")
    assert code == 2
    assert error == (
        "Cannot compare: no model with a primary key in its contract is compared: give a --key"
    )


def test_a_key_that_is_null_in_each_row_is_one_line(answer, parquet):
    old = parquet("select cast(null as int) as id from range(5)")
    code, error = answer(old, "cars")
    assert code == 2
    assert error == "Cannot compare: id is null in each row of the old table: choose another --key"


def test_a_broken_file_is_one_line(answer, parquet):
    (file,) = parquet(f"{CARS} from range(50000)").glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(b"x" * 2000 + whole[2000:])
    (file.parent / f".{file.name}.crc").unlink(missing_ok=True)
    code, error = answer(file, "cars")
    assert code == 2
    assert error.startswith("Cannot compare: ") and "cannot be read: " in error


@pytest.mark.parametrize(
    "options",
    [("--tolerance", "worth"), ("--tolerance", "worth=-1"), ("--tolerance", "worth=nan"),
     ("--examples", "-1"), ("--base", "a", "--lineage-before", "b")],
)  # fmt: skip
def test_options_that_say_nothing(small, capsys, options):
    assert small.compare("cars", "cars", *options) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("Error: ")


@pytest.mark.skipif(sys.platform == "win32", reason="folders of another system")
def test_a_report_that_cannot_be_written_is_one_line(small, capsys, tmp_path):
    (tmp_path / "file").touch()
    assert small.compare("cars", "cars", "--html", tmp_path / "file" / "page.html") == 2
    assert "page.html cannot be written" in capsys.readouterr().err.splitlines()[-1]


def test_nothing_is_written(small, answer):
    def files():
        return {path for path in (small.dbt.home / "warehouse").rglob("*") if path.is_file()}

    before = files()
    assert answer(f"cars@{small.first}", f"cars@{small.branch}")[0] == 1
    assert files() == before


def test_no_folder_of_a_project_is_one_line(capsys, tmp_path):
    where = ["--project-dir", str(tmp_path)]
    assert run(["compare", "--old", "a", "--new", "b", *where]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if " … " not in line]
    assert "has no dbt_project.yml" in line

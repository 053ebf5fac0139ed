"""A standalone Spark cluster whose workers have another Python environment, without the project.

The commands of docs/clusters.md run as they are, except for hosts and sizes.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest
from dbt_spark_contracts.spark.java import find_java_home
from dbt_spark_contracts.spark.settings import bundled_iceberg_jar

from tests.support.dbt_runner import ROOT
from tests.support.lakehouse_on_s3 import AS_OF, PAGE, LakehouseOnS3, landings
from tests.support.published import published

FILES = {
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table, +checkpoint: true}
seeds: {+file_format: iceberg}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
    "seeds/names.csv": "file,name\na.json,ann\nb.json,bob\n",
    "models/sources.yml": """
sources:
  - name: landing
    tables: [{name: words, external: {location: "{{ var('landing_path') }}"}}]
""",
    "words/__init__.py": "",
    "words/loud.py": """
import os
import sys


def shout(text):
    return [text.upper(), sys.prefix, os.getcwd(), __file__]
""",
    "models/gold_loud.py": """
from pyspark.sql import functions as F

from words import loud

shout = F.udf(loud.shout, "array<string>")


def model(dbt, spark):
    files = dbt.source("landing", "words").selectExpr(
        "relative_path as file", "cast(content as string) as word"
    )
    told = files.join(dbt.ref("names"), "file").select("name", shout("word").alias("told"))
    return told.select(
        "name", *(told.told[place].alias(f"told_{place}") for place in range(4))
    ).withColumn("on_the_driver", F.lit(loud.__file__))
""",
}


class Small:
    """A project whose landing folder and tables are on a disk shared by driver and workers."""

    def __init__(self, folder: Path, master: str) -> None:
        self.project, self.shared = folder / "project", folder / "shared"
        for name, text in FILES.items():
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_text(text)
        (self.shared / "landing").mkdir(parents=True)
        (self.shared / "warehouse").mkdir()
        for name in ("a", "b"):
            (self.shared / f"landing/{name}.json").write_text(name)
        ours = ("LAKEHOUSE_", "DBT_", "SPARK_", "PYSPARK_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment = clean | {
            # The driver uses the `python3` of its environment. Each worker has another environment.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "JAVA_HOME": str(find_java_home()),
            "DBT_PROFILES_DIR": str(ROOT),
            "DBT_SPARK_POOL": "off",
            "LAKEHOUSE_MASTER": master,
            "LAKEHOUSE_WAREHOUSE": f"file://{self.shared}/warehouse",
            "LAKEHOUSE_CHECKPOINTS": f"file://{self.shared}/checkpoints",
            "LAKEHOUSE_DRIVER_MEMORY": "1g",
            "LAKEHOUSE_SHUFFLE_PARTITIONS": "2",
        }

    def run(self, *command: object, **variables: str) -> str:
        """Run a command that builds the project, and return its output."""
        options = ["--vars", f"landing_path: file://{self.shared}/landing"]
        done = subprocess.run(
            [*map(str, command), "build", "--target", "cluster", *options],
            **{"cwd": self.project, "env": self.environment | variables},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True},
        )
        return done.stdout

    def rows(self) -> list[dict]:
        """Return the rows of the model."""
        table = published("cluster.gold_loud", self.shared)
        return sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["name"])


@pytest.mark.engines
def test_functions_of_models_run_on_workers_that_lack_the_project(cluster, tmp_path):
    small = Small(tmp_path, cluster)
    dbt = (sys.executable, "-m", "dbt.cli.main")

    told = small.run(*dbt)
    assert "Published 2 tables" in told, told
    found = small.rows()
    assert [(row["name"], row["told_0"]) for row in found] == [("ann", "A"), ("bob", "B")]
    for row in found:
        assert row["told_1"] != sys.prefix
        assert re.search(r"/worker[12]/work/", row["told_2"])
        assert row["told_3"].endswith("/dbt_project_code.zip/words/loud.py")
        assert row["on_the_driver"] == str(small.project / "words/loud.py")

    # A local path would be a different folder on each machine.
    told = small.run(*dbt, LAKEHOUSE_CHECKPOINTS=".lakehouse/checkpoints")
    assert (
        f"spark.checkpoint.dir is {small.project}/.lakehouse/checkpoints, and the executors"
    ) in told


@pytest.mark.engines
def test_spark_submit_starts_dbt(cluster, tmp_path):
    """The command and the program of docs/clusters.md start dbt."""
    small = Small(tmp_path, cluster)
    (command,) = re.findall(r"^spark-submit .*$", PAGE.replace("\\\n", ""), re.M)
    jar = bundled_iceberg_jar()
    for text, here in {
        "spark-submit": str(Path(pyspark.__file__).parent / "bin/spark-submit"),
        "spark://host:7077": cluster,
        "4g": "512m",
        f"/jars/{jar.name}": str(jar),
        " build --target cluster": "",
    }.items():
        assert text in command
        command = command.replace(text, here)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (small.project / "run_dbt.py").write_text(program)
    told = small.run(*shlex.split(command))
    assert "Published 2 tables" in told, told
    assert [row["told_0"] for row in small.rows()] == ["A", "B"]


@pytest.mark.engines
@pytest.mark.full
def test_this_project_on_a_cluster_and_an_object_store(cluster, store, local_builds, tmp_path):
    lakehouse = LakehouseOnS3(store, "cluster", tmp_path, cluster)
    # The second build has not written the seed again.
    for files, expected, count in zip(landings(), local_builds, (8, 7), strict=True):
        for name, content in files.items():
            lakehouse.land(name, content)
        told = lakehouse.build(as_of_date=AS_OF)
        assert f"Published {count} tables" in told
        assert lakehouse.rows() == expected
    assert lakehouse.keys("checkpoints/") == []

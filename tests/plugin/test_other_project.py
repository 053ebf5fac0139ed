"""The plugin's wheel in a second, tiny dbt project that is not ours."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.support.dbt_runner import ROOT

PLUGIN = ROOT / "python_jobs" / "dbt_spark_contracts"

ORDERS = "select 1L as order_id, cast(9.5 as decimal(12,2)) as amount, 'a@b.c' as customer_mail"
REVENUE = """
def model(dbt, spark):
    return dbt.ref("orders").select({columns})
"""
CONTRACTS = """
models:
  - name: orders
    config: {contract: {enforced: false}}
  - name: revenue
    columns:
      - {name: order_id, data_type: bigint}
      - {name: amount, data_type: "decimal(12,2)"}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the plugin's wheel is installed into."""
    uv = shutil.which("uv")
    if not uv:
        pytest.skip("uv, which builds the wheel, is not on the PATH")
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    subprocess.run([uv, "build", "--wheel", "--out-dir", wheels, PLUGIN], check=True)
    wheel = next(wheels.glob("*.whl"))
    install = [uv, "pip", "install", "--python", sys.executable, "--no-deps", "--target", site]
    subprocess.run([*install, wheel], check=True)
    return site


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The README's project: its profile, its five lines and its hooks, and two models."""
    folder = tmp_path_factory.mktemp("shop")
    readme = (PLUGIN / "README.md").read_text()
    profile, five_lines, hooks = re.findall(r"```yaml\n(.*?)```", readme, re.S)
    (folder / "profiles.yml").write_text(profile)
    (folder / "dbt_project.yml").write_text(f"name: shop\nprofile: shop\n{five_lines}{hooks}")
    (folder / "models").mkdir()
    (folder / "models/orders.sql").write_text(ORDERS)
    (folder / "models/models.yml").write_text(CONTRACTS)
    return folder


def run(shop, site, columns):
    (shop / "models/revenue.py").write_text(REVENUE.format(columns=columns))
    # The installed plugin comes before the repository's own, which the tests run with.
    environment = {**os.environ, "PYTHONPATH": str(site)}
    dbt = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "run"]
    return subprocess.run(dbt, cwd=shop, env=environment, capture_output=True, text=True)


def test_a_leak_is_blocked(installed, shop):
    clean = run(shop, installed, '"order_id", "amount"')
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "Published 2 tables." in clean.stdout
    before = sorted(shop.glob("warehouse/shop/revenue/**/*"))

    leaking = run(shop, installed, '"*"')
    assert leaking.returncode == 1
    assert re.search(r"\| customer_mail +\| string +\| +\| missing in contract", leaking.stdout)
    assert "Nothing was published" in leaking.stdout
    assert sorted(shop.glob("warehouse/shop/revenue/**/*")) == before


def test_the_wheel_has_what_is_not_python(installed):
    package = installed / "dbt_spark_contracts"
    assert (package / "macros/materializations/table.sql").exists()
    assert (package / "macros/contract/contract.sql").exists()
    assert (package / "macros/publish/begin_run.sql").exists()
    assert (package / "athena_macros/contract.sql").exists()
    assert (package / "dbt_project.yml").exists()
    assert (package / "spark/log4j2.properties").exists()

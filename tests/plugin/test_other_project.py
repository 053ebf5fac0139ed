"""The package in another dbt project, installed as a user installs it.

The environment is new and has the dependencies in the versions of uv.lock. The project is
`examples/other_project`.
"""

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.support.dbt_runner import ROOT
from tests.support.packages import uv, virtual_environment
from tests.support.repository import Repository

PLUGIN = ROOT / "python_jobs" / "dbt_spark_contracts"

EXAMPLE = ROOT / "examples" / "other_project"

# Personal data under another name in a contract, and a view, which a catalog in a folder does not
# support.
CONTACTS = {
    "models/marts/contacts.sql": """
select upper(customer_mail) as contact from {{ ref('stg_payments') }}
""",
    "models/marts/contacts.yml": """
models:
  - name: contacts
    columns: [{name: contact, data_type: string}]
""",
    "models/marts/recent.sql": """
{{ config(materialized='view', contract={'enforced': false}) }}
select order_id from {{ ref('stg_payments') }}
""",
}
HOOKS = ".pre-commit-hooks.yaml"
LEAK = r"\| customer_mail +\| string +\| +\| missing in contract"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the folder with the sdist and the wheel.

    They are built from a copy, so they cannot use files outside the package. A release sets
    DISTRIBUTIONS to the files that it has built.
    """
    if given := os.environ.get("DISTRIBUTIONS"):
        return ROOT / given
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(PLUGIN, folder / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    command = [uv(), "build", "--quiet", "--sdist", "--wheel", "--out-dir", folder, folder / "copy"]
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


def install(environment: Path, package: Path) -> Path:
    """Create an environment with the example's requirements and this package. Return its bin."""
    locked = environment.with_suffix(".txt")
    export = [uv(), "export", "--frozen", "--quiet", "--no-hashes", "--group", "lint"]
    with locked.open("w") as file:
        subprocess.run(
            [*export, "--no-emit-package", "dbt-spark-contracts"], cwd=ROOT, check=True, stdout=file
        )
    wanted = ("--constraint", locked, "--requirement", EXAMPLE / "requirements.txt")
    return virtual_environment(
        environment, *wanted, f"dbt-spark-contracts @ {package.as_uri()}"
    ).parent


def make_shop(folder: Path) -> Repository:
    """Return the example as a git repository with origin/main and a branch."""
    shop = Repository(folder, source=EXAMPLE)
    shop.git("update-ref", "refs/remotes/origin/main", "HEAD")
    shop.begin_branch()
    return shop


def run(bin: Path, shop: Repository, command: str, **variables: str) -> tuple[int, str]:
    """Run a shell command in the project. Return its exit code and output."""
    # Remove variables that would make this checkout's package visible, and those of GitHub.
    ours = ("PYTHON", "GITHUB_", "VIRTUAL_ENV")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = os.pathsep.join([str(bin), clean["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=shop.root,
        env={**clean, "PATH": path, "DBT_USE_COLORS": "false", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("whl", marks=pytest.mark.slow),
        pytest.param("tar.gz", marks=pytest.mark.full),
    ],
)
def test_a_project_like_everybodys(built, tmp_path, kind):
    bin = install(tmp_path / "environment", next(built.glob(f"*.{kind}")))
    shop = make_shop(tmp_path / "shop")

    # A leak in SQL or Python is blocked, also under another name. A view is refused.
    orders, revenue = "models/marts/orders.sql", "models/marts/revenue_per_day.py"
    shop.change(orders, "amount", "amount,\n    customer_mail")
    shop.change(revenue, "agg(", 'agg(F.max("customer_mail").alias("customer_mail"), ')
    shop.change(revenue, 'select("paid_on"', 'select("customer_mail", "paid_on"')
    for file, text in CONTACTS.items():
        shop.write(file, text)
    code, said = run(bin, shop, "dbt build")
    assert code == 1, said
    assert len(re.findall(LEAK, said)) == 2, said
    assert "contacts.contact is made of stg_payments.customer_mail" in said, said
    assert "the catalog lake has no views: set `materialized: table`" in said
    assert "OK loaded seed file shop_staging.payments" in said, said
    assert "PASS unique_stg_payments_order_id" in said
    assert "Nothing was published" in said
    warehouse = shop.root / "warehouse"
    assert (warehouse / "shop_staging/stg_payments").is_dir()
    assert not (warehouse / "shop_marts/orders").exists()

    # `dbt retry` builds them as `dbt build` does.
    shop.git("checkout", "--quiet", "--", orders, revenue)
    shop.change("models/marts/contacts.sql", "upper(customer_mail)", "'ask sales'")
    shop.change("models/marts/recent.sql", "view", "table")
    code, said = run(bin, shop, "dbt retry")
    assert code == 0, said
    for name in (
        "sql table model shop_marts.orders",
        "python table model shop_marts.revenue_per_day",
    ):
        assert f"OK created {name}" in said, said
    assert "OK snapshotted shop_marts.orders_snapshot" in said, said
    assert re.search(r"Published \d tables", said), said
    assert not re.search(
        r"create or replace table shop_\w+\.(\w+)\b",
        (shop.root / "logs/dbt.log").read_text(),
        re.IGNORECASE,
    )

    if kind == "tar.gz":
        (shop.root / "models/marts/recent.sql").unlink()  # it has no contract
        shop.commit()
        _run_what_the_example_documents(bin, shop, tmp_path)


def _run_what_the_example_documents(bin: Path, shop: Repository, folder: Path) -> None:
    """Run the commands of its README, `dbt docs generate`, its hook and its workflow's action."""
    block = re.search(r"## Commands\n+```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.S)
    for command in [*block[1].splitlines(), "dbt docs generate"]:
        code, said = run(bin, shop, command)
        assert code == 0, f"{command}\n{said}"
    assert "revenue_per_day" in (shop.root / "target/catalog.json").read_text()

    # The repository of the hook, with the current files.
    guard = Repository(folder / "guard", {HOOKS: (ROOT / HOOKS).read_text()})
    guard.git("tag", "v" + re.search(r"==(.*)", (EXAMPLE / "requirements.txt").read_text())[1])
    instead = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{guard.root.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/owner/repository",
        "PRE_COMMIT_HOME": str(folder / "pre-commit"),
    }
    code, said = run(bin, shop, "pre-commit run --all-files --verbose", **instead)
    assert code == 0 and "Pull request check: no problems" in said, said

    shop.change("models/marts/contacts.sql", "'ask sales'", "customer_mail")
    shop.commit()
    workflow = yaml.safe_load((EXAMPLE / ".github/workflows/pull_request.yml").read_text())
    (used,) = [step for step in workflow["jobs"]["check"]["steps"] if "repository@" in str(step)]
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    given = {name: each["default"] for name, each in action["inputs"].items()} | used["with"]
    # Without GitHub there is no base branch from an event, and no comment.
    given |= {"base": "origin/main", "github-token": ""}
    (step,) = action["runs"]["steps"]
    inputs = {
        name: re.sub(r"\${{ inputs\.([\w-]+) }}", lambda found: given[found[1]], value)
        for name, value in step["env"].items()
    }
    code, said = run(bin, shop, step["run"], **inputs)
    assert code == 1 and "contacts.contact is stg_payments.customer_mail" in said, said


@pytest.mark.quick
def test_the_readme_shows_what_the_example_has():
    blocks = re.findall(r"```yaml\n(.*?)```", (PLUGIN / "README.md").read_text(), re.S)
    profile, settings, hooks = map(yaml.safe_load, blocks)
    (shown,) = profile["shop"]["outputs"].items()
    profiles = yaml.safe_load((EXAMPLE / "profiles.yml").read_text())["shop"]
    assert (profile["shop"]["target"], profiles["outputs"][shown[0]]) == (
        profiles["target"],
        shown[1],
    )
    project = yaml.safe_load((EXAMPLE / "dbt_project.yml").read_text())
    for key, value in (settings | hooks).items():
        held = project[key] if isinstance(value, str) else project[key].items()
        assert held == value if isinstance(value, str) else value.items() <= held, key

"""Every model, source, exposure and column has a description."""

import json

import pytest
from dbt_spark_contracts.dbt_docs.overview import tables_of

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def manifest(dbt):
    """Return the manifest of this project."""
    assert dbt("parse").success
    return json.loads((dbt.target_path / "manifest.json").read_text())


def described(manifest):
    """Yield the nodes that need a description, including exposures and singular tests."""
    for node in [*manifest["nodes"].values(), *manifest["sources"].values()]:
        # The names of generic tests say what they test.
        if node["resource_type"] in ("model", "seed", "source", "test") and not node.get(
            "test_metadata"
        ):
            yield node
    yield from manifest["exposures"].values()


def test_every_node_and_each_of_its_columns_has_a_description(manifest):
    nodes = [*described(manifest)]
    assert {node["resource_type"] for node in nodes} == {
        *("model", "seed", "source", "exposure", "test")
    }
    lacking = [node["unique_id"] for node in nodes if not node["description"].strip()]
    for node in nodes:
        columns = node.get("columns", {}).values()
        if node["resource_type"] in ("model", "seed", "source"):
            assert columns, node["unique_id"]
        lacking += [
            f"{node['unique_id']}.{column['name']}"
            for column in columns
            if not column["description"].strip()
        ]
    assert lacking == []


def test_the_page_of_gold_names_each_table_and_reader(manifest):
    assert "doc.car_lakehouse.__gold__" in manifest["docs"]
    page = tables_of("gold", manifest, {"nodes": {}})
    gold = [id for id, node in manifest["nodes"].items() if node["fqn"][1] == "gold"]
    wanted = [
        *(f"#!/model/{id}" for id in gold if id.startswith("model.")),
        *(f"#!/exposure/{id}" for id in manifest["exposures"]),
    ]
    assert len(wanted) >= 6
    assert [link for link in wanted if f"({link})" not in page] == []


def test_every_exposure_says_whom_to_ask_and_what_it_reads(manifest):
    exposures = manifest["exposures"].values()
    assert {exposure["name"] for exposure in exposures} >= {
        *("fleet_dashboard", "insurance_desk", "maintenance_shop")
    }
    read = set()
    for exposure in exposures:
        assert exposure["owner"]["name"] and "@" in exposure["owner"]["email"], exposure["name"]
        assert exposure["depends_on"]["nodes"], exposure["name"]
        read.update(exposure["depends_on"]["nodes"])
    # Exposures read only Gold tables, and each Gold table has an exposure.
    assert read == {id for id in manifest["nodes"] if id.startswith("model.car_lakehouse.gold_")}

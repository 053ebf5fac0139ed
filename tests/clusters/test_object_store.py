"""Landing files, tables and checkpoints on an S3 server, as in docs/clusters.md."""

import re

import pytest

from tests.support.lakehouse_on_s3 import AS_OF, LakehouseOnS3, landings

TOOL = "dbt_spark_contracts"


@pytest.mark.full
def test_this_project_on_an_object_store(store, local_builds, tmp_path):
    """Build, hold a build back, publish it, roll it back, and maintain the tables."""
    lakehouse = LakehouseOnS3(store, "fleet", tmp_path, "local[2]")
    first, second = landings()
    for name, content in first.items():
        lakehouse.land(name, content)
    assert "Published 8 tables" in lakehouse.build(as_of_date=AS_OF)
    assert lakehouse.rows() == local_builds[0]

    # A new file and a changed one. This build fails because all events are too old.
    for name, content in second.items():
        lakehouse.land(name, content)
    told = lakehouse.build(
        *("--warn-error-options", "{error: [LogTestResult]}"),
        succeeds=False,
        newest_event_within_days=1,
        as_of_date=AS_OF,
    )
    (branch,) = re.findall(r"held back on the branch (\w+)", told)
    assert lakehouse.rows() == local_builds[0]
    # The failing test is on Silver, so Gold was not built. The seed has not changed.
    told = lakehouse.run(TOOL, "publish", branch)
    assert "Published 4 tables" in told
    found = lakehouse.rows()
    for name, rows in found.items():
        assert rows == local_builds[not name.startswith("gold_")][name]
    assert "Published" in lakehouse.build(as_of_date=AS_OF)
    assert lakehouse.rows() == local_builds[1]

    told = lakehouse.run(TOOL, "maintain")
    assert "compact:" in told and "delete orphans:" in told
    assert lakehouse.rows() == local_builds[1], told

    runs = re.findall(r"published +(dbt_\w+)", lakehouse.run(TOOL, "history"))
    run = runs[-1]  # the newest is listed first
    told = lakehouse.run(TOOL, "roll-back", run)
    assert lakehouse.rows() == local_builds[0], told

    told = lakehouse.run(TOOL, "erase", "--column", "car_chassis", "--value", "nobody's")
    assert "Nothing holds it." in told
    # All checkpoints are deleted, and no table data is on the local disk.
    assert lakehouse.keys("checkpoints/") == []
    assert {file.name for file in tmp_path.iterdir()} == {
        *("catalog.db", "logs", "profiles.yml", "target")
    }

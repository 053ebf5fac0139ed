"""A hook's `delete`, `update` or `merge` is written to the run's branch and published with it.

Iceberg checks main's files to decide whether a delete drops whole files, and then deletes from the
branch.
"""

from tests.support.dbt_runner import AUDITED

FILES = {
    "dbt_project.yml": AUDITED,
    "models/kept.sql": """
{{ config(partition_by=['part'], post_hook=[
    'delete from {{ this }} where id = 1', "delete from {{ this }} where part = 'odd' and id > 90",
    "update {{ this }} set part = 'zero' where id = 0", "delete from {{ this }} where part = 'none'"
]) }}
select id, if(id % 2 = 0, 'even', 'odd') as part from range(0, 100, 1, 1)
""",
    "tests/fails.sql": """
-- depends_on: {{ ref('kept') }}
select 1 as one where {{ var('fails', false) }}
""",
}
LEFT = sorted({*range(100)} - {1, *range(91, 100, 2)})


def test_a_hooks_delete_goes_to_the_branch(small_project, read, spark, schema):
    project = small_project(FILES)

    def ids():
        return sorted(row["id"] for row in read(schema, "kept"))

    def rules():
        return spark.conf.get("spark.sql.optimizer.excludedRules", "")

    # A held-back run and a published one, first with an empty main and then with rows in main.
    for fails in (True, False, True, False):
        before = [] if not spark.catalog.tableExists(f"{schema}.kept") else ids()
        result = project("build", schema=schema, fails=fails)
        assert result.success is not fails, result.text
        assert result.status["kept"] == "success"
        assert ids() == (before if fails else LEFT)
        assert rules() == "", "the session is as it was"
    assert sum(row["part"] == "zero" for row in read(schema, "kept")) == 1
    # Without a branch.
    result = project("run", schema=schema, write_audit_publish=False)
    assert result.success, result.text
    assert ids() == LEFT

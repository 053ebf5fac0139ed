"""Facts from Spark's query plans, read from the Java objects behind a DataFrame.

pyspark has no API for them. `tests/contracts/test_spark_plan.py` fails when Spark changes them.
"""

from dbt_spark_contracts.compat import pyspark as compat
from dbt_spark_contracts.plan import nullability
from dbt_spark_contracts.plan.nodes import analyzed_plan


def require_query(session, sql: str) -> None:
    """Check that `sql` is a single query. It is only parsed.

    Raises:
        ParseException: If it is not.
    """
    # Spark's parser of queries alone stops at the end of the query and ignores the rest.
    compat.sql_parser(session).parsePlan(f"create or replace temporary view staged as\n{sql}")


def columns(frame) -> list[dict]:
    """Return the DataFrame's columns, in order.

    Returns:
        A dict of name, data_type (Spark's full simple string), nullable and comment per column.
        `describe` would truncate a long struct, and does not return nullability.
    """
    return [
        {
            "name": field.name,
            "data_type": field.dataType.simpleString(),
            "nullable": field.nullable,
            "comment": field.metadata.get("comment") or "",
        }
        for field in frame.schema.fields
    ]


def never_null(frame, columns: list[str]) -> list[str]:
    """Return those of the `columns` that the analyzed plan proves to hold no null.

    A proof is a column that is not null in its table, an expression that is never null (a count, a
    coalesce with a literal), or a `where x is not null`, which a DataFrame's own schema does not
    reflect. Spark's own constraints would work too, but take minutes and gigabytes for a wide plan.
    No Spark job.
    """
    if not columns:
        return []
    plan = analyzed_plan(frame)
    proven = dict(zip(frame.columns, nullability.never_null(plan), strict=True))
    return [name for name in columns if proven[name]]


def is_deterministic(frame) -> bool:
    """Return whether the DataFrame gives the same rows each time. No Spark job.

    It does not with uuid(), rand() or monotonically_increasing_id() anywhere in its plan.
    """
    return compat.analyzed_plan(frame).deterministic()


def is_made_row_by_row(frame, below) -> bool:
    """Return whether the one column of `frame` depends on a single row of `below`.

    It does not with an aggregate, a window, a generator, a sub-query, or a random value.
    """
    plan = compat.analyzed_plan(frame)
    return (
        plan.nodeName() == "Project"
        and plan.child().fastEquals(compat.analyzed_plan(below))
        and plan.subqueries().isEmpty()
        and plan.projectList().apply(0).deterministic()
    )

"""What Spark's query plans tell, through the JVM objects behind a DataFrame (pyspark has no API).

`tests/contracts/test_spark_plan.py` fails when Spark changes them.
"""

from dbt_spark_contracts.compat import pyspark as compat
from dbt_spark_contracts.plan import nullability
from dbt_spark_contracts.plan.nodes import analyzed_plan


def require_query(session, sql: str) -> None:
    """Raises pyspark's ParseException if `sql` is anything but one query. Parses it, no more."""
    # Spark's parser of queries alone stops where the query ends, whatever follows.
    compat.sql_parser(session).parsePlan(f"create or replace temporary view staged as\n{sql}")


def columns(frame) -> list[dict]:
    """The DataFrame's columns, in order, as Spark knows them.

    Returns:
        A dict for each of name, data_type (Spark's simple string, in full), nullable and comment:
        what `describe` cuts short (a long struct) or does not tell (nullability).
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
    """Those of the DataFrame's `columns` that its analyzed plan proves to hold no null.

    Proofs are a column that is not null in its table, an expression that never is (a count, a
    coalesce with a literal), and a `where x is not null` on the way, of which a DataFrame's own
    schema knows nothing. (Spark's own constraints would tell too, and take minutes and gigabytes on
    a wide plan.) Costs no Spark job.
    """
    if not columns:
        return []
    plan = analyzed_plan(frame)
    proven = dict(zip(frame.columns, nullability.never_null(plan), strict=True))
    return [name for name in columns if proven[name]]


def is_deterministic(frame) -> bool:
    """Are the DataFrame's rows the same, however often they are computed? Costs no Spark job.

    Not with uuid(), rand() or monotonically_increasing_id() anywhere in its plan.
    """
    return compat.analyzed_plan(frame).deterministic()


def is_made_row_by_row(frame, below) -> bool:
    """Is the one column of `frame`, which was selected from `below`, told from one row of that?

    Not by an aggregate, a window, a generator or a sub-query, nor what is another each time.
    """
    plan = compat.analyzed_plan(frame)
    return (
        plan.nodeName() == "Project"
        and plan.child().fastEquals(compat.analyzed_plan(below))
        and plan.subqueries().isEmpty()
        and plan.projectList().apply(0).deterministic()
    )

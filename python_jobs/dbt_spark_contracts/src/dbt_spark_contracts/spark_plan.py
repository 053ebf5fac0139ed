"""What Spark's query plans tell, through the JVM objects behind a DataFrame (pyspark has no API).

`tests/contracts/test_spark_plan.py` fails when Spark changes them.
"""

import json

# The joins whose result has no row of that side but its own: (left, right).
_KEPT_SIDES = {
    **dict.fromkeys(("Inner", "Cross"), (True, True)),
    **dict.fromkeys(("LeftOuter", "LeftSemi", "LeftAnti"), (True, False)),
    "RightOuter": (False, True),
}


def require_query(session, sql: str) -> None:
    """Raises pyspark's ParseException if `sql` is anything but one query. Parses it, no more."""
    # Spark's parser of queries alone stops where the query ends, whatever follows.
    session._jsparkSession.sessionState().sqlParser().parsePlan(
        f"create or replace temporary view staged as\n{sql}"
    )


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
    plan = frame._jdf.queryExecution().analyzed()
    return [name for name in columns if _never_null(plan, frame.columns.index(name), {})]


def is_deterministic(frame) -> bool:
    """Are the DataFrame's rows the same, however often they are computed? Costs no Spark job.

    Not with uuid(), rand() or monotonically_increasing_id() anywhere in its plan.
    """
    return frame._jdf.queryExecution().analyzed().deterministic()


def analyzed_plan(frame) -> list[dict]:
    """The DataFrame's analyzed plan as Spark itself writes it: its nodes, each before its children.

    Each has `class`, `num-children` and its fields; expressions are written alike. No Spark job.
    """
    return json.loads(frame._jdf.queryExecution().analyzed().toJSON())


def is_made_row_by_row(frame, below) -> bool:
    """Is the one column of `frame`, which was selected from `below`, told from one row of that?

    Not by an aggregate, a window, a generator or a sub-query, nor what is another each time.
    """
    plan = frame._jdf.queryExecution().analyzed()
    return (
        plan.nodeName() == "Project"
        and plan.child().fastEquals(below._jdf.queryExecution().analyzed())
        and plan.subqueries().isEmpty()
        and plan.projectList().apply(0).deterministic()
    )


def _never_null(plan, position: int, ctes: dict) -> bool:
    """Is the column at that position never null in the rows of `plan`?"""
    column = plan.output().apply(position)
    if not column.nullable():
        return True
    kind = plan.nodeName()
    if kind == "Filter" and _id(column) in _filtered(plan.condition()):
        return True
    if kind in ("Project", "Aggregate"):
        listed = plan.projectList() if kind == "Project" else plan.aggregateExpressions()
        copied = _copied(listed.apply(position))
        below = None if copied is None else _position(plan.child(), copied, position)
        return below is not None and _never_null(plan.child(), below, ctes)
    if kind == "WithCTE":
        defined = {definition.id(): definition.child() for definition in _all(plan.cteDefs())}
        return _never_null(plan.plan(), position, {**ctes, **defined})
    if kind == "CTERelationRef":
        return _never_null(ctes[plan.cteId()], position, ctes)
    if kind == "Union":
        return all(_never_null(child, position, ctes) for child in _all(plan.children()))
    kept = _KEPT_SIDES.get(plan.joinType().toString(), ()) if kind == "Join" else (True,)
    for is_kept, child in zip(kept, _all(plan.children()), strict=False):
        below = _position(child, _id(column), position)
        if below is not None:
            return is_kept and _never_null(child, below, ctes)
    return False


def _position(plan, column: int, likely: int) -> "int | None":
    """Where the column of that id stands in the plan's output, often where it does above."""
    output = plan.output()
    positions = [likely] if likely < output.size() else []
    for position in (*positions, *range(output.size())):
        if _id(output.apply(position)) == column:
            return position
    return None


def _filtered(condition) -> set[int]:
    """The ids of the columns that a filter's condition says are not null."""
    if condition.nodeName() == "And":
        return _filtered(condition.left()) | _filtered(condition.right())
    if condition.nodeName() == "IsNotNull":
        column = _copied(condition.child())
        return set() if column is None else {column}
    return set()


def _copied(expression) -> "int | None":
    """The id of the column that an expression hands on as it is; None if it computes something."""
    kind = expression.nodeName()
    if kind == "AttributeReference":
        return _id(expression)
    same_type_cast = kind == "Cast" and expression.dataType().equals(expression.child().dataType())
    if kind == "Alias" or same_type_cast:
        return _copied(expression.child())
    return None


def _id(attribute) -> int:
    return attribute.exprId().id()


def _all(sequence):
    """The elements of a Scala sequence."""
    return (sequence.apply(position) for position in range(sequence.size()))

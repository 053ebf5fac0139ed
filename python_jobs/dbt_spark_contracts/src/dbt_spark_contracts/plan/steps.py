"""Columns that steps pass on and inputs of expressions, for proofs about rows."""

from collections.abc import Iterable

from dbt_spark_contracts.plan.tree import Tree, names

# Steps that keep the rows below them, reorder them, or drop some regardless of their columns.
PASSES = names("""
    SubqueryAlias View Sort GlobalLimit LocalLimit Offset Tail Sample Repartition
    RepartitionByExpression RebalancePartitions ResolvedHint CollectMetrics EventTimeWatermark
    """)

# Other steps that keep the columns below them. A set operation keeps the left ones.
_KEEPS_COLUMNS = names("Filter Distinct Deduplicate Union Intersect Except CTERelationDef")

# The fields in which steps list the columns that they create or read.
_LISTS = (
    *("projectList", "aggregateExpressions", "windowExpressions", "generatorOutput"),
    *("output", "dataCols", "partitionCols"),
)

# Fields that `nodes.py` adds. The columns of a step, by id and name:
COLUMNS = "columns"
# or, for a projection, the dropped ids of the step below and the positions of its own columns;
DROPPED, PLACES = "dropped", "places"
# the ids of its own columns that Spark knows are never null.
NEVER_NULL = "neverNull"

# Expressions whose value determines their one input. SHA-2 is taken to be free of collisions.
_INJECTIVE = names("Alias Sha2 Hex Base64 KnownNotNull AssertNotNull PromotePrecision")

# Casts that keep different values different: source type to target types, in Spark's JSON names.
_WIDER = {
    "byte": {"short", "integer", "long", "string", "float", "double"},
    "short": {"integer", "long", "string", "float", "double"},
    "integer": {"long", "string", "double"},
    "long": {"string"},
    "float": {"double"},
    "boolean": {"string"},
    "date": {"string"},
    "string": {"binary"},
}

# The lengths that sha2 takes; 0 is 256.
_SHA2_LENGTHS = ("0", "224", "256", "384", "512")

# Types whose literals have only one spelling.
_PLAIN = names("string byte short integer long boolean date")
# Types whose value can be read back from a struct written as JSON. A date is not among them,
# because the plan does not say in which format it is written.
_TOLD_BY_JSON = _PLAIN - {"date"}

# Expressions without a type in their JSON. They return strings.
_TEXTS = names("StructsToJson Sha2 Hex Base64")

# Types in which two equal values (0.0 and -0.0) may lead to different results.
_LOOSELY_EQUAL = frozenset(["float", "double"])

# Expressions that always return the same for the same inputs. For all others, the whole plan must
# be deterministic.
_ALWAYS_ALIKE = names("""
    AttributeReference Alias Cast Literal Coalesce RaiseError If CaseWhen IsNull IsNotNull
    DateFormatClass TruncDate TruncTimestamp Year Quarter Month DayOfMonth DayOfWeek WeekOfYear Hour
    Minute Second DateAdd DateSub DateDiff MonthsBetween LastDay ParseToDate ParseToTimestamp
    Add Subtract Multiply Divide IntegralDivide Remainder Pmod UnaryMinus Abs Floor Ceil
    Upper Lower StringTrim StringTrimLeft StringTrimRight Substring Concat ConcatWs Length Md5 Sha1
    Sha2 Crc32 Or Not EqualTo EqualNullSafe LessThan LessThanOrEqual GreaterThan GreaterThanOrEqual
    And In StructsToJson CreateNamedStruct GetStructField GetJsonObject RegExpReplace RegExpExtract
    StringReplace Hex Base64 KnownNotNull
""")


def named(step: Tree) -> list[tuple[int, str]]:
    """Return Spark's ids and the names of a step's columns, in order.

    For an unknown step, these are the columns that it lists itself.
    """
    ids = outputs(step)
    called: dict[int, str] = {}
    left, unnamed = [step], set(ids)
    while left and unnamed:
        tree = left.pop()
        own = {id: name for id, name in _own(tree) if id in unnamed}
        called |= own
        unnamed -= own.keys()
        left += _sources(tree)
    return [(id, called[id]) for id in ids]


def outputs(step: Tree) -> list[int]:
    """Return Spark's ids of a step's columns, in order."""
    left = [step]
    while left:
        tree = left[-1]
        below = [child for child in _sources(tree) if _outputs not in child.worked_out]
        if below:
            left += below
        else:
            tree.worked_out[_outputs] = _outputs(tree)
            left.pop()
    return step.worked_out[_outputs]


def made(step: Tree) -> dict[int | None, Tree]:
    """Return the columns that a projection or an aggregate lists, by id.

    A projection passes on each of its other columns unchanged.
    """
    if made not in step.worked_out:
        listed = step.expressions("projectList", "aggregateExpressions")
        step.worked_out[made] = {column.id: column for column in listed}
    return step.worked_out[made]


def table_name(step: Tree) -> str:
    """Return the full name, in lower case, of the table or view that a SubqueryAlias names.

    A name that a query gives has no catalog and no schema, even if it has dots.

    Returns:
        The name, or an empty string for an alias of a query.
    """
    identifier = step.fields["identifier"]
    qualifier = listed(identifier.get("qualifier"))
    return ".".join([*qualifier, identifier["name"]]).lower() if qualifier else ""


def listed(sequence: "list | str | None") -> list:
    """Return a sequence of Spark's JSON as a list. A sequence of strings is one string there."""
    if isinstance(sequence, str):
        return sequence.strip("[]").split(", ")
    return sequence or []


def conjuncts(condition: list[Tree]) -> list[Tree]:
    """Return the conditions that must all hold."""
    return flattened(condition, "And")


def flattened(trees: list[Tree], kind: str) -> list[Tree]:
    """Return the trees in order, with each tree of this kind replaced by its children."""
    found, left = [], list(trees)
    while left:
        tree = left.pop(0)
        if tree.kind == kind:
            left = [*tree.children, *left]
        else:
            found.append(tree)
    return found


def ctes(plan: Tree) -> dict[int, Tree]:
    """Return the plan's common table expressions, by Spark's ids of them."""
    return {
        step.fields["id"]: step.children[0] for step in plan.walk() if step.kind == "CTERelationDef"
    }


def bare(expression: Tree) -> Tree:
    """Return the expression without its aliases."""
    while expression.kind == "Alias":
        expression = expression.children[0]
    return expression


def unguarded(expression: Tree) -> Tree:
    """Return the expression without aliases and without a guard that raises on null.

    For `coalesce(x, raise_error('…'), '')` that is x: nothing after the error is reached.
    """
    tree = bare(expression)
    while tree.kind == "Coalesce" and len(tree.children) > 1 and _raises(tree.children[1]):
        tree = bare(tree.children[0])
    return tree


def spelled(expression: Tree) -> tuple:
    """Return a key that is equal for two equal expressions, whatever their aliases."""
    tree = bare(expression)
    own = {
        name: str(value)
        for name, value in tree.fields.items()
        if name in ("value", "dataType", "exprId", "plan", "direction", "frameType")
        or isinstance(value, (str, int, float, bool))
    }
    return (tuple(sorted(own.items())), *(spelled(child) for child in tree.children))


def determined_by(expression: Tree, nulls_differ: bool = False) -> frozenset[int]:
    """Return the columns whose values follow from the expression's value.

    Args:
        expression: The expression.
        nulls_differ: Whether two nulls count as different. If so, the expression must not turn a
            null into a value.

    Returns:
        The ids of the columns.
    """
    tree = unguarded(expression)
    kind, children = tree.kind, tree.children
    if kind == "AttributeReference":
        return frozenset([_id(tree)])
    if kind == "Cast" and not keeps_apart(tree):
        return frozenset()
    if kind == "Sha2" and (literal(children[1]) or ("",))[0] not in _SHA2_LENGTHS:
        return frozenset()  # any other length returns null
    if kind == "Cast" or kind in _INJECTIVE:
        return determined_by(children[0], nulls_differ)
    if nulls_differ:
        return frozenset()
    if kind == "CreateNamedStruct":
        return frozenset().union(*map(determined_by, children[1::2]))
    if kind == "StructsToJson" and children[0].kind == "CreateNamedStruct":
        return _told_by_json(children[0])
    return frozenset()


def attributes(expression: Tree, is_deterministic: bool) -> "frozenset[int] | None":
    """Return the columns that decide the expression's value.

    Args:
        expression: The expression.
        is_deterministic: Whether Spark says that the whole plan is deterministic.

    Returns:
        The ids of the columns, or None if they are not certain.
    """
    found = set()
    for tree in bare(expression).walk():
        is_alike = is_deterministic or tree.kind in _ALWAYS_ALIKE
        if "plan" in tree.fields or not is_alike or tree.kind == "OuterReference":
            return None
        if tree.kind == "AttributeReference":
            data_type = tree.fields.get("dataType")
            is_loose = data_type in _LOOSELY_EQUAL or isinstance(data_type, dict)
            if is_loose and bare(expression) is not tree:
                return None
            found.add(_id(tree))
        elif tree.id is not None and tree.kind not in ("Alias", "NamedLambdaVariable"):
            return None  # a column of an unknown kind
    return frozenset(found)


def keeps_apart(cast: Tree) -> bool:
    """Return whether the cast keeps different values different."""
    below = bare(cast.children[0])
    source = "string" if below.kind in _TEXTS else below.fields.get("dataType")
    target = cast.fields.get("dataType")
    return source == target or (isinstance(source, str) and target in _WIDER.get(source, ()))


def literal(expression: Tree) -> "tuple | None":
    """Return a literal with its casts, or None if the expression is not a literal.

    Two literals with different first parts are different.
    """
    casts, tree = [], bare(expression)
    while tree.kind == "Cast" and keeps_apart(tree):
        casts.append(str(tree.fields["dataType"]))
        tree = bare(tree.children[0])
    if tree.kind != "Literal" or tree.fields["dataType"] not in _PLAIN:
        return None
    return (tree.fields.get("value"), tree.fields["dataType"], *casts)


def _told_by_json(struct: Tree) -> frozenset[int]:
    names = [literal(name) for name in struct.children[::2]]
    values = [bare(value) for value in struct.children[1::2]]
    if None in names or len(set(names)) < len(names):
        return frozenset()
    if any(value.fields.get("dataType") not in _TOLD_BY_JSON for value in values):
        return frozenset()
    return frozenset().union(*map(determined_by, values))


def _raises(expression: Tree) -> bool:
    tree = bare(expression)
    while tree.kind == "Cast":
        tree = bare(tree.children[0])
    return tree.kind == "RaiseError"


def _outputs(step: Tree) -> list[int]:
    """Return the same as `outputs`, for a step whose sources are done."""
    below = [source.worked_out[_outputs] for source in _sources(step)]
    if DROPPED in step.fields:
        dropped = step.fields[DROPPED]
        ids = [id for id in below[0] if id not in dropped] if dropped else [*below[0]]
        own = (id for id, _ in _named(step.expressions("projectList")))
        for place, id in sorted(zip(step.fields[PLACES], own, strict=True)):
            ids.insert(place, id)
        return ids
    own_ids = [id for id, _ in _own(step)]
    if step.kind == "Generate":
        left_out = set(listed(step.fields.get("unrequiredChildIndex")))
        return [id for at, id in enumerate(below[0]) if at not in left_out] + own_ids
    if len(below) == 1 and not own_ids:
        return below[0]
    return [*(id for ids in below for id in ids), *own_ids]


def _sources(step: Tree) -> tuple[Tree, ...]:
    """Return the children whose columns a step has besides those that it lists itself."""
    kind, children = step.kind, step.children
    if COLUMNS in step.fields or not children:
        return ()
    if kind == "Join":
        return children[:1] if step.word("joinType") in ("LeftSemi", "LeftAnti") else children
    if kind == "WithCTE":
        return (children[step.fields["plan"]],)
    is_known = kind in PASSES or kind in _KEEPS_COLUMNS or kind in ("Window", "Generate")
    return children[:1] if is_known or DROPPED in step.fields else ()


def _own(step: Tree) -> list[tuple[int, str]]:
    """Return the columns that the step lists itself, by id and name."""
    if COLUMNS in step.fields:
        return step.fields[COLUMNS]
    return _named(step.expressions(*_LISTS))


def _named(expressions: Iterable[Tree]) -> list[tuple[int, str]]:
    return [(_id(expression), expression.fields["name"]) for expression in expressions]


def _id(expression: Tree) -> int:
    assert expression.id is not None
    return expression.id

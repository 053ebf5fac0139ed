"""What the steps of a plan hand on, and what expressions are made of: for proofs about rows."""

from collections.abc import Iterable

from dbt_spark_contracts.plan.tree import Tree, names

# Steps whose rows are those below them, in another order, or fewer for no column's sake.
PASSES = names("""
    SubqueryAlias View Sort GlobalLimit LocalLimit Offset Tail Sample Repartition
    RepartitionByExpression RebalancePartitions ResolvedHint CollectMetrics EventTimeWatermark
    """)

# Other steps that have the columns below them: of a set operation, the left ones.
_KEEPS_COLUMNS = names("Filter Distinct Deduplicate Union Intersect Except CTERelationDef")

# The fields where steps list columns that they make or read.
_LISTS = (
    *("projectList", "aggregateExpressions", "windowExpressions", "generatorOutput"),
    *("output", "dataCols", "partitionCols"),
)

# Fields that Spark does not write, but `nodes.py`: a step's columns, by number and name;
COLUMNS = "columns"
# or, of a projection, the numbers of those below that it drops, and where its own ones stand;
DROPPED, PLACES = "dropped", "places"
# the numbers of those of its own columns that Spark knows never to be null.
NEVER_NULL = "neverNull"

# Expressions from whose value their one input can be told. That two texts have one hash of SHA-2
# is taken for impossible.
_INJECTIVE = names("Alias Sha2 Hex Base64 KnownNotNull AssertNotNull PromotePrecision")

# Casts that keep every value apart: from a type to others, as Spark's JSON spells them.
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

# Types whose literals are spelled in one way.
_PLAIN = names("string byte short integer long boolean date")
# Types of which a struct, written as JSON, tells each value. Not of a date: in which format it is
# written, the plan does not say.
_TOLD_BY_JSON = _PLAIN - {"date"}

# Expressions whose type their JSON does not say: it is a text.
_TEXTS = names("StructsToJson Sha2 Hex Base64")

# Of these, two values that count as equal (0.0 and -0.0) may make different ones.
_LOOSELY_EQUAL = frozenset(["float", "double"])

# What is made of the same inputs alike. Of other expressions it counts for the whole plan whether
# it is deterministic.
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
    """Spark's numbers and the names of a step's columns, in their order.

    Of a step that is not known, those that it lists itself.
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
    """Spark's numbers of a step's columns, in their order."""
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
    """The columns that a projection or an aggregate lists, by number.

    A projection hands on each other column that it has, as it is.
    """
    if made not in step.worked_out:
        listed = step.expressions("projectList", "aggregateExpressions")
        step.worked_out[made] = {column.id: column for column in listed}
    return step.worked_out[made]


def table_name(step: Tree) -> str:
    """The full name, in lower case, of the table or view that a SubqueryAlias names; else empty.

    A name that a query gives has no catalog and no schema, even if it has dots.
    """
    identifier = step.fields["identifier"]
    qualifier = listed(identifier.get("qualifier"))
    return ".".join([*qualifier, identifier["name"]]).lower() if qualifier else ""


def listed(sequence: "list | str | None") -> list:
    """A sequence of Spark's JSON, which is text there if it holds texts."""
    if isinstance(sequence, str):
        return sequence.strip("[]").split(", ")
    return sequence or []


def conjuncts(condition: list[Tree]) -> list[Tree]:
    """The conditions of which every one has to hold."""
    return flattened(condition, "And")


def flattened(trees: list[Tree], kind: str) -> list[Tree]:
    """The trees, in order, with the children in place of each of that kind."""
    found, left = [], list(trees)
    while left:
        tree = left.pop(0)
        if tree.kind == kind:
            left = [*tree.children, *left]
        else:
            found.append(tree)
    return found


def ctes(plan: Tree) -> dict[int, Tree]:
    """The plan's common table expressions, by Spark's numbers of them."""
    return {
        step.fields["id"]: step.children[0] for step in plan.walk() if step.kind == "CTERelationDef"
    }


def bare(expression: Tree) -> Tree:
    """The expression without its names."""
    while expression.kind == "Alias":
        expression = expression.children[0]
    return expression


def unguarded(expression: Tree) -> Tree:
    """The expression without its names, and without an error in place of a null.

    Of `coalesce(x, raise_error('…'), '')` that is x: what comes after the error is never reached.
    """
    tree = bare(expression)
    while tree.kind == "Coalesce" and len(tree.children) > 1 and _raises(tree.children[1]):
        tree = bare(tree.children[0])
    return tree


def spelled(expression: Tree) -> tuple:
    """The same for two expressions that are the same, whatever their names."""
    tree = bare(expression)
    own = {
        name: str(value)
        for name, value in tree.fields.items()
        if name in ("value", "dataType", "exprId", "plan", "direction", "frameType")
        or isinstance(value, (str, int, float, bool))
    }
    return (tuple(sorted(own.items())), *(spelled(child) for child in tree.children))


def determined_by(expression: Tree, nulls_differ: bool = False) -> frozenset[int]:
    """The columns whose values can be told from the expression's.

    Args:
        expression: The expression.
        nulls_differ: Whether two nulls count as different. Then it must not make a value of a null.
    """
    tree = unguarded(expression)
    kind, children = tree.kind, tree.children
    if kind == "AttributeReference":
        return frozenset([_id(tree)])
    if kind == "Cast" and not keeps_apart(tree):
        return frozenset()
    if kind == "Sha2" and (literal(children[1]) or ("",))[0] not in _SHA2_LENGTHS:
        return frozenset()  # of any other it makes a null
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
    """The columns whose values decide the expression's; None if that is not sure.

    Args:
        expression: The expression.
        is_deterministic: Whether all of its plan is, as Spark says.
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
            return None  # a column of a kind that is not known
    return frozenset(found)


def keeps_apart(cast: Tree) -> bool:
    """Are two values that differ cast to two that differ?"""
    below = bare(cast.children[0])
    source = "string" if below.kind in _TEXTS else below.fields.get("dataType")
    target = cast.fields.get("dataType")
    return source == target or (isinstance(source, str) and target in _WIDER.get(source, ()))


def literal(expression: Tree) -> "tuple | None":
    """A literal with its casts; None if it is none. Two that differ in the first part differ."""
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
    """The same as `outputs`, for a step whose sources are known."""
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
    """The children whose columns a step has besides those that it lists itself."""
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
    """The columns that the step lists itself, by number and name."""
    if COLUMNS in step.fields:
        return step.fields[COLUMNS]
    return _named(step.expressions(*_LISTS))


def _named(expressions: Iterable[Tree]) -> list[tuple[int, str]]:
    return [(_id(expression), expression.fields["name"]) for expression in expressions]


def _id(expression: Tree) -> int:
    assert expression.id is not None
    return expression.id

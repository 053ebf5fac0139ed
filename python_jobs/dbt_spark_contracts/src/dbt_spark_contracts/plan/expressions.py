"""What each of Spark's expressions makes of its inputs."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from dbt_spark_contracts.plan.tree import Tree, names
from dbt_spark_contracts.plan.values import (
    AGGREGATED,
    COMPUTED,
    CONDITION,
    NOTHING,
    WINDOW,
    Value,
    bind,
    digest,
    merge,
    variable,
)

# Their value is one of their children's, or is made up of them unchanged: of one row, of several
# rows, as an array or a map.
COPIES = names("""
    Alias Cast AnsiCast UpCast Coalesce NaNvl Greatest Least TempResolvedColumn PromotePrecision
    CheckOverflow KnownNotNull AssertNotNull KnownFloatingPointNormalized NormalizeNaNAndZero
    KnownNullable UnwrapUDT SortOrder GeneratorOuter
    Max Min First Last AnyValue Mode CollectList CollectSet Lag Lead
    CreateArray CreateMap MapFromArrays MapKeys MapValues MapConcat ArrayDistinct ArrayUnion
    ArrayIntersect ArrayExcept ArrayCompact ArrayMax ArrayMin ArrayAppend ArrayPrepend ArrayInsert
    Flatten Shuffle Explode PosExplode Inline
""")

# The same, with a struct of a key and a value around each of them, or without it: a field of theirs
# is none of the result's.
ENTRIES = names("MapEntries MapFromEntries")

# Their value is that of their first child; the others say which of its values, or where.
PICKS = names("""
    AggregateExpression MaxBy MinBy SortArray ArrayRemove ArrayFilter MapFilter ArraySort
    ApproximatePercentile PercentileDisc
""")

# The same, where the others are a number or a key that can be told from what is found there: of
# `sequence(0, 99)[n]` it is n.
POSITIONS = names("""
    ElementAt GetArrayItem GetMapValue TryElementAt Slice NthValue ArrayRepeat
""")

# They tell of their inputs in which order the rows are, as row_number does, which has none.
RANKS = names("Rank DenseRank PercentRank CumeDist NTile")

# They make a new text, but of arrays one with their elements.
OF_ARRAYS = names("Concat Reverse")
ARRAYS = names("""
    CreateArray CollectList CollectSet Slice SortArray Flatten Shuffle MapKeys MapValues MapEntries
    ArrayDistinct ArrayUnion ArrayIntersect ArrayExcept ArrayCompact ArrayAppend ArrayPrepend
    ArrayInsert ArrayRemove ArrayRepeat ArrayFilter ArraySort ArrayTransform ZipWith ArraysZip
""")

# They decide by their first child (CaseWhen: by every other one) which value it is.
CHOICES = names("If CaseWhen")

# A lambda function makes their elements.
MAPPINGS = names("ArrayTransform TransformKeys TransformValues ZipWith MapZipWith")

# What they do is not written in Spark's expressions.
FUNCTIONS = names("""
    PythonUDF PythonUDAF PythonUDTF ScalaUDF ScalaUDAF ScalaAggregator HiveSimpleUDF HiveGenericUDF
    HiveGenericUDTF HiveUDAFFunction ApplyFunctionExpression V2Aggregator CallMethodViaReflection
    TryReflect
""")

# What they make of a value does not tell it, so it may pass of what is `stays_in`. All else
# hands the value on, in part or in another form: docs/contracts.md
MASKS = names("""
    Md5 Sha1 Sha2 Crc32 Murmur3Hash XxHash64 HiveHash
    Count CountIf HyperLogLogPlusPlus
    IsNull IsNotNull IsNaN AtLeastNNonNulls
    EqualTo EqualNullSafe GreaterThan GreaterThanOrEqual LessThan LessThanOrEqual
    In InSet InSubquery Exists Like ILike RLike LikeAll LikeAny NotLikeAll NotLikeAny
    StartsWith EndsWith Contains ArrayContains ArraysOverlap ArrayExists ArrayForAll
""")

# Without an input, they hold no column's values. Of any other that has none, nothing is known.
CONSTANTS = names("""
    Literal CurrentCatalog CurrentDatabase CurrentUser CurrentDate CurrentTimestamp CurrentTimeZone
    CurrentBatchTimestamp LocalTimestamp Now Pi EulerNumber SparkVersion SQLKeywords
    Rand Randn Uuid MonotonicallyIncreasingID SparkPartitionID
    RowNumber Rank DenseRank PercentRank CumeDist NTile GroupingID VirtualColumn
    UnspecifiedFrame CurrentRow UnboundedPreceding UnboundedFollowing WindowSpecDefinition
    CreateArray CreateMap CreateNamedStruct Concat ConcatWs ArraysZip MapConcat Stack Count
    Murmur3Hash XxHash64 HiveHash DropField
""")

# Where no seed is given, they have another one in each analysis.
_RANDOM = names("Rand Randn Uuid Shuffle")

# Of a node's own fields, those that hold other expressions, numbers of columns and the like differ
# between two analyses of the same query; these tell how the value is made.
_IN_RECIPE = (str, int, float, bool, type(None))

_LAMBDA = "lambda "


class Plans(Protocol):
    """What an expression asks of the plan that it stands in."""

    def subquery(self, plan: Tree, scope: Mapping[int, Value]) -> tuple[list[Value], Value]:
        """The columns of a plan within an expression, and what chooses its rows."""

    def literal(self, text: str) -> str:
        """A literal as it counts for the recipe."""

    @property
    def collected(self) -> str:
        """What the model has collected of columns that are marked or unknown; none, if nothing."""


def value_of(expression: Tree, scope: Mapping[int, Value], plans: Plans) -> Value:
    """What is known of an expression's value. In: what is known of the columns, by their ids."""
    if not expression.children and expression.id is not None:
        known = scope.get(expression.id)  # a column as it is, as most of a wide plan's are
        if known is not None:
            return known
    values: list[Value] = []
    # From the last to the first, each node finds its children done. (Spark's trees may be deep.)
    for tree in reversed([*_downwards(expression)]):
        children = [values.pop() for _ in tree.children]
        is_array = tree.kind in OF_ARRAYS and _is_array(tree)
        values.append(
            _value("CreateArray" if is_array else tree.kind, tree, children, scope, plans)
        )
    return values.pop()


def _downwards(expression: Tree) -> Iterator[Tree]:
    """The expression and all that is below it, from left to right, each before its children."""
    left = [expression]
    while left:
        tree = left.pop()
        yield tree
        left += reversed(tree.children)


def _is_array(expression: Tree) -> bool:
    """Whether one of OF_ARRAYS has arrays, as its first input tells."""
    first = next((tree for tree in _downwards(expression) if tree.kind not in OF_ARRAYS), None)
    if first is None:  # it has no input
        return False
    data_type = first.fields.get("dataType")
    by_type = isinstance(data_type, dict) and data_type.get("type") == "array"
    return by_type or first.kind in ARRAYS


def _value(
    kind: str, tree: Tree, children: list[Value], scope: Mapping[int, Value], plans: Plans
) -> Value:
    if kind == "Alias":
        return children[0]
    if plans.collected and "exprId" not in tree.fields:
        # It may be made of what was collected: by a literal, by a field's name, by a format.
        made = _of_columns(kind, tree, children, scope, plans)
        return made.untraceable(plans.collected)
    return _of_columns(kind, tree, children, scope, plans)


def _of_columns(
    kind: str, tree: Tree, children: list[Value], scope: Mapping[int, Value], plans: Plans
) -> Value:
    """The value of a node, as far as it is made of columns."""
    node = tree.fields
    if kind == "OuterReference":
        return value_of(tree.expressions("e")[0], scope, plans)
    if kind == "NamedLambdaVariable":
        return variable(node["exprId"]["id"])
    if kind == "Literal":
        text = plans.literal(str(node["value"]))
        return Value(recipe=digest(kind, text, node["dataType"]))
    if "exprId" in node and not children and "plan" not in node:
        unknown = Value(untraced=frozenset([f"Spark's {kind} {node.get('name', '')}".strip()]))
        return scope.get(node["exprId"]["id"], unknown)
    own = {
        name: value
        for name, value in node.items()
        if name in ("dataType", "frameType", "direction") or isinstance(value, _IN_RECIPE)
    }
    recipe = digest(own, *(child.recipe for child in children))
    if kind in _RANDOM:
        recipe = digest(kind)
    if "plan" in node:
        columns, rows = plans.subquery(tree.expressions("plan")[0], scope)
        recipe = digest(recipe, *(column.recipe for column in columns), rows.recipe)
        if kind == "ScalarSubquery":
            return merge([*columns, rows.used_as(CONDITION)]).made_by(recipe)
        children = [*children, *columns, rows]
    if kind == "LambdaFunction":  # for the function around it: the body, and its variables
        return Value(fields=tuple(children), recipe=_LAMBDA + recipe)
    if not children and kind not in CONSTANTS:
        return Value(untraced=frozenset([f"Spark's {kind}"]), recipe=recipe)
    made = _made(kind, node, children).made_by(recipe)
    return made.masked() if kind in MASKS else made


def _made(kind: str, node: dict, children: list[Value]) -> Value:
    if node.get("replacement") == 0 and len(children) == 1:
        return children[0]  # a function that Spark spells by others, as nvl
    if kind == "CreateNamedStruct":
        return Value(fields=tuple(children[1::2]))
    if kind == "GetStructField":
        return children[0].field(node["ordinal"])
    if kind == "GetArrayStructFields":
        return children[0].field(node["ordinal"])
    if kind == "ArraysZip":
        return Value(fields=tuple(children))
    if kind == "Stack":
        return Value(fields=tuple(children[1:]))
    if kind == "WindowExpression":
        function, window = children
        return merge([function, window.used_as(WINDOW)])
    lambdas = [child for child in children if child.recipe.startswith(_LAMBDA)]
    if lambdas:
        return _of_lambdas(kind, lambdas, [child for child in children if child not in lambdas])
    if kind == "Elt":
        return merge([*children[1:], children[0].used_as(COMPUTED)])
    if kind in CHOICES:
        return _choice(kind, children)
    if kind in COPIES:
        return merge(children)
    if kind in ENTRIES:
        return children[0].sealed()
    if kind in PICKS:
        return merge([children[0], *(child.used_as(CONDITION) for child in children[1:])])
    if kind in POSITIONS:
        return merge([children[0], *(child.used_as(COMPUTED) for child in children[1:])])
    if kind in RANKS:
        return merge(child.used_as(WINDOW) for child in children)
    is_aggregate = ".aggregate." in node["class"]
    made = merge(child.used_as(AGGREGATED if is_aggregate else COMPUTED) for child in children)
    if kind in FUNCTIONS:
        name = node.get("name") or node.get("udfName") or kind
        called = f"the {'Python ' if kind.startswith('Python') else ''}function {name}"
        made = merge([made, Value(untraced=frozenset([called]))])
    return made


def _choice(kind: str, children: list[Value]) -> Value:
    pairs = len(children) // 2 * 2
    conditions = children[:1] if kind == "If" else children[:pairs:2]
    values = children[1:] if kind == "If" else [*children[1:pairs:2], *children[pairs:]]
    return merge([*values, *(condition.used_as(CONDITION) for condition in conditions)])


def _of_lambdas(kind: str, lambdas: list[Value], arguments: list[Value]) -> Value:
    """The value of a function such as `transform`, of its arguments and its lambda functions."""
    elements = merge(arguments)
    made = []
    for body, *variables in (function.fields or () for function in lambdas):
        # `zip_with` gives a variable the element of each; the others' second is an index or a key.
        values = arguments if kind == "ZipWith" else [elements] * len(variables)
        if kind == "ArrayTransform":
            values = [elements, NOTHING]
        names = [next(iter(name.origins)).node for name in variables]
        made.append(bind(body, dict(zip(names, values, strict=False))))
    if kind == "ArrayTransform" or kind == "ZipWith":
        # How many elements there are depends on the arrays, whatever is made of them.
        lengths = (Value(argument.origins).used_as(CONDITION) for argument in arguments)
        return merge([*made, *lengths])
    if kind in MAPPINGS:
        return merge([elements, *made])
    if kind in PICKS:
        return merge([elements, *(value.used_as(CONDITION) for value in made)])
    return merge(value.used_as(COMPUTED) for value in [*arguments, *made])

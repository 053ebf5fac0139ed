"""Determine what each Spark expression makes of its inputs."""

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

# Their value is the unchanged value of a child, or an array or map of unchanged values. They
# combine values of one row or of several rows.
COPIES = names("""
    Alias Cast AnsiCast UpCast Coalesce NaNvl Greatest Least TempResolvedColumn PromotePrecision
    CheckOverflow KnownNotNull AssertNotNull KnownFloatingPointNormalized NormalizeNaNAndZero
    KnownNullable UnwrapUDT SortOrder GeneratorOuter
    Max Min First Last AnyValue Mode CollectList CollectSet Lag Lead
    CreateArray CreateMap MapFromArrays MapKeys MapValues MapConcat ArrayDistinct ArrayUnion
    ArrayIntersect ArrayExcept ArrayCompact ArrayMax ArrayMin ArrayAppend ArrayPrepend ArrayInsert
    Flatten Shuffle Explode PosExplode Inline
""")

# The same, but they add or remove a struct of key and value, so field positions change.
ENTRIES = names("MapEntries MapFromEntries")

# Their value is that of the first child. The other children select which of its values.
PICKS = names("""
    AggregateExpression MaxBy MinBy SortArray ArrayRemove ArrayFilter MapFilter ArraySort
    ApproximatePercentile PercentileDisc
""")

# The same, but the result may reveal the index or key: `sequence(0, 99)[n]` is n.
POSITIONS = names("""
    ElementAt GetArrayItem GetMapValue TryElementAt Slice NthValue ArrayRepeat
""")

# They reveal the order of their inputs. row_number has no inputs.
RANKS = names("Rank DenseRank PercentRank CumeDist NTile")

# They create a new string, but with arrays they keep the elements.
OF_ARRAYS = names("Concat Reverse")
ARRAYS = names("""
    CreateArray CollectList CollectSet Slice SortArray Flatten Shuffle MapKeys MapValues MapEntries
    ArrayDistinct ArrayUnion ArrayIntersect ArrayExcept ArrayCompact ArrayAppend ArrayPrepend
    ArrayInsert ArrayRemove ArrayRepeat ArrayFilter ArraySort ArrayTransform ZipWith ArraysZip
""")

# The first child (of CaseWhen: every other child) decides which value it is.
CHOICES = names("If CaseWhen")

# A lambda function computes their elements.
MAPPINGS = names("ArrayTransform TransformKeys TransformValues ZipWith MapZipWith")

# Functions that Spark's expressions do not describe.
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

# Without inputs, they hold no column's values. Any other expression without inputs is unknown.
CONSTANTS = names("""
    Literal CurrentCatalog CurrentDatabase CurrentUser CurrentDate CurrentTimestamp CurrentTimeZone
    CurrentBatchTimestamp LocalTimestamp Now Pi EulerNumber SparkVersion SQLKeywords
    Rand Randn Uuid MonotonicallyIncreasingID SparkPartitionID
    RowNumber Rank DenseRank PercentRank CumeDist NTile GroupingID VirtualColumn
    UnspecifiedFrame CurrentRow UnboundedPreceding UnboundedFollowing WindowSpecDefinition
    CreateArray CreateMap CreateNamedStruct Concat ConcatWs ArraysZip MapConcat Stack Count
    Murmur3Hash XxHash64 HiveHash DropField
""")

# Without a given seed, they get a new one in each analysis.
_RANDOM = names("Rand Randn Uuid Shuffle")

# Only fields of these types count for the recipe. Other fields, such as expressions and column ids,
# differ between two analyses of the same query.
_IN_RECIPE = (str, int, float, bool, type(None))

_LAMBDA = "lambda "

# The number of the variable that stands for what a `With` has in common. Spark's begin at 0.
_COMMON = -1


class Plans(Protocol):
    """What an expression asks of the plan that contains it."""

    def subquery(self, plan: Tree, scope: Mapping[int, Value]) -> tuple[list[Value], Value]:
        """Return the columns of a plan inside an expression, and what chooses its rows."""

    def literal(self, text: str) -> str:
        """Return a literal as it counts for the recipe."""

    @property
    def collected(self) -> str:
        """Which marked or unknown columns the model has collected. Empty if none."""


def value_of(expression: Tree, scope: Mapping[int, Value], plans: Plans) -> Value:
    """Return what is known about an expression's value.

    Args:
        expression: The expression.
        scope: What is known about the columns, by their ids.
        plans: The plan that contains the expression.

    Returns:
        The expression's value.
    """
    if not expression.children and expression.id is not None:
        known = scope.get(expression.id)  # a plain column, like most columns of a wide plan
        if known is not None:
            return known
    values: list[Value] = []
    # Children come first. A loop, not a recursion, because Spark's trees may be deep.
    for tree in reversed([*_downwards(expression)]):
        children = [values.pop() for _ in tree.children]
        is_array = tree.kind in OF_ARRAYS and _is_array(tree)
        values.append(
            _value("CreateArray" if is_array else tree.kind, tree, children, scope, plans)
        )
    return values.pop()


def _downwards(expression: Tree) -> Iterator[Tree]:
    """Yield the expression and everything below it from left to right, parents first."""
    left = [expression]
    while left:
        tree = left.pop()
        yield tree
        left += reversed(tree.children)


def _is_array(expression: Tree) -> bool:
    """Return whether an expression of OF_ARRAYS takes arrays, judged by its first input."""
    first = next((tree for tree in _downwards(expression) if tree.kind not in OF_ARRAYS), None)
    if first is None:  # it has no inputs
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
        # Collected values may be in a literal, a field name or a format string.
        made = _of_columns(kind, tree, children, scope, plans)
        return made.untraceable(plans.collected)
    return _of_columns(kind, tree, children, scope, plans)


def _of_columns(
    kind: str, tree: Tree, children: list[Value], scope: Mapping[int, Value], plans: Plans
) -> Value:
    """Return the value of a node, as far as columns determine it."""
    node = tree.fields
    if kind == "OuterReference":
        return value_of(tree.expressions("e")[0], scope, plans)
    if kind == "NamedLambdaVariable":
        return variable(node["exprId"]["id"])
    if kind == "CommonExpressionRef":
        return variable(_COMMON)
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
    if kind == "LambdaFunction":  # the body and its variables, for the enclosing function
        return Value(fields=tuple(children), recipe=_LAMBDA + recipe)
    if not children and kind not in CONSTANTS:
        return Value(untraced=frozenset([f"Spark's {kind}"]), recipe=recipe)
    made = _made(kind, node, children).made_by(recipe)
    return made.masked() if kind in MASKS else made


def _made(kind: str, node: dict, children: list[Value]) -> Value:
    if node.get("replacement") == 0 and len(children) == 1:
        return children[0]  # a function that Spark replaces with others, such as nvl
    if kind == "TypedNullLiteral":
        return NOTHING  # a null, whose type is that of its input
    if kind == "With":
        return _with(children)
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


def _with(children: list[Value]) -> Value:
    """Return the value of Spark 4's `With`: an expression, and what it refers to more than once.

    Spark writes no ids of them in JSON. So more than one cannot be told apart.
    """
    body, *common = children
    if len(common) > 1:
        common = [merge(common).untraceable("Spark's With")]
    return bind(body, {next(iter(variable(_COMMON).origins)).node: common[0]})


def _choice(kind: str, children: list[Value]) -> Value:
    pairs = len(children) // 2 * 2
    conditions = children[:1] if kind == "If" else children[:pairs:2]
    values = children[1:] if kind == "If" else [*children[1:pairs:2], *children[pairs:]]
    return merge([*values, *(condition.used_as(CONDITION) for condition in conditions)])


def _of_lambdas(kind: str, lambdas: list[Value], arguments: list[Value]) -> Value:
    """Return the value of a function such as `transform`, given arguments and lambdas."""
    elements = merge(arguments)
    made = []
    for body, *variables in (function.fields or () for function in lambdas):
        # `zip_with` passes one element of each array. Other functions pass an index or a key
        # second.
        values = arguments if kind == "ZipWith" else [elements] * len(variables)
        if kind == "ArrayTransform":
            values = [elements, NOTHING]
        names = [next(iter(name.origins)).node for name in variables]
        made.append(bind(body, dict(zip(names, values, strict=False))))
    if kind == "ArrayTransform" or kind == "ZipWith":
        # The number of elements depends on the arrays, whatever the lambda returns.
        lengths = (Value(argument.origins).used_as(CONDITION) for argument in arguments)
        return merge([*made, *lengths])
    if kind in MAPPINGS:
        return merge([elements, *made])
    if kind in PICKS:
        return merge([elements, *(value.used_as(CONDITION) for value in made)])
    return merge(value.used_as(COMPUTED) for value in [*arguments, *made])

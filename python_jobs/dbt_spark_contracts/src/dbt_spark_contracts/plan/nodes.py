"""A plan that Spark has analyzed, as the list of its nodes.

Spark's own JSON of a plan (`TreeNode.toJSON`) writes each column in each step that hands it on: of
a wide plan of many steps that is gigabytes. Here a step is written by itself, a projection without
the columns that it hands on as they are, and those are put back in Python, each one object.
"""

import json
import re
from typing import Any
from weakref import WeakKeyDictionary

from dbt_spark_contracts.compat import pyspark as compat
from dbt_spark_contracts.compat.pyspark import elements
from dbt_spark_contracts.plan.steps import PASSES
from dbt_spark_contracts.plan.tree import Once, names

_CATALYST = "org.apache.spark.sql.catalyst"
_ATTRIBUTE = f"{_CATALYST}.expressions.AttributeReference"

# Between columns, where Spark writes several as text; a name has none.
_SEPARATOR = "\x01"

# What Spark writes behind a column's name: its number, an L for a bigint, a watermark's delay.
_NUMBER = re.compile(r"#(\d+)L?(?:-T\d+ms)?$")

# Steps that make columns, and the fields that list them.
_MAKE = {
    "Project": "projectList",
    "Aggregate": "aggregateExpressions",
    "Window": "windowExpressions",
}
# Steps whose columns have been told of below them.
_HAND_ON = names("""
    Join Union Intersect Except Filter Distinct Deduplicate WithCTE CTERelationDef
""")

# Of a step: the numbers of its own columns that Spark knows never to be null.
NEVER_NULL = "neverNull"


# What was read, as long as somebody has the DataFrame: several checks ask for one plan.
_read: "WeakKeyDictionary[Any, list[dict]]" = WeakKeyDictionary()


def analyzed_plan(frame: Any) -> list[dict]:
    """The DataFrame's analyzed plan: its nodes, each before its children; no Spark job.

    It is read once for a DataFrame.

    Returns:
        As Spark writes them: each has `class`, `num-children` and its fields, and expressions are
        written alike. Of a column that a projection hands on, it is not told whether it is
        nullable, nor what it is qualified by; of those that a step makes, by NEVER_NULL.
    """
    if frame not in _read:
        reader = _Plan(compat.java_classes(frame.sparkSession))
        _read[frame] = reader.read(compat.analyzed_plan(frame))
    return _read[frame]


class _Plan:
    def __init__(self, jvm: Any) -> None:
        self._jvm = jvm
        self._logical = jvm.org.apache.spark.sql.catalyst.plans.logical
        self._nothing = self._logical.OneRowRelation()
        # Each column by its number, as an expression.
        self._columns: dict[int, list[dict]] = {}

    def read(self, plan: Any) -> list[dict]:
        steps: list[tuple[Any, list[Any]]] = []
        left = [plan]
        while left:
            step = left.pop()
            children = [*elements(step.children())]
            steps.append((step, children))
            left += reversed(children)
        # From the leaves on: a projection finds the columns known that it hands on.
        nodes = [self._node(*step) for step in reversed(steps)]
        return nodes[::-1]

    def _node(self, step: Any, children: list[Any]) -> dict:
        kind = step.getClass().getSimpleName()
        if kind == "Project" and (node := self._projection(step, children[0])):
            return node
        alone = self._without_children(step, len(children))
        node = self._written(alone, len(children))
        if kind == "WithCTE":
            node["plan"] = len(children) - 1  # all children look alike by now
        if kind in _MAKE:
            self._learn_made(node, alone, _MAKE[kind])
        elif kind not in PASSES and kind not in _HAND_ON:
            self._learn(node, step)
        return node

    def _without_children(self, step: Any, count: int) -> Any:
        if not count:
            return step
        return step.withNewChildren(self._jvm.PythonUtils.toSeq([self._nothing] * count))

    def _written(self, step: Any, children: int) -> dict:
        node = json.loads(step.toJSON())[0]
        node["num-children"] = children
        return node

    def _projection(self, step: Any, child: Any) -> dict | None:
        """A projection; None if it hands on a column that nothing below it has told of."""
        new = step.projectList().diff(child.output())
        alone = self._logical.Project(new, self._nothing)
        node = self._written(alone, 1)
        self._learn_made(node, alone, "projectList")
        made = {_number(named): named for named in node["projectList"]}
        numbers = _numbers(step.output())
        if not all(number in made or number in self._columns for number in numbers):
            return None
        node["projectList"] = [made.get(number) or self._columns[number] for number in numbers]
        return node

    def _learn_made(self, node: dict, alone: Any, name: str) -> None:
        """Know the columns that a step makes."""
        fields = json.loads(alone.schema().json())["fields"] if node[name] else []
        node[NEVER_NULL] = []
        for named, field in zip(node[name], fields, strict=True):
            number = _number(named)
            if not field["nullable"]:
                node[NEVER_NULL].append(number)
            self._columns.setdefault(number, _column(field["name"], field["type"], number))

    def _learn(self, node: dict, step: Any) -> None:
        """Know the columns of a step that lists them in a way of its own."""
        fields = json.loads(step.schema().json())["fields"]
        numbers = _numbers(step.output()) if fields else []
        node[NEVER_NULL] = []
        for number, field in zip(numbers, fields, strict=True):
            if not field["nullable"]:
                node[NEVER_NULL].append(number)
            self._columns.setdefault(number, _column(field["name"], field["type"], number))


def _column(name: str, data_type: Any, number: int) -> list[dict]:
    """A column as an expression."""
    return Once(
        [
            {
                "class": _ATTRIBUTE,
                "num-children": 0,
                "name": name,
                "dataType": data_type,
                "exprId": {"id": number},
            }
        ]
    )


def _numbers(columns: Any) -> list[int]:
    """Spark's numbers of columns, in order."""
    texts = columns.mkString(_SEPARATOR).split(_SEPARATOR)
    found = [_NUMBER.search(text) for text in texts]
    if len(texts) != columns.size() or not all(found):
        return [column.exprId().id() for column in elements(columns)]
    return [int(number[1]) for number in found if number]


def _number(expression: list[dict]) -> int:
    return expression[0]["exprId"]["id"]

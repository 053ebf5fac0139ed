"""Reads a plan that Spark has analyzed as a tree of steps.

Spark's own JSON of a plan (`TreeNode.toJSON`) repeats each column in each step that passes it on.
For a wide plan of many steps that is gigabytes. Here a projection is written without the columns
that it passes on unchanged, and a table is written without the types of its columns. The text is
collected in Java and fetched once at the end, because each long answer waits for the network.
"""

import json
import re
import secrets
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from dbt_spark_contracts.compat import pyspark as compat
from dbt_spark_contracts.compat.pyspark import elements
from dbt_spark_contracts.plan.steps import COLUMNS, DROPPED, NEVER_NULL, PASSES, PLACES
from dbt_spark_contracts.plan.tree import Tree, kind_of, names

# How Spark writes a column: name, id, an L for a bigint, and a watermark's delay.
_COLUMN = re.compile(r"(.*)#(\d+)L?(?:-T\d+ms)?", re.DOTALL)

# Steps whose columns are already known from the steps below them.
_HAND_ON = PASSES | names("Join Union Intersect Except Filter Distinct WithCTE CTERelationDef")

# Steps that list the columns they create.
_MAKE = names("Aggregate Window Generate")

# Up to this many columns, a full list is cheaper than the difference from the step below.
_FEW = 200
# Finding the place of a new column costs a call. A full list costs one id per column.
_CALL = 50

# Builds a step's fields from the fetched JSON and texts.
_Fields = Callable[[], dict]

# Plans that were read, kept as long as their DataFrame: several checks ask for the same plan.
_read: "WeakKeyDictionary[Any, Tree]" = WeakKeyDictionary()


def analyzed_plan(frame: Any) -> Tree:
    """Return the DataFrame's analyzed plan. It is read once and starts no Spark job.

    Args:
        frame: The DataFrame.

    Returns:
        The last step of the plan. Its fields are as Spark writes them, except those of `steps.py`:
        COLUMNS, or DROPPED and PLACES, replace the columns that a step passes on or reads;
        NEVER_NULL lists those that it creates. The plan of a subquery is complete and has no
        NEVER_NULL.
    """
    if frame not in _read:
        reader = _Reader(compat.java_classes(frame.sparkSession))
        _read[frame] = reader.read(compat.analyzed_plan(frame))
    return _read[frame]


class _Reader:
    """Reads one plan: first queues all questions to Java, then decodes the answers."""

    def __init__(self, jvm: Any) -> None:
        self._logical = jvm.org.apache.spark.sql.catalyst.plans.logical
        self._to_seq = jvm.PythonUtils.toSeq
        self._nothing = self._logical.OneRowRelation()
        self._nothings: dict[int, Any] = {}
        # Steps to write as JSON, without the steps below them.
        self._written = jvm.java.util.ArrayList()
        self._text = jvm.scala.collection.mutable.StringBuilder()
        # A column name may hold any character. A random separator cannot occur in one by accident.
        mark = secrets.token_hex(4)
        self._between, self._end = f"\x01{mark}", f"\x02{mark}"
        self._jsons: list[dict] = []
        self._texts: list[list[str]] = []
        self._asked_jsons = self._asked_texts = 0

    def read(self, plan: Any) -> Tree:
        steps: list[tuple[str, int, _Fields]] = []
        left = [plan]
        while left:
            step = left.pop()
            children = [*elements(step.children())]
            kind = kind_of(step.getClass().getName())
            steps.append((kind, len(children), self._ask(kind, step, children)))
            left += reversed(children)
        self._fetch()
        trees: list[Tree] = []
        for kind, count, fields in reversed(steps):  # the children are done already
            below = tuple(trees.pop() for _ in range(count))
            trees.append(Tree(kind, fields(), below))
        return trees.pop()

    def _ask(self, kind: str, step: Any, children: list[Any]) -> _Fields:
        """Queue what is needed of a step."""
        if not children:
            return self._leaf(kind, step)
        if kind == "Project":
            return self._projection(step, children[0])
        if kind == "View":
            is_temporary = step.isTempView()
            return lambda: {"isTempView": is_temporary}
        if kind == "Deduplicate":
            keys = self._columns(step.keys())
            return lambda: {"keys": [_attribute(*key) for key in keys()]}
        alone = step.withNewChildren(self._no_rows(len(children)))
        node = self._json(alone, len(children))
        if kind == "WithCTE":  # in the JSON all children look alike
            return lambda: node() | {"plan": len(children) - 1}
        if kind in _HAND_ON:
            return node
        if kind in _MAKE:
            nullable = self._nullable(alone)
            return lambda: _with_never_null(node(), nullable())
        columns, nullable = self._columns(step.output()), self._nullable(step)
        return lambda: node() | _told(columns(), nullable())

    def _leaf(self, kind: str, leaf: Any) -> _Fields:
        columns, nullable = self._columns(leaf.output()), self._nullable(leaf)
        own = {"cteId": leaf.cteId()} if kind == "CTERelationRef" else {}
        return lambda: own | _told(columns(), nullable())

    def _projection(self, step: Any, child: Any) -> _Fields:
        listed, below, output = step.projectList(), child.output(), step.output()
        alone = self._logical.Project(listed.diff(below), self._nothing)
        node, nullable = self._json(alone, 1), self._nullable(alone)
        columns = self._moves(listed, below, output, alone) or self._all_columns(output)
        return lambda: _with_never_null(node() | columns(), nullable())

    def _all_columns(self, output: Any) -> _Fields:
        columns = self._columns(output)
        return lambda: {COLUMNS: columns()}

    def _moves(self, listed: Any, below: Any, output: Any, alone: Any) -> _Fields | None:
        """Return how a projection's columns differ from those below it.

        Returns:
            The fields, or None if the full list is shorter.
        """
        size = output.size()
        if size < _FEW:
            return None
        new = alone.output()
        dropped = below.diff(listed)
        if new.size() * _CALL > size or not output.diff(new).equals(below.diff(dropped)):
            return None
        places = [output.indexOf(column) for column in elements(new)]
        gone = self._columns(dropped)
        return lambda: {DROPPED: {id for id, _ in gone()}, PLACES: places}

    def _no_rows(self, count: int) -> Any:
        """Return this many steps without rows, as placeholders for the children of a step."""
        if count not in self._nothings:
            self._nothings[count] = self._to_seq([self._nothing] * count)
        return self._nothings[count]

    def _json(self, alone: Any, children: int) -> Callable[[], dict]:
        self._written.add(alone)
        position = self._asked_jsons
        self._asked_jsons += 1 + children
        return lambda: self._jsons[position]

    def _columns(self, columns: Any) -> Callable[[], list[tuple[int, str]]]:
        texts = self._gathered(columns)
        return lambda: [_column(text) for text in texts()]

    def _nullable(self, step: Any) -> Callable[[], list[bool]]:
        """Return, for each column of the step, whether Spark thinks it may be null."""
        texts = self._gathered(step.schema())
        return lambda: [not text.endswith(",false)") for text in texts()]

    def _gathered(self, sequence: Any) -> Callable[[], list[str]]:
        """Queue the texts of the elements of a Scala sequence."""
        sequence.addString(self._text, "", self._between, self._end)
        position = self._asked_texts
        self._asked_texts += 1
        return lambda: self._texts[position]

    def _fetch(self) -> None:
        if self._asked_jsons:
            union = self._logical.Union(self._to_seq(self._written), False, False)
            self._jsons = json.loads(union.toJSON())[1:]
        parts = self._text.toString().split(self._end)[:-1]
        self._texts = [part.split(self._between) if part else [] for part in parts]


def _column(text: str) -> tuple[int, str]:
    """Return Spark's id and the name of a column.

    Raises:
        ValueError: If the text has no column id.
    """
    found = _COLUMN.fullmatch(text)
    if found is None:
        raise ValueError(f"it has the column {text}, whose number is not known")
    return int(found[2]), found[1]


def _attribute(id: int, name: str) -> list[dict]:
    """Return a column as an expression."""
    own = {"num-children": 0, "name": name, "exprId": {"id": id}}
    return [{"class": "org.apache.spark.sql.catalyst.expressions.AttributeReference", **own}]


def _with_never_null(node: dict, nullable: list[bool]) -> dict:
    """Return the node of a step that creates columns, with its never-null columns added."""
    lists = ("projectList", "aggregateExpressions", "windowExpressions", "generatorOutput")
    (listed,) = (node[name] for name in lists if name in node)
    columns = [(named[0]["exprId"]["id"], named[0]["name"]) for named in listed]
    return node | {NEVER_NULL: _told(columns, nullable)[NEVER_NULL]}


def _told(columns: list[tuple[int, str]], nullable: list[bool]) -> dict[str, list]:
    pairs = zip(columns, nullable, strict=True)
    return {COLUMNS: columns, NEVER_NULL: [id for (id, _), may_be in pairs if not may_be]}

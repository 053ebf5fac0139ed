"""Both versions of a model, analyzed on the tables of the working tree. Nothing is computed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.spark import session

from python_jobs.check_pull_request.changes.imports import modules_of
from python_jobs.check_pull_request.manifest import Manifest
from python_jobs.check_pull_request.project import Project
from python_jobs.check_pull_request.proof.plans import are_same
from python_jobs.check_pull_request.proof.words import depends_on_when_or_where

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_compiled: dict[tuple[Path, str], str] = {}


@dataclass(frozen=True)
class Side:
    """One of the two states of a project.

    Attributes:
        root: The project's folder.
        manifest: Its manifest.
        state: A folder for dbt's artifacts.
    """

    root: Path
    manifest: Manifest
    state: Path


def same_plan(project: Project, sides: tuple[Side, Side], key: str, wanted: list[str]) -> bool:
    """Is the model's plan the same on both sides? False, too, if either cannot be analyzed.

    Args:
        project: The project, whose tables both are analyzed on.
        sides: The base and the working tree.
        key: The model's unique id.
        wanted: All models that are asked for, which are compiled at once.
    """
    try:
        frames = [_staged(project, side, key, wanted) for side in sides]
        return are_same(*frames)
    except Exception:  # whatever it is, nothing is proven
        return False


def _staged(project: Project, side: Side, key: str, wanted: list[str]) -> "DataFrame":
    if (side.root, key) not in _compiled:
        _compile(project, side, wanted)
    code = _compiled[side.root, key]
    spark = session.get()
    node = side.manifest.nodes[key]
    if node.get("language") != "python":
        if depends_on_when_or_where(code, ()):
            raise ValueError("a constant of its query is another one on another day")
        return spark.sql(code)
    return _run(spark, side.root, node["raw_code"], code)


def _compile(project: Project, side: Side, wanted: list[str]) -> None:
    selected = [".".join(side.manifest.nodes[key]["fqn"]) for key in wanted]
    command = ("compile", "--no-introspect", "--no-populate-cache", "--select", *selected)
    done = project.dbt(*command, root=side.root, state=side.state)
    for result in done.result or ():
        _compiled[side.root, result.node.unique_id] = result.node.compiled_code


class Handed:
    """What dbt hands to a model, as a value that only Spark may look at.

    A proof is for any value. So all that would look into it raises.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def _refuse(self, *_: object) -> Any:
        raise TypeError("the model looks into a value that another run may have otherwise")

    __bool__ = __eq__ = __str__ = __repr__ = __format__ = __iter__ = __len__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class Config:
    """dbt's `dbt.config`: what it is asked for is handed on unseen."""

    def __call__(self, *_: object, **__: object) -> None:
        """A model's own config, which the manifest tells."""

    def get(self, key: str, default: object = None) -> Handed:
        """A value of the config."""
        return Handed(key)


def _run(spark: "SparkSession", root: Path, source: str, code: str) -> "DataFrame":
    """The DataFrame that a Python model returns; its code may not look at the session."""
    module = ModuleType("dbt_model_to_compare")
    tables: list[str] = []

    def load(relation: str) -> "DataFrame":
        if not isinstance(relation, str):
            raise TypeError("a source of files is no table")
        tables.append(relation)
        return spark.table(relation)

    with _modules_of(root, source), _values_of(spark, tables):
        exec(compile(code, module.__name__, "exec"), module.__dict__)
        dbt = module.__dict__["dbtObj"](load)
        dbt.config = Config()
        return module.__dict__["model"](dbt, None)


@contextmanager
def _modules_of(root: Path, source: str) -> Iterator[None]:
    """Python that imports the project's modules from this folder, for the time being."""
    own = {Path(file).parts[0].removesuffix(".py") for file in modules_of(root, source)}
    kept = {name: each for name, each in sys.modules.items() if name.partition(".")[0] in own}
    path = list(sys.path)
    for name in kept:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path[:] = path
        for name in [name for name in sys.modules if name.partition(".")[0] in own]:
            del sys.modules[name]
        sys.modules.update(kept)


@contextmanager
def _values_of(spark: "SparkSession", tables: list[str]) -> Iterator[None]:
    """Spark's `lit` that makes of what is handed something that no optimizer can look into.

    That is a query of a table that the model reads, of which nobody knows the answer before it
    runs. Each value is one of its own.
    """
    from pyspark.sql import functions

    plain = functions.lit

    def lit(value: Any) -> Any:
        if not isinstance(value, Handed):
            return plain(value)
        column = spark.table(tables[0]).columns[0]
        key = value.key.replace("'", "")
        text = f"concat('{key}', cast(`{column}` as string))"
        return functions.expr(f"(select max({text}) from {tables[0]})")

    functions.lit = lit
    try:
        yield
    finally:
        functions.lit = plain

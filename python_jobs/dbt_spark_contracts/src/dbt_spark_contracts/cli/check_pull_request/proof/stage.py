"""Analyzes both versions of a model on stand-ins for the working tree's tables. No Spark job."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.cli.check_pull_request.changes.imports import modules_of
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest
from dbt_spark_contracts.cli.check_pull_request.project import Project
from dbt_spark_contracts.cli.check_pull_request.proof.plans import StandIns, are_same
from dbt_spark_contracts.cli.check_pull_request.proof.words import depends_on_when_or_where
from dbt_spark_contracts.spark import session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


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


def with_same_plan(project: Project, sides: tuple[Side, Side], wanted: list[str]) -> set[str]:
    """Return the models whose plan can be analyzed and is the same on both sides.

    Args:
        project: The project, whose tables both sides are analyzed on.
        sides: The base and the working tree.
        wanted: The unique ids of the models.

    Returns:
        The unique ids of the models.
    """
    codes = [_compiled(project, side, wanted) for side in sides]
    stand_ins = StandIns(session.get())
    found = set()
    for key in wanted:
        try:
            frames = [
                _staged(side, key, code[key], stand_ins)
                for side, code in zip(sides, codes, strict=True)
            ]
            if are_same(*frames):
                found.add(key)
        except Exception:  # a model that cannot be analyzed is not proven
            continue
    stand_ins.drop()
    return found


def _compiled(project: Project, side: Side, wanted: list[str]) -> dict[str, str]:
    """Return the models' code as dbt passes it to Spark."""
    if not (side.root / "dbt_packages").is_dir():  # for a base with a cached manifest
        project.install_packages(side.root)
    selected = [".".join(side.manifest.nodes[key]["fqn"]) for key in wanted]
    command = ("compile", "--no-introspect", "--no-populate-cache", "--select", *selected)
    done = project.dbt(*command, root=side.root, state=side.state)
    results: Any = done.result or ()
    return {result.node.unique_id: result.node.compiled_code for result in results}


def _staged(side: Side, key: str, code: str, stand_ins: StandIns) -> "DataFrame":
    node = side.manifest.nodes[key]
    if node.get("language") == "python":
        return _run(side.root, node["raw_code"], code, stand_ins)
    names = {each["relation_name"] for each in side.manifest.nodes.values()} - {None}
    for name in names:
        whole = rf"(?<![\w.`]){re.escape(name)}(?![\w.`])"
        if re.search(whole, code):
            code = re.sub(whole, stand_ins.view(name), code)
    schemas = {each["schema"] for each in side.manifest.nodes.values()}
    if depends_on_when_or_where(code, schemas):
        raise ValueError("its query reads more than its refs, or depends on the day")
    return stand_ins.spark.sql(code)


class Handed:
    """A value that dbt passes to a model and that only Spark may read.

    A proof must hold for any value, so every attempt of the model to read it raises.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def _refuse(self, *_: object) -> Any:
        raise TypeError("the model reads a value that may differ in another run")

    __bool__ = __eq__ = __str__ = __repr__ = __format__ = __iter__ = __len__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class Config:
    """dbt's `dbt.config`, which passes on values without revealing them."""

    def __call__(self, *_: object, **__: object) -> None:
        """Ignore a model's own config, which is in the manifest."""

    def get(self, key: str, default: object = None) -> Handed:
        """Return a value of the config."""
        return Handed(key)


def _run(root: Path, source: str, code: str, stand_ins: StandIns) -> "DataFrame":
    """Return the DataFrame of a Python model, whose code must not use the session."""
    module = ModuleType("dbt_model_to_compare")
    views: list[str] = []

    def load(relation: str) -> "DataFrame":
        if not isinstance(relation, str):
            raise TypeError("a source of files is not a table")
        views.append(stand_ins.view(relation))
        return stand_ins.spark.table(views[-1])

    with _modules_of(root, source), _opaque_values(stand_ins.spark, views):
        exec(compile(code, module.__name__, "exec"), module.__dict__)
        dbt = module.__dict__["dbtObj"](load)
        dbt.config = Config()
        return module.__dict__["model"](dbt, None)


@contextmanager
def _modules_of(root: Path, source: str) -> Iterator[None]:
    """Import the project's modules from this folder for a while."""
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
def _opaque_values(spark: "SparkSession", views: list[str]) -> Iterator[None]:
    """Replace Spark's `lit` by a version whose result no optimizer can see through.

    The result is a query of the model's inputs, whose answer is unknown until it runs. Each value
    gets its own query.
    """
    from pyspark.sql import functions

    plain = functions.lit

    def lit(value: Any) -> Any:
        if not isinstance(value, Handed):
            return plain(value)
        column = spark.table(views[0]).columns[0]
        key = value.key.replace("'", "")
        text = f"concat('{key}', cast(`{column}` as string))"
        return functions.expr(f"(select max({text}) from {views[0]})")

    functions.lit = lit
    try:
        yield
    finally:
        functions.lit = plain

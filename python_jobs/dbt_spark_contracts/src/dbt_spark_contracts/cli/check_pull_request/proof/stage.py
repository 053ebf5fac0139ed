"""Analyzes both versions of a model on stand-ins for the working tree's tables. No Spark job."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
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
    from pyspark.sql import Column, DataFrame, SparkSession


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


@dataclass(frozen=True)
class Staged:
    """What a model computes.

    Attributes:
        frames: The model's DataFrame, and the keys for each call of `dbt.affected`.
        names: For each of these calls, the values of the config that it names.
    """

    frames: "list[DataFrame]"
    names: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def is_same(self, other: "Staged") -> bool:
        """Return whether both compute the same, and replace the same rows of a table by it."""
        return (
            self.names == other.names
            and len(self.frames) == len(other.frames)
            and all(map(are_same, self.frames, other.frames))
        )


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
            old, new = (
                _staged(side, key, code[key], stand_ins)
                for side, code in zip(sides, codes, strict=True)
            )
            if old.is_same(new):
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


def _staged(side: Side, key: str, code: str, stand_ins: StandIns) -> Staged:
    node = side.manifest.nodes[key]
    if node.get("language") == "python":
        return run_python(side.root, node, code, stand_ins)
    names = {each["relation_name"] for each in side.manifest.nodes.values()} - {None}
    for name in names:
        whole = rf"(?<![\w.`]){re.escape(name)}(?![\w.`])"
        if re.search(whole, code):
            code = re.sub(whole, stand_ins.view(name), code)
    schemas = {each["schema"] for each in side.manifest.nodes.values()}
    if depends_on_when_or_where(code, schemas):
        raise ValueError("its query reads more than its refs, or depends on the day")
    return Staged([stand_ins.spark.sql(code)])


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


class Affected:
    """Stands for `dbt.affected`, which returns all rows, as in a full refresh.

    Args:
        table: Returns the model's own table.
    """

    def __init__(self, table: "Callable[[], DataFrame]") -> None:
        self._table = table
        self.frames: list[DataFrame] = []
        self.names: list[tuple[list[str], list[str]]] = []

    def __call__(
        self,
        rows: "DataFrame",
        by: "list[str | Column]",
        *,
        keys: "Callable[[DataFrame], DataFrame] | None" = None,
        also: "dict[str, Callable[[DataFrame], DataFrame]] | None" = None,
        apart_from: Iterable[str] = (),
    ) -> "DataFrame":
        """Record which keys the model asks for. See the `dbt.affected` of a build."""
        changed = rows.select(*by)
        self.names.append((sorted(also or {}), sorted(apart_from)))
        self.frames += [changed, keys(changed) if keys else changed]
        for _, further in sorted((also or {}).items()):
            self.frames.append(further(self._table()).select(*changed.columns))
        return rows


def run_python(root: Path, node: dict, code: str, stand_ins: StandIns) -> Staged:
    """Return what a Python model computes. Its code must not use the session.

    Raises:
        ValueError: If the model is incremental and does not ask for the keys that have changed.
    """
    module = ModuleType("dbt_model_to_compare")
    views: list[str] = []

    def load(relation: str) -> "DataFrame":
        if not isinstance(relation, str):
            raise TypeError("a source of files is not a table")
        views.append(stand_ins.view(relation))
        return stand_ins.spark.table(views[-1])

    with _modules_of(root, node["raw_code"]), _opaque_values(stand_ins.spark, views):
        exec(compile(code, module.__name__, "exec"), module.__dict__)
        dbt = module.__dict__["dbtObj"](load)
        dbt.config = Config()
        dbt.affected = affected = Affected(partial(load, node["relation_name"]))
        frame = module.__dict__["model"](dbt, None)
    if node["config"].get("materialized") == "incremental" and not affected.names:
        raise ValueError("the table keeps rows of earlier builds")
    return Staged([frame, *affected.frames], affected.names)


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

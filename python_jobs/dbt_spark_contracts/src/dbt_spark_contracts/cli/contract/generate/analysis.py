"""Analyzes models in the order of their refs, on stand-ins for their parents. No Spark job.

The columns of a parent come from its contract, or from its analysis in the same command. Without
either, they come from its table. Without a table, they come from its own plan.
"""

import csv
from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt_common.exceptions import CompilationError, DbtRuntimeError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql.types import StructField, StructType

from dbt_spark_contracts import schemas, spark_plan
from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.cli.contract.generate.stand_ins import StandIns, stand_ins
from dbt_spark_contracts.cli.opened import Opened
from dbt_spark_contracts.compat.dbt_core import unwritten_contracts_allowed
from dbt_spark_contracts.contract import constraints
from dbt_spark_contracts.contract.provable import key_of
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.lineage import watch
from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.model import trace
from dbt_spark_contracts.lineage.project import Project
from dbt_spark_contracts.lineage.record import Model
from dbt_spark_contracts.nodes import is_enforced

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_VIEW = "contract_of_a_model"


@dataclass
class Found:
    """What the plan of a model proves.

    Attributes:
        types: The types of its columns, by name, in order.
        not_null: The columns that are never null.
        key: The columns of a proven key, or None.
        lineage: The origins of its columns.
    """

    types: dict[str, str]
    not_null: list[str]
    key: tuple[str, ...] | None
    lineage: Model
    schema: StructType = field(repr=False)


class Analysis:
    """Analyzes models of a project.

    Args:
        opened: The project.
    """

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.nodes: dict[str, dict] = {
            **opened.nodes,
            **{
                key: source.to_dict(omit_none=False)
                for key, source in opened.manifest.sources.items()
            },
        }

    def models(self, selected: Iterable[str]) -> Generator[tuple[str, Found, Project], None, None]:
        """Analyze models, parents first.

        Before it asks for the next model, the caller must put the generated contract of the last
        one into `nodes`, because models that read it use it.

        Args:
            selected: Their unique ids.

        Yields:
            The unique id, the result, and the tables in plans.

        Raises:
            Cannot: If a model cannot be analyzed.
        """
        wanted = {*selected}
        with stand_ins(self.opened.spark) as stands:
            needed = self._prepare(stands, wanted)
            while needed:
                ready = [key for key in needed if not self._parents(key) & needed.keys()]
                codes = self._compiled(ready)
                first = {key: self._staged(stands, key, codes[key]) for key in ready}
                again = [key for key in ready if self._is_incremental(key)]
                for key in again:
                    stands.put(self.nodes[key]["relation_name"], first[key].schema)
                codes = self._compiled(again)
                for key in ready:
                    found = first[key]
                    if key in again:
                        found = self._on_earlier_rows(stands, key, codes[key], found)
                    if key in wanted:
                        yield key, found, self.project(stands.catalog)
                    stands.put(self.nodes[key]["relation_name"], self._stand_in(key, found))
                    del needed[key]

    def _prepare(self, stands: StandIns, wanted: set[str]) -> dict[str, None]:
        """Create the stand-ins that need no analysis. Return the models that do, with parents."""
        needed: dict[str, None] = {}
        left = [*wanted]
        while left:
            key = left.pop()
            if key in needed:
                continue
            node = self.nodes[key]
            if key not in wanted:
                table = node.get("relation_name")
                if (node.get("external") or {}).get("location") or not table:
                    continue
                if stands.is_elsewhere(table) or stands.has(table):
                    continue
                if (columns := self._known_columns(stands, node)) is not None:
                    stands.put(table, columns)
                    continue
            needed[key] = None
            left += self._parents(key)
        return needed

    def _known_columns(self, stands: StandIns, node: dict) -> StructType | None:
        """Return the columns of a model's parent, if they are known without its plan."""
        name, kind = short_name(node["unique_id"]), node["resource_type"]
        described = node["columns"]
        if kind == "model" and is_enforced(node["config"]) and described:
            return self._promised(node)
        if (columns := stands.real_columns(node["relation_name"])) is not None:
            return columns
        if kind == "model":
            return None
        if kind == "seed":
            return self._of_seed(node)
        way = f"`dbt snapshot -s {name}`" if kind == "snapshot" else "what fills it"
        raise Cannot(f"{name} has no table, so its columns are unknown: first run {way}")

    def _promised(self, node: dict) -> StructType:
        never_null = constraints.not_null(node)
        types = {name: str(each["data_type"] or "") for name, each in node["columns"].items()}
        try:
            parsed = schemas.parse_types(self.opened.spark, types)
        except ValueError as error:
            raise Cannot(f"{node['name']}: {error}") from None
        return StructType(
            [StructField(c.name, c.dataType, c.name not in never_null) for c in parsed.fields]
        )

    def _of_seed(self, node: dict) -> StructType:
        """Return the columns of a seed without a table, from its file and its column_types."""
        types = node["config"].get("column_types") or {}
        file = Path(node["root_path"] or self.opened.place.folder, node["original_file_path"])
        delimiter = node["config"].get("delimiter") or ","
        with file.open(encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines, delimiter=delimiter), [])
        if not header or {*header} - {*types}:
            raise Cannot(
                f"{node['name']} has no table: first run `dbt seed -s {node['name']}` first"
            )
        return schemas.parse_types(self.opened.spark, {name: types[name] for name in header})

    def _parents(self, key: str) -> set[str]:
        """Return a model's parents. Ephemeral parents are replaced by their own parents."""
        found: set[str] = set()
        left = [*self.nodes[key]["depends_on"]["nodes"]]
        while left:
            node = self.nodes.get(left.pop())
            if node is None:
                continue
            if node["config"].get("materialized") == "ephemeral":
                left += node["depends_on"]["nodes"]
            elif node["unique_id"] != key:
                found.add(node["unique_id"])
        return found

    def _is_incremental(self, key: str) -> bool:
        return self.nodes[key]["config"]["materialized"] == "incremental"

    def _compiled(self, keys: list[str]) -> dict[str, str]:
        """Return the models' compiled code."""
        if not keys:
            return {}
        wrong: dict[str, str] = {}

        def note(event: Any) -> None:
            if event.info.name == "NodeFinished" and event.data.run_result.status == "error":
                wrong[event.data.node_info.unique_id] = event.data.run_result.message

        selected = [".".join(self.nodes[key]["fqn"]) for key in keys]
        with unwritten_contracts_allowed():
            done = self.opened.place.dbt("compile", "--select", *selected, callbacks=(note,))
        codes = {each.node.unique_id: each.node.compiled_code for each in done.result or ()}
        for key in keys:
            if not codes.get(key):
                reason = next((r.message for r in done.result if r.node.unique_id == key), "")
                raise _unanalyzed(self.nodes[key], wrong.get(key) or reason or "no code")
        return codes

    def _staged(self, stands: StandIns, key: str, code: str) -> Found:
        node = self.nodes[key]
        try:
            frame = self._frame(node, code)
            project = self.project(stands.catalog)
            not_null = spark_plan.never_null(frame, frame.columns)
            schemas.stored(stands.spark, frame.schema)
            return Found(
                {each["name"]: each["data_type"] for each in spark_plan.columns(frame)},
                not_null,
                key_of(frame, node, project, not_null),
                trace(frame, node, project.names, (), watch.files),
                frame.schema,
            )
        except (PySparkException, Py4JJavaError) as error:
            raise _unanalyzed(node, explain(error)) from None
        except (DbtRuntimeError, CompilationError, ValueError) as error:
            raise _unanalyzed(node, str(getattr(error, "msg", error))) from None

    def _on_earlier_rows(self, stands: StandIns, key: str, code: str, found: Found) -> Found:
        """Return what is proven for a model's first run and for its incremental runs."""
        node = self.nodes[key]
        while True:
            stands.put(node["relation_name"], _schema(found, found.not_null))
            later = self._staged(stands, key, code)
            if found.types != later.types:
                raise _unanalyzed(
                    node, "its first run and its incremental runs have different columns"
                )
            both = [name for name in found.not_null if name in later.not_null]
            # A proof that uses the table's own columns is valid if all of these are proven, too.
            is_settled = both == found.not_null
            same_key = found.key if found.key == later.key else None
            found = replace(found, not_null=both, key=same_key)
            if is_settled:
                return found

    def _frame(self, node: dict, code: str) -> "DataFrame":
        """Return the analyzed DataFrame of a model."""
        spark = self.opened.spark
        if node["language"] == "python":
            from dbt_spark_contracts.python_models.job import Asked, SessionPythonJobHelper

            helper = SessionPythonJobHelper(Asked(), node, None)
            helper.is_empty = True
            helper.submit(f'{code}\n\nstage(model, dbtObj, "{_VIEW}")\n')
            frame = spark.table(_VIEW)
            spark.catalog.dropTempView(_VIEW)
            return frame
        spark_plan.require_query(spark, code.strip().removesuffix(";"))
        return spark.sql(code)

    def project(self, catalog: str) -> Project:
        """Return the tables in plans, with the current state of the nodes, for a catalog."""
        of_kind = partial(_of_kind, self.nodes)
        graph = {"nodes": of_kind(False), "sources": of_kind(True)}
        return Project(graph, catalog, {}, self.opened.selected)

    def _stand_in(self, key: str, found: Found) -> StructType:
        """Return the columns of a model's table, from its contract or from its plan."""
        node = self.nodes[key]
        if is_enforced(node["config"]):
            return _schema(found, constraints.not_null(node))
        if node["config"]["materialized"] == "view":
            return _schema(found, found.not_null)  # its readers see its query
        return found.schema


def _schema(found: Found, not_null: Collection[str]) -> StructType:
    return StructType(
        [StructField(c.name, c.dataType, c.name not in not_null) for c in found.schema.fields]
    )


def _of_kind(nodes: dict[str, dict], sources: bool) -> dict[str, dict]:
    return {
        key: node for key, node in nodes.items() if (node["resource_type"] == "source") == sources
    }


def _unanalyzed(node: dict, reason: str) -> Cannot:
    return Cannot(f"{node['name']} cannot be analyzed: {' '.join(reason.split())}")

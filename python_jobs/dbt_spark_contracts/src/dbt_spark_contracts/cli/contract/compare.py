"""`contract diff`: compares contracts with their published tables."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dbt_common.exceptions import DbtRuntimeError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from dbt_spark_contracts import schemas, tables
from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.cli.contract.select import contracted, opened
from dbt_spark_contracts.cli.opened import Place
from dbt_spark_contracts.compat.pyspark import fetched
from dbt_spark_contracts.contract import check, constraints
from dbt_spark_contracts.contract.promise import Promise, promise
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.publish import pending

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Difference:
    """One difference between a contract and its table.

    Attributes:
        model: The model.
        column: The column. Empty for a difference of the table.
        kind: What differs: table, column, name, type, null, comment or key.
        contract: The value in the contract, or None.
        table: The value in the table, or None.
    """

    model: str
    column: str
    kind: str
    contract: str | None
    table: str | None

    def __str__(self) -> str:
        if self.kind == "table":
            there = f"no build of {self.contract} was published"
            return f"{self.model}: {there if self.table else f'there is no table {self.contract}'}"
        where = f"{self.model}.{self.column}" if self.column else self.model
        return f"{where}: {self.kind}: {_told(self.contract)} in the contract, " + (
            f"{_told(self.table)} in the table"
        )

    def as_dict(self) -> dict[str, str | None]:
        """Return the difference for JSON."""
        return asdict(self)


def differences(place: Place, names: Iterable[str]) -> list[Difference]:
    """Return the differences between the contracts of models and the published tables.

    Raises:
        Cannot: If there is no such model, it has no contract, it is a view, or a table cannot be
            read.
        CannotOpen: If the project cannot be parsed, or Spark cannot be started.
    """
    names = [*names]
    project = opened(place)
    found: list[Difference] = []
    for node in contracted(project, names).values():
        if node["config"]["materialized"] == "view":
            if names:
                raise Cannot(f"{node['name']} is a view: it has the columns of its query")
            continue
        try:
            found += _of_model(project.spark, node)
        except DbtRuntimeError as error:
            raise Cannot(f"{node['name']}: {' '.join(error.msg.split())}") from None
        except (PySparkException, Py4JJavaError) as error:
            raise Cannot(f"{node['name']}: {explain(error)}") from None
    return found


def _of_model(spark: "SparkSession", node: dict) -> list[Difference]:
    made = promise(spark, node, node["relation_name"], "", False)
    if not tables.exists(spark, made.table):
        return [Difference(node["name"], "", "table", made.table, None)]
    if pending.UNPUBLISHED in schemas.properties(spark, made.table):
        return [Difference(node["name"], "", "table", made.table, "unpublished")]
    return [*_of_columns(spark, made), *_of_table(spark, made, node)]


def _of_columns(spark: "SparkSession", made: Promise) -> list[Difference]:
    drift = check.drift(spark, made, None)

    def of(column: str, kind: str, contract: str | None, table: str | None) -> Difference:
        return Difference(made.node, column, kind, contract, table)

    found = [of(own.name, "column", None, own.data_type) for own in drift.stray]
    found += [of(own.name, "column", own.data_type, None) for own in drift.missing]
    for own, column in drift.retyped:
        if own.data_type != column.kept_type:
            found.append(of(column.name, "type", column.data_type, own.data_type))
        if own.nullable != column.nullable:
            found.append(of(column.name, "null", _null(column.nullable), _null(own.nullable)))
    found += [of(own.name, "null", "not null", "may be null") for own in drift.tightened]
    found += [of(column.name, "name", column.name, own.name) for own, column in drift.renamed]
    found += [of(own.name, "comment", new.comment, own.comment) for own, new in drift.commented]
    return found


def _of_table(spark: "SparkSession", made: Promise, node: dict) -> list[Difference]:
    found = []
    comment = schemas.properties(spark, made.table).get("comment", "")
    if made.comment is not None and made.comment != comment:
        found.append(Difference(made.node, "", "comment", made.comment, comment))
    # Identifier fields are optional. If a table has them, they identify its rows.
    loaded = tables.load(spark, made.table).schema()
    remembered = {*fetched(spark, loaded.identifierFieldNames())}
    promised = constraints.keys(node)
    if remembered and remembered not in [{*key} for key in promised]:
        keys = "; ".join(", ".join(key) for key in promised)
        found.append(Difference(made.node, "", "key", keys or None, ", ".join(sorted(remembered))))
    return found


def _null(nullable: bool) -> str:
    return "may be null" if nullable else "not null"


def _told(value: str | None) -> str:
    if value is None:
        return "nothing"
    return " ".join(value.split()) or "nothing"

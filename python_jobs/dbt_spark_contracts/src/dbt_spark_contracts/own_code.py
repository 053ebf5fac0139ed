"""What a Python model's own code must not do. Only the materialization writes tables.

A direct write would bypass the run's branch, its lock and all contracts, and data read back from it
would have no marks. The code must not change what all models of a command share either.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dbt_common.exceptions import DbtRuntimeError
from pyspark import RDD, SparkContext
from pyspark.sql import SparkSession
from pyspark.sql.catalog import Catalog
from pyspark.sql.conf import RuntimeConfig
from pyspark.sql.readwriter import DataFrameWriter, DataFrameWriterV2
from pyspark.sql.streaming import DataStreamWriter

from dbt_spark_contracts.compat.pyspark import formatted_sql
from dbt_spark_contracts.lineage import source_code, watch
from dbt_spark_contracts.materializations import UNAUDITED
from dbt_spark_contracts.once import once
from dbt_spark_contracts.plan.tree import names
from dbt_spark_contracts.publish import statements
from dbt_spark_contracts.spark.session import BRANCH

_WRITERS = {
    DataFrameWriter: names("csv insertInto jdbc json orc parquet save saveAsTable text"),
    DataFrameWriterV2: names("append create createOrReplace overwrite overwritePartitions replace"),
    DataStreamWriter: names("start toTable"),
    Catalog: names("createExternalTable createTable recoverPartitions"),
    RDD: names("""
        saveAsHadoopDataset saveAsHadoopFile saveAsNewAPIHadoopDataset saveAsNewAPIHadoopFile
        saveAsPickleFile saveAsSequenceFile saveAsTextFile
    """),
}  # fmt: skip
# Calls that reveal views of other models, whose names may be values.
_LISTS = names("listFunctions listTables")
_LIST = re.compile(r"\s*show\b", re.IGNORECASE)
_NAMED = {SparkSession: names("table"), Catalog: names("getFunction getTable listColumns")}
_SHARED = {Catalog: names("setCurrentCatalog setCurrentDatabase"), SparkSession: names("stop")}


@dataclass(frozen=True)
class OwnCode:
    """The code of one Python model.

    Attributes:
        name: The model's name.
        may_write: Whether the model's meta gives a reason why it writes directly.
        reads: What it reads that nothing else detects.
    """

    name: str
    may_write: bool
    reads: source_code.Reads = field(default_factory=source_code.Reads)

    @classmethod
    def of(cls, name: str, meta: Mapping, source: str = "") -> "OwnCode":
        """Return the code of a model with this meta and source.

        Raises:
            DbtRuntimeError: If the code changes a module that it imports. The message is one line.
        """
        _watch()
        may_write = bool(str(meta.get(UNAUDITED) or "").strip())
        code = cls(name, may_write, source_code.reads(source))
        if changed := source_code.changed(source):
            code.refuse_to_change(changed)
        return code

    def refuse_to_write(self, what: str) -> None:
        """Refuse a direct write, unless the model may write.

        Raises:
            DbtRuntimeError: If it may not. The message is one line.
        """
        if not self.may_write:
            raise DbtRuntimeError(
                f"{self.name}: `{what}` is not run: no branch of this run would hold it, and no "
                "contract. Let model() return the rows, which its materialization writes, or say "
                f"why it is right in the model's meta, as `{UNAUDITED}: …`."
            )

    def refuse_to_change(self, what: str) -> None:
        """Refuse a change of something that all models of the command share.

        Raises:
            DbtRuntimeError: Always. The message is one line.
        """
        raise DbtRuntimeError(
            f"{self.name}: `{what}` is not run: all models of this run share what it changes. "
            "Leave it out, and write the names of tables in full."
        )

    def check_sql(self, session: SparkSession, text: str) -> None:
        """Check that a statement only reads.

        Raises:
            DbtRuntimeError: If it does more. The message is one line.
        """
        found = statements.own_effect(session, text)
        if found == statements.WRITES:
            self.refuse_to_write(statements.shortened(text))
        elif found == statements.SHARED:
            self.refuse_to_change(statements.shortened(text))


@once
def _watch() -> None:
    """Make pyspark's classes check, from now on, when a model's own code calls them."""
    for owner, methods in _WRITERS.items():
        for name in sorted(methods):
            _ask_before(owner, name, functools.partial(_write, f"{owner.__name__}.{name}"))
    for owner, methods in _SHARED.items():
        for name in sorted(methods):
            _ask_before(owner, name, functools.partial(_change, f"{owner.__name__}.{name}"))
    _ask_before(RuntimeConfig, "get", _read_setting)
    for name in ("set", "unset"):
        _ask_before(RuntimeConfig, name, functools.partial(_configure, name))
    _ask_before(SparkContext, "getLocalProperty", _read_setting)
    _ask_before(SparkContext, "setLocalProperty", functools.partial(_configure, "set"))
    _ask_before(SparkSession, "sql", _sql)
    for name in sorted(_LISTS):
        _ask_before(Catalog, name, _list)
    for owner, methods in _NAMED.items():
        for name in sorted(methods):
            _ask_before(owner, name, _look)


def _ask_before(owner: type, name: str, ask: Callable[..., None]) -> None:
    function = getattr(owner, name)

    @functools.wraps(function)
    def asking(self: Any, *arguments: Any, **options: Any) -> Any:
        codes = {collected.own_code for collected in watch.collecting() if collected.own_code}
        if codes:
            with watch.unwatched():  # it may call other checked methods
                ask(_any_of(codes), self, *arguments, **options)
        return function(self, *arguments, **options)

    del asking.__wrapped__  # it would bypass the check
    setattr(owner, name, asking)


def _any_of(codes: set[OwnCode]) -> OwnCode:
    """Return the model's code. In a thread that a model has started, combine all candidates."""
    if len(codes) == 1:
        return next(iter(codes))
    name = " or ".join(sorted(code.name for code in codes))
    return OwnCode(
        name,
        all(code.may_write for code in codes),
        source_code.Reads(
            shares_modules=any(code.reads.shares_modules for code in codes),
            reaches_others=any(code.reads.reaches_others for code in codes),
        ),
    )


def _write(what: str, code: OwnCode, *_: Any, **__: Any) -> None:
    code.refuse_to_write(f"{what}(…)")


def _change(what: str, code: OwnCode, *_: Any, **__: Any) -> None:
    code.refuse_to_change(f"{what}(…)")


def _configure(what: str, code: OwnCode, _: Any, key: str, *__: Any, **___: Any) -> None:
    if key == BRANCH:
        code.refuse_to_change(f"spark.conf.{what}('{BRANCH}')")
    watch.settings.setdefault(str(key), code.name)


def _read_setting(code: OwnCode, _: Any, key: str, *__: Any, **___: Any) -> None:
    watch.read_setting(str(key), code.name)


def _sql(
    code: OwnCode, session: SparkSession, sqlQuery: str, args: Any = None, **values: Any
) -> None:
    text = formatted_sql(session, sqlQuery, values) if values else sqlQuery
    code.check_sql(session, text)
    watch.look_at(text, code.name, is_list=_LIST.match(text) is not None)
    if setting := watch.set_by(text):
        watch.settings.setdefault(setting, code.name)
    elif view := watch.view_made_by(text):
        watch.make_view(view, code.name)


def _look(code: OwnCode, _: Any, *arguments: Any, **options: Any) -> None:
    name = str([*arguments, *options.values()][0])
    if "." not in name or name.startswith("global_temp."):
        watch.look_at(name, code.name)


def _list(code: OwnCode, *_: Any, **__: Any) -> None:
    watch.look_at("", code.name, is_list=True)

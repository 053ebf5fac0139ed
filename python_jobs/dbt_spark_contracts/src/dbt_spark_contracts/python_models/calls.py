"""Checks the calls of pyspark in a Python model's own code before they run: see `OwnCode`."""

import functools
import re
from collections.abc import Callable
from typing import Any

from pyspark import RDD, SparkContext
from pyspark.sql import SparkSession
from pyspark.sql.catalog import Catalog
from pyspark.sql.conf import RuntimeConfig
from pyspark.sql.readwriter import DataFrameWriter, DataFrameWriterV2
from pyspark.sql.streaming import DataStreamWriter

from dbt_spark_contracts.compat.pyspark import formatted_sql
from dbt_spark_contracts.lineage import source_code, watch
from dbt_spark_contracts.lineage.own_code import OwnCode
from dbt_spark_contracts.once import once
from dbt_spark_contracts.plan.tree import names
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


@once
def check_calls() -> None:
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

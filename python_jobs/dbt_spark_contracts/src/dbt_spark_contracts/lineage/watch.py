"""What a model takes out of Spark into its own process, while it runs or is compiled.

What is made of that (a literal, rows, the name of a field) looks like a constant in a plan. So the
DataFrames that a model collects are kept, and are traced as the model itself is.
"""

import functools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pyspark import RDD, Accumulator, SparkContext
from pyspark.sql import DataFrame
from pyspark.sql.group import GroupedData

from dbt_spark_contracts.compat.pyspark import grouped_frame
from dbt_spark_contracts.lineage import outside
from dbt_spark_contracts.lineage.relations import column_ids
from dbt_spark_contracts.once import once
from dbt_spark_contracts.plan.tree import names

if TYPE_CHECKING:
    from dbt_spark_contracts.own_code import OwnCode

# What of a DataFrame leaves its values in Spark: it makes a plan, or tells columns and counts. All
# else hands values to the program, or puts them where no plan shows them.
STAYS_IN_SPARK = names("""
    agg alias cache checkpoint coalesce colRegex columns count createGlobalTempView
    createOrReplaceGlobalTempView createOrReplaceTempView createTempView crossJoin cube describe
    distinct drop dropDuplicates dropDuplicatesWithinWatermark drop_duplicates dropna dtypes
    exceptAll explain fillna filter groupBy groupby hint intersect intersectAll isEmpty isLocal
    isStreaming join limit localCheckpoint mapInArrow mapInPandas melt na offset orderBy persist
    printSchema randomSplit registerTempTable repartition repartitionByRange replace rollup
    sameSemantics sample sampleBy schema select selectExpr semanticHash sort sortWithinPartitions
    sparkSession sql_ctx stat storageLevel subtract summary to toDF transform union unionAll
    unionByName unpersist unpivot where withColumn withColumnRenamed withColumns
    withColumnsRenamed withMetadata withWatermark
    _ipython_key_completions_ _jcols _jmap _joinAsOf _jseq _sort_cols
""")
# Of those, these run Spark jobs, whose errors may say a value.
_RUNS = names("checkpoint count isEmpty localCheckpoint")
# They make views, which stay when the model has ended.
_MAKES_VIEWS = names("""
    createGlobalTempView createOrReplaceGlobalTempView createOrReplaceTempView createTempView
    registerTempTable
""")
# A setting that a statement sets, and a view of the session that it makes.
_SET = re.compile(r"\s*set\s+([\w.]+)\s*=", re.IGNORECASE)
_VIEW = re.compile(
    r"\s*create\s+(?:or\s+replace\s+)?(?:global\s+)?temp(?:orary)?\s+view\s+"
    r"(?:if\s+not\s+exists\s+)?([\w`.]+)",
    re.IGNORECASE,
)
# Whatever is done with an RDD ends in one of these.
_OF_RDDS = ((RDD, "collect"), (RDD, "toLocalIterator"), (SparkContext, "runJob"))


class Collected:
    """What a model has collected.

    Args:
        own_code: Whose code it is; None for what is none of a model's.
        before: What the model's file has collected before it was called.

    Attributes:
        frames: The DataFrames that it has taken values of.
        others: What else it has taken values of, in words.
        views: The views of the session that it has made, in lower case.
        looks_at_others: Whether it has looked at views that others have made.
    """

    def __init__(
        self, own_code: "OwnCode | None" = None, before: "Collected | None" = None
    ) -> None:
        self.own_code: OwnCode | None = own_code or (before.own_code if before else None)
        self.frames: list[DataFrame] = [*before.frames] if before else []
        libraries = own_code.reads.libraries if own_code else ()
        self.others: set[str] = {f"what {name} reads" for name in libraries}
        self.others |= before.others if before else set()
        self.views: set[str] = {*before.views} if before else set()
        self.looks_at_others: bool = before.looks_at_others if before else False
        # The threads themselves: their numbers come again.
        self._other_threads = {*threading.enumerate()}

    def is_of(self, thread: threading.Thread) -> bool:
        """Has the model itself started that thread?"""
        return thread not in self._other_threads


_this_thread = threading.local()
_running: list[Collected] = []
_kept: dict[str, Collected] = {}
# The settings that models have set, and which model has.
settings: dict[str, str] = {}
# What Python models have collected: it may live on in what all of them share.
_all: list[Collected] = []


# The sources of files that were handed to models, by Spark's numbers of the columns.
files: dict[int, str] = {}


def hand_files(source: str, frame: DataFrame) -> None:
    """Know what a model makes of that DataFrame for the columns of that source of files."""
    files.update(dict.fromkeys(column_ids(frame), source))


@contextmanager
def watched(view: str = "", own_code: "OwnCode | None" = None) -> Iterator[None]:
    """Watch what this thread, and those that it starts, collect for what is staged as `view`.

    Args:
        view: The view, or the unique id of an ephemeral model; none while a model's file is read,
            before it is called.
        own_code: Whose code it is, where that has not been said before.
    """
    _watch()
    collected = Collected(own_code, getattr(_this_thread, "collected", None))
    _running.append(collected)
    if collected.own_code and view:
        _all.append(collected)
    try:
        with _collects_for(collected):
            yield
    finally:
        _running.remove(collected)
        if view:
            _kept[view] = collected
        if collected in _all and not (collected.frames or collected.others):
            _all.remove(collected)


@contextmanager
def unwatched() -> Iterator[None]:
    """What this thread collects is none of the model's."""
    with _collects_for(Collected()):
        yield


def take(view: str) -> Collected:
    """What was collected for what is staged as `view`. It is told once."""
    return _kept.pop(view, None) or Collected()


def of_ephemeral(unique_id: str) -> Collected:
    """What an ephemeral model has collected when it was compiled, which each of its readers has."""
    return _kept.get(unique_id) or Collected()


def of_others(collected: Collected, sees_views: bool) -> list[Collected]:
    """What other models have collected that may have come to one by what all of them share.

    Args:
        collected: What the one has collected itself.
        sees_views: Whether it reads a view of the session that it has not made.
    """
    reads = collected.own_code.reads if collected.own_code else None
    sees_all = sees_views or collected.looks_at_others or bool(reads and reads.reaches_others)
    shares = bool(reads and reads.shares_modules)
    return [
        other
        for other in [*_all]
        if other is not collected
        and (sees_all or (shares and other.own_code and other.own_code.reads.shares_modules))
    ]


@contextmanager
def _collects_for(collected: Collected) -> Iterator[None]:
    before = getattr(_this_thread, "collected", None)
    _this_thread.collected = collected
    try:
        yield
    finally:
        _this_thread.collected = before


def collecting() -> list[Collected]:
    """For which models this thread runs: one or, of a thread of its own, those it may be of."""
    own = getattr(_this_thread, "collected", None)
    if own is not None:
        return [own]
    return [other for other in _running if other.is_of(threading.current_thread())]


@once
def _watch() -> None:
    """Have pyspark's classes tell what is collected, from now on."""
    for name in sorted(_RUNS):
        setattr(DataFrame, name, _told_if_it_fails(getattr(DataFrame, name)))
    for name in sorted(_MAKES_VIEWS):
        setattr(DataFrame, name, _told(getattr(DataFrame, name), _made_view))
    for name in dir(DataFrame):
        if name.startswith("__") or name in STAYS_IN_SPARK:
            continue
        found = getattr(DataFrame, name)
        if isinstance(found, property) and found.fget:
            setattr(DataFrame, name, property(_told(found.fget, _frame)))
        elif callable(found):
            setattr(DataFrame, name, _told(found, _frame))
    DataFrame.__repr__ = _told(DataFrame.__repr__, _shown)
    GroupedData.pivot = _told(GroupedData.pivot, _pivoted)
    for owner, name in _OF_RDDS:
        setattr(owner, name, _told(getattr(owner, name), _rdd))
    # A Python function adds to it wherever Spark runs, in a count too.
    value = Accumulator.value
    Accumulator.value = property(_told(value.fget, _accumulated), value.fset)
    outside.watch(lambda: bool(_running), _took, _set_variable)


def _told(function: Callable, tell: Callable) -> Callable:
    """The function, which tells what it collects before it does."""

    @functools.wraps(function)
    def telling(self: Any, *arguments: Any, **options: Any) -> Any:
        for collected in collecting():
            tell(collected, self, arguments, options)
        with unwatched():  # it may call others of these
            return function(self, *arguments, **options)

    del telling.__wrapped__  # which would tell nothing
    return telling


def _told_if_it_fails(function: Callable) -> Callable:
    """The function, whose errors are collected: a model may read a value in one."""

    @functools.wraps(function)
    def telling(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return function(self, *arguments, **options)
        except Exception:
            _took("what an error of a Spark job says")
            raise

    del telling.__wrapped__
    return telling


def _took(text: str) -> None:
    for collected in collecting():
        collected.others.add(text)


def make_view(name: str, model: str) -> None:
    """Know that a model has made a view of the session."""
    for collected in _of_model(model):
        collected.views.add(name.lower().rpartition(".")[2])


def set_by(sql: str) -> str:
    """The setting that a statement sets; none if it sets none."""
    found = _SET.match(sql)
    return found[1] if found else ""


def view_made_by(sql: str) -> str:
    """The view of the session that a statement makes; none if it makes none."""
    found = _VIEW.match(sql)
    return found[1].replace("`", "") if found else ""


def look_at(text: str, model: str, is_list: bool = False) -> None:
    """Know that a model looks at what a text names: the names of a view's columns may be values.

    Args:
        text: A statement, or the name of a table.
        model: The model.
        is_list: Whether it lists names of whatever is there.
    """
    words = {*re.findall(r"\w+", text.lower())}
    for collected in _of_model(model):
        others = (other.views for other in [*_all] if other is not collected)
        if is_list or any(not words.isdisjoint(views - collected.views) for views in others):
            collected.looks_at_others = True


def read_setting(key: str, model: str) -> None:
    """Know that a model has read a setting, in which another one may have left a value."""
    if settings.get(key, model) != model:
        for collected in _of_model(model):
            collected.others.add(f"the setting {key}, which {settings[key]} has set")


def keep_for_others(frames: list[DataFrame], others: list[str], view: str = "") -> None:
    """Know what a query or a hook has collected that may live on in a view of the session.

    Args:
        frames: The DataFrames that it has taken values of.
        others: What else it has taken values of, in words.
        view: The view, if its name is known.
    """
    collected = Collected()
    collected.frames, collected.others = [*frames], {*others}
    collected.views = {view.lower().rpartition(".")[2]} - {""}
    _all.append(collected)


def _of_model(name: str) -> list[Collected]:
    return [each for each in _running if each.own_code and each.own_code.name == name]


def _set_variable(name: str) -> None:
    for collected in collecting():
        if collected.own_code:
            collected.own_code.refuse_to_change(f"os.environ['{name}'] = …")


def _made_view(collected: Collected, frame: DataFrame, arguments: tuple, options: dict) -> None:
    name = arguments[0] if arguments else next(iter(options.values()), "")
    collected.views.add(str(name).lower().rpartition(".")[2])


def _frame(collected: Collected, frame: DataFrame, arguments: tuple, options: dict) -> None:
    collected.frames.append(frame)


def _shown(collected: Collected, frame: DataFrame, arguments: tuple, options: dict) -> None:
    with unwatched():  # it is not the model that reads this setting
        shows = frame.sparkSession.conf.get("spark.sql.repl.eagerEval.enabled", "false")
    if shows != "false":
        collected.frames.append(frame)  # else it shows the names of columns


def _pivoted(collected: Collected, group: Any, arguments: tuple, options: dict) -> None:
    if len(arguments) < 2 and options.get("values") is None:  # Spark asks for the values
        collected.frames.append(grouped_frame(group))


def _rdd(collected: Collected, owner: Any, arguments: tuple, options: dict) -> None:
    collected.others.add("rows of an RDD")


def _accumulated(collected: Collected, accumulator: Any, arguments: tuple, options: dict) -> None:
    collected.others.add("what an accumulator has added up")

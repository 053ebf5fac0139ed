"""Detects what a model collects from Spark into its own process, while it runs or compiles.

Whatever is made of collected values (a literal, rows, a field name) looks like a constant in a
plan. So the collected DataFrames are kept and traced like the model itself.
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
    from dbt_spark_contracts.lineage.own_code import OwnCode

# Attributes of a DataFrame that leave its values in Spark: they build a plan, or return columns and
# counts. All others return values to the program, or put them where no plan shows them.
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
# Those of them that run Spark jobs, whose error messages may contain a value.
_RUNS = names("checkpoint count isEmpty localCheckpoint")
# Those that create views, which outlive the model.
_MAKES_VIEWS = names("""
    createGlobalTempView createOrReplaceGlobalTempView createOrReplaceTempView createTempView
    registerTempTable
""")
# Statements that set a setting, and that create a view of the session.
_SET = re.compile(r"\s*set\s+([\w.]+)\s*=", re.IGNORECASE)
_VIEW = re.compile(
    r"\s*create\s+(?:or\s+replace\s+)?(?:global\s+)?temp(?:orary)?\s+view\s+"
    r"(?:if\s+not\s+exists\s+)?([\w`.]+)",
    re.IGNORECASE,
)
# Every action on an RDD ends in one of these.
_OF_RDDS = ((RDD, "collect"), (RDD, "toLocalIterator"), (SparkContext, "runJob"))


class Collected:
    """What a model has collected.

    Args:
        own_code: The model's code, or None outside of a model.
        before: What the model's file has collected before the call of `model`.

    Attributes:
        frames: The DataFrames that it has read values of.
        others: What else it has read values of, in words.
        views: The temporary views that it has created, in lower case.
        looks_at_others: Whether it has looked at views of other models.
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
        # Thread objects, because thread ids are reused.
        self._other_threads = {*threading.enumerate()}

    def is_of(self, thread: threading.Thread) -> bool:
        """Return whether the model itself has started this thread."""
        return thread not in self._other_threads


_this_thread = threading.local()
_running: list[Collected] = []
_kept: dict[str, Collected] = {}
# The settings that models have set, with the name of the model.
settings: dict[str, str] = {}
# What Python models have collected. It may survive in what all of them share.
_all: list[Collected] = []


# The file sources that were passed to models, by Spark's ids of their columns.
files: dict[int, str] = {}


def hand_files(source: str, frame: DataFrame) -> None:
    """Register a DataFrame as a file source, so that its columns count as the source's."""
    files.update(dict.fromkeys(column_ids(frame), source))


@contextmanager
def watched(view: str = "", own_code: "OwnCode | None" = None) -> Iterator[None]:
    """Watch what this thread, and threads that it starts, collect for a staged view.

    Args:
        view: The view, or the unique id of an ephemeral model. Empty while a model's file is
            loaded, before `model` is called.
        own_code: The model's code, unless an outer call has passed it.
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
    """Do not count what this thread collects as the model's."""
    with _collects_for(Collected()):
        yield


def take(view: str) -> Collected:
    """Return and forget what was collected for a staged view."""
    return _kept.pop(view, None) or Collected()


def of_ephemeral(unique_id: str) -> Collected:
    """Return what an ephemeral model has collected when it was compiled. Each reader gets it."""
    return _kept.get(unique_id) or Collected()


def of_others(collected: Collected, sees_views: bool) -> list[Collected]:
    """Return what other models have collected and may have shared with this one.

    Args:
        collected: What this model has collected itself.
        sees_views: Whether it reads a temporary view that it has not created.

    Returns:
        The collections of the other models.
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
    """Return the collections of this thread: one, or for an unknown thread all possible ones."""
    own = getattr(_this_thread, "collected", None)
    if own is not None:
        return [own]
    return [other for other in _running if other.is_of(threading.current_thread())]


@once
def _watch() -> None:
    """Make pyspark's classes report what is collected, from now on."""
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
    # A Python function may add to it wherever Spark runs it, even in a count.
    value = Accumulator.value
    Accumulator.value = property(_told(value.fget, _accumulated), value.fset)
    outside.watch(lambda: bool(_running), _took, _set_variable)


def _told(function: Callable, tell: Callable) -> Callable:
    """Wrap a function so that it reports what it collects before it does."""

    @functools.wraps(function)
    def telling(self: Any, *arguments: Any, **options: Any) -> Any:
        for collected in collecting():
            tell(collected, self, arguments, options)
        with unwatched():  # it may call other wrapped functions
            return function(self, *arguments, **options)

    del telling.__wrapped__  # it would bypass the report
    return telling


def _told_if_it_fails(function: Callable) -> Callable:
    """Wrap a function so that its errors count as collected, because a model may read them."""

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
    """Record that a model has created a temporary view."""
    for collected in _of_model(model):
        collected.views.add(name.lower().rpartition(".")[2])


def set_by(sql: str) -> str:
    """Return the setting that a statement sets, or an empty string."""
    found = _SET.match(sql)
    return found[1] if found else ""


def view_made_by(sql: str) -> str:
    """Return the temporary view that a statement creates, or an empty string."""
    found = _VIEW.match(sql)
    return found[1].replace("`", "") if found else ""


def look_at(text: str, model: str, is_list: bool = False) -> None:
    """Record that a model looks at what a text names. A view's column names may hold values.

    Args:
        text: A statement, or the name of a table.
        model: The model.
        is_list: Whether it lists whatever names there are.
    """
    words = {*re.findall(r"\w+", text.lower())}
    for collected in _of_model(model):
        others = (other.views for other in [*_all] if other is not collected)
        if is_list or any(not words.isdisjoint(views - collected.views) for views in others):
            collected.looks_at_others = True


def views_of_models() -> set[str]:
    """Return the temporary views that models have created, in lower case."""
    return {view for collected in [*_all] for view in collected.views}


def read_setting(key: str, model: str) -> None:
    """Record that a model has read a setting in which another one may have left a value."""
    if settings.get(key, model) != model:
        for collected in _of_model(model):
            collected.others.add(f"the setting {key}, which {settings[key]} has set")


def keep_for_others(frames: list[DataFrame], others: list[str], view: str = "") -> None:
    """Record what a query or a hook has collected that a temporary view may keep.

    Args:
        frames: The DataFrames that it has read values of.
        others: What else it has read values of, in words.
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
    with unwatched():  # the model does not read this setting
        shows = frame.sparkSession.conf.get("spark.sql.repl.eagerEval.enabled", "false")
    if shows != "false":
        collected.frames.append(frame)  # otherwise it only shows column names


def _pivoted(collected: Collected, group: Any, arguments: tuple, options: dict) -> None:
    if len(arguments) < 2 and options.get("values") is None:  # Spark queries the values
        collected.frames.append(grouped_frame(group))


def _rdd(collected: Collected, owner: Any, arguments: tuple, options: dict) -> None:
    collected.others.add("rows of an RDD")


def _accumulated(collected: Collected, accumulator: Any, arguments: tuple, options: dict) -> None:
    collected.others.add("the value of an accumulator")

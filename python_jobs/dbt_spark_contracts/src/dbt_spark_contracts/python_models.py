"""`submission_method: session`: a dbt Python model runs in the dbt process, on dbt's own session.

What runs is the compiled model as dbt and the materialization wrote it. Two names stand ready in
it beside the model's own: `stage` and `checkpoint`.
"""

import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from dbt.adapters.base import PythonJobHelper
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError
from pyspark import cloudpickle
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dbt_spark_contracts import session
from dbt_spark_contracts.settings import absolute


class SessionPythonJobHelper(PythonJobHelper):
    """Runs the compiled code of one Python model."""

    def __init__(self, parsed_model: dict, credentials) -> None:
        self.name = parsed_model["alias"]
        self.path = _absolute(parsed_model["original_file_path"])

    def submit(self, compiled_code: str) -> None:
        """Run `compiled_code`. Raises DbtRuntimeError with the model's own file and line."""
        spark = session.get()
        module = ModuleType(f"dbt_model_{self.name}")
        module.__file__ = str(self.path)
        module.spark = spark
        module.stage = lambda model, dbt_object, view: stage(spark, model, dbt_object, view)
        module.checkpoint = lambda view: checkpoint(spark, view)
        # As for any imported module; by value, because Spark's workers cannot import it.
        sys.modules[module.__name__] = module
        cloudpickle.register_pickle_by_value(module)
        try:
            # dbt puts the model's source first, so its lines are those of its file.
            exec(compile(compiled_code, module.__file__, "exec"), module.__dict__)
        except Exception as error:
            raise DbtRuntimeError(explain(error, self.path)) from error


def stage(spark: SparkSession, model, dbt_object, view: str) -> None:
    """Run `model(dbt, spark)` and name its DataFrame `view`, a temporary view. Nothing is computed.

    With `--empty`, refs and sources have their columns and no rows.
    Raises TypeError if the model does not return a DataFrame.
    """

    def load(relation) -> DataFrame:
        frame = read_files(spark, **relation) if isinstance(relation, dict) else spark.table(relation)
        return frame.limit(0) if getattr(get_flags(), "EMPTY", False) else frame

    to_spark(spark, model(dbt_object(load), spark)).createOrReplaceTempView(view)


def checkpoint(spark: SparkSession, view: str) -> None:
    """Compute the staged view `view` once, into a reliable checkpoint, which takes its name."""
    session.use_checkpoints()
    spark.table(view).checkpoint().createOrReplaceTempView(view)


def read_files(spark: SparkSession, location: str) -> DataFrame:
    """The files under `location`, in all its sub-folders: path, relative_path (seen from there),
    modificationTime, length and content, of which only what is asked for is read.

    What a source with `external: {location: …}` gives a Python model. An absent folder has none.
    """
    root = spark._jvm.org.apache.hadoop.fs.Path(absolute(location, Path(get_flags().PROJECT_DIR)))
    file_system = root.getFileSystem(spark._jsc.hadoopConfiguration())
    if file_system.exists(root):
        reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
        # A pattern's characters may be part of a name.
        files = reader.load(re.sub(r"([\\*?\[\]{}])", r"\\\1", root.toString()))
    else:
        columns = "path string, modificationTime timestamp, length bigint, content binary"
        files = spark.createDataFrame([], columns)
    relative = F.col("path").substr(len(file_system.makeQualified(root).toString()) + 2, 2**31 - 1)
    return files.withColumn("relative_path", relative)


def to_spark(spark: SparkSession, frame) -> DataFrame:
    """A Spark DataFrame of a Spark, pandas-on-Spark or pandas one. Raises TypeError for others."""
    if isinstance(frame, DataFrame):
        return frame
    if hasattr(frame, "to_spark"):
        return frame.to_spark()
    if type(frame).__module__.startswith("pandas."):
        return spark.createDataFrame(frame)
    raise TypeError(
        f"model() returned {type(frame).__name__}, and must return a Spark, pandas-on-Spark or "
        "pandas DataFrame"
    )


def explain(error: Exception, path: Path) -> str:
    """What went wrong and where, for people: the model's own frames, and Spark's root cause."""
    frames = traceback.extract_tb(error.__traceback__)
    # What dbt adds below the model's source is beyond its file's lines.
    own = [frame for frame in frames if frame.filename == str(path) and frame.line]
    return "".join([f"{_reason(error)}\n", *traceback.format_list(own)]).rstrip()


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
    lines = str(error).strip().splitlines() or [""]
    # A Java error is told by its last cause; the stack stands in Spark's log.
    causes = [line.partition(":")[2].strip() for line in lines if line.startswith("Caused by:")]
    return f"{type(error).__name__}: {causes[-1] if causes else lines[0]}"


def _absolute(original_file_path: str) -> Path:
    """Where the model's file lies, given its path in its project or package."""
    return Path(get_flags().PROJECT_DIR, original_file_path).resolve()

"""`submission_method: session`: a dbt Python model runs in the dbt process, on dbt's session.

The compiled model runs as dbt and the materialization wrote it. It gets one extra name: `stage`.
"""

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from dbt.adapters.base import PythonJobHelper
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError
from pyspark import cloudpickle
from pyspark.sql import DataFrame, SparkSession

from dbt_spark_contracts.compat.pyspark import active
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.increments.affected import Affected
from dbt_spark_contracts.increments.differences import Differences
from dbt_spark_contracts.lineage import outside, watch
from dbt_spark_contracts.lineage.own_code import OwnCode
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.python_models.calls import check_calls
from dbt_spark_contracts.python_models.files import read_files, require_folder
from dbt_spark_contracts.snapshot_notes import Notes
from dbt_spark_contracts.spark import session


@dataclass
class Asked:
    """What the command's Python models ask of the guard: by staged view, and together."""

    notes: dict[str, Notes] = field(default_factory=dict)
    affected: dict[str, Affected] = field(default_factory=dict)
    differences: Differences = field(default_factory=Differences)


class SessionPythonJobHelper(PythonJobHelper):
    """Runs the compiled code of one Python model."""

    def __init__(self, asked: Asked, parsed_model: dict, credentials: object) -> None:
        """Store the model. dbt passes the last two arguments.

        Args:
            asked: What the command's models ask.
            parsed_model: The model.
            credentials: The profile's credentials.
        """
        self.asked, self._parsed = asked, parsed_model
        self.name, self.model = parsed_model["alias"], parsed_model["name"]
        # A unit test has few rows and is about exactly these.
        is_unit_test = parsed_model["resource_type"] == "unit_test"
        self.is_empty = getattr(get_flags(), "EMPTY", False) and not is_unit_test
        # A unit test has the path of its model.
        self.path = _file_of(parsed_model["config"].get("model_file", parsed_model))
        self._meta = parsed_model["config"].get("meta") or {}

    def submit(self, compiled_code: str) -> None:
        """Run `compiled_code`.

        Raises:
            DbtRuntimeError: If it fails, with the model's own file and line.
        """
        # As in a script: code that asks Java for the active session gets this one's settings.
        spark = active(session.get())
        module = ModuleType(f"{outside.MODEL}{self.name}")
        module.__file__ = str(self.path)

        def affected(table: str) -> Affected:
            # What `dbt.config.get` and `dbt.config.meta_get` return.
            values = {**module.__dict__.get("config_dict", {})}
            values["meta"] = [module.__dict__.get("meta_dict"), values.get("meta")]
            return Affected(spark, self.asked.differences, table, self._parsed, values)

        given = partial(stage, spark, self.asked, affected, self.is_empty)
        module.__dict__.update(spark=spark, stage=given)
        # Registered like an imported module, but pickled by value, because Spark's workers cannot
        # import it.
        sys.modules[module.__name__] = module
        cloudpickle.register_pickle_by_value(module)
        # dbt puts the model's source first, without its leading blank lines. Add them again, so
        # that line numbers match the file.
        code = "\n" * blank_lines_above(self.path) + compiled_code
        try:
            check_calls()
            own_code = OwnCode.of(self.model, self._meta, code)
            with watch.watched(own_code=own_code):
                exec(compile(code, module.__file__, "exec"), module.__dict__)
        # SystemExit would end a dbt thread, and dbt would wait forever
        except (Exception, SystemExit) as error:
            frames = own_frames(error, self.path, code)
            raise DbtRuntimeError(explain(error, frames)) from error


def stage(
    spark: SparkSession,
    asked: Asked,
    affected: Callable[[str], Affected],
    is_empty: bool,
    model: Callable,
    dbt_object: Callable,
    view: str,
) -> None:
    """Run `model(dbt, spark)` and register its DataFrame as a temporary view. Nothing is computed.

    Args:
        spark: The session.
        asked: Receives what the model asks, by view.
        affected: Returns the object behind `dbt.affected`, for a table.
        is_empty: Whether refs and sources have no rows, as with `--empty`.
        model: The model's function.
        dbt_object: dbt's class for the first argument of `model`.
        view: The name of the view.

    Raises:
        TypeError: If the model does not return a DataFrame.
        DbtRuntimeError: If a source's folder does not exist, and the model's table has rows.
    """

    def load(relation: str | dict) -> DataFrame:
        if isinstance(relation, dict):
            with watch.unwatched():
                require_folder(spark, relation["name"], relation["location"], str(handed.this))
                frame = read_files(spark, relation["location"])
            watch.hand_files(relation["name"], frame)
        else:
            frame = spark.table(relation)
            changes.hand(relation, frame)
        return frame.limit(0) if is_empty else frame

    handed = dbt_object(load)
    handed.say = tell.line
    handed.notes = asked.notes[view] = Notes(spark, str(handed.this))
    changes = asked.affected[view] = affected(str(handed.this))
    changes.is_incremental = handed.is_incremental and not is_empty
    handed.affected = changes
    with watch.watched(view):
        frame = to_spark(spark, model(handed, spark))
        changes.check(frame, watch.collecting()[0])
    frame.createOrReplaceTempView(view)


def to_spark(spark: SparkSession, frame: Any) -> DataFrame:
    """Convert a Spark, pandas-on-Spark or pandas DataFrame to a Spark DataFrame.

    Raises:
        TypeError: For anything else.
    """
    if isinstance(frame, DataFrame):
        return frame
    if hasattr(frame, "to_spark"):
        return frame.to_spark()
    if type(frame).__module__.startswith("pandas."):
        return spark.createDataFrame(frame)
    raise TypeError(
        f"model() returned {type(frame).__name__}, but must return a Spark, pandas-on-Spark or "
        "pandas DataFrame"
    )


def blank_lines_above(path: Path) -> int:
    """Return the number of blank lines at the beginning of the file."""
    source = path.read_text(encoding="utf-8") if path.is_file() else ""
    return source[: -len(source.lstrip())].count("\n")


def own_frames(error: BaseException, path: Path, code: str) -> list[str]:
    """Return the traceback frames in the model's file `path`, under whose name `code` ran."""
    ran = code.splitlines()
    return traceback.format_list(
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        # Skip what dbt adds below the model's source: it is not in the file.
        if frame.filename == str(path) and frame.line == ran[(frame.lineno or 1) - 1].strip()
    )


def _file_of(model: dict) -> Path:
    """Return the path of the model's file, in the project or in one of its packages."""
    project = Path(get_flags().PROJECT_DIR)
    package = project / "dbt_packages" / model["package_name"]
    return Path(package if package.is_dir() else project, model["original_file_path"]).resolve()

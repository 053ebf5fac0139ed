"""The files of a source with `external: {location: …}`, as a Python model gets them."""

import re
from pathlib import Path
from urllib.parse import unquote

from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import (
    hadoop_configuration,
    input_files,
    java_classes,
    may_have_empty_files,
)
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.python_models.file_names import tell_unreadable
from dbt_spark_contracts.spark import executors
from dbt_spark_contracts.spark.settings import absolute


def read_files(spark: SparkSession, location: str) -> DataFrame:
    """Return the files under `location`, including sub-folders, as a DataFrame.

    It has path, relative_path, modificationTime, length and content. Spark reads only the used
    columns. This is what a Python model gets for a source with `external: {location: …}`. A missing
    folder has no files. Names that begin with `_` or `.` are ignored. Names that Java cannot read
    are left alone, and a line names them.
    """
    file_system, root = _folder(spark, location)
    if file_system.exists(root):
        reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
        # Glob characters may be part of a name. (With several paths, this would duplicate files.)
        files = reader.option("__globPaths__", "false").load(root.toString())
        if may_have_empty_files(files):
            files = files.unionByName(empty_files(spark, files))
        tell_unreadable(spark, root.toUri())
    else:
        columns = "path string, modificationTime timestamp, length bigint, content binary"
        files = spark.createDataFrame([], columns)
    relative = F.col("path").substr(len(file_system.makeQualified(root).toString()) + 2, 2**31 - 1)
    # Spark itself lists `_metadata.json`, and leaves it out of the files that it reads.
    return files.withColumn("relative_path", relative).where("relative_path not rlike '(^|/)[._]'")


def require_folder(spark: SparkSession, source: str, location: str, table: str) -> None:
    """Check that a source's folder exists once the model's table has rows.

    If data has landed before, a missing folder is probably a typo. Without rows, it only prints a
    line.

    Raises:
        DbtRuntimeError: If the folder is missing and the table has rows.
    """
    file_system, root = _folder(spark, location)
    if file_system.exists(root):
        return
    if not tables.exists(spark, table) or not spark.table(table).limit(1).count():
        tell.line(f"{short_name(source)}: there is no {location}; nothing is read.")
    else:
        raise DbtRuntimeError(
            f"{short_name(source)}: there is no {location}, and {table} has rows: correct the "
            "location or, if nothing is to land, make the folder (an object store has none without "
            "a file). Nothing was written."
        )


def _folder(spark: SparkSession, location: str) -> tuple:
    """Return the file system of a location and the path in it, as Hadoop's Java objects.

    Raises:
        DbtRuntimeError: If it is not a folder, or its file system is unknown. The message is one
            line.
    """
    path = absolute(location, Path(get_flags().PROJECT_DIR))
    executors.require_shared(f"The folder {location}", path, spark.sparkContext.master)
    try:
        root = java_classes(spark).org.apache.hadoop.fs.Path(path)
        if root.toUri().getScheme() in ("http", "https"):
            # To Hadoop, each address is a file that exists.
            raise DbtRuntimeError(
                f"{location} cannot be listed: name a folder, or the URL of an object store."
            )
        file_system = root.getFileSystem(hadoop_configuration(spark))
        is_file = file_system.exists(root) and file_system.getFileStatus(root).isFile()
    except Py4JJavaError as error:
        raise DbtRuntimeError(f"Cannot read the folder {location}: {explain(error)}") from error
    if is_file:
        raise DbtRuntimeError(f"{location} is a file: name the folder that it is in.")
    return file_system, root


def empty_files(spark: SparkSession, files: DataFrame) -> DataFrame:
    """Return the empty files, which Spark lists but leaves out of `files`.

    Their modification time is null, because Spark does not return it.
    """
    # As URLs. A local one has file:/// here, and file:/ in binaryFile.
    listed = [(re.sub("^file:/+", "file:/", unquote(url)),) for url in input_files(spark, files)]
    left_out = spark.createDataFrame(listed, "path string").join(files, "path", "left_anti")
    nothing = (
        "cast(null as timestamp) modificationTime",
        "0L length",
        "cast('' as binary) content",
    )
    return left_out.selectExpr("path", *nothing)

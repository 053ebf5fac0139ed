{#- How a Python model becomes a table on Athena: the code that dbt-athena sends to Athena's Spark. -#}

{#
    Overrides dbt-athena's macro, whose code writes whatever the DataFrame has.

    Args:
        compiled_code: the compiled model.
        target_relation: the relation to create, which does not exist.
        optional_args: `spark_ctas` is dbt-athena's DDL of an Iceberg table, up to its query.

    Returns:
        Complete Python source for Spark 3.2.

    Raises:
        A compiler error if the table is not an Iceberg table.
#}
{% macro athena__py_save_table_as(compiled_code, target_relation, optional_args={}) %}
  {%- if not optional_args.get('spark_ctas') -%}
    {%- do exceptions.raise_compiler_error(this ~ ': set `+table_type: iceberg`; Python models write no other table.') -%}
  {%- endif -%}
{#- The model comes first, so that its line numbers match the file. -#}
{{ compiled_code }}

{{ athena__py_get_spark_dbt_object() }}
{{ contracts__py_check_against_contract() }}

def dbt_save(frame):
    """Create the table from the DataFrame."""
    frame.createOrReplaceTempView("{{ target_relation.identifier }}__dbt_stage")
    spark.sql("""
    {{ optional_args.spark_ctas }}
    select * from {{ target_relation.identifier }}__dbt_stage
    """)

{% if config.get('checkpoint', true) %}
def dbt_save_checkpointed(frame):
    """Compute the DataFrame once, into a reliable checkpoint, and create the table from that."""
    spark.sparkContext.setCheckpointDir("{{ contracts__athena_checkpoints() }}")
    try:
        dbt_save(frame.checkpoint())
    finally:
        # Spark never deletes a checkpoint.
        file_system, path = dbt_file_system(spark.sparkContext.getCheckpointDir())
        file_system.delete(path, True)

{% endif %}
spark.conf.set("spark.sql.session.timeZone", "UTC")
# Athena's timestamp has no time zone. Spark has had such a type only since 3.4.
spark.conf.set("spark.sql.iceberg.handle-timestamp-without-timezone", "true")
spark.conf.set("spark.sql.iceberg.use-timestamp-without-timezone-in-new-tables", "true")
dbt = SparkdbtObj()
{{ 'dbt_save_checkpointed' if config.get('checkpoint', true) else 'dbt_save' }}(dbt_checked(dbt_frame(model(dbt, spark))))
{% endmacro %}

{#
    Overrides dbt-athena's macro, and adds file sources (`external: {location: …}`), refs to a model
    version, and --empty.

    Returns:
        Python source of `SparkdbtObj` and `dbt_frame`.
#}
{% macro athena__py_get_spark_dbt_object() %}
class SparkdbtObj(dbtObj):
    def __init__(self):
        super().__init__(load_df_function=dbt_load)

    def affected(self, rows, by, **options):
        """Return all rows: on Athena, a table is made anew as a whole."""
        return rows


def dbt_load(relation):
    """Return the DataFrame of a ref or source: of a table, or of the files in a folder."""
    frame = dbt_read_files(relation["location"]) if isinstance(relation, dict) else spark.table(relation)
    return frame{{ '.limit(0)' if flags.EMPTY }}


def dbt_read_files(location):
    """Return path, relative_path, modificationTime, length and content of the files in a folder and
    its sub-folders. The folder is an object store's URL. A missing folder has no files."""
    import re
    from urllib.parse import unquote

    from pyspark.sql import functions as F

    if "://" not in location:
        raise ValueError(f"{location} is not a URL: on Athena, files are read from s3://bucket/folder.")
    nothing = "cast(null as timestamp) as modificationTime", "0L as length", "cast('' as binary) as content"
    file_system, root = dbt_file_system(location)
    if file_system.exists(root):
        reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
        # Glob characters may be part of a name.
        files = reader.option("__globPaths__", "false").load(root.toString())
        # Spark lists empty files but leaves them out. Here they have no time.
        listed = [(re.sub("^file:/+", "file:/", unquote(url)),) for url in files.inputFiles()]
        left_out = spark.createDataFrame(listed, "path string").join(files, "path", "left_anti")
        files = files.unionByName(left_out.selectExpr("path", *nothing))
    else:
        files = spark.createDataFrame([], "path string").selectExpr("path", *nothing)
    prefix = len(file_system.makeQualified(root).toString()) + 1
    files = files.withColumn("relative_path", F.expr(f"substring(path, {prefix + 1})"))
    # Spark itself lists `_metadata.json`, and leaves it out of the files that it reads.
    return files.where("relative_path not rlike '(^|/)[._]'")


def dbt_file_system(url):
    """Return Hadoop's file system of a URL, and the path in it. pyspark has no API for them."""
    path = spark._jvm.org.apache.hadoop.fs.Path(url)
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path


def dbt_frame(frame):
    """Return the DataFrame of any of these libraries as a Spark DataFrame. Others: TypeError."""
    from pyspark.sql import DataFrame

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
{% endmacro %}

{#- Returns: a relation's name in Athena's Spark, whose catalog has no catalog name. -#}
{% macro athena__resolve_model_name(input_model_name) %}
  {%- set names = (input_model_name | string).replace('"', '').split('.') -%}
  {{- return(names[-2:] | join('.')) -}}
{% endmacro %}

{#- Returns: the folder for checkpoints of Python models on Athena, an object store's URL. -#}
{% macro contracts__athena_checkpoints() %}
  {{- return(env_var('LAKEHOUSE_ATHENA_CHECKPOINTS', target.s3_staging_dir.rstrip('/') ~ '/checkpoints')) -}}
{% endmacro %}

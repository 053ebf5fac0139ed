"""All ways for data to get into a DataFrame, and what a model with a contract may do with them.

Each case is a Gold model of one project, whose Silver table has a marked column, `policy`. The
expected message is about the model's column `reference`. docs/contracts.md lists all ways.
"""

import shutil
import textwrap

import pytest
import yaml
from dbt_spark_contracts.compat.pyspark import java_classes
from dbt_spark_contracts.lineage import model, watch

from tests.support.dbt_runner import environment, make_project

SILVER = "select 'ev-1' as event_id, 'POL-1' as policy, 'k' as car, 1L as n"
MARKS = {"event_id": {"silver_only": True}, "policy": {"silver_only": True, "pii": True}, "car": {}}
TABLE = "{{ target.schema }}_silver.silver_t"
REF = "{{ ref('silver_t') }}"
OLDER = "{{ target.schema }}_silver.older version as of 'before'"
DEPENDS = "-- depends_on: {{ ref('silver_t') }}\n"
COPY = "is silver_t.policy under another name"


def python(body: str) -> str:
    return f"""
import os
from concurrent.futures import ThreadPoolExecutor
from pyspark.sql import functions as F

def model(dbt, spark):
    schema = os.environ["LAKEHOUSE_SCHEMA"]
    silver = schema + "_silver.silver_t"
    data = f"{{os.environ['LAKEHOUSE_HOME']}}/warehouse/{{schema}}_silver/silver_t/data"
    t = dbt.ref("silver_t")
{textwrap.indent(textwrap.dedent(body).strip(), "    ")}
"""


def sql_hook(hook: str, query: str) -> str:
    return f'{{{{ config(pre_hook="{hook}") }}}}\n{DEPENDS}{query}'


METADATA = (
    "all_data_files all_delete_files all_entries all_files all_manifests data_files delete_files "
    "entries files history manifests metadata_log_entries partitions position_deletes refs "
    "snapshots"
)

# By case: the model, and the expected message about its column.
REFUSED = {
    # Metadata tables have bounds of values, partitions and paths
    "the_changes": (f"{DEPENDS}select policy as reference from {TABLE}.changes", COPY),
    **{
        f"metadata_{name}": (
            f"{DEPENDS}select to_json(struct(m.*)) as reference from {TABLE}.{name} as m",
            f"because of Iceberg's metadata table lakehouse.%s_silver.silver_t.{name}",
        )
        for name in METADATA.split()
    },
    "the_path_of_a_file": (f"select _file as reference from {REF}", "Iceberg's _file"),
    "the_partition": (
        f"select to_json(_partition) as reference from {REF}",
        "Iceberg's _partition",
    ),
    "input_file_name": (
        f"select input_file_name() as reference from {REF}",
        "Spark's InputFileName",
    ),
    # Branches, tags and snapshots
    "a_branch_with_a_dash": (
        sql_hook(
            f"alter table {TABLE} create or replace branch `audit-1`",
            f"select policy as reference from {TABLE}.`branch_audit-1`",
        ),
        COPY,
    ),
    "a_tag": (
        sql_hook(
            f"alter table {TABLE} create or replace tag `v 1`",
            f"select policy as reference from {TABLE} version as of 'v 1'",
        ),
        COPY,
    ),
    "a_version": (
        python("""
            return spark.read.option("snapshot-id", 1).table(silver).selectExpr(
                "policy as reference")
        """),
        COPY,
    ),
    "a_timestamp": (
        f"{DEPENDS}select policy as reference from {TABLE} timestamp as of now()",
        COPY,
    ),
    "an_older_name": (
        sql_hook(
            "{{ rename() }}",
            f"select string(nr) as reference from {OLDER}",
        ),
        "is older.older.policy under another name",
    ),
    "a_column_that_is_gone": (
        sql_hook(
            "{{ rename() }}",
            f"select string(gone) as reference from {OLDER}",
        ),
        "has no more",
    ),
    "what_is_new_since_a_snapshot": (
        python("""
            first = spark.table(silver + ".snapshots").select("snapshot_id").first()[0]
            reader = spark.read.format("iceberg").option("start-snapshot-id", first)
            return reader.load("lakehouse." + silver).selectExpr("policy as reference")
        """),
        COPY,
    ),
    "a_view_of_changes": (
        sql_hook(
            "call lakehouse.system.create_changelog_view(table => "
            "'{{ target.schema }}_silver.silver_t', changelog_view => 'ways_changes')",
            "select policy as reference from ways_changes",
        ),
        "cannot be traced",
    ),
    "a_stream": (
        python("""
            stream = spark.readStream.format("iceberg").load("lakehouse." + silver)
            return stream.selectExpr("policy as reference")
        """),
        "cannot be traced",
    ),
    # Files, and tables that dbt does not know
    "files_by_path": (
        python('return spark.read.parquet(data).selectExpr("policy as reference")'),
        "files that the model reads by itself",
    ),
    "a_table_by_path": (
        python("""
            table = spark.read.format("iceberg").load(os.path.dirname(data))
            return table.selectExpr("policy as reference")
        """),
        "a table that dbt does not know",
    ),
    "files_by_sql": (
        python('return spark.sql(f"select policy as reference from parquet.`{data}`")'),
        "files that the model reads by itself",
    ),
    "a_table_of_sparks_catalog": (
        python("""
            spark.sql("create schema if not exists spark_catalog.ways")
            spark.sql("drop table if exists spark_catalog.ways.ext")
            spark.sql(f"create table spark_catalog.ways.ext using parquet location '{data}'")
            return spark.table("spark_catalog.ways.ext").selectExpr("policy as reference")
        """),
        "spark_catalog.ways.ext, a table that dbt does not know",
    ),
    "a_copy_made_in_a_hook": (
        sql_hook(
            "create or replace table {{ target.schema }}_silver.by_hand using iceberg as "
            f"select * from {TABLE}",
            "select policy as reference from {{ target.schema }}_silver.by_hand",
        ),
        "_silver.by_hand, a table that dbt does not know",
    ),
    "jdbc": (
        python("""
            url = "jdbc:derby:memory:ways;create=true"
            driver = "org.apache.derby.jdbc.EmbeddedDriver"
            reader = spark.read.format("jdbc").option("driver", driver).option("url", url)
            tables = reader.option("dbtable", "sys.systables").load()
            return tables.selectExpr("TABLENAME as reference")
        """),
        "files that the model reads by itself",
    ),
    # Forged names
    "a_forged_alias_of_a_table": (
        python("""
            return t.alias(f"lakehouse.{schema}_silver.clean").selectExpr("policy as reference")
        """),
        COPY,
    ),
    "a_forged_alias_of_a_source": (
        python('return t.alias("source.small.landing.x").selectExpr("policy as reference")'),
        COPY,
    ),
    "a_source_mixed_with_a_table": (
        python("""
            files = dbt.source("landing", "x").select("path")
            return files.union(t.select("policy")).selectExpr("path as reference")
        """),
        COPY,
    ),
    "another_spelling": (
        "select Policy as reference from `lakehouse`.`{{ target.schema }}_silver`.`silver_t`",
        COPY,
    ),
    "a_source_over_a_model": (
        "select policy as reference from {{ source('watch', 'silver_t') }}",
        COPY,
    ),
    "a_source_by_another_spelling": (
        "select policy as reference from {{ source('spelt', 't') }}",
        COPY,
    ),
    # Views of the session, caches, plans that are cut off
    "a_view_of_the_session": (
        python("""
            t.createOrReplaceTempView("ways_view")
            return spark.sql("select policy as reference from ways_view")
        """),
        COPY,
    ),
    "a_global_view": (
        sql_hook(
            f"create or replace global temporary view ways_global as select * from {TABLE}",
            "select policy as reference from global_temp.ways_global",
        ),
        COPY,
    ),
    "a_cached_table": (
        sql_hook(
            f"cache table ways_cached as select * from {TABLE}",
            "select policy as reference from ways_cached",
        ),
        COPY,
    ),
    "a_cached_frame": (python('return t.cache().selectExpr("policy as reference")'), COPY),
    "a_local_checkpoint": (
        python('return t.localCheckpoint().selectExpr("policy as reference")'),
        "rows that came through Python, an RDD or a checkpoint",
    ),
    "what_the_model_wrote": (
        python("""
            name = schema + "_gold.own_write"
            t.write.format("iceberg").mode("overwrite").saveAsTable(name)
            return spark.table(name).selectExpr("policy as reference")
        """),
        "_gold.own_write, a table that dbt does not know",
    ),
    "rows_of_a_view_that_python_made": (
        "-- depends_on: {{ ref('silver_t') }}\nselect reference from ways_rows",
        "rows that stand in the code or came through Python",
    ),
    # Rows that Python code collects
    "to_pandas": (
        python('return t.toPandas()[["policy"]].rename(columns={"policy": "reference"})'),
        "cannot be traced",
    ),
    "an_rdd": (
        python('return t.select("policy").rdd.map(lambda row: row).toDF("reference string")'),
        "cannot be traced",
    ),
    "rows_made_anew": (
        python("""
            rows = [(row.policy,) for row in t.collect()]
            return spark.createDataFrame(rows, "reference string")
        """),
        "cannot be traced",
    ),
    **{
        f"literals_by_{name}": (
            python(f'return t.select(F.lit(str({code})).alias("reference"))'),
            "silver_t.policy",
        )
        for name, code in {
            "collect": 't.groupBy("car").agg(F.max("policy").alias("p")).collect()',
            "head": 't.select("policy").head()',
            "first": 't.select("policy").first()',
            "take": 't.select("policy").take(1)',
            "tail": 't.select("policy").tail(1)',
            "iterator": 'list(t.select("policy").toLocalIterator())',
            "pandas": 't.select("policy").toPandas()',
            "arrow": 't.select("policy")._collect_as_arrow()',
            "json": 't.select("policy").toJSON().collect()',
            "show": 't.select("policy")._show_string()',
            "quantile": 't.selectExpr("length(policy) as l").approxQuantile("l", [0.5], 0.1)',
            "pivot": 't.groupBy("car").pivot("policy").count().columns',
            "a_thread": 'ThreadPoolExecutor(1).submit(t.select("policy").collect).result()',
            "foreach": "t.foreach(print)",
            "foreach_partition": "t.foreachPartition(print)",
            "correlation": 't.corr("n", "n")',
            "covariance": 't.cov("n", "n")',
            "crosstab": 't.crosstab("car", "policy").columns',
            "input_files": "t.inputFiles()",
            "pandas_on_spark": 't.pandas_api()["policy"].to_list()',
            "a_broadcast": 'spark.sparkContext.broadcast(t.select("policy").collect()).value',
            "sql": 'spark.sql(f"select policy from {silver}").collect()',
        }.items()
    },
    **{
        f"statistics_by_{name}": (python(f"return t.{code}"), "silver_t.policy")
        for name, code in {
            "melt": 'melt(["car"], ["policy"], "k", "reference").select("reference")',
            "unpivot": 'unpivot("car", ["policy"], "k", "reference").select("reference")',
            "summary": 'summary("min").selectExpr("policy as reference")',
            "describe": 'describe("policy").selectExpr("policy as reference")',
            "crosstab": 'crosstab("policy", "car").selectExpr("policy_car as reference")',
            "freq_items": 'freqItems(["policy"]).selectExpr("policy_freqItems[0] as reference")',
            "random_split": 'randomSplit([0.5, 0.5])[0].selectExpr("policy as reference")',
            "sample_by": 'sampleBy("car", {"k": 1.0}).selectExpr("policy as reference")',
            "observe": 'observe("m", F.max("n").alias("x")).selectExpr("policy as reference")',
        }.items()
    },
    "a_frame_that_shows_its_rows": (
        python("""
            # It runs after this one, with which it shares the setting.
            dbt.ref("gold_a_frame_that_shows_its_columns")
            spark.conf.set("spark.sql.repl.eagerEval.enabled", "true")
            shown = repr(t.select("policy"))
            spark.conf.set("spark.sql.repl.eagerEval.enabled", "false")
            return t.select(F.lit(shown).alias("reference"))
        """),
        "what the model has collected: silver_t.policy",
    ),
    "what_was_observed": (
        python("""
            from pyspark.sql import Observation
            seen = Observation()
            t.observe(seen, F.max("policy").alias("p")).count()
            return t.select(F.lit(seen.get["p"]).alias("reference"))
        """),
        "what the model has collected: silver_t.",
    ),
    "an_accumulator": (
        python("""
            total = spark.sparkContext.accumulator(0)
            t.select(F.udf(lambda text: total.add(len(text)))("policy")).cache().count()
            return t.select(F.lit(str(total.value)).alias("reference"))
        """),
        "what the model has collected: the value of an accumulator",
    ),
    "what_the_file_has_collected": (
        python("return t.select(F.lit(str(FOUND)).alias('reference'))")
        + "\nname = os.environ['LAKEHOUSE_SCHEMA'] + '_silver.silver_t'\n"
        + "FOUND = spark.table(name).select('policy').collect()\n",
        "what the model has collected: silver_t.policy",
    ),
    "literals_of_files": (
        python("""
            value = spark.sparkContext.wholeTextFiles(data).keys().first()
            return t.select(F.lit(value).alias("reference"))
        """),
        "what the model has collected: rows of an RDD",
    ),
    # Rows that it reads without pyspark's API
    **{
        f"literals_by_{name}": (
            python(f'{top}\nreturn t.select(F.lit(str({code})).alias("reference"))'),
            f"what the model has collected: {told}",
        )
        for name, (top, code, told) in {
            "java": (
                "",
                "spark._jsparkSession.table(silver).collectAsList()",
                "Spark's Java objects",
            ),
            "the_frame_behind": ("", "t._jdf.head().getString(1)", "Spark's Java objects"),
            "javas_files": (
                "",
                "spark._jvm.java.io.File(data).list()[0]",
                "Spark's Java objects",
            ),
            "what_a_library_learns": (
                "from pyspark.ml.feature import StringIndexer",
                'StringIndexer(inputCol="policy", outputCol="x").fit(t).labels[0]',
                "Spark's Java objects",
            ),
            "a_file": ("", "open(os.environ['WAYS_FILE']).read()", "the file left.txt"),
            "pathlib": (
                "from pathlib import Path",
                "Path(os.environ['WAYS_FILE']).read_text()",
                "the file left.txt",
            ),
            "a_csv": (
                "import pandas",
                "pandas.read_csv(os.environ['WAYS_FILE'])",
                "the file left.txt",
            ),
            "a_parquet": (
                "import glob, pandas",
                'pandas.read_parquet(glob.glob(data + "/*.parquet")[0]).policy[0]',
                "the file 0",
            ),
            "arrow": (
                "import pyarrow.parquet",
                "pyarrow.parquet.read_table(data).to_pylist()",
                "what pyarrow reads",
            ),
            "names_of_files": ("", "os.listdir(data)", "the names of the files in data"),
            "a_program": (
                "import subprocess",
                'subprocess.check_output(["ls", data])',
                "what the program ls says",
            ),
            "a_database": (
                "import sqlite3",
                'sqlite3.connect(":memory:").execute("select 1").fetchall()',
                "the database :memory:",
            ),
            "a_process": (
                "number = os.fork() or os._exit(0)",
                "number",
                "what a process of its own says",
            ),
            "other_processes": (
                "import multiprocessing",
                "multiprocessing.cpu_count()",
                "what multiprocessing reads",
            ),
            "a_pool_of_processes": (
                "import concurrent.futures",
                "concurrent.futures.ProcessPoolExecutor.__name__",
                "what ProcessPoolExecutor reads",
            ),
            "memory": ("import ctypes", "ctypes.sizeof(ctypes.c_int)", "what ctypes reads"),
            "another_reader_of_tables": (
                "import pyiceberg",
                "pyiceberg.__version__",
                "what pyiceberg reads",
            ),
            "code_in_a_text": ("", "eval('1')", "what eval reads"),
            "a_library_by_name": (
                "import importlib",
                "importlib.import_module('js' + 'on').__name__",
                "what import_module reads",
            ),
            "a_library_by_its_whole_name": (
                "",
                "__import__('pyarrow').__version__",
                "what pyarrow reads",
            ),
        }.items()
    },
    "an_error": (
        python("""
            try:
                found = t.select(F.expr("raise_error(policy)")).cache().count()
            except Exception as error:
                found = error
            return t.select(F.lit(str(found)).alias("reference"))
        """),
        "what the model has collected: what an error of a Spark job says",
    ),
    "what_is_below_a_watch": (
        python("""
            from pyspark.sql import DataFrame
            collect = getattr(DataFrame.collect, "__wrapped__", DataFrame.collect)
            return t.select(F.lit(str(collect(t))).alias("reference"))
        """),
        "what the model has collected: silver_t.",
    ),
    # Values that another model has left in shared state
    **{
        f"left_in_{name}": (
            python(
                "import sys\nfrom pathlib import Path\n"
                'sys.path.insert(0, str(Path(__file__).parents[2] / "lib"))\n'
                f'{top}\nreturn t.select(F.lit({code}).alias("reference"))'
            ),
            "what the model has collected: silver_t.policy",
        )
        for name, (top, code) in {
            "a_module": ("import ways_helper", 'ways_helper.found["policy"]'),
            "a_cache": ("from ways_helper import cached", "cached('policy')"),
            "a_module_by_name": (
                "import importlib",
                'importlib.import_module("ways_helper").found["policy"]',
            ),
            "the_module_of_a_model": ("", 'sys.modules["dbt_model_leaves"].kept'),
            "the_names_of_a_view": ("", 'spark.table("ways_names").columns[0]'),
            "the_names_of_a_view_by_sql": (
                "",
                'spark.sql("select * from ways_names").schema.names[0]',
            ),
            "the_names_of_views": (
                "",
                "str([table.name for table in spark.catalog.listTables(schema + '_silver')])",
            ),
        }.items()
    },
    "left_in_a_view": (
        f"{DEPENDS}select x as reference from ways_left",
        "what the model has collected: silver_t.policy",
    ),
    "left_in_a_view_of_literals": (
        python('return spark.table("ways_left_too").selectExpr("x as reference")'),
        "what the model has collected: silver_t.policy",
    ),
    "left_in_a_setting": (
        python('return t.select(F.lit(spark.conf.get("ways.left")).alias("reference"))'),
        "the setting ways.left, which leaves has set",
    ),
    "left_in_a_setting_of_the_thread": (
        python("""
            value = str(spark.sparkContext.getLocalProperty("ways.property"))
            return t.select(F.lit(value).alias("reference"))
        """),
        "the setting ways.property, which leaves has set",
    ),
    "left_in_a_setting_by_a_hook": (
        f"select '${{ways.hooked}}' as reference from {REF}",
        "the setting ways.hooked, which a hook, of silver_t.policy, has set",
    ),
    "left_in_a_setting_for_sql": (
        f"select '${{ways.left_too}}' as reference from {REF}",
        "the setting ways.left_too, which leaves has set",
    ),
    "a_map_of_literals": (
        python("""
            pairs = t.groupBy("car").agg(F.max("policy").alias("p")).collect()
            lookup = F.create_map(*[F.lit(x) for row in pairs for x in (row.car, row.p)])
            return t.select(lookup[F.col("car")].alias("reference"))
        """),
        "what the model has collected: silver_t.policy",
    ),
    "names_of_fields": (
        python("""
            name = t.select("policy").head()[0]
            return t.select(F.to_json(F.struct(F.col("car").alias(name))).alias("reference"))
        """),
        "what the model has collected: silver_t.policy",
    ),
    "a_range_of_what_was_collected": (
        python("""
            number = len(t.select("policy").head()[0])
            return spark.range(number, number + 1).selectExpr("cast(id as string) as reference")
        """),
        "what the model has collected: silver_t.policy",
    ),
    "literals_by_jinja": (
        f"{DEPENDS}"
        "{% set found = run_query('select policy from ' ~ ref('silver_t')) if execute else none %}"
        "select '{{ found.rows[0][0] if found else '' }}' as reference",
        "what the model has collected: silver_t.policy",
    ),
    "facts_of_a_column_by_jinja": (
        f"{DEPENDS}"
        "{% set found = run_query('describe extended ' ~ ref('silver_t') ~ ' policy') if execute %}"
        "select '{{ found.rows | length if found else 0 }}' as reference",
        "what the model has collected: info_name (Spark's DescribeColumn)",
    ),
    # dbt compiles an ephemeral model only for its first child.
    **{
        f"literals_of_an_ephemeral_model_{name}": (
            f"select reference from {{{{ ref('{parent}') }}}}",
            "what the model has collected: silver_t.policy",
        )
        for name, parent in {"a": "eph", "b": "eph", "c": "eph_above"}.items()
    },
    # Functions
    "a_udf": (python('return t.select(F.udf(str)("policy").alias("reference"))'), "is made of"),
    "a_udf_of_what_is_clean": (
        python('return t.select(F.udf(str)("car").alias("reference"))'),
        "cannot be traced, because of the Python function str",
    ),
    "a_pandas_udf": (
        python('return t.select(F.pandas_udf(lambda s: s, "string")("car").alias("reference"))'),
        "cannot be traced",
    ),
    "map_in_pandas": (
        python(
            'return t.selectExpr("car as reference").mapInPandas(lambda f: f, "reference string")'
        ),
        "cannot be traced",
    ),
    "map_in_arrow": (
        python(
            'return t.selectExpr("car as reference").mapInArrow(lambda f: f, "reference string")'
        ),
        "cannot be traced",
    ),
    "apply_in_pandas": (
        python("""
            own = t.selectExpr("car as reference").groupBy("reference")
            return own.applyInPandas(lambda frame: frame, "reference string")
        """),
        "cannot be traced",
    ),
    "a_table_function_of_python": (
        python("""
            class Rows:
                def eval(self, policy: str):
                    yield policy,
            spark.udtf.register("ways_rows_of", F.udtf(Rows, returnType="reference: string"))
            t.createOrReplaceTempView("ways_udtf")
            return spark.sql("select r.reference from ways_udtf, lateral ways_rows_of(policy) r")
        """),
        "is made of silver_t.policy",
    ),
    "what_another_model_could_not_trace": (
        "select x as reference from {{ ref('not_promised') }}",
        "not_promised.x, which cannot be traced",
    ),
    "a_java_method": (
        f"select java_method('java.lang.String', 'valueOf', car) as reference from {REF}",
        "cannot be traced",
    ),
    # In the query itself
    "a_scalar_subquery": (f"select (select max(policy) from {REF}) as reference", COPY),
    "a_union_of_all": (
        f"select car as reference from {REF} union all select policy from {REF}",
        COPY,
    ),
    "a_lateral_view": (
        f"select reference from {REF} lateral view explode(array(policy)) v as reference",
        COPY,
    ),
    "a_pivot": (
        f"select a as reference from (select car, policy from {REF}) "
        "pivot (max(policy) for car in ('k' as a))",
        COPY,
    ),
    "the_place_in_an_array": (
        f"select cast(p as string) as reference from {REF} "
        "lateral view posexplode(array_repeat(0, ascii(policy))) v as p, x",
        "is made of silver_t.policy",
    ),
    "unpivot": (
        f"select reference from (select car, policy from {REF}) "
        "unpivot (reference for name in (policy))",
        COPY,
    ),
    "a_window": (
        f"select lag(policy, 0) over (order by n) as reference from {REF}",
        COPY,
    ),
    "a_field_of_a_struct": (
        f"select s.p as reference from (select struct(policy as p, car) as s from {REF})",
        COPY,
    ),
}

# Each of these reveals the value of a column marked silver_only.
TELLS = {
    "concat": "concat(event_id, '')",
    "trim": "trim(event_id)",
    "substring": "substring(event_id, 1)",
    "upper": "upper(event_id)",
    "to_json": "to_json(struct(event_id))",
    "base64": "base64(encode(event_id, 'utf-8'))",
    "aes": "hex(aes_encrypt(event_id, '0000111122223333'))",
    "mask": "mask(event_id)",
    "format": "format_string('%s', event_id)",
    "split": "split(event_id, '-')[1]",
    "cast": "cast(cast(event_id as binary) as string)",
    "field": "struct(event_id as x).x",
    "array": "cast(array(event_id) as string)",
    "regexp": "regexp_replace(event_id, '-', '-')",
    "length": "cast(length(event_id) as string)",
    "hash_beside": "concat(sha2(event_id, 256), event_id)",
    "aggregated": "array_join(collect_list(event_id) over (partition by car), ',')",
    "min": "min(event_id) over (partition by car)",
    "first": "first(event_id) over (partition by car)",
    "a_position": "cast(sequence(0, 99)[ascii(event_id)] as string)",
    "an_element": "cast(element_at(sequence(0, 99), ascii(event_id)) as string)",
    "a_key": "map('ev-1', 'ev-1')[event_id]",
    "elt": "elt(ascii(event_id), 'a', 'b')",
    "slice": "cast(slice(sequence(0, 99), ascii(event_id), 1) as string)",
    "a_length": "cast(size(array_repeat('x', ascii(event_id))) as string)",
    "repeat": "repeat('x', ascii(event_id))",
    "lpad": "lpad('x', ascii(event_id), 'x')",
    "a_cut": "substring('abcdefgh', ascii(event_id))",
    "sum": "cast(sum(ascii(event_id)) over (partition by car) as string)",
}
# These do not reveal it.
PASSES = {
    "sha2": "sha2(event_id, 256)",
    "sha2_of_several": "sha2(concat_ws('|', event_id, car), 256)",
    "md5": "md5(event_id)",
    "xxhash64": "cast(xxhash64(event_id, car) as string)",
    "is_null": "cast(event_id is null as string)",
    "compared": "cast(event_id = 'x' or event_id in ('y', 'z') as string)",
    "like": "cast(event_id like 'e%' as string)",
    "counted": "cast(count(event_id) over (partition by car) as string)",
    "counted_apart": "cast(approx_count_distinct(event_id) over (partition by car) as string)",
    "ranked": "cast(row_number() over (partition by car order by event_id) as string)",
    "ranked_as_well": "cast(rank() over (partition by car order by event_id) as string)",
    "ranked_densely": "cast(dense_rank() over (order by event_id) as string)",
    "ranked_in_percent": "cast(percent_rank() over (order by event_id) as string)",
    "ranked_in_parts": "cast(ntile(4) over (order by event_id) as string)",
    "ranked_by_distribution": "cast(cume_dist() over (order by event_id) as string)",
    "max_by": "max_by(car, event_id) over (partition by n)",
    "chosen": "case when event_id = 'x' then 'a' else car end",
    "exists": "if(exists(select 1 from {{ ref('clean') }} where policy = event_id), 'a', 'b')",
}

# Models that leak nothing.
CLEAN = {
    "a_column": f"select car as reference from {REF}",
    "a_join": f"select t.car as reference from {REF} t join {REF} u on t.policy = u.policy",
    "values": "select x as reference from values ('a'), ('b') as v (x)",
    "a_range": "select cast(id as string) as reference from range(3)",
    "facts_of_a_row": f"select cast(_pos as string) as reference from {REF}",
    "the_kind_of_a_change": f"{DEPENDS}select _change_type as reference from {TABLE}.changes",
    "names_by_jinja": (
        "{% set found = run_query('show tables in ' ~ target.schema ~ '_silver') %}"
        "select '{{ found.rows | length if execute else 0 }}' as reference"
    ),
    "what_is_clean_by_jinja": (
        f"{DEPENDS}"
        "{% set found = run_query('select distinct car from ' ~ ref('silver_t')) if execute %}"
        "select '{{ found.rows[0][0] if found else '' }}' as reference"
    ),
    "what_is_clean_collected": python(
        'return t.select(F.lit(t.select("car").first()[0]).alias("reference"))'
    ),
    "is_empty": python('return t.select(F.lit(str(t.isEmpty())).alias("reference"))'),
    "a_column_that_unpivot_keeps": python("""
        return t.unpivot("car", ["policy"], "k", "v").selectExpr("car as reference")
    """),
    "statistics_of_what_is_clean": python("""
        return t.select("car").summary("min").selectExpr("car as reference")
    """),
    "a_sample": python('return t.sampleBy("car", {"k": 1.0}).selectExpr("car as reference")'),
    "a_count_collected": python('return t.select(F.lit(str(t.count())).alias("reference"))'),
    "plain_columns_beside_what_was_collected": python("""
        last = t.agg(F.max("event_id")).first()[0]
        return t.where(F.col("event_id") >= F.lit(last)).selectExpr("car as reference")
    """),
    "a_frame_that_shows_its_columns": python("""
        return t.select(F.lit(repr(t)).alias("reference"))
    """),
    "plain_columns_beside_a_file": python("""
        limit = len(open(os.environ["WAYS_FILE"]).read())
        return t.where(F.col("n") < limit).selectExpr("car as reference")
    """),
    "what_python_itself_reads": python("""
        import zoneinfo
        from datetime import datetime
        zone = zoneinfo.ZoneInfo("Europe/Berlin")
        year = datetime(2026, 1, 1, tzinfo=zone).year
        return t.select(F.lit(str(year)).alias("reference"))
    """),
    "literals_in_a_view_of_its_own": python("""
        t.select("car", F.lit("x").alias("kind")).createOrReplaceTempView("ways_own")
        spark.sql("create or replace temporary view ways_own_too as select *, 1 as n from ways_own")
        return spark.sql("select kind as reference from ways_own_too")
    """),
    "pandas_on_spark": python("""
        return t.select("car").pandas_api().rename(columns={"car": "reference"})
    """),
    "what_is_clean_of_an_ephemeral_model": "select x as reference from {{ ref('eph_clean') }}",
    "files": python('return dbt.source("landing", "x").selectExpr("relative_path as reference")'),
    "allowed": python('return t.select(F.udf(str)("car").alias("reference"))'),
}

WRITES_ITSELF = {"unaudited": "To read it back."}
METAS = {
    "allowed": {"untraced_allowed": {"reference": "A name, spelt."}},
    "a_table_of_sparks_catalog": WRITES_ITSELF,
    "what_the_model_wrote": WRITES_ITSELF,
}

# Within the schema, a value of a silver_only column may be used as a literal only in a filter.
WATERMARK = (
    DEPENDS
    + """
{{% set last = run_query('select max({}) as x from ' ~ ref('silver_t')).rows[0].x if execute %}}
select concat(car, '!') as x from {{{{ ref('silver_t') }}}} where event_id <= '{{{{ last }}}}'
"""
)
EPHEMERAL = {"materialized": "ephemeral", "schema": "silver"}
COLLECTS = """
{{% set found = run_query('select max({}) as x from ' ~ ref('silver_t')).rows[0].x if execute %}}
select '{{{{ found }}}}' as {} -- depends_on: {{{{ ref('silver_t') }}}}
"""

# A Silver model that leaves its collected values in all kinds of shared state.
HELPER = """
import functools

found = {}

@functools.cache
def cached(name):
    return found[name]
"""
LEAVES = python("""
    import sys
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))
    import ways_helper
    global kept
    policy = kept = t.select("policy").first()[0]
    ways_helper.found.update(policy=policy)
    spark.sql(f"create or replace temporary view ways_names as select 1 as `{policy}`")
    spark.sparkContext.setLocalProperty("ways.property", policy)
    spark.conf.set("ways.left", policy)
    spark.sql(f"set ways.left_too={policy}")
    spark.sql(f"create or replace temporary view ways_left as select '{policy}' as x")
    spark.range(1).select(F.lit(policy).alias("x")).createOrReplaceTempView("ways_left_too")
    return t.select("car")
""")

# A Silver model whose hook queries a value and leaves it in shared state.
HOOKED = """
{{{{ config(post_hook="{{% set found = run_query('select policy from ' ~ ref('silver_t'))
    if execute %}}{}") }}}}
select car from {{{{ ref('silver_t') }}}}
"""

MACROS = """
{% macro rename() %}
  {% set older = target.schema ~ '_silver.older' %}
  {% do run_query("drop table if exists " ~ older) %}
  {% do run_query("create table " ~ older ~ " as select 1 as nr, 2 as gone") %}
  {% do run_query("alter table " ~ older ~ " create or replace tag before") %}
  {% do run_query("alter table " ~ older ~ " rename column nr to policy") %}
  {% do run_query("alter table " ~ older ~ " drop column gone") %}
{% endmacro %}
"""


def files() -> dict[str, str]:
    cases = {name: code for name, (code, _) in REFUSED.items()} | CLEAN
    for name, expression in {**{f"tells_{n}": e for n, e in TELLS.items()}, **PASSES}.items():
        cases[name] = f"select {expression} as reference from {REF}"
    columns = [{"name": name, "config": {"meta": meta}} for name, meta in MARKS.items()]
    models = [
        {"name": "silver_t", "config": {"schema": "silver"}, "columns": columns},
        {"name": "clean", "config": {"schema": "silver"}},
        *({"name": name, "config": EPHEMERAL} for name in ("eph", "eph_above", "eph_clean")),
        {"name": "not_promised", "config": {"schema": "silver"}},
        {"name": "leaves", "config": {"schema": "silver"}},
        {"name": "hooked", "config": {"schema": "silver"}},
        {
            "name": "watermark",
            "config": {"schema": "silver", "contract": {"enforced": True}},
            "columns": [{"name": "x", "data_type": "string"}],
        },
    ]
    written = {
        "models/silver_t.sql": SILVER,
        "models/eph.sql": COLLECTS.format("policy", "reference"),
        "models/eph_above.sql": "select * from {{ ref('eph') }}",
        "models/eph_clean.sql": COLLECTS.format("car", "x"),
        "models/clean.sql": "select 'x' as policy",
        "models/watermark.sql": WATERMARK.format("event_id"),
        "models/not_promised.py": python('return t.select(F.udf(str)("car").alias("x"))'),
        "models/leaves.py": LEAVES,
        "models/hooked.sql": HOOKED.format("set ways.hooked={{ found.rows[0][0] if found }}"),
        "lib/ways_helper.py": HELPER,
        "macros/rename.sql": MACROS,
        "landing/one.txt": "x",
    }
    for name, code in cases.items():
        extension = "py" if code.startswith("\n") else "sql"
        written[f"models/gold/gold_{name}.{extension}"] = code
        meta = METAS.get(name, {})
        models.append(
            {
                "name": f"gold_{name}",
                "config": {"schema": "gold", "contract": {"enforced": True}, "meta": meta},
                "columns": [{"name": "reference", "data_type": "string"}],
            }
        )
    schema = "{{ target.schema }}_silver"
    policy = {"name": "policy", "config": {"meta": {"pii": True, "silver_only": True}}}
    sources = [
        {"name": "landing", "tables": [{"name": "x", "external": {"location": "landing"}}]},
        {"name": "watch", "schema": schema, "tables": [{"name": "silver_t"}]},
        {
            "name": "spelt",
            "schema": schema,
            "tables": [{"name": "t", "identifier": "`silver_t`"}],
        },
        {"name": "older", "schema": schema, "tables": [{"name": "older", "columns": [policy]}]},
    ]
    written["models/models.yml"] = yaml.safe_dump({"models": models, "sources": sources})
    return written


@pytest.fixture(scope="module")
def built(dbt, spark, tmp_path_factory, module_schema):
    # The JDBC case uses Derby, which would otherwise write a log to the working directory.
    log = str(tmp_path_factory.mktemp("derby") / "derby.log")
    java_classes(spark).java.lang.System.setProperty("derby.stream.error.file", log)
    rows = "select * from values ('POL-1') as given (reference)"
    spark.sql(f"create or replace temporary view ways_rows as {rows}")
    left = tmp_path_factory.mktemp("left") / "left.txt"
    left.write_text("POL-1")
    project = make_project(dbt, tmp_path_factory.mktemp("ways_in"), files())
    with environment(WAYS_FILE=str(left)):
        return build(project, module_schema)


def build(project, module_schema):
    silver = project("run", "--select", "config.schema:silver", schema=module_schema)
    assert silver.success, silver.text
    assert "not_promised.x cannot be traced" in silver.text, "without a contract it is a warning"
    result = project("run", "--select", "config.schema:gold", schema=module_schema)
    result.project = project
    return result


@pytest.fixture(scope="module")
def small(dbt, tmp_path_factory):
    """Return a project with the same Silver table and one Gold model that passes a column on."""
    all_files = files()
    models = yaml.safe_load(all_files["models/models.yml"])["models"]
    kept = [model for model in models if model["name"] in ("silver_t", "gold_a_column")]
    written = {
        "models/silver_t.sql": SILVER,
        "models/gold_a_column.sql": f"select policy as reference from {REF}",
        "models/models.yml": yaml.safe_dump({"models": kept}),
    }
    return make_project(dbt, tmp_path_factory.mktemp("ways_in_small"), written)


@pytest.mark.slow
def test_a_deferred_ref_has_the_marks_of_its_model(small, module_schema, tmp_path):
    assert small("run", "--select", "silver_t", schema=f"{module_schema}_prod").success
    shutil.copy(small.target_path / "manifest.json", tmp_path)
    deferred = ("--defer", "--state", str(tmp_path))
    result = small("run", "--select", "gold_a_column", *deferred, schema=f"{module_schema}_dev")
    assert f"{module_schema}_prod_silver" in result.code["gold_a_column"]
    assert f"gold_a_column.reference {COPY}" in result.message["gold_a_column"]


@pytest.mark.slow
def test_personal_literals_are_refused_within_the_schema_too(built, dbt, module_schema):
    project = built.project
    (project.project_dir / "models/watermark.sql").write_text(WATERMARK.format("policy"))
    result = project("run", "--select", "watermark", schema=module_schema)
    assert "what the model has collected: silver_t.policy" in result.message["watermark"]


def test_view_that_a_hook_made_of_collected_values(small, module_schema, monkeypatch):
    monkeypatch.setattr(watch, "_all", [])
    value = "{{ found.rows[0][0] if found }}"
    view = f"create or replace temporary view ways_hooked as select '{value}' as x"
    (small.project_dir / "models/hooked.sql").write_text(HOOKED.format(view))
    (small.project_dir / "models/gold_a_column.sql").write_text(
        "-- depends_on: {{ ref('hooked') }}\nselect x as reference from ways_hooked"
    )
    result = small("run", schema=f"{module_schema}_hooked")
    assert result.status["hooked"] == "success", result.text
    assert "what the model has collected: silver_t.policy" in result.message["gold_a_column"]
    (small.project_dir / "models/hooked.sql").unlink()


def test_a_plan_that_cannot_be_read_is_refused(small, module_schema, monkeypatch):
    (small.project_dir / "models/gold_a_column.sql").write_text(
        f"select car as reference from {REF}"
    )
    monkeypatch.setattr(model, "analyzed_plan", lambda frame: [{"class": "a.b", "nonsense": 1}])
    result = small("run", schema=f"{module_schema}_unread")
    assert result.status == {"silver_t": "success", "gold_a_column": "error"}
    assert "because of a plan that cannot be read" in result.message["gold_a_column"]


def said(built, name: str) -> list[str]:
    lines = [line.strip() for line in built.message[f"gold_{name}"].splitlines()]
    return [line for line in lines if line.startswith(f"gold_{name}.reference ")]


@pytest.mark.parametrize("name", REFUSED)
def test_a_way_in_that_is_refused(built, module_schema, name):
    assert built.status[f"gold_{name}"] == "error"
    line = REFUSED[name][1]
    told = said(built, name)
    assert any((line % module_schema if "%s" in line else line) in each for each in told), (
        built.message[f"gold_{name}"]
    )


@pytest.mark.parametrize("name", TELLS)
def test_what_reveals_a_silver_only_column(built, name):
    assert built.status[f"gold_tells_{name}"] == "error", "it passed"
    assert all("silver_t.event_id" in line for line in said(built, f"tells_{name}"))
    assert said(built, f"tells_{name}")


@pytest.mark.parametrize("name", [*PASSES, *CLEAN])
def test_what_may_pass(built, name):
    assert built.status[f"gold_{name}"] == "success", built.message[f"gold_{name}"]


def test_the_way_out_is_said(built):
    message = built.message["gold_a_udf_of_what_is_clean"]
    assert "`config: {meta: {untraced_allowed: {reference: the reason}}}`" in message


def test_nothing_that_is_refused_is_written(dbt, built, module_schema):
    folder = dbt.home / "warehouse" / f"{module_schema}_gold"
    tables = {path.name for path in folder.iterdir()} - {"own_write"}
    assert tables == {f"gold_{name}" for name in (*PASSES, *CLEAN)}

"""Warms a Java: makes it load and compile what dbt will use, and cleans up afterwards.

    python -m dbt_spark_contracts.spark.warm_up

Standard input has one line of JSON: Java's port and secret, and a folder for temporary files. When
standard input is closed, the warm-up stops after the current statement.

Everything runs in a separate Spark context, which is stopped at the end. Java keeps the loaded
classes and compiled code. The context, its sessions and catalogs are gone.
"""

import contextlib
import gc
import json
import os
import select
import sys
from collections.abc import Callable

from pyspark.sql import SparkSession

from dbt_spark_contracts.compat import hadoop
from dbt_spark_contracts.compat.pyspark import analyzed_plan, classes_of_this_java
from dbt_spark_contracts.spark import launch
from dbt_spark_contracts.spark.launch import Java

SETTINGS = {
    "spark.app.name": "warm-up",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.eventLog.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.defaultCatalog": "warm_up",
    "spark.sql.catalog.warm_up": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.warm_up.type": "hadoop",
}

# What a build does to a table: the statements of dbt and the materializations.
EVENTS = """
    select
        id as event_id,
        concat('car ', id % 5) as car,
        date_add(date '2026-01-01', int(id)) as seen_on,
        to_json(named_struct('a', id, 'b', named_struct('c', string(id)))) as event
    from range(20)
"""
READ = """
    select
        event_id,
        car,
        seen_on,
        get_json_object(event, '$.b.c') as text,
        cast(get_json_object(event, '$.a') as int) as number,
        from_json(event, 'a bigint, b struct<c string>') as value,
        sha2(concat_ws('|', car, event_id), 256) as hash
    from a.raw
    where event is not null
"""
LATEST = """
    select * from (
        select *, row_number() over (partition by car order by seen_on desc, event_id) as rank
        from a.read
    ) where rank = 1
"""
STATEMENTS = [
    "create namespace if not exists a",
    "show namespaces",
    """create table a.raw (event_id bigint not null, car string, seen_on date, event string)
        using iceberg partitioned by (months(seen_on))
        tblproperties ('write.wap.enabled' = 'true')""",
    "show tables in a",
    f"create or replace temporary view staged as {EVENTS}",
    "set spark.wap.branch = b",
    "insert overwrite a.raw (event_id, car, seen_on, event) select * from staged",
    """create table a.read (event_id bigint, car string, seen_on date, text string, number int,
        value struct<a: bigint, b: struct<c: string>>, hash string) using iceberg
        tblproperties ('write.wap.enabled' = 'true')""",
    f"create or replace temporary view staged as {READ}",
    "insert overwrite a.read select * from staged",
    """merge into a.read as target using staged as source on target.event_id = source.event_id
        when matched then update set * when not matched then insert *""",
    LATEST,
    "select car, count(*) as n, max(number) from a.read group by car having count(*) > 1",
    """select count(*) as failures, count(*) != 0 as should_warn from (
        select l.car from a.read as l left join a.raw as r on l.event_id = r.event_id
        where r.event_id is null)""",
    """merge into a.read using (select 1L as id, 'red' as text) as source on event_id = source.id
        when matched then update set text = source.text
        when not matched then insert (event_id, text) values (source.id, source.text)""",
    """select collect_list(distinct car), median(number), max_by(car, seen_on),
        count(distinct seen_on), sum(cast(number as decimal(12, 2))), avg(number) over ()
        from a.read group by number""",
    "select path, length, content from binaryFile.`{folder}/a/raw/metadata`",
    "describe extended a.read",
    "refresh table a.read",
    "show tblproperties a.read",
    "alter table a.read set tblproperties ('comment' = 'none')",
    "call warm_up.system.fast_forward('a.read', 'main', 'b')",
    "drop view if exists staged",
    "drop table a.read purge",
]


def warm_up(java: Java, folder: str, is_over: Callable[[], bool]) -> None:
    """Run the statements until `is_over`, then stop the Spark context."""
    launch.use(java)
    builder = SparkSession.builder.config(map=SETTINGS)
    # Otherwise Spark's own, unused catalog would make a folder in the working folder.
    builder = builder.config("spark.sql.warehouse.dir", folder)
    spark = builder.config("spark.sql.catalog.warm_up.warehouse", folder).getOrCreate()
    try:
        with contextlib.suppress(Exception):  # a command does without it, too
            hadoop.use_plain_local_files(spark)
        for statement in STATEMENTS:
            if is_over():
                break
            frame = spark.sql(statement.format(folder=folder))
            # As when a plan is read. The first call loads all of Scala's reflection.
            analyzed_plan(frame).toJSON()
            frame.collect()
    finally:
        spark.stop()


def give_memory_back() -> None:
    """Make Java return unused heap to the system while it waits."""
    gc.collect()  # releases what Python holds in Java
    jvm = classes_of_this_java()
    options = jvm.java.lang.management.ManagementFactory.getPlatformMXBean(
        jvm.java.lang.Class.forName("com.sun.management.HotSpotDiagnosticMXBean")
    )
    # The minimum and maximum free percentage of the heap after a collection.
    names = "MinHeapFreeRatio", "MaxHeapFreeRatio"
    usual = [options.getVMOption(name).getValue() for name in names]
    for name, value in zip(names, ("5", "10"), strict=True):
        options.setVMOption(name, value)
    # Java shrinks its heap in steps: by nothing, 10 %, 40 % and all of what is free.
    for _ in range(4):
        jvm.java.lang.System.gc()
    for name, value in reversed([*zip(names, usual, strict=True)]):
        options.setVMOption(name, value)


def is_input_closed() -> bool:
    """Return whether standard input is closed."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main() -> None:
    """Warm the Java that standard input names."""
    told = json.loads(os.read(0, 4096))
    warm_up(Java(told["port"], told["secret"]), told["folder"], is_input_closed)
    give_memory_back()


if __name__ == "__main__":
    main()

"""Ht: the tables of hand_written.py, tuned: the fastest single run that we can write.

    python tuned.py LANDING WAREHOUSE RULES AS_OF_DATE ICEBERG_JAR ARCHIVE [record]

- Java is started first, without Spark's launcher, and pyspark is imported in parallel.
- Java's classes come from ARCHIVE, a class-data archive, if it exists. With `record` it is created
  after the run, from the classes that the run has used.
- The landing is parsed once. Silver stays in memory, and Gold's tables are written in parallel.
- Small input: only the first compiler, the serial collector, no code generation, no adaptive
  plans, one shuffle partition. Large input: Spark's and Java's defaults, more memory.
"""

import os
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

# Up to this many landing bytes, starting Spark and Java costs more than the work.
SMALL = 32 * 1024 * 1024

ICEBERG = {
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.catalog.lakehouse": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.lakehouse.type": "hadoop",
}
ALWAYS = {
    "spark.app.name": "lakehouse",
    "spark.master": "local[*]",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.shuffle.compress": "false",
    "spark.sql.catalog.lakehouse.table-default.write.distribution-mode": "none",
    **ICEBERG,
}
FOR_SMALL_INPUT = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
JAVA_FOR_SMALL_INPUT = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g"]
FOR_LARGE_INPUT = {"spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1))}
JAVA_FOR_LARGE_INPUT = ["-XX:+UseParallelGC", "-Xmx4g"]

# The options that Spark needs on Java 17. Its launcher would add them.
MODULE_OPTIONS = [
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net"),
            *("java.nio", "java.util", "java.util.concurrent", "java.util.concurrent.atomic"),
            *("jdk.internal.ref", "sun.nio.ch", "sun.nio.cs", "sun.security.action"),
            *("sun.util.calendar", "sun.security.krb5"),
        )
    ),
    "-Djdk.reflect.useDirectMethodHandle=false",
]


class Java:
    """Spark's gateway for Python, in a separate Java process."""

    def __init__(
        self, settings: dict[str, str], flags: list[str], jar: str, archive: Path, record: bool
    ) -> None:
        pyspark = find_spec("pyspark")
        assert pyspark and pyspark.origin
        jars = sorted(Path(pyspark.origin).parent.glob("jars/*.jar"))
        self.command = [
            *(str(Path(os.environ["JAVA_HOME"], "bin", "java")), *MODULE_OPTIONS, *flags),
            *("-cp", os.pathsep.join(map(str, [*jars, jar]))),
        ]
        self.archive = archive
        self.classes = archive.with_suffix(".classes") if record else None
        if self.classes:
            sharing = ["-Xshare:off", f"-XX:DumpLoadedClassList={self.classes}"]
        else:
            sharing = ["-Xshare:auto", f"-XX:SharedArchiveFile={archive}"]
        self.folder = tempfile.TemporaryDirectory()
        self.address = Path(self.folder.name, "gateway")
        self.process = subprocess.Popen(
            [
                *(*self.command, *sharing),
                *(f"-D{name}={value}" for name, value in settings.items()),
                "org.apache.spark.api.python.PythonGatewayServer",
            ],
            env=os.environ | {"_PYSPARK_DRIVER_CONN_INFO_PATH": str(self.address)},
            stdin=subprocess.PIPE,  # Java ends when this is closed
        )

    def connect(self) -> None:
        """Wait until Java listens, and tell pyspark the port."""
        while not self.address.exists():
            if self.process.poll() is not None:
                raise SystemExit("Java ended before it listened.")
            time.sleep(0.01)
        port, length = struct.unpack("!ii", self.address.read_bytes()[:8])
        secret = self.address.read_bytes()[8 : 8 + length].decode()
        os.environ["PYSPARK_GATEWAY_PORT"] = str(port)
        os.environ["PYSPARK_GATEWAY_SECRET"] = secret

    def end(self) -> None:
        """End Java, and create the archive if classes were recorded."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()
        if self.classes:
            self.archive.unlink(missing_ok=True)
            sharing = [f"-XX:SharedClassListFile={self.classes}", "-Xshare:dump"]
            made = f"-XX:SharedArchiveFile={self.archive}"
            subprocess.run([*self.command, *sharing, made], check=True)


def main(
    landing: str, warehouse: str, rules: str, as_of: str, jar: str, archive: str, record: str = ""
) -> None:
    """Build all tables."""
    small = sum(file.stat().st_size for file in Path(landing).iterdir()) <= SMALL
    settings = ALWAYS | (FOR_SMALL_INPUT if small else FOR_LARGE_INPUT)
    settings["spark.sql.catalog.lakehouse.warehouse"] = warehouse
    flags = JAVA_FOR_SMALL_INPUT if small else JAVA_FOR_LARGE_INPUT
    java = Java(settings, flags, jar, Path(archive), record == "record")

    import tables
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql import functions as F

    java.connect()
    spark = SparkSession.builder.getOrCreate()

    def write(frame: DataFrame, name: str) -> None:
        frame.writeTo(f"lakehouse.{name}").using("iceberg").createOrReplace()

    # Only rejected records need the text.
    text = F.when(F.col("rejection_reason").isNotNull(), F.col("raw_record"))
    parsed = tables.parse(spark, landing).withColumn("raw_record", text).persist()
    events = tables.telemetry(parsed).persist()
    write(events, "silver.silver_car_telemetry")  # it fills both caches, for the other writes
    with ThreadPoolExecutor() as pool:
        written = [
            pool.submit(write, frame, name)
            for frame, name in (
                (tables.rejected(parsed), "silver.silver_rejected_events"),
                (tables.current_state(events, as_of), "gold.gold_car_current_state"),
                (tables.monthly_efficiency(events), "gold.gold_fuel_efficiency_monthly"),
                (
                    tables.alerts(events, tables.read_rules(spark, rules)),
                    "gold.gold_performance_alerts",
                ),
            )
        ]
        for table in written:
            table.result()
    spark.stop()
    java.end()


if __name__ == "__main__":
    main(*sys.argv[1:])

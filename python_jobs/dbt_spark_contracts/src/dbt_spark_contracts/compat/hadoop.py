"""Hadoop: local files without a process and a checksum file for each of them.

Without its native library, which pyspark does not have, Hadoop starts `chmod` for each local file
and folder that it creates. It also writes a checksum file beside each file, with another `chmod`. A
build creates hundreds of files.

Checksum files were not read before either: Hadoop cannot build the name of the checksum file of a
file whose name has a colon, as in a timestamp, so this package turns their verification off.
"""

from pathlib import Path
from typing import Any

from dbt_spark_contracts.compat.pyspark import hadoop_configuration, java_classes

# Only Java code can override a method of Hadoop. Janino, Spark's own compiler, reads it.
SOURCE = Path(__file__).with_name("LocalFiles.java")
CLASS = "dbt_spark_contracts.LocalFiles"


def do_not_verify_checksums(session: Any) -> None:
    """Make Hadoop read local files whose names have a colon."""
    files = java_classes(session).org.apache.hadoop.fs.FileSystem
    files.getLocal(hadoop_configuration(session)).setVerifyChecksum(False)


def use_plain_local_files(session: Any) -> None:
    """Make Hadoop create local files in this Java without other processes and checksum files.

    A class that the profile has chosen for local files stays.

    Raises:
        py4j.protocol.Py4JError: If this Hadoop or Java cannot do so.
    """
    java = java_classes(session)
    configuration = hadoop_configuration(session)
    if configuration.get("fs.file.impl"):
        return
    files = java.org.apache.hadoop.fs.FileSystem.getLocal(configuration).getRawFileSystem()
    loaded = files.getClass()  # an earlier session of this Java may have compiled it
    if loaded.getName() != CLASS:
        compiler = java.org.codehaus.janino.SimpleCompiler()
        compiler.setParentClassLoader(loaded.getClassLoader())
        compiler.cook(SOURCE.read_text(encoding="utf-8"))
        loaded = compiler.getClassLoader().loadClass(CLASS)
    # A new one, because it takes the mask of permissions from the configuration.
    loaded.newInstance().install(configuration)

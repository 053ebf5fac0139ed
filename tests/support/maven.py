"""Downloads artifacts from Maven for the tests of real engines, with checksums in the repository.

Maven's local repository caches them, so each machine downloads an artifact once.
"""

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from dbt_spark_contracts.spark.java import find_java_home

from tests.support.skips import NO_MAVEN

# In the format of sha256sum, with coordinates instead of file names.
CHECKSUMS = Path(__file__).with_name("maven.sha256")
GET = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"


def artifact(coordinates: str) -> Path:
    """Return an artifact, and download it if it is not in the local repository.

    Args:
        coordinates: `group:artifact:version:extension`, with `:classifier` if there is one. They
            must be listed in `maven.sha256`.

    Returns:
        The file in Maven's local repository. Do not change it.
    """
    expected = checksums()[coordinates]
    group, name, version, extension, *classifier = coordinates.split(":")
    repository = Path.home() / ".m2/repository"
    folder = repository.joinpath(*group.split("."), name, version)
    file = folder / f"{'-'.join([name, version, *classifier])}.{extension}"
    if not file.exists():
        _download(coordinates, repository)
    content_hash = sha256()
    with file.open("rb") as content:
        while part := content.read(1 << 20):
            content_hash.update(part)
    found = content_hash.hexdigest()
    assert found == expected, f"{file} is not what {CHECKSUMS.name} says: {found}"
    return file


def checksums() -> dict[str, str]:
    """Return the SHA-256 of each artifact, by its coordinates."""
    lines = (line.split() for line in CHECKSUMS.read_text().splitlines())
    return {coordinates: checksum for checksum, coordinates in lines}


def _download(coordinates: str, repository: Path) -> None:
    """Download an artifact with Maven, which verifies the published checksum."""
    if not shutil.which("mvn"):
        pytest.skip(f"{NO_MAVEN}: mvn is not on the PATH, and {coordinates} is not here yet")
    # With --update-snapshots Maven also retries downloads that have failed before.
    options = ["--batch-mode", "--quiet", "--strict-checksums", "--update-snapshots"]
    what = [f"-Dartifact={coordinates}", "-Dtransitive=false", f"-Dmaven.repo.local={repository}"]
    done = subprocess.run(
        ["mvn", *options, GET, *what],
        # The engine's Java does not know the certificates of this machine.
        env=os.environ | {"JAVA_HOME": str(find_java_home())},
        **{"capture_output": True, "text": True},
    )
    if "Could not transfer" in done.stdout and "Checksum" not in done.stdout:
        pytest.skip(f"{NO_MAVEN}: {done.stdout.partition('[ERROR] ')[2].splitlines()[0]}")
    assert done.returncode == 0, done.stdout

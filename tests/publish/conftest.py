"""The toy project, and the command line on it. A file with a `project` of its own has that."""

import pytest

from tests.support.toy import Toy


@pytest.fixture
def project(dbt, tmp_path, schema):
    """The toy."""
    return Toy(dbt, tmp_path / "project", schema)


@pytest.fixture
def tool(project, capsys):
    """A function that runs a command, and gives its exit code and what it printed."""

    def run(*args):
        capsys.readouterr()
        code = project.dbt.tool(*args, schema=project.schema)
        return code, *capsys.readouterr()

    return run

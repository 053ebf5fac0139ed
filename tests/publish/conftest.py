"""The toy project and the command line on it. Some files override `project`."""

import pytest

from tests.support.toy import Toy


@pytest.fixture
def project(dbt, tmp_path, schema):
    """Return the toy project."""
    return Toy(dbt, tmp_path / "project", schema)


@pytest.fixture
def tool(project, capsys):
    """Return a function that runs a command and returns its exit code, stdout and stderr."""

    def run(*args):
        capsys.readouterr()
        code = project.dbt.tool(*args, schema=project.schema)
        return code, *capsys.readouterr()

    return run

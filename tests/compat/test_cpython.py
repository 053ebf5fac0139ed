"""Python's source is parsed in several threads at once."""

import ast
import re

import pytest
from dbt_spark_contracts.compat.cpython import parsed

from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

GUARD = ROOT / "python_jobs/dbt_spark_contracts/src/dbt_spark_contracts"


def test_a_source_is_parsed_again_after_another_thread_interfered(monkeypatch):
    parse, attempts = ast.parse, []

    def disturbed(source):
        attempts.append(source)
        if len(attempts) < 3:
            raise SystemError("AST constructor recursion depth mismatch (before=150, after=146)")
        return parse(source)

    monkeypatch.setattr(ast, "parse", disturbed)
    assert ast.dump(parsed("disturbed = 1")) == ast.dump(parse("disturbed = 1"))
    assert len(attempts) == 3


def test_what_is_always_wrong_stays_an_error(monkeypatch):
    def broken(source):
        raise SystemError("broken")

    with pytest.raises(SyntaxError):
        parsed("no python =")
    monkeypatch.setattr(ast, "parse", broken)
    with pytest.raises(SystemError, match="broken"):
        parsed("broken = 1")


def test_nothing_else_in_the_guard_parses_python():
    """Any other call could fail, or disturb another one."""
    calls = re.compile(r"\bast\.(?:parse|literal_eval)\(|\bcompile\(.*ONLY_AST")
    found = {
        file.relative_to(GUARD).as_posix()
        for file in GUARD.rglob("*.py")
        if calls.search(file.read_text(encoding="utf-8"))
    }
    assert found == {"compat/cpython.py"}

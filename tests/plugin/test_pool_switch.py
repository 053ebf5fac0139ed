"""Which commands use the pool of warm Javas."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from dbt_spark_contracts.spark import launch, pool, session

SETTINGS = {"spark.master": "local[*]"}


@pytest.fixture(autouse=True)
def on(monkeypatch):
    monkeypatch.delenv(pool.SWITCH)
    monkeypatch.delenv("CI", raising=False)


@pytest.mark.quick
def test_it_is_on():
    assert pool.is_wanted(SETTINGS)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("variable", "value"),
    [(pool.SWITCH, "off"), (pool.SWITCH, "False"), (pool.SWITCH, "0"), ("CI", "true"), ("CI", "1")],
)
def test_a_variable_turns_it_off(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert not pool.is_wanted(SETTINGS)


@pytest.mark.quick
@pytest.mark.parametrize(("variable", "value"), [(pool.SWITCH, "on"), ("CI", "false"), ("CI", "")])
def test_a_variable_leaves_it_on(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert pool.is_wanted(SETTINGS)


@pytest.mark.quick
@pytest.mark.parametrize(
    "settings",
    [
        {pool.SWITCH_SETTING: "off"},
        {"spark.jars.packages": "org.example:some:1.0"},
        {"spark.jars": "s3a://bucket/some.jar"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_setting_turns_it_off(settings):
    """So does a setting with remote files, because their content may change between commands."""
    assert not pool.is_wanted(SETTINGS | settings)


@pytest.fixture
def calls(monkeypatch):
    """Return the names of the calls that manage Javas. No Java is started."""
    calls = []
    for module, name in ((pool, "claim"), (launch, "start"), (launch, "use")):
        monkeypatch.setattr(module, name, lambda *_, name=name: calls.append(name))
    at_exit = SimpleNamespace(register=lambda call, *args: calls.append((call.__name__, *args)))
    monkeypatch.setattr(session, "atexit", at_exit)
    monkeypatch.setenv("DBT_SPARK_CLASS_ARCHIVE", "off")
    return calls


@pytest.mark.quick
def test_a_command_leaves_a_spare_and_looks_for_one(calls, tmp_path):
    session._use_java(SETTINGS, tmp_path)
    assert calls == [("leave_spare", launch.plan(SETTINGS, tmp_path)), "claim", "start", "use"]


@pytest.mark.quick
def test_the_archive_is_made_when_a_command_has_nothing_left_to_do(calls, monkeypatch, tmp_path):
    """What is registered first is called last, so the spare starts before."""
    monkeypatch.delenv("DBT_SPARK_CLASS_ARCHIVE")
    session._use_java(SETTINGS, tmp_path)
    plan = launch.plan(SETTINGS, tmp_path)
    assert calls[:2] == [("make_later", tmp_path, plan.class_path), ("leave_spare", plan)]


@pytest.mark.quick
def test_command_with_the_pool_off_does_neither(calls, monkeypatch, tmp_path):
    monkeypatch.setenv(pool.SWITCH, "off")
    session._use_java(SETTINGS, tmp_path)
    assert calls == ["start", "use"]


@pytest.mark.quick
def test_a_cluster_has_none(calls, tmp_path):
    """Spark's own script starts its driver."""
    session._use_java({"spark.master": "spark://host:7077"}, tmp_path)
    assert calls == []


@pytest.mark.quick
@pytest.mark.parametrize("reads_plans", [True, False])
def test_java_prepares_for_plans_while_dbt_parses(monkeypatch, reads_plans):
    """The session is there before, so that nobody waits for it."""
    future, had_session = Future(), []
    monkeypatch.setattr(session, "_create", lambda settings: "the session")
    monkeypatch.setattr(session, "_load_reader", lambda _: had_session.append(future.done()))
    session._start(future, reads_plans)
    assert future.result() == "the session"
    assert had_session == [True] * reads_plans

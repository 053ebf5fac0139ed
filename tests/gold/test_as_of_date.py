"""`as_of_date` and the other vars are validated, with one-line errors."""

import calendar
from datetime import date, datetime, timezone
from types import SimpleNamespace

import jinja2
import pytest
import yaml

from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

RUN = datetime(2026, 1, 15, 23, 59, tzinfo=timezone.utc)
MACRO = (ROOT / "macros/project/as_of_date.sql").read_text()


class Refused(Exception):
    pass


def refuse(message: str):
    raise Refused(message)


@pytest.fixture(scope="module")
def as_of_date():
    """Return a function that renders the macro for a value of the var."""
    import re

    template = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(
        f"{MACRO}{{{{ as_of_date() }}}}"
    )
    context = {
        "run_started_at": RUN,
        "modules": SimpleNamespace(re=re),
        "exceptions": SimpleNamespace(raise_compiler_error=refuse),
        "return": str,
    }
    return lambda given: template.render(var=lambda name, default: given, **context).strip()


def test_null_is_the_runs_utc_date(as_of_date):
    assert as_of_date(None) == "2026-01-15"


@pytest.mark.parametrize("given", ["2024-02-29", date(2025, 12, 31), "0001-01-01", "9999-12-31"])
def test_a_day_is_that_day(as_of_date, given):
    assert as_of_date(given) == str(given)


@pytest.mark.parametrize("year", [1900, 2000, 2024, 2026, 2100])
def test_each_month_has_its_days(as_of_date, year):
    for month in range(1, 13):
        last = calendar.monthrange(year, month)[1]
        assert as_of_date(f"{year}-{month:02}-{last:02}")
        with pytest.raises(Refused):
            as_of_date(f"{year}-{month:02}-{last + 1:02}")


@pytest.mark.parametrize(
    "given",
    [
        *("", " ", "None", "null", "today", "2026-02-30", "2026-13-01", "2026-00-10", "2026-01-00"),
        *("0000-01-01", "2026-1-5", "15.01.2026", " 2026-01-15", "2026-01-15\n", "\u0662026-01-15"),
        *("20260115", 20260115, 0, False, datetime(2026, 1, 15), ["2026-01-15"]),
    ],
)
def test_anything_else_is_refused_in_one_line(as_of_date, given):
    with pytest.raises(Refused) as refused:
        as_of_date(given)
    assert str(refused.value) == f"as_of_date must be a date like 2026-01-15, and is '{given}'."


def test_dbt_stops_for_it(dbt):
    """A scheduler may pass an empty value."""
    inline = ("--inline", "{{ as_of_date() }}")
    result = dbt("compile", "--no-introspect", *inline, as_of_date="")
    assert not result.success
    assert "as_of_date must be a date like 2026-01-15, and is ''." in result.text


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"as_of_dat": "2026-01-15"},
            "There is no var 'as_of_dat': use as_of_date, contracts_required_in, landing_path, ",
        ),
        ({"as_of_date": "2026-02-30"}, "as_of_date must be a date like 2026-01-15, and is "),
        ({"overwrite": "bronze"}, "overwrite must be bronze_car_events, and is 'bronze'."),
        ({"overwrite": True}, "overwrite must be bronze_car_events, and is 'True'."),
        ({"Landing_path": "x"}, "There is no var 'Landing_path': use as_of_date, contracts_"),
        (
            {"landing_path": ""},
            "landing_path must be a folder or an object store's URL, and is ''.",
        ),
        ({"landing_path": None}, "landing_path must be a folder or an object store's URL, and is "),
        ({"landing_path": " x"}, "landing_path must be a folder or an object store's URL, and is "),
        ({"landing_path": ["x"]}, "landing_path must be a folder or an object store's URL, and is"),
        ({"write_audit_publish": "false"}, "write_audit_publish must be true or false, and is 'f"),
        (
            {"write_audit_publish": None},
            "write_audit_publish must be true or false, and is 'None'.",
        ),
        (
            {"newest_event_within_days": -1},
            "newest_event_within_days must be a number of days, or ",
        ),
        ({"newest_event_within_days": "2"}, "newest_event_within_days must be a number of days"),
        ({"contracts_required_in": "gold"}, "contracts_required_in must be a list of schemas, li"),
    ],
)
def test_an_unknown_or_invalid_var_stops_before_anything_is_written(dbt, variables, told):
    inline = ("--inline", "{{ check_vars() }}")
    result = dbt("compile", "--no-introspect", *inline, **variables)
    assert not result.success
    assert told in result.text


def test_known_vars_pass(dbt):
    """Every var that the project or the guard reads is known."""
    read = {"as_of_date": "2026-01-15", "landing_path": "landing", "overwrite": None}
    read["contracts_required_in"] = ["gold", "silver"]
    read["newest_event_within_days"] = 2
    guards = {"lock_seconds": 90, "lock_wait_seconds": 0, "write_audit_publish": True}
    inline = ("--inline", "{{ check_vars() }}")
    result = dbt("compile", "--no-introspect", *inline, **read, **guards)
    assert result.success, result.text


def test_the_project_checks_its_vars_first():
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text())
    assert project["on-run-start"] == ["{{ check_vars() }}", "{{ begin_run() }}"]

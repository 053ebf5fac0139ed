"""What the page shows, read with Spark from what readers see. Spark adds up; few rows come here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.publish.sizes import size_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The most that a page shows, of weeks, models and cars.
WEEKS, MODELS, CARS = 26, 12, 15

PROJECT = "car_lakehouse"
LAYERS = ("bronze", "silver", "gold")

# A reason ends with the value that was wrong; that is left out, so that equal ones are counted.
REASON = "substring_index(rejection_reason, ': ', 1)"


class NotBuilt(Exception):
    """Why there is nothing to show, in one line."""


@dataclass(frozen=True)
class Table:
    """A table of the fleet.

    Attributes:
        name: Its name.
        rows: Its rows.
        written: When they were written, UTC.
        newest: Its newest event, as a text; None if it has none.
    """

    name: str
    rows: int
    written: datetime
    newest: str | None = None


@dataclass(frozen=True)
class Fleet:
    """What the page shows.

    Attributes:
        alerts: The number of alerts by week, which is its Monday, and type.
        insurance: The number of cars by the status of their insurance.
        ending: The cars whose insurance ends soon, the next one first, and then those whose
            insurance has ended, the last one first.
        efficiency: Manufacturer and model, km per litre, and km: the models that drove most.
        rejected: The number of rejected events by reason, the most frequent first.
        tables: The tables, from Bronze to Gold.
    """

    alerts: dict[tuple[date, str], int] = field(default_factory=dict)
    insurance: dict[str, int] = field(default_factory=dict)
    ending: list[dict[str, Any]] = field(default_factory=list)
    efficiency: list[tuple[str, float, float]] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)


def fleet(session: "SparkSession", nodes: Mapping[str, dict]) -> Fleet:
    """Read it.

    Args:
        session: The session.
        nodes: dbt's nodes by unique id.

    Raises:
        NotBuilt: If a table is not there yet.
    """
    told = {
        node["name"]: node
        for node in nodes.values()
        if node["resource_type"] in ("model", "seed")
        and node["relation_name"]
        and node["package_name"] == PROJECT
    }
    names = {name: node["relation_name"] for name, node in told.items()}
    for name in names.values():
        tables.forget(session, name)
        if not tables.exists(session, name):
            raise NotBuilt(f"there is no {name}: run `uv run dbt build` first")

    def rows(sql: str) -> list:
        return session.sql(sql.format(**names)).collect()

    alerts = rows(f"""
        with weekly as (
            select to_date(date_trunc('week', alert_date)) as week, alert_type, count(*) as alerts
            from {{gold_performance_alerts}} group by all
        )
        select * from weekly
        where week > (select max(week) from weekly) - interval '{WEEKS}' week
        order by week, alert_type
    """)
    insurance = rows("""
        select coalesce(insurance_status, 'UNKNOWN') as status, count(*) as cars
        from {gold_car_current_state} group by all order by cars desc, status
    """)
    ending = rows(f"""
        select insurance_valid_until as last_day, insurance_status as status,
            concat_ws(' ', manufacturer, model) as car, car_chassis as chassis,
            insurance_provider as provider
        from {{gold_car_current_state}} where insurance_status <> 'ACTIVE'
        order by status = 'EXPIRED', if(status = 'EXPIRED', -1, 1) * unix_date(last_day), chassis
        limit {CARS}
    """)
    efficiency = rows(f"""
        select concat_ws(' ', manufacturer, model) as model, sum(total_km_driven) as km,
            sum(total_km_driven) / sum(total_fuel_liters) as km_per_liter
        from {{gold_fuel_efficiency_monthly}} where total_fuel_liters > 0 and total_km_driven > 0
        group by all order by km desc, model limit {MODELS}
    """)
    rejected = rows(f"""
        select {REASON} as reason, count(*) as events
        from {{silver_rejected_events}} group by all order by events desc, reason
    """)
    return Fleet(
        {(row.week, row.alert_type): row.alerts for row in alerts},
        {row.status: row.cars for row in insurance},
        [row.asDict() for row in ending],
        [(row.model, row.km_per_liter, row.km) for row in efficiency],
        {row.reason: row.events for row in rejected},
        [_table(session, node) for node in sorted(told.values(), key=_place)],
    )


def _place(node: dict) -> tuple[int, str]:
    layer = node["config"]["schema"]
    return LAYERS.index(layer) if layer in LAYERS else len(LAYERS), node["name"]


def _table(session: "SparkSession", node: dict) -> Table:
    name = node["relation_name"]
    loaded = tables.load(session, name)
    newest = tables.tip(loaded, None)
    event = node["config"]["meta"].get("newest_event")
    found = session.sql(f"select cast(max({event}) as string) as at from {name}") if event else None
    return Table(
        name,
        size_of(loaded, newest).rows,
        datetime.fromtimestamp(newest.timestampMillis() / 1e3, timezone.utc),
        found.collect()[0].at if found else None,
    )

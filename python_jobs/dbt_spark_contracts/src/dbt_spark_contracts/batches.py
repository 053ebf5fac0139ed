"""The strategy `microbatch`: a batch's window of event time, and the rows in it."""

from datetime import datetime, timezone

from dbt_common.exceptions import DbtRuntimeError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dbt_spark_contracts.schemas import quoted


def window(frame: DataFrame, event_time: str, batch: dict) -> str:
    """Return the window of a batch, [start, end), as an SQL condition on a model's rows.

    Args:
        frame: The staged view.
        event_time: The column in the config of that name.
        batch: dbt's `model.batch`.

    Returns:
        The condition.

    Raises:
        DbtRuntimeError: If the column does not exist, or its type does not allow a window.
    """
    name = event_time.strip("`")
    found = [f for f in frame.schema.fields if f.name.lower() == name.lower()]
    if not found:
        raise DbtRuntimeError(
            f"event_time is {event_time}, and the model returns no column of that name: "
            f"{', '.join(frame.columns)}."
        )
    kind = found[0].dataType.simpleString()
    start, end = instant(batch["event_time_start"]), instant(batch["event_time_end"])
    if kind == "date" and any(time.hour for time in (start, end)):
        raise DbtRuntimeError(
            f"event_time {event_time} is a date, and the batches are smaller than a day: make it a "
            "timestamp, or batch_size a day."
        )
    form = {"date": "%Y-%m-%d", "timestamp": "%Y-%m-%d %H:%M:%S+00:00"}
    form["timestamp_ntz"] = "%Y-%m-%d %H:%M:%S"
    if kind not in form:
        raise DbtRuntimeError(
            f"event_time {event_time} is a {kind}: cast it to timestamp, timestamp_ntz or date."
        )
    first, last = (f"{kind} '{time.strftime(form[kind])}'" for time in (start, end))
    column = quoted(found[0].name)
    return f"{column} >= {first} and {column} < {last}"


def limited(frame: DataFrame, event_time: str, within: str, is_filtered: bool) -> DataFrame:
    """Return the staged rows within the batch's window. Other rows are never lost silently.

    If dbt has filtered an input by its event time (`is_filtered`), a row outside of the window
    stops the batch: without it, the row would be dropped or appear twice. If dbt filters no input
    (none has an event_time, or the model is Python), each batch reads all rows and keeps its own.
    Then only a row without an event time stops the batch, because no batch would have it.
    """
    name = event_time.strip("`")
    if is_filtered:
        said = f"outside of its batch ({within}): leave out what is, or let event_time be its time"
        allowed = f"({within}) is true"
    else:
        said = "that is null, so that it is in no batch: leave it out"
        allowed = f"{quoted(name)} is not null"
    text = f"The model returned a row whose event_time {name} is {said}."
    # Spark must treat this as non-deterministic. Otherwise it would check rows that the model
    # itself drops later.
    judged = F.when(F.expr(allowed) & (F.rand() >= 0), F.expr(within))
    return frame.where(judged.otherwise(F.raise_error(F.lit(text)).cast("boolean")))


def instant(value: "datetime | str") -> datetime:
    """Return a time of dbt's, in UTC."""
    time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return (
        time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time.astimezone(timezone.utc)
    )

"""The columns that configure a merge: its keys, and those that it updates."""

from typing import TYPE_CHECKING

from dbt_common.exceptions import CompilationError
from pyspark.errors import AnalysisException, ParseException

from dbt_spark_contracts.schemas import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def columns(rows: "DataFrame", config: str, names: list[str]) -> list[str]:
    """Return the columns as SQL, whatever their names are.

    Args:
        rows: The model's rows.
        config: The name of the config, for the message.
        names: Columns of the rows, or SQL: a quoted name, or a field of a struct.

    Returns:
        The columns.

    Raises:
        CompilationError: If the rows have no such column. The message is one line.
    """
    there = {name.lower(): name for name in rows.columns}
    found = []
    for name in names:
        if own := there.get(name.lower()):
            found.append(quoted(own))
            continue
        try:
            rows.select(name)
        except (AnalysisException, ParseException) as error:
            raise CompilationError(
                f"{config} is {name}, and the model returns no column of that name: "
                f"{', '.join(rows.columns)}."
            ) from error
        found.append(name)
    return found

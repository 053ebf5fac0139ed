"""The columns that a merge is told of: its keys, and those that it updates."""

from typing import TYPE_CHECKING

from dbt_common.exceptions import CompilationError
from pyspark.errors import AnalysisException, ParseException

from dbt_spark_contracts.schemas import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def columns(rows: "DataFrame", config: str, names: list[str]) -> list[str]:
    """The columns as they stand in SQL, whatever their names are.

    Args:
        rows: The model's rows.
        config: The config that names them, to be told.
        names: Columns of the rows, or what is SQL already: a quoted name, a field of a struct.

    Returns:
        The columns.

    Raises:
        CompilationError: In one line, if the rows have no such column.
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

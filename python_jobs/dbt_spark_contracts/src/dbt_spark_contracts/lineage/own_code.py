"""A Python model's own code: what it reads, and what it must not do.

Only the materialization writes tables. A direct write would bypass the run's branch, its lock and
all contracts, and data read back from it would have no marks. The code must not change what all
models of a command share either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dbt_common.exceptions import DbtRuntimeError
from pyspark.sql import SparkSession

from dbt_spark_contracts.lineage import source_code
from dbt_spark_contracts.materializations import UNAUDITED
from dbt_spark_contracts.publish import statements


@dataclass(frozen=True)
class OwnCode:
    """The code of one Python model.

    Attributes:
        name: The model's name.
        may_write: Whether the model's meta gives a reason why it writes directly.
        reads: What it reads that nothing else detects.
    """

    name: str
    may_write: bool
    reads: source_code.Reads = field(default_factory=source_code.Reads)

    @classmethod
    def of(cls, name: str, meta: Mapping, source: str = "") -> "OwnCode":
        """Return the code of a model with this meta and source.

        Raises:
            DbtRuntimeError: If the code changes a module that it imports. The message is one line.
        """
        may_write = bool(str(meta.get(UNAUDITED) or "").strip())
        code = cls(name, may_write, source_code.reads(source))
        if changed := source_code.changed(source):
            code.refuse_to_change(changed)
        return code

    def refuse_to_write(self, what: str) -> None:
        """Refuse a direct write, unless the model may write.

        Raises:
            DbtRuntimeError: If it may not. The message is one line.
        """
        if not self.may_write:
            raise DbtRuntimeError(
                f"{self.name}: `{what}` is not run: no branch of this run would hold it, and no "
                "contract. Let model() return the rows, which its materialization writes, or say "
                f"why it is right in the model's meta, as `{UNAUDITED}: …`."
            )

    def refuse_to_change(self, what: str) -> None:
        """Refuse a change of something that all models of the command share.

        Raises:
            DbtRuntimeError: Always. The message is one line.
        """
        raise DbtRuntimeError(
            f"{self.name}: `{what}` is not run: all models of this run share what it changes. "
            "Leave it out, and write the names of tables in full."
        )

    def check_sql(self, session: SparkSession, text: str) -> None:
        """Check that a statement only reads.

        Raises:
            DbtRuntimeError: If it does more. The message is one line.
        """
        found = statements.own_effect(session, text)
        if found == statements.WRITES:
            self.refuse_to_write(statements.shortened(text))
        elif found == statements.SHARED:
            self.refuse_to_change(statements.shortened(text))

"""dbt-spark's relation and column, with names that may hold anything."""

from dataclasses import dataclass

from dbt.adapters.factory import get_adapter_by_type
from dbt.adapters.spark.column import SparkColumn
from dbt.adapters.spark.relation import SparkRelation

from dbt_spark_contracts.schemas import plain, quoted


@dataclass(frozen=True, eq=False, repr=False)
class ContractRelation(SparkRelation):
    """A relation. What `ref` and `source` give reads the columns that a table is to have.

    Attributes:
        view: What is read for it, where that is not the table itself.
    """

    view: str | None = None

    @classmethod
    def create_from(cls, quoting, relation_config, **kwargs):
        relation = super().create_from(quoting, relation_config, **kwargs)
        # dbt says how many rows are wanted of what is read, and of nothing else.
        if "limit" in kwargs:
            # Of a source, `quoting` is not the command's config: it says nothing of its profile.
            unpublished = get_adapter_by_type("spark").invocation.run.unpublished
            if view := unpublished.views.get(plain(relation.render())):
                return relation.replace(view=view)
        return relation

    def render(self) -> str:
        return self.view or super().render()


@dataclass
class ContractColumn(SparkColumn):
    """A column, whose name may hold a backtick."""

    @property
    def quoted(self) -> str:
        return quoted(self.column)

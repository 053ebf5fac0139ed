"""dbt-spark's relation and column, with names that may hold anything."""

import re
from dataclasses import dataclass, replace

from dbt.adapters.factory import get_adapter_by_type
from dbt.adapters.spark.column import SparkColumn
from dbt.adapters.spark.relation import SparkRelation
from dbt.artifacts.resources.types import NodeType

from dbt_spark_contracts.schemas import plain, quoted

# A name that Spark takes without quotes. One of several parts is a source's: a metadata table, say.
_PLAIN = re.compile(r"[A-Za-z_]\w*(\.\w+)*|`.*`", re.ASCII)


@dataclass(frozen=True, eq=False, repr=False)
class ContractRelation(SparkRelation):
    """A relation, quoted where its name needs it, whatever the project says of quotes.

    What `ref` and `source` give reads the columns that a table is to have.

    Attributes:
        view: What is read for it, where that is not the table itself.
    """

    view: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        names = {"schema": self.schema, "identifier": self.identifier}
        odd = {part: True for part, name in names.items() if name and not _PLAIN.fullmatch(name)}
        if odd:
            object.__setattr__(self, "quote_policy", replace(self.quote_policy, **odd))  # frozen

    def quoted(self, identifier: str) -> str:
        return quoted(identifier)

    @classmethod
    def create_from(cls, quoting, relation_config, **kwargs):
        relation = super().create_from(quoting, relation_config, **kwargs)
        is_source = relation_config.resource_type == NodeType.Source
        if not is_source and "." in (relation.identifier or ""):
            relation = relation.quote(identifier=True)
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

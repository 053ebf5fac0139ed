"""dbt-spark's relation and column, with support for any characters in names."""

import re
from dataclasses import dataclass, replace

from dbt.adapters.factory import get_adapter_by_type
from dbt.adapters.spark.column import SparkColumn
from dbt.adapters.spark.relation import SparkRelation
from dbt.artifacts.resources.types import NodeType

from dbt_spark_contracts.schemas import plain, quoted

# A name that Spark accepts unquoted. A dotted one is a source's, such as a metadata table.
_PLAIN = re.compile(r"[A-Za-z_]\w*(\.\w+)*|`.*`", re.ASCII)


@dataclass(frozen=True, eq=False, repr=False)
class ContractRelation(SparkRelation):
    """A relation that quotes names that need it, whatever the project's quoting config is.

    Relations from `ref` and `source` read the columns that the table will have.

    Attributes:
        view: The view to read in place of the table, if there is one.
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
        # dbt passes a limit only for relations that are read.
        if "limit" in kwargs:
            # For a source, `quoting` is not the command's config and lacks its profile.
            unpublished = get_adapter_by_type("spark").invocation.run.ownership.unpublished
            if view := unpublished.views.get(plain(relation.render())):
                return relation.replace(view=view)
        return relation

    def render(self) -> str:
        return self.view or super().render()


@dataclass
class ContractColumn(SparkColumn):
    """A column whose name may contain a backtick."""

    @property
    def quoted(self) -> str:
        return quoted(self.column)

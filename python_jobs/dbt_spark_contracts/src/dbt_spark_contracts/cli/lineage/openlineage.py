"""Column lineage as OpenLineage: a DatasetEvent for each model, with a ColumnLineageDatasetFacet.

Why DatasetEvents: what is known is how a table is derived, and the spec has this event for such
facts "at design-time and not associated with a Run". A RunEvent would have to say of a run when it
began and how it ended; the record tells neither, and holds models that an earlier build recorded.

What cannot be told in full must not look as if it were: such a column has the reasons in its
`transformationDescription`, and the dataset the facet `dbtSparkContracts_untraced` with all of
them, those of its rows too. A model that was not recorded has no event.
"""

from collections.abc import Iterable, Iterator

import attr
from openlineage.client.event_v2 import DatasetEvent, StaticDataset
from openlineage.client.facet_v2 import DatasetFacet, column_lineage_dataset, schema_dataset
from openlineage.client.serde import Serde

from dbt_spark_contracts.cli.lineage.project import Lineage, Node, place_of
from dbt_spark_contracts.lineage.record import Origin

PRODUCER = "urn:dbt-spark-contracts:column-lineage"

# The spec's transformation type and subtype of each kind.
TRANSFORMATIONS = {
    "copy": ("DIRECT", "IDENTITY"),
    "computed": ("DIRECT", "TRANSFORMATION"),
    "aggregated": ("DIRECT", "AGGREGATION"),
    "condition": ("INDIRECT", "CONDITIONAL"),
    "window": ("INDIRECT", "WINDOW"),
    "filter": ("INDIRECT", "FILTER"),
    "join": ("INDIRECT", "JOIN"),
    "group": ("INDIRECT", "GROUP_BY"),
    "sort": ("INDIRECT", "SORT"),
}


@attr.define
class UntracedDatasetFacet(DatasetFacet):
    """Why the lineage of columns, and of the rows, cannot be told in full. A custom facet."""

    columns: dict[str, list[str]] = attr.field(factory=dict)
    rows: list[str] = attr.field(factory=list)


def lines(lineage: Lineage, namespace: str | None = None) -> Iterator[str]:
    """The events of the recorded models, a line of JSON each.

    In: the namespace of the datasets; without one, it is the catalog that a relation names first.
    """
    names = Names(lineage, namespace)
    for node in lineage.nodes.values():
        if node.id in lineage.recorded:
            yield Serde.to_json(event(lineage, node, names))


class Names:
    """Gives each node the namespace and name that OpenLineage knows its table by."""

    def __init__(self, lineage: Lineage, namespace: str | None) -> None:
        """In: the namespace of all datasets, or None for the catalog."""
        self.lineage = lineage
        self.namespace = namespace
        relations = [lineage.nodes[key].relation.split(".") for key in lineage.recorded]
        catalogs = sorted({parts[0] for parts in relations if len(parts) > 2})
        # dbt names a seed and a source without the catalog.
        self.catalog = catalogs[0] if catalogs else lineage.project

    def __call__(self, node: str) -> tuple[str, str]:
        """The namespace and name of a node's table."""
        relation = self.lineage.nodes[node].relation
        catalog, _, rest = relation.partition(".")
        if relation.count(".") < 2:
            catalog, rest = self.catalog, relation
        return self.namespace or catalog, rest


def event(lineage: Lineage, node: Node, names: Names) -> DatasetEvent:
    """The event of one model."""
    untraced = {column.name: column.untraced for column in node.columns.values() if column.untraced}
    facets = {
        "schema": schema_dataset.SchemaDatasetFacet(
            fields=[
                schema_dataset.SchemaDatasetFacetFields(
                    name=column.name,
                    type=column.data_type,
                    description=column.description or None,
                )
                for column in node.columns.values()
            ],
            producer=PRODUCER,
        ),
        "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(
            fields={
                column.name: column_lineage_dataset.Fields(
                    inputFields=inputs(column.origins, names),
                    transformationDescription=in_words(column.untraced),
                )
                for column in node.columns.values()
            },
            dataset=inputs(node.rows.origins, names),
            producer=PRODUCER,
        ),
    }
    if untraced or node.rows.untraced:
        facets["dbtSparkContracts_untraced"] = UntracedDatasetFacet(
            columns=untraced, rows=node.rows.untraced, producer=PRODUCER
        )
    return DatasetEvent(
        eventTime=lineage.generated_at,
        producer=PRODUCER,
        dataset=StaticDataset(*names(node.id), facets=facets),
    )


def inputs(origins: Iterable[Origin], names: Names) -> list[column_lineage_dataset.InputField]:
    """The input fields of a column or of rows: each place once, with all its transformations."""
    ways: dict = {}
    for origin in origins:
        kind, subtype = TRANSFORMATIONS[origin.kind]
        description = f"of its field {origin.field}" if origin.field else None
        ways.setdefault(place_of(origin), []).append(
            column_lineage_dataset.Transformation(
                kind, subtype, description, masking=origin.masking or None
            )
        )
    return [
        column_lineage_dataset.InputField(*names(place.node), place.column, transformations)
        for place, transformations in ways.items()
    ]


def in_words(untraced: list[str]) -> str | None:
    """What a reader is told of a column that cannot be traced in full."""
    return f"cannot be told in full: {'; '.join(untraced)}" if untraced else None

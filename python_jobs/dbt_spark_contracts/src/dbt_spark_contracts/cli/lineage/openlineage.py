"""Column lineage as OpenLineage: one DatasetEvent per model, with a ColumnLineageDatasetFacet.

Why a DatasetEvent: the record says how a table is derived, and the spec has this event for such
facts "at design-time and not associated with a Run". A RunEvent would need the start and end of a
run, which the record does not have. It also holds models that an earlier build recorded.

Incomplete lineage must not look complete. Such a column has the reasons in its
`transformationDescription`. The dataset has the facet `dbtSparkContracts_untraced` with all
reasons, including those for its rows. A model that was not recorded has no event.
"""

from collections.abc import Iterable, Iterator

import attr
from openlineage.client.event_v2 import DatasetEvent, StaticDataset
from openlineage.client.facet_v2 import DatasetFacet, column_lineage_dataset, schema_dataset
from openlineage.client.serde import Serde

from dbt_spark_contracts.cli.lineage.project import Lineage, Node, place_of
from dbt_spark_contracts.lineage.record import Origin

PRODUCER = "urn:dbt-spark-contracts:column-lineage"

# The transformation type and subtype of each kind, as in the spec.
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
    """Why the lineage of columns or rows is incomplete. A custom facet."""

    columns: dict[str, list[str]] = attr.field(factory=dict)
    rows: list[str] = attr.field(factory=list)


def lines(lineage: Lineage, namespace: str | None = None) -> Iterator[str]:
    """Yield the events of the recorded models, one JSON line each.

    Args:
        lineage: The project's lineage.
        namespace: The namespace of the datasets. None means the catalog of each relation.
    """
    names = Names(lineage, namespace)
    for node in lineage.nodes.values():
        if node.id in lineage.recorded:
            yield Serde.to_json(event(lineage, node, names))


class Names:
    """Returns the OpenLineage namespace and name of each node's table."""

    def __init__(self, lineage: Lineage, namespace: str | None) -> None:
        """Find the default catalog.

        Args:
            lineage: The project's lineage.
            namespace: The namespace of all datasets, or None for the catalog.
        """
        self.lineage = lineage
        self.namespace = namespace
        relations = [lineage.nodes[key].relation.split(".") for key in lineage.recorded]
        catalogs = sorted({parts[0] for parts in relations if len(parts) > 2})
        # dbt names seeds and sources without the catalog.
        self.catalog = catalogs[0] if catalogs else lineage.project

    def __call__(self, node: str) -> tuple[str, str]:
        """Return the namespace and name of a node's table."""
        relation = self.lineage.nodes[node].relation
        catalog, _, rest = relation.partition(".")
        if relation.count(".") < 2:
            catalog, rest = self.catalog, relation
        return self.namespace or catalog, rest


def event(lineage: Lineage, node: Node, names: Names) -> DatasetEvent:
    """Return the event of one model."""
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
    """Return the input fields of a column or of rows, each once with all its transformations."""
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
    """Return the description of a column with incomplete lineage."""
    return f"cannot be traced completely: {'; '.join(untraced)}" if untraced else None

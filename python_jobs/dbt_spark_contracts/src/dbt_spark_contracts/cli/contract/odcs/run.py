"""`contract export` and `contract import`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.cli.contract.odcs import export, read
from dbt_spark_contracts.cli.contract.select import contracted, opened
from dbt_spark_contracts.cli.contract.yml.place import read_yaml
from dbt_spark_contracts.cli.contract.yml.texts import NewTexts
from dbt_spark_contracts.cli.opened import Place


@dataclass
class Exported:
    """A document of the Open Data Contract Standard.

    Attributes:
        text: The document, as YAML.
        left_out: What does not fit into the standard, in words.
    """

    text: str
    left_out: list[str] = field(default_factory=list)


def exported(place: Place, names: Iterable[str]) -> Exported:
    """Return the contracts of these models, or of all models with a contract.

    Raises:
        Cannot: If there is no such model, or it has no contract.
        CannotOpen: If the project cannot be parsed.
    """
    project = opened(place)
    models = contracted(project, names)
    if not models:
        raise Cannot(
            "no model of the project has a contract: generate one with `contract generate`"
        )
    sources = {key: each.to_dict(omit_none=False) for key, each in project.manifest.sources.items()}
    groups = {each.name: each.to_dict() for each in project.manifest.groups.values()}
    nodes = {**project.nodes, **sources}
    settings = read_yaml(place.folder / "dbt_project.yml")
    made = export.document(models, nodes, groups, settings)
    return Exported(export.text(made), export.not_carried([*models.values()], nodes))


def imported(place: Place, file: Path) -> NewTexts:
    """Return the ymls with the contracts of a document.

    Raises:
        Cannot: If the document cannot be read, or names something that the project does not have.
        CannotOpen: If the project cannot be parsed.
    """
    document = read.read(file)
    texts = read.taken_over(opened(place), document)
    texts.told += read.elsewhere(document)
    return texts

"""`contract generate`: writes contracts from the plans of models into their ymls."""

from collections.abc import Iterable
from contextlib import closing

from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.cli.contract.generate.analysis import Analysis
from dbt_spark_contracts.cli.contract.generate.contract import applied, contract_of
from dbt_spark_contracts.cli.contract.generate.inherit import Descriptions
from dbt_spark_contracts.cli.contract.select import models, opened
from dbt_spark_contracts.cli.contract.yml.place import entry_of, file_of
from dbt_spark_contracts.cli.contract.yml.texts import NewTexts
from dbt_spark_contracts.cli.opened import Place
from dbt_spark_contracts.lineage import marks


def generate(place: Place, names: Iterable[str], remove: bool) -> NewTexts:
    """Return the ymls of models with the contracts of their plans.

    Args:
        place: The project.
        names: The models' names.
        remove: Whether to remove columns that a model no longer has.

    Returns:
        The texts of the ymls.

    Raises:
        Cannot: If a model cannot be analyzed, returns marked columns that it may not, or its yml
            cannot be changed.
        CannotOpen: If the project cannot be parsed.
    """
    project = opened(place)
    selected = models(project, names)
    root = place.folder
    analysis = Analysis(project)
    own = project.manifest.metadata.project_name or ""
    descriptions = Descriptions(root, analysis.nodes, own)
    texts = NewTexts(root)
    # Closes its stand-ins, also if a model is refused.
    with closing(analysis.models(selected)) as analyzed:
        for key, found, tables in analyzed:
            node = analysis.nodes[key]
            made = contract_of(node, entry_of(root, node), found, tables, descriptions, remove)
            applied(node, made.change)
            descriptions.add(key, made.change)
            nodes = analysis.project(tables.catalog).nodes  # with its new marks
            if leaks := marks.leaks(node, found.lineage, nodes):
                raise Cannot("; ".join(line for _, line in leaks))
            texts.told += made.told
            texts.contradicted += made.contradicted
            texts.add(file_of(root, node), made.change)
    return texts

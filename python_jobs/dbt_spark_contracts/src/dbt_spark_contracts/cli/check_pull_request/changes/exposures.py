"""Exposures that are new, removed, or read something else."""

from collections.abc import Iterator

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, names, parents


def changed(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Yield each exposure that reads something else."""
    for key in sorted(before.exposures.keys() | after.exposures.keys()):
        old, new = before.exposures.get(key), after.exposures.get(key)
        exposure = new or old or {}
        name = exposure["name"]
        file = exposure["original_file_path"] if new else ""
        if old is None:
            yield Change("exposure", f"the exposure {name} is new", file)
        elif new is None:
            yield Change("exposure", f"the exposure {name} is gone: it read {names(parents(old))}")
        else:
            if lost := parents(old) - parents(new):
                text = f"the exposure {name} no longer reads {names(lost)}"
                yield Change("exposure", text, file)
            if won := parents(new) - parents(old):
                yield Change("exposure", f"the exposure {name} reads {names(won)} too", file)

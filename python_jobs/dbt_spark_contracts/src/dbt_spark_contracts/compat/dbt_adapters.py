"""dbt-adapters and dbt-spark: the registry of adapters and of macro packages."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dbt.adapters.factory import FACTORY
from dbt.contracts.graph.manifest import Manifest

from dbt_spark_contracts.compat.patches import patch


class AdapterInsides:
    """The part of an adapter that overrides or calls internal methods of dbt."""

    def _make_match(
        self, relations_list: list, database: str | None, schema: str, identifier: str
    ) -> list:
        # dbt looks for a name in lower case, but Iceberg keeps its case. Without this, stored
        # failures of a test with capitals in its name could not be found again.
        wanted = (schema, identifier)
        exact = [found for found in relations_list if (found.schema, found.identifier) == wanted]
        return exact or super()._make_match(relations_list, database, schema, identifier)

    def freshness_of(self, newest: datetime | None) -> Any:
        """Return dbt's freshness response for the time of a source's newest row, or None."""
        return self._create_freshness_response(newest, datetime.now(timezone.utc))


# The name of this package of macros, as in its dbt_project.yml.
PACKAGE = "dbt_spark_contracts"
# The folder of its macros for a Spark in the dbt process.
MACROS = Path(__file__).parents[1]


def use_package(adapter_type: str, folder: Path | None = None) -> None:
    """Let projects of this adapter have the macros in a folder as they have the adapter's.

    dbt has internal macro packages for each adapter, and searches them in order. This package comes
    first, so it can override a macro of the adapter. A project's own macros come before both. The
    change also has to survive `dbt retry`, which reads the project again.
    """
    FACTORY.packages[PACKAGE] = folder or MACROS
    stock_names = FACTORY.get_adapter_package_names

    def package_names(name):
        return [PACKAGE, *stock_names(name)] if name == adapter_type else stock_names(name)

    patch(FACTORY, "get_adapter_package_names", package_names)
    find = Manifest.find_materialization_macro_by_name

    def find_materialization(manifest, project_name, materialization_name, adapter_type):
        """Prefer this package's materialization: dbt picks any of two internal ones."""
        found = find(manifest, project_name, materialization_name, adapter_type)
        name = f"materialization_{materialization_name}_{adapter_type}"
        ours = manifest.macros.get(f"macro.{PACKAGE}.{name}")
        is_stock = found and found.package_name in stock_names(adapter_type)
        return ours if ours and is_stock else found

    patch(Manifest, "find_materialization_macro_by_name", find_materialization)


def use_adapter(adapter: type) -> None:
    """Make `type: spark` of a profile use `adapter`, a subclass of dbt-spark's."""
    import dbt.adapters.spark  # imported late: projects of other adapters do not need dbt-spark

    patch(dbt.adapters.spark.Plugin, "adapter", adapter)


def call_macro(name: str):
    """Return the result of a macro, even after this dbt command has run all its nodes."""
    (adapter,) = FACTORY.adapters.values()
    return adapter.execute_macro(name)


def last_credentials() -> Any:
    """Return the credentials of the last dbt command in this process.

    dbt resets its adapters when the next command begins.

    Returns:
        The credentials, or None if the command had no adapter.
    """
    adapters = [*FACTORY.adapters.values()]
    return adapters[0].config.credentials if adapters else None


def last_target_path() -> Path:
    """The folder of the artifacts of the dbt command that ran last in this process."""
    (adapter,) = FACTORY.adapters.values()
    return Path(adapter.config.project_target_path)


def cancel_siblings() -> None:
    """Cancel what the other threads of this dbt command run."""
    for adapter in FACTORY.adapters.values():
        adapter.cancel_open_connections()

"""Maintains target/column_lineage.json, and adds column origins to dbt's manifest."""

import threading
from datetime import datetime, timezone
from pathlib import Path

from dbt_common.invocation import get_invocation_id

from dbt_spark_contracts.lineage.record import (
    FILE_NAME,
    Derivation,
    Metadata,
    Model,
    Record,
    Unreadable,
    read,
    write,
)
from dbt_spark_contracts.plan.values import COPY, Origin


class ColumnLineage:
    """The known column origins, from earlier commands and from this one.

    Args:
        folder: dbt's target folder.
        project: The project's name.
    """

    def __init__(self, folder: Path, project: str) -> None:
        self.path = folder / FILE_NAME
        self.project = project
        self.nodes = _read(self.path)
        self._manifest = None
        self._is_new = False
        self._lock = threading.Lock()

    def record(self, unique_id: str, entry: Model) -> None:
        """Store the lineage of a model, also in the manifest that dbt writes at the end."""
        with self._lock:
            self.nodes[unique_id] = entry
            self._is_new = True
            if self._manifest is not None:
                _annotate(self._manifest, unique_id, entry)

    def annotate(self, manifest) -> None:
        """Add column origins to the `meta` of the manifest's columns.

        The lineage of a model whose file has changed is dropped.
        """
        with self._lock:
            self._manifest = manifest
            for unique_id, entry in list(self.nodes.items()):
                node = manifest.nodes.get(unique_id)
                if node is None or node.checksum.checksum != entry.checksum:
                    del self.nodes[unique_id]
                else:
                    _annotate(manifest, unique_id, entry)

    def write(self) -> None:
        """Write the file atomically, if this command has recorded anything."""
        with self._lock:
            if not self._is_new:
                return
            self._is_new = False
            now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            metadata = Metadata(now, get_invocation_id(), self.project)
            write(self.path, Record(metadata, self.nodes))


def _read(path: Path) -> dict[str, Model]:
    """Return the models in the file. Empty if it is missing, broken or of another version."""
    try:
        return read(path).models
    except (FileNotFoundError, Unreadable):
        return {}


def _annotate(manifest, unique_id: str, entry: Model) -> None:
    """Add the origins of columns and rows to a node of the manifest."""
    node = manifest.nodes.get(unique_id)
    if node is None:
        return
    _tell(node.meta, "rows by", entry.rows)
    columns = {name.lower(): column for name, column in node.columns.items()}
    for name, found in entry.columns.items():
        if name.lower() in columns:
            _tell(columns[name.lower()].meta, "from", found)


def _tell(meta: dict, key: str, found: Derivation) -> None:
    for name, texts in ((key, map(_in_words, found.origins)), ("untraced", found.untraced)):
        meta.pop(name, None)
        if text := ", ".join(texts):
            meta[name] = text


def _in_words(origin: Origin) -> str:
    """Return `silver_x.column`, as in dbt's docs, with the kind unless it is a plain copy."""
    text = f"{short_name(origin.node)}.{origin.column}"
    if origin.field:
        text = f"{origin.field}: {text}"
    return text if origin.kind == COPY else f"{text} ({origin.kind})"


def short_name(node: str) -> str:
    """Return the display name of a dbt node: x for `model.p.x`, a.b for `source.p.a.b`."""
    kind, _, rest = node.partition(".")
    parts = rest.split(".")[1:]
    return ".".join(parts) if kind in ("model", "seed", "source", "snapshot") and parts else node

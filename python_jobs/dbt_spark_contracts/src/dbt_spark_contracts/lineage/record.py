"""target/column_lineage.json as classes, for the build that writes it and the tools that read it.

Imports neither dbt nor Spark, so that the tools start at once. Schema: docs/lineage.md
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.plan.values import (
    CONDITION,
    DIRECT,
    FILTER,
    GROUP,
    JOIN,
    SORT,
    WINDOW,
    Origin,
)

if TYPE_CHECKING:
    from typing_extensions import Self

FILE_NAME = "column_lineage.json"
SCHEMA_VERSION = 1

COLUMN_KINDS = (*DIRECT, CONDITION, WINDOW)
ROW_KINDS = (FILTER, JOIN, GROUP, SORT)


class Unreadable(ValueError):
    """Why a file is not readable column lineage, and the way out, in one line."""


@dataclass
class Derivation:
    """The origins of a column or of rows.

    Attributes:
        origins: The source columns.
        untraced: Why the origins are incomplete, in words. Empty if they are complete.
        fingerprint: A digest that changes with the derivation.
    """

    origins: list[Origin] = field(default_factory=list)
    untraced: list[str] = field(default_factory=list)
    fingerprint: str = ""

    def without(self, text: str) -> "Self":
        """Return a copy with this text removed from all names."""
        origins = [
            origin._replace(
                column=origin.column.replace(text, ""), field=origin.field.replace(text, "")
            )
            for origin in self.origins
        ]
        untraced = [reason.replace(text, "") for reason in self.untraced]
        return replace(self, origins=origins, untraced=untraced)

    def as_dict(self) -> dict:
        """Return the file format."""
        return {
            "origins": [origin.as_dict() for origin in self.origins],
            "untraced": self.untraced,
            "fingerprint": self.fingerprint,
        }


@dataclass
class Column(Derivation):
    """A column of a model: its type and its origins."""

    data_type: str = ""

    def as_dict(self) -> dict:
        """Return the file format."""
        return {"data_type": self.data_type, **super().as_dict()}


@dataclass
class Model:
    """A model: its table, the checksum of its file, its columns in order, and its rows."""

    relation_name: str = ""
    checksum: str = ""
    columns: dict[str, Column] = field(default_factory=dict)
    rows: Derivation = field(default_factory=Derivation)

    def without(self, text: str) -> "Model":
        """Return a copy with this text removed from all column names."""
        columns = {
            name.replace(text, ""): replace(
                column.without(text), data_type=column.data_type.replace(text, "")
            )
            for name, column in self.columns.items()
        }
        return replace(self, columns=columns, rows=self.rows.without(text))

    def as_dict(self) -> dict:
        """Return the file format."""
        return {
            "relation_name": self.relation_name,
            "checksum": self.checksum,
            "columns": {name: column.as_dict() for name, column in self.columns.items()},
            "rows": self.rows.as_dict(),
        }


@dataclass
class Metadata:
    """The project of a file, the run that has written it, and the time (UTC)."""

    generated_at: str
    invocation_id: str
    project_name: str
    schema_version: int = SCHEMA_VERSION

    def as_dict(self) -> dict:
        """Return the file format."""
        return asdict(self)


@dataclass
class Record:
    """A file: its metadata, and the models by dbt's unique_id."""

    metadata: Metadata
    models: dict[str, Model]


def read(path: Path) -> Record:
    """Read the column lineage in a file.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        FileNotFoundError: If it does not exist.
        Unreadable: If it is broken, or of another version.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, str(error)) from None
    metadata = found.get("metadata") if isinstance(found, dict) else None
    version = metadata.get("schema_version") if isinstance(metadata, dict) else None
    if version is not None and (version != SCHEMA_VERSION or isinstance(version, bool)):
        raise Unreadable(
            f"{path} has schema_version {version}, and {SCHEMA_VERSION} is known here: "
            "run `dbt build` with the version of dbt-spark-contracts that is installed here"
        )
    try:
        return _record(found)
    except _Wrong as error:
        raise _broken(path, str(error)) from None


def write(path: Path, record: Record) -> None:
    """Write a file atomically, with its models sorted by name.

    Args:
        path: The file. Its folder is created.
        record: The content.
    """
    nodes = {name: model.as_dict() for name, model in sorted(record.models.items())}
    told = {"metadata": record.metadata.as_dict(), "nodes": nodes}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    # Half a surrogate pair, which a YAML text may contain, is written as a JSON escape.
    unfinished.write_text(
        json.dumps(told, indent=1, ensure_ascii=False) + "\n",
        encoding="utf-8",
        errors="backslashreplace",
    )
    unfinished.replace(path)


def _broken(path: Path, reason: str) -> Unreadable:
    return Unreadable(f"{path} is broken ({reason}): delete it and run `dbt build`")


class _Wrong(ValueError):
    """Where a file differs from the schema, and how."""


def _record(found: Any) -> Record:
    _object(found, "the file", metadata=dict, nodes=dict)
    metadata = found["metadata"]
    texts = {"generated_at": str, "invocation_id": str, "project_name": str}
    _object(metadata, "metadata", schema_version=int, **texts)
    return Record(Metadata(**metadata), _each(found["nodes"], "nodes", _model))


def _model(found: Any, where: str) -> Model:
    _object(found, where, relation_name=str, checksum=str, columns=dict, rows=dict)
    columns = _each(found["columns"], f"{where}.columns", _column)
    rows = _derivation(found["rows"], f"{where}.rows")
    return Model(found["relation_name"], found["checksum"], columns, rows)


def _column(found: Any, where: str) -> Column:
    _object(found, where, data_type=str, origins=list, untraced=list, fingerprint=str)
    return Column(**_parts(found, where, COLUMN_KINDS), data_type=found["data_type"])


def _derivation(found: Any, where: str) -> Derivation:
    _object(found, where, origins=list, untraced=list, fingerprint=str)
    return Derivation(**_parts(found, where, ROW_KINDS))


def _parts(found: dict, where: str, kinds: tuple[str, ...]) -> dict:
    if not all(isinstance(reason, str) for reason in found["untraced"]):
        raise _Wrong(f"{where}.untraced has to be texts")
    origins = [_origin(each, f"{where}.origins", kinds) for each in found["origins"]]
    return {
        "origins": origins,
        "untraced": found["untraced"],
        "fingerprint": found["fingerprint"],
    }


def _origin(found: Any, where: str, kinds: tuple[str, ...]) -> Origin:
    optional = {"masking": bool, "field": str}
    there = {name: type_ for name, type_ in optional.items() if name in found}
    _object(found, where, node=str, column=str, kind=str, **there)
    if found["kind"] not in kinds:
        raise _Wrong(f"{where} has the kind {found['kind']}, and not {', '.join(kinds)}")
    return Origin(**found)


def _each(found: dict, where: str, make: Callable[[Any, str], Any]) -> dict:
    return {name: make(each, f"{where}.{name}") for name, each in found.items()}


def _object(found: Any, where: str, **types: type) -> None:
    """Check that a value is an object with exactly these names and types.

    Raises:
        _Wrong: If it is not.
    """
    if not isinstance(found, dict):
        raise _Wrong(f"{where} has to be an object")
    if found.keys() != types.keys():
        missing, unknown = sorted(types.keys() - found.keys()), sorted(found.keys() - types.keys())
        raise _Wrong(f"{where} lacks {', '.join(missing)}" if missing
                     else f"{where} has {', '.join(unknown)}, which is not known")  # fmt: skip
    for name, type_ in types.items():
        if not isinstance(found[name], type_):
            raise _Wrong(f"{where}.{name} has to be {_IN_JSON[type_]}")


_IN_JSON = {
    str: "a text", list: "a list", dict: "an object", int: "a number", bool: "true or false",
}  # fmt: skip

"""The command: which files Bronze has, and what became of each."""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from dbt_spark_contracts.cli.opened import CannotOpen, Opened, Place, open_project, project_options
from dbt_spark_contracts.cli.terminal import harmless, show, table

from python_jobs.archive_landing.archive import Archive, CannotArchiveError
from python_jobs.archive_landing.landing import Landing

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SOURCE = "source.car_lakehouse.landing.car_events"
BRONZE = "model.car_lakehouse.bronze_car_events"

SECONDS_PER_DAY = 86_400

# A line on stderr after each so many files.
PROGRESS = 1000


@click.command()
@click.option("--to", "folder", type=Path, required=True, metavar="DIR", help="The archive.")
@click.option("--older-than", type=click.FloatRange(min=0), default=0, metavar="DAYS",
              help="Only files that were last changed so long ago.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Tell what would be moved, stop.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
@project_options
def main(place: Place, folder: Path, older_than: float, dry_run: bool, as_json: bool) -> None:
    """Move landing files to an archive, once Bronze has them and readers see it.

    A file stays in the landing folder if the published Bronze does not have it as it is now. Each
    file keeps its name and time, in a folder of the day of its last change. Nothing is deleted.

    Ends with 0, or with 2 and one line if something could not be moved.
    """
    try:
        moved = archive(place, folder, older_than, dry_run)
    except (CannotOpen, CannotArchiveError) as error:
        print(f"Cannot archive: {harmless(str(error))}", file=sys.stderr)
        sys.exit(2)
    if as_json:
        show([json.dumps(moved, indent=2)])
    else:
        show(map(harmless, table(moved)))
        show([_summary(moved)])


def archive(
    place: Place, folder: Path, older_than: float = 0, dry_run: bool = False
) -> list[dict[str, str]]:
    """Move the files that the published Bronze has, and return what became of each file.

    Args:
        place: The project.
        folder: The archive.
        older_than: A file that was changed within so many days stays.
        dry_run: Whether to move nothing.

    Returns:
        For each file of the landing folder its name, what became of it, and where it is now.

    Raises:
        CannotOpen: If the project cannot be opened.
        CannotArchiveError: If something cannot be moved.
    """
    project = open_project(place)
    landing = Landing(_landing_folder(project))
    target = Archive(folder.resolve(), landing)
    target.check()
    if not dry_run:
        landing.put_all_back()
    versions = landing.versions()
    known = _published(project) if versions else set()
    newest = time.time() - older_than * SECONDS_PER_DAY
    told = []
    for number, version in enumerate(versions, start=1):
        if version.key not in known:
            fate, place_now = "left: not in the published Bronze", ""
        elif version.modified_ns > newest * 1e9:
            fate, place_now = "left: younger than --older-than", ""
        elif dry_run:
            fate, place_now = "would be moved", str(target.place_of(version))
        else:
            fate, place_now = target.take(version)
        told.append({"file": version.name, "what": fate, "now": place_now})
        if number % PROGRESS == 0:
            print(f"{number} of {len(versions)} files", file=sys.stderr)
    return told


def _landing_folder(project: Opened) -> Path:
    """Return the landing folder.

    Raises:
        CannotArchiveError: If it is not a folder of this machine.
    """
    external = project.manifest.sources[SOURCE].external
    location = (external and external.location) or ""
    if "://" in location:
        raise CannotArchiveError(
            f"{location} is no folder of this machine: use a lifecycle rule of the object store"
        )
    folder = (project.place.folder / location).resolve()
    if not folder.is_dir():
        raise CannotArchiveError(f"there is no folder {folder}: correct landing_path, with --vars")
    return folder


def _published(project: Opened) -> set[tuple]:
    """Return the file versions of Bronze that readers see.

    Raises:
        CannotArchiveError: If there is no Bronze.
    """
    name = project.nodes[BRONZE]["relation_name"]
    if not project.spark.catalog.tableExists(name):
        raise CannotArchiveError(f"there is no {name}: build it first, `uv run dbt build`")
    bronze: DataFrame = project.spark.table(name)
    versions = bronze.selectExpr(
        "source_file", "unix_micros(file_modified_at)", "file_size_bytes"
    ).distinct()
    return {tuple(row) for row in versions.collect()}


def _summary(told: list[dict[str, str]]) -> str:
    counted = Counter(line["what"] for line in told)
    parts = [f"{number} {what}" for what, number in sorted(counted.items())]
    return f"{len(told)} files: {', '.join(parts)}." if told else "The landing folder has no files."


if __name__ == "__main__":
    main()

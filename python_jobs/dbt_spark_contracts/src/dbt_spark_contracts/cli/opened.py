"""Opens a dbt project from the command line: its profile, manifest and Spark session."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from pyspark.sql import SparkSession

F = TypeVar("F", bound=Callable)

LOGS = "logs"


class CannotOpen(Exception):
    """A project cannot be opened, or a dbt command failed. The message is one line."""


def one_line(text: str) -> str:
    """Return dbt's error message in one line, without its first line, the kind of error."""
    return " ".join(re.sub(r"^(Runtime|Compilation|Database) Error.*\n", "", text).split())


@dataclass(frozen=True)
class Place:
    """The location of a project, and the target to open it for.

    Attributes:
        folder: The folder of dbt_project.yml.
        profiles: The folder of profiles.yml, or None to search for it as dbt does.
        target: The target of the profile, or None for its default.
        vars: The vars, as YAML, or None for those of dbt_project.yml.
        artifacts: The folder of dbt's artifacts, or None for dbt's own.
    """

    folder: Path
    profiles: Path | None = None
    target: str | None = None
    vars: str | None = None
    artifacts: Path | None = None

    def dbt(self, *arguments: str, callbacks: tuple[Callable, ...] = ()) -> Any:
        """Run `dbt *arguments` in this process. The output goes to the log only.

        Args:
            arguments: The command and its options.
            callbacks: Called with each of dbt's events.

        Returns:
            The result of dbt's runner, `dbtRunnerResult`.

        Raises:
            CannotOpen: If the folder has no project, or the command failed.
        """
        if not (self.folder / "dbt_project.yml").is_file():
            raise CannotOpen(
                f"{self.folder.resolve()} has no dbt_project.yml: give the project's folder with "
                "--project-dir"
            )
        # Not at the top, because they take seconds to import.
        from dbt.cli.exceptions import DbtUsageException
        from dbt.cli.main import dbtRunner

        done = dbtRunner(callbacks=[*callbacks]).invoke([*arguments, *self._options()])
        if isinstance(done.exception, KeyboardInterrupt):  # Ctrl-C, which dbt returns
            raise done.exception
        if done.exception is not None:
            why = one_line(str(done.exception))
            if isinstance(done.exception, DbtUsageException) and why.startswith("Path "):
                why += " Name the folder of profiles.yml: --profiles-dir"
            raise CannotOpen(why)
        return done

    def _own_profiles(self) -> Path | None:
        """Return the project's folder if it has a profiles.yml, and the current folder has none."""
        others = "DBT_PROFILES_DIR" in os.environ or Path("profiles.yml").is_file()
        return self.folder if not others and (self.folder / "profiles.yml").is_file() else None

    def _options(self) -> list[str]:
        # Without its own level, the file would have the level of the terminal.
        options = ["--log-level", "none", "--log-level-file", "debug"]
        options += ["--log-path", str(self.folder / LOGS), "--project-dir", str(self.folder)]
        profiles = str(self.profiles or self._own_profiles() or "")
        artifacts = str(self.artifacts) if self.artifacts else None
        named = {"profiles-dir": profiles, "target": self.target, "vars": self.vars}
        named["target-path"] = artifacts
        for name, value in named.items():
            options += [f"--{name}", value] if value else []
        return options


@dataclass(frozen=True)
class Opened:
    """An opened project.

    Attributes:
        place: Its location.
        manifest: Its dbt manifest.
    """

    place: Place
    manifest: "Manifest"

    @cached_property
    def spark(self) -> "SparkSession":
        """Return the session that its models run in. Starts Java.

        Raises:
            CannotOpen: If it cannot be started.
        """
        from dbt_common.exceptions import DbtRuntimeError

        from dbt_spark_contracts.spark import session

        try:
            return session.get()
        except DbtRuntimeError as error:
            raise CannotOpen(one_line(str(error))) from None

    def selected(self, word: str) -> set[str]:
        """Return the unique ids that a dbt selector selects: see `dbt_core.selected`."""
        from dbt_spark_contracts.compat import dbt_core

        return dbt_core.selected(self.manifest, str(self.place.folder.resolve()), word)

    @cached_property
    def nodes(self) -> dict[str, dict]:
        """Return dbt's nodes (models, seeds, snapshots, tests, …) as dicts, by unique id."""
        return {key: node.to_dict(omit_none=False) for key, node in self.manifest.nodes.items()}


def open_project(place: Place) -> Opened:
    """Open and parse a project. No Java is started.

    Args:
        place: Its location.

    Returns:
        The opened project.

    Raises:
        CannotOpen: If it does not parse, or its profile does not use Spark in a session.
    """
    done = place.dbt("parse")
    from dbt_spark_contracts.compat import dbt_adapters

    credentials = dbt_adapters.last_credentials()
    if (credentials.type, getattr(credentials, "method", "")) != ("spark", "session"):
        raise CannotOpen(
            "the profile's target is not a Spark session: use --target to choose one with "
            "`method: session`"
        )
    return Opened(place, done.result)


def project_options(command: F) -> F:
    """Add the options of `Place` to a command, which receives them as `place`."""

    def with_place(
        project_dir: Path,
        profiles_dir: Path | None,
        target: str | None,
        vars: str | None,
        **others: Any,
    ) -> Any:
        return command(place=Place(project_dir, profiles_dir, target, vars), **others)

    options = (
        click.option("--project-dir", type=Path, default=Path(), help="The dbt project; or here."),
        click.option("--profiles-dir", type=Path, help="The folder of profiles.yml."),
        click.option("--target", help="The target of the profile."),
        click.option("--vars", metavar="YAML", help="Vars, as dbt takes them."),
    )
    with_place.__doc__ = command.__doc__
    with_place.__name__ = command.__name__
    made: Any = with_place
    for option in reversed(options):
        made = option(made)
    if hasattr(command, "__click_params__"):
        made.__click_params__ += command.__click_params__
    return made

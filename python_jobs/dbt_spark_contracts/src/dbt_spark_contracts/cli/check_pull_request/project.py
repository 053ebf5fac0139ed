"""The checked project, with calls of dbt and git."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dbt.cli.main import dbtRunner, dbtRunnerResult

from dbt_spark_contracts.cli.check_pull_request.problem import CannotCheck

# The folder of dbt's log, also for the base's tree.
LOGS = "logs"
OF_A_COMMIT = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_COMMON_DIR")
PROFILES = "profiles.yml"
# The files that list a project's packages.
PACKAGES = ("packages.yml", "dependencies.yml")


@dataclass(frozen=True)
class Project:
    """The dbt project to check.

    Attributes:
        root: Its folder.
        profiles: The folder of profiles.yml.
        target: The target to parse and build for.
    """

    root: Path
    profiles: Path
    target: str = "ci"

    @property
    def state(self) -> Path:
        """The folder of dbt's artifacts for the working tree."""
        return self.root / "target" / "pull_request"

    def repository(self) -> Path:
        """Return the folder of the git repository.

        Raises:
            CannotCheck: If there is none.
        """
        return Path(self.git("rev-parse", "--show-toplevel", otherwise="this is no git repository"))

    def within(self) -> Path:
        """Return the project's folder, relative to the repository."""
        return self.root.resolve().relative_to(self.repository().resolve())

    def git(self, *args: str | Path, otherwise: str = "") -> str:
        """Return the output of `git *args`.

        Raises:
            CannotCheck: If it fails, with `otherwise` or git's own message.
        """
        # A git hook runs with these variables set for the commit in question.
        outside = {name: value for name, value in os.environ.items() if name not in OF_A_COMMIT}
        try:
            done = subprocess.run(
                ["git", *args],
                cwd=self.root,
                env=outside,
                capture_output=True,
                text=True,
                errors="surrogateescape",
            )
        except FileNotFoundError:
            raise CannotCheck(f"there is no git, or no folder {self.root}") from None
        if done.returncode:
            raise CannotCheck(otherwise or " ".join(done.stderr.split()))
        return done.stdout.rstrip("\n")

    def dbt(
        self,
        *args: Any,
        root: Path | None = None,
        state: Path | None = None,
        profiles: Path | None = None,
        on_event: Callable | None = None,
    ) -> dbtRunnerResult:
        """Run `dbt *args` in this process. The output goes to the log only.

        Args:
            args: The command and its options.
            root: Another tree of the project. Default: the working tree.
            state: The folder for artifacts. Default: `self.state`.
            profiles: Another folder of profiles.yml. Default: that of the working tree.
            on_event: Called with each of dbt's events.

        Returns:
            dbt's result.
        """
        options = ("--target-path", state or self.state, *self._options(root, profiles))
        runner = dbtRunner(callbacks=[on_event] if on_event else [])
        return runner.invoke([str(arg) for arg in (*args, *options)])

    def install_packages(self, root: Path) -> BaseException | None:
        """Install the dbt packages of a tree of the project.

        Returns:
            The error if that fails.
        """
        if not any((root / name).is_file() for name in PACKAGES):
            return None
        return dbtRunner().invoke(["deps", *map(str, self._options(root))]).exception

    def names_same_packages(self, tree: Path) -> bool:
        """Return whether another tree lists the same packages as the working tree."""

        def text(file: Path) -> str:
            return file.read_text(encoding="utf-8") if file.is_file() else ""

        return all(text(tree / name) == text(self.root / name) for name in PACKAGES)

    def profiles_of(self, tree: Path) -> Path:
        """Return the folder of profiles.yml for another tree of the project."""
        if self.profiles.resolve().is_relative_to(self.repository().resolve()):
            own = tree / os.path.relpath(self.profiles.resolve(), self.root.resolve())
            if (own / PROFILES).is_file():
                return own
        return self.profiles

    def _options(self, root: Path | None, profiles: Path | None = None) -> tuple:
        profiles = profiles or self.profiles
        where = ("--project-dir", root or self.root, "--profiles-dir", profiles)
        # The file log would take the terminal's level without one of its own.
        log = ("--log-path", self.root / LOGS, "--log-level", "none", "--log-level-file", "debug")
        return ("--target", self.target, *where, *log)

    def read(self, file: str) -> list[str]:
        """Return the lines of a file of the repository. Empty if it does not exist."""
        path = self.repository() / file
        if not path.is_file():
            return []
        return path.read_text(encoding="utf-8", errors="replace").splitlines()


def read_yaml(file: Path) -> dict:
    """Return the settings in a yml file. Empty if there are none."""
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return read if isinstance(read, dict) else {}

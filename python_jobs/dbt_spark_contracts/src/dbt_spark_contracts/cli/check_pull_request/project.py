"""The project that is checked, and dbt and git run on it."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dbt.cli.main import dbtRunner, dbtRunnerResult

from dbt_spark_contracts.cli.check_pull_request.problem import CannotCheck

# Where dbt's log goes, of the base's tree too.
LOGS = "logs"
OF_A_COMMIT = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_COMMON_DIR")
PROFILES = "profiles.yml"
# The files that name a project's packages.
PACKAGES = ("packages.yml", "dependencies.yml")


@dataclass(frozen=True)
class Project:
    """The dbt project that is checked.

    Attributes:
        root: Its folder.
        profiles: The folder of profiles.yml.
        target: The target that it is parsed and built for.
    """

    root: Path
    profiles: Path
    target: str = "ci"

    @property
    def state(self) -> Path:
        """Where dbt's artifacts of the working tree go."""
        return self.root / "target" / "pull_request"

    def repository(self) -> Path:
        """The folder of the git repository. Raises CannotCheck if there is none."""
        return Path(self.git("rev-parse", "--show-toplevel", otherwise="this is no git repository"))

    def within(self) -> Path:
        """Where the project lies in its repository."""
        return self.root.resolve().relative_to(self.repository().resolve())

    def git(self, *args: str | Path, otherwise: str = "") -> str:
        """What `git *args` prints. Raises CannotCheck: `otherwise`, or else what git says."""
        # A hook of git has them set for the commit that it is asked about.
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
        """Run `dbt *args` in this process; nothing of it is printed, all of it is logged.

        Args:
            args: The command and its options.
            root: Another tree of the project than the working tree.
            state: Where the artifacts go, if not to `self.state`.
            profiles: Another folder of profiles.yml than that of the working tree.
            on_event: Called with each of dbt's events.
        """
        options = ("--target-path", state or self.state, *self._options(root, profiles))
        runner = dbtRunner(callbacks=[on_event] if on_event else [])
        return runner.invoke([str(arg) for arg in (*args, *options)])

    def install_packages(self, root: Path) -> BaseException | None:
        """Install the dbt packages that a tree of the project names. Out: why that fails."""
        if not any((root / name).is_file() for name in PACKAGES):
            return None
        return dbtRunner().invoke(["deps", *map(str, self._options(root))]).exception

    def names_same_packages(self, tree: Path) -> bool:
        """Does another tree of the project name the same packages as the working tree?"""

        def text(file: Path) -> str:
            return file.read_text(encoding="utf-8") if file.is_file() else ""

        return all(text(tree / name) == text(self.root / name) for name in PACKAGES)

    def profiles_of(self, tree: Path) -> Path:
        """The folder of profiles.yml of another tree of the project, if it has one of its own."""
        if self.profiles.resolve().is_relative_to(self.repository().resolve()):
            own = tree / os.path.relpath(self.profiles.resolve(), self.root.resolve())
            if (own / PROFILES).is_file():
                return own
        return self.profiles

    def _options(self, root: Path | None, profiles: Path | None = None) -> tuple:
        profiles = profiles or self.profiles
        where = ("--project-dir", root or self.root, "--profiles-dir", profiles)
        # Without its own level the file has that of the terminal.
        log = ("--log-path", self.root / LOGS, "--log-level", "none", "--log-level-file", "debug")
        return ("--target", self.target, *where, *log)

    def read(self, file: str) -> list[str]:
        """The lines of a file of the repository; none if it is gone."""
        path = self.repository() / file
        if not path.is_file():
            return []
        return path.read_text(encoding="utf-8", errors="replace").splitlines()


def read_yaml(file: Path) -> dict:
    """A yml file's settings; none if there is no such file, or no settings in it."""
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return read if isinstance(read, dict) else {}

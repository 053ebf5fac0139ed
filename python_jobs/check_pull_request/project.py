"""The project that is checked, and dbt and git run on it."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner, dbtRunnerResult

from python_jobs.check_pull_request.problem import CannotCheck

# Where dbt's log goes, of the base's tree too.
LOGS = "logs"
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

    def git(self, *args: str, otherwise: str = "") -> str:
        """What `git *args` prints. Raises CannotCheck: `otherwise`, or else what git says."""
        done = subprocess.run(["git", *args], cwd=self.root, capture_output=True, text=True)
        if done.returncode:
            raise CannotCheck(otherwise or " ".join(done.stderr.split()))
        return done.stdout.strip()

    def dbt(
        self,
        *args: Any,
        root: Path | None = None,
        state: Path | None = None,
        on_event: Callable | None = None,
    ) -> dbtRunnerResult:
        """Run `dbt *args` in this process; nothing of it is printed, all of it is logged.

        Args:
            args: The command and its options.
            root: Another tree of the project than the working tree.
            state: Where the artifacts go, if not to `self.state`.
            on_event: Called with each of dbt's events.
        """
        options = ("--target-path", state or self.state, *self._options(root))
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

    def _options(self, root: Path | None) -> tuple:
        where = ("--project-dir", root or self.root, "--profiles-dir", self.profiles)
        # Without its own level the file has that of the terminal.
        log = ("--log-path", self.root / LOGS, "--log-level", "none", "--log-level-file", "debug")
        return ("--target", self.target, *where, *log)

    def read(self, file: str) -> list[str]:
        """The lines of a file of the repository; none if it is gone."""
        path = self.repository() / file
        return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []

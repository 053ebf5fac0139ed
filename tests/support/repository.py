"""A git repository of a dbt project, with a branch that is checked like a pull request."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.dbt_runner import ROOT


class Repository:
    """A dbt project on the branch `main` of a new git repository.

    Args:
        root: The folder of the new repository.
        files: The project's files. By default those of `source`.
        source: A folder of this repository.
    """

    def __init__(
        self, root: Path, files: dict[str, str] | None = None, source: Path = ROOT
    ) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for path, text in (files or {}).items():
            self.write(path, text)
        if files is None:
            self._copy(source)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit()

    def _copy(self, source: Path) -> None:
        files = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(files, cwd=source, capture_output=True, text=True, check=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (source / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / name, self.root / name)

    def git(self, *args: str) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        done = subprocess.run(
            ["git", *identity, *args], cwd=self.root, capture_output=True, text=True, check=True
        )
        return done.stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change")

    def begin_branch(self) -> None:
        """Create the branch `change` and switch to it."""
        self.git("switch", "--quiet", "--create", "change")

    def end_branch(self, main: str) -> None:
        """Reset `main` to that commit and delete the branch."""
        self.git("switch", "--quiet", "--force", "main")
        self.git("clean", "--quiet", "--force", "-d")
        self.git("reset", "--quiet", "--hard", main)
        self.git("branch", "--quiet", "--delete", "--force", "change")

    def python(self, *args: str, **variables: str) -> subprocess.CompletedProcess:
        """Run `python -m *args` in the repository, without the variables of GitHub and dbt."""
        ours = ("GITHUB_", "LAKEHOUSE_", "DBT_")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        plain["DBT_SPARK_POOL"] = "off"  # start no spare Java
        command = [sys.executable, "-m", *args]
        return subprocess.run(
            command, cwd=self.root, env=plain | variables, capture_output=True, text=True
        )

    def check(self, *args: str, **variables: str) -> subprocess.CompletedProcess:
        """Commit the changes and check them as a pull request to `main`."""
        if self.git("status", "--porcelain"):
            self.commit()
        return self.python("dbt_spark_contracts", "check-pr", "--base", "main", *args, **variables)

    def write(self, file: str, text: str) -> None:
        """Write a file."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, file: str, old: str, new: str) -> int:
        """Replace the first occurrence of a text in a file. Return the line where it begins."""
        text = (self.root / file).read_text(encoding="utf-8")
        assert old in text, f"{file} no longer holds {old!r}"
        self.write(file, text.replace(old, new, 1))
        return text[: text.index(old)].count("\n") + 1

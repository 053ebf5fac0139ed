"""Checks whether a tag can become a release of the guard.

    uv run python -m python_jobs.release v0.1.0 --repository https://github.com/owner/repository

The exit code is 0, or 1 with one line for each reason against it.
"""

import argparse
import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
# The lines in the example's files that name the release it uses.
EXAMPLE = {
    "examples/other_project/requirements.txt": "dbt-spark-contracts[embedded]=={version}\n",
    "examples/other_project/.pre-commit-config.yaml": "repo: {repository}\n    rev: {tag}\n",
    "examples/other_project/.github/workflows/pull_request.yml": "uses: {name}@{tag} ",
}


def reasons_against(tag: str, repository: str, root: Path = ROOT) -> list[str]:
    """Return why a tag cannot be released.

    Args:
        tag: The tag, `v` and a version.
        repository: The address of the repository that releases it.
        root: The folder of the project.

    Returns:
        One line per reason. Empty if it can be released.
    """
    found = []
    for file in ("pyproject.toml", "python_jobs/dbt_spark_contracts/pyproject.toml"):
        project = tomllib.loads((root / file).read_text(encoding="utf-8"))["project"]
        if tag != f"v{project['version']}":
            found.append(f"{file} has the version {project['version']}, but the tag is {tag}")
        if project["urls"]["Repository"].rstrip("/") != repository.rstrip("/"):
            address = project["urls"]["Repository"]
            found.append(f"{file} has the repository {address}, but this is {repository}")
    for file, line in EXAMPLE.items():
        name = repository.removeprefix("https://github.com/")
        words = {"tag": tag, "version": tag[1:], "repository": repository, "name": name}
        wanted = line.format(**words)
        if wanted not in (root / file).read_text(encoding="utf-8"):
            found.append(f"{file} does not say `{' '.join(wanted.split())}`")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.escape(tag.removeprefix("v"))
    if not re.search(rf"^## {version}$\n+- ", changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md has no changes below `## {tag.removeprefix('v')}`")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print the reasons against a release, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.release",
        description="Check whether a tag can become a release of dbt-spark-contracts.",
    )
    parser.add_argument("tag", help="the tag, as v0.1.0")
    parser.add_argument("--repository", required=True, help="the address of this repository")
    options = parser.parse_args(arguments)
    found = reasons_against(options.tag, options.repository)
    print(*(found or [f"{options.tag} can be released."]), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

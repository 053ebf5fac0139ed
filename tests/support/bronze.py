"""This project's Bronze, as a project of its own."""

import yaml

from tests.support.dbt_runner import ROOT


def bronze_files() -> dict[str, str]:
    """The files of this project that Bronze needs, by their paths, less the hooks of a run."""
    settings = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
    settings = {key: value for key, value in settings.items() if not key.startswith("on-run-")}
    files = {"dbt_project.yml": yaml.safe_dump(settings)}
    for folder in ("models/bronze", "macros/project", "tests/generic"):
        for file in (ROOT / folder).rglob("*.*"):
            if file.suffix != ".pyc":  # of a test that has imported a model
                files[str(file.relative_to(ROOT))] = file.read_text(encoding="utf-8")
    files["models/_groups.yml"] = (ROOT / "models/_groups.yml").read_text(encoding="utf-8")
    return files

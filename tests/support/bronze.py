"""Bronze of this project as a dbt project of its own."""

import yaml

from tests.support.dbt_runner import ROOT


def bronze_files() -> dict[str, str]:
    """Return the files that Bronze needs, by path, without the `on-run-*` hooks."""
    settings = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
    settings = {key: value for key, value in settings.items() if not key.startswith("on-run-")}
    files = {"dbt_project.yml": yaml.safe_dump(settings)}
    for folder in ("models/bronze", "macros/project", "tests/generic"):
        for file in (ROOT / folder).rglob("*.*"):
            if file.suffix != ".pyc":  # left by a test that imports a model
                files[str(file.relative_to(ROOT))] = file.read_text(encoding="utf-8")
    files["models/_groups.yml"] = (ROOT / "models/_groups.yml").read_text(encoding="utf-8")
    return files

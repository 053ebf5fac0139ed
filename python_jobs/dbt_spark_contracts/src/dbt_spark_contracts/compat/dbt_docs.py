"""The docs page of dbt-core: one HTML file whose script is patched in a few places."""

import re
from collections.abc import Callable
from pathlib import Path

from dbt.task.docs import DOCS_INDEX_FILE_PATH
from dbt.task.docs.generate import GenerateTask
from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.compat.patches import patch

# The placeholder in dbt's script for each file that a static page embeds.
INLINE = {
    "manifest.json": '"MANIFEST.JSON INLINE DATA"',
    "catalog.json": '"CATALOG.JSON INLINE DATA"',
}

# The search inserts text as HTML, with the match in a <span>.
_MATCH = '<span class="search-result-match">'
_ESCAPE = '(x=>x&&String(x).replace(/[&<>]/g,y=>"&#"+y.charCodeAt()+";"))'
_CHANGES = {
    r"return (\w)\.trustAsHtml\((\w)\);let ": rf"return \1.trustAsHtml({_ESCAPE}(\2));let ",
    rf"\.trustAsHtml\((\w)\.replace\((new RegExp\(\w,\"gi\"\)),'{_MATCH}\$&</span>'\)\)": (
        rf'.trustAsHtml({_ESCAPE}(\1.replace(\2,"\\x01$&\\x02"))'
        rf".replace(/\\x01/g,'{_MATCH}').replace(/\\x02/g,'</span>'))"
    ),
    # The graph hides tests at first. Its list of resource types shows them again.
    r'("snapshot","source",)"test","unit_test",("analysis","exposure")': r"\1\2",
    r"(\w\.showFullGraph=function\(\w\)\{[^{}]*assign\(\{\},(\w)\.options)\)": (
        r"\1,{resource_types:\2.selection.clean.resource_types})"
    ),
}


def on_docs_written(call: Callable[[Path], None]) -> None:
    """Call `call(folder)` when this `dbt docs generate` has written its pages to the folder."""
    run = GenerateTask.run

    def noticed(task):
        results = run(task)
        call(Path(task.config.project_target_path))
        return results

    patch(GenerateTask, "run", noticed)


def page() -> str:
    """Return dbt's page, with escaped text in the search and without tests in the first graph.

    Raises:
        DbtRuntimeError: If the page is not the known one.
    """
    text = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    for pattern, replacement in _CHANGES.items():
        text, changes = re.subn(pattern, replacement, text)
        if changes != 1:
            raise unknown_page()
    return text


def unknown_page() -> DbtRuntimeError:
    """Return the error for a page that cannot be made safe."""
    return DbtRuntimeError(
        f"{DOCS_INDEX_FILE_PATH} is another docs page than the one that dbt-spark-contracts knows: "
        "install the dbt-core that the project locks"
    )

"""The docs page of the installed dbt-core is the version that `compat/dbt_docs.py` supports."""

import pytest
from dbt.task.docs.generate import GenerateTask
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts.compat import dbt_docs, patches
from dbt_spark_contracts.dbt_docs.page import page as protected_page

pytestmark = pytest.mark.quick


def test_dbts_page_is_known():
    page = dbt_docs.page()
    assert "search-result-match" in page
    assert all(page.count(place) == 1 for place in dbt_docs.INLINE.values())
    assert protected_page([]).count("Content-Security-Policy") == 1


@pytest.mark.parametrize("text", ["", "<html>", "n.highlight=function(t){}"])
def test_another_page_is_one_line_with_the_way_out(tmp_path, monkeypatch, text):
    file = tmp_path / "index.html"
    file.write_text(text)
    monkeypatch.setattr(dbt_docs, "DOCS_INDEX_FILE_PATH", str(file))
    with pytest.raises(DbtRuntimeError) as error:
        protected_page([])
    (said,) = error.value.msg.splitlines()
    assert str(file) in said and "install the dbt-core" in said


def test_dbt_calls_run_to_write_them():
    patches.undo()
    before = GenerateTask.run
    dbt_docs.on_docs_written(print)
    assert GenerateTask.run is not before
    patches.undo()
    assert GenerateTask.run is before

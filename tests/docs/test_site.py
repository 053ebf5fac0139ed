"""The documentation site has every page and no broken links."""

import re
import shutil

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

# The hook links to the repository for files that are not pages of the site.
REPOSITORY = "https://github.com/owner/repository/blob/main/"


def make(site, docs=ROOT / "docs"):
    """Build the site as `mkdocs build --strict` does."""
    settings = {"strict": True, "docs_dir": str(docs), "site_dir": str(site)}
    build(load_config(str(ROOT / "mkdocs.yml"), **settings))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    make(folder)
    return folder


def test_every_page_is_on_the_site(site):
    pages = {file.stem for file in (ROOT / "docs").glob("*.md")} | {"index"}
    assert len(pages) > 12
    assert {file.stem for file in site.glob("*.html")} - {"404"} == pages
    navigation = (site / "index.html").read_text(encoding="utf-8")
    assert [page for page in pages if f'href="{page}.html"' not in navigation] == []


def test_a_link_out_of_the_site_leads_to_a_file_of_the_repository(site):
    found = set()
    for file in site.glob("*.html"):
        links = re.findall(f'href="{REPOSITORY}([^"#]+)', file.read_text(encoding="utf-8"))
        found |= {*links}
    assert {"tests/README.md", "CHANGELOG.md", "LICENSE"} <= found
    assert [name for name in found if not (ROOT / name).exists()] == []


def test_a_link_that_leads_nowhere_stops_the_site(tmp_path):
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", docs)
    with (docs / "athena.md").open("a", encoding="utf-8") as page:
        page.write("\n[nowhere](no_such_page.md)\n")
    with pytest.raises(Abort):
        make(tmp_path / "site", docs)

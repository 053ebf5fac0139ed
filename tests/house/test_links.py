"""Every link between the project's pages works."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

LINK = re.compile(r"\]\((?!https?:|#!|\?|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")


def pages() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    return [ROOT / name for name in names]


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub creates from a page's headings."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.M)
    plain = [re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in plain}


def broken(page: Path) -> list[str]:
    found = []
    for target, anchor in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        file = (page.parent / target).resolve() if target else page
        if not file.exists():
            found.append(f"{page.relative_to(ROOT)}: {target}")
        elif anchor and anchor not in anchors(file):
            found.append(f"{page.relative_to(ROOT)}: {target}#{anchor}")
    return found


def test_every_link_leads_somewhere():
    assert len(pages()) > 15
    assert [link for page in pages() for link in broken(page)] == []


@pytest.mark.parametrize("link", ["[a](no_such.md)", "[a](README.md#no-such-heading)"])
def test_a_broken_link_is_found(tmp_path, monkeypatch, link):
    (tmp_path / "README.md").write_text(f"# One\n\n{link}, [b](#one), [c](README.md#one)\n")
    monkeypatch.setattr("tests.house.test_links.ROOT", tmp_path)
    assert len(broken(tmp_path / "README.md")) == 1

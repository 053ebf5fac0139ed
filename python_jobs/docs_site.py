"""mkdocs hooks for the site of `docs/`: see mkdocs.yml.

The README is the first page. A link to a file that is not a page leads to the repository.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]+)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Make the README the first page."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point each link to its page, or to the file in the repository."""
    folder = PurePosixPath(".") if page.file.src_uri == "index.md" else PurePosixPath("docs")

    def led(found: re.Match[str]) -> str:
        target, anchor = normpath(folder / found[1]), found[2] or ""
        on_site = target.removeprefix("docs/")
        if target == "README.md":
            return f"index.md{anchor}"
        if target.startswith("docs/") and files.get_file_from_path(on_site):
            return f"{on_site}{anchor}"
        if not (ROOT / target).exists():
            return found[0]  # mkdocs reports it
        return f"{(config.repo_url or '').rstrip('/')}/blob/main/{target}{anchor}"

    return LINK.sub(led, markdown)

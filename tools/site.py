"""Builds the documentation site: the pages of docs/, the README, and a reference from the code.

`make site` runs it. Pages are gathered in .cache/site_pages and the site is written to build/site;
a broken link or a page that nobody can find fails the build.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import site_reference  # noqa: E402

STAGING = ROOT / ".cache" / "site_pages"
PAGES = STAGING / "docs"
OUTPUT = ROOT / "build" / "site"
MKDOCS = ROOT / ".cache" / "site" / "bin" / "mkdocs"
EXECUTED = ROOT / "build" / "notebooks"
# Files outside docs/ that are pages, or that pages link to.
TOP = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CITATION.cff": "CITATION.cff",
}
_MORE = "More"


def main() -> int:
    shutil.rmtree(STAGING, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES)
    shutil.copy(ROOT / "tools" / "site.css", PAGES)
    for source, page in TOP.items():
        (PAGES / page).write_text((ROOT / source).read_text())
    for page, text in site_reference.pages():
        target = PAGES / "reference" / page
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    (PAGES / "notebooks.md").write_text(notebooks_page())
    for path in PAGES.rglob("*.md"):
        path.write_text(relinked(path.read_text()))
    (STAGING / "mkdocs.yml").write_text(configuration((ROOT / "mkdocs.yml").read_text()))
    built = subprocess.run(
        [MKDOCS, "build", "--quiet", "--config-file", STAGING / "mkdocs.yml"],
        cwd=STAGING,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    if built.returncode == 0:
        print(f"site: {OUTPUT.relative_to(ROOT)}/index.html")
    return built.returncode


def notebooks_page() -> str:
    """What each notebook shows, with its executed copy where `make notebooks` has made it."""
    lines = ["# Notebooks", "", "`make notebooks` runs them; they are in the folder `notebooks/`."]
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(notebook.read_text())["cells"]
        about = next(cell for cell in cells if cell["cell_type"] == "markdown")
        title, _, said = "".join(about["source"]).removeprefix("# ").partition("\n")
        lines += ["", f"## {title}", "", said.strip(), "", f"`notebooks/{notebook.name}`"]
        executed = EXECUTED / f"{notebook.stem}.html"
        if executed.is_file():
            (PAGES / "notebooks").mkdir(exist_ok=True)
            shutil.copy(executed, PAGES / "notebooks")
            lines[-1] += f", [executed](notebooks/{executed.name})"
    return "\n".join(lines) + "\n"


def relinked(text: str) -> str:
    """Links as they are in the checkout, turned into links between the pages of the site."""
    text = re.sub(r"\]\(docs/", "](", text)
    for source, page in TOP.items():
        text = re.sub(rf"\]\((?:\.\./)?{re.escape(source)}", f"]({page}", text)
    return text


def configuration(text: str) -> str:
    """mkdocs.yml with its folders, the pages below others, and the pages that it does not name."""
    programs = [f"reference/{name}.md" for name in site_reference.PROGRAMS]
    text = _below(text, "Programs", "programs.md", programs)
    results = sorted(f"results/{path.name}" for path in (PAGES / "results").glob("*.md"))
    text = _below(text, "Results", "results/index.md", results)
    text = "".join(_existing(text))
    named = set(re.findall(r"- (?:\w+: )?([\w/-]+\.md)$", text, re.MULTILINE))
    more = sorted({path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md")} - named)
    if more:
        text += f"  - {_MORE}:\n" + "".join(f"      - {page}\n" for page in more)
    hooks = ROOT / "tools" / "site_hooks.py"
    return f"{text}docs_dir: docs\nsite_dir: {OUTPUT}\nhooks: [{hooks}]\n"


def _below(text: str, title: str, first: str, pages: Sequence[str]) -> str:
    """A page of the navigation made a section of this title, with pages after it."""
    indent = re.search(rf"^( *)- {re.escape(first)}$", text, re.MULTILINE)
    assert indent is not None
    others = [page for page in pages if page != first]
    listed = "".join(f"{indent[1]}    - {page}\n" for page in (first, *others))
    return text.replace(f"{indent[0]}\n", f"{indent[1]}- {title}:\n{listed}")


def _existing(text: str) -> Iterator[str]:
    """Without the lines of pages that are not there."""
    for line in text.splitlines(keepends=True):
        page = re.fullmatch(r" *- ([\w/-]+\.md)\n", line)
        if page is None or (PAGES / page[1]).is_file():
            yield line


if __name__ == "__main__":
    sys.exit(main())

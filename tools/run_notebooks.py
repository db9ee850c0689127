"""Runs the notebooks from start to end and keeps what they show; `make notebooks`.

Each runs in its own folder, below build/notebooks, where its executed copy and a page of it
are left. An error in a cell, and a notebook in git that holds outputs, end with code 1.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from groundwork import embedded_packages  # noqa: E402

FOLDER = ROOT / "notebooks"
OUTPUT = ROOT / "build" / "notebooks"
# The embedded data are in the environment beside which this one is.
PACKAGES = embedded_packages.installed_root(ROOT / ".venv")
LONGEST_CELL = 1200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="1_quickstart, ...; by default all of them")
    chosen = parser.parse_args().names
    paths = [path for path in sorted(FOLDER.glob("*.ipynb")) if not chosen or path.stem in chosen]
    kept = [path.name for path in paths if has_outputs(path)]
    if kept:
        print(f"error: {', '.join(kept)} holds outputs: clear them before they go into git")
        return 1
    return max((run(path) for path in paths), default=1)


def has_outputs(path: Path) -> bool:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def run(path: Path) -> int:
    """0 where every cell ran."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    folder = OUTPUT / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONPATH"] = str(ROOT)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault(embedded_packages.SEARCH_PATH_VARIABLE, str(PACKAGES))
    book = nbformat.read(path, as_version=4)
    began, failed = time.monotonic(), None
    place = {"metadata": {"path": folder}}
    client = NotebookClient(book, timeout=LONGEST_CELL, resources=place, coalesce_streams=True)
    try:
        client.execute()
    except CellExecutionError as error:
        failed = error
    nbformat.write(book, OUTPUT / path.name)
    (OUTPUT / f"{path.stem}.html").write_text(_page(book), encoding="utf-8")
    print(f"{path.stem}: {'failed' if failed else 'done'} in {time.monotonic() - began:.0f} s")
    if failed is not None:
        print(failed, file=sys.stderr)
    return 1 if failed else 0


def _page(book: object) -> str:
    from nbconvert import HTMLExporter

    return str(HTMLExporter().from_notebook_node(book)[0])


if __name__ == "__main__":
    sys.exit(main())

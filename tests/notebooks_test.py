"""The notebooks as they are in git; `make notebooks` runs them."""

import ast
import json

import pytest

from tools import run_notebooks

PATHS = sorted(run_notebooks.FOLDER.glob("*.ipynb"))


def code(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_outputs_and_its_cells_are_python(path):
    assert not run_notebooks.has_outputs(path)
    for cell in code(path):
        compile(cell, str(path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_every_notebook_begins_with_the_same_installation():
    assert len(PATHS) == 5
    assert len({code(path)[0] for path in PATHS}) == 1

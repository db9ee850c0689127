"""The rooms of the house, what each is for and what it may import, and the picture of them.

`make architecture` rewrites the picture and the table of docs/architecture.md from ARROWS and from
the imports of the code. Imports inside functions and for type checkers count, since a reader
follows them, too.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools import page_tables

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
TOP = ("groundwork", "data_prep", "fed_pretrain", "pipelines")

# room -> the rooms it may import. A room includes the rooms in it that have no row of their own,
# and every room may import groundwork.
ARROWS = {
    "groundwork": "",
    "data_prep.store": "",
    "data_prep.partitions": "data_prep.store",
    "data_prep.sources": "data_prep.store",
    "data_prep.grouping": "data_prep.sources data_prep.partitions data_prep.store",
    "data_prep.preparing": "data_prep.grouping data_prep.sources data_prep.partitions"
    " data_prep.store",
    "data_prep.inspection": "data_prep.store",
    "fed_pretrain.theory": "",
    "fed_pretrain.tracking": "",
    "fed_pretrain.models": "",
    "fed_pretrain.clients": "",
    "fed_pretrain.tasks": "fed_pretrain.clients fed_pretrain.models data_prep",
    "fed_pretrain.executors": "fed_pretrain.clients",
    "fed_pretrain.executors.graphs": "fed_pretrain.executors.border",
    "fed_pretrain.executors.border": "",
    "fed_pretrain.starts": "fed_pretrain.models fed_pretrain.tasks fed_pretrain.clients"
    " data_prep.store",
    "fed_pretrain.algorithms": "fed_pretrain.clients fed_pretrain.tasks fed_pretrain.models",
    "fed_pretrain.curvature": "fed_pretrain.tasks fed_pretrain.clients fed_pretrain.executors"
    " fed_pretrain.models",
    "fed_pretrain.probes": "fed_pretrain.curvature fed_pretrain.algorithms fed_pretrain.tasks"
    " fed_pretrain.executors fed_pretrain.models fed_pretrain.clients",
    "fed_pretrain.exporting": "fed_pretrain.starts fed_pretrain.tasks fed_pretrain.models"
    " fed_pretrain.clients",
    "fed_pretrain.experiment.assembly": "fed_pretrain.algorithms fed_pretrain.starts"
    " fed_pretrain.executors fed_pretrain.tasks fed_pretrain.clients fed_pretrain.models"
    " fed_pretrain.curvature fed_pretrain.probes fed_pretrain.tracking data_prep",
    "fed_pretrain.experiment.workdir": "fed_pretrain.experiment.assembly fed_pretrain.algorithms"
    " fed_pretrain.starts fed_pretrain.executors fed_pretrain.models",
    "fed_pretrain.experiment": "fed_pretrain.exporting fed_pretrain.probes fed_pretrain.curvature"
    " fed_pretrain.algorithms fed_pretrain.starts fed_pretrain.executors fed_pretrain.tasks"
    " fed_pretrain.clients fed_pretrain.models fed_pretrain.tracking data_prep",
    "fed_pretrain.pretraining": "fed_pretrain.experiment.assembly fed_pretrain.experiment.workdir"
    " fed_pretrain.starts fed_pretrain.tasks fed_pretrain.models fed_pretrain.clients"
    " fed_pretrain.executors",
    "fed_pretrain.notebook": "fed_pretrain.experiment fed_pretrain.reporting fed_pretrain.tracking"
    " fed_pretrain.probes fed_pretrain.curvature fed_pretrain.algorithms fed_pretrain.starts"
    " fed_pretrain.executors fed_pretrain.tasks fed_pretrain.clients fed_pretrain.models data_prep",
    "fed_pretrain.checkup": "fed_pretrain.executors",
    "fed_pretrain.reporting": "fed_pretrain.experiment.workdir fed_pretrain.algorithms",
    "data_prep": "data_prep",
    "fed_pretrain": "fed_pretrain data_prep",
    "pipelines": "fed_pretrain data_prep",
}


# The programs: each starts a library, so they may import anything below them.
COMMANDS = ("data_prep", "fed_pretrain", "pipelines")


@cache
def modules() -> dict[str, Path]:
    """Every product module by its dotted name."""
    found = {}
    for top in TOP:
        for path in (ROOT / top).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """The product's modules that a module names in its import statements."""
    return frozenset(name for name in imported(module) if name in modules() and name != module)


def imported(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(modules()[module].read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules() else node.module


def room(module: str) -> str:
    """The longest row of ARROWS that holds the module."""
    return max((row for row in ARROWS if within(module, row)), key=len)


def within(module: str, row: str) -> bool:
    return module == row or module.startswith(f"{row}.")


def forbidden(importing: str, imported: str) -> bool:
    here = room(importing)
    allowed = (*ARROWS[here].split(), here, "groundwork")
    return not any(within(imported, row) for row in allowed)


def picture() -> str:
    """A Mermaid graph of the rooms; an arrow that follows from two others is left out."""
    arrows: dict[str, set[str]] = {row: set() for row in ARROWS if row not in COMMANDS}
    for module in modules():
        for name in imports(module):
            here, there = room(module), room(name)
            if here != there and here in arrows and there in arrows and there != "groundwork":
                arrows[here].add(there)
    lines = ["```mermaid", "graph TD"]
    lines += [f"    {_node(row)}[{row.removeprefix('fed_pretrain.')}]" for row in sorted(arrows)]
    for here in sorted(arrows):
        through = set[str]().union(*(_below(there, arrows) for there in arrows[here]))
        lines += [f"    {_node(here)} --> {_node(t)}" for t in sorted(arrows[here] - through)]
    return "\n".join((*lines, "```")) + "\n"


def _below(row: str, arrows: dict[str, set[str]]) -> set[str]:
    """Every room that a room reaches, itself not included."""
    reached: set[str] = set()
    waiting = list(arrows[row])
    while waiting:
        found = waiting.pop()
        if found not in reached:
            reached.add(found)
            waiting += arrows[found]
    return reached


def _node(row: str) -> str:
    return row.replace(".", "_")


def table() -> str:
    """One row a room: what its docstring says it holds, and what it may import."""
    rows = []
    for row, allowed in ARROWS.items():
        holds = ast.get_docstring(ast.parse(modules()[row].read_text())) or ""
        names = ", ".join(f"`{name}`" for name in allowed.split()) or "nothing"
        rows.append((f"`{row}`", (holds.splitlines() or [""])[0], names))
    return page_tables.markdown(("room", "holds", "may import, besides `groundwork`"), rows)


BLOCKS = {"rooms": picture, "arrows": table}


if __name__ == "__main__":
    page_tables.rewrite(PAGE, BLOCKS)

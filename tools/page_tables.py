"""Writes the tables of README.md and docs/ that repeat what the code says.

A table is between `<!-- generated: NAME -->` and `<!-- end -->`; NAME is a key of TABLES.
"""

import argparse
import ast
import importlib
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402

from fed_pretrain import console  # noqa: E402
from groundwork import command_line, files  # noqa: E402
from groundwork.markdown import table as markdown  # noqa: E402

command_line.quiet_libraries()
_BLOCK = re.compile(r"(<!-- generated: (?P<name>\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def tasks_table() -> str:
    """One row a task."""
    known_tasks = importlib.import_module("fed_pretrain.tasks.known_tasks")
    rows = []
    for name in known_tasks.names():
        task = known_tasks.get(name)
        rows.append(
            (
                f"`{name}`",
                task.title,
                _comes_from(task.prepare),
                ", ".join(f"`{choice.name}`" for choice in task.models),
            )
        )
    return markdown(("task", "what it is", "data", "models (first is the default)"), rows)


def _comes_from(prepare: Mapping[str, Any] | None) -> str:
    if prepare is None:
        return "bring your own"
    return "`make fashion-mnist`" if prepare["source"] == "fashion_mnist" else "embedded"


def algorithms_table() -> str:
    """One row an algorithm."""
    known_algorithms = importlib.import_module("fed_pretrain.algorithms.known_algorithms")
    header, *rows = (re.split(r" {2,}", line) for line in known_algorithms.describe().splitlines())
    rows = [row for row in rows if not set("".join(row)) <= {"-", " "}]
    body = [(f"`{row[0]}`", *row[1:]) for row in rows if len(row) == len(header)]
    return markdown(header, body)


def probes_table() -> str:
    """One row a probe of `analyze`; `train` may run some of them in its rounds."""
    known_probes = importlib.import_module("fed_pretrain.probes.known_probes")
    rows = [
        (f"`{name}`", probe.help, "yes" if probe.in_rounds else "", f"`probes/{probe.file}.json`")
        for name, probe in known_probes.at_checkpoints().items()
    ]
    return markdown(("probe", "what it reports", "also in rounds of `train`", "file"), rows)


def programs_table() -> str:
    """One row a binary: its module, its Bazel target and the first line it says of itself."""
    rows = []
    for module in console.COMMANDS.values():
        path = ROOT / (module.replace(".", "/") + ".py")
        if not path.is_file():
            path = path.with_suffix("") / "__main__.py"
        if path.is_file():
            summary = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()[0]
            folder, name = module.split(".")
            rows.append((f"`python -m {module}`", f"`//{folder}:{name}`", summary))
    return markdown(("program", "Bazel target", "what it does"), rows)


def plans_table() -> str:
    """One row a shipped plan on embedded data: the question and the paper's figures."""
    rows = []
    for path in sorted((ROOT / "pipelines" / "plans").glob("*_embedded.yaml")):
        plan = yaml.safe_load(path.read_text())
        paper_scale = path.stem.removesuffix("_embedded")
        rows.append(
            (
                f"`{paper_scale}`",
                plan["title"].removesuffix(" (embedded data)"),
                plan["origin"],
                f"`python -m pipelines.study --plan={path.stem} --workdir=runs/{paper_scale}`",
            )
        )
    return markdown(("plan", "question", "from", "on embedded data"), rows)


def claims_table() -> str:
    """One row a claim: what it says, and the effect that decides it."""
    ledger = importlib.import_module("fed_pretrain.reporting.claims.ledger")
    rows = [
        (f"`{claim.key}`", claim.sentence, claim.statistic, _size(claim.margin, claim.unit))
        for claim in ledger.CLAIMS
    ]
    header = ("claim", "what it says", "the effect, one value a seed", "none below")
    return markdown(header, rows)


def _size(margin: float | None, unit: str) -> str:
    return "" if margin is None else f"{margin:.2g} {unit}"


TABLES: Mapping[str, Callable[[], str]] = {
    "tasks": tasks_table,
    "algorithms": algorithms_table,
    "probes": probes_table,
    "programs": programs_table,
    "plans": plans_table,
    "claims": claims_table,
}


def fresh(text: str, blocks: Mapping[str, Callable[[], str]] = TABLES) -> str:
    """A page's text with every generated block rewritten."""
    return _BLOCK.sub(
        lambda found: (
            f"{found[1]}{blocks[name]()}{found[4]}"
            if (name := found["name"]) in blocks
            else found[0]
        ),
        text,
    )


def pages() -> list[Path]:
    """Those with a block that TABLES makes."""
    written = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    return [page for page in written if _tables_of(page.read_text())]


def _tables_of(text: str) -> set[str]:
    return {found["name"] for found in _BLOCK.finditer(text)} & set(TABLES)


def rewrite(page: Path, blocks: Mapping[str, Callable[[], str]] = TABLES) -> None:
    text = page.read_text()
    updated = fresh(text, blocks)
    if updated != text:
        files.write_text(page, updated)
    print(f"{page.relative_to(ROOT)}: {'rewritten' if updated != text else 'up to date'}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    for page in pages():
        rewrite(page)

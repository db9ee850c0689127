"""Who is left behind: accuracy by client at the end, its spread and its worst tenth."""

import operator
from collections.abc import Sequence

from fed_pretrain.reporting.claims.client_claims import SHARED
from fed_pretrain.reporting.estimates import Estimate, over_seeds
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import fixed, listed
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Run, Study
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.shown import shown
from fed_pretrain.reporting.table import HIGHEST, LOWEST, Cell, Table, file_name

PERSONAL = "eval_personal_accuracy"
"""The columns of the models with their own layers."""
_MODELS = ((SHARED, "shared"), (PERSONAL, "own layers"))


def left_behind_section(study: Study) -> Section | None:
    tables = [table for task in study.tasks if (table := _table(study, task)).rows]
    if not tables:
        return None
    return Section(
        "left_behind",
        findings.heading(study, ["client_gap"], _lowest(tables)),
        [
            "Every client of the test split by itself, each counting once, at the end: a model can"
            " be better on average and worse for some. The worst tenth are the clients with the"
            " lowest accuracy, whoever they are in that run. With their own layers, clients use"
            " those they keep."
        ],
        tables=tables,
        topic="Who is left behind",
    )


def _lowest(tables: Sequence[Table]) -> str:
    worst = []
    for table in tables:
        cells = [row[-1] for row in table.rows]
        worst.append(fixed(min(c.mean for c in cells if isinstance(c, Estimate) and c.known)))
    return f"The worst tenth of clients is as low as {listed(worst)}"


def _table(study: Study, task: str) -> Table:
    names, rows = Names(study), []
    for one in shown(study, task):
        runs = one.subjects()
        for algorithm in dict.fromkeys(run.algorithm for run in runs):
            chosen = [run for run in runs if run.algorithm == algorithm]
            rows += _rows_of(chosen, [one.name, names.algorithm(algorithm)])
    header = ["start", "algorithm", "model", "mean client", "deviation", "worst tenth"]
    return Table(
        file_name(f"left_behind_{task}"),
        f"{names.task(task)}: accuracy by client after the last round, with its 95 % interval over"
        " seeds",
        header,
        rows,
        {"mean client": HIGHEST, "deviation": LOWEST, "worst tenth": HIGHEST},
    )


def _rows_of(runs: Sequence[Run], place: list[Cell]) -> list[list[Cell]]:
    found = []
    for column, model in _MODELS:
        cells: list[Cell] = [
            over_seeds(runs, operator.methodcaller("last", f"{column}_{name}"))
            for name in ("mean", "std", "worst_decile")
        ]
        if isinstance(cells[0], Estimate) and cells[0].known:
            found.append([*place, model, *cells])
    return found

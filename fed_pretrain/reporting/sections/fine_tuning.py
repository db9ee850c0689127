"""Federated averaging beside fine-tuning without it, where `analyze` has measured both."""

from collections.abc import Mapping, Sequence

from fed_pretrain.reporting.captions import span
from fed_pretrain.reporting.estimates import Estimate, estimate
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import listed
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Analysis, Study
from fed_pretrain.reporting.shown import shown
from fed_pretrain.reporting.table import HIGHEST, Cell, Table, file_name
from groundwork.untyped import Json

_Measured = tuple[Analysis, Mapping[str, Json]]


def fine_tuning_section(study: Study) -> Section | None:
    tables, epochs, best = [], [], []
    for task in study.tasks:
        measured = [
            (analysis, content)
            for analysis in study.analyses
            if analysis.coordinates["task"] == task
            and (content := analysis.probe("baselines")) is not None
        ]
        if measured:
            tables.append(_table(study, task, measured))
            epochs += [content["epochs"] for _, content in measured]
            best.append(f"{_best(tables[-1])} on {Names(study).task(task)}")
    if not tables:
        return None
    text = [
        "Is averaging needed at all? The start as it is, fine-tuned by every client alone on its"
        f" own examples ({span(epochs)} epochs, the run's client rate), and by one server on"
        " everybody's examples; and the federated model, as it is and fine-tuned by every client."
        " All are judged on the clients' own held-out examples, which share the client's skew: a"
        " model that has only learned which classes its client has does well there, too. Megabytes"
        " count both ways; those of the one server are the examples themselves."
    ]
    return Section(
        "fine_tuning",
        f"Highest: {listed(best)}",
        text,
        tables=tables,
        topic="With and without federation",
    )


def _best(table: Table) -> str:
    """The row with the highest mean of any start."""

    def highest(row: Sequence[Cell]) -> float:
        return max((c.mean for c in row if isinstance(c, Estimate) and c.known), default=-1.0)

    return str(max(table.rows, key=highest)[0])


def _table(study: Study, task: str, measured: Sequence[_Measured]) -> Table:
    names, starts = Names(study), shown(study, task)
    several = len({analysis.coordinates.get("algorithm") for analysis, _ in measured}) > 1
    found: dict[str, dict[str, list[Mapping[str, Json]]]] = {}
    for analysis, content in measured:
        place = analysis.coordinates
        for row in content["rows"]:
            algorithm = names.algorithm(str(place.get("algorithm", "")))
            label = f"{algorithm} · {row['name']}" if several else str(row["name"])
            found.setdefault(label, {}).setdefault(str(place["start"]), []).append(row)
    rows: list[list[Cell]] = [
        [
            label,
            *(estimate(row["accuracy"] for row in by_start.get(one.start, ())) for one in starts),
            _megabytes(by_start),
        ]
        for label, by_start in found.items()
    ]
    clients = span([content["clients"] for _, content in measured])
    caption = (
        f"{names.task(task)}: accuracy over the own held-out examples of {clients} clients, with"
        " its 95 % interval over seeds"
    )
    header = ["", *(one.name for one in starts), "megabytes sent"]
    best = dict.fromkeys(header[1:-1], HIGHEST)
    return Table(file_name(f"fine_tuning_{task}"), caption, header, rows, best)


def _megabytes(by_start: Mapping[str, Sequence[Mapping[str, Json]]]) -> float:
    rows = [row for several in by_start.values() for row in several]
    return estimate((row["bytes_down"] + row["bytes_up"]) / 1e6 for row in rows).mean

"""Federated averaging beside fine-tuning without it, where `analyze` has measured both."""

from collections.abc import Mapping, Sequence
from typing import Any

from fed_pretrain.reporting.captions import seeds, span
from fed_pretrain.reporting.part import Section, Table
from fed_pretrain.reporting.results import Analysis, Study
from fed_pretrain.reporting.statistics import spread


def fine_tuning_section(study: Study) -> Section | None:
    tables, epochs = [], []
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
    if not tables:
        return None
    text = [
        "Is averaging needed at all? The start as it is, fine-tuned by every client alone on its"
        f" own examples ({span(epochs)} epochs, the run's client rate), and by one server on"
        " everybody's examples; and the federated model, as it is and fine-tuned by every client."
        " All are judged on the clients' own held-out examples, which share the client's skew: a"
        " model that has only learned which classes its client has does well there, too. Megabytes"
        " count both ways; those of the one server are the examples themselves.",
    ]
    return Section("fine_tuning", "With and without federation", text, tables=tables)


def _table(
    study: Study, task: str, measured: Sequence[tuple[Analysis, Mapping[str, Any]]]
) -> Table:
    starts = study.starts(task)
    several = len({analysis.coordinates.get("algorithm") for analysis, _ in measured}) > 1
    cells: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for analysis, content in measured:
        place = analysis.coordinates
        for row in content["rows"]:
            label = f"{place['algorithm']} · {row['name']}" if several else str(row["name"])
            cells.setdefault(label, {}).setdefault(str(place["start"]), []).append(row)
    rows = [
        [label, *(_accuracy(by_start.get(start, [])) for start in starts), _megabytes(by_start)]
        for label, by_start in cells.items()
    ]
    clients = span([content["clients"] for _, content in measured])
    caption = (
        f"{task}: accuracy over the own held-out examples of {clients} clients, mean ± sample"
        f" standard deviation over {seeds(study, task)}"
    )
    return Table(f"fine_tuning_{task}", caption, ["", *starts, "megabytes sent"], rows)


def _accuracy(rows: Sequence[Mapping[str, Any]]) -> str:
    return str(spread([row["accuracy"] for row in rows]))


def _megabytes(by_start: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = [row for several in by_start.values() for row in several]
    return f"{spread([(row['bytes_down'] + row['bytes_up']) / 1e6 for row in rows]).mean:.1f}"

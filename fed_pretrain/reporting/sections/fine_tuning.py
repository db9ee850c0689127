"""Federated averaging beside fine-tuning without it, where `analyze` has measured both."""

from collections.abc import Mapping, Sequence
from typing import Any

from fed_pretrain.reporting.part import Section, Table
from fed_pretrain.reporting.results import Analysis, Study, unique
from fed_pretrain.reporting.setting import seeds
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
        f" own examples ({_span(epochs)} epochs, the run's client rate), and by one server on"
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
    names = unique(row["name"] for _, content in measured for row in content["rows"])
    rows = []
    for name in names:
        found: dict[str, list[Mapping[str, Any]]] = {start: [] for start in starts}
        for analysis, content in measured:
            found[str(analysis.coordinates["start"])] += [
                row for row in content["rows"] if row["name"] == name
            ]
        cells = [str(spread([row["accuracy"] for row in found[start]])) for start in starts]
        sent = spread(
            [
                (row["bytes_down"] + row["bytes_up"]) / 1e6
                for matching in found.values()
                for row in matching
            ]
        )
        rows.append([name, *cells, f"{sent.mean:.1f}"])
    clients = _span([content["clients"] for _, content in measured])
    caption = (
        f"{task}: accuracy over the own held-out examples of {clients} clients, mean ± sample"
        f" standard deviation over {seeds(study, task)}"
    )
    return Table(f"fine_tuning_{task}", caption, ["", *starts, "megabytes sent"], rows)


def _span(values: Sequence[int]) -> str:
    return "–".join(str(value) for value in sorted({min(values), max(values)}))

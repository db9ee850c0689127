"""Learning curves of every partition and point of a sweep, where the first figure averages them."""

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Panel, PanelRow
from fed_pretrain.reporting.estimates import over_seeds
from fed_pretrain.reporting.naming import Names, cells
from fed_pretrain.reporting.numbers import fixed, listed
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import FINAL, Study, final, unique
from fed_pretrain.reporting.shown import lines, shown
from fed_pretrain.reporting.table import file_name


def learning_section(study: Study) -> Section | None:
    """None where nothing but the algorithm varies: the first figure has its curves."""
    charts = [_chart(study, task) for task in study.tasks if _varies(study, task)]
    if not charts:
        return None
    return Section(
        "learning",
        "; ".join(_ends(study, task) for task in study.tasks if _varies(study, task)),
        ["Bold: mean over seeds; thin: single runs."],
        charts,
        topic="Learning curves",
    )


def _ends(study: Study, task: str) -> str:
    """Between which accuracies the cells of each start end."""
    parts = []
    for one in shown(study, task):
        ends = [over_seeds(one.runs(**wanted), final) for _, wanted in cells(study, task)]
        known = sorted(end.mean for end in ends if end.known)
        if known:
            ends_at = " to ".join(unique([fixed(known[0]), fixed(known[-1])]))
            parts.append(f"{ends_at} from {one.name}")
    return f"{Names(study).task(task)} ends at {listed(parts)}"


def _varies(study: Study, task: str) -> bool:
    algorithms = study.values("algorithm", task=task)
    return len(cells(study, task)) > len(algorithms)


def _chart(study: Study, task: str) -> Curves:
    panels = tuple(
        Panel(label, lines(((one, one.runs(**wanted)) for one in shown(study, task)), FINAL))
        for label, wanted in cells(study, task)
    )
    caption = f"{Names(study).task(task)}: {captions.setting(study, task)}"
    row = PanelRow("held-out accuracy", panels, from_zero=True)
    return Curves(file_name(f"learning_{task}"), caption, (row,))

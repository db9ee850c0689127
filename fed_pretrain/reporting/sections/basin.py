"""Whether two runs end in one loss basin: the loss on the line between their final models."""

from fed_pretrain.reporting import captions, style
from fed_pretrain.reporting.captions import seeds
from fed_pretrain.reporting.claims.landscape_claims import barriers, lines_between
from fed_pretrain.reporting.part import NamedFigure, Section, Table
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.sections.curves import draw_band
from fed_pretrain.reporting.statistics import spread

_PANELS = (("loss", "loss (nats)"), ("accuracy", "accuracy"))


def basin_section(study: Study) -> Section | None:
    measured = [t for t in study.tasks if any(lines_between(study, t, s) for s in study.starts(t))]
    if not measured:
        return None
    text = [
        "On the straight line through the final weights of the IID run and of the non-IID run of"
        " one seed and start, on held-out data. The barrier is the largest rise of the loss between"
        " the two above the straight line from one loss to the other: 0 where both lie in one"
        " basin.",
        *captions.notes(study, measured),
    ]
    figures = [_figure(study, task) for task in measured]
    tables = [_table(study, task) for task in measured]
    return Section("basin", "One loss basin?", text, figures, tables)


def _figure(study: Study, task: str) -> NamedFigure:
    starts = study.starts(task)
    colours = style.start_colours(starts, study.random_start(task))
    made, panels = style.figure(2, 1, width=8.0, height=3.0)
    for axes, (column, title) in zip(panels, _PANELS, strict=True):
        for start in starts:
            found = lines_between(study, task, start)
            lines = [line for seed in found for line in found[seed] if column in line]
            if lines:
                values = [line[column] for line in lines]
                draw_band(axes, lines[0]["shares"], values, start, colours[start])
        axes.set_title(title)
        axes.set_xticks([0, 1], ["IID model", "non-IID model"])
    panels[0].legend(fontsize=8)
    caption = f"{task}: line = mean, band = one sample standard deviation over {seeds(study, task)}"
    return NamedFigure(f"basin_{task}", caption, made)


def _table(study: Study, task: str) -> Table:
    rows = [
        [start, str(spread(list(barriers(study, task, start).values())))]
        for start in study.starts(task)
    ]
    caption = f"{task}: barrier between the IID and the non-IID model, {seeds(study, task)}"
    return Table(f"basin_{task}", caption, ["start", "barrier (nats)"], rows)

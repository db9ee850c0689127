"""What a start is worth: its loss before training, and where training takes each start."""

import math

from fed_pretrain.reporting import captions, style
from fed_pretrain.reporting.captions import seeds, setting
from fed_pretrain.reporting.part import NamedFigure, Section, Table
from fed_pretrain.reporting.results import FINAL, Study
from fed_pretrain.reporting.statistics import Spread, spread


def start_loss_section(study: Study) -> Section | None:
    """Loss and accuracy before any training: round 0."""
    tables = []
    for task in study.tasks:
        rows = []
        for start in study.starts(task):
            loss, accuracy = (_at_start(study, task, start, c) for c in ("eval_loss", FINAL))
            rows.append([start, str(loss), str(accuracy)])
        header = ["start", "loss at round 0 (nats)", "accuracy at round 0"]
        caption = f"{task}: mean ± sample standard deviation over {seeds(study, task)}"
        tables.append(Table(f"start_loss_{task}", caption, header, rows))
    text = [
        "Before any update, on held-out data, with the head as training starts. The paper's point:"
        " a pre-trained start need not have the lower loss here to end better."
    ]
    return Section("start_loss", "Loss at the start", text, tables=tables) if tables else None


def quality_section(study: Study) -> Section | None:
    """Final accuracy of graded starts, in the plan's order, beside what they began with."""
    graded = [task for task in study.tasks if len(study.starts(task)) > 2]
    if not graded:
        return None
    text = [
        "Every start of the plan, in its order: accuracy before training (hollow) and after the"
        " last round (filled); bars are one sample standard deviation over runs. A start that"
        " looks no better before training may still end better.",
        *captions.notes(study, graded),
    ]
    figures = [_quality_figure(study, task) for task in graded]
    return Section("start_quality", "From start to end", text, figures)


def _quality_figure(study: Study, task: str) -> NamedFigure:
    starts = study.starts(task)
    colours = style.start_colours(starts, study.random_start(task))
    made, (axes,) = style.figure(height=0.9 + 0.4 * len(starts))
    for height, start in enumerate(starts):
        end = spread([r.last(FINAL) for r in captions.subjects(study, task, start=start)])
        for value, face in ((_at_start(study, task, start, FINAL), "none"), (end, colours[start])):
            axes.errorbar(
                value.mean,
                height,
                xerr=0.0 if math.isnan(value.std) else value.std,
                color=colours[start],
                markerfacecolor=face,
                marker="o",
                markersize=8,
                capsize=3,
            )
    axes.set_yticks(range(len(starts)), starts)
    axes.invert_yaxis()
    axes.set_xlabel("accuracy on held-out data")
    told = "; ".join([setting(study, task), *captions.told(study, task)])
    return NamedFigure(f"start_quality_{task}", f"{task}: {told}", made)


def _at_start(study: Study, task: str, start: str, column: str) -> Spread:
    """Over seeds: runs of one seed share their start, whatever the algorithm."""
    by_seed = [
        spread([run.first(column) for run in study.select(task=task, start=start, seed=seed)]).mean
        for seed in study.values("seed", task=task, start=start)
    ]
    return spread(by_seed)

"""What a start is worth: its loss before training, and where training takes each start."""

from collections.abc import Sequence

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.dumbbells import Dumbbell, Dumbbells, Mark
from fed_pretrain.reporting.estimates import by_seed, estimate, over_seeds
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import fixed, listed
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Study, begun, final
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.shown import Shown, shown
from fed_pretrain.reporting.table import file_name


def start_loss_section(study: Study) -> Section | None:
    """Loss before any training: round 0."""
    rows = tuple(row for task in study.tasks if (row := _losses(study, task)).marks)
    if not rows:
        return None
    chart = Dumbbells(
        "start_loss",
        "Loss at round 0",
        "Nats, on held-out data, with the head as training starts; ticks are the seeds.",
        rows,
        quantity="loss at round 0",
    )
    told = _lower_and_higher(rows)
    return Section(
        "start_loss",
        findings.heading(study, ["start_loss"], f"Undecided; {told}", told[0].upper() + told[1:]),
        ["The paper's point: a pre-trained start need not have the lower loss here to end better."],
        [chart],
        topic="Why: loss at the start",
    )


def _lower_and_higher(rows: Sequence[Dumbbell]) -> str:
    """By the means alone."""
    sides: dict[str, list[str]] = {"lower": [], "higher": []}
    for row in rows:
        random = [estimate(mark.values).mean for mark in row.marks if mark.colour == 0]
        for mark in row.marks if random else ():
            if mark.colour:
                side = "lower" if estimate(mark.values).mean < random[0] else "higher"
                sides[side].append(f"{row.label} from {mark.name}")
    parts = [f"{side} on {listed(places)}" for side, places in sides.items() if places]
    return f"the mean loss before training{' is ' if parts else ''}{', '.join(parts)}"


def _losses(study: Study, task: str) -> Dumbbell:
    """Runs of one seed share their start, whatever the algorithm."""
    marks = []
    for one in shown(study, task):
        values = tuple(by_seed(one.runs(), lambda run: run.first("eval_loss")).values())
        if values:
            marks.append(Mark(one.name, one.colour, values))
    return Dumbbell(Names(study).task(task), tuple(marks))


def quality_section(study: Study) -> Section | None:
    """Final accuracy of graded starts, in the plan's order, beside what they began with."""
    graded = [task for task in study.tasks if len(study.starts(task)) > 2]
    charts = [_quality(study, task) for task in graded]
    if not charts:
        return None
    return Section(
        "start_quality",
        "; ".join(_highest(study, task) for task in graded),
        [
            "In the plan's order: rings are before training, dots after the last round; ticks are"
            " the seeds. A start that looks no better before training may still end better.",
            *captions.notes(study, graded),
        ],
        charts,
        topic="From start to end",
    )


def _highest(study: Study, task: str) -> str:
    starts = [Shown(study, task, start) for start in study.starts(task)]
    ends = {one.name: over_seeds(one.subjects(), final).mean for one in starts}
    best = max(ends, key=lambda name: (ends[name] == ends[name], ends[name]))
    return f"{Names(study).task(task)} ends highest from {best}: {fixed(ends[best])}"


def _quality(study: Study, task: str) -> Dumbbells:
    rows = []
    for start in study.starts(task):
        one = Shown(study, task, start)
        before, after = by_seed(one.runs(), begun), by_seed(one.subjects(), final)
        marks = (
            Mark("before", one.colour, tuple(before.values()), ring=True),
            Mark("after", one.colour, tuple(after.values()), ring=False),
        )
        rows.append(Dumbbell(one.name, marks))
    caption = "; ".join([captions.setting(study, task), *captions.told(study, task)])
    return Dumbbells(
        file_name(f"start_quality_{task}"),
        f"{Names(study).task(task)}: accuracy on held-out data.",
        caption,
        tuple(rows),
        quantity="accuracy",
    )

"""What is measured against a swept axis: local steps, unequal work, and what a plan may name."""

import math
from collections.abc import Callable

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import FINAL, Run, Study, final
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.sections.along import Along, Measure


def _mean(column: str) -> Callable[[Run], float]:
    """Over the rounds."""

    def of(run: Run) -> float:
        values = run.series(column)[1]
        return sum(values) / len(values) if values else math.nan

    return of


# By column.
_MEASURES = {
    FINAL: Measure("sweep", "final accuracy", final),
    "relative_drift": Measure(
        "sweep_relative_drift", "relative client drift", _mean("relative_drift")
    ),
    "aggregation_gain": Measure(
        "sweep_aggregation_gain", "accuracy gained by averaging", _mean("aggregation_gain")
    ),
}
_DRIFT = (
    "Relative client drift is the spread of the clients' updates around their mean as a share of"
    " their size, 0 when all are equal and 1 when they cancel out; the gain of averaging is the"
    " averaged model's accuracy minus the mean over the local models it averages. Both are means"
    " over the probed rounds."
)


def sweep_section(study: Study) -> Section | None:
    """A chart a task, algorithm and swept axis: what is measured against the axis, by start."""
    sweeps = [
        _along(study, task, axis, algorithm)
        for task in study.tasks
        for axis in study.plan.get("sweep", {})
        for algorithm in study.values("algorithm", task=task)
    ]
    if not sweeps:
        return None
    axes = ", ".join(name.replace("_", " ") for name in study.plan["sweep"])
    measures = [_measures(study, one) for one in sweeps]
    text = [
        f"Accuracy after the last round against {axes}; {_rounds(study)}. Bold: mean over seeds;"
        " thin: single seeds; the last column of a table is paired by seed.",
        *([_DRIFT] if max(map(len, measures)) > 1 else []),
        *captions.notes(study, study.tasks),
    ]
    title = findings.heading(study, ["local_steps", "local_steps_random"], f"Effect of {axes}")
    found = list(zip(sweeps, measures, strict=True))
    charts = [one.chart("sweep", several, one.axis.replace("_", " ")) for one, several in found]
    tables = [one.table(measure) for one, several in found for measure in several]
    return Section("sweep", title, text, charts, tables, topic=f"Effect of {axes}")


def _rounds(study: Study) -> str:
    ends = [
        {int(run.rows[-1]["round"]) for run in study.select(task=task) if run.rows}
        for task in study.tasks
    ]
    equal = all(len(rounds) < 2 for rounds in ends)
    return "equal rounds for every point" if equal else "points differ in their rounds"


def _along(study: Study, task: str, axis: str, algorithm: str) -> Along:
    names, several = Names(study), len(study.values("algorithm", task=task)) > 1
    place = ", ".join([names.task(task), *([names.algorithm(algorithm)] if several else [])])
    points = tuple(map(str, study.values(axis, task=task)))
    return Along(study, task, algorithm, axis, points, place, f"{axis}_{task}_{algorithm}")


def _measures(study: Study, along: Along) -> tuple[Measure, ...]:
    """Those that some run has."""
    runs = study.select(task=along.task, algorithm=along.algorithm)
    there = ((one, column) for column, one in _MEASURES.items())
    return tuple(one for one, column in there if any(run.series(column)[0] for run in runs))

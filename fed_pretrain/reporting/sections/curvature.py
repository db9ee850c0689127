"""Curvature at the start, and beside it what the paper printed."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from fed_pretrain.reporting.charts.dumbbells import Dumbbell, Dumbbells, Mark
from fed_pretrain.reporting.claims.landscape_claims import top_eigenvalue
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import counted, significant
from fed_pretrain.reporting.part import Html, Section
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.shown import shown

# Table 1 of "Where to Begin?": top Hessian eigenvalue at the start (procedure not published).
PAPER = (
    ("CIFAR-10", 4843.13, 661.99),
    ("FEMNIST", 355.51, 26.29),
    ("Stack Overflow", 185.02, 151.05),
    ("Reddit", 1309.68, 647.19),
)


def curvature_section(study: Study) -> Section | None:
    rows = tuple(row for task in study.tasks if (row := _row(study, task)) is not None)
    if not rows:
        return None
    seeds = max(len(mark.values) for row in rows for mark in row.marks)
    ours = Dumbbells(
        "curvature",
        "Measured here",
        f"{counted(seeds, 'seed')} (ticks), geometric mean (marks).",
        rows,
        logarithmic=True,
        quantity="top eigenvalue",
    )
    box = Markup('<div class="two">{}{}</div>').format(ours.html(), paper_table().html())
    return Section(
        "curvature",
        findings.heading(
            study,
            ["curvature"],
            "Whether the loss is flatter is undecided",
            "Curvature at the start",
        ),
        [
            "Largest eigenvalue of the loss Hessian before any training, by Lanczos with residual"
            " checks, over training examples drawn in proportion to client size; an arrow to the"
            " left is a flatter start."
        ],
        [Html(box, [ours, paper_table()])],
        topic="Why: curvature at the start",
        notes=[
            "The paper's procedure is not published, so its values cannot be compared with ours,"
            " only the directions. A start brings the scale of its inputs, which enters its"
            " eigenvalues too.",
            *_not_converged(study),
        ],
    )


def paper_table() -> Dumbbells:
    rows = tuple(
        Dumbbell(
            name,
            (Mark("random", 0, (random,)), Mark("pre-trained", 1, (pretrained,))),
            f"{significant(random / pretrained)}× flatter",
        )
        for name, random, pretrained in PAPER
    )
    return Dumbbells(
        "curvature_in_the_paper",
        "Printed in the paper",
        "Table 1, other models and data: compare directions only.",
        rows,
        logarithmic=True,
        cited=True,
        quantity="top eigenvalue",
    )


def _row(study: Study, task: str) -> Dumbbell | None:
    seeds, marks = sorted({int(a.coordinates["seed"]) for a in study.analyses}), []
    for one in shown(study, task):
        values = tuple(
            value for seed in seeds if (value := top_eigenvalue(study, task, one.start, seed)) > 0
        )
        if values:
            marks.append(Mark(one.name, one.colour, values))
    if not marks:
        return None
    return Dumbbell(Names(study).task(task), tuple(marks), _ratio(marks))


def _ratio(marks: list[Mark]) -> str:
    """Of the first pre-trained start where there is one, against random weights."""
    if len(marks) != 2 or marks[0].colour != 0:
        return ""
    random, other = (geometric_mean(mark.values) for mark in marks)
    sharper = other > random
    ratio = other / random if sharper else random / other
    return f"{significant(ratio)}× {'sharper' if sharper else 'flatter'}"


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def _not_converged(study: Study) -> list[str]:
    names = Names(study)
    return [
        f"{names.task(place['task'])}, {names.start(place['task'], place['start'])}, seed"
        f" {place['seed']}: not converged within the iterations of the plan, so left out."
        for analysis in study.analyses
        if (content := analysis.probe("eigenvalues")) and not content["top"]["converged"]
        for place in [analysis.coordinates]
    ]

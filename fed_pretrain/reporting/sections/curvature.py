"""Curvature at the start, beside the paper's table."""

import math

from fed_pretrain.reporting.claims.landscape_claims import top_eigenvalue
from fed_pretrain.reporting.part import Section, Table, significant
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.statistics import spread

# Table 1 of "Where to Begin?": top Hessian eigenvalue at the start (procedure not published).
_PAPER = (
    ("CIFAR-10", 4843.13, 661.99),
    ("FEMNIST", 355.51, 26.29),
    ("Stack Overflow", 185.02, 151.05),
    ("Reddit", 1309.68, 647.19),
)


def curvature_section(study: Study) -> Section | None:
    seeds = sorted({a.coordinates["seed"] for a in study.analyses})
    rows, notes = [], []
    for task in study.tasks:
        random_start = study.random_start(task)
        for start in study.starts(task):
            mean = spread([top_eigenvalue(study, task, start, seed) for seed in seeds])
            if not mean.count:
                continue
            ratio = math.nan
            if random_start is not None:
                base = spread([top_eigenvalue(study, task, random_start, s) for s in seeds])
                ratio = base.mean / mean.mean
            value = significant(mean.mean)
            if mean.count > 1:
                value += f" ± {significant(mean.std)}"
            rows.append([f"{task} · {start}", value, significant(ratio)])
    if not rows:
        return None
    for name, random, pretrained in _PAPER:
        rows.append([f"paper, {name} · random", significant(random), "1"])
        ratio = random / pretrained
        rows.append([f"paper, {name} · pre-trained", significant(pretrained), significant(ratio)])
    for analysis in study.analyses:
        content = analysis.probe("eigenvalues")
        if content and not content["top"]["converged"]:
            place = analysis.coordinates
            notes.append(
                f"{place['task']} · {place['start']}, seed {place['seed']}: not converged within"
                f" the iterations of the plan, so its value is left out."
            )
    text = [
        "Largest algebraic eigenvalue of the loss Hessian at the start, by Lanczos with residual"
        " checks, over a sample of training examples drawn in proportion to client size."
        " The paper's procedure is not published, so only the direction (random over pre-trained"
        " above 1) can be compared, not the values. A start also brings the input normalisation its"
        " weights were trained with; where two starts read their inputs on different scales, that"
        " scale enters their eigenvalues too.",
        *notes,
    ]
    header = ["start", "top eigenvalue", "random / this"]
    caption = (
        "Top Hessian eigenvalue at the start: mean ± sample standard deviation over"
        f" {len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}; the ratio is of means"
    )
    table = Table("top_eigenvalue", caption, header, rows)
    return Section("curvature", "Curvature at the start", text, tables=[table])

"""The statistic of a claim on a toy study, without a verdict."""

from fed_pretrain.reporting.claims.claim import Where


def where(study, seeds=None):
    seeds = tuple(seeds or sorted({run.seed for run in study.runs} | seeds_of_analyses(study)))
    return Where(study.of_seeds("toy", seeds), "toy", "random", "digits", seeds)


def seeds_of_analyses(study):
    return {analysis.coordinates["seed"] for analysis in study.analyses}


def measured(study, claim):
    return claim.measure(where(study))

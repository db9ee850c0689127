"""Accuracy from one interval of the data to the next, and what carrying weights on gives."""

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.estimates import Estimate, estimate
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import signed
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Study, begun, final
from fed_pretrain.reporting.sections.along import Along, Measure
from fed_pretrain.reporting.shown import Shown

_MEASURES = (
    Measure("trend_before", "accuracy before training", begun),
    Measure("trend_after", "final accuracy", final),
)


def trend_section(study: Study) -> Section | None:
    """A chart a task and algorithm: accuracy by interval of the data, before and after training."""
    intervals = tuple(map(str, study.plan.get("intervals") or ()))
    if len(intervals) < 2:
        return None
    trends = [
        _along(study, task, algorithm, intervals)
        for task in study.tasks
        for algorithm in study.values("algorithm", task=task)
    ]
    text = [
        "Each interval of the data is prepared, trained on and evaluated by itself. Bold: mean over"
        " seeds; thin: single seeds.",
        *(sentence for trend in trends for sentence in _sentences(trend)),
        *captions.notes(study, study.tasks),
    ]
    title = f"From {intervals[0]} to {intervals[-1]}"
    charts = [trend.chart("trend", _MEASURES, "interval") for trend in trends]
    tables = [trend.table(measure) for trend in trends for measure in _MEASURES]
    return Section("trend", title, text, charts, tables, topic="Trend")


def _along(study: Study, task: str, algorithm: str, intervals: tuple[str, ...]) -> Along:
    """A start that is carried on has nothing in the first interval."""
    names = Names(study)
    place = f"{names.task(task)}, {names.algorithm(algorithm)}"
    file = f"{task}_{algorithm}"
    return Along(study, task, algorithm, "partition", intervals, place, file, gaps=True)


def _sentences(trend: Along) -> list[str]:
    """What each carried start gives over the random one in the intervals that both have."""
    random_start = trend.study.random_start(trend.task)
    if random_start is None:
        return []
    random, found = Shown(trend.study, trend.task, random_start), []
    for start in trend.study.plan["tasks"][trend.task].get("continued", {}):
        carried = Shown(trend.study, trend.task, start)
        gains = [f"{_gain(trend, carried, random, one)} {one.title}" for one in _MEASURES]
        found.append(
            f"{trend.place}: with {carried.name} instead of {random.name}, {' and '.join(gains)},"
            " mean over the intervals that both have."
        )
    return found


def _gain(trend: Along, start: Shown, other: Shown, measure: Measure) -> str:
    seeds: dict[int, list[float]] = {}
    sides = (trend.by_seed(one, measure) for one in (start, other))
    for one, beside in zip(*sides, strict=True):
        for seed in one.keys() & beside.keys():
            seeds.setdefault(seed, []).append(one[seed] - beside[seed])
    return _words(estimate(sum(values) / len(values) for values in seeds.values()))


def _words(gain: Estimate) -> str:
    if not gain.known:
        return "no"
    interval = f" ({signed(gain.low)} to {signed(gain.high)})" if gain.count > 1 else ""
    return f"{signed(gain.mean)}{interval}"

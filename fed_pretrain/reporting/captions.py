"""What a caption must say of the runs it shows: rounds, clients, seeds."""

import math
from collections.abc import Iterable, Mapping, Sequence

from fed_pretrain.reporting import guessing
from fed_pretrain.reporting.estimates import estimate
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.results import Run, Study, read_json, unique
from groundwork.untyped import Json


def setting(study: Study, task: str) -> str:
    """`40 rounds, 8 of 100 clients a round, 2 seeds`; spans where runs differ.

    What the clients were drawn from follows, where the runs name it.
    """
    runs = study.select(task=task)
    rounds = span([int(run.rows[-1]["round"]) for run in runs if run.rows])
    parts = [f"{rounds} {'round' if rounds == '1' else 'rounds'}"]
    clients = _clients(runs)
    if clients:
        parts.append(f"{clients} a round")
    parts += [*_privacy(runs), seeds(study, task)]
    laws = unique(run.config.get("partition_law") for run in runs)
    return "; ".join([", ".join(parts), *(law + _deviation(runs, law) for law in laws if law)])


def _deviation(runs: Sequence[Run], law: str) -> str:
    """How far the pool kept clients from the law they were drawn from, where the runs say it."""
    drawn = [run.config for run in runs if run.config.get("partition_law") == law]
    shares = [round(100 * one.get("partition_deviation", 0.0)) for one in drawn]
    return f", but for {span(shares)} % of its examples, as labels ran out" if any(shares) else ""


def seeds(study: Study, task: str) -> str:
    number = len(study.values("seed", task=task))
    return "1 seed" if number == 1 else f"{number} seeds"


def model(study: Study, task: str) -> str:
    """`edge_cnn, 7,946 weights`; as much of it as the runs say."""
    runs = study.select(task=task)
    used = unique(run.config.get("config", {}).get("model") for run in runs)
    parts = [str(used[0]).replace("_", " ")] if len(used) == 1 and used[0] else []
    sizes = unique(_weights(run) for run in runs[:1])
    if sizes and sizes[0]:
        parts.append(f"{counted_weights(sizes[0])} weights")
    return ", ".join(parts)


def _weights(run: Run) -> int:
    report = read_json(run.folder / "start.json") or {}
    return sum(math.prod(tensor["shape"]) for tensor in report.get("tensors", ()))


def counted_weights(number: int) -> str:
    """`8 k`, `462 k`, `1.2 M`."""
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} M"
    return f"{round(number / 1000)} k" if number >= 10_000 else f"{number:,}"


def _clients(runs: list[Run]) -> str:
    chosen = [run.config.get("config", {}).get("algorithm", {}) for run in runs]
    chosen = [one | _everyone(one) for one in chosen]
    cohorts = [int(one["clients_per_round"]) for one in chosen if one.get("clients_per_round")]
    populations = [int(one["population"]) for one in chosen if one.get("population")]
    if not cohorts:
        return ""
    if not populations:
        return f"{span(cohorts)} clients"
    return f"{span(cohorts)} of {span(populations)} clients"


def _everyone(algorithm: Mapping[str, Json]) -> dict[str, Json]:
    """Under --sampling=all the task's default number of clients is not who takes part."""
    if algorithm.get("sampling") != "all":
        return {}
    return {"clients_per_round": algorithm.get("population")}


def _privacy(runs: Sequence[Run]) -> list[str]:
    """`epsilon 4.15 at delta 1e-05`, by whom it protects; of runs with privacy."""
    found = []
    private = [run for run in runs if run.privacy and run.rows]
    for neighbours in unique(run.privacy["neighbours"] for run in private):
        same = [run for run in private if run.privacy["neighbours"] == neighbours]
        spent = [float(run.rows[-1].get("dp_epsilon") or math.inf) for run in same]
        epsilon = "–".join(f"{value:.3g}" for value in sorted({min(spent), max(spent)}))
        delta = same[0].privacy["delta"]
        found.append(f"epsilon {epsilon} at delta {delta:g} for {neighbours}")
    return found


def span(values: Sequence[int]) -> str:
    """`8`, or `6–18` where they differ."""
    return "–".join(f"{value:,}" for value in sorted({min(values), max(values)})) if values else "0"


IID_NAMES = ("iid", "natural_shuffled")


def has_iid_pair(study: Study, task: str) -> bool:
    """Whether the task has an IID control beside non-IID data."""
    partitions = study.values("partition", task=task)
    controls = [name for name in partitions if name in IID_NAMES]
    return bool(controls) and len(controls) < len(partitions)


def works_unequally(run: Run) -> bool:
    """Whether some of its clients do more local work than others."""
    system = run.config.get("config", {}).get("system", {})
    return float(system.get("varied_share") or 0.0) > 0.0


def has_equal_work_pair(study: Study, task: str) -> bool:
    """Whether the task has runs of equal work beside runs of unequal work."""
    return len({works_unequally(run) for run in study.select(task=task)}) == 2


def without_iid(study: Study, task: str, **wanted: Json) -> list[Run]:
    """The selected runs without those on the IID control."""
    runs = study.select(task=task, **wanted)
    if has_iid_pair(study, task):
        runs = [run for run in runs if run.coordinates.get("partition") not in IID_NAMES]
    return runs


def subjects(study: Study, task: str, **wanted: Json) -> list[Run]:
    """The selected runs without any control of their task."""
    runs = without_iid(study, task, **wanted)
    if has_equal_work_pair(study, task):
        runs = [run for run in runs if works_unequally(run)]
    return runs


def told(study: Study, task: str) -> list[str]:
    """What of a task is the subject, in words; empty without controls."""
    parts = []
    if has_iid_pair(study, task):
        parts.append("on the non-IID data")
    if has_equal_work_pair(study, task):
        parts.append("with unequal work")
    return parts


def left_chance(study: Study, task: str, start: str) -> bool:
    """Whether the median algorithm, mean over seeds, ends a tenth of the way from chance to one."""
    ends = estimate(guessing.medians(study.select(task=task, start=start)).values()).mean
    return ends > guessing.of_task(study, task).line


def note(study: Study, task: str) -> list[str]:
    """A sentence for sections that compare with a random start which stayed at chance."""
    start = study.random_start(task)
    if start is None or left_chance(study, task, start):
        return []
    names = Names(study)
    several = len(study.values("algorithm", task=task)) > 1
    return [
        f"{names.task(task)}: from {names.start(task, start)}"
        f" {'most algorithms stay' if several else 'training stays'} near chance within these"
        " rounds, and comparisons with these runs say little more than that."
    ]


def notes(study: Study, tasks: Iterable[str]) -> list[str]:
    return [sentence for task in tasks for sentence in note(study, task)]


def classes(study: Study, task: str) -> int | None:
    """How many there are: the width of the model's last tensor, where the runs say it."""
    for run in study.select(task=task)[:1]:
        tensors = (read_json(run.folder / "start.json") or {}).get("tensors", ())
        shapes = [tensor["shape"] for tensor in tensors if tensor["shape"]]
        if shapes:
            return int(shapes[-1][-1])
    return None


def client_rate(runs: Sequence[Run]) -> float | None:
    """The learning rate of the clients, where all of these runs have the same."""
    rates = {
        run.config.get("config", {}).get("algorithm", {}).get("client_learning_rate")
        for run in runs
    }
    return float(rates.pop()) if len(rates) == 1 and None not in rates else None

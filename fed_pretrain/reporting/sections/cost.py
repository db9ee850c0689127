"""What reaching a given accuracy costs: rounds and bytes."""

from fed_pretrain.experiment.metrics import bytes_to_target, rounds_to_target
from fed_pretrain.reporting.part import Section, Table
from fed_pretrain.reporting.results import Run, Study
from fed_pretrain.reporting.sections.accuracy import FINAL
from fed_pretrain.reporting.statistics import spread


def target(study: Study, task: str) -> float:
    """Nine tenths of the best mean accuracy with a random start (of any, without one)."""
    random_start = study.random_start(task)
    runs = study.select(task=task, **({"start": random_start} if random_start else {}))
    by_algorithm = {run.algorithm for run in runs}
    best = max(
        spread([run.last(FINAL) for run in runs if run.algorithm == name]).mean
        for name in by_algorithm
    )
    return 0.9 * best


def cost_section(study: Study) -> Section | None:
    tables = []
    for task in study.tasks:
        goal = target(study, task)
        rows = []
        for algorithm in study.values("algorithm", task=task):
            for start in study.starts(task):
                runs = study.select(task=task, algorithm=algorithm, start=start)
                rows.append([f"{algorithm} · {start}", *_cost(runs, goal)])
        header = ["", "rounds", "megabytes sent", "seeds that reached it"]
        caption = f"{task}: to accuracy {goal:.3f}, evaluated every few rounds"
        tables.append(Table(f"cost_{task}", caption, header, rows))
    text = [
        "The target is 90 % of the best mean final accuracy with the random start. Bytes are both"
        " ways, over all clients of the rounds; only what trains is sent each round."
    ]
    return Section("cost", "Rounds and bytes to a target", text, tables=tables) if tables else None


def _cost(runs: list[Run], goal: float) -> list[str]:
    rounds = [rounds_to_target(run.rows, FINAL, goal) for run in runs]
    sent = [bytes_to_target(run.rows, FINAL, goal) for run in runs]
    reached = [value for value in rounds if value is not None]
    if not reached:
        return ["not reached", "–", f"0 of {len(runs)}"]
    megabytes = spread([value / 1e6 for value in sent if value is not None]).mean
    mean = spread([float(value) for value in reached]).mean
    return [f"{mean:.1f}", f"{megabytes:.1f}", f"{len(reached)} of {len(runs)}"]

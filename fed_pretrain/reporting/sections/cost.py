"""What reaching a given accuracy costs: rounds and bytes."""

from fed_pretrain.experiment.metrics import bytes_to_target, rounds_to_target
from fed_pretrain.reporting.chance import left_chance
from fed_pretrain.reporting.part import Section, Table
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.setting import setting
from fed_pretrain.reporting.statistics import spread


def target(study: Study, task: str) -> float:
    """Nine tenths of the best mean accuracy with a random start that learned, else with any."""
    random_start = study.random_start(task)
    learned = random_start is not None and left_chance(study, task, random_start)
    runs = study.select(task=task, **({"start": random_start} if learned else {}))
    best = max(
        spread([run.last(FINAL) for run in runs if (run.algorithm, run.start) == cell]).mean
        for cell in {(run.algorithm, run.start) for run in runs}
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
        header = ["", "rounds", "megabytes sent", "runs that reached it"]
        caption = f"{task}: to accuracy {goal:.3f}; {setting(study, task)}"
        tables.append(Table(f"cost_{task}", caption, header, rows))
    text = [
        "The target is 90 % of the best mean final accuracy with the random start, or with any"
        " start where the random one stayed at chance. Rounds and megabytes (a million bytes) are"
        " means over the runs that reached it; bytes count both ways over all clients of a round,"
        " and only what trains is sent. Accuracy is known only at evaluated rounds, so the rounds"
        " are those of the first evaluation at or above the target."
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

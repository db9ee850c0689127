"""What reaching a given accuracy costs: rounds and bytes."""

import math

from fed_pretrain.experiment.workdir.metrics import bytes_to_target, rounds_to_target
from fed_pretrain.reporting import captions
from fed_pretrain.reporting.captions import left_chance, setting
from fed_pretrain.reporting.part import Section, Table
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.sections.accuracy import final_accuracy, row_keys
from fed_pretrain.reporting.statistics import spread


def target(study: Study, task: str) -> float:
    """Nine tenths of the best mean accuracy with a random start that learned, or with any."""
    random_start = study.random_start(task)
    learned = random_start is not None and left_chance(study, task, random_start)
    starts = [random_start] if learned else study.starts(task)
    means = [
        final_accuracy(captions.subjects(study, task, start=start, **wanted)).mean
        for _, wanted in row_keys(study, task)
        for start in starts
    ]
    return 0.9 * max((mean for mean in means if mean == mean), default=math.nan)


def cost_section(study: Study) -> Section | None:
    tables = []
    for task in study.tasks:
        goal = target(study, task)
        rows = []
        for label, wanted in row_keys(study, task):
            for start in study.starts(task):
                runs = study.select(task=task, start=start, **wanted)
                rows.append([f"{label} · {start}", *_cost(runs, goal)])
        header = ["", "rounds", "megabytes sent", "runs that reached it"]
        caption = f"{task}: to accuracy {goal:.3f}; {setting(study, task)}"
        tables.append(Table(f"cost_{task}", caption, header, rows))
    text = [
        "The target is 90 % of the best mean final accuracy with the random start (of any start"
        " where the random one stayed at chance; without control runs, such"
        " as IID data). Rounds and megabytes (a million bytes) are means over the runs that reached"
        " it; bytes count both ways over all clients of a round, and only what trains is sent."
        " Accuracy is known only at evaluated rounds, so the rounds are those of the first"
        " evaluation at or above the target."
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

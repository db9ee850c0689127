"""What a caption must say of the runs it shows: rounds, clients, seeds."""

from collections.abc import Sequence

from fed_pretrain.reporting.results import Run, Study


def setting(study: Study, task: str) -> str:
    """`40 rounds, 8 of 100 clients a round, 2 seeds`; spans where runs differ."""
    runs = study.select(task=task)
    rounds = span([int(run.rows[-1]["round"]) for run in runs if run.rows])
    parts = [f"{rounds} {'round' if rounds == '1' else 'rounds'}"]
    clients = _clients(runs)
    if clients:
        parts.append(f"{clients} a round")
    return ", ".join([*parts, seeds(study, task)])


def seeds(study: Study, task: str) -> str:
    number = len(study.values("seed", task=task))
    return "1 seed" if number == 1 else f"{number} seeds"


def _clients(runs: list[Run]) -> str:
    chosen = [run.config.get("config", {}).get("algorithm", {}) for run in runs]
    cohorts = [int(one["clients_per_round"]) for one in chosen if one.get("clients_per_round")]
    populations = [int(one["population"]) for one in chosen if one.get("population")]
    if not cohorts:
        return ""
    return f"{span(cohorts)} of {span(populations)} clients" if populations else span(cohorts)


def span(values: Sequence[int]) -> str:
    """`8`, or `6–18` where they differ."""
    return "–".join(str(value) for value in sorted({min(values), max(values)})) if values else "0"

"""The clients of a round: who they are, what each does, and what each is given."""

import dataclasses

from fed_pretrain.algorithms import schedule
from fed_pretrain.clients import sampling, uneven_work
from fed_pretrain.clients.local_work import TRAIN_SPLIT, LocalWork
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.assembly.client_states import ClientStates


def cohort_of(assembly: Assembly, round_number: int) -> list[str]:
    """The clients of a round: the same for every start and algorithm of a study."""
    work = assembly.config.work
    weights = None
    if work.sampling == "weighted":
        weights = assembly.task.dataset.index(TRAIN_SPLIT).num_examples
    return sampling.cohort(
        assembly.client_ids,
        work.clients_per_round,
        assembly.config.seed,
        round_number,
        work.sampling,
        weights,
    )


def counted(assembly: Assembly, round_number: int) -> list[str]:
    """The clients that a row counts: those that worked, but with privacy as many as are planned.

    How many came, and whether they had come before, is exact where accountants take it for secret.
    """
    algorithm, seed = assembly.config.algorithm, assembly.config.seed
    if not algorithm.private:
        return [plan.client_id for plan in _plans(assembly, round_number)]
    planned = algorithm.planned_clients
    return sampling.cohort(assembly.client_ids, planned, seed, round_number, "in_turn")


def _work_of(assembly: Assembly, round_number: int) -> LocalWork:
    """The local work of a round before heterogeneity: decreasing steps are a schedule's."""
    work, config = assembly.work, assembly.config.algorithm
    if config.local_steps_schedule == "constant" or work.steps is None:
        return work
    steps = schedule.local_steps(config, work.steps, round_number - 1)
    return dataclasses.replace(work, steps=steps)


def inputs(
    assembly: Assembly, round_number: int, states: ClientStates | None = None
) -> list[ClientInput]:
    """The round's clients with their work; heterogeneity may shorten or drop it."""
    states = states or ClientStates(assembly.algorithm)
    reader = assembly.seen.task.reader(TRAIN_SPLIT)
    late_rounds = assembly.config.algorithm.late_rounds
    found = []
    for plan in _plans(assembly, round_number):
        read = reader.bind(plan.client_id, plan.work, assembly.config.seed, plan.began)
        read = uneven_work.late_read(read, plan.lag) if late_rounds else read
        found.append(ClientInput(plan.client_id, read, states.get(plan.client_id)))
    return found


def _plans(assembly: Assembly, round_number: int) -> list[uneven_work.ClientPlan]:
    config = assembly.config
    return uneven_work.plan_round(
        config.system,
        _work_of(assembly, round_number),
        cohort_of(assembly, round_number),
        assembly.task.dataset.index(TRAIN_SPLIT),
        config.seed,
        round_number,
        config.algorithm.late_rounds,
        lambda earlier: cohort_of(assembly, earlier),
    )

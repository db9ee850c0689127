"""What each client of a cohort would send, one update at a time, by the run's own client update.

The round itself keeps no client's update; analysis does the clients' work again. An update is the
received minus the trained weights, before the aggregation clips, compresses or adds noise.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from fed_pretrain.algorithms.algorithm import Algorithm
from fed_pretrain.executors.executor import ClientInput, Executor
from groundwork.untyped import State

Updates = Iterator[tuple[list[np.ndarray], float]]


def local_updates(
    executor: Executor, algorithm: Algorithm, state: State, clients: Sequence[ClientInput]
) -> Updates:
    """(update, weight in the round's mean) of each client, in the cohort's order.

    `state` is the server's before the round, so the rule's own state and schedules count. A client
    without local work has zeros and no weight.
    """
    if algorithm.first_pass is not None:
        state = algorithm.first_pass.run(executor, state, clients)
    told = algorithm.told(state)
    for found in executor.map_clients(algorithm.one_client, told, clients):
        yield [np.asarray(part) for part in found["update"]], float(found["weight"])

"""What a round that moves no weights still moves: the schedules, and the models of late clients."""

import numpy as np
import tensorflow as tf

from fed_pretrain.algorithms import schedule
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.executors.graphs import structures
from fed_pretrain.experiment.workdir.checkpoints import CLIENT_ROUND, PAST_MODELS, StateLayout
from groundwork.untyped import Json, Leaf, State

_SERVER_ROUND = "state/finalizer/round_num"
_SERVER_RATE = "state/finalizer/optimizer/learning_rate"


def after_round(
    layout: StateLayout, state: State, round_number: int, config: ResolvedAlgorithm, ran: bool
) -> State:
    """The state after a round; `ran` is false where no client took part.

    A round without clients does not run the process, and TFF keeps the server optimizer's state,
    its schedule's round included, when an update is rejected. Both schedules follow the run's
    rounds, and the models that late clients began with follow one another, whatever happened.
    """
    leaves = dict(zip(layout.paths, structures.flatten(state, layout.tree), strict=True))
    moved: dict[str, Json] = {}
    if not ran:
        moved |= _shifted(leaves)
    if CLIENT_ROUND in leaves and _number(leaves[CLIENT_ROUND]) != round_number:
        moved[CLIENT_ROUND] = np.int32(round_number)
    if _SERVER_ROUND in leaves and _number(leaves[_SERVER_ROUND]) != round_number:
        factor = schedule.server(config).factor(tf.constant(round_number))
        moved[_SERVER_ROUND] = np.int32(round_number)
        moved[_SERVER_RATE] = np.asarray(config.server_learning_rate * factor)
    if not moved:
        return state
    return structures.unflatten(iter((leaves | moved).values()), layout.tree)


def _shifted(leaves: dict[str, Json]) -> dict[str, Json]:
    """The past models, the server's own as the newest of them: `distributor/AGE/TENSOR`."""
    newest = [leaf for path, leaf in leaves.items() if path.startswith("model/trainable/")]
    past = [path for path in leaves if path.startswith(PAST_MODELS)]
    return dict(zip(past, [*newest, *(leaves[path] for path in past)], strict=False))


def _number(leaf: Leaf) -> int:
    return int(structures.to_host(leaf))

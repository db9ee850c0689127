"""The round that comes after given weights: its clients, and the state they would meet."""

import functools

import numpy as np

from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.experiment.assembly import round_clients
from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.assembly.client_states import ClientStates
from fed_pretrain.experiment.workdir.checkpoints import (
    CLIENT_ROUND,
    PAST_MODELS,
    KeptWeights,
    StateLayout,
)
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes.local_updates import local_updates
from fed_pretrain.probes.subject import ComingRound

_RULE = "state/client_work/rule"


def after(
    assembly: Assembly,
    weights: ModelArrays,
    round_number: int,
    kept: KeptWeights | None,
    most_clients: int | None,
) -> ComingRound:
    """From a checkpoint everything is as in the run; a snapshot holds the model alone."""
    algorithm = assembly.algorithm
    layout = StateLayout.of(algorithm, assembly.start.names)
    initial = algorithm.initial_state(assembly.executor)
    model = (weights.trainable, weights.non_trainable)
    arrays = layout.to_arrays(layout.with_model(initial, model))
    arrays[CLIENT_ROUND] = np.asarray(round_number, arrays[CLIENT_ROUND].dtype)
    states = ClientStates(algorithm)
    held = {} if kept is None else dict(kept.arrays(round_number))
    whole = all(path in held for path in layout.stored)
    if whole:
        arrays |= {path: held[path] for path in layout.stored}
        states.restore(held)
    clients = round_clients.inputs(assembly, round_number + 1, states)[:most_clients]
    state = layout.from_arrays(arrays)
    known = whole or round_number == 0
    return ComingRound(
        number=round_number + 1,
        client_ids=[client.client_id for client in clients],
        updates=functools.partial(local_updates, assembly.executor, algorithm, state, clients),
        client_update=algorithm.config.client_update,
        client_learning_rate=algorithm.config.client_learning_rate,
        servers_own=known_updates.named(algorithm.config.client_update).servers_own,
        approximate=None if known else _missing(assembly, layout, round_number),
    )


def _missing(assembly: Assembly, layout: StateLayout, round_number: int) -> str | None:
    """What a round needs beside the model and its number."""
    lost = []
    if any(path.startswith(_RULE) for path in layout.paths):
        lost.append("the server state of the client update")
    if assembly.algorithm.client_state_spec is not None:
        lost.append("the clients' states")
    if any(path.startswith(PAST_MODELS) for path in layout.paths):
        lost.append("the models of earlier rounds")
    if not lost:
        return None
    return (
        f"round {round_number} has kept the model only: {' and '.join(lost)} are those"
        " before the first round; a round with a checkpoint has all of it"
    )

"""The round that comes after the subject's weights: its clients, and the state they would meet."""

import dataclasses
from typing import Any

import numpy as np

from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly.client_states import ClientStates
from fed_pretrain.experiment.training import rounds
from fed_pretrain.experiment.workdir.checkpoints import StateLayout
from fed_pretrain.probes.local_updates import Updates, local_updates

_ROUND = "state/client_work/round"
_RULE, _OLD_MODELS = "state/client_work/rule", "state/distributor"


@dataclasses.dataclass(frozen=True)
class ComingRound:
    """`approximate` says what of the run's own state is not there; None when all of it is."""

    subject: Subject
    number: int
    state: Any
    clients: list[ClientInput]
    approximate: str | None

    def updates(self) -> Updates:
        """Each client's update and weight, in the cohort's order."""
        assembly = self.subject.assembly
        return local_updates(assembly.executor, assembly.algorithm, self.state, self.clients)

    def provenance(self) -> dict[str, Any]:
        """How the updates came about, for a JSON file."""
        config = self.subject.assembly.algorithm.config
        return {
            "round": self.number,
            "client_update": config.client_update,
            "client_learning_rate": config.client_learning_rate,
            "updates": "each client's own update, before the aggregation clips, compresses or"
            " adds noise",
            "approximate": self.approximate,
        }


def after(subject: Subject) -> ComingRound:
    """From a checkpoint everything is as in the run; a snapshot holds the model alone."""
    assembly = subject.assembly
    layout = StateLayout.of(assembly.algorithm.process, assembly.start.names)
    initial = assembly.executor.initialize(assembly.algorithm.process)
    arrays = layout.to_arrays(layout.with_model(initial, _weights(subject)))
    arrays[_ROUND] = np.asarray(subject.round_number, arrays[_ROUND].dtype)
    states = ClientStates(assembly.algorithm)
    kept = {} if subject.kept is None else dict(subject.kept.arrays(subject.round_number))
    whole = all(path in kept for path in layout.paths)
    if whole:
        arrays |= {path: kept[path] for path in layout.paths}
        states.restore(kept)
    number = subject.round_number + 1
    clients = rounds.round_inputs(assembly, number, states)[: subject.config.clients]
    known = whole or subject.round_number == 0
    missing = None if known else _missing(subject, layout)
    return ComingRound(subject, number, layout.from_arrays(arrays), clients, missing)


def _weights(subject: Subject) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return subject.weights.trainable, subject.weights.non_trainable


def _missing(subject: Subject, layout: StateLayout) -> str | None:
    """What a round meets beside the model and its number."""
    lost = []
    if any(path.startswith(_RULE) for path in layout.paths):
        lost.append("the server state of the client update")
    if subject.assembly.algorithm.client_state_spec is not None:
        lost.append("the clients' states")
    if any(path.startswith(_OLD_MODELS) for path in layout.paths):
        lost.append("the models of earlier rounds")
    if not lost:
        return None
    return (
        f"round {subject.round_number} has kept the model only: {' and '.join(lost)} are those"
        " before the first round; a round with a checkpoint has all of it"
    )

"""A learning process of somebody else's as an algorithm: what a driver asks of it."""

import collections
import dataclasses

from fed_pretrain.algorithms import batched_clients
from fed_pretrain.algorithms.algorithm import Algorithm, named_scalars
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.kept_state import KeptState
from groundwork.errors import UserError
from groundwork.untyped import Computation, Nested, Process, Spec, State

_EXAMPLES = "num_examples"


@dataclasses.dataclass(frozen=True)
class ForeignAlgorithm(Algorithm):
    """What the process reports of its clients is all that is known of them."""

    @property
    def label(self) -> str:
        return "a process of the user's"

    def train_sums(self, metrics: Nested) -> "collections.OrderedDict[str, float]":
        found = named_scalars(metrics.get("client_work", metrics))
        examples = found.get(_EXAMPLES, 0.0)
        accuracy = next((v for name, v in found.items() if name.endswith("accuracy")), None)
        return collections.OrderedDict(
            loss_sum=found.get("loss", 0.0) * examples,
            count=examples,
            correct=(accuracy or 0.0) * examples,
            scored=0.0 if accuracy is None else examples,
            examples=examples,
            nonfinite=0.0,
        )

    def extra_columns(self, metrics: Nested) -> dict[str, float]:
        return {}

    def alignment(self, metrics: Nested) -> None:
        return None

    def layer_alignment(self, metrics: Nested) -> dict[str, dict[str, float]]:
        return {}

    def told(self, state: State) -> "collections.OrderedDict[str, Nested]":
        raise UserError(_SINGLE)


_SINGLE = (
    "--probes: the updates of single clients of a process of yours are not known; probes that look"
    " at them need one of ours"
)


def algorithm(theirs: Process, payload_spec: Spec, config: ResolvedAlgorithm) -> ForeignAlgorithm:
    """`config` describes none of it; it holds what every run has."""
    return ForeignAlgorithm(
        config=config,
        process=batched_clients.process_over_payloads(theirs, payload_spec),
        kept=KeptState(own=None, specs=[]),
        layer_names=(),
        models_down=1.0,
        models_up=1.0,
        build_one_client=_no_single_update,
        first_parts=_no_parts,
    )


def _no_parts(config: ResolvedAlgorithm) -> dict[str, State]:
    """Of its state nothing follows from a config of ours."""
    return {}


def _no_single_update() -> Computation:
    raise UserError(_SINGLE)

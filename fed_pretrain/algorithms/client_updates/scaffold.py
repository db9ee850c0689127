"""SCAFFOLD (Karimireddy et al. 2020), option II, for any weights of the clients.

g <- g - c_i + c; c_i' = c_i - c + Delta_i / (K eta); c <- c + sum_i w_i (c_i' - c_i) / W, with K
the local steps taken, w_i the client's weight in the mean update by which the server moves, and W
the weight of all clients there are. The paper has w_i = 1 and W = N; with --weighting=examples its
f is sum_i w_i f_i / W. c = sum_i w_i c_i / W holds throughout because W never changes: divided by
the weight of each round's cohort, c would lead to the optimum of another objective.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome, weight_of
from groundwork.untyped import Nested, Spec, State

if TYPE_CHECKING:
    import tensorflow as tf

    from fed_pretrain.algorithms.client_updates.local_training import LocalTraining, Specs, Tensors


@dataclasses.dataclass(frozen=True)
class Scaffold(ClientUpdate):
    name = "scaffold"
    paper = "Karimireddy et al. 2020"
    help = "Local SGD, corrected by control variates of the client and the server."
    algorithm = "scaffold"
    keeps_state = True
    own_server_sums = True
    no_momentum = "its control variates take Delta / (K eta) for the mean gradient"
    extra_models_down = 1.0
    extra_models_up = 1.0

    uniform: bool

    @classmethod
    def of(cls, config: ResolvedAlgorithm) -> Self:
        return cls(config.weighting == "uniform")

    def server_state(self, specs: Specs) -> State:
        from fed_pretrain.algorithms.client_updates.local_training import zeros

        return collections.OrderedDict(control=zeros(specs))

    def client_state_spec(self, specs: Specs) -> Spec:
        return collections.OrderedDict(control=list(specs))

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        import tensorflow as tf

        pairs = list(zip(server["control"], client["control"], strict=True))

        def correct(gradients: Tensors) -> Tensors:
            return [g + (c - own) for g, (c, own) in zip(gradients, pairs, strict=True)]

        training.descend(correct)
        delta = training.delta()
        steps = tf.cast(training.steps, tf.float32)
        change = [
            tf.math.divide_no_nan(d, steps * rate) - c
            for d, rate, (c, _) in zip(delta, training.rates, pairs, strict=True)
        ]
        new = [own + d for d, (_, own) in zip(change, pairs, strict=True)]
        weight = weight_of(training, self.uniform)
        return Outcome(
            delta,
            sums=collections.OrderedDict(control=[weight * d for d in change]),
            client_state=collections.OrderedDict(control=new),
        )

    def advance(self, server: State, sums: Nested, numbers: Mapping[str, tf.Tensor]) -> State:
        from fed_pretrain.algorithms.values import divided

        everyone = numbers["population_weight"]
        pairs = zip(server["control"], sums["control"], strict=True)
        return collections.OrderedDict(control=[c + divided(s, everyone) for c, s in pairs])

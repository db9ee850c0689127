"""FedNova (Wang et al. 2020): updates divided by how much work they represent.

Canonical: x <- x - eta_s * tau_eff * sum_i p_i Delta_i / a_i with tau_eff = sum_i p_i a_i, where
a_i = ||a_i||_1 is tau_i for plain SGD, and for momentum rho or a proximal term mu the normaliser of
the paper's table. Authors' form ("Where to Begin?", reference code of 2022): weights proportional
to n_i / tau_i that sum to one over the cohort, and nothing else.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Self

from fed_pretrain.algorithms.algorithm_config import HEAD_SETTINGS, ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome
from fed_pretrain.algorithms.client_updates.proximal import pull
from groundwork.untyped import Factory, State

if TYPE_CHECKING:
    import tensorflow as tf

    from fed_pretrain.algorithms.client_updates.local_training import LocalTraining


@dataclasses.dataclass(frozen=True)
class Nova(ClientUpdate):
    name = "nova"
    paper = "Wang et al. 2020"
    help = "Local SGD, its update divided by the local work that made it."
    algorithm = "fednova"
    understands = ("proximal_strength",)
    servers_own = "FedNova's server divides every update by its local work before it averages"
    scaled = True

    pulls: bool = False

    @classmethod
    def of(cls, config: ResolvedAlgorithm) -> Self:
        return cls(bool(config.proximal_strength))

    @classmethod
    def refusals(cls, config: ResolvedAlgorithm) -> list[str]:
        found = []
        if config.proximal_strength and config.client_momentum:
            found.append(
                "FedNova's normaliser is known for momentum or for a proximal term, not for both: "
                "drop --client_momentum or --proximal_strength"
            )
        if config.proximal_strength and config.moves_head_apart:
            found.append(
                "FedNova's normaliser with a proximal term is of one rate: leave out "
                f"{HEAD_SETTINGS}, or --proximal_strength"
            )
        return found

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        training.descend(pull(training, self.pulls))
        return Outcome(training.delta(), scale=self._normaliser(training))

    def wrap_aggregator(self, factory: Factory) -> Factory:
        from fed_pretrain.algorithms.client_updates.own_means import NovaMeanFactory

        return NovaMeanFactory(factory)

    def _normaliser(self, training: LocalTraining) -> tf.Tensor:
        import tensorflow as tf

        tau = tf.cast(training.steps, tf.float32)
        if training.settings.momentum:
            momentum = training.numbers["client_momentum"]
            rest = training.complements["client_momentum"]
            geometric = momentum * (1.0 - tf.pow(momentum, tau)) / rest
            return (tau - geometric) / rest
        if self.pulls:
            pull_back = training.learning_rate * training.numbers["proximal_strength"]
            return (1.0 - tf.pow(1.0 - pull_back, tau)) / pull_back
        return tau


class NovaAuthors(ClientUpdate):
    name = "nova_authors"
    paper = "Where to Begin? (code)"
    help = "Local SGD, its weight divided by the number of local steps."
    algorithm = "fednova_authors"
    not_private = "differential privacy weighs clients alike, which undoes nova_authors"

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        import tensorflow as tf

        training.descend()
        tau = tf.cast(training.steps, tf.float32)
        return Outcome(training.delta(), weight_factor=tf.math.divide_no_nan(1.0, tau))

"""FedNova (Wang et al. 2020): updates divided by how much work they stand for.

Canonical: x <- x - eta_s * tau_eff * sum_i p_i Delta_i / a_i with tau_eff = sum_i p_i a_i, where
a_i = ||a_i||_1 is tau_i for plain SGD, and for momentum rho or a proximal term mu the normaliser of
the paper's table. Authors' form ("Where to Begin?", reference code of 2022): weights proportional
to n_i / tau_i that sum to one over the cohort, and nothing else.
"""

import dataclasses
from typing import Any

import tensorflow as tf

from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining
from fed_pretrain.algorithms.client_updates.proximal import pull


@dataclasses.dataclass(frozen=True)
class Nova(ClientUpdate):
    proximal_strength: float = 0.0
    scaled = True

    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        training.descend(pull(training, self.proximal_strength))
        return Outcome(training.delta(), scale=self._normaliser(training))

    def wrap_aggregator(self, factory: Any) -> Any:
        from fed_pretrain.algorithms.client_updates.own_means import NovaMeanFactory

        return NovaMeanFactory(factory)

    def _normaliser(self, training: LocalTraining) -> tf.Tensor:
        tau = tf.cast(training.steps, tf.float32)
        momentum = training.settings.momentum
        if momentum:
            geometric = momentum * (1.0 - tf.pow(momentum, tau)) / (1.0 - momentum)
            return (tau - geometric) / (1.0 - momentum)
        if self.proximal_strength:
            pull_back = training.learning_rate * self.proximal_strength
            return (1.0 - tf.pow(1.0 - pull_back, tau)) / pull_back
        return tau


class NovaAuthors(ClientUpdate):
    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        training.descend()
        tau = tf.cast(training.steps, tf.float32)
        return Outcome(training.delta(), weight_factor=tf.math.divide_no_nan(1.0, tau))

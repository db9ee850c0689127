"""Mime (Karimireddy et al. 2021): MimeLite with a variance-reduced gradient.

g <- grad(y; b) - grad(x; b) + c, with c the cohort's mean full gradient at x. c is of this round's
own cohort, so a round takes two passes: `first_pass` sums the full gradients, `absorb` puts their
mean into the state, and only then the process runs. s <- V(c, s) as in MimeLite.
"""

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from fed_pretrain.algorithms.client_updates import server_state
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome, Specs
from fed_pretrain.algorithms.client_updates.local_training import (
    Gradients,
    LocalSettings,
    LocalTraining,
)
from fed_pretrain.algorithms.client_updates.mimelite import weighted
from fed_pretrain.clients.payload import payload_of


@dataclasses.dataclass(frozen=True)
class Mime(ClientUpdate):
    optimizer: Any
    uniform: bool
    extra_models_down = 1.0
    extra_models_up = 1.0
    needs_anchor = True

    def server_state(self, specs: Specs) -> Any:
        return collections.OrderedDict(
            optimizer=self.optimizer.initialize(list(specs)),
            gradient=[tf.zeros(s.shape, s.dtype) for s in specs],
            fresh=tf.constant(0.0),
        )

    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        state = server_state.at_rate(server["optimizer"], training.learning_rate)
        mean = list(server["gradient"])
        message = "mime ran without its first pass: call absorb(state, first pass) each round"
        with tf.control_dependencies([tf.debugging.Assert(server["fresh"] > 0.0, [message])]):
            mean = [tf.identity(c) for c in mean]

        def step(gradients: Gradients, index: tf.Tensor) -> None:
            at_start = training.anchor_gradients(index)
            reduced = [
                tf.convert_to_tensor(g) - tf.convert_to_tensor(a) + c
                for g, a, c in zip(gradients, at_start, mean, strict=True)
            ]
            server_state.step(self.optimizer, state, training, reduced)

        training.loop(step)
        return Outcome(training.delta())

    def advance(self, server: Any, sums: Any) -> Any:
        gradient = list(server["gradient"])
        specs = [tf.TensorSpec(g.shape, g.dtype) for g in gradient]
        return collections.OrderedDict(
            optimizer=server_state.advanced(self.optimizer, server["optimizer"], gradient, specs),
            gradient=gradient,
            fresh=tf.zeros([]),
        )


@dataclasses.dataclass(frozen=True)
class FirstPass:
    """Before each round: `state = first_pass.run(executor, state, clients)`."""

    computation: Any

    def run(self, executor: Any, state: Any, clients: Any) -> Any:
        """The state the round may start from."""
        weights = _parts(state)["global_model_weights"]
        return self.absorb(state, executor.sum_clients(self.computation, weights, clients))

    @staticmethod
    def absorb(state: Any, sums: Any) -> Any:
        total = sums["weight"]
        work = collections.OrderedDict(_parts(state)["client_work"])
        rule = collections.OrderedDict(work["rule"])
        rule["gradient"] = [g / total if total > 0 else g for g in sums["gradient"]]
        rule["fresh"] = total * 0.0 + 1.0
        work["rule"] = rule
        if isinstance(state, dict):
            return type(state)({**state, "client_work": work})
        return state._replace(client_work=work)


def _parts(state: Any) -> Any:
    """TFF's state by name: its own tuple, or the mapping a restored one is."""
    return state if isinstance(state, dict) else state._asdict()


def first_pass(
    rule: Mime, model_fn: Callable[[], Any], objective: Any, weights_type: Any, payload_type: Any
) -> FirstPass:
    import tensorflow_federated as tff

    @tff.tensorflow.computation(weights_type, payload_type)
    def computation(weights: Any, data: Any) -> Any:
        payload = payload_of(data)
        training = LocalTraining(model_fn, objective, LocalSettings())

        @tf.function
        def gradient(weights: Any, payload: Any) -> Any:
            training.prepare(weights, payload, tf.constant(0.0))
            mean, _ = training.full_gradient()
            sums = weighted(training, mean, rule.uniform)
            takes_part = tf.cast(training.steps > 0, tf.float32)
            return tf.nest.map_structure(lambda t: t * takes_part, sums)

        return gradient(weights, payload)

    return FirstPass(computation)

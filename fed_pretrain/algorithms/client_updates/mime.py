"""Mime and MimeLite (Karimireddy et al. 2021): local steps with the server optimizer's state fixed.

MimeLite: y <- y - eta * U(g, s); afterwards s <- V(mean_i grad F_i(x), s) and
x <- x - eta_s mean_i Delta_i.

Mime reduces the gradient's variance: g <- grad(y; b) - grad(x; b) + c, with c the cohort's mean
full gradient at x. c is of this round's cohort, so a round takes two passes: the first sums the
full gradients, `absorb` puts their mean into the state, and only then the process runs.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates.client_update import (
    STATE,
    ClientUpdate,
    Outcome,
    Settings,
    SumsClients,
    weight_of,
)
from groundwork.untyped import Client, Computation, Nested, Optimizer, State, TffModel, TffType

if TYPE_CHECKING:
    import tensorflow as tf

    from fed_pretrain.algorithms.client_updates.local_training import (
        Gradients,
        LocalTraining,
        Specs,
        Tensors,
    )
    from fed_pretrain.tasks.objective import Loss


@dataclasses.dataclass(frozen=True)
class _HoldsServerOptimizer(ClientUpdate):
    paper = "Karimireddy et al. 2021"
    # TFF's momentum, m <- beta m + g, makes a local step 1 / (1 - beta) times as long, and only
    # after about as many rounds, for Mime moves m once a round. The paper's 0.9, written
    # (1 - beta) g + beta m there, needs a tenth of FedAvg's rate here, then idles for ten rounds.
    fixed: ClassVar[Settings] = {"server_momentum": 0.5}
    own_server_sums = True
    no_momentum = "its momentum is the server's, held fixed (--server_momentum)"
    one_rate = "the server's optimizer, which its clients hold fixed, has one"
    holds_server_optimizer = True
    extra_models_up = 1.0

    optimizer: Optimizer
    uniform: bool

    @classmethod
    def of(cls, config: ResolvedAlgorithm) -> Self:
        from fed_pretrain.algorithms import server_optimizer

        return cls(server_optimizer.build(config), config.weighting == "uniform")

    def structure(self) -> Hashable:
        """The config says which optimizer it is."""
        return type(self), self.uniform

    def step(self, state: State, training: LocalTraining, gradients: Gradients) -> None:
        """Moves the variables by one step; the state it would have moved to is dropped."""
        import tensorflow as tf

        weights = [tf.convert_to_tensor(v) for v in training.variables]
        _, moved = self.optimizer.next(state, weights, [tf.convert_to_tensor(g) for g in gradients])
        for variable, value in zip(training.variables, moved, strict=True):
            variable.assign(value)

    def advanced(self, state: State, gradient: Tensors) -> State:
        """The optimizer's state after the cohort's mean gradient; weights play no part in it."""
        import tensorflow as tf

        nothing = [tf.zeros(g.shape, g.dtype) for g in gradient]
        return self.optimizer.next(state, nothing, gradient)[0]


class MimeLite(_HoldsServerOptimizer):
    name = "mimelite"
    help = "Local steps of the server's optimizer, its state held fixed."
    algorithm = "mimelite"

    def server_state(self, specs: Specs) -> State:
        return collections.OrderedDict(optimizer=self.optimizer.initialize(list(specs)))

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        gradient, _ = training.full_gradient()
        state = _at_rate(server["optimizer"], training.learning_rate)

        def step(gradients: Gradients, index: tf.Tensor) -> None:
            self.step(state, training, training.regularised(gradients))

        training.loop(step)
        return Outcome(training.delta(), sums=_weighted(training, gradient, self.uniform))

    def advance(self, server: State, sums: Nested, numbers: Mapping[str, tf.Tensor]) -> State:
        import tensorflow as tf

        mean = [tf.math.divide_no_nan(g, sums["weight"]) for g in sums["gradient"]]
        state = tf.cond(
            sums["weight"] > 0.0,
            lambda: self.advanced(server["optimizer"], mean),
            lambda: tf.nest.map_structure(tf.identity, server["optimizer"]),
        )
        return collections.OrderedDict(optimizer=state)


class Mime(_HoldsServerOptimizer):
    name = "mime"
    help = "MimeLite with a gradient of reduced variance; a round runs its clients twice."
    algorithm = "mime"
    own_gradient_steps = True
    two_passes = True
    needs_anchor = True
    extra_models_down = 1.0

    def server_state(self, specs: Specs) -> State:
        import tensorflow as tf

        return collections.OrderedDict(
            optimizer=self.optimizer.initialize(list(specs)),
            gradient=[tf.zeros(s.shape, s.dtype) for s in specs],
            fresh=tf.constant(0.0),
        )

    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        import tensorflow as tf

        state = _at_rate(server["optimizer"], training.learning_rate)
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
            self.step(state, training, reduced)

        sound = self._sound(training, server["fresh"])
        training.loop(step)
        return Outcome([d + sound for d in training.delta()])

    def _sound(self, training: LocalTraining, fresh: tf.Tensor) -> tf.Tensor:
        """0, or NaN if the first pass left out this client's gradient, so that it is left out here.

        Only the number of such clients is known, so each looks for itself where there are any.
        """
        import tensorflow as tf

        from fed_pretrain.algorithms.values import finite

        def own() -> tf.Tensor:
            sums = _weighted(training, training.full_gradient()[0], self.uniform)
            return tf.where(finite(sums), 0.0, float("nan"))

        return tf.cond(fresh > 1.0, own, lambda: tf.constant(0.0))

    def advance(self, server: State, sums: Nested, numbers: Mapping[str, tf.Tensor]) -> State:
        import tensorflow as tf

        gradient = list(server["gradient"])
        return collections.OrderedDict(
            optimizer=self.advanced(server["optimizer"], gradient),
            gradient=gradient,
            fresh=tf.zeros([]),
        )

    def first_pass(
        self,
        model_fn: Callable[[], TffModel],
        objective: Loss | None,
        weights_type: TffType,
        payload_type: TffType,
    ) -> MimeFirstPass:
        import tensorflow as tf
        import tensorflow_federated as tff

        from fed_pretrain.algorithms.client_updates.local_optimizers import LocalSettings
        from fed_pretrain.algorithms.client_updates.local_training import LocalTraining
        from fed_pretrain.algorithms.values import finite
        from fed_pretrain.clients.payload import payload_of
        from fed_pretrain.models.tracing import Traced

        @tff.tensorflow.computation(weights_type, payload_type)
        def computation(weights: Nested, data: Nested) -> Nested:
            payload = payload_of(data)
            training = LocalTraining(model_fn, objective, LocalSettings())

            @Traced
            def gradient(weights: Nested, payload: Nested) -> Nested:
                training.prepare(weights, payload, tf.constant([0.0, 0.0]))
                mean, _ = training.full_gradient()
                sums = _weighted(training, mean, self.uniform)
                takes_part, sound = training.steps > 0, finite(sums)
                counts = tf.logical_and(takes_part, sound)
                sums = tf.nest.map_structure(lambda t: tf.where(counts, t, tf.zeros_like(t)), sums)
                left_out = tf.logical_and(takes_part, tf.logical_not(sound))
                return collections.OrderedDict(sums, nonfinite=tf.cast(left_out, tf.float32))

            return gradient(weights, payload)

        return MimeFirstPass(computation)


@dataclasses.dataclass(frozen=True)
class MimeFirstPass:
    """Before each round: `state = first_pass.run(executor, state, clients)`."""

    computation: Computation

    def run(self, executor: SumsClients, state: State, clients: Sequence[Client]) -> Nested:
        """The state the round may start from."""
        weights = _parts(state)["global_model_weights"]
        return self.absorb(state, executor.sum_clients(self.computation, weights, clients))

    @staticmethod
    def absorb(state: State, sums: Nested) -> State:
        """`fresh` becomes 1 and the number of clients whose gradient was not finite."""
        total = sums["weight"]
        work = collections.OrderedDict(_parts(state)["client_work"])
        own = collections.OrderedDict(work[STATE])
        own["gradient"] = [g / total if total > 0 else g for g in sums["gradient"]]
        own["fresh"] = total * 0.0 + 1.0 + sums["nonfinite"]
        work[STATE] = own
        if isinstance(state, dict):
            return type(state)({**state, "client_work": work})
        return state._replace(client_work=work)


def _parts(state: State) -> Nested:
    """TFF's state by name: its own tuple, or the mapping a restored one is."""
    return state if isinstance(state, dict) else state._asdict()


def _at_rate(state: State, learning_rate: tf.Tensor) -> Nested:
    """The optimizer's state with the client's learning rate in it."""
    own = collections.OrderedDict(state)
    own["learning_rate"] = learning_rate
    return own


def _weighted(training: LocalTraining, gradient: Tensors, uniform: bool) -> Nested:
    """The client's full gradient, times its weight, beside the weight."""
    weight = weight_of(training, uniform)
    return collections.OrderedDict(gradient=[weight * g for g in gradient], weight=weight)

"""One step of central training with an optimizer whose whole state is saved by name."""

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from fed_pretrain.models import dropout
from fed_pretrain.models.tracing import Traced
from fed_pretrain.pretraining.pretrain_config import OPTIMIZERS
from fed_pretrain.starts import weight_names
from fed_pretrain.tasks.objective import mean_loss
from fed_pretrain.tasks.task import Task
from groundwork.errors import UserError
from groundwork.untyped import Optimizer


class CentralStep:
    """Model, optimizer and the compiled step; arrays in, arrays out.

    One serves every training of its structure, in turn: each `begin`s anew.
    """

    def __init__(
        self, task: Task, model: tf.keras.Model, optimizer: str, weight_decay: float
    ) -> None:
        self._task = task
        self.model = model
        self._optimizer = _optimizer(optimizer, weight_decay)
        self._optimizer.build(model.trainable_variables)
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        self._names = weight_names.names(model)
        self._train = Traced(self._train_step, reduce_retracing=True)
        self._sums = Traced(self._evaluation_sums, reduce_retracing=True)

    def begin(self, weights: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
        """From these weights, trainable and not, the optimizer as if it had never stepped."""
        model = self.model
        for variables, values in (
            (model.trainable_variables, weights[0]),
            (model.non_trainable_variables, weights[1]),
            (self._optimizer.variables, self._fresh),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def train(
        self, x: np.ndarray, y: np.ndarray, key: np.ndarray, learning_rate: float
    ) -> dict[str, float]:
        """The sums of the batch before the update."""
        self._optimizer.learning_rate.assign(learning_rate)
        sums = self._train(tf.constant(x), tf.constant(y), tf.constant(key))
        return {name: float(value) for name, value in sums.items()}

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        sums = self._sums(tf.constant(x), tf.constant(y))
        return {name: float(value) for name, value in sums.items()}

    def weights(self) -> dict[str, np.ndarray]:
        """The model's weights under the names of a run's checkpoint."""
        kinds = (
            ("trainable", self._names[0], self.model.trainable_variables),
            ("non_trainable", self._names[1], self.model.non_trainable_variables),
        )
        return {
            f"model/{kind}/{name}": variable.numpy()
            for kind, names, variables in kinds
            for name, variable in zip(names, variables, strict=True)
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything a resumed training needs."""
        slots = {f"optimizer/{n:04d}": v.numpy() for n, v in enumerate(self._optimizer.variables)}
        return {**self.weights(), **slots}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        for kind, names, variables in (
            ("trainable", self._names[0], self.model.trainable_variables),
            ("non_trainable", self._names[1], self.model.non_trainable_variables),
        ):
            for name, variable in zip(names, variables, strict=True):
                variable.assign(arrays[f"model/{kind}/{name}"])
        for number, variable in enumerate(self._optimizer.variables):
            variable.assign(arrays[f"optimizer/{number:04d}"])

    def _train_step(self, x: tf.Tensor, y: tf.Tensor, key: tf.Tensor) -> dict[str, tf.Tensor]:
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape, dropout.keyed(key):
            logits = self.model(x, training=True)
            statistics = self._task.statistics(y, logits)
            loss = mean_loss(statistics) + tf.add_n([0.0, *self.model.losses])
        gradients = tape.gradient(loss, variables)
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return statistics

    def _evaluation_sums(self, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._task.statistics(y, self.model(x, training=False))


def learning_rate(base: float, schedule: str, step: int, steps: int) -> float:
    """The learning rate of one step."""
    if schedule == "constant":
        return base
    return base * 0.5 * (1.0 + math.cos(math.pi * step / max(steps, 1)))


def _optimizer(name: str, weight_decay: float) -> Optimizer:
    if name == "sgd":
        return tf.keras.optimizers.SGD(0.0, momentum=0.9, weight_decay=weight_decay or None)
    if name in ("adam", "adamw"):
        return tf.keras.optimizers.Adam(0.0, weight_decay=weight_decay or None)
    raise UserError(f"--optimizer is {name!r}, must be one of {', '.join(OPTIMIZERS)}")

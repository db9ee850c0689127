"""What applies the gradient of a local step, by name (`--client_optimizer`).

- sgd, momentum: v <- beta v + g; y <- y - eta v
- adam (Kingma and Ba 2015): m and v are means of g and g^2, both corrected for their zero start;
  y <- y - eta m / (sqrt(v) + epsilon)
- adamw (Loshchilov and Hutter 2019): the same, and y <- y - eta lambda y, lambda the weight decay
- yogi (Zaheer et al. 2018): adam with v <- v - (1 - beta2) sign(v - g^2) g^2

The slots (velocity, means, the number of steps) begin at zero in every round, or where the client
left them (`--client_optimizer_state=kept`).
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from groundwork.errors import check_choice
from groundwork.untyped import Json, Leaf

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class LocalSettings:
    """The client's optimizer, and whether there is momentum, decay and clipping.

    How strong they are enters with the numbers of a round.
    """

    optimizer: str = "sgd"
    momentum: bool = False
    weight_decay: bool = False
    clip_norm: bool = False


class LocalOptimizer(abc.ABC):
    """One client's optimizer while its round is traced.

    numbers: the settings of the round by name; complements: one minus each.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    from_random: ClassVar[Mapping[str, Json]] = {}
    from_pretrained: ClassVar[Mapping[str, Json]] = {}
    """Defaults of the clients, in the place of the algorithm's."""
    scale_free: ClassVar[bool] = False
    """Whether a step is as long as its rate, whatever the length of the gradient."""
    decoupled_decay: ClassVar[bool] = False
    """Whether weight decay is its own part and none of the gradient's."""

    numbers: Mapping[str, tf.Tensor]
    complements: Mapping[str, tf.Tensor]

    def __init__(self, settings: LocalSettings, variables: Sequence[tf.Variable]) -> None:
        self._settings = settings
        self._variables = list(variables)
        self.slots: list[tf.Variable] = self._slots()

    @abc.abstractmethod
    def _slots(self) -> list[tf.Variable]: ...

    @abc.abstractmethod
    def move(self, gradients: Sequence[Leaf], rates: Sequence[tf.Tensor]) -> None:
        """Moves the variables by one step, each by its rate."""

    def begin(self, slots: Sequence[tf.Tensor] | None = None) -> None:
        """Zeros, or what the client kept, in the slots."""
        import tensorflow as tf

        for position, slot in enumerate(self.slots):
            slot.assign(tf.zeros_like(slot) if slots is None else slots[position])

    def _like_variables(self) -> list[tf.Variable]:
        import tensorflow as tf

        return [tf.Variable(tf.zeros(v.shape, v.dtype), trainable=False) for v in self._variables]


class Sgd(LocalOptimizer):
    name = "sgd"
    help = "Plain steps, with --client_momentum if it is given."

    def _slots(self) -> list[tf.Variable]:
        return self._like_variables() if self._settings.momentum else []

    def move(self, gradients: Sequence[Leaf], rates: Sequence[tf.Tensor]) -> None:
        import tensorflow as tf

        for position, (variable, gradient, rate) in enumerate(
            zip(self._variables, gradients, rates, strict=True)
        ):
            if self._settings.momentum:
                tf.raw_ops.ResourceApplyMomentum(
                    var=variable.handle,
                    accum=self.slots[position].handle,
                    lr=rate,
                    grad=tf.convert_to_tensor(gradient),
                    momentum=self.numbers["client_momentum"],
                )
            elif isinstance(gradient, tf.IndexedSlices):
                variable.scatter_sub(tf.IndexedSlices(rate * gradient.values, gradient.indices))
            else:
                tf.raw_ops.ResourceApplyGradientDescent(
                    var=variable.handle, alpha=rate, delta=gradient
                )


class Momentum(Sgd):
    name = "momentum"
    help = "sgd with a --client_momentum of 0.9 unless another is given."
    from_random: ClassVar[Mapping[str, Json]] = {"client_momentum": 0.9}
    from_pretrained: ClassVar[Mapping[str, Json]] = {"client_momentum": 0.9}


class Adam(LocalOptimizer):
    name = "adam"
    help = "Steps scaled by running means of the gradient and its square."
    scale_free = True
    from_random: ClassVar[Mapping[str, Json]] = {"client_learning_rate": 1e-3}
    from_pretrained: ClassVar[Mapping[str, Json]] = {"client_learning_rate": 1e-4}

    def _slots(self) -> list[tf.Variable]:
        import tensorflow as tf

        steps = tf.Variable(tf.zeros([], tf.float32), trainable=False)
        return [steps, *self._like_variables(), *self._like_variables()]

    def move(self, gradients: Sequence[Leaf], rates: Sequence[tf.Tensor]) -> None:
        import tensorflow as tf

        (beta1, rest), (beta2, _) = self._of("client_beta1"), self._of("client_beta2")
        number, epsilon = len(self._variables), self.numbers["client_epsilon"]
        steps = self.slots[0].assign_add(1.0)
        first_share, second_share = 1.0 - tf.pow(beta1, steps), 1.0 - tf.pow(beta2, steps)
        for position, (variable, gradient, rate) in enumerate(
            zip(self._variables, gradients, rates, strict=True)
        ):
            g = tf.convert_to_tensor(gradient)
            first, second = self.slots[1 + position], self.slots[1 + number + position]
            mean = first.assign(beta1 * first + rest * g)
            square = second.assign(self._second(tf.convert_to_tensor(second), g * g))
            step = (mean / first_share) / (tf.sqrt(square / second_share) + epsilon)
            if self.decoupled_decay:
                step += self.numbers["client_weight_decay"] * variable
            variable.assign_sub(rate * step)

    def _second(self, second: tf.Tensor, squared: tf.Tensor) -> tf.Tensor:
        beta2, rest = self._of("client_beta2")
        return beta2 * second + rest * squared

    def _of(self, name: str) -> tuple[tf.Tensor, tf.Tensor]:
        """A number, and its complement."""
        return self.numbers[name], self.complements[name]


class AdamW(Adam):
    name = "adamw"
    help = "adam whose --client_weight_decay shrinks the weights apart from the gradient."
    decoupled_decay = True


class Yogi(Adam):
    name = "yogi"
    help = "adam whose mean square grows and shrinks by no more than the square of the gradient."

    def _second(self, second: tf.Tensor, squared: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        return second - self.complements["client_beta2"] * tf.sign(second - squared) * squared


_KNOWN: Mapping[str, type[LocalOptimizer]] = {
    optimizer.name: optimizer for optimizer in (Sgd, Momentum, Adam, AdamW, Yogi)
}


def named(name: str) -> type[LocalOptimizer]:
    check_choice("--client_optimizer", name, _KNOWN)
    return _KNOWN[name]

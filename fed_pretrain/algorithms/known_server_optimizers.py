"""The server optimizers by name, each with its facts, which cost no TensorFlow.

A module of the user's adds its own with `register`.
"""

import dataclasses
from collections.abc import Callable

from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from groundwork.registry import Registry
from groundwork.untyped import Optimizer


@dataclasses.dataclass(frozen=True)
class ServerOptimizer:
    """`build(config, learning_rate)` gives an optimizer of TFF's kind, without a schedule.

    adaptive: it scales steps by the size of past or present updates or weights.
    decoupled_decay: it applies --server_weight_decay to the weights, not to the gradient.
    takes_momentum: --server_momentum is its setting.
    keeps_numbers: its steps take every number from its state, as TFF's do.
    takes_tensors: `build` takes tensors in the place of numbers. Without one or the other a program
        is compiled for each setting.
    """

    name: str
    help: str
    build: Callable[[AlgorithmConfig, float], Optimizer]
    adaptive: bool
    decoupled_decay: bool = False
    takes_momentum: bool = False
    keeps_numbers: bool = False
    takes_tensors: bool = False

    @property
    def of_numbers(self) -> bool:
        """Whether runs of other rates and strengths share its program."""
        return self.keeps_numbers or self.takes_tensors


KNOWN: Registry[ServerOptimizer] = Registry("server optimizer", "--server_optimizer")
register, names, named = KNOWN.register, KNOWN.names, KNOWN.named


def all_optimizers() -> tuple[ServerOptimizer, ...]:
    return tuple(KNOWN.known().values())


def is_adaptive(name: str) -> bool:
    """False for a name that is not known, as a study of another's module may hold."""
    return name in names() and named(name).adaptive


def _of_tff() -> Optimizer:
    import tensorflow_federated as tff

    return tff.learning.optimizers


def _lamb(config: AlgorithmConfig, rate: float) -> Optimizer:
    from fed_pretrain.algorithms.lamb import Lamb

    return Lamb(rate, *_moments(config), config.server_weight_decay)


def _moments(config: AlgorithmConfig) -> tuple[float, float, float]:
    return config.server_beta1, config.server_beta2, config.server_epsilon


def _reddi(kind: str) -> Callable[[AlgorithmConfig, float], Optimizer]:
    def build(config: AlgorithmConfig, rate: float) -> Optimizer:
        from fed_pretrain.algorithms import reddi

        beta1, beta2, tau = _moments(config)
        seconds = {"adam": reddi.adam(beta2), "yogi": reddi.yogi(beta2), "adagrad": reddi.adagrad}
        return reddi.Adaptive(rate, beta1, tau, seconds[kind])

    return build


register(
    ServerOptimizer(
        "sgd",
        "Gradient descent, with --server_momentum FedAvgM's.",
        lambda c, rate: _of_tff().build_sgdm(rate, c.server_momentum or None),
        adaptive=False,
        takes_momentum=True,
        keeps_numbers=True,
    )
)
register(
    ServerOptimizer(
        "adam",
        "TFF's Adam: bias-corrected, its second moment zero at first.",
        lambda c, rate: _of_tff().build_adam(rate, *_moments(c)),
        adaptive=True,
        keeps_numbers=True,
    )
)
register(
    ServerOptimizer(
        "yogi",
        "TFF's Yogi: bias-corrected, its second moment --server_initial_accumulator at first.",
        lambda c, rate: _of_tff().build_yogi(rate, *_moments(c), c.server_initial_accumulator),
        adaptive=True,
        keeps_numbers=True,
    )
)
register(
    ServerOptimizer(
        "adagrad",
        "TFF's Adagrad: epsilon inside the root.",
        lambda c, rate: _of_tff().build_adagrad(
            rate, c.server_initial_accumulator, c.server_epsilon
        ),
        adaptive=True,
        keeps_numbers=True,
    )
)
for _kind in ("adam", "yogi", "adagrad"):
    register(
        ServerOptimizer(
            f"{_kind}_reddi",
            f"Fed{_kind.capitalize()} as Reddi et al. 2021 print it: no bias correction, "
            "--server_epsilon is tau, tau squared the second moment at first.",
            _reddi(_kind),
            adaptive=True,
            takes_tensors=True,
        )
    )
register(
    ServerOptimizer(
        "adamw",
        "Adam with decoupled weight decay.",
        lambda c, rate: _of_tff().build_adamw(rate, *_moments(c), c.server_weight_decay),
        adaptive=True,
        decoupled_decay=True,
        keeps_numbers=True,
    )
)
register(
    ServerOptimizer(
        "lamb",
        "Adam's direction, its length each layer's share of the weights' norm.",
        _lamb,
        adaptive=True,
        decoupled_decay=True,
        takes_tensors=True,
    )
)
register(
    ServerOptimizer(
        "rmsprop",
        "Updates over the root of their mean square.",
        lambda c, rate: _of_tff().build_rmsprop(rate, c.server_beta2, c.server_epsilon),
        adaptive=True,
        keeps_numbers=True,
    )
)

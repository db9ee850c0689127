"""Algorithms by name, with defaults for a task and a start, and where those come from.

A name is a client update and a server optimizer; any setting can be overridden, and without a
name any two can be combined. Training the head alone is a start's choice (`--trainable=head`) and
goes with every algorithm.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from fed_pretrain.algorithms import refusals
from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from groundwork.errors import UserError

Settings = Mapping[str, Any]

OURS = "ours, not tuned"
AUTHORS = "authors' CIFAR-10 SqueezeNet config of 2022"
DEFAULT = "fedavg"


@dataclasses.dataclass(frozen=True)
class Entry:
    """`random` and `pretrained` are the settings that depend on the start."""

    client_update: str
    server_optimizer: str
    paper: str
    random: Settings
    pretrained: Settings
    fixed: Settings = dataclasses.field(default_factory=dict)

    def settings(self, start_is_random: bool) -> dict[str, Any]:
        own = self.random if start_is_random else self.pretrained
        return {
            "client_update": self.client_update,
            "server_optimizer": self.server_optimizer,
            **self.fixed,
            **own,
        }


# Pre-trained starts want smaller steps on both sides: the pattern of the authors' tuned values,
# whose client rates lie at 0.0017 and 0.0027.
_RANDOM = {"client_learning_rate": 0.1}
_PRETRAINED = {"client_learning_rate": 0.002}
_ADAPTIVE_RANDOM = {"client_learning_rate": 0.05, "server_learning_rate": 0.01}
_ADAPTIVE_PRETRAINED = {"client_learning_rate": 0.002, "server_learning_rate": 0.001}
# TFF adds epsilon to sqrt(v) before it corrects v for its first rounds, when sqrt(v) is about 0.03
# of the update: the usual 1e-3 outweighs it there, and the first ten rounds of digits went idle.
_ADAPTIVE = {"server_epsilon": 1e-5}

# TFF's momentum, m <- beta m + g, makes a local step 1 / (1 - beta) times as long, and only after
# about as many rounds, for Mime moves m once a round. The paper's 0.9, written (1 - beta) g +
# beta m there, needs a tenth of FedAvg's rate here and then idles for ten rounds.
_MIME_MOMENTUM = {"server_momentum": 0.5}

_ENTRIES = {
    "fedavg": Entry("sgd", "sgd", "McMahan et al. 2017", _RANDOM, _PRETRAINED),
    "fedavgm": Entry(
        "sgd",
        "sgd",
        "Hsu et al. 2019",
        _RANDOM,
        _PRETRAINED,
        {"server_momentum": 0.5},
    ),
    "fedadam": Entry(
        "sgd", "adam", "Reddi et al. 2021", _ADAPTIVE_RANDOM, _ADAPTIVE_PRETRAINED, _ADAPTIVE
    ),
    "fedadamw": Entry(
        "sgd",
        "adamw",
        "Loshchilov and Hutter 2019",
        _ADAPTIVE_RANDOM,
        _ADAPTIVE_PRETRAINED,
        {**_ADAPTIVE, "server_weight_decay": 0.01},
    ),
    "fedyogi": Entry(
        "sgd",
        "yogi",
        "Reddi et al. 2021",
        _ADAPTIVE_RANDOM,
        _ADAPTIVE_PRETRAINED,
        _ADAPTIVE,
    ),
    "fedadagrad": Entry(
        "sgd",
        "adagrad",
        "Reddi et al. 2021",
        {**_ADAPTIVE_RANDOM, "server_learning_rate": 0.03},
        {**_ADAPTIVE_PRETRAINED, "server_learning_rate": 0.003},
        _ADAPTIVE,
    ),
    # LAMB's rate is the share of a layer's norm that it moves by.
    "fedlamb": Entry(
        "sgd",
        "lamb",
        "You et al. 2020",
        {**_ADAPTIVE_RANDOM, "server_learning_rate": 0.1},
        {**_ADAPTIVE_PRETRAINED, "server_learning_rate": 0.01},
        _ADAPTIVE,
    ),
    "fedprox": Entry(
        "proximal", "sgd", "Li et al. 2020", _RANDOM, _PRETRAINED, {"proximal_strength": 0.01}
    ),
    "fednova": Entry("nova", "sgd", "Wang et al. 2020", _RANDOM, _PRETRAINED),
    "fednova_authors": Entry("nova_authors", "sgd", "Where to Begin? (code)", _RANDOM, _PRETRAINED),
    "mimelite": Entry(
        "mimelite", "sgd", "Karimireddy et al. 2021", _RANDOM, _PRETRAINED, _MIME_MOMENTUM
    ),
    "mime": Entry("mime", "sgd", "Karimireddy et al. 2021", _RANDOM, _PRETRAINED, _MIME_MOMENTUM),
    "scaffold": Entry("scaffold", "sgd", "Karimireddy et al. 2020", _RANDOM, _PRETRAINED),
    "feddyn": Entry("feddyn", "sgd", "Acar et al. 2021", _RANDOM, _PRETRAINED),
    # One step of gradient descent a round: ten rounds take fewer steps than two of FedAvg.
    "fedsgd": Entry(
        "gd",
        "sgd",
        "McMahan et al. 2017",
        {"server_learning_rate": 0.2},
        {"server_learning_rate": 0.05},
        {"client_learning_rate": 1.0},
    ),
    "gd_adam": Entry(
        "gd",
        "adam",
        "Where to Begin?",
        {"server_learning_rate": 3e-3},
        {"server_learning_rate": 1e-3},
        {"client_learning_rate": 1.0},
    ),
}


def _authors(
    server_rate: float, beta: float, decay: float, client_rate: float, momentum: bool = False
) -> dict[str, Any]:
    return {
        "server_learning_rate": server_rate,
        "server_momentum" if momentum else "server_beta1": beta,
        "server_weight_decay": decay,
        "client_learning_rate": client_rate,
        **({} if momentum else {"server_epsilon": 1e-8}),
    }


# Dirichlet 0.1 where the authors tuned for it; FedAvgM is known for alpha 1.0, pre-trained, alone.
_TUNED: dict[tuple[str, str, bool], dict[str, Any]] = {
    ("cifar10", "fedadam", True): _authors(3.03e-3, 0.271, 6.2e-4, 5.23e-2),
    ("cifar10", "fedadam", False): _authors(5.60e-4, 0.566, 4.1e-5, 2.73e-3),
    ("cifar10", "gd_adam", True): _authors(2.15e-4, 0.929, 1e-6, 1.0),
    ("cifar10", "gd_adam", False): _authors(4.79e-4, 0.716, 2.1e-5, 1.0),
    ("cifar10", "fedavgm", False): _authors(0.488, 0.722, 5e-4, 1.69e-3, momentum=True),
}


def names() -> list[str]:
    return list(_ENTRIES)


def resolve(
    name: str | None, task: str, start: str, overrides: Settings | None = None
) -> AlgorithmConfig:
    """The named algorithm's defaults for the task and the start, with the user's overrides.

    A user who names another client update or server optimizer gets the defaults of the algorithm
    that has this optimizer (its learning rates fit it), and the update asked for. Momentum is a
    part of its own: FedAvg with MimeLite's clients has none, FedAvgM with them has what is given.
    """
    given = dict(overrides or {})
    by_parts, name = name is None, name or _nearest(given)
    if name not in _ENTRIES:
        raise UserError(f"--algorithm={name} is not one of {', '.join(_ENTRIES)}")
    random = _is_random(start)
    settings = _ENTRIES[name].settings(random) | _TUNED.get((task, name, random), {})
    if by_parts:
        settings.pop("server_momentum", None)
    _drop_what_cannot_stay(settings, given)
    return AlgorithmConfig(**{**settings, **given})


def origin(name: str | None, task: str, start: str) -> str:
    """Where the defaults of this algorithm, task and start come from."""
    tuned = (task, name or DEFAULT, _is_random(start)) in _TUNED
    return AUTHORS if tuned else OURS


def check(config: AlgorithmConfig) -> None:
    """Refuses combinations that make no sense, with the reason."""
    refusals.check(config)


def describe() -> str:
    """A table for people, columns apart by two spaces or more."""
    header = ("name", "client update", "server optimizer", "from a random start", "pre-trained")
    rows = [(*header, "from")]
    for name, entry in _ENTRIES.items():
        rows.append(
            (
                name,
                entry.client_update,
                entry.server_optimizer,
                _short(entry.settings(True)),
                _short(entry.settings(False)),
                entry.paper,
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _short(settings: Settings) -> str:
    config = AlgorithmConfig(**settings)
    text = f"client {config.client_learning_rate:g}, server {config.server_learning_rate:g}"
    if config.server_momentum:
        text += f", momentum {config.server_momentum:g}"
    return text


def _is_random(start: str) -> bool:
    return start.split(":")[0] == "random"


def _nearest(given: Settings) -> str:
    """The algorithm whose defaults fit the parts that were asked for."""
    update, optimizer = given.get("client_update"), given.get("server_optimizer")
    for name, entry in _ENTRIES.items():
        asked = (update in (None, entry.client_update), optimizer in (None, entry.server_optimizer))
        if all(asked) and (update or optimizer):
            return name
    for name, entry in _ENTRIES.items():
        if optimizer is not None and entry.server_optimizer == optimizer:
            return name
    return DEFAULT


def _drop_what_cannot_stay(settings: dict[str, Any], given: Settings) -> None:
    """A default that only the replaced part understands must not refuse the user's choice."""
    update = given.get("client_update", settings["client_update"])
    if update not in ("proximal", "nova"):
        settings.pop("proximal_strength", None)
    if given.get("server_optimizer", "sgd") != "sgd":
        settings.pop("server_momentum", None)

"""Algorithms by name, with defaults for a task and a start, and where those come from.

A name is a client update and a server optimizer; any setting can be overridden, and without a
name any two can be combined. Training the head alone is a start's choice (`--trainable=head`) and
goes with every algorithm.
"""

import dataclasses

from fed_pretrain.algorithms import known_server_optimizers, refusals
from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig, ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates, local_optimizers
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Settings
from groundwork import markdown
from groundwork.errors import check_choice
from groundwork.untyped import Json

OURS = "ours, not tuned"
AUTHORS = "authors' CIFAR-10 SqueezeNet config of 2022"
DEFAULT = "fedavg"


@dataclasses.dataclass(frozen=True)
class UsualAlgorithm:
    """`random` and `pretrained` are the settings that depend on the start."""

    client_update: str
    server_optimizer: str
    paper: str
    random: Settings
    pretrained: Settings
    fixed: Settings = dataclasses.field(default_factory=dict)

    def settings(self, start_is_random: bool) -> dict[str, Json]:
        own = self.random if start_is_random else self.pretrained
        return {
            "client_update": self.client_update,
            "server_optimizer": self.server_optimizer,
            **self.fixed,
            **own,
        }


_RANDOM, _PRETRAINED = ClientUpdate.from_random, ClientUpdate.from_pretrained
_ADAPTIVE_RANDOM = {"client_learning_rate": 0.05, "server_learning_rate": 0.01}
_ADAPTIVE_PRETRAINED = {"client_learning_rate": 0.002, "server_learning_rate": 0.001}
_ADAGRAD_RANDOM = {**_ADAPTIVE_RANDOM, "server_learning_rate": 0.03}
_ADAGRAD_PRETRAINED = {**_ADAPTIVE_PRETRAINED, "server_learning_rate": 0.003}
# TFF adds epsilon to sqrt(v) before it corrects v for its first rounds, when sqrt(v) is about 0.03
# of the update: the usual 1e-3 outweighs it there, and the first ten rounds of digits went idle.
_ADAPTIVE = {"server_epsilon": 1e-5}

# Bias-corrected, the second moment zero at first, Adagrad's epsilon inside the root: the paper has
# v_0 = tau^2, adds tau outside the root and corrects nothing. The plain names are TFF's form, since
# "Where to Begin?" ran PyTorch's Adam, to which it is nearest, and its tuned rates are for that.
_TFF = "Reddi et al. 2021, TFF's form"
_REDDI = "Reddi et al. 2021, as printed"
# The paper's own tau and beta2 throughout; momentum in all but Adagrad.
_PRINTED = {"server_epsilon": 1e-3, "server_beta2": 0.99}

_BY_SERVER = {
    "fedavg": UsualAlgorithm("sgd", "sgd", "McMahan et al. 2017", _RANDOM, _PRETRAINED),
    "fedavgm": UsualAlgorithm(
        "sgd", "sgd", "Hsu et al. 2019", _RANDOM, _PRETRAINED, {"server_momentum": 0.5}
    ),
    "fedadam": UsualAlgorithm(
        "sgd", "adam", _TFF, _ADAPTIVE_RANDOM, _ADAPTIVE_PRETRAINED, _ADAPTIVE
    ),
    "fedadamw": UsualAlgorithm(
        "sgd",
        "adamw",
        "Loshchilov and Hutter 2019",
        _ADAPTIVE_RANDOM,
        _ADAPTIVE_PRETRAINED,
        {**_ADAPTIVE, "server_weight_decay": 0.01},
    ),
    "fedyogi": UsualAlgorithm(
        "sgd", "yogi", _TFF, _ADAPTIVE_RANDOM, _ADAPTIVE_PRETRAINED, _ADAPTIVE
    ),
    "fedadagrad": UsualAlgorithm(
        "sgd", "adagrad", _TFF, _ADAGRAD_RANDOM, _ADAGRAD_PRETRAINED, _ADAPTIVE
    ),
    "fedadam_reddi": UsualAlgorithm(
        "sgd", "adam_reddi", _REDDI, _ADAPTIVE_RANDOM, _ADAPTIVE_PRETRAINED, _PRINTED
    ),
    "fedyogi_reddi": UsualAlgorithm(
        "sgd", "yogi_reddi", _REDDI, _ADAPTIVE_RANDOM, _ADAPTIVE_PRETRAINED, _PRINTED
    ),
    "fedadagrad_reddi": UsualAlgorithm(
        "sgd",
        "adagrad_reddi",
        _REDDI,
        _ADAGRAD_RANDOM,
        _ADAGRAD_PRETRAINED,
        {"server_epsilon": 1e-3, "server_beta1": 0.0},
    ),
    # LAMB's rate is the share of a layer's norm that it moves by.
    "fedlamb": UsualAlgorithm(
        "sgd",
        "lamb",
        "You et al. 2020",
        {**_ADAPTIVE_RANDOM, "server_learning_rate": 0.1},
        {**_ADAPTIVE_PRETRAINED, "server_learning_rate": 0.01},
        _ADAPTIVE,
    ),
}

# Personalised federated averaging; how the others do by client is in the columns eval_personal_*.
_PERSONAL = {
    "fedper": UsualAlgorithm(
        "sgd", "sgd", "Arivazhagan et al. 2019", _RANDOM, _PRETRAINED, {"personal": "head"}
    ),
    "fedrep": UsualAlgorithm(
        "sgd",
        "sgd",
        "Collins et al. 2021",
        _RANDOM,
        _PRETRAINED,
        {"personal": "head", "personal_steps": 3},
    ),
    "fedbn": UsualAlgorithm(
        "sgd", "sgd", "Li et al. 2021", _RANDOM, _PRETRAINED, {"personal": "norm"}
    ),
}

_GD_ADAM = UsualAlgorithm(
    "gd",
    "adam",
    "Where to Begin?",
    {"server_learning_rate": 3e-3},
    {"server_learning_rate": 1e-3},
    {"client_learning_rate": 1.0},
)


def _authors(
    server_rate: float, beta: float, decay: float, client_rate: float, momentum: bool = False
) -> dict[str, Json]:
    return {
        "server_learning_rate": server_rate,
        "server_momentum" if momentum else "server_beta1": beta,
        "server_weight_decay": decay,
        "client_learning_rate": client_rate,
        **({} if momentum else {"server_epsilon": 1e-8}),
    }


# Dirichlet 0.1 where the authors tuned for it; FedAvgM is known for alpha 1.0, pre-trained, alone.
_TUNED: dict[tuple[str, str, bool], dict[str, Json]] = {
    ("cifar10", "fedadam", True): _authors(3.03e-3, 0.271, 6.2e-4, 5.23e-2),
    ("cifar10", "fedadam", False): _authors(5.60e-4, 0.566, 4.1e-5, 2.73e-3),
    ("cifar10", "gd_adam", True): _authors(2.15e-4, 0.929, 1e-6, 1.0),
    ("cifar10", "gd_adam", False): _authors(4.79e-4, 0.716, 2.1e-5, 1.0),
    ("cifar10", "fedavgm", False): _authors(0.488, 0.722, 5e-4, 1.69e-3, momentum=True),
}


def _entries() -> dict[str, UsualAlgorithm]:
    """The first that fits is what parts without a name take their rates from."""
    by_client = {
        update.algorithm: UsualAlgorithm(
            update.name,
            "sgd",
            update.paper,
            update.from_random,
            update.from_pretrained,
            update.fixed,
        )
        for update in known_updates.all_updates()
        if update.algorithm
    }
    return {**_BY_SERVER, **by_client, "gd_adam": _GD_ADAM, **_PERSONAL}


def names() -> list[str]:
    return list(_entries())


def resolve(
    name: str | None, task: str, start: str, overrides: Settings | None = None
) -> AlgorithmConfig:
    """The named algorithm's defaults for the task and the start, with the user's overrides.

    A user who names another client update or server optimizer gets the defaults of the algorithm
    that has this optimizer (its learning rates fit it), and the update asked for. Momentum is a
    separate part: FedAvg with MimeLite's clients has none, FedAvgM with them has what is given.
    """
    given = dict(overrides or {})
    by_parts, name = name is None, name or _nearest(given)
    entries = _entries()
    check_choice("--algorithm", name, entries)
    random = _is_random(start)
    settings = entries[name].settings(random) | _TUNED.get((task, name, random), {})
    if by_parts:
        settings.pop("server_momentum", None)
    if "client_optimizer" in given:
        optimizer = local_optimizers.named(given["client_optimizer"])
        settings |= optimizer.from_random if random else optimizer.from_pretrained
    if given.get("dp_noise_multiplier") is not None:
        settings |= refusals.SET_BY_PRIVACY
    _drop_what_cannot_stay(settings, given)
    return AlgorithmConfig(**{**settings, **given})


def origin(name: str | None, task: str, start: str) -> str:
    """Where the defaults of this algorithm, task and start come from."""
    tuned = (task, name or DEFAULT, _is_random(start)) in _TUNED
    return AUTHORS if tuned else OURS


def check(config: ResolvedAlgorithm) -> None:
    """Refuses combinations that make no sense, with the reason."""
    refusals.check(config)


def describe() -> str:
    """A table for people, columns apart by two spaces or more."""
    header = ("name", "client update", "server optimizer", "from a random start", "pre-trained")
    rows = [(*header, "from")]
    for name, entry in _entries().items():
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
    return "\n".join(markdown.aligned(rows))


def describe_client_updates() -> str:
    rows = [(update.name, update.help, update.paper) for update in known_updates.all_updates()]
    return "\n".join(markdown.aligned([("client update", "what a client does", "from"), *rows]))


def describe_server_optimizers() -> str:
    rows = [(one.name, one.help) for one in known_server_optimizers.all_optimizers()]
    return "\n".join(markdown.aligned([("server optimizer", "what the server does"), *rows]))


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
    for name, entry in _entries().items():
        asked = (update in (None, entry.client_update), optimizer in (None, entry.server_optimizer))
        if all(asked) and (update or optimizer):
            return name
    for name, entry in _entries().items():
        if optimizer is not None and entry.server_optimizer == optimizer:
            return name
    return DEFAULT


def _drop_what_cannot_stay(settings: dict[str, Json], given: Settings) -> None:
    """A default that only the replaced part understands must not refuse the user's choice."""
    chosen = {**settings, **given}
    update = known_updates.named(chosen["client_update"])
    for name in known_updates.settings_of_some():
        if name not in update.understands:
            settings.pop(name, None)
    if not known_server_optimizers.named(chosen["server_optimizer"]).takes_momentum:
        settings.pop("server_momentum", None)

"""The algorithm of a call: a usual name, and the settings that differ from its defaults."""

import dataclasses

from fed_pretrain.algorithms import known_algorithms
from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from fed_pretrain.notebook import arguments
from fed_pretrain.notebook.argument_errors import ArgumentError, naming
from groundwork.untyped import Json


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """`name` None: the parts alone decide, such as `client_update`."""

    name: str | None
    settings: tuple[tuple[str, Json], ...] = ()

    @property
    def label(self) -> str:
        """What a study calls it: its name, and its settings where it has some."""
        parts = [f"{name}={value}" for name, value in self.settings]
        return " ".join([self.name or "custom", *parts])


def algorithm(name: str | None = None, **settings: Json) -> Algorithm:
    """`algorithm("fedadam", server_learning_rate=0.01)`; settings are those of AlgorithmConfig."""
    by_config = arguments.by_config([AlgorithmConfig], settings, arguments.by_own_name)
    settings = by_config[AlgorithmConfig]
    with naming():
        known_algorithms.resolve(name, "", "random", settings)
    return Algorithm(name, tuple(sorted(settings.items())))


def of(given: "str | Algorithm") -> Algorithm:
    if not isinstance(given, (Algorithm, str, type(None))):
        raise ArgumentError(f"algorithm is a {type(given).__name__}; a name of one is wanted")
    return given if isinstance(given, Algorithm) else algorithm(given)

"""What is timed: rounds of one kind, from weights that all contestants are given alike."""

import abc

import numpy as np

IN_FLIGHT = 2

Weights = list[np.ndarray]


class Contestant(abc.ABC):
    """Built for a model and a cohort; its first round compiles."""

    @abc.abstractmethod
    def restart(self, weights: Weights) -> None:
        """Begins anew from these weights."""

    @abc.abstractmethod
    def round(self) -> None: ...

    @abc.abstractmethod
    def weights(self) -> Weights: ...

    @abc.abstractmethod
    def close(self) -> None: ...

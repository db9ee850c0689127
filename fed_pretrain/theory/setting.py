"""What a run of the laboratory is: the problem all runs of one call share, and what they vary."""

import dataclasses
import math

import numpy as np

from groundwork.errors import UserError

STARTS = ("random", "central", "federated")
ALGORITHMS = ("fedavg", "fedprox", "scaffold")


@dataclasses.dataclass(frozen=True)
class Problem:
    """Sizes and algorithm; equal for all runs of one compiled call.

    dimension: of one patch; filters: of each class; samples: of each client.
    hidden: units of a trained layer below the filters (three_layers.py); 0 has none.
    steps: local steps in all (tau times rounds), so that settings of different tau do equal work.
    """

    classes: int = 2
    dimension: int = 200
    filters: int = 10
    clients: int = 2
    samples: int = 10
    steps: int = 200
    test_points: int = 3000
    algorithm: str = "fedavg"
    hidden: int = 0

    def __post_init__(self) -> None:
        for name in ("dimension", "filters", "clients", "samples", "steps", "test_points"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, must be at least 1")
        if self.classes < 2:
            raise UserError(f"classes is {self.classes}, must be at least 2")
        if self.algorithm not in ALGORITHMS:
            raise UserError(f"algorithm is {self.algorithm!r}: choose {', '.join(ALGORITHMS)}")
        if self.dimension < 2 * self.directions:
            raise UserError(
                f"dimension is {self.dimension}, must be at least {2 * self.directions}: the "
                "signals and those of the pre-training need their own directions"
            )

    @property
    def directions(self) -> int:
        """Two classes share one direction (y mu); more have one each."""
        return 1 if self.classes == 2 else self.classes

    @property
    def total_samples(self) -> int:
        return self.clients * self.samples


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a sweep varies.

    h: share of a client's samples that have not its majority label; exact.
    tau: local steps a round, or the steps of each round one by one.
    signal, noise: ||mu|| and sigma_p. start: how the filters begin (see initial.py); `cosine` is
    the one between the signal of the pre-training (starts "central" and "federated") and the
    task's. aligned: the share of aligned filters the start is given by count; None leaves it.
    prox: FedProx' weight; only algorithm "fedprox" reads it.
    """

    h: float = 0.5
    tau: int | tuple[int, ...] = 1
    signal: float = 1.5
    noise: float = 1.0
    sigma_0: float = 0.01
    eta: float = 0.1
    start: str = "random"
    aligned: float | None = None
    cosine: float = 1.0
    pretrain_steps: int = 200
    prox: float = 0.0

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise UserError(f"start is {self.start!r}: choose {', '.join(STARTS)}")
        for name, share in (("h", self.h), ("aligned", self.aligned)):
            if share is not None and not 0 <= share <= 1:
                raise UserError(f"{name} is {share}, must be within 0 and 1")
        if not -1 <= self.cosine <= 1:
            raise UserError(f"cosine is {self.cosine}, must be within -1 and 1")
        taus = self.tau if isinstance(self.tau, tuple) else (self.tau,)
        if not taus or min(taus) < 1:
            raise UserError(f"tau is {self.tau}, must be at least 1")

    @property
    def signal_to_noise(self) -> float:
        return self.signal / self.noise


def labels(problem: Problem, h: float) -> np.ndarray:
    """[clients, samples]: client k has label k mod C, then round(h N) samples of the others."""
    minority = round(h * problem.samples)
    found = np.empty((problem.clients, problem.samples), np.int64)
    for client in range(problem.clients):
        own = client % problem.classes
        others = (own + 1 + np.arange(minority) % (problem.classes - 1)) % problem.classes
        found[client] = np.concatenate([np.full(problem.samples - minority, own), others])
    return found


def averages(tau: int | tuple[int, ...], steps: int) -> np.ndarray:
    """Which local steps end a round; the last one always does."""
    taus = tau if isinstance(tau, tuple) else (tau,) * math.ceil(steps / tau)
    ends = np.zeros(steps, bool)
    last = np.cumsum(taus)
    ends[last[last <= steps] - 1] = True
    ends[-1] = True
    return ends


def num_rounds(tau: int | tuple[int, ...], steps: int) -> int:
    return int(averages(tau, steps).sum())

"""Every algorithm in NumPy float64, written from the papers; see toy.py for the clients."""

from collections.abc import Callable

import numpy as np

from tests.fed_pretrain.algorithms.toy import (
    COHORTS,
    ROWS,
    SIZES,
    batches,
    flat,
    grad,
    rows,
    start_weights,
)

Vector = np.ndarray
ETA = 0.1


def local(
    x: Vector,
    client: str,
    round_number: int,
    correct: Callable[[Vector, Vector], Vector] = lambda g, y: g,
    momentum: float = 0.0,
    decay: float = 0.0,
    clip: float = 0.0,
    eta: float | Vector = ETA,
) -> tuple[Vector, int]:
    """Delta and the number of steps of local SGD; `eta` may be a rate a weight."""
    y, velocity = x.copy(), np.zeros_like(x)
    steps = batches(client, round_number)
    for batch in steps:
        g = grad(y, *batch)
        if clip:
            g = g * min(1.0, clip / np.linalg.norm(g))
        velocity = momentum * velocity + correct(g + decay * y, y)
        y = y - eta * velocity
    return x - y, len(steps)


def mean(deltas: list[Vector], weights: list[float]) -> Vector:
    return sum(w * d for w, d in zip(weights, deltas, strict=True)) / sum(weights)


def sizes(clients: tuple[str, ...]) -> list[float]:
    return [float(SIZES[c]) for c in clients]


class ServerSgd:
    def __init__(self, rate: float = 1.0, momentum: float = 0.0) -> None:
        self.rate, self.momentum, self.v = rate, momentum, 0.0

    def __call__(self, x: Vector, update: Vector) -> Vector:
        self.v = self.momentum * self.v + update
        return x - self.rate * self.v


class ServerAdaptive:
    """Adam, Yogi, Adagrad, AdamW, LAMB, RMSprop of one formula sheet."""

    def __init__(
        self,
        kind: str,
        rate: float,
        eps: float,
        b1: float = 0.9,
        b2: float = 0.99,
        decay: float = 0.0,
    ) -> None:
        self.kind, self.rate, self.eps = kind, rate, eps
        self.b1, self.b2, self.decay = b1, b2, decay
        self.m, self.v, self.t = 0.0, 0.0, 0

    def __call__(self, x: Vector, g: Vector) -> Vector:
        self.t += 1
        if self.kind == "adagrad":
            self.v = self.v + g * g
            return x - self.rate * g / np.sqrt(self.v + self.eps)
        if self.kind == "rmsprop":
            self.v = self.b2 * self.v + (1 - self.b2) * g * g
            return x - self.rate * g / (np.sqrt(self.v) + self.eps)
        self.m = self.b1 * self.m + (1 - self.b1) * g
        if self.kind == "yogi":
            self.v = self.v - (1 - self.b2) * np.sign(self.v - g * g) * g * g
        else:
            self.v = self.b2 * self.v + (1 - self.b2) * g * g
        first, second = self.m / (1 - self.b1**self.t), self.v / (1 - self.b2**self.t)
        # TFF's adam, adamw and yogi add epsilon before the bias correction (Kingma and Ba's
        # epsilon hat); LAMB's paper after it.
        eps = self.eps if self.kind == "lamb" else self.eps / np.sqrt(1 - self.b2**self.t)
        step = first / (np.sqrt(second) + eps)
        if self.kind == "adamw":
            step = step + self.decay * x
        if self.kind == "lamb":
            parts = []
            for s, w in ((step[:15], x[:15]), (step[15:], x[15:])):
                s = s + self.decay * w
                parts.append(s * np.linalg.norm(w) / np.linalg.norm(s))
            step = np.concatenate(parts)
        return x - self.rate * step


def averaged(
    server: Callable[[Vector, Vector], Vector], uniform: bool = False, **local_settings: float
) -> Vector:
    """FedAvg's family."""
    x = flat(start_weights())
    for number, clients in enumerate(COHORTS, 1):
        deltas = [local(x, c, number, **local_settings)[0] for c in clients]
        x = server(x, mean(deltas, [1.0] * 3 if uniform else sizes(clients)))
    return x


def proximal(mu: float) -> Vector:
    x = flat(start_weights())
    for number, clients in enumerate(COHORTS, 1):
        anchor = x
        deltas = [local(x, c, number, lambda g, y, a=anchor: g + mu * (y - a))[0] for c in clients]
        x = x - mean(deltas, sizes(clients))
    return x


def nova(momentum: float = 0.0, mu: float = 0.0) -> Vector:
    """a_i from the definition: the weights with which a step's gradient enters Delta / eta."""
    x = flat(start_weights())
    for number, clients in enumerate(COHORTS, 1):
        anchor = x
        deltas, norms = [], []
        for c in clients:
            delta, tau = local(
                x, c, number, lambda g, y, a=anchor: g + mu * (y - a), momentum=momentum
            )
            coefficients = [
                (1 - momentum ** (tau - k)) / (1 - momentum)
                if momentum
                else (1 - ETA * mu) ** (tau - 1 - k)
                for k in range(tau)
            ]
            deltas.append(delta)
            norms.append(sum(coefficients))
        p = np.array(sizes(clients)) / sum(sizes(clients))
        x = x - (p @ norms) * sum(w * d / a for w, d, a in zip(p, deltas, norms, strict=True))
    return x


def nova_authors() -> Vector:
    x = flat(start_weights())
    for number, clients in enumerate(COHORTS, 1):
        results = [local(x, c, number) for c in clients]
        weights = [n / tau for n, (_, tau) in zip(sizes(clients), results, strict=True)]
        x = x - mean([d for d, _ in results], weights)
    return x


def gd(server: Callable[[Vector, Vector], Vector]) -> Vector:
    x = flat(start_weights())
    for clients in COHORTS:
        x = server(x, mean([ETA * grad(x, *rows(c)) for c in clients], sizes(clients)))
    return x


def fedsgd() -> Vector:
    x = flat(start_weights())
    for number, clients in enumerate(COHORTS, 1):
        deltas = [ETA * sum(grad(x, *b) for b in batches(c, number)) for c in clients]
        x = x - mean(deltas, sizes(clients))
    return x


def mime(full: bool, beta: float) -> Vector:
    """MimeLite, or Mime with `full`: momentum is the base optimizer's, fixed in local steps."""
    x, momentum = flat(start_weights()), 0.0
    for number, clients in enumerate(COHORTS, 1):
        c = mean([grad(x, *rows(k)) for k in clients], sizes(clients))
        deltas = []
        for k in clients:
            y = x.copy()
            for batch in batches(k, number):
                g = grad(y, *batch)
                if full:
                    g = g - grad(x, *batch) + c
                y = y - ETA * (beta * momentum + g)
            deltas.append(x - y)
        x = x - mean(deltas, sizes(clients))
        momentum = beta * momentum + c
    return x


def scaffold() -> tuple[Vector, dict[str, Vector]]:
    x = flat(start_weights())
    control, own = np.zeros_like(x), {k: np.zeros_like(x) for k in SIZES}
    for number, clients in enumerate(COHORTS, 1):
        deltas, change = [], np.zeros_like(x)
        for k in clients:
            delta, tau = local(x, k, number, lambda g, y, k=k, c=control: g - own[k] + c)
            new = own[k] - control + delta / (tau * ETA)
            change, own[k] = change + SIZES[k] * (new - own[k]), new
            deltas.append(delta)
        x = x - mean(deltas, sizes(clients))
        control = control + change / ROWS
    return x, own


def feddyn(alpha: float) -> tuple[Vector, dict[str, Vector]]:
    """With the paper's signs: h <- h - alpha/m sum (theta_k - theta), theta <- mean - h/alpha.

    A client of n_k rows counts as n_k clients of one row, and m as the rows of them all.
    """
    x = flat(start_weights())
    h, own = np.zeros_like(x), {k: np.zeros_like(x) for k in SIZES}
    for number, clients in enumerate(COHORTS, 1):
        thetas, anchor = [], x
        for k in clients:
            delta, _ = local(x, k, number, lambda g, y, k=k, a=anchor: g - own[k] + alpha * (y - a))
            thetas.append(x - delta)
            own[k] = own[k] - alpha * (thetas[-1] - x)
        h = h - alpha / ROWS * sum(SIZES[k] * (t - x) for k, t in zip(clients, thetas, strict=True))
        x = mean(thetas, sizes(clients)) - h / alpha
    return x, own

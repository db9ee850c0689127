"""One run of the protocol as a plain loop over clients, steps and filters' signs."""

import numpy as np


def run(seed, h, tau, rounds, sigma_0, aligned=None, m=10, d=200, clients=2, n=10, mu=1.5, eta=0.1):
    """FedAvg on the two-layer network of two classes; returns weights, Gamma, P and more."""
    rng = np.random.default_rng(seed)
    signal = np.zeros(d)
    signal[0] = mu
    y = [
        np.where(np.arange(n) < n - round(h * n), 1, -1) * (1 if k % 2 == 0 else -1)
        for k in range(clients)
    ]
    xi = []
    for _ in range(clients):
        noise = rng.normal(0, 1, (n, d))
        noise[:, 0] = 0
        xi.append(noise)
    start = {j: rng.normal(0, sigma_0, (m, d)) for j in (1, -1)}
    if aligned is not None:
        for j in (1, -1):
            signs = np.where(np.arange(m) < round(aligned * m), 1, -1)
            start[j][:, 0] = signs * j * np.abs(start[j][:, 0])
    w = {j: start[j].copy() for j in (1, -1)}
    gamma = {j: np.zeros(m) for j in (1, -1)}
    p = {j: np.zeros((m, clients, n)) for j in (1, -1)}
    for _ in range(rounds):
        sums = {j: np.zeros((m, d)) for j in (1, -1)}
        for k in range(clients):
            own = {j: w[j].copy() for j in (1, -1)}
            for _ in range(tau):
                slope = -1 / (1 + np.exp(y[k] * output(own, y[k], xi[k], signal)))
                for j in (1, -1):
                    on_signal = (np.outer(y[k], own[j] @ signal) > 0) * slope[:, None]
                    on_noise = (xi[k] @ own[j].T > 0) * slope[:, None] * (j * y[k])[:, None]
                    learnt = -eta * mu**2 / (n * m) * on_signal.sum(axis=0)
                    kept = -eta / (n * m) * on_noise * (xi[k] ** 2).sum(axis=1)[:, None]
                    gamma[j] += learnt / clients
                    p[j][:, k] += kept.T / clients
                    own[j] += j * np.outer(learnt, signal) / mu**2
                    own[j] += (kept / (xi[k] ** 2).sum(axis=1)[:, None]).T @ xi[k]
            for j in (1, -1):
                sums[j] += own[j] / clients
        w = sums
    losses = [np.log1p(np.exp(-y[k] * output(w, y[k], xi[k], signal))) for k in range(clients)]
    return {
        "start": start,
        "weights": w,
        "gamma": gamma,
        "p": p,
        "noise": np.concatenate(xi),
        "signal": signal,
        "train_loss": float(np.mean(losses)),
        "rng": rng,
    }


def output(w, y, xi, signal):
    """f = F_+ - F_-."""
    of = {
        j: (np.maximum(np.outer(y, w[j] @ signal), 0) + np.maximum(xi @ w[j].T, 0)).mean(axis=1)
        for j in (1, -1)
    }
    return of[1] - of[-1]


def error(result, points=3000):
    rng, signal = result["rng"], result["signal"]
    y = rng.integers(2, size=points) * 2 - 1
    xi = rng.normal(0, 1, (points, len(signal)))
    xi[:, 0] = 0
    return float((y * output(result["weights"], y, xi, signal) <= 0).mean())


def least_squares(
    start: np.ndarray, weights: np.ndarray, noise: np.ndarray, mu: np.ndarray, sign: float
) -> tuple[float, np.ndarray, float]:
    """Gamma, P and the residual of one filter of two classes, from its weights alone.

    `noise`: [n, d], all clients' noise patches. Unique for n < d.
    """
    moved = weights - start
    gamma = sign * float(moved @ mu)
    rest = moved - sign * gamma * mu / float(mu @ mu)
    coefficients = np.linalg.lstsq(noise.T, rest, rcond=None)[0]
    residual = float(np.abs(noise.T @ coefficients - rest).max())
    return gamma, coefficients * (noise**2).sum(axis=1), residual


def early_ratio_bound(h: float, tau: int) -> float:
    """Lower bound of the misaligned filters' early growth of Gamma over the aligned ones'.

    Derived for balanced label totals and a first local step that crosses zero.
    """
    return 2 * h + (1 - 2 * h) / tau

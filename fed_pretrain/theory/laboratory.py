"""Runs settings times seeds and measures them: decomposition, losses, alignment, test error."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from fed_pretrain.theory import data, initial
from fed_pretrain.theory.batch import make_runs
from fed_pretrain.theory.decomposition import decompose, own_products, reconstruction_error
from fed_pretrain.theory.setting import Problem, Setting
from fed_pretrain.theory.training import Runs, Trace, logits, train

# Client weights of one call, in bytes: what a core's cache holds.
_CALL_BYTES = 3 << 20


@dataclasses.dataclass(frozen=True)
class Results:
    """Measurements [settings, seeds, records]; NaN where there is nothing to average.

    steps: local steps done at each record; a record shows the server's last average.
    noise: mean of max(P, 0) over the samples of a filter's own class.
    misaligned_before: at the start of the last round.
    growth: the least change of any filter's Gamma since the record before (Gamma never falls).
    turned: how many filters aligned at the start are misaligned now.
    test_error: [settings, seeds, records], or only the last record (the others NaN).
    hidden_signal, hidden_noise: mean |G| and |P| of a hidden layer's units (three_layers.py).
    """

    problem: Problem
    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]
    steps: np.ndarray
    gamma_aligned: np.ndarray
    gamma_misaligned: np.ndarray
    noise: np.ndarray
    train_loss: np.ndarray
    misaligned: np.ndarray
    misaligned_before: np.ndarray
    growth: np.ndarray
    turned: np.ndarray
    reconstruction: np.ndarray
    test_error: np.ndarray
    ratio_aligned: np.ndarray
    ratio_misaligned: np.ndarray
    hidden_signal: np.ndarray
    hidden_noise: np.ndarray
    aligned_share: np.ndarray  # [settings, seeds, classes], at the start


def run(
    problem: Problem,
    settings: Sequence[Setting],
    seeds: Sequence[int],
    records: Sequence[int] | None = None,
    dtype: str = "float64",
    every_test: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Results:
    """`records`: the local steps after which to measure; the last one by default.

    One compiled graph does the settings by chunks that a core's cache holds. A single call for all
    of them was slower and larger: 180 settings x 10 seeds took 22 s of CPU time and 1.5 GB in one
    call, 14.5 s and 0.7 GB in chunks of 9 (two shared x86 cores).
    """
    steps = np.array(records or [problem.steps])
    if steps[-1] != problem.steps or (np.diff(steps, prepend=0) <= 0).any():
        raise ValueError(f"records must rise and end at {problem.steps}")
    draws = [data.draw(problem, seed) for seed in seeds]
    test = _test_set(draws, dtype)
    start = initial.weights(problem, list(settings), list(seeds), dtype)
    # Settings of equal tau run together, so that few steps of a call need an average.
    order = sorted(range(len(settings)), key=lambda i: str(settings[i].tau))
    width = settings_a_call(problem, len(seeds), dtype)
    parts: list[dict[str, np.ndarray]] = []
    for first in range(0, len(order), width):
        chosen = order[first : first + width]
        padded = [*chosen, *chosen[:1] * (width - len(chosen))] if first else chosen
        ours = [settings[i] for i in padded]
        runs = make_runs(problem, ours, draws, start[padded], dtype)
        lengths = tf.constant(np.diff(steps, prepend=0), tf.int32)
        trace = train(runs, lengths, problem.algorithm)
        part = _measure(problem, ours, runs, trace, test, len(seeds), every_test)
        parts.append({name: values[: len(chosen)] for name, values in part.items()})
        progress(min(first + width, len(order)), len(order))
    back = np.argsort(order)
    joined = {name: np.concatenate([p[name] for p in parts])[back] for name in parts[0]}
    return Results(problem, tuple(settings), tuple(seeds), steps, **joined)


def settings_a_call(problem: Problem, seeds: int, dtype: str) -> int:
    rows = problem.clients * problem.classes * problem.filters
    each = seeds * rows * problem.dimension * np.dtype(dtype).itemsize
    return max(1, _CALL_BYTES // each)


def _test_set(draws: Sequence[data.Draw], dtype: str) -> tuple[tf.Tensor, np.ndarray]:
    noise = tf.constant(np.stack([draw.test_noise for draw in draws]), dtype)
    return noise, np.stack([draw.test_labels for draw in draws])


def _measure(
    problem: Problem,
    settings: Sequence[Setting],
    runs: Runs,
    trace: Trace,
    test: tuple[tf.Tensor, np.ndarray],
    seeds: int,
    every_test: bool,
) -> dict[str, np.ndarray]:
    gamma, noise = (part.numpy() for part in decompose(runs, trace.coefficients))
    at_start = _own(runs, runs.start) >= 0
    now = _own(runs, trace.server) >= 0
    before = own_products(trace.before).numpy() >= 0
    own_class = np.moveaxis(runs.labels.numpy(), -1, -1)[None, ..., None]
    positive = np.maximum(noise, 0)
    noise_mean = (positive * own_class).sum(axis=(2, 3)) / own_class.sum(axis=(2, 3))
    learnt = np.diff(gamma, axis=0, prepend=0.0)
    found = {
        "gamma_aligned": _mean_where(gamma, at_start),
        "gamma_misaligned": _mean_where(gamma, ~at_start),
        "noise": noise_mean.mean(axis=(-2, -1)),
        "train_loss": _train_loss(runs, trace.server),
        "misaligned": 1 - now.mean(axis=(-2, -1)),
        "misaligned_before": 1 - before.mean(axis=(-2, -1)),
        "growth": learnt.min(axis=(-2, -1)),
        "turned": (at_start & ~now).sum(axis=(-2, -1)).astype(float),
        "reconstruction": reconstruction_error(runs, trace.server, trace.coefficients).numpy(),
        "test_error": _test_errors(problem, settings, runs, trace, test, seeds, every_test),
        "ratio_aligned": _ratio(gamma, noise_mean, at_start),
        "ratio_misaligned": _ratio(gamma, noise_mean, ~at_start),
        "hidden_signal": np.full(gamma.shape[:2], np.nan),
        "hidden_noise": np.full(gamma.shape[:2], np.nan),
    }
    shaped = {
        name: np.moveaxis(values.reshape(len(values), len(settings), seeds), 0, -1)
        for name, values in found.items()
    }
    shaped["aligned_share"] = at_start.mean(axis=-1).reshape(len(settings), seeds, -1)
    return shaped


def _own(runs: Runs, weights: tf.Tensor) -> np.ndarray:
    classes = int(runs.labels.shape[-1])
    return own_products(tf.matmul(weights, runs.patches[:, 0, -classes:], transpose_b=True)).numpy()


def _mean_where(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Over classes and filters; NaN where a run has none of the kind."""
    count = where.sum(axis=(-2, -1))
    total = (values * where).sum(axis=(-2, -1))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ratio(gamma: np.ndarray, noise: np.ndarray, where: np.ndarray) -> np.ndarray:
    learnt = _mean_where(noise, where)
    return np.divide(
        _mean_where(gamma, where), learnt, out=np.full_like(learnt, np.nan), where=learnt > 0
    )


@tf.function(autograph=False)
def _losses(runs: Runs, server: tf.Tensor) -> tf.Tensor:
    scores = logits(tf.matmul(runs.patches, server[:, None], transpose_b=True), runs.labels)
    losses = tf.nn.softmax_cross_entropy_with_logits(runs.labels, scores)
    return tf.reduce_mean(losses, axis=[1, 2])


def _train_loss(runs: Runs, servers: tf.Tensor) -> np.ndarray:
    return np.stack([_losses(runs, server).numpy() for server in servers])


def _test_errors(
    problem: Problem,
    settings: Sequence[Setting],
    runs: Runs,
    trace: Trace,
    test: tuple[tf.Tensor, np.ndarray],
    seeds: int,
    every: bool,
) -> np.ndarray:
    noise, labels = test
    sigma = tf.constant([s.noise for s in settings], noise.dtype)
    found = np.full((len(trace.server), len(settings) * seeds), np.nan)
    for record in range(0 if every else len(found) - 1, len(found)):
        server = trace.server[record]
        scores = _noise_scores(noise, server, sigma, problem.classes, len(settings))
        products = tf.matmul(server, runs.patches[:, 0, -problem.classes :], transpose_b=True)
        found[record] = wrong(problem, scores, products, labels, len(settings))
    return found


@tf.function(autograph=False)
def _noise_scores(
    noise: tf.Tensor, server: tf.Tensor, sigma: tf.Tensor, classes: int, settings: int
) -> tf.Tensor:
    """[settings, seeds, points, classes] of the noise patch alone."""
    seeds, filters, d = noise.shape[0], server.shape[1], server.shape[2]
    weights = tf.reshape(server, [settings, seeds, filters, d]) * sigma[:, None, None, None]
    rows = tf.reshape(tf.transpose(weights, [1, 0, 2, 3]), [seeds, settings * filters, d])
    responses = tf.nn.relu(tf.matmul(rows, noise, transpose_b=True))
    shape = [seeds, settings, classes, filters // classes, noise.shape[1]]
    scores = tf.reduce_mean(tf.reshape(responses, shape), axis=3)
    return tf.transpose(scores, [1, 0, 3, 2])


def wrong(
    problem: Problem,
    noise_scores: tf.Tensor,
    products: tf.Tensor,
    labels: np.ndarray,
    settings: int,
) -> np.ndarray:
    """The share of points whose own class has not the strictly greatest score."""
    classes = problem.classes
    responses = np.maximum(products.numpy(), 0)
    on_signal = responses.reshape(settings, -1, classes, problem.filters, classes).mean(axis=3)
    scores = noise_scores.numpy()
    points = np.arange(labels.shape[1])
    wrong = np.empty(scores.shape[:2])
    for seed, own in enumerate(labels):
        ours = scores[:, seed] + np.moveaxis(on_signal[:, seed][:, :, own], 1, 2)
        correct = ours[:, points, own].copy()
        ours[:, points, own] = -np.inf
        wrong[:, seed] = (ours.max(axis=-1) >= correct).mean(axis=-1)
    return wrong.reshape(-1)

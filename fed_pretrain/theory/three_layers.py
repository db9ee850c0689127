"""An open question: a trained hidden layer below the filters, where no decomposition is known.

F_c(x) = (1/m) sum_r sum_patches relu(<w_cr, relu(U patch)>), U and w trained, FedAvg. A filter is
called aligned when <w_cr, relu(U v_c)> >= 0, v_c the signal patch of its class: Definition 1 read
one layer higher, ours.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_prep import randomness
from data_prep.errors import UserError
from fed_pretrain.theory import data, initial
from fed_pretrain.theory.batch import make_runs
from fed_pretrain.theory.decomposition import own_products
from fed_pretrain.theory.laboratory import Results, settings_a_call, wrong
from fed_pretrain.theory.setting import Problem, Setting
from fed_pretrain.theory.training import Runs, logits


class Layers(NamedTuple):
    hidden: tf.Tensor  # [..., units, d]
    top: tf.Tensor  # [..., filters, units]


def products(layers: Layers, patches: tf.Tensor) -> tf.Tensor:
    """[..., patches, filters]: what enters the filters' ReLU."""
    below = tf.nn.relu(tf.matmul(patches, layers.hidden, transpose_b=True))
    return tf.matmul(below, layers.top, transpose_b=True)


def losses(layers: Layers, runs: Runs) -> tf.Tensor:
    """[b, k]: the mean loss of each client."""
    scores = logits(products(layers, runs.patches), runs.labels)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(runs.labels, scores), axis=-1)


@tf.function
def train(runs: Runs, start: Layers) -> Layers:
    """FedAvg; the server's last average."""
    clients = runs.patches.shape[1]
    local = Layers(*(tf.repeat(weights[:, None], clients, axis=1) for weights in start))
    rate = runs.eta[:, None, None, None]

    def advance(step: tf.Tensor, local: Layers) -> tuple[tf.Tensor, Layers]:
        local = Layers(*local)
        with tf.GradientTape() as tape:
            tape.watch(local)
            total = tf.reduce_sum(losses(local, runs))
        slopes = tape.gradient(total, local)
        moved = [w - rate * slope for w, slope in zip(local, slopes, strict=True)]
        ends = (runs.averages[step] > 0)[:, None, None, None]
        means = [tf.reduce_mean(w, axis=1, keepdims=True) for w in moved]
        return step + 1, Layers(
            *(tf.where(ends, mean, w) for mean, w in zip(means, moved, strict=True))
        )

    steps = tf.shape(runs.averages)[0]
    _, local = tf.while_loop(lambda step, _: step < steps, advance, (tf.constant(0), local))
    return Layers(*(weights[:, 0] for weights in local))


def run(
    problem: Problem,
    settings: Sequence[Setting],
    seeds: Sequence[int],
    records: Sequence[int] = (),
    dtype: str = "float64",
    every_test: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Results:
    """Measures at the last step only; what needs a decomposition is NaN."""
    if problem.algorithm != "fedavg":
        raise UserError(f"three layers are trained by fedavg only, not by {problem.algorithm}")
    if any(setting.aligned is not None for setting in settings):
        raise UserError("three layers have no alignment by count; leave `aligned` to the start")
    draws = [data.draw(problem, seed) for seed in seeds]
    width = settings_a_call(problem, len(seeds), dtype)
    parts = []
    for first in range(0, len(settings), width):
        chosen = list(settings[first : first + width])
        start = beginnings(problem, chosen, list(seeds), dtype)
        runs = _runs(problem, chosen, draws, dtype)
        parts.append(_measure(problem, chosen, runs, start, train(runs, start), draws))
        progress(min(first + width, len(settings)), len(settings))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    shape = (len(settings), len(seeds), 1)
    measured = ("train_loss", "misaligned", "test_error", "aligned_share")
    unknown = {
        name: np.full(shape, np.nan)
        for name in Results.__dataclass_fields__
        if name not in ("problem", "settings", "seeds", "steps", *measured)
    }
    steps = np.array([problem.steps])
    return Results(problem, tuple(settings), tuple(seeds), steps, **unknown, **joined)


def beginnings(
    problem: Problem, settings: Sequence[Setting], seeds: list[int], dtype: str
) -> Layers:
    """Gaussian, or pre-trained as in initial.py; both layers. Rows are runs."""
    generators = [randomness.generator(seed, "theory-three-layers") for seed in seeds]
    hidden = np.stack([g.standard_normal((problem.hidden, problem.dimension)) for g in generators])
    hidden /= np.sqrt(problem.dimension)
    rows = problem.classes * problem.filters
    top = np.stack([g.standard_normal((rows, problem.hidden)) for g in generators])
    made: dict[Setting, Layers] = {}
    found = []
    for setting in settings:
        same = dataclasses.replace(setting, h=0.0, tau=1)
        if same in made:
            found.append(made[same])
            continue
        layers = Layers(tf.constant(hidden, dtype), tf.constant(setting.sigma_0 * top, dtype))
        if setting.start != "random":
            other = initial.pretraining(problem, setting, seeds)
            runs = _runs(other.problem, [other.setting], other.draws, dtype, other.unit_signals)
            layers = train(runs, layers)
        made[same] = layers
        found.append(layers)
    return Layers(*(tf.concat(part, axis=0) for part in zip(*found, strict=True)))


def _runs(
    problem: Problem,
    settings: Sequence[Setting],
    draws: Sequence[data.Draw],
    dtype: str,
    unit_signals: np.ndarray | None = None,
) -> Runs:
    no_filters = np.zeros((len(settings), len(draws), 0, problem.dimension))
    return make_runs(problem, settings, draws, no_filters, dtype, unit_signals)


def _measure(
    problem: Problem,
    settings: Sequence[Setting],
    runs: Runs,
    start: Layers,
    end: Layers,
    draws: Sequence[data.Draw],
) -> dict[str, np.ndarray]:
    shape = (len(settings), len(draws), 1)
    classes = problem.classes
    signal_patches = runs.patches[:, 0, -classes:]
    now = tf.linalg.matrix_transpose(products(end, signal_patches))
    before = tf.linalg.matrix_transpose(products(start, signal_patches))
    spread = Layers(*(weights[:, None] for weights in end))
    labels = np.stack([draw.test_labels for draw in draws])
    scores = tf.stack(
        [
            _noise_scores(problem, Layers(end.hidden[i], end.top[i]), draw, setting.noise)
            for i, (setting, draw) in enumerate((s, d) for s in settings for d in draws)
        ]
    )
    scores = tf.reshape(scores, (*shape[:2], *scores.shape[1:]))
    return {
        "train_loss": tf.reduce_mean(losses(spread, runs), axis=1).numpy().reshape(shape),
        "misaligned": (own_products(now).numpy() < 0).mean(axis=(-2, -1)).reshape(shape),
        "test_error": wrong(problem, scores, now, labels, len(settings)).reshape(shape),
        "aligned_share": (own_products(before).numpy() >= 0).mean(axis=-1).reshape(*shape[:2], -1),
    }


def _noise_scores(problem: Problem, layers: Layers, draw: data.Draw, noise: float) -> tf.Tensor:
    """[points, classes] of the noise patch alone."""
    patches = tf.constant(noise * draw.test_noise, layers.hidden.dtype)
    responses = tf.nn.relu(products(layers, patches))
    by_class = tf.reshape(responses, [-1, problem.classes, problem.filters])
    return tf.reduce_mean(by_class, axis=-1)

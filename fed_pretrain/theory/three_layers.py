"""An open question: a trained hidden layer below the filters.

F_c(x) = (1/m) sum_r sum_patches relu(<w_cr, relu(U patch)>), U and w trained, FedAvg. A filter is
called aligned when <w_cr, relu(U v_c)> >= 0, v_c the signal patch of its class: Definition 1 read
one layer higher, ours.

The filters see no patches, so theirs has no known decomposition. The hidden units do: a gradient
of U is a combination of the client's patches, whatever is above, so Proposition 1's form
u_q = u_q^0 + G_q mu / ||mu||^2 + sum_i P_qi xi_i / ||xi_i||^2 is exact for them.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from fed_pretrain.theory import data, initial
from fed_pretrain.theory.batch import make_runs
from fed_pretrain.theory.decomposition import own_products, reconstruction_error
from fed_pretrain.theory.laboratory import Results, settings_a_call, wrong
from fed_pretrain.theory.setting import Problem, Setting
from fed_pretrain.theory.training import Runs, logits
from groundwork import randomness
from groundwork.errors import UserError


class Layers(NamedTuple):
    hidden: tf.Tensor  # [..., units, d]
    top: tf.Tensor  # [..., filters, units]


class State(NamedTuple):
    """Of the clients; coefficients of their patches in the hidden units are [b, k, p, q]."""

    local: Layers
    moved: tf.Tensor  # since the last average
    coefficients: tf.Tensor  # of the server's units


class Trained(NamedTuple):
    layers: Layers
    coefficients: tf.Tensor  # [b, k, p, q]


def enters_hidden(layers: Layers, patches: tf.Tensor) -> tf.Tensor:
    """[..., patches, units]: what enters the hidden units' ReLU."""
    return tf.matmul(patches, layers.hidden, transpose_b=True)


def products(layers: Layers, patches: tf.Tensor) -> tf.Tensor:
    """[..., patches, filters]: what enters the filters' ReLU."""
    return tf.matmul(tf.nn.relu(enters_hidden(layers, patches)), layers.top, transpose_b=True)


def losses(entering: tf.Tensor, top: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """[b, k]: the mean loss of each client, from what enters its hidden units."""
    scores = logits(tf.matmul(tf.nn.relu(entering), top, transpose_b=True), labels)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, scores), axis=-1)


def local_step(state: State, runs: Runs) -> State:
    """One full-batch step of every client of every run."""
    hidden, top = state.local
    entering = enters_hidden(state.local, runs.patches)
    with tf.GradientTape() as tape:
        tape.watch((entering, top))
        total = tf.reduce_sum(losses(entering, top, runs.labels))
    slopes, slope_of_top = tape.gradient(total, (entering, top))
    rate = runs.eta[:, None, None, None]
    change = -rate * slopes
    hidden += tf.matmul(change, runs.patches, transpose_a=True)
    local = Layers(hidden, top - rate * slope_of_top)
    return state._replace(local=local, moved=state.moved + change)


def average(state: State, ends: tf.Tensor) -> State:
    """The server's plain average, in the runs whose round ends here."""
    ends = (ends > 0)[:, None, None, None]
    means = [tf.reduce_mean(weights, axis=1, keepdims=True) for weights in state.local]
    clients = tf.cast(tf.shape(state.moved)[1], state.moved.dtype)
    return State(
        Layers(*(tf.where(ends, mean, w) for mean, w in zip(means, state.local, strict=True))),
        tf.where(ends, tf.zeros_like(state.moved), state.moved),
        tf.where(ends, state.coefficients + state.moved / clients, state.coefficients),
    )


@tf.function(autograph=False)
def train(runs: Runs, start: Layers) -> Trained:
    """FedAvg; the server's last average and the coefficients that make its hidden units."""
    clients = runs.patches.shape[1]
    local = Layers(*(tf.repeat(weights[:, None], clients, axis=1) for weights in start))
    nothing = tf.zeros_like(enters_hidden(local, runs.patches))

    def advance(step: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        state = local_step(State(Layers(*state[0]), *state[1:]), runs)
        return step + 1, average(state, runs.averages[step])

    steps = tf.shape(runs.averages)[0]
    begin = (tf.constant(0), State(local, nothing, nothing))
    _, state = tf.while_loop(lambda step, _: step < steps, advance, begin)
    return Trained(Layers(*(weights[:, 0] for weights in state[0])), state[2])


class HiddenDecomposition(NamedTuple):
    signal: tf.Tensor  # G: [b, directions, q]; of two labels one direction, y mu
    noise: tf.Tensor  # P: [b, k, samples, q]


def decompose(runs: Runs, coefficients: tf.Tensor) -> HiddenDecomposition:
    classes = int(runs.labels.shape[-1])
    scaled = coefficients * tf.reduce_sum(runs.patches**2, axis=-1)[..., None]
    on_signals = tf.reduce_sum(scaled[:, :, -classes:], axis=1)
    if classes == 2:
        on_signals = on_signals[:, :1] - on_signals[:, 1:]
    return HiddenDecomposition(on_signals, scaled[:, :, :-classes])


def run(
    problem: Problem,
    settings: Sequence[Setting],
    seeds: Sequence[int],
    records: Sequence[int] = (),
    dtype: str = "float64",
    every_test: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Results:
    """Measures at the last step only; what needs a decomposition of the filters is NaN."""
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
    measured = tuple(joined)
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
            layers = train(runs, layers).layers
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
    trained: Trained,
    draws: Sequence[data.Draw],
) -> dict[str, np.ndarray]:
    shape = (len(settings), len(draws), 1)
    classes = problem.classes
    end = trained.layers
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
    entering = enters_hidden(spread, runs.patches)
    below = decompose(runs, trained.coefficients)
    from_start = runs._replace(start=start.hidden)
    rebuilt = reconstruction_error(from_start, end.hidden, trained.coefficients)
    loss = tf.reduce_mean(losses(entering, spread.top, runs.labels), axis=1)
    return {
        "train_loss": loss.numpy().reshape(shape),
        "reconstruction": rebuilt.numpy().reshape(shape),
        "hidden_signal": np.abs(below.signal).mean(axis=(1, 2)).reshape(shape),
        "hidden_noise": np.abs(below.noise).mean(axis=(1, 2, 3)).reshape(shape),
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

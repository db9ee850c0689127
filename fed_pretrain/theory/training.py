"""FedAvg with tau full-batch local steps, for many runs at once, with its decomposition beside it.

The network: F_c(x) = (1/m) sum_r [relu(<w_cr, signal patch>) + relu(<w_cr, noise patch>)], trained
by softmax cross-entropy over the classes. For two classes that is the logistic loss of
F_+ - F_-, the network of "Initialization Matters". A gradient is a combination of the client's
patches, so the weights are w_0 plus the patches times coefficients; both are kept, the weights by
gradient descent and the coefficients by their own update (decomposition.py reads them).

Axes: b run, k client, p patch (samples, then one signal per class), f filter (class by class).
"""

from typing import NamedTuple

import tensorflow as tf

from groundwork.untyped import Nested


class Runs(NamedTuple):
    """The inputs of a batch of runs; all float tensors of one dtype."""

    patches: tf.Tensor  # [b, k, p, d]
    labels: tf.Tensor  # [b, k, samples, classes], one-hot
    start: tf.Tensor  # [b, f, d]
    eta: tf.Tensor  # [b]
    prox: tf.Tensor  # [b]
    averages: tf.Tensor  # [steps, b]: 1 where a round ends after the step


class State(NamedTuple):
    local: tf.Tensor  # [b, k, f, d]: the clients' weights
    server: tf.Tensor  # [b, f, d]
    moved: tf.Tensor  # [b, k, p, f]: coefficients of a client's patches since the last average
    coefficients: tf.Tensor  # [b, k, p, f]: of the server's weights
    before: tf.Tensor  # [b, f, classes]: <w, signal> of the server at the start of the last round
    control: tf.Tensor  # [b, k, f, d]: SCAFFOLD's c - c_k, otherwise empty
    taken: tf.Tensor  # [b]: local steps of this round


class Trace(NamedTuple):
    """The server's state at each record; the first axis is the record."""

    server: tf.Tensor
    coefficients: tf.Tensor
    before: tf.Tensor


def begin(runs: Runs, scaffold: bool) -> State:
    local = tf.repeat(runs.start[:, None], tf.shape(runs.patches)[1], axis=1)
    shape = tf.concat([tf.shape(runs.patches)[:3], tf.shape(runs.start)[1:2]], axis=0)
    nothing = tf.zeros(shape, runs.start.dtype)
    control = tf.zeros_like(local) if scaffold else tf.zeros_like(local[..., :0])
    before = signal_products(runs, runs.start)
    return State(local, runs.start, nothing, nothing, before, control, tf.zeros_like(runs.eta))


def signal_products(runs: Runs, weights: tf.Tensor) -> tf.Tensor:
    """[b, f, classes]: <w, signal patch of the class>."""
    classes = runs.labels.shape[-1]
    return tf.matmul(weights, runs.patches[:, 0, -classes:], transpose_b=True)


def logits(products: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """[..., samples, classes] of a client's samples, from <patch, w> [..., patches, filters]."""
    classes = labels.shape[-1]
    shape = tf.concat([tf.shape(products)[:-1], [classes, -1]], axis=0)
    responses = tf.reduce_mean(tf.reshape(tf.nn.relu(products), shape), axis=-1)
    return responses[..., :-classes, :] + tf.matmul(labels, responses[..., -classes:, :])


def step_coefficients(products: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The gradient of the mean loss as coefficients of the patches, [..., patches, filters]."""
    samples, classes = labels.shape[-2:]
    filters = products.shape[-1] // classes
    slope = (tf.nn.softmax(logits(products, labels)) - labels) / (samples * filters)
    on_signals = tf.matmul(labels, slope, transpose_a=True)
    slopes = tf.repeat(tf.concat([slope, on_signals], axis=-2), filters, axis=-1)
    return tf.where(products > 0, slopes, tf.zeros_like(slopes))


def local_step(state: State, runs: Runs, algorithm: str) -> State:
    """One full-batch step of every client of every run."""
    products = tf.matmul(runs.patches, state.local, transpose_b=True)
    change = -runs.eta[:, None, None, None] * step_coefficients(products, runs.labels)
    local, moved = state.local, state.moved
    if algorithm == "fedprox":
        # The pull acts on what this round has moved, which the same coefficients hold.
        pull = (runs.eta * runs.prox)[:, None, None, None]
        local -= pull * (local - state.server[:, None])
        moved -= pull * moved
    local += tf.matmul(change, runs.patches, transpose_a=True)
    if algorithm == "scaffold":
        # The controls' mean is zero with all clients present: they leave the server's coefficients.
        local -= runs.eta[:, None, None, None] * state.control
    return state._replace(local=local, moved=moved + change, taken=state.taken + 1)


def average(state: State, runs: Runs, ends: tf.Tensor, algorithm: str) -> State:
    """The server's plain average, in the runs whose round ends here."""
    ends = ends > 0

    def choose(new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.reshape(ends, [-1] + [1] * (new.shape.rank - 1)), new, old)

    clients = tf.cast(tf.shape(runs.patches)[1], runs.eta.dtype)
    server = tf.reduce_mean(state.local, axis=1)
    control = state.control
    if algorithm == "scaffold":
        # Option II: c_k <- c_k - c + (x - y_k) / (eta tau); only c - c_k is needed.
        length = (runs.eta * tf.maximum(state.taken, 1))[:, None, None, None]
        own = (state.server[:, None] - state.local) / length - control
        control = choose(tf.reduce_mean(own, axis=1, keepdims=True) - own, control)
    return State(
        local=choose(tf.repeat(server[:, None], tf.shape(state.local)[1], axis=1), state.local),
        server=choose(server, state.server),
        moved=choose(tf.zeros_like(state.moved), state.moved),
        coefficients=choose(state.coefficients + state.moved / clients, state.coefficients),
        before=choose(signal_products(runs, state.server), state.before),
        control=control,
        taken=choose(tf.zeros_like(state.taken), state.taken),
    )


@tf.function(autograph=False)
def train(runs: Runs, records: tf.Tensor, algorithm: str) -> Trace:
    """Trains all runs; the state at the end of each segment of `records` steps (their lengths)."""
    state = begin(runs, algorithm == "scaffold")
    number = tf.shape(records)[0]
    dtype = runs.eta.dtype
    held = [tf.TensorArray(dtype, number) for _ in Trace._fields]
    step = tf.constant(0)

    def advance(step: tf.Tensor, state: Nested) -> tuple[tf.Tensor, State]:
        state = local_step(State(*state), runs, algorithm)
        ends = runs.averages[step]
        state = tf.cond(
            tf.reduce_any(ends > 0), lambda: average(state, runs, ends, algorithm), lambda: state
        )
        return step + 1, state

    def segment(record: tf.Tensor, step: tf.Tensor, state: Nested, held: Nested) -> Nested:
        last = step + records[record]
        step, state = tf.while_loop(lambda s, _: s < last, advance, (step, State(*state)))
        now = (state.server, state.coefficients, state.before)
        held = [array.write(record, value) for array, value in zip(held, now, strict=True)]
        return record + 1, step, state, held

    *_, held = tf.while_loop(
        lambda record, *_: record < number, segment, (tf.constant(0), step, state, held)
    )
    return Trace(*(array.stack() for array in held))

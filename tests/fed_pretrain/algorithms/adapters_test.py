"""The three ways to average adapters, against NumPy: softmax regression of W + s A B."""

import collections
import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.models import adapted_layers
from fed_pretrain.models.adapters import Adapters, Correction
from fed_pretrain.tasks.objective import keras_loss
from groundwork.errors import UserError
from tests.fed_pretrain.algorithms import oracle
from tests.fed_pretrain.algorithms.toy import (
    CLASSES,
    COHORTS,
    FEATURES,
    OBJECTIVE,
    Run,
    batches,
    build_model,
    gradient,
    payload_spec,
    start_weights,
)

SCALE = 1.5
KERNEL, BIAS = start_weights()
CORRECTED = (Correction(a=0, b=1, kernel=0, scale=SCALE),)


def first_factors(rank: int) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    whole = np.linalg.qr(generator.normal(size=(FEATURES, FEATURES)))[0].astype(np.float32)
    return [whole[:, :rank], np.zeros((rank, CLASSES), np.float32)]


def model_fn(lora: Adapters):
    spec = collections.OrderedDict(
        x=tf.TensorSpec([None, FEATURES]), y=tf.TensorSpec([None], tf.int32)
    )
    model = adapted_layers.add(build_model(), lora, head=None)
    return tff.learning.models.from_keras_model(
        model, loss=keras_loss(OBJECTIVE), input_spec=spec, metrics=[]
    )


def built(rank: int, trains_a: bool, corrects: bool, scale: float = SCALE, **settings):
    lora = Adapters(rank, scale, "", trains_a, corrects)
    config = ResolvedAlgorithm(alignment="none", **settings)
    corrected = CORRECTED if corrects else ()
    make = functools.partial(model_fn, lora)
    return compose.build(config, make, payload_spec(), OBJECTIVE, corrected=corrected)


def begun(executor, rank: int, trains_a: bool, corrects: bool, scale: float = SCALE, **settings):
    run = Run(built(rank, trains_a, corrects, scale, **settings), executor)
    a, b = first_factors(rank)
    training, resting = ([a, b], []) if trains_a else ([b], [a])
    weights = tff.learning.models.ModelWeights(training, [KERNEL, BIAS, *resting])
    run.state = run.state._replace(global_model_weights=weights)
    return run


def factors_of(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weights = run.state.global_model_weights
    both = [*map(np.asarray, weights.trainable)]
    if len(both) == 1:
        both = [np.asarray(weights.non_trainable[2]), *both]
    return np.asarray(weights.non_trainable[0]), both[0], both[1]


def trained(kernel, a, b, client: str, number: int, trains_a: bool):
    """One client's A and B after its local steps."""
    for x, y in batches(client, number):
        moves = gradient([kernel + SCALE * a @ b, BIAS], x, y)
        moves = moves[: FEATURES * CLASSES].reshape(FEATURES, CLASSES)
        of_a, of_b = SCALE * moves @ b.T, SCALE * a.T @ moves
        a, b = a - oracle.ETA * of_a * trains_a, b - oracle.ETA * of_b
    return a, b


def expected(rank: int, trains_a: bool, corrects: bool, clip: float | None = None):
    """`clip`: the norm to which updates are shortened; clients then count alike."""
    kernel, (a, b) = KERNEL.astype(np.float64), first_factors(rank)
    for number, clients in enumerate(COHORTS, 1):
        weights = np.array(oracle.sizes(clients) if clip is None else np.ones(len(clients)))
        weights /= weights.sum()
        found = [trained(kernel, a, b, client, number, trains_a) for client in clients]
        if clip is not None:
            found = [shortened(a, b, *factors, clip) for factors in found]
        whole = sum(
            w * (kernel + SCALE * of_a @ of_b)
            for w, (of_a, of_b) in zip(weights, found, strict=True)
        )
        a = sum(w * of_a for w, (of_a, _) in zip(weights, found, strict=True))
        b = sum(w * of_b for w, (_, of_b) in zip(weights, found, strict=True))
        if corrects:
            kernel = whole - SCALE * a @ b
        elif not trains_a and clip is None:
            np.testing.assert_allclose(kernel + SCALE * a @ b, whole, atol=1e-12)
    return kernel, a, b


def shortened(a, b, of_a, of_b, clip: float):
    share = min(1.0, clip / np.sqrt(((a - of_a) ** 2).sum() + ((b - of_b) ** 2).sum()))
    return a + share * (of_a - a), b + share * (of_b - b)


PRIVATE = {
    "dp_noise_multiplier": 1e-9,  # Hardly any: what is left is the clipping.
    "dp_clip_norm": 0.05,
    "weighting": "uniform",
    "population": 6,
}


@pytest.mark.slow
@pytest.mark.parametrize("trains_a", [True, False], ids=["fedit", "ffa"])
@pytest.mark.parametrize(
    "settings",
    [{"secure_aggregation": True}, PRIVATE, {**PRIVATE, "secure_aggregation": True}],
    ids=["secure", "private", "both"],
)
def test_secure_sums_and_privacy_cover_adapters_like_any_update(
    executor, trains_a, settings
) -> None:
    run = begun(executor, 2, trains_a, corrects=False, clients_per_round=3, **settings)
    run.two_rounds()
    wanted = expected(2, trains_a, corrects=False, clip=settings.get("dp_clip_norm"))
    for found, oracles in zip(factors_of(run), wanted, strict=True):
        np.testing.assert_allclose(found, oracles, atol=2e-6)
    assert np.abs(factors_of(run)[2]).max() > 0.01


@pytest.mark.parametrize(
    ("trains_a", "corrects"),
    [
        pytest.param(True, False, id="fedit", marks=pytest.mark.slow),
        pytest.param(False, False, id="ffa", marks=pytest.mark.slow),
        pytest.param(True, True, id="fedex"),
    ],
)
def test_two_rounds_of_adapters_are_those_of_numpy(executor, trains_a, corrects) -> None:
    run = begun(executor, 2, trains_a, corrects)
    run.two_rounds()
    for found, wanted in zip(factors_of(run), expected(2, trains_a, corrects), strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-6)
    moved = not np.array_equal(factors_of(run)[0], KERNEL)
    assert moved == corrects


def test_ffa_at_full_rank_and_a_scale_of_one_takes_the_steps_of_the_kernel_itself(executor) -> None:
    run = begun(executor, FEATURES, False, False, scale=1.0)
    run.two_rounds()
    kernel, a, b = factors_of(run)
    whole = KERNEL.astype(np.float64)
    for number, clients in enumerate(COHORTS, 1):
        ends = []
        for client in clients:
            mine = whole
            for x, y in batches(client, number):
                moves = gradient([mine, BIAS], x, y)[: FEATURES * CLASSES]
                mine = mine - oracle.ETA * moves.reshape(FEATURES, CLASSES)
            ends.append(mine)
        whole = np.average(ends, axis=0, weights=oracle.sizes(clients))
    assert np.abs(whole - KERNEL).max() > 0.01
    np.testing.assert_allclose(kernel + a @ b, whole, atol=2e-6)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"secure_aggregation": True}, "--secure_aggregation does not let the server see them"),
        ({**PRIVATE, "clients_per_round": 3}, "--dp_noise_multiplier does not let the server see"),
        ({"compression": "quantize"}, "--compression=quantize does not"),
        ({"late_rounds": 1}, "--late_rounds does not"),
        ({"server_optimizer": "adam"}, "--server_optimizer=sgd with --server_learning_rate=1"),
        ({"server_learning_rate": 0.5}, "--server_learning_rate=1"),
        ({"server_schedule": "cosine", "schedule_rounds": 9}, "--server_schedule=constant"),
        ({"client_update": "nova"}, "--client_update=nova makes it another"),
    ],
)
def test_fedex_is_refused_where_the_model_is_not_the_mean_of_what_clients_show(
    settings, named
) -> None:
    with pytest.raises(UserError, match=named):
        built(2, trains_a=True, corrects=True, **settings)

"""TFF's own processes and programs run unchanged on the device context."""

import asyncio
import collections
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow_federated.python.core.backends.mapreduce import intrinsics as mapreduce_intrinsics

from fed_pretrain.executors import tff_context
from groundwork.errors import UserError
from tests.fed_pretrain.executors import digits


@pytest.fixture
def installed(device: Any) -> Iterator[Any]:
    """The device context as TFF's default, without the worker to fall back on."""
    yield tff_context.install_default(device, fall_back=False)
    tff_context.install_default(device)


@pytest.fixture(scope="module")
def datasets() -> list[tf.data.Dataset]:
    found = []
    for client in digits.clients(1)[:2]:
        payload = client.read()
        rows = tf.data.Dataset.from_tensor_slices((payload["x"], payload["y"]))
        found.append(rows.batch(digits.BATCH))
    return found


def _stock(aggregator: Any = None) -> Any:
    spec = (digits.PAYLOAD["x"], digits.PAYLOAD["y"])

    def model_fn() -> Any:
        loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return tff.learning.models.from_keras_model(
            digits.build_model(), loss=loss, input_spec=spec
        )

    return tff.learning.algorithms.build_weighted_fed_avg(
        model_fn,
        tff.learning.optimizers.build_sgdm(0.1),
        model_aggregator=aggregator,
        loop_implementation=tff.learning.LoopImplementation.DATASET_ITERATOR,
    )


def test_next_gives_what_run_round_gives(installed, device):
    made = digits.algorithm()
    state, clients = digits.start(device, made), digits.clients(1)
    data = [tf.data.Dataset.from_tensors(client.read()) for client in clients]
    by_next = made.process.next(state, data)
    by_round = device.run_round(made, state, clients)
    assert type(by_next.state) is type(by_round.state)
    assert digits.difference(by_next.state, by_round.state) == 0
    assert digits.difference(by_next.metrics, by_round.metrics) == 0


def test_an_asynchronous_context_gives_what_the_synchronous_one_gives(installed, device):
    made = digits.algorithm()
    state = digits.start(device, made)
    data = [tf.data.Dataset.from_tensors(client.read()) for client in digits.clients(1)]
    expected = made.process.next(state, data)
    asynchronous = tff_context.install_default(device, asynchronous=True, fall_back=False)
    tff.framework.set_default_context(asynchronous)

    async def two_rounds_at_once() -> Any:
        return await asyncio.gather(*(made.process.next(state, data) for _ in range(2)))

    for found in asyncio.run(two_rounds_at_once()):
        assert digits.difference(found.state, expected.state) == 0


def test_weights_that_do_not_train_reach_the_clients_and_come_back_unchanged(installed, datasets):
    """A frozen layer and BatchNorm's statistics: TFF broadcasts them and trains the rest."""

    def model_fn() -> Any:
        layers = tf.keras.layers
        image = tf.keras.Input([8, 8, 1], dtype=tf.uint8)
        x = layers.Dense(4, trainable=False)(layers.Flatten()(layers.Rescaling(1 / 255)(image)))
        x = layers.BatchNormalization(name="norm")(x)
        model = tf.keras.Model(image, layers.Dense(10)(x))
        loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        spec = (digits.PAYLOAD["x"], digits.PAYLOAD["y"])
        return tff.learning.models.from_keras_model(model, loss=loss, input_spec=spec)

    process = tff.learning.algorithms.build_weighted_fed_avg(
        model_fn, tff.learning.optimizers.build_sgdm(0.1)
    )
    before = process.initialize()
    weights = process.next(before, datasets).state.global_model_weights
    start = before.global_model_weights
    assert len(start.non_trainable) == 4  # kernel, bias, mean, variance
    assert digits.difference(list(weights.non_trainable), list(start.non_trainable)) == 0
    assert digits.difference(list(weights.trainable), list(start.trainable)) > 1e-3


def test_a_stock_process_agrees_with_the_worker(installed, native, device, datasets):
    process = _stock()
    state = process.initialize()
    expected = native.invoke(process.next, state, datasets)
    found = process.next(state, datasets)
    assert digits.difference(found.state, expected.state) < 1e-6
    assert digits.difference(found.metrics, expected.metrics) < 1e-4


@pytest.mark.slow
def test_secure_sums_are_simulated_by_sums(installed, datasets):
    plain, secure = _stock(), _stock(tff.learning.secure_aggregator())
    state = plain.initialize()
    start = secure.set_model_weights(secure.initialize(), plain.get_model_weights(state))
    expected = plain.next(state, datasets).state.global_model_weights
    found = secure.next(start, datasets).state.global_model_weights
    assert digits.difference(found.trainable, expected.trainable) < 1e-3  # fixed-point rounding


CLIENT_NUMBERS = tff.types.FederatedType(np.int32, tff.CLIENTS)


def test_each_kind_of_secure_sum_is_the_sum(installed):
    @tff.federated_computation(CLIENT_NUMBERS)
    def sums(values: Any) -> Any:
        return tff.federated_zip(
            collections.OrderedDict(
                modular=mapreduce_intrinsics.federated_secure_modular_sum(values, 7),
                bits=tff.federated_secure_sum_bitwidth(values, 8),
                bounded=tff.federated_secure_sum(values, 10),
                plain=tff.federated_sum(values),
            )
        )

    found = sums([3, 4, 5])
    assert found == {"modular": 12 % 7, "bits": 12, "bounded": 12, "plain": 12}


def test_each_client_has_a_random_seed_of_its_own_and_a_new_one_in_each_round(installed):
    """Two equal seeds s would have a sum 2s and squares of sum 2s^2."""
    numbers = tff.types.SequenceType(np.int32)

    @tff.tensorflow.computation
    def seed() -> Any:
        return tf.random.uniform([], 0, 2**30, tf.int32)

    @tff.tensorflow.computation(np.int32, numbers)
    def draw(own_seed: Any, data: Any) -> Any:
        known = tf.cast(own_seed, tf.float64)
        unseeded = tf.random.uniform([], dtype=tf.float64)
        drawn = tf.stack([known, unseeded])
        rows = data.reduce(np.int32(0), lambda count, _: count + 1)
        return collections.OrderedDict(drawn=drawn, squares=drawn**2, rows=rows)

    @tff.federated_computation(tff.types.FederatedType(numbers, tff.CLIENTS))
    def drawn_by_all(data: Any) -> Any:
        seeds = tff.federated_eval(seed, tff.CLIENTS)
        return tff.federated_sum(tff.federated_map(draw, (seeds, data)))

    rounds = [drawn_by_all([[1, 2], [3]]) for _ in range(2)]
    for found in rounds:
        assert found["rows"] == 3
        assert np.all(np.abs(2 * found["squares"] / found["drawn"] ** 2 - 1) > 1e-9)
    assert np.all(rounds[0]["drawn"] != rounds[1]["drawn"])


def test_an_evaluation_that_returns_only_a_result_runs(installed):
    numbers = tff.types.SequenceType(tff.types.TensorType(np.float32))

    @tff.tensorflow.computation(np.float32, numbers)
    def scaled(scale: Any, data: Any) -> Any:
        return scale * data.reduce(tf.constant(0.0), lambda a, b: a + b)

    @tff.federated_computation(
        tff.types.FederatedType(np.float32, tff.SERVER),
        tff.types.FederatedType(numbers, tff.CLIENTS),
    )
    def evaluate(scale: Any, data: Any) -> Any:
        results = tff.federated_map(scaled, (tff.federated_broadcast(scale), data))
        return collections.OrderedDict(total=tff.federated_sum(results))

    assert evaluate(2.0, [[1.0, 2.0], [3.0]])["total"] == 12.0


def test_pure_tensorflow_runs_directly(installed):
    @tff.tensorflow.computation(np.int32)
    def add_one(x: Any) -> Any:
        return collections.OrderedDict(y=x + 1, s=tf.constant("text"))

    assert add_one(3) == {"y": 4, "s": b"text"}


def test_what_has_no_map_reduce_form_is_refused_or_runs_on_the_worker(device, installed):
    kind = tff.types.FederatedType(np.float32, tff.CLIENTS)

    @tff.federated_computation(kind)
    def twice_summed(values: Any) -> Any:
        back = tff.federated_broadcast(tff.federated_sum(values))
        added = tff.tensorflow.computation(lambda a, b: a + b, (np.float32, np.float32))
        return tff.federated_sum(tff.federated_map(added, (values, back)))

    with pytest.raises(UserError, match="--executor=native can"):
        twice_summed([1.0, 2.0])
    fallen = tff_context.install_default(device, fall_back=True)
    assert twice_summed([1.0, 2.0]) == 9.0
    fallen._invoke.close()


@pytest.mark.slow
def test_the_train_model_program_of_tff_runs(device, tmp_path):
    @tff.tensorflow.computation(np.str_)
    def read(client_id: Any) -> Any:
        number = tf.strings.to_number(client_id, tf.int64)
        image = tf.random.stateless_uniform([4, 8, 8, 1], [1, number], 0, 255, tf.int32)
        pair = tf.cast(image, tf.uint8), tf.ones([4], tf.int32)
        return tf.data.Dataset.from_tensors(pair).repeat(2)

    asynchronous = tff_context.install_default(device, asynchronous=True, fall_back=False)
    tff.framework.set_default_context(tff.program.NativeFederatedContext(asynchronous))
    process = tff.simulation.compose_dataset_computation_with_learning_process(read, _stock())
    states = tff.program.FileProgramStateManager(str(tmp_path))
    program = tff.learning.programs.train_model(
        train_process=process,
        train_data_source=tff.program.ClientIdDataSource(["0", "1", "2"]),
        train_per_round_clients=2,
        train_total_rounds=3,
        program_state_manager=states,
        model_output_manager=tff.program.LoggingReleaseManager(),
        evaluation_manager=None,
        evaluation_periodicity=10,
    )
    try:
        asyncio.run(asyncio.wait_for(program, 900))
    finally:
        tff_context.install_default(device)
    assert (tmp_path / "program_state_3").exists()

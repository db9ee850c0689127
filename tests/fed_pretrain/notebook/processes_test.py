"""TFF both ways, against TFF's own FedAvg."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import fed_pretrain as fp
from tests.fed_pretrain.notebook.conftest import DATA

layers = tf.keras.layers
BATCHES = [tf.data.Dataset.from_tensor_slices(pair).batch(20) for pair in DATA.values()]


def model():
    return tf.keras.Sequential([layers.InputLayer((5,)), layers.Dense(8), layers.Dense(3)])


def model_fn():
    return tff.learning.models.from_keras_model(
        model(),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[tf.keras.metrics.SparseCategoricalAccuracy()],
        input_spec=BATCHES[0].element_spec,
    )


def federated_averaging():
    return tff.learning.algorithms.build_weighted_fed_avg(
        model_fn,
        client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.1),
        server_optimizer_fn=tff.learning.optimizers.build_sgdm(1.0),
    )


def test_clients_of_tffs_simulations_are_clients_of_ours(tmp_path):
    simulations = tff.simulation.datasets
    arrays = simulations.TestClientData(
        {n: {"pixels": x, "label": y} for n, (x, y) in DATA.items()}
    )
    path = str(tmp_path / "clients.sqlite")
    read = arrays.create_tf_dataset_for_client
    simulations.save_to_sql_client_data(arrays.client_ids, read, path)
    stored = simulations.load_and_parse_sql_client_data(path, arrays.element_type_structure)
    wanted = fp.clients(DATA, test=0.2).dataset.manifest.fingerprint
    for source in (arrays, stored):
        assert fp.clients(source, test=0.2).dataset.manifest.fingerprint == wanted


@pytest.mark.slow
def test_our_process_over_ordinary_datasets_is_tffs_own():
    ours, theirs = fp.learning_process(model_fn, "fedavg"), federated_averaging()
    state = ours.initialize()
    other = theirs.set_model_weights(theirs.initialize(), ours.get_model_weights(state))
    empty = BATCHES[0].take(0)
    for _ in range(2):
        output = ours.next(state, [*BATCHES, empty])
        state, other = output.state, theirs.next(other, [*BATCHES, empty]).state
    for one, same in zip(
        ours.get_model_weights(state).trainable,
        theirs.get_model_weights(other).trainable,
        strict=True,
    ):
        np.testing.assert_allclose(one, same, atol=1e-6)
    sums = output.metrics["client_work"]["train"]
    assert (sums["count"], sums["examples"]) == (180, 180)


@pytest.mark.slow
def test_a_process_of_tffs_is_a_run_of_ours(six, tmp_path):
    run = fp.train(
        six, model=model(), process=federated_averaging(), rounds=1, workdir=tmp_path / "theirs"
    )
    assert run.resume(rounds=2).rows[-1]["round"] == 2
    ours = fp.train(six, model=model(), algorithm="fedavg", rounds=2)
    again = fp.train(six, model=model(), process=federated_averaging(), rounds=2)
    for row, same in zip(again.rows, ours.rows, strict=True):
        assert row["eval_loss"] == pytest.approx(same["eval_loss"], rel=1e-5)
    with pytest.raises(
        fp.ArgumentError, match="process: its model has trainable weights of shapes"
    ):
        fp.train(six, process=federated_averaging(), rounds=0)


def test_what_tffs_programs_have_no_place_for_is_refused():
    with pytest.raises(
        fp.ArgumentError, match=r"algorithm: client update 'scaffold' keeps a state for each client"
    ):
        fp.learning_process(model_fn, "scaffold")
    with pytest.raises(fp.ArgumentError, match=r"process is a str; a tff\.learning"):
        fp.train(fp.clients(DATA), process="fedavg")

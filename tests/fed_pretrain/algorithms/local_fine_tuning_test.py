"""Fine-tuning without averaging, and central training, against NumPy."""

import numpy as np
import pytest
import tensorflow_federated as tff

from fed_pretrain.algorithms import local_fine_tuning
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.executors.executor import ClientInput
from tests.fed_pretrain.algorithms.toy import (
    BATCH,
    CLASSES,
    OBJECTIVE,
    SIZES,
    flat,
    grad,
    model_fn,
    payload_spec,
    rows,
    shaped,
    start_weights,
)

WORK = LocalWork(BATCH, epochs=2)
RATE = 0.1


@pytest.fixture(scope="module")
def tuning() -> local_fine_tuning.FineTuning:
    return local_fine_tuning.FineTuning(model_fn, payload_spec(), OBJECTIVE, RATE)


def held_out(client: str):
    x, y = rows(client)
    return x[:2] * 0.5, (y[:2] + 1) % CLASSES


def figures(vector: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, int]:
    kernel, bias = shaped(vector)
    logits = x @ kernel + bias
    loss = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), y]
    return float(loss.sum()), int((logits.argmax(1) == y).sum())


def trained(payload) -> np.ndarray:
    vector = flat(start_weights())
    for step in payload["order"]:
        real = step[step >= 0]
        vector = vector - RATE * grad(vector, payload["x"][real], payload["y"][real])
    return vector


def weights() -> tff.learning.models.ModelWeights:
    return tff.learning.models.ModelWeights(start_weights(), [])


def test_local_fine_tuning_trains_each_client_alone(tuning, executor) -> None:
    payloads = {
        c: local_fine_tuning.held_out_payload(rows(c), held_out(c), WORK, 0, c) for c in SIZES
    }
    clients = [ClientInput(c, lambda p=p: p) for c, p in payloads.items()]
    result = local_fine_tuning.fine_tune("local", tuning, executor, weights(), clients, 72)
    before = [figures(flat(start_weights()), *held_out(c)) for c in SIZES]
    after = [figures(trained(payloads[c]), *held_out(c)) for c in SIZES]
    assert np.isclose(result.before["loss_sum"], sum(loss for loss, _ in before), rtol=1e-5)
    assert np.isclose(result.after["loss_sum"], sum(loss for loss, _ in after), rtol=1e-5)
    assert result.after["correct"] == sum(hits for _, hits in after)
    assert (result.bytes_down, result.bytes_up) == (72 * 4, 0)


def test_central_training_sees_all_rows_and_sends_them(tuning, executor) -> None:
    train = local_fine_tuning.pool([rows(c) for c in SIZES])
    held = local_fine_tuning.pool([held_out(c) for c in SIZES])
    payload = local_fine_tuning.held_out_payload(train, held, WORK, 0, "pooled")
    result = local_fine_tuning.train_centrally(
        tuning, executor, weights(), ClientInput("pooled", lambda: payload), len(SIZES), 1000
    )
    loss, hits = figures(trained(payload), *held)
    assert np.isclose(result.after["loss_sum"], loss, rtol=1e-5)
    assert result.after["correct"] == hits
    assert (result.bytes_down, result.bytes_up) == (0, 1000)

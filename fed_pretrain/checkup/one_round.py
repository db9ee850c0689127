"""One federated round whose answer NumPy knows, through one executor; a separate process.

`python -m fed_pretrain.checkup.one_round OPTIONS` prints a line of JSON; OPTIONS are those of an
executor as JSON, or "devices". Alone in a process, a worker that hangs or a library that crashes is
a verdict and not the end of the examination.
"""

import json
import sys
import time

import numpy as np

from groundwork import command_line
from groundwork.errors import UserError, words_of
from groundwork.untyped import Json, Process

CLIENTS = 4
LEARNING_RATE = 0.1
TOLERANCE = 1e-5


def client_rows(position: int) -> tuple[np.ndarray, np.ndarray]:
    """The few rows of one client: y = 2x with a client's own offset."""
    x = np.arange(1, position + 3, dtype=np.float32)
    return x, 2 * x + np.float32(position)


def expected(weight: float) -> float:
    """One step of gradient descent on all clients' rows."""
    rows = [client_rows(position) for position in range(CLIENTS)]
    slope = sum(float(np.sum(x * (x * weight - y))) for x, y in rows)
    count = sum(len(x) for x, _ in rows)
    return weight - LEARNING_RATE * slope / count


def build_process() -> Process:
    """Federated least squares with one weight, as a learning process."""
    import tensorflow as tf
    import tensorflow_federated as tff

    payload = [("x", tff.TensorType(np.float32, [None])), ("y", tff.TensorType(np.float32, [None]))]
    data = tff.SequenceType(tff.StructWithPythonType(payload, dict))

    @tff.tensorflow.computation
    def first_weight():  # type: ignore[no-untyped-def]
        return tf.constant(0.0)

    @tff.tensorflow.computation(np.float32, data)
    def work(weight, rows):  # type: ignore[no-untyped-def]
        one = rows.get_single_element()
        error = one["x"] * weight - one["y"]
        return tf.reduce_sum(one["x"] * error), tf.cast(tf.size(one["x"]), tf.float32)

    @tff.tensorflow.computation(np.float32, np.float32, np.float32)
    def step(weight, slope, count):  # type: ignore[no-untyped-def]
        return weight - LEARNING_RATE * slope / count

    @tff.federated_computation
    def initialize():  # type: ignore[no-untyped-def]
        return tff.federated_eval(first_weight, tff.SERVER)

    @tff.federated_computation(
        tff.FederatedType(np.float32, tff.SERVER), tff.FederatedType(data, tff.CLIENTS)
    )
    def next_round(weight, clients):  # type: ignore[no-untyped-def]
        slope, count = tff.federated_map(work, (tff.federated_broadcast(weight), clients))
        sums = tff.federated_sum(slope), tff.federated_sum(count)
        new_weight = tff.federated_map(step, (weight, *sums))
        return tff.learning.templates.LearningProcessOutput(
            new_weight, tff.federated_zip({"examples": sums[1]})
        )

    @tff.tensorflow.computation(np.float32)
    def same(weight):  # type: ignore[no-untyped-def]
        return weight

    @tff.tensorflow.computation(np.float32, np.float32)
    def replaced(unused_weight, weight):  # type: ignore[no-untyped-def]
        return weight

    return tff.learning.templates.LearningProcess(initialize, next_round, same, replaced)


def run(options: dict[str, Json]) -> dict[str, Json]:
    """Runs the round; raises when the answer is not NumPy's."""
    import functools

    from fed_pretrain.executors import creation, executor_options
    from fed_pretrain.executors.executor import ClientInput

    started = time.monotonic()
    process = build_process()
    clients = [
        ClientInput(f"client_{position}", functools.partial(_payload, position))
        for position in range(CLIENTS)
    ]
    with creation.create(executor_options.ExecutorOptions(**options)) as executor:
        state = executor.initialize(process)
        output = executor.run_round(process, state, clients)
        runs_on = executor.runs_on()
    found = float(output.state)
    if abs(found - expected(0.0)) > TOLERANCE:
        raise ArithmeticError(f"the round gave {found}, NumPy gives {expected(0.0)}")
    return {"seconds": time.monotonic() - started, "weight": found, "runs_on": runs_on}


def devices() -> dict[str, Json]:
    """What each device that TensorFlow sees makes of a convolution and a matrix product."""
    import tensorflow as tf

    tf.config.set_soft_device_placement(False)  # else a CPU would do a broken GPU's work
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    names = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    return {"devices": {name: try_device(name) for name in names}}


def try_device(name: str) -> dict[str, Json]:
    """Seconds of the first try, or what went wrong."""
    import tensorflow as tf

    started = time.monotonic()
    try:
        with tf.device(f"/{name}"):
            row = tf.nn.conv2d(tf.ones([1, 3, 3, 1]), tf.ones([3, 3, 1, 4]), 1, "VALID")
            product = tf.matmul(tf.reshape(row, [1, 4]), tf.ones([4, 1]))
    except (tf.errors.OpError, ValueError) as error:
        return {"error": words_of(error)}
    if not product.device.endswith(name):
        return {
            "error": f"{name} was asked, {product.device.rpartition('device:')[2]} did the work"
        }
    if float(product) != 36.0:
        return {"error": f"gave {float(product)} where 36 is right"}
    return {"seconds": time.monotonic() - started}


def _payload(position: int) -> dict[str, np.ndarray]:
    x, y = client_rows(position)
    return {"x": x, "y": y}


if __name__ == "__main__":
    command_line.quiet_libraries()
    try:
        answer = devices() if sys.argv[1] == "devices" else run(json.loads(sys.argv[1]))
    except UserError as error:
        sys.exit(str(error))
    print(json.dumps(answer), flush=True)

"""Seconds to the top Hessian eigenvalue of the EMNIST CNN (1.2 M weights) on 2,000 real digits.

    python -m benchmarks.curvature_bench
    python -m benchmarks.curvature_bench --peers=PYTHON   beside PyHessian and hessian-eigenthings

PYTHON is the interpreter of an environment with torch, pyhessian and hessian-eigenthings; the peers
get the same weights and rows in one file and run in their own process, after ours (see
curvature_peers.py, which names every difference). Data: the embedded MNIST digits, Dirichlet
clients, drawn in proportion to client size; random start; seed 0.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("WRAPT_DISABLE_EXTENSIONS", "1")

import numpy as np

TOLERANCE = 1e-3
GOAL_MATVEC = 3.0
PEERS = pathlib.Path(__file__).with_name("curvature_peers.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default="", help="Python of the peers' environment")
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "problem.npz"
        ours = measure(arguments.examples, arguments.repeats, file)
        report("fed_pretrain", ours)
        if not arguments.peers:
            return
        command = [arguments.peers, str(PEERS), str(file)]
        finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800)
        for line in finished.stdout.splitlines():
            peer = json.loads(line)
            report(peer.pop("name"), peer)
            difference = abs(peer["eigenvalue"] - ours["eigenvalue"]) / abs(ours["eigenvalue"])
            print(f"    relative difference of the eigenvalue to ours {difference:.1e}")


def report(name: str, figures: dict[str, Any]) -> None:
    shown = (f"{key} {value:.6g}" for key, value in figures.items())
    print(f"{name}: " + ", ".join(shown), flush=True)


def measure(examples: int, repeats: int, file: pathlib.Path) -> dict[str, float]:
    from fed_pretrain.executors.options import ExecutorOptions
    from fed_pretrain.experiment import session
    from fed_pretrain.experiment.server_state import ModelArrays
    from fed_pretrain.probes.curvature import lanczos, loss_curvature, sample
    from fed_pretrain.starts import start as starts
    from fed_pretrain.starts.config import StartConfig
    from fed_pretrain.tasks.options import TaskOptions

    shared = session.shared()
    executor = shared.executor(ExecutorOptions())
    task = shared.task("mnist5k", None, "emnist_cnn", TaskOptions())
    start = starts.resolve(StartConfig(), task, 0)
    weights = ModelArrays(*start.weights)
    drawn = sample.draw(task.dataset.index("train"), examples, 0)
    batch = sample.micro_batch(task.reader("train"), drawn, True)
    clients = sample.inputs(task.reader("train"), drawn, batch)
    save(file, start.build_model(), weights, clients)

    loss_curvature.PRODUCTS["gradient"] = gradient

    def operator(kind: str) -> Any:
        made = loss_curvature.curvature_computation(task, start.build_model, batch, kind)
        return loss_curvature.CurvatureOperator(executor, made, weights, clients)

    hessian, slope = operator("hessian"), operator("gradient")
    vector = np.ones(hessian.size) / np.sqrt(hessian.size)
    for one in (hessian, slope):
        one.matvec(vector)
    pairs = [(seconds(hessian, vector), seconds(slope, vector)) for _ in range(repeats)]
    matvec, evaluation = (statistics.median(column) for column in zip(*pairs, strict=True))
    began, cpu = time.perf_counter(), time.process_time()
    found = lanczos.eigenpairs(hessian, tolerance=TOLERANCE)
    return {
        "eigenvalue": found.pairs[0].value,
        "relative_residual": found.pairs[0].relative_residual,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "matvecs": found.matvecs,
        "seconds_matvec": matvec,
        "seconds_gradient": evaluation,
        "matvec_in_gradients": matvec / evaluation,
        "clients": len(clients),
        "micro_batch": batch,
    }


def seconds(operator: Any, vector: np.ndarray) -> float:
    began = time.perf_counter()
    operator.matvec(vector)
    return time.perf_counter() - began


def gradient(task: Any, model: Any, vector: Any, x: Any, y: Any) -> Any:
    """The gradient in the place of a product, through the same pipes."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        sums = task.statistics(y, model(x, training=False))
    return tape.gradient(sums["loss_sum"], model.trainable_variables), sums


def save(file: pathlib.Path, model: Any, weights: Any, clients: Any) -> None:
    """The peers get rows as the first convolution sees them."""
    import tensorflow as tf

    payloads = [client.read() for client in clients]
    raw = np.concatenate([payload["x"] for payload in payloads])
    x = tf.keras.Model(model.inputs, model.get_layer("conv1").input)(raw).numpy()
    named = {f"weight{i}": value for i, value in enumerate(weights.trainable)}
    np.savez(file, x=x, y=np.concatenate([p["y"] for p in payloads]), **named)


if __name__ == "__main__":
    main()

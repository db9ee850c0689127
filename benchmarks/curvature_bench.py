"""Seconds to the top Hessian eigenvalue of the EMNIST CNN (1.2 M weights) on 2,000 real digits.

    python -m benchmarks.curvature_bench
    python -m benchmarks.curvature_bench --peers=PYTHON   beside PyHessian and hessian-eigenthings
    python -m benchmarks.curvature_bench --smoke          64 examples, once

PYTHON is the interpreter of an environment with torch, pyhessian and hessian-eigenthings. The peers
get the same weights and rows in one file, as many threads as we have, and the same goal: a residual
||H v - value v|| below a thousandth of the value, checked by their own product (see
curvature_peers.py, which names every difference). All take turns; figures are medians of the turns.
Only ours count the product that checks the residual. Data: the embedded MNIST digits, Dirichlet
clients, drawn in proportion to client size; random start; seed 0.

Last, the eigenvalue along federated training: what a search costs that begins at the eigenvector of
the probed round before (near), and one that begins anew.
"""

import collections
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

from benchmarks import machine, smoke

TOLERANCE = 1e-3
GOAL_MATVEC = 3.0
PROBED_ROUNDS = (0, 1, 2, 4, 8)
PEERS = pathlib.Path(__file__).with_name("curvature_peers.py")

Figures = dict[str, float]


def main() -> None:
    parser = smoke.parser(__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default="", help="Python of the peers' environment")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.examples, arguments.repeats = 64, 1
    machine.announce()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "problem.npz"
        problem = Problem(arguments.examples)
        problem.save(file)
        turns = 1 if arguments.smoke else max(3, arguments.repeats)
        cost = problem.cost_of_a_matvec(turns)
        report("matvec", cost)
        rounds = PROBED_ROUNDS[:2] if arguments.smoke else PROBED_ROUNDS
        training = problem.along_training(rounds)
        report("along training", training)
        if not arguments.peers:
            found = compare({"fed_pretrain": problem.solve}, arguments.repeats)
            if arguments.smoke:
                figures = {f"matvec {name}": value for name, value in cost.items()}
                figures |= found["fed_pretrain"] | training
                del figures["difference_to_ours"]  # Nothing differs from itself.
                smoke.check(figures, count=14)
            return
        command = [arguments.peers, str(PEERS), str(file), str(cores)]
        with contextlib.closing(Peers(command)) as peers:
            others = {name: peers.solver(name) for name in peers.names}
            compare({"fed_pretrain": problem.solve} | others, arguments.repeats)


class Problem:
    """The Hessian of the drawn examples' loss, and our way to its top eigenvalue."""

    def __init__(self, examples: int) -> None:
        from fed_pretrain.curvature import sample
        from fed_pretrain.executors.executor_options import ExecutorOptions
        from fed_pretrain.experiment.assembly import session
        from fed_pretrain.models.weights import ModelArrays
        from fed_pretrain.starts import start
        from fed_pretrain.starts.start_config import StartConfig
        from fed_pretrain.tasks import embedded_datasets
        from fed_pretrain.tasks.definition import TaskOptions

        shared = session.shared()
        dataset = embedded_datasets.open_for_task("mnist5k", None)
        self._executor = shared.executor(ExecutorOptions())
        self._task = shared.task("mnist5k", dataset, "emnist_cnn", TaskOptions())
        self._start = start.resolve(StartConfig(), self._task, 0)
        self._weights = ModelArrays(*self._start.weights)
        drawn = sample.draw(dataset.index("train"), examples, 0)
        self._clients = sample.pooled(self._task.reader("train"), drawn, 128)
        self._hessian = self._operator(None)

    def solve(self) -> Figures:
        from fed_pretrain.curvature import lanczos

        began, cpu = time.perf_counter(), time.process_time()
        found = lanczos.eigenpairs(self._hessian, tolerance=TOLERANCE)
        pair = found.pairs[0]
        return {
            "eigenvalue": pair.value,
            "relative_residual": pair.residual / abs(pair.value),
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
            "matvecs": found.matvecs,
        }

    def cost_of_a_matvec(self, repeats: int) -> Figures:
        """In gradients of the same examples through the same pipes, measured in turns."""
        slope = self._operator(gradient)
        vector = np.ones(self._hessian.size) / np.sqrt(self._hessian.size)
        for one in (self._hessian, slope):
            one.matvec(vector)
        turns = [(spent(self._hessian, vector), spent(slope, vector)) for _ in range(repeats)]
        product, evaluation = (statistics.median(column) for column in zip(*turns, strict=True))
        return {
            "cpu_seconds": product,
            "cpu_seconds_gradient": evaluation,
            "in_gradients": statistics.median(one / other for one, other in turns),
            "goal": GOAL_MATVEC,
            "clients": len(self._clients),
        }

    def along_training(self, rounds: Sequence[int]) -> Figures:
        """Products and CPU seconds of all searches after the first of these rounds."""
        from fed_pretrain.curvature import lanczos

        spent: Figures = collections.Counter()
        near: list[np.ndarray] = []
        for weights in trained(rounds):
            operator = self._operator(None, weights)
            for name, known in (("anew", []), ("near", near)):
                cpu = time.process_time()
                found = lanczos.eigenpairs(operator, tolerance=TOLERANCE, near=known)
                if near:
                    spent[f"{name} products"] += found.matvecs
                    spent[f"{name} cpu_seconds"] += time.process_time() - cpu
            near = [pair.vector for pair in found.pairs]
        return dict(spent)

    def save(self, file: pathlib.Path) -> None:
        """The peers get rows as the first convolution sees them."""
        import tensorflow as tf

        from benchmarks.peers import cases

        model = self._start.build_model()
        payloads = [client.read() for client in self._clients]
        raw = np.concatenate([payload["x"] for payload in payloads])
        x = tf.keras.Model(model.inputs, model.get_layer("conv1").input)(raw).numpy()
        named = dict(zip(cases.weight_names(model), self._weights.trainable, strict=True))
        np.savez(file, x=x, y=np.concatenate([p["y"] for p in payloads]), **named)

    def _operator(self, product: Any, weights: Any = None) -> Any:
        from fed_pretrain.curvature import loss_operators

        positions = range(len(self._weights.trainable))
        computation = loss_operators.curvature_computation(
            self._task, self._start.build_model, positions, product or loss_operators.hessian
        )
        return loss_operators.CurvatureOperator(
            self._executor, computation, weights or self._weights, self._clients, positions
        )


def trained(rounds: Sequence[int]) -> Iterator[Any]:
    """The weights after each of these rounds of the task's own training."""
    from fed_pretrain.experiment.assembly import round_clients, session
    from fed_pretrain.experiment.assembly.assemble import assemble
    from fed_pretrain.experiment.assembly.run_config import RunConfig
    from fed_pretrain.experiment.workdir.checkpoints import StateLayout

    made = assemble(RunConfig("mnist5k", "", model="emnist_cnn"), session.shared())
    layout = StateLayout.of(made.algorithm, made.start.names)
    state = layout.with_model(made.algorithm.initial_state(made.executor), made.start.weights)
    for number in range(max(rounds) + 1):
        if number:
            clients = round_clients.inputs(made, number)
            state = made.executor.run_round(made.algorithm, state, clients).state
        if number in rounds:
            yield layout.model(state)


class Peers:
    """The other libraries in one process of their own, that solves when it is told to."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.names: list[str] = json.loads(self._answer())

    def solver(self, name: str) -> Callable[[], Figures]:
        def solve() -> Figures:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{name}\n")
            self._process.stdin.flush()
            figures: Figures = json.loads(self._answer())
            return figures

        return solve

    def close(self) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the peers' process ended: see its message above")
        return line


def gradient(batch: Any) -> tuple[list[Any], Any]:
    """The gradient in the place of a product, through the same pipes."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        sums = batch.statistics(batch.logits())
    return tape.gradient(sums["loss_sum"], batch.variables), sums


def spent(operator: Any, vector: np.ndarray) -> float:
    began = time.process_time()
    operator.matvec(vector)
    return time.process_time() - began


def compare(solvers: dict[str, Callable[[], Figures]], repeats: int) -> dict[str, Figures]:
    """Prints and gives the medians of the turns, by solver."""
    medians = {}
    found = collections.defaultdict(list)
    for _ in range(repeats):
        for name, solve in solvers.items():
            found[name].append(solve())
    ours = found["fed_pretrain"][0]["eigenvalue"]
    for name, turns in found.items():
        figures = {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
        figures["difference_to_ours"] = abs(figures["eigenvalue"] - ours) / abs(ours)
        medians[name] = figures
        report(name, figures)
    return medians


def report(name: str, figures: Figures) -> None:
    shown = (f"{key} {value:.6g}" for key, value in figures.items())
    print(f"{name}: " + ", ".join(shown), flush=True)


if __name__ == "__main__":
    main()

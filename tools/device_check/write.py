"""Writes the folder: `python -m tools.device_check.write FOLDER [NAME]` (`make device-check`).

Programs are the client work of FedAvg as --executor=pjrt lowers it; of deep convolutional networks
there are small ones for CPUs, where XLA's convolutions in loops are a hundred times slower than
TensorFlow's. Large arrays are not written:
check.py draws them, and what the sums must be is written as a sample of TensorFlow's own sums.
"""

import collections
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import flatbuffers
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

import fed_pretrain  # noqa: F401  (before TensorFlow Federated)
from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients import payload
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.executors import creation
from fed_pretrain.executors.device import client_slots, device_program
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.graphs import map_reduce
from fed_pretrain.executors.graphs.graph_import import ImportedGraph
from fed_pretrain.executors.graphs.map_reduce import MapReduceProgram
from fed_pretrain.executors.pjrt import environment
from fed_pretrain.executors.pjrt.client_step import ClientStep, own_arrays
from fed_pretrain.models import known_models
from fed_pretrain.tasks.objective import CrossEntropy, keras_loss
from groundwork.untyped import Leaf
from tools.device_check.drawing import made, sample_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLIENTS = 3
LIMIT_MIB = 60
BOUND = 2e-2
_NO_CACHE = shutil.ignore_patterns("__pycache__")


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, what a client does with it, and the cohorts to time; without cohorts it is for CPUs.

    rows: the shape of one, of bytes (an image) or of ids below `ids`. trained: a layer, if not all.
    """

    short: str
    model: str
    arguments: Mapping[str, object]
    rows: tuple[int, ...]
    classes: int
    batch: int
    steps: int
    cohorts: tuple[int, ...] = ()
    on_cpu: bool = False
    ids: int = 0
    trained: str = ""

    @property
    def name(self) -> str:
        return f"{self.short}-{self.batch}"

    @property
    def dtype(self) -> tf.DType:
        return tf.int32 if self.ids else tf.uint8

    def build(self) -> tf.keras.Model:
        shape = {"sequence_length": self.rows[0]} if self.ids else {"input_shape": self.rows}
        model = known_models.build(self.model, self.classes, **shape, **self.arguments)
        for layer in model.layers:
            layer.trainable = self.trained in ("", layer.name)
        return model


def _emnist(batch: int, cohorts: tuple[int, ...], on_cpu: bool) -> Case:
    return Case("emnist_cnn", "emnist_cnn", {}, (28, 28, 1), 62, batch, 5, cohorts, on_cpu)


def _resnet(batch: int, steps: int, cohorts: tuple[int, ...], on_cpu: bool) -> Case:
    arguments = {"norm": "group", "stem": "cifar"}
    return Case(
        "resnet18_gn", "resnet18", arguments, (32, 32, 3), 10, batch, steps, cohorts, on_cpu
    )


def _squeezenet(batch: int, steps: int, cohorts: tuple[int, ...], on_cpu: bool) -> Case:
    name = "squeezenet1_1"
    return Case(name, name, {}, (64, 64, 3), 200, batch, steps, cohorts, on_cpu)


_CHARACTERS, _PIECES = 465, 30_522
CASES = (
    _emnist(20, (50, 200), True),
    _resnet(32, 16, (10,), False),
    _emnist(128, (50,), False),
    _squeezenet(32, 4, (10,), False),
    _resnet(128, 4, (10,), False),
    Case("char_lstm", "char_lstm", {}, (40,), _CHARACTERS, 32, 10, (50,), True, _CHARACTERS),
    Case("minilm_head", "bert_encoder", {}, (64,), 20, 16, 4, (10,), True, _PIECES, "classifier"),
    _squeezenet(4, 1, (), True),
    _resnet(4, 1, (), True),
)


def write(case: Case, folder: Path) -> dict[str, object]:
    """The case's files; returns what check.py must know of it."""
    spec = payload.spec_of(
        tf.TensorSpec([None, *case.rows], case.dtype), tf.TensorSpec([None], tf.int32), case.batch
    )
    objective = CrossEntropy()

    def model_fn() -> tff.learning.models.VariableModel:
        model = case.build()
        return tff.learning.models.from_keras_model(
            model if case.ids else _of_bytes(model),
            loss=keras_loss(objective),
            input_spec=collections.OrderedDict(x=spec["x"], y=spec["y"]),
            metrics=[],
        )

    config = ResolvedAlgorithm(
        population=CLIENTS, clients_per_round=CLIENTS, alignment="none", client_learning_rate=0.01
    )
    made = compose.build(config, model_fn, spec, objective)
    program = map_reduce.compile_program(made.process.next)
    with creation.create(ExecutorOptions(clients_in_flight=1)) as executor:
        state = executor.initialize(made.process)
    prepared = ImportedGraph(program.prepare)(device_program.flat_state(state, program))
    drawn = _Drawn()
    shared = [
        drawn.array(f"shared{i}", np.asarray(tensor), drawable=tensor.shape.rank > 1)
        for i, tensor in enumerate(prepared)
    ]
    carry = [np.asarray(t) for t in ImportedGraph(program.zero)([])]
    clients = [_client(case, program, drawn, number) for number in range(CLIENTS)]
    lowered = ClientStep.of_round(program).lowered(carry, clients[0], shared)
    (folder / f"{case.name}.hlo").write_bytes(lowered.hlo)
    kept = drawn.kept | _expected(program, carry, clients[0], shared)
    np.savez_compressed(folder / f"{case.name}.npz", **kept)
    return {
        "name": case.name,
        "batch": case.batch,
        "steps": case.steps,
        "rows": case.rows,
        "classes": case.classes,
        "cohorts": case.cohorts,
        "on_cpu": case.on_cpu,
        "clients": CLIENTS,
        "flops": _flops(case),
        "carry": _forms(carry),
        "own": _forms(clients[0]),
        "shared": _forms(shared),
    }


def _of_bytes(model: tf.keras.Model) -> tf.keras.Model:
    """The model on images of bytes."""
    image = tf.keras.Input(model.input_shape[1:], dtype=tf.uint8)
    return tf.keras.Model(image, model(tf.keras.layers.Rescaling(1 / 255)(image)))


class _Drawn:
    """Arrays that check.py draws by their names, and those that the folder must hold."""

    def __init__(self) -> None:
        self.kept: dict[str, np.ndarray] = {}

    def array(self, name: str, value: np.ndarray, drawable: bool, seed: int = 0) -> np.ndarray:
        if drawable:
            return made((value.dtype.name, list(value.shape)), {}, name, seed)
        self.kept[name] = value
        return value


def _client(case: Case, program: MapReduceProgram, drawn: _Drawn, number: int) -> list[np.ndarray]:
    """A client's arrays; its images are drawn on both machines."""
    generator = np.random.RandomState(number)
    count = case.batch * case.steps
    rows = np.zeros((count, *case.rows), np.uint8)
    if case.ids:
        rows = generator.randint(1, case.ids, rows.shape).astype(np.int32)
    labels = generator.randint(0, case.classes, count).astype(np.int32)
    work = LocalWork(case.batch, steps=case.steps)
    client = ClientInput(
        str(number), lambda: payload.make_payload(rows, labels, work, 1, 1, str(number))
    )
    arrays = own_arrays(
        program.data_tree, client_slots.client_arguments(program.data_tree, pad=True)(client)
    )
    return [
        drawn.array(f"own{number}_{i}", array, drawable=array.dtype == np.uint8, seed=number)
        for i, array in enumerate(arrays)
    ]


def _expected(
    program: MapReduceProgram,
    carry: list[np.ndarray],
    own: list[np.ndarray],
    shared: list[np.ndarray],
) -> dict[str, np.ndarray]:
    """A sample and the norm of what TensorFlow's plain kernels give for one client on this CPU."""
    work, accumulate = ImportedGraph(program.work), ImportedGraph(program.accumulate)
    variables = work.variables()
    result = work.inline([tf.constant(a) for a in (*own, *shared)], variables)
    total: list[Leaf] = accumulate([*carry, *result[: program.update_leaves]])
    kept = {}
    if not np.any(np.asarray(total[0])):
        raise SystemExit("error: the client moves nothing: its update is not finite")
    for i, tensor in enumerate(total):
        flat = np.asarray(tensor, np.float64).ravel()
        kept[f"sample{i}"] = sample_of(tensor)
        kept[f"norm{i}"] = np.asarray(np.linalg.norm(flat))
    return kept


def _flops(case: Case) -> float:
    """Of one client: multiplications and additions by weights, three times where they learn."""
    one = 0.0
    for layer in case.build().layers:
        if "embedding" not in layer.name:
            places = int(np.prod(layer.output_shape[1:-1]))
            size = sum(int(np.prod(w.shape)) for w in layer.weights if w.shape.rank > 1)
            one += (6.0 if layer.trainable else 2.0) * places * size
    return one * case.batch * case.steps


def _forms(arrays: list[np.ndarray]) -> list[tuple[str, tuple[int, ...]]]:
    return [(a.dtype.name, a.shape) for a in arrays]


def main(folder: Path, only: str = "") -> None:
    python = environment.python_of(environment.WorkerDevice("CPU", 0), "")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    programs = [write(case, folder) for case in CASES if case.name.startswith(only)]
    document = {"made_by": f"TensorFlow {tf.__version__} on a CPU", "programs": programs}
    (folder / "programs.json").write_text(json.dumps(document | {"bound": BOUND}, indent=1))
    # JAX reads its own files by it; it is pure Python, and a bare machine has none.
    shutil.copytree(Path(flatbuffers.__file__).parent, folder / "flatbuffers", ignore=_NO_CACHE)
    export = [python, "-m", "tools.device_check.export", str(folder)]
    subprocess.run(export, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(folder)})
    for name in ("check.py", "drawing.py"):
        shutil.copy(HERE / name, folder)
    shutil.copy(ROOT / "tools" / "device_check.sh", folder)
    size = sum(path.stat().st_size for path in folder.rglob("*")) / 2**20
    print(f"{folder}: {len(programs)} programs, {size:.1f} MiB; on the other machine run")
    print(f"  sh {folder.name}/device_check.sh")
    if size > LIMIT_MIB:
        raise SystemExit(f"error: the folder is larger than {LIMIT_MIB} MiB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

"""Writes the folder: `python -m tools.device_check.write FOLDER [NAME]` (`make device-check`).

Programs are the client work of FedAvg as --executor=pjrt lowers it. Large arrays are not written:
check.py draws them, and what the sums must be is written as a sample of TensorFlow's own sums.
"""

import collections
import dataclasses
import json
import os
import shutil
import subprocess
import sys
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
from fed_pretrain.executors.device import client_slots, device_program
from fed_pretrain.executors.device.device_executor import DeviceExecutor
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
    """A model, what a client does with it, and the cohorts to time."""

    model: str
    arguments: dict[str, object]
    image: tuple[int, int, int]
    classes: int
    batch: int
    steps: int
    cohorts: tuple[int, ...]

    @property
    def name(self) -> str:
        short = {"resnet18": "resnet18_gn"}.get(self.model, self.model)
        return f"{short}-{self.batch}"


RESNET = {"norm": "group", "stem": "cifar"}
CASES = (
    Case("emnist_cnn", {}, (28, 28, 1), 62, 20, 5, (50, 200)),
    Case("resnet18", RESNET, (32, 32, 3), 10, 32, 16, (10,)),
    Case("emnist_cnn", {}, (28, 28, 1), 62, 128, 5, (50,)),
    Case("squeezenet1_1", {}, (64, 64, 3), 200, 32, 4, (10,)),
    Case("resnet18", RESNET, (32, 32, 3), 10, 128, 4, (10,)),
)


def write(case: Case, folder: Path) -> dict[str, object]:
    """The case's files; returns what check.py must know of it."""
    spec = payload.spec_of(
        tf.TensorSpec([None, *case.image], tf.uint8), tf.TensorSpec([None], tf.int32), case.batch
    )
    objective = CrossEntropy()

    def model_fn() -> tff.learning.models.VariableModel:
        shape = {"input_shape": case.image}
        return tff.learning.models.from_keras_model(
            _of_bytes(known_models.build(case.model, case.classes, **shape, **case.arguments)),
            loss=keras_loss(objective),
            input_spec=collections.OrderedDict(x=spec["x"], y=spec["y"]),
            metrics=[],
        )

    config = ResolvedAlgorithm(
        population=CLIENTS, clients_per_round=CLIENTS, alignment="none", client_learning_rate=0.01
    )
    made = compose.build(config, model_fn, spec, objective)
    program = map_reduce.compile_program(made.process.next)
    with DeviceExecutor(ExecutorOptions(clients_in_flight=1)) as executor:
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
        "image": case.image,
        "classes": case.classes,
        "cohorts": case.cohorts,
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
    """A client's arrays; its images are drawn."""
    generator = np.random.RandomState(number)
    rows = case.batch * case.steps
    images = np.zeros((rows, *case.image), np.uint8)
    labels = generator.randint(0, case.classes, rows).astype(np.int32)
    work = LocalWork(case.batch, steps=case.steps)
    client = ClientInput(
        str(number), lambda: payload.make_payload(images, labels, work, 1, 1, str(number))
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
    """Of one client: three times the multiplications and additions of the products forward."""
    model = known_models.build(case.model, case.classes, input_shape=case.image, **case.arguments)
    one = 0
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            places = int(np.prod(layer.output_shape[1:3]))
            one += 2 * places * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, tf.keras.layers.Dense):
            one += 2 * int(np.prod(layer.kernel.shape))
    return 3.0 * one * case.batch * case.steps


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

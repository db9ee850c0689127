"""What the papers' own sizes cost: work and bytes by the models, seconds by what was run here.

python -m benchmarks.paper_scale           # measures; a quarter of an hour of CPU
python -m benchmarks.paper_scale --table   # writes the figures into docs/results/paper_scale.md
python -m benchmarks.paper_scale --smoke

A step of each model is timed, and the smallest of the papers' trainings is run for 20 rounds as its
setting says: CIFAR-10's images are synthetic, in the published binary archive and at its full size.
Seconds are of the CPU, so a busy machine does not move them much. --output keeps the figures.
"""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import machine, smoke
from tools import page_tables

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "results" / "paper_scale.md"
ROUNDS = 20
CORES = 2
# What is assumed of an H200 and stated on the page: a fifth of its 67 TFLOP/s in float32, and four
# milliseconds a step at least, since steps this small wait for their kernels.
GPU_FLOP_A_SECOND, GPU_SECONDS_A_STEP, GPUS = 0.2 * 67e12, 0.004, 8


@dataclass(frozen=True)
class Workload:
    """A training of "Where to Begin?" by its setting file; `examples`: of a client, assumed."""

    title: str
    setting: str
    examples: int
    classes: int
    shape: tuple[int, ...]

    def flag(self, name: str) -> int:
        text = (ROOT / "fed_pretrain" / "configs" / f"{self.setting}.flags").read_text()
        found = re.search(rf"^--{name}=(\d+)$", text, re.MULTILINE)
        assert found is not None
        return int(found[1])

    @property
    def steps(self) -> int:
        """Of all clients in one round."""
        return self.flag("clients_per_round") * -(-self.examples // self.flag("batch_size"))


WORKLOADS = {
    "cifar10": Workload("CIFAR-10, SqueezeNet 1.0", "cifar10_fedadam_random", 450, 10, (32, 32, 3)),
    "femnist": Workload("FEMNIST, SqueezeNet 1.0", "femnist_fedadam_random", 204, 62, (32, 32, 3)),
    "stackoverflow": Workload(
        "Stack Overflow, DistilGPT2", "stackoverflow_fedadam_random", 200, 50_257, (64,)
    ),
}


def measured_step(workload: Workload, steps: int) -> dict[str, float]:
    """Weights, work of an example forward, and CPU seconds of a training step."""
    import tensorflow as tf

    from fed_pretrain.models import gpt2, squeezenet

    if len(workload.shape) == 1:
        model = gpt2.build(workload.classes, None, *workload.shape, size="distilgpt2")
        kind, most = tf.int32, workload.classes
    else:
        model = squeezenet.build(workload.classes, workload.shape)
        kind, most = tf.float32, 2
    batch = workload.flag("batch_size")
    x = tf.cast(tf.random.uniform((batch, *workload.shape), 0, most, tf.int32), kind)
    forward = tf.function(lambda rows: model(rows, training=False))
    graph = forward.get_concrete_function(tf.TensorSpec((1, *workload.shape), kind)).graph
    labels = tf.zeros(forward(x).shape[:-1], tf.int32)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(x, training=False))
            )
        weights = model.trainable_variables
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(1e-6 * tf.convert_to_tensor(gradient))

    step()
    began = time.process_time()
    for _ in range(steps):
        step()
    return {
        "weights": float(model.count_params()),
        "flop": float(sum(map(_flop, graph.get_operations()))),
        "step_cpu_seconds": (time.process_time() - began) / steps,
    }


def _flop(operation: object) -> int:
    """Two for each multiplication of a convolution or a product of matrices, 0 of the rest."""
    kind, inputs = operation.type, operation.inputs  # type: ignore[attr-defined]
    if kind not in ("Conv2D", "MatMul", "BatchMatMulV2", "Einsum"):
        return 0
    a, b = (list(one.shape) for one in inputs)
    out = int(np.prod(list(operation.outputs[0].shape)))  # type: ignore[attr-defined]
    if kind == "Conv2D":
        return 2 * out * int(np.prod(b[:3]))
    # What both share and the result lacks is summed over.
    summed = np.sqrt(np.prod(a) * np.prod(b) / out / _kept(kind, a))
    return 2 * out * round(float(summed))


def _kept(kind: str, a: list[int]) -> int:
    """The size of the axes that all three have."""
    return int(np.prod(a[:-2])) if kind == "BatchMatMulV2" else 1


def cifar10(path: Path, images: int) -> None:
    """cifar-10-binary.tar.gz: rows of a colour by label, below noise."""
    draw = np.random.default_rng(0)
    signal = draw.normal(0, 40, (10, 3, 32, 1)) + np.zeros((10, 3, 32, 32))
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name in names:
            labels = draw.integers(0, 10, images).astype(np.uint8)
            noise = draw.integers(-64, 64, (images, 3, 32, 32), np.int16)
            pixels = np.clip(signal[labels] + noise + 128, 0, 255).astype(np.uint8)
            rows = np.concatenate([labels[:, None], pixels.reshape(images, -1)], axis=1).tobytes()
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(rows)
            archive.addfile(member, io.BytesIO(rows))


def run(*command: str) -> float:
    """A program of ours to its end; the CPU seconds of it and its children."""
    before = os.times()
    finished = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, stdout=subprocess.DEVNULL)
    if finished.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def measured_rounds(folder: Path, rounds: int, images: int) -> dict[str, float]:
    """The setting of CIFAR-10 for a few rounds, from the archive on."""
    archive, data, workdir = (folder / name for name in ("cifar.tar.gz", "data", "run"))
    cifar10(archive, images)
    run(
        "data_prep.prepare", "--source=cifar10", f"--input={archive}", "--split=source",
        "--validation_share=0.1", "--partition=dirichlet", "--num_clients=100", "--alpha=0.1",
        f"--output={data}", "--workers=1",
    )  # fmt: skip
    cpu = run(
        # What comes later wins, and the setting file asks for all rounds.
        "fed_pretrain.train", "--flagfile=fed_pretrain/configs/cifar10_fedadam_random.flags",
        f"--dataset={data}", f"--workdir={workdir}", f"--rounds={rounds}", "--notensorboard",
        f"--evaluate_every={rounds}", "--eval_examples=1000",
    )  # fmt: skip
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    worked = [row for row in rows if row["round"] > 0]
    return {
        "rounds": float(len(worked)),
        "cpu_seconds": cpu / rounds,
        "wall_seconds": float(np.median([row["seconds_total"] for row in worked])),
        "examples": float(np.mean([row["examples"] for row in worked])),
        "bytes": float(np.mean([row["bytes_down"] + row["bytes_up"] for row in worked])),
        "memory_mb": float(max(row["memory_mb"] for row in worked)),
    }


def cost_table(steps: dict[str, dict[str, float]]) -> str:
    """A row a training of the papers."""
    header = (
        "training", "rounds", "steps a round", "GFLOP a step", "MB a round, both ways",
        "CPU s a step, here", "a round on two cores", "all rounds", "one H200, assumed",
        "eight H200, assumed",
    )  # fmt: skip
    return page_tables.markdown(header, [_row(WORKLOADS[name], steps[name]) for name in steps])


def _row(workload: Workload, one: dict[str, float]) -> tuple[str, ...]:
    clients, rounds = workload.flag("clients_per_round"), workload.flag("rounds")
    flop = step_flop(workload, one)
    here = workload.steps * one["step_cpu_seconds"] / CORES
    step = max(GPU_SECONDS_A_STEP, flop / GPU_FLOP_A_SECOND)
    alone = workload.steps * step
    spread = alone * -(-clients // GPUS) / clients
    return (
        workload.title, f"{rounds:,}", f"{workload.steps:,}", f"{flop / 1e9:,.1f}",
        f"{2 * clients * one['weights'] * 4 / 1e6:,.0f}", f"{one['step_cpu_seconds']:.2f}",
        _time(here), *(_time(rounds * seconds) for seconds in (here, alone, spread)),
    )  # fmt: skip


def step_flop(workload: Workload, one: dict[str, float]) -> float:
    """Forward, and twice as much backward."""
    return 3 * workload.flag("batch_size") * one["flop"]


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def check_table(found: dict[str, dict[str, float]]) -> str:
    """The estimate of a round of CIFAR-10 beside what its 20 rounds took."""
    seen, step, workload = found["cifar10_rounds"], found["cifar10"], WORKLOADS["cifar10"]
    sent = 2 * workload.flag("clients_per_round") * step["weights"] * 4
    rows = [
        ("CPU seconds a round", workload.steps * step["step_cpu_seconds"], seen["cpu_seconds"]),
        (
            "images a round",
            workload.examples * workload.flag("clients_per_round"),
            seen["examples"],
        ),
        ("MB a round, both ways", sent / 1e6, seen["bytes"] / 1e6),
    ]
    told = [(what, f"{a:,.1f}", f"{b:,.1f}", f"{b / a:.2f}") for what, a, b in rows]
    told.append(
        ("seconds a round, as busy as the machine was", "", f"{seen['wall_seconds']:.1f}", "")
    )
    told.append(("memory, MB", "", f"{seen['memory_mb']:,.0f}", ""))
    return page_tables.markdown(("", "estimate", f"{seen['rounds']:.0f} rounds", "ratio"), told)


def measure(output: Path, smallest: bool) -> dict[str, dict[str, float]]:
    """What is in `output` already is kept."""
    kept = output / "paper_scale.json"
    found = json.loads(kept.read_text()) if kept.exists() else {"machine": machine.describe()}
    output.mkdir(parents=True, exist_ok=True)
    for name, figures in _figures(found, smallest):
        found[name] = figures
        kept.write_text(json.dumps(found, indent=1) + "\n")
        print(name, json.dumps(figures), flush=True)
    return dict(found)


def _figures(done: object, smallest: bool) -> Iterator[tuple[str, dict[str, float]]]:
    assert isinstance(done, dict)
    for name, workload in WORKLOADS.items():
        if name not in done and not (smallest and name == "stackoverflow"):
            few = name == "stackoverflow"
            yield name, measured_step(workload, 1 if smallest else 3 if few else 30)
    if "cifar10_rounds" not in done:
        with tempfile.TemporaryDirectory() as folder:
            size = (1, 300) if smallest else (ROUNDS, 10_000)
            yield "cifar10_rounds", measured_rounds(Path(folder), *size)


def main() -> None:
    parser = smoke.parser(__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "benchmarks")
    parser.add_argument("--table", action="store_true", help="only rewrite the page's tables")
    asked = parser.parse_args()
    if asked.table:
        found = json.loads((asked.output / "paper_scale.json").read_text())
        blocks = {
            "paper_scale": lambda: cost_table({name: found[name] for name in WORKLOADS}),
            "paper_scale_check": lambda: check_table(found),
            "paper_scale_machine": lambda: f"{found['machine']['machine']}\n",
        }
        page_tables.rewrite(PAGE, blocks)
        return
    machine.announce()
    if asked.smoke:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder), smallest=True)
            smoke.check(found["cifar10_rounds"] | found["femnist"], 9)
            print(check_table(found))
        return
    measure(asked.output, smallest=False)


if __name__ == "__main__":
    main()

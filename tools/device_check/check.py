"""What this machine's device makes of the client work in a folder: one table, in a few minutes.

`python check.py FOLDER [--minutes=5]` needs JAX (with CUDA, or for a TPU, or for CPUs) and NumPy,
and nothing of the project. `make device-check` writes the folder. Where PyTorch is installed, the
first two programs are timed in it, too.
"""

import argparse
import functools
import json
import os
import statistics
import sys
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.9")

import jax
import numpy as np
from drawing import made, sample_of
from jax import export, lax
from jax import numpy as jnp

HEADER = (
    f"{'program':18}{'precision':10}{'batch':>6}{'cohort':>8}{'compile s':>11}{'round ms':>11}"
    f"{'client ms':>11}{'Tflop/s':>9}{'peak MB':>9}{'largest':>9}{'off by':>10}"
)


class Program:
    """One client's step as the folder holds it, and a loop over clients around it."""

    def __init__(self, folder, facts, precision):
        self.facts = facts
        path = os.path.join(folder, f"{facts['name']}-{precision}.jax")
        with open(path, "rb") as file:
            step = export.deserialize(bytearray(file.read())).call
        small = np.load(os.path.join(folder, f"{facts['name']}.npz"))
        self.shared = [made(spec, small, f"shared{i}") for i, spec in enumerate(facts["shared"])]
        self.carry = [small[f"carry{i}"] if f"carry{i}" in small else np.zeros(spec[1], spec[0])
                      for i, spec in enumerate(facts["carry"])]  # fmt: skip
        self.clients = [
            [made(spec, small, f"own{c}_{i}", seed=c) for i, spec in enumerate(facts["own"])]
            for c in range(facts["clients"])
        ]
        self.expected = {
            name: small[name] for name in small.files if name.startswith(("sample", "norm"))
        }
        carries = len(self.carry)

        def run(carry, stacked, shared, count):
            def body(i, carry):
                mine = [lax.dynamic_index_in_dim(s, i, keepdims=False) for s in stacked]
                return list(step(*carry, *mine, *shared)[:carries])

            return lax.fori_loop(0, count, body, list(carry))

        self._run = jax.jit(run)
        self._compiled = {}

    def stacked(self, cohort):
        """So many clients, by turns, on the device."""
        turns = [self.clients[i % len(self.clients)] for i in range(cohort)]
        return [jnp.asarray(np.stack(parts)) for parts in zip(*turns, strict=True)]

    def compiled(self, stacked):
        cohort = stacked[0].shape[0]
        if cohort not in self._compiled:
            began = time.perf_counter()
            lowered = self._run.lower(self.carry, stacked, self.shared, np.int32(1))
            self._compiled[cohort] = lowered.compile(), time.perf_counter() - began
        return self._compiled[cohort]

    def round(self, stacked, shared, count):
        """The sums of one round, on the host; as an executor would run it."""
        program, _ = self.compiled(stacked)
        carry = [jnp.asarray(c) for c in self.carry]
        return [np.asarray(t) for t in program(carry, stacked, shared, np.int32(count))]

    def off_by(self, totals):
        """The largest difference from TensorFlow's sums, in units of each tensor's norm."""
        worst = 0.0
        for i, total in enumerate(totals):
            norm = float(self.expected[f"norm{i}"]) / max(1.0, np.size(total) ** 0.5)
            sample = sample_of(total)
            difference = np.max(np.abs(sample - self.expected[f"sample{i}"]), initial=0.0)
            worst = max(worst, float(difference) / max(norm, 1e-6))
        return worst


def seconds_of(work, budget=6.0):
    """The median of a few calls; the first does not count if there is a second."""
    times = []
    while not times or (sum(times) < budget and len(times) < 13):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:] or times)


def memory(device):
    return device.memory_stats() or {}


def largest_cohort(program, device):
    """How many clients fit beside the work, tried with a buffer that large; 0 if not known."""
    limit, used = memory(device).get("bytes_limit", 0), memory(device).get("peak_bytes_in_use", 0)
    one = sum(a.nbytes for a in program.clients[0])
    if not limit:
        return 0
    fits = int((limit - used) * 0.95 // one)
    try:
        held = [jnp.zeros((fits, *a.shape), a.dtype, device=device) for a in program.clients[0]]
        jax.block_until_ready(held)
    except Exception:
        return 0
    return fits


def line(facts, precision, cohort, compile_s, seconds, peak, largest, off):
    rate = facts["flops"] * cohort / seconds / 1e12
    return (
        f"{facts['name']:18}{precision:10}{facts['batch']:>6}{cohort:>8}{compile_s:>11.1f}"
        f"{1e3 * seconds:>11.1f}{1e3 * seconds / cohort:>11.2f}{rate:>9.3f}{peak / 1e6:>9.0f}"
        f"{largest or '-':>9}{off:>10.1e}"
    )


def check(program, precision, cohorts, device, left):
    """Yields a row a cohort size."""
    shared = [jnp.asarray(s) for s in program.shared]
    whole = program.stacked(cohorts[0])
    off = program.off_by(program.round(whole, shared, 1))
    for cohort in cohorts:
        if left() < 5:
            return
        stacked = program.stacked(cohort)
        _, compile_s = program.compiled(stacked)
        one_round = functools.partial(program.round, stacked, shared, cohort)
        seconds = seconds_of(one_round, budget=min(6, left() / 4))
        peak = memory(device).get("peak_bytes_in_use", 0)
        largest = largest_cohort(program, device) if cohort == cohorts[-1] else 0
        yield line(program.facts, precision, cohort, compile_s, seconds, peak, largest, off)


def in_torch(facts, cohort):
    """The same round in plain PyTorch: a loop over clients, batches from memory on the device."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    server = TORCH_MODELS[facts["name"].split("-")[0]](torch).to(device)
    weights = [p.detach().clone() for p in server.parameters()]
    shape = facts["rows"][2:] + facts["rows"][:2]
    x = torch.rand((facts["steps"], facts["batch"], *shape), device=device)
    y = torch.randint(0, facts["classes"], (facts["steps"], facts["batch"]), device=device)

    def one_round():
        totals = [torch.zeros_like(w) for w in weights]
        for _ in range(cohort):
            with torch.no_grad():
                for p, w in zip(server.parameters(), weights, strict=True):
                    p.copy_(w)
            for step in range(facts["steps"]):
                loss = torch.nn.functional.cross_entropy(server(x[step]), y[step])
                gradients = torch.autograd.grad(loss, list(server.parameters()))
                with torch.no_grad():
                    for p, g in zip(server.parameters(), gradients, strict=True):
                        p -= 0.01 * g
            with torch.no_grad():
                for t, w, p in zip(totals, weights, server.parameters(), strict=True):
                    t += w - p
        return [t.cpu() for t in totals]

    return seconds_of(one_round)


def _torch_emnist(torch):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(128, 62),
    )  # fmt: skip


def _torch_resnet(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, before, width, stride):
            super().__init__()
            self.way = nn.Sequential(
                nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.GroupNorm(32, width),
                nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.GroupNorm(32, width),
            )  # fmt: skip
            self.past = nn.Identity()
            if stride > 1 or before != width:
                self.past = nn.Sequential(
                    nn.Conv2d(before, width, 1, stride, bias=False), nn.GroupNorm(32, width)
                )

        def forward(self, x):
            return torch.relu(self.way(x) + self.past(x))

    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.GroupNorm(32, 64), nn.ReLU()]
    before = 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(before, width, stride), Block(width, width, 1)]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


TORCH_MODELS = {"emnist_cnn": _torch_emnist, "resnet18_gn": _torch_resnet}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--only", default="", help="programs whose name begins so")
    arguments = parser.parse_args()
    deadline = time.monotonic() + 60 * arguments.minutes
    jax.config.update("jax_enable_x64", True)
    device = jax.devices()[0]
    with open(os.path.join(arguments.folder, "programs.json")) as file:
        document = json.load(file)
    kinds = f"{device.platform}: {device.device_kind}, {jax.device_count()} of them"
    print(f"jax {jax.__version__} on {kinds}")
    print(f"sums expected are those of {document['made_by']}")
    print(HEADER, flush=True)
    worst, rows = 0.0, 0
    for facts in document["programs"]:
        for precision in ("exact", "fast"):
            if not facts["name"].startswith(arguments.only) or time.monotonic() > deadline:
                continue
            cohorts = [1, 2] if device.platform == "cpu" else facts["cohorts"]
            if device.platform == "cpu" and (precision == "fast" or not facts["on_cpu"]):
                continue  # the same there, or of many minutes
            if not cohorts:
                continue
            program = Program(arguments.folder, facts, precision)
            left = lambda: deadline - time.monotonic()  # noqa: E731
            for row in check(program, precision, cohorts, device, left):
                print(row, flush=True)
                rows += 1
                if precision == "exact":
                    worst = max(worst, float(row.split()[-1]))
    try:
        import torch
    except ImportError:
        print("no PyTorch here to compare with")
    else:
        for facts in document["programs"]:
            known = facts["name"].split("-")[0] in TORCH_MODELS
            if known and facts["cohorts"] and time.monotonic() < deadline:
                cohort = facts["cohorts"][0]
                took = in_torch(facts, cohort)
                print(f"PyTorch {torch.__version__}, {facts['name']}, batch {facts['batch']},"
                      f" {cohort} clients: {1e3 * took:.1f} ms a round", flush=True)  # fmt: skip
    agrees = worst < document["bound"]
    print(f"{rows} rows; exact programs are off by at most {worst:.1e} of a tensor's mean size:"
          f" {'they agree' if agrees else 'THEY DO NOT AGREE'}")  # fmt: skip
    return 0 if agrees and rows else 1


if __name__ == "__main__":
    sys.exit(main())

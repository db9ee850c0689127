"""The problem of curvature_bench.py for PyHessian and hessian-eigenthings (own environment).

    python benchmarks/curvature_peers.py problem.npz THREADS

Prints the libraries' names, then solves once for each name it reads. What differs from their own
examples: the weights and the preprocessed rows come from the file; the two-convolution CNN is that
of benchmarks/peers; no dropout; batches of 100 rows. Both run until the true residual is below 1e-3
of the eigenvalue:

- PyHessian iterates powers and would stop when its estimate changes by less than a tolerance, which
  bounds no residual: its tolerance is 0, and it is stopped by the product that shows the residual.
- hessian-eigenthings chooses its iterations beforehand: the fewest that reach the residual are
  looked for once, and neither that search nor the product that checks the residual is counted.
"""

import contextlib
import json
import sys
import time

import hessian_eigenthings as eigenthings
import numpy as np
import torch
from hessian_eigenthings.algorithms.lanczos import lanczos_tridiagonal
from peers.torch_network import Network
from peers.work import Work
from pyhessian import hessian

TOLERANCE, BATCH, MOST = 1e-3, 100, 100


class EigenThings:
    def __init__(self, model, batches, loss):
        self._operator = eigenthings.HessianOperator(
            model, batches, eigenthings.supervised_loss(loss)
        )
        self._iterations = None

    def solve(self):
        if self._iterations is None:
            self._iterations = self._enough()
        began, cpu = time.perf_counter(), time.process_time()
        found = eigenthings.lanczos(
            self._operator, k=1, max_iter=self._iterations, tol=TOLERANCE, which="LA", seed=0
        )
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
        value, vector = float(found.eigenvalues[0]), found.eigenvectors[0]
        residual = (self._operator.matvec(vector) - value * vector).norm() / abs(value)
        return figures(value, float(residual), seconds, cpu_seconds, self._iterations)

    def _enough(self):
        """By the tridiagonal matrices of one longer search from the same start vector."""
        start = torch.randn(self._operator.size, generator=torch.Generator().manual_seed(0))
        for longest in range(16, MOST, 4):
            grown = lanczos_tridiagonal(self._operator, start, longest)
            betas = [*grown.betas.tolist(), grown.last_beta]
            for steps in range(2, longest + 1):
                matrix = np.diag(grown.alphas[:steps].double().numpy())
                matrix += np.diag(betas[: steps - 1], 1) + np.diag(betas[: steps - 1], -1)
                values, vectors = np.linalg.eigh(matrix)
                if abs(betas[steps - 1] * vectors[-1, -1]) < TOLERANCE * abs(values[-1]):
                    return steps
        raise RuntimeError(f"no convergence in {MOST} iterations")


class Reached(Exception):
    pass


class Watched(hessian):
    """PyHessian that looks at the residual of each product it makes."""

    matvecs = 0

    def dataloader_hv_product(self, v):
        self.value, product = super().dataloader_hv_product(v)
        self.matvecs += 1
        pairs = zip(product, v, strict=True)
        square = sum(float(((p - self.value * q) ** 2).sum()) for p, q in pairs)
        self.residual = square**0.5 / abs(self.value)
        if self.residual < TOLERANCE:
            raise Reached
        return self.value, product


class PyHessian:
    def __init__(self, model, batches, loss):
        self._problem = {"model": model, "criterion": loss, "dataloader": batches, "cuda": False}

    def solve(self):
        torch.manual_seed(0)
        began, cpu = time.perf_counter(), time.process_time()
        search = Watched(**self._problem)
        with contextlib.suppress(Reached):
            search.eigenvalues(maxIter=MOST, tol=0.0)
        spent = time.perf_counter() - began, time.process_time() - cpu
        return figures(search.value, search.residual, *spent, search.matvecs)


def figures(value, residual, seconds, cpu_seconds, matvecs):
    return {
        "eigenvalue": value,
        "relative_residual": residual,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "matvecs": matvecs,
    }


def main(path, threads):
    torch.set_num_threads(int(threads))
    saved = np.load(path)
    weights = {name: saved[name] for name in saved.files if name not in ("x", "y")}
    model = Network(Work("cnn", BATCH, 0.0, [], weights)).eval()
    x = torch.from_numpy(saved["x"]).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(saved["y"].astype(np.int64))
    batches = list(zip(x.split(BATCH), y.split(BATCH), strict=True))
    problem = model, batches, torch.nn.CrossEntropyLoss()
    solvers = {"hessian-eigenthings": EigenThings(*problem), "pyhessian": PyHessian(*problem)}
    print(json.dumps(list(solvers)), flush=True)
    for line in sys.stdin:
        print(json.dumps(solvers[line.strip()].solve()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

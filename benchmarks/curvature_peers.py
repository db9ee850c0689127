"""The problem of curvature_bench.py for PyHessian and hessian-eigenthings (own environment).

    python benchmarks/curvature_peers.py problem.npz

What differs from their own examples: the weights and the preprocessed rows come from the file; the
two-convolution CNN is written out below (feature maps are flattened with channels last, as ours);
no dropout; batches of 100 rows for hessian-eigenthings and for PyHessian's dataloader. PyHessian
iterates powers and stops when its estimate changes by less than 1e-3, which bounds no residual.
hessian-eigenthings chooses its iterations beforehand: 8, 12, 16, ... until its residual is below
1e-3, and only the last attempt is counted.
"""

import json
import sys
import time

import hessian_eigenthings as eigenthings
import numpy as np
import torch
from pyhessian import hessian

TOLERANCE, BATCH = 1e-3, 100


class Network(torch.nn.Module):
    def __init__(self, weights):
        super().__init__()
        conv1, bias1, conv2, bias2, dense, bias3, head, bias4 = map(torch.from_numpy, weights)
        convolutions = (conv1.permute(3, 2, 0, 1), bias1), (conv2.permute(3, 2, 0, 1), bias2)
        self.conv1, self.conv2 = (torch.nn.Conv2d(1, 32, 3), torch.nn.Conv2d(32, 64, 3))
        self.dense, self.head = torch.nn.Linear(*dense.shape), torch.nn.Linear(*head.shape)
        layers = (self.conv1, self.conv2, self.dense, self.head)
        values = (*convolutions, (dense.T, bias3), (head.T, bias4))
        for layer, (kernel, bias) in zip(layers, values, strict=True):
            layer.weight.data, layer.bias.data = kernel.contiguous(), bias

    def forward(self, x):
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        x = torch.nn.functional.max_pool2d(x, 2).permute(0, 2, 3, 1).flatten(1)
        return self.head(torch.relu(self.dense(x)))


def main(path):
    saved = np.load(path)
    model = Network([saved[f"weight{i}"] for i in range(8)]).eval()
    x = torch.from_numpy(saved["x"]).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(saved["y"].astype(np.int64))
    batches = list(zip(x.split(BATCH), y.split(BATCH), strict=True))
    loss = torch.nn.CrossEntropyLoss()
    print(json.dumps(with_eigenthings(model, batches, loss)), flush=True)
    print(json.dumps(with_pyhessian(model, batches, loss)), flush=True)


def with_eigenthings(model, batches, loss):
    function = eigenthings.supervised_loss(loss)
    operator = eigenthings.HessianOperator(model, batches, function)
    for iterations in range(8, 100, 4):
        began, cpu = time.perf_counter(), time.process_time()
        found = eigenthings.lanczos(
            operator, k=1, max_iter=iterations, tol=TOLERANCE, which="LA", seed=0
        )
        value, residual = float(found.eigenvalues[0]), float(found.residuals[0])
        spent = time.perf_counter() - began, time.process_time() - cpu
        if residual < TOLERANCE * abs(value):
            break
    return figures("hessian-eigenthings", value, spent, matvecs=iterations)


def with_pyhessian(model, batches, loss):
    torch.manual_seed(0)
    began, cpu = time.perf_counter(), time.process_time()
    values, _ = hessian(model, loss, dataloader=batches, cuda=False).eigenvalues(tol=TOLERANCE)
    spent = time.perf_counter() - began, time.process_time() - cpu
    return figures("pyhessian", float(values[0]), spent)


def figures(name, value, spent, **more):
    return {"name": name, "eigenvalue": value, "seconds": spent[0], "cpu_seconds": spent[1], **more}


if __name__ == "__main__":
    main(sys.argv[1])

"""The same in PyTorch: two clients in flight of one thread each, no DataLoader, no optimizer."""

import concurrent.futures
import copy

import torch
import torch.nn.functional as F

from ..torch_network import Network, tensors
from ..work import Gate, given

IN_FLIGHT = 2
torch.set_num_threads(1)
work = given()
gate = Gate()
net = Network(work)


def client(rows):
    local, (x, y) = copy.deepcopy(net), rows
    weights = list(local.parameters())
    for xb, yb in zip(x.split(work.batch), y.split(work.batch), strict=True):
        gradients = torch.autograd.grad(F.cross_entropy(local(xb), yb), weights)
        with torch.no_grad():
            torch._foreach_add_(weights, gradients, alpha=-work.rate)
    with torch.no_grad():
        return torch._foreach_mul(weights, len(y))


data = tensors(work)
total_rows = sum(len(y) for _, y in data)
pool = concurrent.futures.ThreadPoolExecutor(IN_FLIGHT)
while True:
    gate.begin()
    total = None
    for trained in pool.map(client, data):
        if total is None:
            total = trained
        else:
            torch._foreach_add_(total, trained)
    with torch.no_grad():
        torch._foreach_copy_(list(net.parameters()), torch._foreach_div(total, total_rows))
    gate.end(net.arrays)

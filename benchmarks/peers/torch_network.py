"""The models as a PyTorch module, its weights in PyTorch's layouts."""

import functools
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F

from .models import MODELS
from .work import Work, given

CNN_FEATURES = (12, 12, 64)


class Network(torch.nn.Module):
    def __init__(self, work: Work) -> None:
        super().__init__()
        self.forward_of = MODELS[work.model]
        for name, array in work.weights.items():
            values = torch.from_numpy(np.array(to_torch(name, array), order="C"))
            self.register_parameter(name.replace(".", "__"), torch.nn.Parameter(values))

    def forward(self, x):
        return self.forward_of(self, x)

    def weight(self, layer, name="kernel"):
        return self._parameters.get(f"{layer}__{name}")

    def arrays(self) -> dict[str, np.ndarray]:
        return arrays(dict(self.named_parameters()))

    def relu(self, x):
        return torch.relu(x)

    def flat(self, x):
        return x.flatten(1)

    def join(self, parts):
        return torch.cat(parts, -1)

    def conv(self, x, layer, stride=1, padding=0):
        return F.conv2d(x, self.weight(layer), self.weight(layer, "bias"), stride, padding)

    def norm(self, x, layer):
        scale, shift = self.weight(layer, "gamma"), self.weight(layer, "beta")
        return F.group_norm(x, min(32, len(scale)), scale, shift, 1e-5)

    def pool(self, x):
        return F.max_pool2d(x, 2)

    def mean(self, x):
        return x.mean((2, 3))

    def dense(self, x, layer):
        return F.linear(x, self.weight(layer), self.weight(layer, "bias"))

    def embed(self, ids, layer):
        return F.embedding(ids, self.weight(layer, "embeddings"))

    def shares(self, scores):
        return torch.softmax(scores, 1)

    def lstm(self, x, layer):
        """torch.nn.LSTM with one bias: its two would be trained at twice the rate."""
        recurrent, bias = self.weight(layer, "recurrent_kernel"), self.weight(layer, "bias")
        begin = x.new_zeros(1, len(x), recurrent.shape[1])
        weights = [self.weight(layer), recurrent, bias, torch.zeros_like(bias)]
        return torch._VF.lstm(x, (begin, begin), weights, True, 1, 0.0, True, False, True)[0]


def to_torch(name: str, array: np.ndarray) -> np.ndarray:
    if name == "dense.kernel":  # of the CNN: PyTorch flattens with the channels first
        array = array.reshape(*CNN_FEATURES, -1).transpose(2, 0, 1, 3).reshape(array.shape)
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    return array.T if name.endswith("kernel") else array


def from_torch(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    array = array.T if name.endswith("kernel") else array
    if name == "dense.kernel":
        height, width, channels = CNN_FEATURES
        first = array.reshape(channels, height, width, -1)
        return first.transpose(1, 2, 0, 3).reshape(array.shape)
    return array


def arrays(parameters: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """By our names, in Keras' layouts."""
    named = {name.replace("__", "."): value for name, value in parameters.items()}
    return {n: from_torch(n, v.detach().numpy().copy()) for n, v in named.items()}


def tensors(work: Work) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(_inputs(x), torch.from_numpy(y).long()) for x, y in work.clients]


def _inputs(x: np.ndarray) -> torch.Tensor:
    if x.ndim == 2:
        return torch.from_numpy(x).long()
    return (torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255).contiguous()


@functools.cache
def kept_tensors() -> tuple[Work, list[tuple[torch.Tensor, torch.Tensor]]]:
    """Read once a process: for workers that get their clients one by one."""
    work = given()
    return work, tensors(work)

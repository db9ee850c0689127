"""The three models once, for PyTorch and JAX; `net` brings the operations and the weights."""

from typing import Any


def cnn(net: Any, x: Any) -> Any:
    x = net.relu(net.conv(x, "conv1"))
    x = net.relu(net.conv(x, "conv2"))
    x = net.relu(net.dense(net.flat(net.pool(x)), "dense"))
    return net.dense(x, "head")


def resnet18(net: Any, x: Any) -> Any:
    x = net.relu(net.norm(net.conv(x, "conv1", padding=1), "bn1"))
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            name, stride = f"layer{stage}_{block}", 2 if stage > 1 and block == 0 else 1
            y = net.conv(x, f"{name}_conv1", stride=stride, padding=1)
            y = net.conv(net.relu(net.norm(y, f"{name}_bn1")), f"{name}_conv2", padding=1)
            if stride > 1:
                x = net.conv(x, f"{name}_downsample_0", stride=stride)
                x = net.norm(x, f"{name}_downsample_1")
            x = net.relu(x + net.norm(y, f"{name}_bn2"))
    return net.dense(net.mean(x), "fc")


def char_lstm(net: Any, ids: Any) -> Any:
    embedded = net.embed(ids, "embedding")
    first = net.lstm(embedded, "rnn_1")
    states = net.join([embedded, first, net.lstm(first, "rnn_2")])
    return net.dense((net.shares(net.dense(states, "attention")) * states).sum(1), "output")


MODELS = {"cnn": cnn, "resnet18": resnet18, "char_lstm": char_lstm}

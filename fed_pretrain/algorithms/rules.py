"""From the config to its client update, and to the optimizer that goes with it on the server."""

from typing import Any

from fed_pretrain.algorithms import server_optimizer
from fed_pretrain.algorithms.client_update import ClientUpdate
from fed_pretrain.algorithms.client_updates import fedsgd, gd, nova, proximal, sgd
from fed_pretrain.algorithms.config import AlgorithmConfig


def build(config: AlgorithmConfig) -> ClientUpdate:
    kind = config.client_update
    if kind == "sgd":
        return sgd.Sgd()
    if kind == "proximal":
        return proximal.Proximal(config.proximal_strength)
    if kind == "nova":
        return nova.Nova(config.proximal_strength)
    if kind == "nova_authors":
        return nova.NovaAuthors()
    if kind == "gd":
        return gd.Gd()
    if kind == "fedsgd":
        return fedsgd.FedSgd()
    raise ValueError(kind)


def finalizing_optimizer(config: AlgorithmConfig) -> Any:
    """MimeLite and Mime use the server's optimizer on the clients and plain SGD on the server."""
    if config.client_update in ("mimelite", "mime"):
        return server_optimizer.plain(config)
    return server_optimizer.scheduled(config)

"""From the config to its client update, and to the optimizer that goes with it on the server."""

from typing import Any

from fed_pretrain.algorithms import server_optimizer
from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from fed_pretrain.algorithms.client_updates import (
    feddyn,
    fedsgd,
    gd,
    mime,
    mimelite,
    nova,
    proximal,
    scaffold,
    sgd,
)
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate


def build(config: AlgorithmConfig) -> ClientUpdate:
    uniform = config.weighting == "uniform"
    makers = {
        "sgd": sgd.Sgd,
        "proximal": lambda: proximal.Proximal(config.proximal_strength),
        "nova": lambda: nova.Nova(config.proximal_strength),
        "nova_authors": nova.NovaAuthors,
        "gd": gd.Gd,
        "fedsgd": fedsgd.FedSgd,
        "mimelite": lambda: mimelite.MimeLite(server_optimizer.build(config), uniform),
        "mime": lambda: mime.Mime(server_optimizer.build(config), uniform),
        "scaffold": lambda: scaffold.Scaffold(config.population),
        "feddyn": lambda: feddyn.FedDyn(config.dyn_alpha, config.population),
    }
    return makers[config.client_update]()


def finalizing_optimizer(config: AlgorithmConfig) -> Any:
    """MimeLite and Mime use the server's optimizer on the clients and plain SGD on the server."""
    if config.client_update in ("mimelite", "mime"):
        return server_optimizer.plain(config)
    return server_optimizer.scheduled(config)

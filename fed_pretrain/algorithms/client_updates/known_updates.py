"""The client updates by name. A module of the user's adds its own with `@register`."""

from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate
from fed_pretrain.algorithms.client_updates.feddyn import FedDyn
from fed_pretrain.algorithms.client_updates.gd import FedSgd, Gd
from fed_pretrain.algorithms.client_updates.mime import Mime, MimeLite
from fed_pretrain.algorithms.client_updates.nova import Nova, NovaAuthors
from fed_pretrain.algorithms.client_updates.proximal import Proximal
from fed_pretrain.algorithms.client_updates.scaffold import Scaffold
from fed_pretrain.algorithms.client_updates.sgd import Sgd
from groundwork.registry import Registry

_BUILT_IN = (Sgd, Proximal, Nova, NovaAuthors, MimeLite, Mime, Scaffold, FedDyn, Gd, FedSgd)
KNOWN: Registry[type[ClientUpdate]] = Registry(
    "client update", "--client_update", lambda: {update.name: update for update in _BUILT_IN}
)
register, names, named = KNOWN.register, KNOWN.names, KNOWN.named
"""Of the classes, whose facts can be read without building anything."""


def all_updates() -> tuple[type[ClientUpdate], ...]:
    return tuple(KNOWN.known().values())


def settings_of_some() -> list[str]:
    """Settings of an algorithm that only some client updates read."""
    return list(dict.fromkeys(name for update in all_updates() for name in update.understands))

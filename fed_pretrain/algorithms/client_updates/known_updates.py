"""The client updates by name. A module of the user's adds its own with `@register`."""

from typing import TypeVar

from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate
from fed_pretrain.algorithms.client_updates.feddyn import FedDyn
from fed_pretrain.algorithms.client_updates.gd import FedSgd, Gd
from fed_pretrain.algorithms.client_updates.mime import Mime, MimeLite
from fed_pretrain.algorithms.client_updates.nova import Nova, NovaAuthors
from fed_pretrain.algorithms.client_updates.proximal import Proximal
from fed_pretrain.algorithms.client_updates.scaffold import Scaffold
from fed_pretrain.algorithms.client_updates.sgd import Sgd
from groundwork import plugins
from groundwork.errors import UserError

Update = TypeVar("Update", bound=type[ClientUpdate])

_BUILT_IN = (Sgd, Proximal, Nova, NovaAuthors, MimeLite, Mime, Scaffold, FedDyn, Gd, FedSgd)
_known: dict[str, type[ClientUpdate]] = {update.name: update for update in _BUILT_IN}


def register(update: Update) -> Update:
    """Adds a client update, by its name, which can be taken only once; a decorator."""
    plugins.check_free("client update", update.name, _known, update)
    _known[update.name] = update
    return update


def names() -> tuple[str, ...]:
    return tuple(_known)


def all_updates() -> tuple[type[ClientUpdate], ...]:
    return tuple(_known.values())


def named(name: str) -> type[ClientUpdate]:
    """The class, whose facts can be read without building anything."""
    if name not in _known:
        raise UserError(f"--client_update={name} is not one of {', '.join(_known)}")
    return _known[name]


def settings_of_some() -> list[str]:
    """Settings of an algorithm that only some client updates read."""
    return list(dict.fromkeys(name for update in all_updates() for name in update.understands))

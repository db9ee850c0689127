"""Things by name: the house's own, and those that a module of the user's registers."""

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from groundwork.errors import UserError, check_choice

Thing = TypeVar("Thing")


class Registry(Generic[Thing]):
    """Things of one `kind`, each named by `flag`; `built_in` gives the house's own when asked."""

    def __init__(
        self, kind: str, flag: str, built_in: Callable[[], Mapping[str, Thing]] = dict
    ) -> None:
        self._kind = kind
        self._flag = flag
        self._built_in = built_in
        self.registered: dict[str, Thing] = {}

    def register(self, thing: Thing) -> Thing:
        """Adds a thing by its name, which is given once; a decorator of classes."""
        named: Any = thing
        if not named.name:
            raise UserError(f"the {self._kind} {getattr(named, '__qualname__', thing)} has no name")
        return self.add(named.name, thing)

    def add(self, name: str, thing: Thing) -> Thing:
        """The same of a thing that does not carry its name; the same thing may come again."""
        if name in self.names():
            before = self.named(name)
            if before != thing and _place(before) != _place(thing):
                raise UserError(
                    f"there is already a {self._kind} named {name!r}; choose another name"
                )
        self.registered[name] = thing
        return thing

    def names(self) -> tuple[str, ...]:
        """The house's own first, then those of plugins."""
        return tuple(dict.fromkeys((*self._built_in(), *self.registered)))

    def named(self, name: str) -> Thing:
        """Refuses a name that nothing has."""
        check_choice(self._flag, name, self.names())
        return self.registered[name] if name in self.registered else self._built_in()[name]

    def known(self) -> dict[str, Thing]:
        return {name: self.named(name) for name in self.names()}


class Late(Mapping[str, Any]):
    """Things of a package by name, each at MODULE:ATTRIBUTE and imported when it is asked for."""

    def __init__(self, package: str, places: Mapping[str, str]) -> None:
        self._package = package
        self._places = places

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = self._places[name].partition(":")
        return getattr(importlib.import_module(f"{self._package}.{module}"), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def late_classes(package: str, rows: Iterable[str]) -> Callable[[], Mapping[str, Any]]:
    """Classes of a package, each given as MODULE:CLASS, by the names that they carry."""

    @functools.cache
    def classes() -> Mapping[str, Any]:
        late = Late(package, {row: row for row in rows})
        return {one.name: one for one in late.values()}

    return classes


def _place(thing: object) -> object:
    """Where a class is defined: a module that is reloaded defines its classes anew."""
    if isinstance(thing, type):
        return thing.__module__, thing.__qualname__
    return id(thing)

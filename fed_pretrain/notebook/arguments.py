"""Keyword arguments of a call as the sections of a run's config: each flag of `train` is one."""

import dataclasses
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from fed_pretrain.experiment.assembly import run_flags
from fed_pretrain.notebook.argument_errors import ArgumentError, naming
from groundwork import settings
from groundwork.errors import nearest
from groundwork.untyped import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a text",
    tuple: "a list of texts",
}


def sections(given: Mapping[str, Json], without: tuple[str, ...] = ("start",)) -> dict[str, Json]:
    """The sections of a RunConfig, and `algorithm_settings`; `without` are sections of others.

    Arguments that are None count as not given.
    """
    given = {name: value for name, value in given.items() if value is not None}
    kinds = {config: name for name, config, _ in run_flags.SECTIONS if name not in without}
    found = by_config(kinds, given)
    chosen = found.pop(AlgorithmConfig, {})
    made = {kinds[config]: config(**values) for config, values in found.items()}
    return {"algorithm_settings": tuple(sorted(chosen.items())), **made}


Fields = list[tuple["dataclasses.Field[Json]", str]]


def fields(config: type["DataclassInstance"]) -> Fields:
    """Each setting with the name of its flag."""
    flags = settings.flag_names(config)
    own = [one for one in dataclasses.fields(config) if one.metadata.get("flag", "") is not None]
    return list(zip(own, flags, strict=True))


def by_own_name(config: type["DataclassInstance"]) -> Fields:
    """Each setting with its own name; `spec` is an argument by itself."""
    return [(field, field.name) for field in dataclasses.fields(config) if field.name != "spec"]


def by_config(
    configs: Iterable[type["DataclassInstance"]],
    given: Mapping[str, Json],
    named: Callable[[type["DataclassInstance"]], Fields] = fields,
) -> dict[type, dict[str, Json]]:
    """The values of each config's settings, checked; every argument has to be one of them."""
    found: dict[type, dict[str, Json]] = {config: {} for config in configs}
    known = {name: (config, field) for config in found for field, name in named(config)}
    for name, value in given.items():
        if name not in known:
            raise ArgumentError(f"there is no argument {name!r}{nearest(name, list(known))}")
        config, field = known[name]
        found[config][field.name] = checked(config, field, name, value)
    return found


def checked(
    config: type["DataclassInstance"], field: "dataclasses.Field[Json]", name: str, value: Json
) -> Json:
    """The value as the setting holds it, or a sentence about the argument `name`."""
    kinds = _kinds(typing.get_type_hints(config)[field.name])
    if isinstance(value, (list, tuple)) and str in kinds:
        value = ",".join(map(str, value))
    if tuple in kinds and isinstance(value, (str, list)):
        value = tuple(value.split(",") if isinstance(value, str) else map(str, value))
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, int) and not isinstance(value, bool) and int not in kinds:
        value = float(value) if float in kinds else value
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        words = " or ".join(_WORDS[kind] for kind in kinds if kind in _WORDS)
        raise ArgumentError(f"{name}={value!r}: {words} is wanted")
    with naming():
        settings.check_value(name, field, value)
    return value


def _kinds(hint: Json) -> tuple[type, ...]:
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = typing.get_args(hint) if union else (hint,)
    return tuple(typing.get_origin(kind) or kind for kind in kinds if kind is not type(None))

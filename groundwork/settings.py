"""Settings as frozen dataclasses: their flags, and what of them makes two runs the same.

One flag a field, so that flag, config and help cannot differ; see `setting`. Fields are scalars
(str, int, float, bool, each maybe None), tuples of them (a flag of values with commas), or a
mapping of strings (a flag of name=value with commas).
"""

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from absl import flags

from groundwork import command_line
from groundwork.errors import UserError, check_choice
from groundwork.untyped import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


REQUIRED: Any = dataclasses.MISSING
"""The default of a setting that has none."""


def setting(default: Json, help: str, **metadata: Json) -> Any:
    """A field of settings.

    Metadata: `flag` (another flag name; None: no flag), `choices`, `lower_bound`, `upper_bound`,
    `url` (a file or folder that may be in a store).
    `value=True` says that it enters a computation as a number beside the data: whatever is compiled
    depends on no more of it than whether there is one (not 0, not None).
    `moves_numbers=False` says that results do not depend on it. `neutral` is the value that a
    record without the field stands for, the default if not given: whoever changes the default of
    a released setting states its first one here.
    """
    metadata["help"] = help
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def check_bounds(config: "DataclassInstance") -> None:
    """What flags refuse, refused of a config that code made."""
    for field in dataclasses.fields(config):
        check_value(
            f"--{field.metadata.get('flag') or field.name}", field, getattr(config, field.name)
        )


def check_value(name: str, field: dataclasses.Field[Json], value: Json) -> None:
    """Refuses a value out of a setting's bounds, as NaN is of all, or none of its choices."""
    if value is None:
        return
    smallest, largest = field.metadata.get("lower_bound"), field.metadata.get("upper_bound")
    if smallest is not None and not value >= smallest:
        raise UserError(f"{name}={value}: at least {smallest} is wanted")
    if largest is not None and not value <= largest:
        raise UserError(f"{name}={value}: at most {largest} is wanted")
    if "choices" in field.metadata:
        check_choice(name, value, field.metadata["choices"])


_NONE = type(None)
_WORDS = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}


def check(config: "DataclassInstance") -> None:
    """What flags refuse, refused of a config that code made, in its sections as well."""
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value, kinds = getattr(config, field.name), _classes(hints[field.name])
        if not _is_of(value, kinds):
            sections = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
            dashes = "" if sections else "--"
            name = dashes + str(field.metadata.get("flag") or field.name)
            wanted = [_WORDS.get(kind, f"a {kind.__name__}") for kind in kinds if kind is not _NONE]
            raise UserError(f"{name}={value!r}: {' or '.join(wanted)} is wanted")
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            check(value)
    check_bounds(config)


def _classes(hint: Any) -> tuple[type, ...]:
    """The classes that a hint allows; none where it allows anything."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        each = [_classes(one) for one in typing.get_args(hint)]
        return tuple(kind for kinds in each for kind in kinds) if all(each) else ()
    kind = typing.get_origin(hint) or hint
    return (kind,) if isinstance(kind, type) and kind is not Any else ()


def _is_of(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return not kinds or bool in kinds
    if isinstance(value, int) and float in kinds:
        return True
    return not kinds or isinstance(value, kinds)


def moving(config: "DataclassInstance") -> dict[str, Json]:
    """The settings that numbers depend on and that are not neutral, as JSON holds them.

    Nested dataclasses are dicts, left out where nothing in them counts. So a new setting at its
    neutral value leaves the result as it was.
    """
    return without_neutral(type(config), dataclasses.asdict(config))


def without_neutral(
    config: type["DataclassInstance"], values: Mapping[str, Json], moving_only: bool = True
) -> dict[str, Json]:
    """The same of plain values, also of those that an older version wrote.

    `moving_only=False` keeps the settings that numbers do not depend on, too.
    """
    kept = {}
    hints = typing.get_type_hints(config)
    fields = {field.name: field for field in dataclasses.fields(config)}
    for name, value in json.loads(json.dumps(values)).items():
        field = fields.get(name)
        if moving_only and field is not None and not field.metadata.get("moves_numbers", True):
            continue
        if isinstance(value, dict) and field is not None:
            section = next(kind for kind in _kinds(hints[name]) if dataclasses.is_dataclass(kind))
            value = without_neutral(typing.cast(type, section), value, moving_only)
        if field is None or value != _neutral(field):
            kept[name] = value
    return kept


def _neutral(field: dataclasses.Field[Json]) -> Json:
    if field.default_factory is not dataclasses.MISSING:
        return {}  # a section of which nothing is left
    default = None if field.default is dataclasses.MISSING else field.default
    return json.loads(json.dumps(field.metadata.get("neutral", default)))


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The types of a hint that is one type or a union."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def define(
    config: type["DataclassInstance"], group: str, flag_values: flags.FlagValues = flags.FLAGS
) -> None:
    """Defines a flag for every field of `config`; `group` is its heading in `--help`."""
    for field, name, kind in _fields(config):
        command_line.group_flag(name, group)
        if field.metadata.get("url"):
            command_line.take_urls(name)
        _define_one(name, kind, field, flag_values)


def build(
    config: type[Config], flag_values: flags.FlagValues = flags.FLAGS, **others: Json
) -> Config:
    """The dataclass with the flags' values; `others` fills the fields that have no flag."""
    values = {
        field.name: _value(name, kind, flag_values[name].value)
        for field, name, kind in _fields(config)
    }
    return config(**{**values, **others})


def given(
    config: type["DataclassInstance"], flag_values: flags.FlagValues = flags.FLAGS
) -> dict[str, Json]:
    """Only the fields whose flags the user set, by field name."""
    return {
        field.name: _value(name, kind, flag_values[name].value)
        for field, name, kind in _fields(config)
        if flag_values[name].present
    }


def flag_names(config: type["DataclassInstance"]) -> list[str]:
    return [name for _, name, _ in _fields(config)]


@dataclasses.dataclass(frozen=True)
class _Kind:
    """What a flag holds: one value of `of`, or a list of them, or of name=value."""

    of: type
    listed: bool = False
    named: bool = False


def _value(flag: str, kind: _Kind, given: Json) -> Json:
    """The field's value of a flag's; absl has turned a single one into its type."""
    if kind.named:
        return dict(_named(flag, text) for text in given)
    if not kind.listed:
        return given
    try:
        return tuple(kind.of(text) for text in given)
    except ValueError:
        raise UserError(f"--{flag}={','.join(given)}: numbers with commas are wanted") from None


def _named(flag: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--{flag}: {text!r} is not of the form name=value")
    return name.strip(), value


def _fields(config: type["DataclassInstance"]) -> list[tuple[dataclasses.Field[Json], str, _Kind]]:
    hints = typing.get_type_hints(config)
    result = []
    for field in dataclasses.fields(config):
        name = field.metadata.get("flag", field.name)
        if name is not None:
            result.append((field, name, _kind(config, field.name, hints[field.name])))
    return result


def _kind(config: type["DataclassInstance"], name: str, hint: Any) -> _Kind:
    hint = next(kind for kind in _kinds(hint) if kind is not type(None))
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return _Kind(str)
    if origin is Mapping:
        return _Kind(str, listed=True, named=True)
    of = typing.get_args(hint)[0] if origin is tuple else hint
    if of not in (str, int, float, bool):
        raise TypeError(f"{config.__name__}.{name}: a flag needs scalars, not {hint}")
    return _Kind(of, listed=origin is tuple)


def _define_one(
    name: str, kind: _Kind, field: dataclasses.Field[Json], flag_values: flags.FlagValues
) -> None:
    metadata: Mapping[str, Json] = field.metadata
    default = None if field.default is dataclasses.MISSING else field.default
    text = metadata.get("help", name.replace("_", " ") + ".")
    arguments = {"name": name, "default": default, "help": text, "flag_values": flag_values}
    bounds = {key: metadata.get(key) for key in ("lower_bound", "upper_bound")}
    if kind.listed:
        given = [f"{value:g}" if kind.of is float else str(value) for value in default or ()]
        flags.DEFINE_list(**{**arguments, "default": given})
    elif kind.of is bool:
        flags.DEFINE_boolean(**arguments)
    elif "choices" in metadata:
        flags.DEFINE_enum(enum_values=list(metadata["choices"]), **arguments)
    elif kind.of is int:
        flags.DEFINE_integer(**bounds, **arguments)
    elif kind.of is float:
        flags.DEFINE_float(**bounds, **arguments)
        flags.register_validator(name, _is_finite, "a finite number is wanted", flag_values)
    else:
        flags.DEFINE_string(**arguments)


def _is_finite(value: float | None) -> bool:
    """NaN is below no lower bound."""
    return value is None or math.isfinite(value)


def digest(values: Mapping[str, Json]) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(before: Mapping[str, Json], now: Mapping[str, Json], place: str = "") -> list[str]:
    """`name: old -> new` for every leaf that differs."""
    found = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{place}{name}.")
        elif old != new:
            found.append(f"{place}{name}: {old!r} -> {new!r}")
    return found

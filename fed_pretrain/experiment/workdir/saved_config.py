"""The config of a run, back from its work directory."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fed_pretrain.experiment.assembly.exclusion import EXCLUDED_CLIENTS
from fed_pretrain.experiment.assembly.run_config import NONE, ResolvedRun, RunConfig
from groundwork import from_json
from groundwork.errors import UserError
from groundwork.untyped import Json


def read(folder: Path) -> RunConfig:
    """The config in `config.json`, with every default filled in as the run had it."""
    path = folder / "config.json"
    try:
        saved = from_json.record(path)["config"]
        if "task_module" in saved:  # the name of an older version
            saved["plugins"] = list(filter(None, [saved.pop("task_module")]))
        config: RunConfig = _with_own_clients(folder, from_mapping(ResolvedRun, saved))
    except FileNotFoundError as error:
        raise UserError(f"--run={folder}: no config.json there, so this is not a run") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is not the config of a run of this version ({error})") from error
    return config


def _with_own_clients(folder: Path, config: RunConfig) -> RunConfig:
    """Who was left out then is left out now, whatever became of the file that named them."""
    own = folder / EXCLUDED_CLIENTS
    named = str(own) if own.exists() else NONE
    return dataclasses.replace(config, work=dataclasses.replace(config.work, exclude_clients=named))


def from_mapping(kind: type, values: Mapping[str, Json]) -> Any:
    """The dataclass of nested plain values; what an older version did not know is its default."""
    hints = typing.get_type_hints(kind)
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"unknown setting {unknown[0]!r}")
    return kind(**{name: _value(hints[name], value) for name, value in values.items()})


def _value(hint: Any, value: Json) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        if value is None:
            return None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if dataclasses.is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value)
    if isinstance(value, list):
        return tuple(tuple(one) if isinstance(one, list) else one for one in value)
    return value

"""What every source gives: work units, and plain generators of records.

A source knows nothing of Beam, of partitions or of files being written. `open` looks at the input
once and returns a picklable `SourceReader`; the pipeline hands its work units to workers, and each
worker iterates `read(unit)`. Reading a unit twice must yield the same items in the same order.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from data_prep.sources.items import Item
from data_prep.sources.work_units import WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Json


class ClientLimits(NamedTuple):
    """Clients of another size are left out whole, and counted.

    The size is the number of examples; with `feature`, of those whose int64 feature of that name
    is 0 (the first chunks: that counts comments, not chunks).
    """

    minimum: int
    maximum: int
    feature: str | None = None


@dataclasses.dataclass(frozen=True)
class SourceReader:
    """A source opened on an input. It is pickled: `read` is a function of a module, or a partial.

    Both the units and the items of each are in a deterministic order.
    """

    features: tuple[FeatureSpec, ...]
    """Those that every record has."""
    units: tuple[WorkUnit, ...]
    read: Callable[[WorkUnit], Iterator[Item]]
    label_names: tuple[str, ...] | None = None
    """Names of the classes of the int64 feature `label`, where there is one."""
    extra: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    """What a task must know of the data; kept in the manifest (for instance background: 0)."""
    splits: tuple[str, ...] = ()
    """Those its records carry; empty where they carry none."""
    natural: bool = True
    """Whether its records carry client ids."""
    client_limits: ClientLimits | None = None
    parts: Callable[[WorkUnit, int], list[WorkUnit]] | None = None
    """Cuts a unit into units of about that many bytes, for several workers, with the same items."""


@dataclasses.dataclass(frozen=True)
class SourceOption:
    """A setting of one source, given as `--source_options=name=value,...`."""

    name: str
    summary: str
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Source:
    """A raw data set as the world ships it."""

    name: str
    summary: str
    open: Callable[[str, Mapping[str, str]], SourceReader]
    """(input pattern, every option with its value) -> reader; UserError on a wrong input."""
    options: tuple[SourceOption, ...] = ()
    needs_input: bool = True
    """False for the embedded sources, whose files come with a package."""
    input_summary: str = ""
    """What --input names, for the help text: "folder with data/train/*.json"."""
    prefix: bool = False
    """True where `NAME:rest` also opens it (tfds:NAME); the rest arrives as the option "name"."""
    vocabulary: str = ""
    """What --vocabulary is for its texts where it is not given."""
    clients: int | None = None
    """How many natural clients it has, where that is known without reading."""


def resolve_options(source: Source, given: Mapping[str, str]) -> dict[str, str]:
    """Fills in the defaults and refuses unknown names and values."""
    known = {option.name: option for option in source.options}
    for name, value in given.items():
        if name not in known:
            raise UserError(
                f"--source_options: {source.name} has no option {name!r}"
                + (f" (it has {', '.join(sorted(known))})" if known else " (it has none)")
            )
        choices = known[name].choices
        if choices and value not in choices:
            raise UserError(f"--source_options: {name}={value!r} is none of {', '.join(choices)}")
    return {name: given.get(name, option.default) for name, option in known.items()}

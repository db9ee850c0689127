"""Your own tables: which column is the client, which are features, and of what kind.

Used by csv, jsonl and tfrecord. Columns that no option names become features under their own
name; their kinds are read off the first rows (whole numbers, numbers, lists of numbers, text).
"""

import dataclasses
import itertools
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized

import numpy as np

from data_prep.sources.items import Record
from data_prep.sources.parsing import fields
from data_prep.sources.source import SourceOption
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Feature

SAMPLE_ROWS = 1000
_SHOWN = 20
_SAMPLE_SIZE = 32 << 20
MOST_NAMES = 10_000
SPLITS = {**fields.SPLITS, "dev": "validation"}

OPTIONS = (
    SourceOption("client", "column of the client's name; empty: none", default="client_id"),
    SourceOption("split", "column that says train, validation or test; empty: none"),
    SourceOption("order", "column that orders a client's examples (a number or a time)"),
    SourceOption("label", "column that becomes the feature `label`; words are numbered by name"),
    SourceOption("text", "column that becomes the feature `text`"),
    SourceOption("columns", "columns to keep, separated by |; empty: all"),
    SourceOption("pixels", "prefix of columns that together are `image`, or the one that holds it"),
    SourceOption("image_shape", "height x width x channels of `image`, for instance 28x28x1"),
)


@dataclasses.dataclass(frozen=True)
class Columns:
    """Turns a row (a dictionary) into a Record."""

    client: str
    split: str
    order: str
    renamed: Mapping[str, str]
    """Column -> feature."""
    pixels: tuple[str, ...]
    specs: tuple[FeatureSpec, ...]
    label_names: tuple[str, ...] | None = None

    def record(self, row: Mapping[str, Feature], order: int) -> Record:
        client = None
        if self.client:
            client = _name(fields.present(row, self.client), self.client)
        split = _split(row, self.split) if self.split else None
        if self.order:
            order = fields.time(row, self.order)
        kinds = {spec.name: spec for spec in self.specs}
        features = {
            feature: self._value(row, column, kinds[feature])
            for column, feature in self.renamed.items()
        }
        if self.pixels:
            features["image"] = _image(row, self.pixels, kinds["image"].shape)
        return Record(client, split, features, order)

    def _value(self, row: Mapping[str, Feature], column: str, spec: FeatureSpec) -> Feature:
        if spec.name == "label" and self.label_names is not None:
            name = str(fields.present(row, column))
            try:
                return self.label_names.index(name)
            except ValueError:
                raise fields.BadField("wrong_label", f"unknown label {name!r}") from None
        if spec.kind == "text":
            return fields.text(row, column)
        return _numbers(fields.present(row, column), column, spec)


def columns(
    options: Mapping[str, str],
    sample: Sequence[Mapping[str, Feature]],
    input_name: str,
    *,
    all_rows: Iterable[Mapping[str, Feature]] | None = None,
) -> Columns:
    """Reads the kinds off `sample`; `all_rows` is gone through once if labels are words."""
    names = list(dict.fromkeys(name for row in sample for name in row))
    for option in ("client", "split", "order", "label", "text"):
        _require(options[option], option, names)
    pixels = _pixel_columns(options["pixels"], names)
    renamed = _features(options, names, pixels)
    labels = _label_names(options["label"], sample, all_rows)
    specs = [
        _spec(feature, column, sample, labels if feature == "label" else None)
        for column, feature in renamed.items()
    ]
    if pixels:
        shape = fields.sizes("image_shape", options["image_shape"], "28x28x1")
        specs.append(FeatureSpec("image", "image", shape))
    if not specs:
        raise UserError(f"--input={input_name}: no column is left to be a feature")
    return Columns(
        client=options["client"],
        split=options["split"],
        order=options["order"],
        renamed=renamed,
        pixels=pixels,
        specs=tuple(specs),
        label_names=labels,
    )


def first(rows: Iterable[Mapping[str, Feature]]) -> list[Mapping[str, Feature]]:
    """Rows to read the kinds off; few where they are long."""
    sample = []
    size = 0
    for row in itertools.islice(rows, SAMPLE_ROWS):
        sample.append(row)
        size += sum(len(value) if isinstance(value, Sized) else 1 for value in row.values())
        if size > _SAMPLE_SIZE:
            break
    return sample


def _require(column: str, option: str, names: Sequence[str]) -> None:
    if column and column not in names:
        there = ", ".join(repr(name[:_SHOWN]) for name in names[:_SHOWN])
        raise UserError(
            f"--source_options={option}={column}: no such column (of {there})"
            + ("; set client= for data without clients" if option == "client" else "")
        )


def _pixel_columns(prefix: str, names: Sequence[str]) -> tuple[str, ...]:
    if not prefix:
        return ()
    if prefix in names:
        return (prefix,)
    rests = {name: name[len(prefix) :] for name in names if name.startswith(prefix)}
    numbered = [(int(rest), name) for name, rest in rests.items() if rest.isdigit()]
    if not numbered:
        raise UserError(f"--source_options=pixels={prefix}: no column of that name or prefix")
    return tuple(name for _, name in sorted(numbered))


def _features(
    options: Mapping[str, str], names: Sequence[str], pixels: Sequence[str]
) -> dict[str, str]:
    taken = {options["client"], options["split"], options["order"], *pixels}
    kept = [name for name in options["columns"].split("|") if name] or [
        name for name in names if name not in taken
    ]
    for name in kept:
        _require(name, "columns", names)
    renamed = {name: name for name in kept}
    for feature in ("label", "text"):
        if options[feature]:
            renamed[options[feature]] = feature
    return renamed


def _label_names(
    column: str,
    sample: Sequence[Mapping[str, Feature]],
    all_rows: Iterable[Mapping[str, Feature]] | None,
) -> tuple[str, ...] | None:
    labels = [row.get(column) for row in sample if column in row]
    if not column or all(map(_is_whole, labels)) or all(map(_is_number, labels)):
        return None
    found: Counter[str] = Counter()
    for row in all_rows if all_rows is not None else sample:
        if row.get(column) is not None:
            found[str(row[column])] += 1
        if len(found) > MOST_NAMES:
            raise UserError(f"--source_options=label={column}: more than {MOST_NAMES:,} labels")
    _warn_of_mixed(found, column)
    return tuple(sorted(found))


def _warn_of_mixed(found: Mapping[str, int], column: str) -> None:
    """Numbers beside a few other words are rather a mistake than classes."""
    others = [(name, count) for name, count in sorted(found.items()) if not _is_whole(name)]
    numbers = len(found) - len(others)
    if numbers and others:
        told = ", ".join(f"{name!r} ({count:,} rows)" for name, count in others[:5])
        print(
            f"warning: --source_options=label={column}: beside {numbers} whole numbers these "
            f"become classes, too: {told}{', ...' if others[5:] else ''}",
            file=sys.stderr,
        )


def _spec(
    feature: str, column: str, sample: Sequence[Mapping[str, Feature]], labels: object
) -> FeatureSpec:
    if labels is not None:
        return FeatureSpec(feature, "int64")
    values = [row[column] for row in sample if row.get(column) is not None]
    if feature == "text":
        return FeatureSpec(feature, "text")
    if values and all(map(_is_whole, values)):
        # Classes count from 0: a label below is a measurement.
        below = feature == "label" and any(map(_is_negative, values))
        return FeatureSpec(feature, "float32" if below else "int64")
    if values and all(map(_is_number, values)):
        return FeatureSpec(feature, "float32")
    if values and all(isinstance(value, list | np.ndarray) for value in values):
        return _list_spec(feature, column, values[0])
    return FeatureSpec(feature, "text")


def _list_spec(feature: str, column: str, value: Feature) -> FeatureSpec:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or array.ndim == 0:
        raise UserError(
            f"column {column!r} holds lists that are not arrays of numbers; leave it out "
            "with --source_options=columns=..."
        )
    return FeatureSpec(feature, "float32" if array.dtype.kind == "f" else "int64", array.shape)


def _numbers(value: Feature, column: str, spec: FeatureSpec) -> Feature:
    if not spec.shape and spec.kind == "int64":
        return fields.integer({column: value}, column)
    try:
        array = np.asarray(value, dtype=np.float64 if spec.kind == "float32" else None)
        if spec.kind == "int64" and array.dtype.kind not in "iu":
            raise ValueError
    except (TypeError, ValueError):
        raise fields.BadField("wrong_type", f"the field {column!r} is not of numbers") from None
    if array.shape != spec.shape:
        detail = f"the field {column!r} has the shape {array.shape}, not {spec.shape}"
        raise fields.BadField("wrong_size", detail)
    return array.astype(np.float32) if spec.kind == "float32" else array


def _image(row: Mapping[str, Feature], names: Sequence[str], shape: tuple[int, ...]) -> np.ndarray:
    values = row.get(names[0]) if len(names) == 1 else [fields.present(row, n) for n in names]
    array: np.ndarray
    if isinstance(values, bytes):
        array = np.frombuffer(values, np.uint8)
    else:
        try:
            array = np.asarray(values, dtype=np.float64).ravel()
        except (TypeError, ValueError):
            raise fields.BadField("wrong_type", "its pixels are not all numbers") from None
    if array.size != math.prod(shape):
        detail = f"it has {array.size} pixels, not {math.prod(shape)}"
        raise fields.BadField("wrong_size", detail)
    whole = array.astype(np.uint8)
    if not np.array_equal(whole, array):
        raise fields.BadField("wrong_pixels", "its pixels are not whole numbers from 0 to 255")
    return whole.reshape(shape)


def _split(row: Mapping[str, Feature], column: str) -> str:
    value = str(fields.present(row, column))
    if value.lower() not in SPLITS:
        detail = f"the field {column!r} is {value!r}, not train, validation or test"
        raise fields.BadField("wrong_split", detail)
    return SPLITS[value.lower()]


def _name(value: Feature, column: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise fields.BadField("wrong_type", f"the client {column!r} is not a name: {value!r}")
    return fields.encodable(str(value))


def _is_whole(value: Feature) -> bool:
    if isinstance(value, str):
        digits = value.strip().removeprefix("-")
        return digits.isdigit() and digits.isascii()
    return isinstance(value, int) and not isinstance(value, bool)


def _is_negative(value: Feature) -> bool:
    return value < 0 if isinstance(value, int) else str(value).strip().startswith("-")


def _is_number(value: Feature) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True

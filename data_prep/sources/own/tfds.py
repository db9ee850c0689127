"""Any image or text data set of TensorFlow Datasets: --source=tfds:NAME.

Reads what tensorflow-datasets has prepared in --input (its data_dir); without that it downloads and
prepares it there first, where the data set allows it.
"""

import dataclasses
import functools
import logging
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from data_prep.sources.items import BadRecord, Dropped, Item, Record
from data_prep.sources.parsing import fields
from data_prep.sources.source import Source, SourceOption, SourceReader
from data_prep.sources.work_units import WorkUnit, slices, splits_of
from data_prep.store.features import SPLITS, FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Feature

EXAMPLES_A_UNIT = 10_000


@dataclasses.dataclass(frozen=True)
class Field:
    """A feature of the data set and what it becomes."""

    path: str
    spec: FeatureSpec
    resized: bool = False
    """Whether images of another shape are made to fit."""


def _read(
    name: str,
    data_dir: str | None,
    client: str,
    kept: tuple[Field, ...],
    all_splits: bool,
    unit: WorkUnit,
) -> Iterator[Item]:
    """Examples in the data set's own order, by the client feature where one is named."""
    import tensorflow_datasets as tfds

    if unit.split is None and not all_splits:
        yield Dropped("neither_train_validation_nor_test", unit.examples or 0)
        return
    config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    dataset = _builder(name, data_dir).as_dataset(
        split=f"{unit.path}[{unit.start}:{unit.stop}]", read_config=config, shuffle_files=False
    )
    for row, example in enumerate(tfds.as_numpy(dataset), start=unit.start):
        try:
            features = {field.spec.name: _value(_at(example, field.path), field) for field in kept}
            client_id = _client(_at(example, client)) if client else None
        except fields.BadField as error:
            yield BadRecord(error.reason, f"tfds:{name}/{unit.path}", row + 1, str(error))
            continue
        yield Record(client_id, unit.split, features, row)


def _value(value: Feature, field: Field) -> Feature:
    spec = field.spec
    if spec.kind == "text":
        return _utf8(value)
    array = np.asarray(value)
    if field.resized and array.shape != spec.shape:
        array = _resized(array, spec.shape)
    if array.shape != spec.shape:
        detail = f"the feature {field.path!r} has the shape {array.shape}, not {spec.shape}"
        raise fields.BadField("wrong_size", detail)
    return array


def _resized(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    from PIL import Image

    from data_prep.sources.parsing import pixels

    mode = "L" if shape[2] == 1 else "RGB"
    image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).convert(mode)
    return pixels.pixels(image, (shape[0], shape[1]))


def _at(example: Feature, path: str) -> Feature:
    return functools.reduce(lambda value, key: value[key], path.split("/"), example)


def _client(value: Feature) -> str:
    return _utf8(value) if isinstance(value, bytes) else str(np.asarray(value).item())


def _utf8(value: Feature) -> str:
    content = bytes(value) if isinstance(value, bytes) else np.asarray(value).item()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise fields.BadField("not_utf8", str(error)) from None


def _builder(name: str, data_dir: str | None) -> Any:
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except Exception as error:
        raise UserError(f"--source=tfds:{name}: no such data set ({_why(error)})") from error


def _prepare(builder: Any, name: str) -> None:
    if builder.info.splits:
        return
    from tensorflow_datasets.core.download import downloader

    downloader.MAX_RETRIES = 2  # Its ten take over two minutes to notice that there is no network.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        builder.download_and_prepare()
    except Exception as error:
        raise UserError(
            f"--source=tfds:{name}: it is not prepared in {builder.data_dir} and cannot be "
            f"downloaded ({_why(error)}); prepare it elsewhere and name its data_dir with --input"
        ) from error


def _why(error: Exception) -> str:
    """In a few words: what requests says of a network that is not there fills five lines."""
    import requests

    if isinstance(error, requests.ConnectionError) and error.request is not None:
        return f"{urllib.parse.urlsplit(str(error.request.url)).hostname} cannot be reached"
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _leaves(features: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    import tensorflow_datasets as tfds

    for name, feature in features.items():
        if isinstance(feature, tfds.features.FeaturesDict):
            yield from _leaves(feature, f"{prefix}{name}/")
        else:
            yield prefix + name, feature


def _fields(info: Any, options: Mapping[str, str]) -> tuple[Field, ...]:
    """Images, texts, class labels and plain numbers; everything else is left out."""
    leaves = _leaves(info.features, "")
    return tuple(filter(None, (_field(*leaf, options) for leaf in leaves)))


def _field(path: str, feature: Any, options: Mapping[str, str]) -> Field | None:
    import tensorflow_datasets as tfds

    if path == options["client"]:
        return None
    if options["features"] and path not in options["features"].split("|"):
        return None
    name = {options["image"]: "image", options["label"]: "label", options["text"]: "text"}.get(
        path, path
    )
    if isinstance(feature, tfds.features.Image):
        return _image_field(path, name, feature, options["size"])
    shape = getattr(feature, "shape", None)
    if not isinstance(feature, tfds.features.Tensor) or shape is None or None in shape:
        return None
    kind = np.dtype(feature.np_dtype).kind
    if kind in "iub":
        return Field(path, FeatureSpec(name, "int64", shape))
    if kind == "f":
        return Field(path, FeatureSpec(name, "float32", shape))
    return Field(path, FeatureSpec(name, "text")) if not shape else None


def _image_field(path: str, name: str, feature: Any, size: str) -> Field:
    height, width, channels = feature.shape
    if size:
        shape = (*fields.sizes("size", size, "64x64"), channels or 3)
        return Field(path, FeatureSpec(name, "image", shape), resized=True)
    if None in (height, width, channels):
        raise UserError(
            f"the images {path!r} differ in size: set --source_options=size=HEIGHTxWIDTH"
        )
    return Field(path, FeatureSpec(name, "image", (height, width, channels)))


def open_tfds(pattern: str, options: Mapping[str, str]) -> SourceReader:
    name = options["name"]
    if not name:
        raise UserError("--source=tfds: name the data set, like --source=tfds:mnist")
    builder = _builder(name, pattern or None)
    _prepare(builder, name)
    _require(builder.info, options)
    kept = _fields(builder.info, options)
    if not kept:
        raise UserError(f"--source=tfds:{name}: it has no image, text, label or number to keep")
    labels = next((f for f in kept if f.spec.name == "label"), None)
    feature = _at(builder.info.features, labels.path) if labels else None
    names = tuple(getattr(feature, "names", None) or ()) or None
    units, data_dir, client = tuple(_units(builder.info)), pattern or None, options["client"]
    splits = splits_of(units)
    return SourceReader(
        tuple(field.spec for field in kept),
        units,
        functools.partial(_read, name, data_dir, client, kept, not splits),
        names,
        {"tfds": builder.info.full_name},
        splits=splits,
        natural=bool(client),
    )


def _require(info: Any, options: Mapping[str, str]) -> None:
    known = {path for path, _ in _leaves(info.features, "")}
    wanted = [options["client"], *options["features"].split("|")]
    for path in filter(None, wanted):
        if path not in known:
            raise UserError(
                f"--source_options: {info.name} has no feature {path!r} (it has "
                f"{', '.join(sorted(known))})"
            )


def _units(info: Any) -> Iterator[WorkUnit]:
    for split in sorted(info.splits):
        count = info.splits[split].num_examples
        known = split if split in SPLITS else None
        whole = WorkUnit(split, split, examples=count, split=known)
        yield from slices(whole, count, EXAMPLES_A_UNIT)


SOURCE = Source(
    name="tfds",
    summary="any image or text data set of tensorflow-datasets: tfds:NAME (tfds:cifar10)",
    open=open_tfds,
    needs_input=False,
    input_summary="tensorflow-datasets' data_dir; left out: its own default",
    options=(
        SourceOption("name", "the data set, after the colon"),
        SourceOption("client", "feature that names the client; empty: none"),
        SourceOption("features", "features to keep, separated by |; empty: all that can be"),
        SourceOption("image", "feature that becomes `image`", default="image"),
        SourceOption("label", "feature that becomes `label`", default="label"),
        SourceOption("text", "feature that becomes `text`", default="text"),
        SourceOption("size", "HEIGHTxWIDTH to resize images of differing sizes to"),
    ),
    prefix=True,
)

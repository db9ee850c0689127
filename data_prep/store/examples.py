"""tf.train.Example bytes without protobuf objects: the layout of a record is known beforehand.

The result equals `tf.train.Example.SerializeToString(deterministic=True)`: features by name.
"""

import functools
import struct
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from data_prep.store.features import FeatureSpec
from groundwork.untyped import Feature

_LENGTH_DELIMITED = {field: bytes([field << 3 | 2]) for field in (1, 2, 3)}
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3
_LARGEST_CACHE = 4096
Encode = Callable[[Feature], bytes]


class WrongValue(ValueError):
    """A value does not fit the feature it was given for."""


def varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, content: bytes) -> bytes:
    return _LENGTH_DELIMITED[number] + varint(len(content)) + content


@functools.lru_cache(_LARGEST_CACHE)
def _header(length: int) -> bytes:
    """All that precedes the features of a record; lengths repeat."""
    return _LENGTH_DELIMITED[1] + varint(length)


class ExampleEncoder:
    """Turns a dict of values into the bytes of a tf.train.Example."""

    def __init__(self, features: Sequence[FeatureSpec]) -> None:
        ordered = sorted(features, key=lambda feature: feature.name.encode())
        self._encoders = tuple((f.name, _entry_encoder(f)) for f in ordered)

    def encode(self, values: Mapping[str, Feature]) -> bytes:
        if len(values) != len(self._encoders):
            self._refuse_names(values)
        entries = []
        for name, encode in self._encoders:
            try:
                entries.append(encode(values[name]))
            except KeyError:
                self._refuse_names(values)
            except (TypeError, ValueError, OverflowError, AttributeError, struct.error) as error:
                raise WrongValue(f"feature {name!r}: {error}") from None
        content = b"".join(entries)
        return _header(len(content)) + content

    def _refuse_names(self, values: Mapping[str, Feature]) -> None:
        wanted = {name for name, _ in self._encoders}
        missing, extra = sorted(wanted - set(values)), sorted(set(values) - wanted)
        raise WrongValue(f"missing features {missing}, unknown features {extra}")


def _entry_encoder(feature: FeatureSpec) -> Encode:
    """Encodes one entry of the feature map: field 1 of Features, with key and value."""
    key = _field(1, feature.name.encode())
    if feature.kind == "image":
        return _image_encoder(key, feature)
    if feature.kind == "text":
        return _text_encoder(key)
    if feature.kind == "int64" and feature.shape == ():
        return _integer_encoder(key)
    kind, values = (_FLOAT_LIST, _floats) if feature.kind == "float32" else (_INT64_LIST, _integers)
    return lambda value: _wrapped(
        key, kind, _field(1, values(value, feature.shape)) if feature.size else b""
    )


def _wrapped(key: bytes, kind: int, values: bytes) -> bytes:
    return _field(1, key + _field(2, _field(kind, values)))


def _image_encoder(key: bytes, feature: FeatureSpec) -> Encode:
    """Every image of a data set has the same length, so all that precedes its bytes is constant."""
    size = feature.size
    prefix = _wrapped(key, _BYTES_LIST, _field(1, bytes(size)))[: -size or None]

    def encode(value: Feature) -> bytes:
        if not isinstance(value, bytes):
            array = np.asarray(value)
            if array.dtype != np.uint8 or array.shape != feature.shape:
                raise ValueError(
                    f"an image of uint8 {feature.shape} is wanted, not {array.dtype} {array.shape}"
                )
            value = array.tobytes()
        if len(value) != size:
            raise ValueError(f"an image of {size} bytes is wanted, not of {len(value)}")
        return prefix + value

    return encode


def _text_encoder(key: bytes) -> Encode:
    """All that precedes a string depends on its length only, and lengths repeat."""
    prefixes: dict[int, bytes] = {}

    def encode(value: Feature) -> bytes:
        content = _utf8(value)
        size = len(content)
        prefix = prefixes.get(size)
        if prefix is None:
            prefix = _wrapped(key, _BYTES_LIST, _field(1, content))[: -size or None]
            if len(prefixes) < _LARGEST_CACHE:
                prefixes[size] = prefix
        return prefix + content

    return encode


def _integer_encoder(key: bytes) -> Encode:
    """All that precedes a number depends on its length; labels and the like are looked up whole."""
    prefixes = {
        size: _wrapped(key, _INT64_LIST, _field(1, bytes(size)))[:-size] for size in range(1, 11)
    }
    small = [prefixes[len(_integer(value))] + _integer(value) for value in range(256)]

    def encode(value: Feature) -> bytes:
        number = _exact_int(value)
        if 0 <= number < 256:
            return small[number]
        content = _integer(number)
        return prefixes[len(content)] + content

    return encode


def _exact_int(value: Feature) -> int:
    if type(value) is int:
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        if isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind in "iu":
            return int(value)
        raise TypeError(f"an integer is wanted, not {value!r:.80}")
    return int(value)


def _integer(value: int) -> bytes:
    if not -(1 << 63) <= value < 1 << 63:
        raise OverflowError(f"{value} does not fit into 64 bits")
    return varint(value & 0xFFFFFFFFFFFFFFFF)


def _integers(value: Feature, shape: tuple[int, ...]) -> bytes:
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.shape != shape:
        raise ValueError(f"integers of shape {shape} are wanted, not {array.dtype} {array.shape}")
    return b"".join(_integer(number) for number in array.ravel().tolist())


def _floats(value: Feature, shape: tuple[int, ...]) -> bytes:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.shape != shape:
        raise ValueError(f"numbers of shape {shape} are wanted, not {array.dtype} {array.shape}")
    with np.errstate(over="ignore"):
        numbers = array.astype("<f4")
    if not np.isfinite(numbers).all():
        raise ValueError("a number is NaN, infinite or too large for float32")
    return numbers.tobytes()


def _utf8(value: Feature) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"text is wanted, not {value!r:.80}")
    return value.encode("utf-8")


def text_of(record: bytes, feature: str) -> str:
    """One text feature of a serialised example, found without parsing the others' values."""
    start, stop = _value(record, feature)
    _, start, stop = _next_field(record, start)
    return record[start:stop].decode("utf-8")


def integer_of(record: bytes, feature: str) -> int:
    """One int64 feature of a serialised example."""
    start, _ = _value(record, feature)
    _, start, stop = _next_field(record, start)  # The list is packed.
    number = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(record[start:stop]))
    return number - (1 << 64) if number >= 1 << 63 else number


def _value(record: bytes, feature: str) -> tuple[int, int]:
    """Where the content of a feature's list is."""
    wanted = feature.encode()
    _, start, end = _next_field(record, 0)
    while start < end:
        _, entry, after = _next_field(record, start)
        _, name, name_end = _next_field(record, entry)
        if record[name:name_end] == wanted:
            _, value, _ = _next_field(record, name_end)
            _, value, stop = _next_field(record, value)
            return value, stop
        start = after
    raise WrongValue(f"the example has no feature {feature!r}")


def _next_field(record: bytes, position: int) -> tuple[int, int, int]:
    """(field number, start, end) of the length-delimited field at `position`."""
    number = record[position] >> 3
    position += 1
    length = shift = 0
    while True:
        byte = record[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position, position + length
        shift += 7

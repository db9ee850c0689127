"""What a notebook holds of its clients, as rows: x, y and the client of each."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from fed_pretrain.notebook.argument_errors import ArgumentError
from groundwork.untyped import Json, Nested

Pair = tuple[np.ndarray, np.ndarray]
_INPUTS = ("x", "image", "images", "pixels", "features", "tokens", "input")
_LABELS = ("y", "label", "labels", "target", "targets", "snippets")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Equally many of each."""

    x: np.ndarray
    y: np.ndarray
    clients: np.ndarray

    @classmethod
    def of(cls, clients: Iterable[tuple[str, Pair]], argument: str) -> "Rows":
        """Of each client's own arrays; checked, and named by `argument`."""
        given = [(name, *_checked(f"{argument}[{name!r}]", pair)) for name, pair in clients]
        if not given:
            raise ArgumentError(f"{argument} is empty: no client is in it")
        names = _names((name for name, _, _ in given), argument)
        found = [(name, x, y) for name, (_, x, y) in zip(names, given, strict=True)]
        for name, x, y in found[1:]:
            for word, one, first in (("x", x, found[0][1]), ("y", y, found[0][2])):
                if one.shape[1:] != first.shape[1:]:
                    raise ArgumentError(
                        f"{argument}[{name!r}]: an example of {word} has the shape"
                        f" {list(one.shape[1:])}, those of {found[0][0]!r} have"
                        f" {list(first.shape[1:])}"
                    )
        return cls(
            np.concatenate([x for _, x, _ in found]),
            np.concatenate([y for _, _, y in found]),
            np.repeat([name for name, _, _ in found], [len(x) for _, x, _ in found]),
        )

    def __len__(self) -> int:
        return len(self.x)


def of_mapping(source: Mapping[Json, Nested], argument: str, x: Json, y: Json) -> Rows:
    """`{client: (x, y)}` or `{client: tf.data.Dataset}`."""
    return Rows.of(
        ((name, _pair(held, f"{argument}[{name!r}]", x, y)) for name, held in source.items()),
        argument,
    )


def of_triples(source: Sequence[tuple[Json, Nested, Nested]], argument: str) -> Rows:
    """A list of (client, x, y); a client may have several parts."""
    return Rows.of(((name, (x, y)) for name, x, y in source), argument)


def of_client_data(source: Nested, argument: str, x: Json, y: Json) -> Rows:
    """A `tff.simulation.datasets.ClientData`."""
    return Rows.of(
        (
            (name, _pair(source.create_tf_dataset_for_client(name), f"client {name!r}", x, y))
            for name in source.client_ids
        ),
        argument,
    )


def of_frame(source: Nested, argument: str, client: str | None, x: Json, y: Json) -> Rows:
    """A pandas DataFrame with a column of client ids and one of labels."""
    columns = [str(column) for column in source.columns]
    if client is None:
        raise ArgumentError(
            f"client is missing: name the column of {argument} that says whose a row is; it has"
            f" {', '.join(columns)}"
        )
    label = y if y is not None else next((name for name in _LABELS if name in columns), None)
    if label is None:
        raise ArgumentError(f"y is missing: name the column of {argument} that holds the labels")
    for word, name in (("client", client), ("y", label)):
        if name not in columns:
            raise ArgumentError(f"{word}={name!r}: {argument} has {', '.join(columns)}")
    others = [name for name in columns if name not in (client, label)]
    inputs = [x] if isinstance(x, str) else list(x or others)
    absent = [name for name in inputs if name not in columns]
    if absent:
        raise ArgumentError(f"x={absent[0]!r}: {argument} has {', '.join(columns)}")
    for name in inputs:
        if source[name].dtype == object and not isinstance(source[name].iloc[0], np.ndarray):
            raise ArgumentError(
                f"column {name!r} of {argument} holds no numbers: leave it out of x, or make"
                " numbers of it first"
            )
    names = list(_names(source[client].to_numpy().tolist(), argument))
    one = np.stack(source[inputs[0]].to_numpy()) if len(inputs) == 1 else source[inputs].to_numpy()
    rows = _checked(argument, (one, source[label].to_numpy()))
    return Rows(rows[0], rows[1], np.array(names))


def of_rows(source: Nested, argument: str, x: Json, y: Json, client: str) -> Rows:
    """One pair for all clients, as held-out examples may be."""
    rows = _checked(argument, _pair(source, argument, x, y))
    return Rows(rows[0], rows[1], np.repeat(client, len(rows[0])))


def _pair(held: Nested, argument: str, x: Json, y: Json) -> Pair:
    """x and y of one client, whatever holds them."""
    if isinstance(held, Mapping):
        return _of_fields(held, argument, x, y)
    if hasattr(held, "element_spec"):
        return _of_dataset(held, argument, x, y)
    if isinstance(held, Sequence) and len(held) == 2:
        return held[0], held[1]
    raise ArgumentError(
        f"{argument} is a {type(held).__name__}; a pair (x, y) or a tf.data.Dataset is wanted"
    )


def _of_fields(held: Mapping[str, Nested], argument: str, x: Json, y: Json) -> Pair:
    names = list(held)
    chosen = []
    for word, given, usual in (("x", x, _INPUTS), ("y", y, _LABELS)):
        name = given if given is not None else next((n for n in usual if n in names), None)
        if name not in names:
            raise ArgumentError(
                f"{word} is missing: name the field of {argument} it is; there are"
                f" {', '.join(map(str, names))}"
            )
        chosen.append(held[name])
    return chosen[0], chosen[1]


def _of_dataset(held: Nested, argument: str, x: Json, y: Json) -> Pair:
    """Its elements are examples or batches of them."""
    batched = _is_batched(held.element_spec)
    pairs = [_pair(element, argument, x, y) for element in held.as_numpy_iterator()]
    if not pairs:
        raise ArgumentError(f"{argument} holds no examples")
    join = np.concatenate if batched else np.stack
    return join([one for one, _ in pairs]), join([one for _, one in pairs])


def _is_batched(spec: Nested) -> bool:
    """A batch's first axis may have any length."""
    import tensorflow as tf

    return all(one.shape.rank and one.shape[0] is None for one in tf.nest.flatten(spec))


def _names(given: Iterable[Json], argument: str) -> Iterator[str]:
    """The clients' ids as texts, of which no two may become one."""
    known: dict[str, Json] = {}
    for one in given:
        name = str(one)
        if name in ("None", "nan", "NaT", "<NA>") and not isinstance(one, str):
            raise ArgumentError(f"{argument}: a row says {name} in the place of its client")
        if name.endswith("\0"):
            raise ArgumentError(f"{argument}: the client {name!r} ends in a byte of zero")
        if known.setdefault(name, one) != one:
            raise ArgumentError(f"{argument}: {known[name]!r} and {one!r} are one name as texts")
        yield name


def _checked(argument: str, pair: Pair) -> Pair:
    try:
        x, y = np.asarray(pair[0]), np.asarray(pair[1])
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"{argument}: x or y is not an array ({error})") from None
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        lengths = [str(len(one)) if one.ndim else "no" for one in (x, y)]
        raise ArgumentError(f"{argument}: x has {lengths[0]} rows and y has {lengths[1]}")
    if not len(x):
        raise ArgumentError(f"{argument} holds no examples")
    if x.dtype.kind not in "fiub":
        raise ArgumentError(
            f"{argument}: x is of {x.dtype}, and numbers are wanted: make numbers of it first"
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        row = int(np.argwhere(~np.isfinite(x))[0][0])
        raise ArgumentError(f"{argument}: x is NaN or infinite in row {row}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        row = int(np.argwhere(~np.isfinite(y))[0][0])
        raise ArgumentError(f"{argument}: y is NaN or infinite in row {row}")
    return x, y

"""Clients and their data: arrays, tf.data, TFF's ClientData, a DataFrame or a prepared dataset."""

import contextlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.store.features import MOST_LABELS
from data_prep.store.reader import PreparedDataset, open_dataset
from fed_pretrain.notebook import quietly, sources
from fed_pretrain.notebook.argument_errors import ArgumentError, naming
from fed_pretrain.notebook.sources import Rows
from fed_pretrain.tasks import embedded_datasets, known_tasks
from groundwork.untyped import Json, Nested, Process

if TYPE_CHECKING:
    import tensorflow_federated as tff

_KINDS = ("classification", "regression", "multilabel", "next_token")
_ARGUMENT = "clients"


class Clients:
    """Clients with training and test examples: a prepared dataset, and the task it is for.

    Made by `fed_pretrain.clients(...)`. A dataset in a temporary folder goes with this object.
    """

    def __init__(self, dataset: PreparedDataset, task: str, temporary: bool = False) -> None:
        self.dataset = dataset
        self.task = task
        if temporary:
            weakref.finalize(self, shutil.rmtree, dataset.path.parent, ignore_errors=True)

    @property
    def ids(self) -> list[str]:
        return list(self.dataset.index("train").client_ids)

    @property
    def label_names(self) -> tuple[str, ...] | None:
        return self.dataset.manifest.label_names

    @property
    def x_shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        shape = self.dataset.manifest.extra.get("x_shape")
        found = shape or next(
            f.shape for f in self.dataset.manifest.features if f.name in ("x", "image")
        )
        return tuple(int(size) for size in found)

    def __len__(self) -> int:
        return len(self.ids)

    def examples(self, split: str = "train") -> dict[str, int]:
        """How many examples each client has."""
        index = self.dataset.index(split)
        return dict(zip(index.client_ids, map(int, index.num_examples), strict=True))

    def arrays(self, split: str = "train") -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Each client's (x, y) as the task's first model reads them."""
        reader = known_tasks.load(self.task, self.dataset).reader(split)
        return {name: reader.fresh_rows(name) for name in reader.client_ids}

    def client_data(self, split: str = "train") -> "tff.simulation.datasets.ClientData":
        """For TensorFlow Federated's own simulations."""
        return self.dataset.client_data(split)

    def data_source(
        self, process: Process, batch_size: int = 20, seed: int = 0
    ) -> "tff.program.FederatedDataSource":
        """For `tff.learning.programs.train_model` with this process."""
        from fed_pretrain.notebook.data_source import ClientSource

        return ClientSource(str(self.dataset.path), self.task, process, batch_size, seed)

    def save(self, folder: str | os.PathLike[str]) -> "Clients":
        """A copy that stays, for the command line: `--dataset=FOLDER --task=TASK`."""
        target = Path(folder)
        if target.exists() and any(target.iterdir()):
            raise ArgumentError(f"folder={target} holds something already; name another one")
        shutil.copytree(self.dataset.path, target, dirs_exist_ok=True)
        return Clients(open_dataset(target), self.task)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{sum(self.examples(split).values()):,} {split} examples"
            for split in sorted(self.dataset.splits, key="train test".find)
            if split in ("train", "test")
        )
        return f"{len(self):,} clients with {counts}; task {self.task}"


def clients(
    source: Nested,
    *,
    test: Json = None,
    task: str | None = None,
    client: str | None = None,
    x: str | Sequence[str] | None = None,
    y: str | None = None,
    label_names: Sequence[str] | None = None,
    classes: int | None = None,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
) -> Clients:
    """Clients out of what holds their data.

    Args:
      source: `{client: (x, y)}`, a list of `(client, x, y)`, `{client: tf.data.Dataset}`, a
        ClientData of TFF's, a pandas DataFrame, the folder of a prepared dataset, or the name of an
        embedded one ("digits").
      test: the share of the examples that is held out (0.2), or held-out data of the same form as
        `source`, or one pair (x, y).
      task: what is learned; by default it follows from the labels: `classification`,
        `regression`, `multilabel` or `next_token`. Of a prepared dataset: any task's name.
      client, x, y: the columns of a DataFrame, or the fields of a dataset's examples.
      label_names: of the classes. classes: how many there are, if not all of them occur.
      seed: decides which examples are held out.
      folder: keeps the prepared dataset; by default it goes with the object.
    """
    prepared = _prepared(source, task)
    if prepared is not None:
        return prepared
    rows = _rows(source, _ARGUMENT, client, x, y)
    if len(set(rows.clients)) < 2:
        raise ArgumentError(
            f"{_ARGUMENT}: there is one client only ({rows.clients[0]!r}), and federated training"
            " is between several"
        )
    share, held_out = _test(test, client, x, y)
    if isinstance(label_names, str):
        raise ArgumentError(f"label_names={label_names!r} is a text; a list of texts is wanted")
    if classes is not None and (not isinstance(classes, Integral) or classes < 1):
        raise ArgumentError(f"classes={classes!r} is not a number of classes")
    kind = task or _kind(rows)
    if kind not in _KINDS:
        raise ArgumentError(f"task={kind!r} is none of {', '.join(_KINDS)}")
    parts = {"train": rows} if held_out is None else {"train": rows, "test": held_out}
    columns = _columns(parts, kind, label_names, classes)
    return _written(columns, kind, share, seed, folder)


def _prepared(source: Nested, task: str | None) -> Clients | None:
    """Of what is a dataset already."""
    if isinstance(source, Clients):
        return source
    if isinstance(source, PreparedDataset):
        return Clients(source, task or _task_of(source))
    if isinstance(source, os.PathLike):
        source = os.fspath(source)
    if not isinstance(source, str):
        return None
    if "\0" in source:
        raise ArgumentError(f"{_ARGUMENT}: a path holds no NUL byte")
    with naming(dataset=_ARGUMENT):
        if not os.path.exists(source) and source in known_tasks.names():
            with quietly.preparing():
                return Clients(embedded_datasets.open_for_task(source, None), task or source)
        dataset = open_dataset(source)
        return Clients(dataset, task or _task_of(dataset))


def _task_of(dataset: PreparedDataset) -> str:
    """The task of its source's name, otherwise by its fields."""
    name = str(dataset.manifest.source["name"])
    if name in known_tasks.names():
        return name
    fields = {feature.name for feature in dataset.manifest.features}
    if "label" in fields and fields & {"image", "x"}:
        return "images" if "image" in fields and name != "arrays" else "classification"
    names = ", ".join(known_tasks.names())
    raise ArgumentError(f"task is missing: say which one the dataset is for; there are {names}")


def _rows(source: Nested, argument: str, client: str | None, x: Json, y: Json) -> Rows:
    if hasattr(source, "create_tf_dataset_for_client"):
        return sources.of_client_data(source, argument, x, y)
    if hasattr(source, "columns") and hasattr(source, "iloc"):
        return sources.of_frame(source, argument, client, x, y)
    if isinstance(source, Mapping):
        return sources.of_mapping(source, argument, x, y)
    if isinstance(source, Sequence) and source and all(_is_triple(one) for one in source):
        return sources.of_triples(source, argument)
    raise ArgumentError(
        f"{argument} is a {type(source).__name__}; {{client: (x, y)}}, a list of (client, x, y), a"
        " ClientData, a DataFrame or a prepared dataset is wanted"
    )


def _is_triple(one: Nested) -> bool:
    return isinstance(one, tuple) and len(one) == 3


def _test(test: Json, client: str | None, x: Json, y: Json) -> tuple[float, Rows | None]:
    """The share that is held out, or the rows that are held out already."""
    if test is None:
        return 0.2, None
    if isinstance(test, Real) and not isinstance(test, bool):
        share = float(test)
        if not 0 < share < 1:
            raise ArgumentError(
                f"test={test}: without held-out examples nothing can be compared; give a share"
                " between 0 and 1, such as 0.2, or the held-out examples themselves"
            )
        return share, None
    if isinstance(test, tuple):
        return 0.0, sources.of_rows(test, "test", x, y, "held out")
    return 0.0, _rows(test, "test", client, x, y)


def _kind(rows: Rows) -> str:
    """What the labels are of."""
    if _one_hot(rows.y) or rows.y.dtype.kind in "US":
        return "classification"
    if rows.y.dtype.kind == "f":
        return "regression"
    if rows.y.ndim == 1:
        return "classification"
    tokens = rows.x.dtype.kind in "iu" and rows.x.shape == rows.y.shape
    return "next_token" if tokens else "multilabel"


def _one_hot(y: np.ndarray) -> bool:
    """Whether each row names one class, by a 1 in its column."""
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "biuf":
        return False
    return bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())


def _columns(
    parts: Mapping[str, Rows], kind: str, names: Sequence[str] | None, classes: int | None
) -> dict[str, np.ndarray]:
    """The arrays of the file that is prepared, one after the other."""
    if len({(rows.x.shape[1:], rows.y.shape[1:]) for rows in parts.values()}) > 1:
        raise ArgumentError("test: its examples have another shape than those of clients")
    y = np.concatenate([rows.y for rows in parts.values()])
    if kind == "classification" and _one_hot(y):
        classes, y = classes or y.shape[1], y.argmax(axis=1)
    if y.dtype.kind in "OUS" and kind == "classification":
        if y.dtype == object and not all(isinstance(one, str) for one in y.flat):
            raise ArgumentError(f"{_ARGUMENT}: y holds texts and others; texts alone name classes")
        found, y = np.unique(y.astype(str), return_inverse=True)
        names = tuple(found) if names is None else names
    y = _labels(y, kind, names, classes)
    columns = {
        "x": np.concatenate([rows.x for rows in parts.values()]),
        "y": y,
        "client": np.concatenate([rows.clients for rows in parts.values()]),
    }
    if len(parts) > 1:
        columns["split"] = np.repeat(list(parts), [len(rows) for rows in parts.values()])
    if kind == "classification":
        count = classes or (len(names) if names is not None else int(y.max()) + 1)
        columns["label_names"] = _class_names(names, count)
    return columns


def _class_names(names: Sequence[str] | None, count: int) -> np.ndarray:
    if count > MOST_LABELS:
        raise ArgumentError(
            f"{_ARGUMENT}: {count:,} classes are more than {MOST_LABELS:,}: number them from 0"
        )
    found = np.array([str(n) for n in (range(count) if names is None else names)])
    if len(set(found.tolist())) != len(found):
        raise ArgumentError("label_names holds a name twice")
    return found


def _labels(
    y: np.ndarray, kind: str, names: Sequence[str] | None, classes: int | None
) -> np.ndarray:
    """The labels as their task holds them, or a sentence about the first that is wrong."""
    if kind == "regression":
        return y.astype(np.float32)
    if y.dtype.kind == "f" and not (y == np.floor(y)).all():
        raise ArgumentError(
            f"{_ARGUMENT}: y holds {y[y != np.floor(y)][0]}; task={kind!r} wants whole numbers"
        )
    y = y.astype(np.int64)
    low, high = int(y.min()), int(y.max())
    limit = 2 if kind == "multilabel" else classes or (len(names) if names is not None else None)
    if low < (-1 if kind == "next_token" else 0) or (limit is not None and high >= limit):
        wrong = low if low < 0 else high
        most = f" to {limit - 1}" if limit is not None else ""
        raise ArgumentError(
            f"{_ARGUMENT}: y holds the label {wrong}; labels are whole numbers from 0{most}"
        )
    return y


def _written(
    columns: Mapping[str, np.ndarray],
    kind: str,
    share: float,
    seed: int,
    folder: str | os.PathLike[str] | None,
) -> Clients:
    """Prepared by the same code as on the command line."""
    place = Path(tempfile.mkdtemp(prefix="fed_pretrain_"))
    try:
        np.savez(place / "clients.npz", **columns)
        output = Path(folder) if folder is not None else place / "dataset"
        config = PrepareConfig(
            source="arrays",
            input=str(place / "clients.npz"),
            output=str(output),
            split="source" if "split" in columns else "by_example",
            split_fractions=(1 - share, 0.0, share),
            seed=seed,
            workers=1,
            command=f"fed_pretrain.clients(..., task={kind!r}, seed={seed})",
        )
        with naming(), quietly.preparing():
            dataset = prepare(config)
        if "test" not in dataset.splits:
            raise ArgumentError(
                f"test={share:g} holds out none of these {len(columns['x']):,} examples: give a"
                " larger share, or the held-out examples themselves"
            )
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    if folder is None:
        with contextlib.suppress(OSError):
            (place / "clients.npz").unlink()
        return Clients(dataset, kind, temporary=True)
    shutil.rmtree(place, ignore_errors=True)
    return Clients(dataset, kind)

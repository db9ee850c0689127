"""The columns of your own table as rows: numbers as they are, categories as zeros and a one."""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from data_prep.store.features import FeatureSpec
from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import Encoder, Features, as_array, as_texts
from fed_pretrain.tasks.definition import TaskOptions, where
from fed_pretrain.tasks.encoders.images import class_names
from groundwork.errors import UserError

LABEL = "label"
MOST_CATEGORIES = 50
"""Of a column; rarer ones share a place."""
_TRAIN = "train"
Predicted = Literal["class", "number"]


@dataclasses.dataclass(frozen=True)
class NumberColumn:
    """The mean stands in for what is missing: a blank in a column that is stored as text."""

    name: str
    mean: float
    spread: float
    as_text: bool = False
    width = 1

    def encode(self, features: Features) -> np.ndarray:
        values = _numbers(features, self.name, self.as_text)
        return np.where(np.isfinite(values), values, self.mean).astype(np.float32)[:, None]

    def centres(self) -> tuple[float, ...]:
        return (self.mean,)

    def spreads(self) -> tuple[float, ...]:
        return (self.spread,)


@dataclasses.dataclass(frozen=True)
class CategoryColumn:
    """A place for each category, and a last one for any other."""

    name: str
    categories: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.categories) + 1

    def encode(self, features: Features) -> np.ndarray:
        known = {category: place for place, category in enumerate(self.categories)}
        other = len(self.categories)
        places = [known.get(text, other) for text in as_texts(features[self.name])]
        return np.eye(self.width, dtype=np.float32)[places]

    def centres(self) -> tuple[float, ...]:
        return (0.0,) * self.width

    def spreads(self) -> tuple[float, ...]:
        return (1.0,) * self.width


Column = NumberColumn | CategoryColumn


def _numbers(features: Features, name: str, as_text: bool) -> np.ndarray:
    """float64; NaN for what is not a number."""
    if not as_text:
        return as_array(features[name]).astype(np.float64)
    return np.array([_number(text) for text in as_texts(features[name])])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


@dataclasses.dataclass(frozen=True)
class TableEncoder(Encoder):
    """x: the columns side by side; y: a class, or one number, whose mean and spread are known."""

    columns: tuple[Column, ...]
    label_names: tuple[str, ...] | None = None
    target: NumberColumn | None = None

    x_dtype = "float32"

    @property
    def x_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (sum(column.width for column in self.columns),)

    @property
    def y_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return () if self.target is None else (1,)

    @property
    def y_dtype(self) -> str:  # type: ignore[override]
        return "int32" if self.target is None else "float32"

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return 1 if self.label_names is None else len(self.label_names)

    @property
    def scale(self) -> list[float]:  # type: ignore[override]
        """With `offset`: what the model does to a row first, so that columns are of one size."""
        return [1.0 / spread for column in self.columns for spread in column.spreads()]

    @property
    def offset(self) -> list[float]:  # type: ignore[override]
        return [
            -centre / spread
            for column in self.columns
            for centre, spread in zip(column.centres(), column.spreads(), strict=True)
        ]

    @property
    def centre(self) -> tuple[float, ...]:  # type: ignore[override]
        return () if self.target is None else self.target.centres()

    @property
    def spread(self) -> tuple[float, ...]:  # type: ignore[override]
        return () if self.target is None else self.target.spreads()

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        x = np.concatenate([column.encode(features) for column in self.columns], axis=1)
        y = as_array(features[LABEL]).reshape(-1, *self.y_shape)
        return x.astype(np.float32), y.astype(self.y_dtype)


@dataclasses.dataclass(frozen=True)
class Table:
    """Makes the encoder of a dataset of columns; means and categories are of its training split."""

    predicted: Predicted

    def __call__(self, dataset: PreparedDataset, options: TaskOptions) -> TableEncoder:
        specs = [spec for spec in dataset.manifest.features if spec.name != LABEL]
        self._check(dataset, specs)
        label = next(spec for spec in dataset.manifest.features if spec.name == LABEL)
        seen = [_Seen(spec.name, spec.kind == "text") for spec in (*specs, label)]
        for features in _clients(dataset):
            for column in seen:
                column.add(features)
        columns = tuple(column.described() for column in seen[:-1])
        if self.predicted == "number":
            return TableEncoder(columns, target=seen[-1].number())
        return TableEncoder(columns, class_names(dataset))

    def _check(self, dataset: PreparedDataset, specs: Sequence[FeatureSpec]) -> None:
        where_ = f"dataset {where(dataset)}"
        stored = {spec.name: spec for spec in dataset.manifest.features}
        label = stored.get(LABEL)
        if label is None or label.shape or label.kind not in ("int64", "float32"):
            raise UserError(
                f"{where_} has no column to predict: prepare it with --source_options=label=COLUMN"
            )
        if self.predicted == "class" and label.kind != "int64":
            raise UserError(
                f"{where_}: its label has numbers below 0 or with decimals, which are not classes:"
                " --task=regression predicts numbers"
            )
        if self.predicted == "number" and dataset.manifest.label_names is not None:
            raise UserError(
                f"{where_}: its label is a word, one of {len(dataset.manifest.label_names)}, not a "
                "number: --task=tabular predicts classes"
            )
        for spec in specs:
            if spec.shape or spec.kind not in ("int64", "float32", "text"):
                raise UserError(
                    f"{where_}: column {spec.name!r} is {spec.kind} of shape {list(spec.shape)}, "
                    "not one number or text a row: leave it out with --source_options=columns=..."
                )
        if not specs:
            raise UserError(f"{where_} has no column beside the label to predict it from")


def _clients(dataset: PreparedDataset) -> Iterator[Features]:
    if _TRAIN not in dataset.splits:
        raise UserError(f"dataset {where(dataset)} has no training split")
    for client in dataset.index(_TRAIN).client_ids:
        yield dataset.read_client(_TRAIN, client)


class _Seen:
    """What a column has held so far."""

    def __init__(self, name: str, as_text: bool) -> None:
        self._name, self._as_text = name, as_text
        self._count, self._total, self._squares = 0, 0.0, 0.0
        self._texts: Counter[str] = Counter()

    def add(self, features: Features) -> None:
        if self._as_text:
            self._texts.update(as_texts(features[self._name]))
        values = _numbers(features, self._name, self._as_text)
        values = values[np.isfinite(values)]
        self._count += values.size
        self._total += float(values.sum())
        self._squares += float((values**2).sum())

    def described(self) -> Column:
        """As numbers where every text that is not blank is one."""
        blank = sum(count for text, count in self._texts.items() if not text.strip())
        if not self._as_text or 0 < self._count == self._texts.total() - blank:
            return self.number()
        by_count = sorted(self._texts, key=lambda text: (-self._texts[text], text))
        return CategoryColumn(self._name, tuple(sorted(by_count[:MOST_CATEGORIES])))

    def number(self) -> NumberColumn:
        mean = self._total / max(1, self._count)
        spread = math.sqrt(max(0.0, self._squares / max(1, self._count) - mean**2))
        return NumberColumn(self._name, mean, spread or 1.0, self._as_text)

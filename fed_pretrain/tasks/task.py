"""A task: a dataset with its model, loss, metrics and preprocessing."""

import collections
import dataclasses
import functools
import pickle
from collections.abc import Callable, Hashable, Mapping

import numpy as np
import tensorflow as tf

from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.client_reader import ClientCache, ClientReader
from fed_pretrain.clients.encoder import Encoder, Features
from fed_pretrain.clients.payload import spec_of
from fed_pretrain.tasks import task_model
from fed_pretrain.tasks.definition import (
    ModelChoice,
    TaskDefaults,
    TaskDefinition,
    TaskOptions,
    where,
)
from fed_pretrain.tasks.objective import CrossEntropy, Objective, keras_loss
from groundwork.errors import UserError
from groundwork.untyped import Json, Nested, TffModel

Spec = collections.OrderedDict[str, tf.TensorSpec]


@dataclasses.dataclass(frozen=True)
class Task:
    """A picklable description; `known_tasks.load` makes it."""

    definition: TaskDefinition
    dataset: PreparedDataset
    choice: ModelChoice
    options: TaskOptions
    encoder: Encoder
    cache: ClientCache

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def kind(self) -> str:
        return self.definition.kind

    @property
    def model_name(self) -> str:
        return self.choice.name

    @property
    def num_classes(self) -> int:
        return self.encoder.num_classes

    @property
    def label_names(self) -> tuple[str, ...] | None:
        return self.encoder.label_names

    @property
    def defaults(self) -> TaskDefaults:
        return self.choice.defaults or self.definition.defaults

    @property
    def preprocessing(self) -> str:
        """The normalisation in front of the model: the user's, otherwise the model's."""
        return self.options.preprocessing or self.choice.preprocessing

    @property
    def input_size(self) -> int | None:
        """The side the images are resized to; None leaves them as stored."""
        return self.options.input_size or self.choice.input_size

    def with_preprocessing(self, name: str) -> "Task":
        """The same task, with the preprocessing a start's weights want."""
        return dataclasses.replace(
            self, options=dataclasses.replace(self.options, preprocessing=name)
        )

    def build_model(
        self, num_classes: int | None = None, preprocessing: str | None = None
    ) -> tf.keras.Model:
        """A fresh model from raw rows to float32 logits, preprocessing inside."""
        if preprocessing is not None:
            return self.with_preprocessing(preprocessing).build_model(num_classes)
        return task_model.build(self, self.num_classes if num_classes is None else num_classes)

    @functools.cached_property
    def objective(self) -> Objective:
        if self.definition.objective is not None:
            return self.definition.objective(self)
        return CrossEntropy(self.encoder.unscored, perplexity=self.encoder.y_shape != ())

    def loss(self, y_true: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """The mean over the positions whose label is not -1."""
        return self.objective.loss(y_true, logits)

    def statistics(
        self, y_true: tf.Tensor, logits: tf.Tensor
    ) -> "collections.OrderedDict[str, tf.Tensor]":
        """Sums of one forward pass: loss_sum, count, correct, scored."""
        return self.objective.statistics(y_true, logits)

    def summarise(self, sums: Mapping[str, Json]) -> dict[str, float]:
        """Added-up sums as loss, accuracy (and perplexity for text)."""
        return self.objective.summarise(sums)

    def model_fn(
        self, build_model: Callable[[], tf.keras.Model] | None = None
    ) -> Callable[[], Nested]:
        """What TFF's algorithms take: makes a `tff.learning.models.VariableModel`."""
        return functools.partial(_variable_model, self, build_model or self.build_model)

    @functools.cached_property
    def structure(self) -> Hashable:
        """Equal for tasks that make the same graphs, whatever their datasets hold.

        They share what is compiled. A model or a loss that is made in its own way may read
        anything of its dataset, and is shared on that dataset alone.
        """
        choice, options = self.choice, dataclasses.replace(self.options, cache_megabytes=0)
        of_data = self.definition.build is not None and choice.whole is None
        facts = (
            self.num_classes,
            self.encoder.model_arguments(),
            choice.arguments,
            self.objective,
            self.payload_spec(None),
            task_model.wants_inversion(self),
        )
        try:
            content = pickle.dumps(facts)
        except Exception:  # pickle raises whatever a loss of the user's stumbles over
            return object()
        dataset = self.dataset.fingerprint if of_data else None
        return (id(self.definition), choice.name, choice.build, options, content, dataset)

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        return self.encoder.encode(features)

    def batch_spec(self) -> Spec:
        """The (x, y) of a model's batch."""
        return collections.OrderedDict(x=self._x_spec, y=self._y_spec)

    def payload_spec(self, batch_size: int | None) -> Spec:
        """The TensorSpecs of a client's payload (see payload.py); None: a batch of any size."""
        return spec_of(self._x_spec, self._y_spec, batch_size)

    def reader(self, split: str) -> ClientReader:
        if split not in self.dataset.splits:
            raise UserError(
                f"dataset {where(self.dataset)} has no split {split!r}, "
                f"only {', '.join(self.dataset.splits)}"
            )
        return ClientReader(self.dataset, split, self.encoder, self.cache)

    @property
    def _x_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec([None, *self.encoder.x_shape], tf.as_dtype(self.encoder.x_dtype))

    @property
    def _y_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec([None, *self.encoder.y_shape], tf.as_dtype(self.encoder.y_dtype))


def _variable_model(task: Task, build_model: Callable[[], tf.keras.Model]) -> TffModel:
    import tensorflow_federated as tff

    return tff.learning.models.from_keras_model(
        build_model(), loss=keras_loss(task.objective), input_spec=task.batch_spec(), metrics=[]
    )

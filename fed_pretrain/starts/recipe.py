"""How a start's model is built: a picklable description, built anew wherever it is needed."""

import dataclasses
from typing import Any

import tensorflow as tf

from fed_pretrain.models import registry as models
from fed_pretrain.starts import batch_norm, head, trainable
from fed_pretrain.starts.batch_norm import BatchNormPolicy


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Task, width of the head, preprocessing, BatchNorm policy, and what trains."""

    task: Any
    num_classes: int
    preprocessing: str | None
    batch_norm: BatchNormPolicy
    trainable: str

    def __call__(self) -> tf.keras.Model:
        """The final structure with arbitrary values; a start's weights are set apart."""
        model = batch_norm.apply(self.original(), self.batch_norm)
        trainable.apply(model, self.trainable, self.head_of(model))
        return model

    def original(self) -> tf.keras.Model:
        """The model before anything is exchanged or frozen."""
        return self.task.build_model(self.num_classes, self.preprocessing)

    def head_of(self, model: tf.keras.Model) -> str | None:
        """The layer whose outputs are the classes, as the model's entry says or as it looks."""
        name = self.task.model_name
        if name in models.names():
            declared = models.head_layer(name)
            return declared if declared in {layer.name for layer in model.layers} else None
        return head.find(model, self.num_classes)

    def identity(self) -> dict[str, Any]:
        """What of the recipe changes the numbers of a run, besides the weights."""
        return {
            "model": self.task.model_name,
            "num_classes": self.num_classes,
            "preprocessing": self.preprocessing,
            **dataclasses.asdict(self.batch_norm),
            "trainable": self.trainable,
        }

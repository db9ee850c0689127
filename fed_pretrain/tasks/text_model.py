"""From ids to logits: a text task hands its model the vocabulary and the length of a row."""

from typing import TYPE_CHECKING

import tensorflow as tf

from fed_pretrain.models import known_models as models

if TYPE_CHECKING:
    from fed_pretrain.tasks.task import Task


def build_model(task: "Task", num_classes: int) -> tf.keras.Model:
    build = task.choice.build or models.builder(task.choice.name)
    return build(num_classes, **task.encoder.model_arguments(), **task.choice.arguments)

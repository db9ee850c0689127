"""How a start's model is built: a picklable description, built anew wherever it is needed."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

import tensorflow as tf

from fed_pretrain.models import known_models
from fed_pretrain.models.adapters import Adapters
from fed_pretrain.starts import batch_norm, head, trainable
from fed_pretrain.starts.start_config import GROUP_NORM, BatchNormPolicy
from groundwork.untyped import Json

if TYPE_CHECKING:
    from fed_pretrain.tasks.task import Task


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Task, width of the head, preprocessing, BatchNorm policy, and what trains.

    arguments: of the model's builder, where the start's file decides them.
    lora: of --trainable=lora.
    """

    task: "Task"
    num_classes: int
    preprocessing: str | None
    batch_norm: BatchNormPolicy
    trainable: str
    arguments: tuple[tuple[str, Json], ...] = ()
    lora: Adapters | None = None

    def __call__(self) -> tf.keras.Model:
        """The final structure with arbitrary values; a start's weights are set apart."""
        model = batch_norm.apply(self.original(), self.batch_norm)
        return trainable.apply(model, self.trainable, self.head_of(model), self.lora)

    def original(self) -> tf.keras.Model:
        """The model before anything is exchanged or frozen."""
        task = self.task
        arguments = dict(self.arguments)
        if _comes_with_group_norm(task):
            if self.batch_norm.policy != GROUP_NORM:
                arguments["norm"] = "batch"
            elif "groups" in _parameters(task):
                arguments["groups"] = self.batch_norm.groups
        if arguments:
            choice = dataclasses.replace(
                task.choice, arguments={**task.choice.arguments, **arguments}
            )
            task = dataclasses.replace(task, choice=choice)
        return task.build_model(self.num_classes, self.preprocessing)

    def head_of(self, model: tf.keras.Model) -> str | None:
        """The layer whose outputs are the classes, as the model's entry says or as it looks."""
        name = self.task.model_name
        if name in known_models.names():
            declared = known_models.head_layer(name)
            return declared if declared in {layer.name for layer in model.layers} else None
        return head.find(model, self.num_classes)

    def identity(self) -> dict[str, Json]:
        """What of the recipe changes the numbers of a run, besides the weights."""
        return {
            "model": self.task.model_name,
            "num_classes": self.num_classes,
            "preprocessing": self.preprocessing,
            **dataclasses.asdict(self.batch_norm),
            "trainable": self.trainable,
            "arguments": [list(pair) for pair in self.arguments],
            **({} if self.lora is None else {"lora": dataclasses.asdict(self.lora)}),
        }


def _parameters(task: "Task") -> Mapping[str, inspect.Parameter]:
    """The arguments of the builder of the task's model."""
    build = getattr(task.choice, "build", None)
    if build is None and task.model_name in known_models.names():
        build = known_models.builder(task.model_name)
    return inspect.signature(build).parameters if build is not None else {}


def _comes_with_group_norm(task: "Task") -> bool:
    norm = _parameters(task).get("norm")
    return norm is not None and task.choice.arguments.get("norm", norm.default) == "group"

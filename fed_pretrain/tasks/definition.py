"""What a task is before it meets a dataset: the screen of code a new task takes."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from fed_pretrain.tasks.defaults import TaskDefaults
from fed_pretrain.tasks.encoder import Encoder
from fed_pretrain.tasks.options import TaskOptions

if TYPE_CHECKING:  # The registry lists tasks without importing TensorFlow.
    import tensorflow as tf

    from fed_pretrain.tasks.objective import Objective
    from fed_pretrain.tasks.task import Task

Kind = Literal["image", "text", "vector"]
MakeEncoder = Callable[[Any, TaskOptions], Encoder]


@dataclasses.dataclass(frozen=True)
class ExpectedFeature:
    """A field the dataset must hold; None in the shape fits any size."""

    name: str
    kind: str
    shape: tuple[int | None, ...] = ()


@dataclasses.dataclass(frozen=True)
class ModelChoice:
    """A model a task can train, and how the task's rows must look for it.

    name: a name of models/registry.py, or any name when `build` is given.
    encoder: makes the rows this model reads; None takes the task's own.
    start: the start the task expects this model to have, shown to the user.
    preprocessing, input_size, channels: of images, unless the options say otherwise.
    arguments: further arguments of the model's builder.
    build: builds the model from outside models/registry.py, with the same arguments.
    defaults: where this model's rows ask for others than the task's.
    """

    name: str
    encoder: MakeEncoder | None = None
    start: str = "random"
    preprocessing: str = "unit"
    input_size: int | None = None
    channels: int | None = None
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    build: "Callable[..., tf.keras.Model] | None" = None
    defaults: TaskDefaults | None = None


@dataclasses.dataclass(frozen=True)
class TaskDefinition:
    """A task by name; its functions are module-level, so that tasks pickle.

    prepare: the settings with which data_prep prepares the embedded dataset of this task;
        None where the user brings the data.
    background: the pixel value of empty paper the model shall see; a dataset whose manifest says
        another one is inverted in front of the model.
    build, objective: for tasks that are neither images nor text with softmax cross-entropy.
    """

    name: str
    title: str
    kind: Kind
    expects: tuple[ExpectedFeature, ...]
    encoder: MakeEncoder
    models: tuple[ModelChoice, ...]
    defaults: TaskDefaults = dataclasses.field(default_factory=TaskDefaults)
    prepare: Mapping[str, Any] | None = None
    background: int | None = None
    build: "Callable[[Task, int], tf.keras.Model] | None" = None
    objective: "Callable[[Task], Objective] | None" = None

    def choice(self, model: str | None) -> ModelChoice | None:
        """The named model, the first one for None, nothing for a name that is not listed."""
        if model is None:
            return self.models[0]
        return next((choice for choice in self.models if choice.name == model), None)

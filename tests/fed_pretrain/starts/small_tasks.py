"""Real tasks on a model's own input, without a dataset: starts ask nothing of one."""

import dataclasses
import json
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from fed_pretrain.clients.client_reader import ClientCache
from fed_pretrain.clients.encoder import Encoder
from fed_pretrain.starts import start as starts
from fed_pretrain.starts.start import Start
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks.definition import ModelChoice, TaskDefinition, TaskOptions
from fed_pretrain.tasks.definitions.chitchat import CHITCHAT
from fed_pretrain.tasks.encoders.characters import CharacterWindows, embedded_vocabulary
from fed_pretrain.tasks.encoders.images import ImageEncoder
from fed_pretrain.tasks.task import Task
from groundwork import embedded_packages


def _no_dataset(dataset: Any, options: TaskOptions) -> Encoder:
    raise NotImplementedError


def task_of(definition: TaskDefinition, choice: ModelChoice, encoder: Encoder) -> Task:
    return Task(definition, None, choice, TaskOptions(), encoder, ClientCache(0))


def image_task(
    model: str,
    size: int = 32,
    channels: int = 3,
    classes: int | tuple[str, ...] = 10,
    **choice: Any,
) -> Task:
    names = tuple(map(str, range(classes))) if isinstance(classes, int) else classes
    encoder = ImageEncoder((size, size, channels), names)
    chosen = ModelChoice(model, **choice)
    definition = TaskDefinition("images", "", "image", (), _no_dataset, (chosen,))
    return task_of(definition, chosen, encoder)


@dataclasses.dataclass(frozen=True)
class Ids(Encoder):
    """Rows of ids with a label a position (a language model) or one a row."""

    vocab_size: int
    length: int
    classes: int | None = None

    x_dtype = "int32"

    @property
    def x_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.length,)

    @property
    def y_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.length,) if self.classes is None else ()

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return self.vocab_size if self.classes is None else self.classes

    def model_arguments(self) -> dict[str, Any]:
        return {"vocab_size": self.vocab_size, "sequence_length": self.length}

    def encode(self, features: Any) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError


def ids_task(
    model: str, vocab_size: int, length: int = 8, classes: int | None = None, **arguments: Any
) -> Task:
    encoder = Ids(vocab_size, length, classes)
    choice = ModelChoice(model, arguments=arguments)
    definition = TaskDefinition("ids", "", "text", (), _no_dataset, (choice,))
    return task_of(definition, choice, encoder)


def character_task() -> Task:
    vocabulary = embedded_vocabulary()
    assert vocabulary is not None
    return task_of(CHITCHAT, CHITCHAT.models[0], CharacterWindows(vocabulary, 40))


def resolve(task: Task, spec: str = "random", seed: int = 1, **config: Any) -> Start:
    return starts.resolve(StartConfig(spec=spec, **config), task, seed)


def values(start: Start) -> dict[str, np.ndarray]:
    """The weights of a start by name."""
    names = [*start.names[0], *start.names[1]]
    return dict(zip(names, [*start.weights[0], *start.weights[1]], strict=True))


def photos(size: int, how: Image.Resampling) -> tuple[np.ndarray, np.ndarray]:
    """foolbox's 20 ImageNet photos and their classes."""
    files = sorted(embedded_packages.path("foolbox").glob("foolbox/data/imagenet_*.jpg"))
    images = [Image.open(file).convert("RGB").resize((size, size), how) for file in files]
    labels = [int(file.stem.rsplit("_", 1)[1]) for file in files]
    return np.stack([np.asarray(image) for image in images]), np.array(labels)


def chat_messages(count: int, conversations: int) -> tf.Tensor:
    """The first messages of the first conversations of chitchat."""
    with open(embedded_packages.path("chitchat"), encoding="utf-8") as file:
        content = list(json.load(file).values())[:conversations]
    texts = [m["text"] for c in content for turn in c["messages"] for m in turn]
    return tf.constant(texts[:count])

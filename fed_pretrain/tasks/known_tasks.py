"""The tasks by name: built-in ones, and those a user's module registers.

A task from outside the package is a module that calls `register(TaskDefinition(...))`, named with
`--plugin=my.module`.
"""

import dataclasses
import functools
import importlib
from typing import TYPE_CHECKING

from fed_pretrain.tasks import own_model
from fed_pretrain.tasks.definition import (
    ModelChoice,
    TaskDefinition,
    TaskOptions,
    check_labels,
    misfit,
    where,
)
from groundwork import markdown
from groundwork.errors import UserError, nearest
from groundwork.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_prep.store.features import FeatureSpec
    from data_prep.store.reader import PreparedDataset
    from fed_pretrain.models.known_models import ModelSpec
    from fed_pretrain.tasks.task import Task

# Each module of fed_pretrain/tasks/definitions/ exports DEFINITIONS.
MODULES: tuple[str, ...] = (
    "digits",
    "mnist5k",
    "fashion_mnist",
    "femnist",
    "cifar10",
    "tiny_imagenet",
    "own_images",
    "own_arrays",
    "own_tables",
    "own_texts",
    "chitchat",
    "shakespeare",
    "reddit",
    "stackoverflow",
    "two_layer_cnn",
)

# A model that is normalised so was made for ImageNet: three channels, at least 32 pixels.
IMAGENET_PREPROCESSINGS = ("imagenet_torch", "imagenet_bgr_means", "plus_minus_one", "lite")


@functools.cache
def _built_in() -> dict[str, TaskDefinition]:
    rooms = [importlib.import_module(f"fed_pretrain.tasks.definitions.{name}") for name in MODULES]
    return {one.name: one for room in rooms for one in room.DEFINITIONS}


KNOWN: Registry[TaskDefinition] = Registry("task", "--task", _built_in)
register, get = KNOWN.register, KNOWN.named


def names() -> list[str]:
    return sorted(KNOWN.names())


def load(
    name: str,
    dataset: "PreparedDataset",
    model: str | None = None,
    options: TaskOptions | None = None,
) -> "Task":
    """The task on this dataset; refuses a dataset or a model that does not fit."""
    from fed_pretrain.clients.client_reader import ClientCache
    from fed_pretrain.tasks.task import Task

    definition = get(name)
    options = options or TaskOptions()
    found = misfit_of(definition, dataset.manifest.features)
    if found is not None:
        raise UserError(f"dataset {where(dataset)} does not fit task {name!r}: {found}")
    chosen = choice(definition, dataset.manifest.features, model)
    encoder = (chosen.encoder or definition.encoder)(dataset, options)
    check_labels(definition, dataset, encoder)
    cache = ClientCache(options.cache_megabytes << 20)
    return Task(definition, dataset, chosen, options, encoder, cache)


def misfit_of(definition: TaskDefinition, features: "Sequence[FeatureSpec]") -> str | None:
    """What of a dataset's features is not as the task expects it, and which tasks take them."""
    found = misfit(definition, features)
    if found is None:
        return None
    takers = [
        name
        for name, other in sorted(KNOWN.known().items())
        if other.expects and misfit(other, features) is None
    ]
    if not takers:
        return f"{found}; no task takes such a dataset, docs/extending.md adds one of yours"
    return f"{found}; it fits --task={', '.join(takers)}"


def describe() -> str:
    """The table that `--task=help` prints."""
    header = ("task", "models (first is the default)", "data", "what it is")
    rows = [header] + [
        (
            definition.name,
            ", ".join(choice.name for choice in definition.models),
            "embedded" if definition.prepare is not None else "bring your own",
            definition.title,
        )
        for _, definition in sorted(KNOWN.known().items())
    ]
    return "\n".join(markdown.aligned(rows))


def choice(
    definition: TaskDefinition, features: "Sequence[FeatureSpec]", model: str | None
) -> ModelChoice:
    """The named model on rows of these features."""
    if own_model.is_own(model):
        return own_model.choice(str(model), definition)
    listed = definition.choice(model)
    return listed if listed is not None else _unlisted(definition, features, str(model))


def check_model(definition: TaskDefinition, model: str | None) -> None:
    """Refuses a model that neither the task lists nor known_models, or of another kind."""
    if own_model.is_own(model):
        own_model.check(str(model))
    elif definition.choice(model) is None:
        _registered_model(definition, str(model))


def _registered_model(definition: TaskDefinition, model: str) -> "ModelSpec":
    from fed_pretrain.models import known_models

    listed = ", ".join(choice.name for choice in definition.models)
    if model not in known_models.names():
        raise UserError(
            f"--model is {model!r}; task {definition.name!r} has {listed}, and no model of that "
            f"name is registered{nearest(model, known_models.names())}"
        )
    spec = known_models.get(model)
    if spec.kind != definition.kind:
        raise UserError(
            f"--model={model} reads {spec.kind}s, task {definition.name!r} holds "
            f"{definition.kind}s; it has {listed}"
        )
    return spec


def _unlisted(
    definition: TaskDefinition, features: "Sequence[FeatureSpec]", model: str
) -> ModelChoice:
    """Any registered model of the task's kind, on the rows of the task's first model."""
    spec = _registered_model(definition, model)
    first = definition.models[0]
    if spec.preprocessing not in IMAGENET_PREPROCESSINGS:
        return dataclasses.replace(first, name=model, start="random", arguments={}, build=None)
    stored = next(feature for feature in features if feature.kind == "image")
    size = first.input_size or min(stored.shape[:2])
    return ModelChoice(
        model, preprocessing=first.preprocessing, input_size=max(32, size), channels=3
    )

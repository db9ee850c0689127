"""The start of a call: a spec, a file, weights, another model, or a head in one pass."""

import dataclasses
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np

from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from fed_pretrain.notebook import arguments
from fed_pretrain.notebook.argument_errors import ArgumentError, naming
from fed_pretrain.notebook.clients import Clients
from fed_pretrain.starts import closed_form, start_config, weight_names
from fed_pretrain.starts.origins import origin
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks import known_tasks
from groundwork import files
from groundwork.untyped import Json

if TYPE_CHECKING:
    import tensorflow as tf

Arrays: TypeAlias = Union["tf.keras.Model", Sequence[np.ndarray], Mapping[str, np.ndarray]]
OWN = "own"


@dataclasses.dataclass(frozen=True)
class Start:
    """Where a run begins, what of it is kept, and what trains; `settings` of StartConfig.

    rates: settings of the algorithm that suit this start.
    """

    weights: "str | os.PathLike[str] | Arrays"
    settings: tuple[tuple[str, Json], ...] = ()
    rates: tuple[tuple[str, Json], ...] = ()


Given: TypeAlias = str | os.PathLike[str] | Arrays | Start


def start(weights: "str | os.PathLike[str] | Arrays" = "random", **settings: Json) -> Start:
    """A start with settings: `start(my_weights, head="ridge", trainable="head")`.

    `weights`: as `starts` of `compare` takes them; "own" are those that the model has now. The
    settings are the fields of StartConfig: head, trainable, noise, blend, batch_norm,
    allow_partial, ... and those of AlgorithmConfig that this start has for itself, such as
    client_learning_rate.
    """
    kinds = (StartConfig, AlgorithmConfig)
    found = arguments.by_config(kinds, settings, arguments.by_own_name)
    with naming():
        StartConfig(**found[StartConfig])
    return Start(weights, *(tuple(sorted(found[kind].items())) for kind in kinds))


def rates(given: "Given") -> dict[str, Json]:
    """The settings of the algorithm that the start brings."""
    return dict(given.rates) if isinstance(given, Start) else {}


def resolved(
    given: Given, argument: str, model: object, name: str | None, clients: Clients, folder: Path
) -> StartConfig:
    """The config's start; weights that are objects are written into `folder`.

    `model` is what the caller gave, and `name` what the config calls it.
    """
    one = given if isinstance(given, Start) else Start(given)
    settings = dict(one.settings)
    weights = one.weights
    if isinstance(weights, str) and weights in closed_form.FORMS:
        settings.setdefault("head", weights)
        weights = OWN if hasattr(model, "get_weights") else "random"
    if isinstance(weights, str) and weights == OWN:
        if not hasattr(model, "get_weights"):
            raise ArgumentError(
                f"{argument}='own' are the weights of a Keras model, and model is none"
            )
        weights = model
    if isinstance(weights, os.PathLike) or (isinstance(weights, str) and os.path.exists(weights)):
        weights = f"checkpoint:{os.path.abspath(weights)}"
    with naming(start=argument):
        if isinstance(weights, str):
            origin.check(weights)
            return StartConfig(spec=weights, **settings)
        arrays = _named(weights, argument, name, clients)
        path = _written(arrays, folder, _file_name(argument))
        # Arrays say nothing of their classes; whoever gives them means those of the model.
        settings.setdefault("head", start_config.HEAD_KEEP)
        return StartConfig(spec=f"checkpoint:{path}", **settings)


def _named(
    weights: Arrays, argument: str, model: str | None, clients: Clients
) -> dict[str, np.ndarray]:
    """Each array under the name of its weight; refused where they are not the model's."""
    task = known_tasks.load(clients.task, clients.dataset, model)
    built = task.build_model()
    names = {id(one.variable): one.name for one in weight_names.named_weights(built)}
    if isinstance(weights, Mapping):
        return {str(name): np.asarray(array) for name, array in weights.items()}
    if hasattr(weights, "get_weights"):
        weights = weights.get_weights()
    if isinstance(weights, np.ndarray) or not isinstance(weights, Sequence):
        raise ArgumentError(
            f"{argument} is a {type(weights).__name__}; 'random', a file, a list of arrays (as"
            " model.get_weights() gives) or a Keras model is wanted"
        )
    if len(weights) != len(built.weights):
        raise ArgumentError(
            f"{argument} does not fit model: it has {len(weights)} arrays, and the model"
            f" {len(built.weights)} weights"
        )
    found = {}
    for variable, array in zip(built.weights, weights, strict=True):
        array, name = np.asarray(array), names[id(variable)]
        if array.shape != tuple(variable.shape):
            raise ArgumentError(
                f"{argument} does not fit model: {name!r} has the shape {list(variable.shape)}, the"
                f" array {list(array.shape)}"
            )
        found[name] = array
    return found


def _written(arrays: Mapping[str, np.ndarray], folder: Path, name: str) -> Path:
    """Named by content: a later cell's weights do not take the place of an earlier one's."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    digest = hashlib.sha256(content.getvalue()).hexdigest()[:8]
    path = folder / f"{name}-{digest}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        files.write_bytes(path, content.getvalue())
    return path


def _file_name(argument: str) -> str:
    """Of starts['mine']: mine."""
    name = argument.partition("'")[2] or argument
    return "".join(c if c.isalnum() else "_" for c in name).strip("_")

"""From `--start=...` to weights: exact, by name, and with a report of every tensor."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from fed_pretrain.models import adapters
from fed_pretrain.models.adapters import Correction
from fed_pretrain.models.preprocessing import INVERTED
from fed_pretrain.starts import (
    batch_norm,
    head,
    initial_values,
    labels,
    matching,
    personal_layers,
    quality,
    schemes,
    start_config,
    weight_names,
)
from fed_pretrain.starts.formats import run_checkpoint
from fed_pretrain.starts.mapping import known_layouts
from fed_pretrain.starts.mapping.translation import Translation
from fed_pretrain.starts.origins import origin, word_vectors
from fed_pretrain.starts.recipe import Recipe
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.starts.start_report import StartReport, TensorRow
from groundwork.errors import UserError
from groundwork.untyped import Json

if TYPE_CHECKING:
    from fed_pretrain.tasks.task import Task

Values = Mapping[str, np.ndarray]
Names = tuple[list[str], list[str]]
Tensors = tuple[list[np.ndarray], list[np.ndarray]]
"""Of what trains, and of the rest."""


@dataclasses.dataclass(frozen=True)
class Start:
    """Final structure, weights and report.

    weights: (trainable, non_trainable) in the order of the built model's variables.
    names: the canonical names in the same order.
    averaged: the non-trainable names whose local values a round must average (BatchNorm
        statistics under --bn_statistics=average); but for these and the kernels of `corrected`
        they stay bit-identical.
    """

    build_model: Recipe
    weights: Tensors
    names: Names
    report: StartReport
    preprocessing: str | None
    averaged: tuple[str, ...]
    digest: str

    @functools.cached_property
    def head_positions(self) -> tuple[int, ...]:
        """Where the head's weights are among those that train."""
        head = self.build_model.head_of(self.build_model())
        return tuple(i for i, name in enumerate(self.names[0]) if name.rsplit("/", 1)[0] == head)

    @functools.cached_property
    def corrected(self) -> tuple[Correction, ...]:
        """The adapters whose kernels move by what a mean of adapters leaves out (FedEx-LoRA)."""
        lora = self.build_model.lora
        if lora is None or not lora.corrects:
            return ()
        layers = adapters.layers(self.names[0])
        return tuple(
            Correction(
                self.names[0].index(f"{layer}/{adapters.A}"),
                self.names[0].index(f"{layer}/{adapters.B}"),
                self.names[1].index(f"{layer}/kernel"),
                lora.scale,
            )
            for layer in layers
        )

    @property
    def moving(self) -> frozenset[str]:
        """The names of what does not train and moves all the same."""
        return frozenset((*self.averaged, *(self.names[1][c.kernel] for c in self.corrected)))

    def bytes_of(self, names: Collection[str]) -> int:
        """Of these tensors among those that do not train."""
        pairs = zip(self.names[1], self.weights[1], strict=True)
        return sum(value.nbytes for name, value in pairs if name in names)

    @property
    def facts(self) -> dict[str, Json]:
        """What a start that reads the plain model's weights must know of them."""
        described = labels.describe(self.build_model.task, self.preprocessing)
        return {**described, "num_classes": self.build_model.num_classes}

    @property
    def checkpoint_facts(self) -> dict[str, Json]:
        """The same of a checkpoint, in which adapters are apart."""
        lora = self.build_model.lora
        return self.facts | ({} if lora is None else {run_checkpoint.LORA_SCALE: lora.scale})

    def personal_positions(self, spec: str) -> tuple[int, ...]:
        """Where the weights are that `--personal` names, among those that train."""
        return personal_layers.positions(spec, self.names[0], lambda: self.head_positions)

    def model(self) -> tf.keras.Model:
        """The built model, with the start's weights in it."""
        model = self.build_model()
        for variables, values in zip(
            (model.trainable_variables, model.non_trainable_variables), self.weights, strict=True
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return model

    def changed_frozen(self, non_trainable: Sequence[np.ndarray]) -> list[str]:
        """The names of frozen tensors whose bytes are not the start's any more."""
        moving = self.moving
        return [
            name
            for name, mine, now in zip(self.names[1], self.weights[1], non_trainable, strict=True)
            if name not in moving and mine.tobytes() != np.asarray(now).tobytes()
        ]


def resolve(config: StartConfig, task: "Task", seed: int) -> Start:
    """Reads, matches and assembles a start; anything unexpected is a UserError."""
    recipe, model, values, rows, facts = _resolve_weights(config, task, seed)
    if config.blend is not None:
        values = _blend(config, recipe, seed, values)
        facts["blend"] = config.blend
    if config.noise > 0:
        values = {n: quality.with_noise(n, v, config.noise, seed) for n, v in values.items()}
        facts["noise"] = config.noise
    names = weight_names.names(model)
    weights = ([values[name] for name in names[0]], [values[name] for name in names[1]])
    if config.adapters() is not None:
        facts["adapters"] = _of_adapters(config, names, weights)
    warnings = [batch_norm.warning(model, recipe.batch_norm), facts.pop("warning", None)]
    report = StartReport(tuple(rows), facts, tuple(text for text in warnings if text))
    averaged = _averaged(model, config, names[1])
    preprocessing = recipe.preprocessing or getattr(task, "preprocessing", None)
    identity = {**recipe.identity(), "preprocessing": preprocessing}
    digest = _digest(identity, names, weights)
    return Start(recipe, weights, names, report, preprocessing, averaged, digest)


class _Resolved(NamedTuple):
    """The recipe and a model of it, and the weights it starts with."""

    recipe: Recipe
    model: tf.keras.Model
    values: Values
    rows: list[TensorRow]
    facts: dict[str, Json]


def _resolve_weights(config: StartConfig, task: "Task", seed: int) -> _Resolved:
    policy = config.batch_norm_policy()
    recipe = Recipe(task, task.num_classes, None, policy, config.trainable, lora=config.adapters())
    draw = functools.partial(initial_values.draw, seed=seed)
    scheme = schemes.scheme_of(config.spec)
    if scheme is not None:
        model = recipe()
        draw = functools.partial(draw, scheme=scheme)
        values, rows = matching.drawn(weight_names.named_weights(model), draw)
        return _Resolved(recipe, model, values, rows, {"start": config.spec, "seed": seed})
    found = origin.read(config.spec, task)
    labels.check_vocabulary(task, found.metadata, found.file.path)
    recipe = dataclasses.replace(recipe, arguments=found.arguments)
    original = recipe.original()
    translation = _translate(found, task, weight_names.named_weights(original), draw)
    translation.head = translation.head or recipe.head_of(original)
    head_policy = _head_policy(config, task, found.metadata)
    recipe = dataclasses.replace(
        recipe,
        num_classes=_num_classes(head_policy, task, translation),
        preprocessing=_preprocessing(task, translation, found.metadata),
    )
    if policy.policy == start_config.FOLD and batch_norm.layers(original):
        translation.tensors = batch_norm.fold(translation.tensors, original)
    model = recipe()
    weights = weight_names.named_weights(model)
    low_rank = [w.name for w in weights if w.attribute in (adapters.A, adapters.B)]
    rules = _rules(config, recipe, original, head_policy, translation, low_rank)
    values, rows = matching.match(weights, translation, rules, draw)
    if not config.allow_partial and not found.partial:
        matching.refuse_surprises(rows, config.spec, task.model_name)
    facts = {
        **found.facts,
        "architecture": translation.architecture,
        "head": head_policy,
        "preprocessing": recipe.preprocessing,
        "warning": _preprocessing_warning(task, translation, found.metadata),
    }
    return _Resolved(recipe, model, values, rows, facts)


def _translate(
    found: origin.Origin, task: "Task", weights: list[weight_names.NamedWeight], draw: matching.Draw
) -> Translation:
    if found.file.format == word_vectors.FORMAT:
        embedding = word_vectors.embedding_of(weights, task, word_vectors.width(found.file))
        return word_vectors.translate(found.file, task, embedding, draw(embedding)[0])
    return known_layouts.translate(found.file, weights, task.model_name)


def _head_policy(config: StartConfig, task: "Task", metadata: Mapping[str, Json]) -> str:
    """`auto`: where the classes mean the same, the head is part of what was learned.

    A head in closed form takes the place of a new one later, when the clients are there.
    """
    if config.fits_head:
        return start_config.HEAD_NEW
    if config.head != start_config.HEAD_AUTO:
        return config.head
    if labels.is_language_model(task):
        return start_config.HEAD_KEEP
    return start_config.HEAD_KEEP if labels.same(task, metadata) else start_config.HEAD_NEW


def _num_classes(policy: str, task: "Task", translation: Translation) -> int:
    if policy != start_config.HEAD_KEEP:
        return int(task.num_classes)
    size = head.size(translation)
    if size is not None and size < task.num_classes:
        raise UserError(
            f"--start_head=keep: the file's head has {size} classes, the task has "
            f"{task.num_classes}; use --start_head=new"
        )
    return int(task.num_classes if size is None else size)


def _preprocessing(
    task: "Task", translation: Translation, metadata: Mapping[str, Json]
) -> str | None:
    """The user's choice, what the weights were trained with, or the model's own (None)."""
    if task.kind != "image":
        return None
    wanted = translation.preprocessing or metadata.get("preprocessing")
    return task.options.preprocessing or wanted


def _preprocessing_warning(
    task: "Task", translation: Translation, metadata: Mapping[str, Json]
) -> str | None:
    """Where the user chose another than the weights', or theirs alone swaps light and dark."""
    wanted = translation.preprocessing or metadata.get("preprocessing")
    chosen, own = task.options.preprocessing, task.choice.preprocessing
    if task.kind != "image" or wanted is None or chosen == wanted:
        return None
    if chosen is not None:
        return f"--preprocessing={chosen}, but these weights were trained with {wanted}"
    if wanted != INVERTED or own == INVERTED:
        return None
    return (
        f"light and dark are swapped, as these weights have it (preprocessing {wanted}; a random"
        f" start has {own}): give --preprocessing for all starts alike"
    )


def _rules(
    config: StartConfig,
    recipe: Recipe,
    original: tf.keras.Model,
    head_policy: str,
    translation: Translation,
    low_rank: Sequence[str],
) -> matching.Rules:
    """`low_rank` are the names of the adapters' weights."""
    norms = batch_norm.normalised_layers(original)
    grouped = config.batch_norm == start_config.GROUP_NORM
    fresh = norms if grouped and config.group_norm_affine == start_config.FRESH else []
    affine = [f"{norm}/{part}" for norm in fresh for part in ("gamma", "beta")]
    indices = None
    if head_policy == start_config.HEAD_SLICE:
        names = recipe.task.label_names
        indices = head.class_indices(names, translation, config.head_classes)
    why = "GroupNorm in BatchNorm's place"
    dropped = {f"{norm}/{part}": why for norm in norms for part in batch_norm.MOVING if grouped}
    dropped |= dict.fromkeys(affine, why)
    return matching.Rules(
        head=recipe.head_of(original),
        head_policy=head_policy,
        indices=indices,
        fresh=dict.fromkeys(affine, "fresh GroupNorm") | dict.fromkeys(low_rank, "adapter"),
        dropped={**translation.optional, **dropped},
    )


def _blend(config: StartConfig, recipe: Recipe, seed: int, values: Values) -> Values:
    spec, share = quality.parse_blend(str(config.blend))
    if spec == "random":
        draw = functools.partial(initial_values.draw, seed=seed)
        others: Values = matching.drawn(weight_names.named_weights(recipe()), draw)[0]
    else:
        other = dataclasses.replace(config, spec=spec, blend=None, noise=0.0)
        others = _resolve_weights(other, recipe.task, seed).values
    quality.check_shapes(values, others)
    return {name: quality.blended(value, others[name], share) for name, value in values.items()}


def _of_adapters(config: StartConfig, names: Names, weights: Tensors) -> str:
    """In words, with the bytes that they save."""
    plain = sum(
        value.nbytes
        for kind, values in zip(names, weights, strict=True)
        for name, value in zip(kind, values, strict=True)
        if name.rpartition("/")[2] not in (adapters.A, adapters.B)
    )
    sent = sum(value.nbytes for value in weights[0])
    return (
        f"rank {config.lora_rank} in {len(adapters.layers(names[0]))} layers, averaged as"
        f" {config.lora_average}; what trains is {sent / 1e3:,.1f} KB, {plain / sent:,.1f} times"
        " less than all of the model"
    )


def _averaged(
    model: tf.keras.Model, config: StartConfig, non_trainable: Sequence[str]
) -> tuple[str, ...]:
    if (config.batch_norm, config.bn_statistics) != (start_config.KEEP, start_config.AVERAGE):
        return ()
    training = {n for n in batch_norm.layers(model) if model.get_layer(n).trainable}
    moving = {f"{name}/{part}" for name in training for part in batch_norm.MOVING}
    return tuple(name for name in non_trainable if name in moving)


def _digest(
    identity: Mapping[str, Json],
    names: Names,
    weights: Tensors,
) -> str:
    """sha256 over the structure and the final weights: equal digests start equal runs."""
    state = hashlib.sha256(json.dumps([identity, *names], sort_keys=True).encode())
    for value in (*weights[0], *weights[1]):
        state.update(f"{value.dtype.str}{value.shape}".encode())
        state.update(np.ascontiguousarray(value).tobytes())
    return state.hexdigest()

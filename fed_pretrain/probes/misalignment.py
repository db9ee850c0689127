"""Misaligned filters of deep networks: a surrogate of ours for the paper's measure.

"Initialization Matters" defines misaligned filters on a two-layer CNN (the sign of <w, j mu>); its
empirical measure for deep networks is not public to us. Ours: on a fixed probe set, a filter r of
layer l has for class c the mean a(l, r, c) of its pre-activation over the class' examples and
positions. In round t it is misaligned for c when sign a^t differs from sign a^T, T the last round;
so the fraction is 0 at the end by construction. Three definitions:

    live    a of the value that enters the ReLU, inputs as the model of round t makes them
    fixed   the same filter on the layer inputs of the last round's model: only the filter moves
    patch   <w, mean patch of the class> on live inputs: the filter without bias and norm

The share at round 0 grows with the length of the way that training takes, whatever its direction.
So beside it is the share (live) that a step as long in a random direction would leave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.clients.local_work import TRAIN_SPLIT
from fed_pretrain.models.weights import ModelArrays, Weights
from fed_pretrain.probes.probe import Content, Probe
from fed_pretrain.probes.subject import Snapshots, Subject
from groundwork import randomness
from groundwork.errors import UserError
from groundwork.untyped import Json

if TYPE_CHECKING:
    import tensorflow as tf
    from matplotlib.figure import Figure

    from fed_pretrain.tasks.client_sums import BuildModel

PROBE_EXAMPLES = 256
DEFINITIONS = ("live", "fixed", "patch")
HELD_BYTES = 1 << 30
"""Layer inputs no larger than this are computed once for all rounds; ResNet18 on CIFAR-10 fits."""
_BATCH = 64
_DRAWS = 5
# Means (filters, classes) of one layer, by layer name.
Means = dict[str, "np.ndarray"]


class Misalignment(Probe):
    """Of every probed round of a run, when it has ended; or of every round it has kept."""

    name = "misalignment"
    help = "share of misaligned filters by layer and round (our surrogate of the definition)"
    in_rounds = True
    of_snapshots = True
    needs = ("run",)
    asks_for = "compares rounds of a run: give --run=DIR"

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        if subject.task.kind == "text":
            raise UserError("--probes=misalignment needs an image model with convolution filters")
        build_model = subject.build_model
        self._filters = subject.cached("filters", lambda: Filters(build_model))

    def at_end(self, snapshots: Snapshots) -> Content:
        x, y = self._probe_set()
        class_means = ClassMeans(self._filters, x, y)
        *earlier, (_, read_final) = snapshots
        final_weights = read_final()
        inputs = class_means.inputs_at(final_weights)
        final = class_means(final_weights, inputs)
        found = [*(class_means(read(), inputs) for _, read in earlier), final]
        content: Content = {
            name: {"total": [], "layers": {layer: [] for layer in final[name]}}
            for name in DEFINITIONS
        }
        for now in found:
            for name in DEFINITIONS:
                total, layers = fractions(now[name], final[name])
                content[name]["total"].append(total)
                for layer, share in layers.items():
                    content[name]["layers"][layer].append(share)
        return {
            "rounds": [round_number for round_number, _ in snapshots],
            "total": content["live"]["total"],
            "random_step": self._after_random_steps(
                class_means, snapshots, final_weights, found[0]["live"]
            ),
            "definitions": content,
            "read_at": class_means.read_at,
            "classes": class_means.classes,
            "probe_examples": len(y),
            "seed": self.subject.seed,
            "unit": "share of (filter, class) pairs; a surrogate, not the paper's own measure",
        }

    def _after_random_steps(
        self, class_means: ClassMeans, snapshots: Snapshots, final: Weights, before: Means
    ) -> float | None:
        """The mean over some draws; None for a run whose start was not kept.

        `before`: the means of the first of the snapshots.
        """
        first_round, read = snapshots[0]
        if first_round != 0:
            return None
        start = read()
        steps = (random_step(start, final, self.subject.seed, draw) for draw in range(_DRAWS))
        return float(np.mean([fractions(before, class_means(one)["live"])[0] for one in steps]))

    def _probe_set(self) -> tuple[np.ndarray, np.ndarray]:
        """Training examples in proportion to client size, fixed by the seed."""
        from fed_pretrain.curvature import sample

        reader = self.subject.task.reader(TRAIN_SPLIT)
        index = self.subject.task.dataset.index(TRAIN_SPLIT)
        drawn = sample.draw(index, PROBE_EXAMPLES, self.subject.seed)
        payloads = [one.read() for one in sample.inputs(reader, drawn, 1)]
        x = np.concatenate([payload["x"] for payload in payloads])
        y = np.concatenate([payload["y"] for payload in payloads])
        return x, y

    @staticmethod
    def draw(content: Mapping[str, Json]) -> Figure:
        from fed_pretrain.probes import drawing

        title = "misaligned filters (surrogate)"
        made, plot = drawing.axes(title, "round", "share of (filter, class)")
        definitions = content["definitions"]
        for colour, name in zip(drawing.COLOURS, definitions, strict=False):
            totals = definitions[name]["total"]
            plot.plot(content["rounds"], totals, marker=".", color=colour, label=name)
        plot.legend()
        return made


def random_step(start: Weights, final: Weights, seed: int, draw: int) -> ModelArrays:
    """From the start as far as training went, tensor by tensor, in a random direction."""
    generator = randomness.generator(seed, "misalignment step", draw)
    moved = []
    for before, after in zip(start.trainable, final.trainable, strict=True):
        direction = generator.standard_normal(np.shape(before))
        length = np.linalg.norm(np.asarray(after) - before)
        step = length / np.linalg.norm(direction) * direction
        moved.append((before + step).astype(np.asarray(before).dtype))
    return ModelArrays(moved, list(start.non_trainable))


def misaligned(now: Means, final: Means) -> dict[str, np.ndarray]:
    """Per layer, which (filter, class) pairs have another sign than at the end."""
    return {name: (now[name] >= 0) != (final[name] >= 0) for name in final}


def fractions(now: Means, final: Means) -> tuple[float, dict[str, float]]:
    """The share over all (filter, class) pairs, and by layer."""
    pairs = misaligned(now, final)
    count = sum(int(p.sum()) for p in pairs.values())
    total = sum(p.size for p in pairs.values())
    return count / total, {name: float(p.mean()) for name, p in pairs.items()}


class Filters:
    """The convolutions of a model, compiled once for all weights and runs."""

    def __init__(self, build_model: BuildModel) -> None:
        import tensorflow as tf

        from fed_pretrain.models.tracing import Traced

        self.model = build_model()
        self.layers = filter_layers(self.model)
        self._inputs = tf.keras.Model(
            self.model.inputs, [layer.convolution.input for layer in self.layers]
        )
        # Traced at once: see fed_pretrain.tasks.evaluation.Forward.
        entering = [layer.convolution.input for layer in self.layers]
        specs = [tf.TensorSpec(one.shape, one.dtype) for one in (self.model.inputs[0], *entering)]
        self._inputs_of = Traced(self._run).get_concrete_function(specs[0])
        self._means_of = Traced(self._means).get_concrete_function(*specs[1:])

    def inputs_of(self, weights: Weights, x: np.ndarray) -> list[tf.Tensor]:
        """What enters each convolution of the model with these weights, which it is left with."""
        import tensorflow as tf

        from fed_pretrain.tasks.evaluation import assign

        assign(self.model, weights)
        found: list[tf.Tensor] = list(self._inputs_of(tf.constant(x)))
        return found

    def means(self, inputs: Sequence[tf.Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
        """By layer: the means over places of what enters the ReLU, and of the filters alone."""
        flat = [one.numpy() for one in self._means_of(*inputs)]
        return list(zip(flat[::2], flat[1::2], strict=True))

    def _run(self, x: tf.Tensor) -> list[tf.Tensor]:
        outputs = self._inputs(x, training=False)
        return outputs if isinstance(outputs, list) else [outputs]

    def _means(self, *inputs: tf.Tensor) -> list[tf.Tensor]:
        import tensorflow as tf

        found = []
        for layer, x in zip(self.layers, inputs, strict=True):
            response = layer.patch_response(x)
            for part in (layer.entering(response), response):
                found.append(tf.reduce_mean(tf.cast(part, tf.float64), axis=[1, 2]))
        return found


class ClassMeans:
    """What each filter answers to the examples of each class, for any weights.

    Sums over the examples replace the means: only their signs matter.
    """

    def __init__(self, filters: Filters, x: np.ndarray, y: np.ndarray) -> None:
        self._filters = filters
        self._layers = filters.layers
        self._x = x
        self._y = np.asarray(y)
        self.classes = [int(c) for c in np.unique(self._y)]
        self.read_at = {
            layer.name: "norm output" if layer.norm is not None else "convolution with bias"
            for layer in self._layers
        }

    def inputs_at(self, weights: Weights) -> HeldInputs:
        """The layer inputs of the model with these weights, for the `fixed` means."""
        return HeldInputs(lambda rows: self._layer_inputs(weights, rows))

    def __call__(self, weights: Weights, held: HeldInputs | None = None) -> dict[str, Means]:
        """`live` and `patch` means, and `fixed` ones on the inputs held."""
        sums: dict[str, Means] = {name: {} for name in DEFINITIONS}
        for first in range(0, len(self._x), _BATCH):
            rows = slice(first, first + _BATCH)
            fixed = held.at(rows) if held is not None else []
            live = self._layer_inputs(weights, rows)
            found = self._filters.means(live)
            for layer, (entering, alone) in zip(self._layers, found, strict=True):
                self._add(sums["live"], layer, entering, rows)
                self._add(sums["patch"], layer, alone, rows)
            for layer, (entering, _) in zip(self._layers, self._held(fixed), strict=False):
                self._add(sums["fixed"], layer, entering, rows)
        return {name: means for name, means in sums.items() if means}

    def _layer_inputs(self, weights: Weights, rows: slice) -> list[tf.Tensor]:
        """Leaves the model with these weights."""
        return self._filters.inputs_of(weights, self._x[rows])

    def _held(self, inputs: Sequence[tf.Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
        return self._filters.means(inputs) if inputs else []

    def _add(self, sums: Means, layer: FilterLayer, means: np.ndarray, rows: slice) -> None:
        """Adds per class; dividing by the class' size would not change a sign."""
        labels = self._y[rows]
        added = np.stack([means[labels == c].sum(axis=0) for c in self.classes], axis=1)
        sums[layer.name] = sums.get(layer.name, 0.0) + added


class HeldInputs:
    """The layer inputs of one model, batch by batch: computed once, while they fit `HELD_BYTES`."""

    def __init__(self, compute: Callable[[slice], list[tf.Tensor]]) -> None:
        self._compute = compute
        self._held: dict[int, list[tf.Tensor]] = {}
        self._bytes = 0

    def at(self, rows: slice) -> list[tf.Tensor]:
        if rows.start in self._held:
            return self._held[rows.start]
        inputs = self._compute(rows)
        size = sum(one.shape.num_elements() * one.dtype.size for one in inputs)
        if self._bytes + size <= HELD_BYTES:
            self._held[rows.start] = inputs
            self._bytes += size
        return inputs


@dataclass(frozen=True)
class FilterLayer:
    """A convolution and the layer whose output enters the ReLU: itself or the norm behind it."""

    convolution: tf.keras.layers.Layer
    norm: tf.keras.layers.Layer | None

    @property
    def name(self) -> str:
        return str(self.convolution.name)

    def patch_response(self, x: tf.Tensor) -> tf.Tensor:
        """The filter on its input, without bias."""
        import tensorflow as tf

        layer = self.convolution
        if isinstance(layer, tf.keras.layers.DepthwiseConv2D):
            strides = (1, *layer.strides, 1)
            padding = layer.padding.upper()
            return tf.nn.depthwise_conv2d(x, layer.depthwise_kernel, strides, padding)
        return layer.convolution_op(x, layer.kernel)

    def entering(self, response: tf.Tensor) -> tf.Tensor:
        """What enters the ReLU, of what `patch_response` gives."""
        if self.convolution.use_bias:
            response += self.convolution.bias
        return response if self.norm is None else self.norm(response)


def filter_layers(model: tf.keras.Model) -> list[FilterLayer]:
    """Every convolution of a functional model, in the model's order."""
    import tensorflow as tf

    found = []
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Conv2D | tf.keras.layers.DepthwiseConv2D):
            found.append(FilterLayer(layer, _norm_behind(layer)))
    if not found:
        raise UserError("--probes=misalignment: this model has no convolution filters")
    return found


def _norm_behind(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer | None:
    import tensorflow as tf

    if tf.keras.activations.serialize(layer.activation) != "linear":
        return None
    behind = [node.outbound_layer for node in layer.outbound_nodes]
    norms = (tf.keras.layers.GroupNormalization, tf.keras.layers.BatchNormalization)
    return behind[0] if len(behind) == 1 and isinstance(behind[0], norms) else None

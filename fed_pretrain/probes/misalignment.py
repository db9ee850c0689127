"""Misaligned filters of deep networks: a surrogate of ours for the paper's measure.

"Initialization Matters" defines misaligned filters on a two-layer CNN (the sign of <w, j mu>); its
empirical measure for deep networks is not public to us. Ours: on a fixed probe set, a filter r of
layer l has for class c the mean a(l, r, c) of its pre-activation over the class' examples and
positions. In round t it is misaligned for c when sign a^t differs from sign a^T, T the last round;
so the fraction is 0 at the end by construction. Three definitions:

    live    a of the value that enters the ReLU, inputs as the model of round t makes them
    fixed   the same filter on the layer inputs of the last round's model: only the filter moves
    patch   <w, mean patch of the class> on live inputs: the filter without bias and norm
"""

from typing import Any

import numpy as np

from fed_pretrain.curvature import sample
from fed_pretrain.probes.class_means import DEFINITIONS, ClassMeans, Means
from fed_pretrain.probes.probe import Probe, ProbeContext, Snapshots
from groundwork.errors import UserError

PROBE_EXAMPLES = 256


def misaligned(now: Means, final: Means) -> dict[str, np.ndarray]:
    """Per layer, which (filter, class) pairs have another sign than at the end."""
    return {name: (now[name] >= 0) != (final[name] >= 0) for name in final}


def fractions(now: Means, final: Means) -> tuple[float, dict[str, float]]:
    """The share over all (filter, class) pairs, and by layer."""
    pairs = misaligned(now, final)
    count = sum(int(p.sum()) for p in pairs.values())
    total = sum(p.size for p in pairs.values())
    return count / total, {name: float(p.mean()) for name, p in pairs.items()}


class Misalignment(Probe):
    """`probes/misalignment.json` when the run has ended."""

    name = "misalignment"
    file = "misalignment"

    def __init__(self, context: ProbeContext) -> None:
        if context.task.kind == "text":
            raise UserError("--probes=misalignment needs an image model with convolution filters")
        self._context = context

    def at_end(self, snapshots: Snapshots) -> dict[str, Any]:
        x, y = self._probe_set()
        class_means = ClassMeans(self._context.build_model, x, y)
        final_weights = snapshots[-1][1]()
        inputs = class_means.inputs_at(final_weights)
        final = class_means(final_weights, inputs)
        content: dict[str, Any] = {
            name: {"total": [], "layers": {layer: [] for layer in final[name]}}
            for name in DEFINITIONS
        }
        for _, read in snapshots:
            now = class_means(read(), inputs)
            for name in DEFINITIONS:
                total, layers = fractions(now[name], final[name])
                content[name]["total"].append(total)
                for layer, share in layers.items():
                    content[name]["layers"][layer].append(share)
        return {
            "rounds": [round_number for round_number, _ in snapshots],
            "total": content["live"]["total"],
            "definitions": content,
            "read_at": class_means.read_at,
            "classes": class_means.classes,
            "probe_examples": len(y),
            "seed": self._context.seed,
            "unit": "share of (filter, class) pairs; a surrogate, not the paper's own measure",
        }

    def _probe_set(self) -> tuple[np.ndarray, np.ndarray]:
        """Training examples in proportion to client size, fixed by the seed."""
        reader = self._context.task.reader("train")
        index = self._context.task.dataset.index("train")
        drawn = sample.draw(index, PROBE_EXAMPLES, self._context.seed)
        payloads = [one.read() for one in sample.inputs(reader, drawn, 1)]
        x = np.concatenate([payload["x"] for payload in payloads])
        y = np.concatenate([payload["y"] for payload in payloads])
        return x, y

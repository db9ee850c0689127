"""Fractals as labelled images: a class is a system of maps, its images are variations of it.

Weights that were pre-trained on them have seen nobody's data (Kataoka et al. 2020; for federated
learning, Chen et al. 2023).
"""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from data_prep.sources.items import Item, Record
from data_prep.sources.source import Source, SourceOption, SourceReader
from data_prep.sources.synthetic import fractal_systems
from data_prep.sources.work_units import WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork import randomness
from groundwork.errors import UserError

_POINTS_A_PIXEL = 4
_UNIT_CLASSES = 10
_COLOURS = {"grey": 1, "RGB": 3}


@dataclasses.dataclass(frozen=True)
class Fractals:
    classes: int
    per_class: int
    size: int
    mode: str
    seed: int

    def units(self) -> Iterator[WorkUnit]:
        for start in range(0, self.classes, _UNIT_CLASSES):
            stop = min(start + _UNIT_CLASSES, self.classes)
            name, examples = f"systems {start} to {stop - 1}", (stop - start) * self.per_class
            size = examples * self.size**2
            yield WorkUnit(name, "", start, stop, size=size, examples=examples)

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        for label in range(unit.start, unit.stop or 0):
            system = fractal_systems.draw(randomness.generator(self.seed, "system", label))
            for number in range(self.per_class):
                rng = randomness.generator(self.seed, "variation", label, number)
                image = self._image(fractal_systems.varied(system, rng), rng)
                features = {"image": image.tobytes(), "label": label}
                yield Record(None, None, features, order=label * self.per_class + number)

    def _image(self, system: fractal_systems.System, rng: np.random.Generator) -> np.ndarray:
        found = fractal_systems.points(system, rng, _POINTS_A_PIXEL * self.size**2)
        grey = fractal_systems.render(found, self.size, margin=rng.uniform(0.0, 0.3))
        grey = np.rot90(grey, int(rng.integers(4)))
        if self.mode == "grey":
            return np.ascontiguousarray(grey)
        colour, ground = rng.uniform(0.3, 1.0, 3), rng.uniform(0.0, 0.3, 3)
        shares = grey[..., None] / 255.0
        return np.round(255 * (shares * colour + (1 - shares) * ground)).astype(np.uint8)


def open_fractals(pattern: str, options: Mapping[str, str]) -> SourceReader:
    numbers = {}
    for name, least, most in (("classes", 2, 100_000), ("per_class", 1, 100_000), ("size", 8, 512)):
        text = options[name]
        if not text.isdigit() or not least <= int(text) <= most:
            raise UserError(f"--source_options={name}={text}: from {least:,} to {most:,}")
        numbers[name] = int(text)
    if not options["seed"].isdigit():
        raise UserError(f"--source_options=seed={options['seed']}: a whole number, at least 0")
    made = Fractals(**numbers, mode=options["mode"], seed=int(options["seed"]))
    shape = (made.size, made.size, _COLOURS[made.mode])
    return SourceReader(
        (FeatureSpec("image", "image", shape), FeatureSpec("label", "int64")),
        tuple(made.units()),
        made.read,
        tuple(f"system {number}" for number in range(made.classes)),
        {"background": 0},
        natural=False,
    )


SOURCE = Source(
    name="fractals",
    summary="computed: images of random fractals, a system of maps a class; nobody's data",
    open=open_fractals,
    needs_input=False,
    options=(
        SourceOption("classes", "how many systems", default="100"),
        SourceOption("per_class", "images of each", default="50"),
        SourceOption("size", "their height and width", default="28"),
        SourceOption("mode", "colour or grey", default="grey", choices=tuple(_COLOURS)),
        SourceOption("seed", "which systems they are", default="0"),
    ),
)

"""Fractals are drawn as their papers say, and are the same wherever they are computed."""

import numpy as np
import pytest

from data_prep.sources.source import SourceReader, resolve_options
from data_prep.sources.synthetic import fractal_systems, fractals
from data_prep.sources.synthetic.fractal_systems import System
from groundwork.errors import UserError

SIERPINSKI = System(np.stack([0.5 * np.eye(2)] * 3), np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]))


def test_points_of_a_known_system_are_in_its_set() -> None:
    found = fractal_systems.points(SIERPINSKI, np.random.default_rng(0), 5000)
    assert len(found) == 5000
    x, y = (np.floor(found * 64).astype(int)).T
    # Of the right-angled triangle of Sierpinski: no binary digit is 1 in both coordinates.
    assert not np.any(x & y)
    # It has 3**3 cells of size 1/8, and the points are spread evenly over them.
    _, counts = np.unique(x // 8 * 8 + y // 8, return_counts=True)
    assert len(counts) == 27
    assert counts.min() > 5000 / 27 * 0.7


@pytest.mark.parametrize("seed", range(20))
def test_singular_values_are_those_of_a_set_with_structure(seed) -> None:
    system = fractal_systems.draw(np.random.default_rng(seed))
    values = np.linalg.svd(system.matrices, compute_uv=False)
    n = len(values)
    assert 2 <= n <= fractal_systems.MOST_MAPS
    assert values.max() < 1
    assert (5 + n) / 2 <= (values @ [1, 2]).sum() <= (6 + n) / 2
    assert np.abs(system.shifts).max() <= 1
    assert system.chances.sum() == pytest.approx(1)


def _opened(**options: str) -> SourceReader:
    return fractals.open_fractals("", resolve_options(fractals.SOURCE, options))


def test_an_image_depends_on_its_class_and_number_alone() -> None:
    reader = _opened(classes="23", per_class="2", size="16", seed="3")
    units = reader.units
    assert [unit.examples for unit in units] == [20, 20, 6]
    last = [record.features for record in reader.read(units[2])]
    assert last == [record.features for record in reader.read(units[2])]
    assert [features["label"] for features in last] == [20, 20, 21, 21, 22, 22]
    images = {features["image"] for unit in units for _, _, features, *_ in reader.read(unit)}
    assert len(images) == 46
    other = _opened(classes="23", per_class="2", size="16", seed="4")
    assert next(iter(other.read(units[2]))).features != last[0]


def test_colours_and_sizes_are_options_and_mistakes_are_named() -> None:
    reader = _opened(classes="2", size="12", mode="RGB")
    record = next(iter(reader.read(reader.units[0])))
    assert len(record.features["image"]) == 12 * 12 * 3
    for wrong in ({"classes": "1"}, {"size": "4"}, {"per_class": "x"}, {"seed": "-1"}):
        (name,) = wrong
        with pytest.raises(UserError, match=f"--source_options={name}="):
            _opened(**wrong)

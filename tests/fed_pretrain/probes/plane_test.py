import numpy as np
import pytest

from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes import plane
from groundwork.errors import UserError


def model(*values):
    """Five weights in two tensors."""
    flat = np.array(values, np.float32)
    return ModelArrays([flat[:3].reshape(3, 1), flat[3:]], [])


def flat(weights):
    return np.concatenate([np.ravel(part) for part in weights.trainable]).astype(np.float64)


FIRST, SECOND, THIRD = model(1, 0, 2, 0, 1), model(4, 0, 2, 4, 1), model(1, 3, 2, 1, 0.5)
CENTRE = np.array([0.5, 1.0, -1.0, 2.0, 0.0])


def bowl(weights):
    """A loss with a closed form: the squared distance from a point off the plane."""
    return {"loss": float(np.sum((flat(weights) - CENTRE) ** 2)), "accuracy": 0.25}


def test_distances_on_the_plane_are_those_of_the_weights():
    found = plane.through(FIRST, SECOND, THIRD)
    assert found.corners[1] == (pytest.approx(5.0), 0.0)
    points = [*found.corners, (-2.0, 0.5), (3.0, -4.0)]
    for one in points:
        for other in points:
            apart = np.linalg.norm(flat(found.at(*one)) - flat(found.at(*other)))
            assert apart == pytest.approx(np.hypot(one[0] - other[0], one[1] - other[1]), abs=1e-5)


def test_the_corners_are_the_models():
    found = plane.through(FIRST, SECOND, THIRD)
    for corner, weights in zip(found.corners, (FIRST, SECOND, THIRD), strict=True):
        np.testing.assert_allclose(flat(found.at(*corner)), flat(weights), atol=1e-6)


def test_a_bowl_is_a_bowl_on_the_plane_about_the_projection_of_its_centre():
    corners = plane.through(FIRST, SECOND, THIRD)
    content = plane.on_grid(corners, {"train": bowl}, grid=5)
    basis, _ = np.linalg.qr(np.stack([flat(m) - flat(FIRST) for m in (SECOND, THIRD)], axis=1))
    basis *= np.sign(basis.T @ (flat(THIRD) - flat(FIRST)))
    basis[:, 0] *= np.sign(basis[:, 0] @ (flat(SECOND) - flat(FIRST)))
    centre = basis.T @ (CENTRE - flat(FIRST))
    off = np.sum((CENTRE - flat(FIRST)) ** 2) - centre @ centre
    x, y = np.meshgrid(content["x"], content["y"])
    expected = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + off
    np.testing.assert_allclose(content["splits"]["train"]["loss"], expected, rtol=1e-5)
    at_models = [row["loss"] for row in content["at_models"]["train"]]
    np.testing.assert_allclose(at_models, [bowl(m)["loss"] for m in (FIRST, SECOND, THIRD)])


def test_the_grid_holds_all_three_models_with_room_around_them():
    corners = plane.through(FIRST, SECOND, THIRD)
    x, y = corners.axes(4)
    assert len(x) == len(y) == 4
    assert x[-1] - x[0] == pytest.approx(y[-1] - y[0])
    for corner in corners.corners:
        assert x[0] < corner[0] < x[-1]
        assert y[0] < corner[1] < y[-1]


def test_models_on_one_line_or_equal_models_span_no_plane():
    middle = model(2.5, 0, 2, 2, 1)
    with pytest.raises(UserError, match="on one line"):
        plane.through(FIRST, SECOND, middle)
    for three in ((FIRST, FIRST, THIRD), (FIRST, SECOND, FIRST), (FIRST, SECOND, SECOND)):
        with pytest.raises(UserError, match=r"are the same|on one line"):
            plane.through(*three)

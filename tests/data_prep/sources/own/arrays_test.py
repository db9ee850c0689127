"""Arrays in an .npz file become records, or one sentence says why not."""

import numpy as np
import pytest

from groundwork.errors import UserError

ROWS = {
    "x": np.arange(12, dtype=np.float64).reshape(6, 2),
    "y": np.array([0, 1, 2, 0, 1, 2]),
    "client": np.array(["a", "a", "b", "b", "b", "a"]),
}


def _kinds(outcome):
    return {spec.name: (spec.kind, spec.shape) for spec in outcome.reader.features}


def test_rows_keep_their_client_their_order_and_their_split(tmp_path, read_source):
    path = tmp_path / "rows.npz"
    np.savez(path, **ROWS, split=np.array(["train", "test"] * 3))
    outcome = read_source("arrays", path)
    assert _kinds(outcome) == {"x": ("float32", (2,)), "label": ("int64", ())}
    assert outcome.reader.label_names == ("0", "1", "2")
    assert [(r.client_id, r.order, r.split) for r in outcome.records][:3] == [
        ("a", 0, "train"),
        ("a", 1, "test"),
        ("b", 2, "train"),
    ]
    np.testing.assert_array_equal([r.features["x"] for r in outcome.records], ROWS["x"])


def test_bytes_of_two_axes_are_grey_images_and_numbers_keep_their_mean(tmp_path, read_source):
    path = tmp_path / "rows.npz"
    y = np.linspace(0, 1, 6, dtype=np.float32)
    np.savez(path, x=np.zeros((6, 4, 5), np.uint8), y=y, client=ROWS["client"])
    outcome = read_source("arrays", path)
    assert _kinds(outcome) == {"image": ("image", (4, 5, 1)), "y": ("float32", ())}
    assert outcome.reader.extra == {"x_shape": [4, 5], "y_mean": [pytest.approx(0.5)]}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"y": np.zeros(5, int)}, "different numbers of rows: x has 6, y has 5"),
        ({"x": np.full((6, 2), np.nan)}, "x is NaN or infinite in row 0 .of client a"),
        ({"y": np.array([0, 1, -2, 0, 0, 0])}, "the label in row 2 is -2"),
        ({"x": np.array(["a"] * 6)}, "x is of <U1; numbers are wanted"),
        ({"split": np.array(["dev"] * 6)}, "split is 'dev'"),
        ({"label_names": np.array(["one"])}, "a label is 2, and label_names has 1"),
    ],
)
def test_arrays_that_are_no_dataset_are_refused(tmp_path, read_source, changed, sentence):
    path = tmp_path / "rows.npz"
    np.savez(path, **{**ROWS, **changed})
    with pytest.raises(UserError, match=sentence):
        read_source("arrays", path)


def test_a_file_that_holds_objects_is_not_read(tmp_path, read_source):
    path = tmp_path / "rows.npz"
    np.savez(path, **{**ROWS, "x": np.array([{}] * 6, dtype=object)})
    with pytest.raises(UserError, match=r"is not an \.npz file of plain arrays"):
        read_source("arrays", path)

"""Whatever holds the data, the clients are the same; what is wrong with it is one sentence."""

import numpy as np
import pytest
import tensorflow as tf

import fed_pretrain as fp
from fed_pretrain.notebook import clients as module
from tests.fed_pretrain.notebook.conftest import DATA

X, Y = DATA["client_0"]


class ClientData:
    """The part of TFF's that is used."""

    client_ids = tuple(DATA)

    def create_tf_dataset_for_client(self, client):
        x, y = DATA[client]
        return tf.data.Dataset.from_tensor_slices({"pixels": x, "label": y})


class Frame:
    """The part of a pandas DataFrame that is used; the notebooks run with pandas itself."""

    def __init__(self, columns):
        self._columns = columns
        self.columns = list(columns)
        self.iloc = ()

    def __getitem__(self, name):
        if isinstance(name, str):
            return Column(self._columns[name])
        return Column(np.stack([self._columns[one] for one in name], axis=1))


class Column:
    def __init__(self, values):
        self._values = values
        self.dtype = values.dtype
        self.iloc = values

    def astype(self, kind):
        return Column(self._values.astype(kind))

    def to_numpy(self):
        return self._values


def test_rows_are_the_same_from_arrays_datasets_client_data_and_tables():
    arrays = module._rows(DATA, "clients", None, None, None)
    batched = {
        name: tf.data.Dataset.from_tensor_slices(pair).batch(7) for name, pair in DATA.items()
    }
    columns = {f"x{n}": arrays.x[:, n] for n in range(5)}
    table = Frame({"user": arrays.clients, **columns, "label": arrays.y})
    for source, client in ((batched, None), (ClientData(), None), (table, "user")):
        rows = module._rows(source, "clients", client, None, None)
        np.testing.assert_array_equal(rows.x, arrays.x)
        np.testing.assert_array_equal(rows.y, arrays.y)
        np.testing.assert_array_equal(rows.clients, arrays.clients)


def test_a_share_is_held_out_and_the_classes_are_counted(six):
    assert sum(six.examples("train").values()) + sum(six.examples("test").values()) == 180
    assert six.label_names == ("0", "1", "2")
    held = {name: len(y) for name, (_, y) in six.arrays("test").items()}
    assert held == six.examples("test")
    x, y = six.arrays("train")["client_0"]
    rows = {tuple(row): label for row, label in zip(X, Y, strict=True)}
    assert [rows[tuple(row)] for row in x] == list(y)
    assert repr(six).startswith("6 clients with ")
    assert repr(six).endswith("; task classification")


def test_a_prepared_dataset_and_an_embedded_one_by_name_are_clients(six, tmp_path):
    again = fp.clients(six.save(tmp_path / "kept").dataset.path)
    assert again.dataset.fingerprint == six.dataset.fingerprint
    assert again.task == "classification"
    assert fp.clients("digits").task == "digits"


def test_the_temporary_dataset_goes_with_the_object():
    made = fp.clients(DATA, test={"client_0": (X[:3], Y[:3])}, classes=4)
    folder = made.dataset.path
    assert made.examples("test") == {"client_0": 3}
    assert len(made.label_names) == 4
    assert folder.exists()
    del made
    assert not folder.exists()


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (Y.astype(np.float32), "regression"),
        (np.eye(3, dtype=int)[Y], "classification"),
        (1 - np.eye(3, dtype=int)[Y], "multilabel"),
        (Y > 0, "classification"),
        (Y.astype(str), "classification"),
    ],
)
def test_the_task_follows_from_the_labels(labels, kind):
    assert module._kind(module._rows({"a": (X, labels)}, "clients", None, None, None)) == kind


def test_one_hot_rows_and_lists_of_triples_are_the_same_clients():
    mapping = fp.clients({"a": (X, Y), "b": (X[:9], Y[:9])}, test=0.2, seed=1)
    hot = np.eye(3, dtype=np.float32)[Y]
    listed = fp.clients([("a", X, hot), ("b", X[:9], hot[:9])], test=0.2, seed=1)
    assert listed.dataset.manifest.fingerprint == mapping.dataset.manifest.fingerprint


TWO = {"a": (X, Y), "b": (X, Y)}
REFUSED = [
    ({"a": (X, Y[:5]), "b": (X, Y)}, {}, r"clients\['a'\]: x has 30 rows and y has 5"),
    ({"a": (X, Y)}, {}, "there is one client only"),
    (TWO, {"test": 0}, "test=0: without held-out examples nothing can be compared"),
    ({"a": (X, Y - 1), "b": (X, Y)}, {}, "y holds the label -1; labels are whole numbers from 0"),
    (TWO, {"classes": 2}, "y holds the label 2; labels are whole numbers from 0 to 1"),
    ({"a": (X[:, :2], Y), "b": (X, Y)}, {}, r"clients\['b'\]: an example of x has the shape \[5\]"),
    ({"a": (X * np.nan, Y), "b": (X, Y)}, {}, r"clients\['a'\]: x is NaN or infinite in row 0"),
    ({"a": (["one"] * 30, Y), "b": (X, Y)}, {}, r"clients\['a'\]: x is of <U3, and numbers"),
    ({}, {}, "clients is empty"),
    ([X, Y], {}, "clients is a list; {client: .x, y.}"),
    (TWO, {"task": "ranking"}, "task='ranking' is none of"),
    (Frame({"user": Y, "label": Y}), {}, "client is missing: name the column"),
    (Frame({"user": Y, "label": Y}), {"client": "who"}, "client='who': clients has user, label"),
    ("no/such/folder", {}, "no/such/folder does not exist"),
    ("a\0b", {}, "a path holds no NUL byte"),
    ({1: (X, Y), "1": (X, Y), "b": (X, Y)}, {}, "clients: 1 and '1' are one name as texts"),
    ({"a": (X, Y), "a\0": (X, Y), "b": (X, Y)}, {}, "ends in a byte of zero"),
    ({None: (X, Y), "b": (X, Y)}, {}, "says None in the place of its client"),
    (
        Frame({"u": np.array([1.0, np.nan] * 15), "x": Y, "y": Y}),
        {"client": "u"},
        "says nan in",
    ),
    ({"a": ([[1], [1, 2]], [0, 1]), "b": (X, Y)}, {}, r"clients\['a'\]: x or y is not an array"),
    ({"a": (X, Y + 2_000_000_000), "b": (X, Y)}, {}, "2,000,000,003 classes are more than"),
    (TWO, {"classes": 2_000_000_000}, "2,000,000,000 classes are more than"),
    (TWO, {"classes": -1}, "classes=-1 is not a number of classes"),
    (TWO, {"classes": 1.5}, "classes=1.5 is not a number of classes"),
    (TWO, {"label_names": "abc"}, "label_names='abc' is a text"),
    (TWO, {"label_names": ["a", "b", "b\0"]}, "label_names holds a name twice"),
    ({"a": (X, np.array(["u", None, 3] * 10)), "b": (X, Y)}, {}, "y holds texts and others"),
]


@pytest.mark.parametrize(("source", "arguments", "sentence"), REFUSED)
def test_what_cannot_be_clients_is_refused_in_one_sentence(source, arguments, sentence):
    with pytest.raises(fp.ArgumentError, match=sentence):
        fp.clients(source, **arguments)

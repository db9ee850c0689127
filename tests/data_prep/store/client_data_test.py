"""A dataset as TFF's ClientData; oracle: scikit-learn's own loader."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from data_prep.store.reader import PreparedDataset
from groundwork.errors import UserError
from tests.data_prep.store.small_dataset import prepared_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepared_digits(tmp_path_factory.mktemp("client_data"), split="none", shards=3)


def test_tff_reads_a_clients_examples_in_their_order(digits: PreparedDataset) -> None:
    data = digits.client_data("train")
    theirs = load_digits()
    third = slice(386, 516)
    pixels = 255 - np.rint(theirs.images[third] * 255 / 16).astype(np.uint8)
    client = data.create_tf_dataset_for_client("form_03")
    assert data.element_type_structure["image"].shape == (8, 8, 1)
    rows = list(client.as_numpy_iterator())
    assert np.array_equal(np.stack([row["image"] for row in rows])[..., 0], pixels)
    assert [row["label"] for row in rows] == theirs.target[third].tolist()


def test_the_clients_of_tff_hold_the_whole_data_set(digits: PreparedDataset) -> None:
    data = digits.client_data("train")
    whole = data.create_tf_dataset_from_all_clients(seed=0)
    labels = [row["label"] for row in whole.as_numpy_iterator()]
    assert np.array_equal(np.bincount(labels), np.bincount(load_digits().target))


def test_the_clients_id_is_a_feature_where_it_is_asked_for(digits: PreparedDataset) -> None:
    data = digits.client_data("train", client_feature="form")
    for client_id in ("form_03", "form_13"):
        rows = data.create_tf_dataset_for_client(client_id).as_numpy_iterator()
        assert {row["form"].decode() for row in rows} == {client_id}
    with pytest.raises(UserError, match="have a feature 'label' already"):
        digits.client_data("train", client_feature="label")


@pytest.mark.slow
def test_tffs_own_worker_reads_the_clients(digits: PreparedDataset) -> None:
    """In another process, so nothing of it may be Python."""
    import tensorflow_federated as tff

    read = digits.client_data("train").dataset_computation

    @tff.tensorflow.computation(read.type_signature.result)
    def total(rows):  # type: ignore[no-untyped-def]
        return rows.reduce(np.int64(0), lambda before, row: before + row["label"])

    @tff.federated_computation(read.type_signature.parameter)
    def total_of(client_id):  # type: ignore[no-untyped-def]
        return total(read(client_id))

    assert total_of("form_03") == load_digits().target[386:516].sum()

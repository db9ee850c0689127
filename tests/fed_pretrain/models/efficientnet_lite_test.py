import pytest
import tensorflow as tf

from fed_pretrain.models import efficientnet_lite


@pytest.fixture(scope="module")
def published() -> tf.keras.Model:
    with tf.Graph().as_default():
        return efficientnet_lite.build(1000, norm="batch")


def test_it_has_every_tensor_of_the_published_file_but_the_counters(published):
    assert len(published.weights) == 296 - 49  # 49 norms, each with a counter in the file
    assert published.count_params() == 4_694_024


def test_feature_maps_have_the_published_sizes(published):
    shapes = {n: published.get_layer(f"blocks_{n}_bn2").output_shape[1:] for n in (0, 2, 4, 10, 15)}
    assert shapes == {
        0: (112, 112, 16),
        2: (56, 56, 24),
        4: (28, 28, 40),
        10: (14, 14, 112),
        15: (7, 7, 320),
    }


def test_only_the_first_block_does_not_expand(published):
    names = {layer.name for layer in published.layers}
    assert [n for n in range(16) if f"blocks_{n}_expand_conv" not in names] == [0]
    assert "blocks_15_project_conv" in names


def test_group_norm_leaves_no_statistics_behind():
    with tf.Graph().as_default():
        model = efficientnet_lite.build(10, (32, 32, 3))
        assert not model.non_trainable_weights
        assert sum(w.shape.num_elements() for w in model.weights) == 4_652_008 - 1281 * 990

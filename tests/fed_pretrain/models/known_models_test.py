import dataclasses
import pickle

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import bert_encoder, gpt2, known_models
from groundwork.errors import UserError

# (model, classes, arguments, trainable parameters, output shape). Sources of the counts:
# torchvision's model tables (squeezenet, resnet18, vgg11), HuggingFace's (gpt2, distilgpt2), the
# weight files of the embedded packages (textgenrnn, minilm without its head), Reddi et al. 2021
# (emnist_cnn, word_lstm). EfficientNet-Lite0 has a test file of its own.
PUBLISHED = [
    ("squeezenet1_0", 1000, {}, 1_248_424, (None, 1000)),
    ("squeezenet1_1", 1000, {}, 1_235_496, (None, 1000)),
    ("resnet18", 1000, {}, 11_689_512, (None, 1000)),
    ("resnet18", 1000, {"norm": "batch"}, 11_689_512, (None, 1000)),
    # As the widely used PyTorch version of the paper's CIFAR networks counts them.
    ("resnet20", 10, {}, 269_722, (None, 10)),
    ("resnet8", 10, {}, 75_290, (None, 10)),
    ("resnet8", 10, {"norm": "batch"}, 75_290, (None, 10)),
    ("vgg11", 1000, {"input_shape": (224, 224, 3), "classifier": "published"}, 132_863_336, None),
    ("emnist_cnn", 62, {}, 1_206_590, (None, 62)),
    ("emnist_cnn", 10, {}, 1_199_882, (None, 10)),
    ("char_lstm", 465, {}, 461_693, (None, 465)),
    ("word_lstm", 10_004, {}, 4_050_748, (None, 20, 10_004)),
    ("gpt2", 50_257, {}, 124_439_808, (None, 64, 50_257)),
    ("distilgpt2", 50_257, {}, 81_912_576, (None, 64, 50_257)),
    ("bert_encoder", 2, {"pooling": "cls"}, 22_713_216 + 2 * 385, (None, 2)),
    # Ours: pinned so that a change is seen.
    ("char_cnn", 98, {}, 30_114, (None, 64, 98)),
    ("edge_cnn", 62, {}, 22_974, (None, 62)),
    ("small_cnn", 10, {}, 66_570, (None, 10)),
    ("linear", 10, {}, 7_850, (None, 10)),
    ("word_bag", 5, {}, 640_325, (None, 5)),
]

# Each model in a size that is quick to run.
HEAVY = ("efficientnet_lite0", "distilgpt2")
TINY_GPT = gpt2.Size(blocks=1, width=8, heads=2, positions=12)
TINY_BERT = bert_encoder.Size(blocks=1, width=8, heads=2, inner=12, positions=6)
SMALL = {
    "squeezenet1_0": {"input_shape": (28, 28, 1)},
    "squeezenet1_1": {"input_shape": (32, 32, 3)},
    "resnet18": {"input_shape": (16, 16, 3)},
    "resnet20": {"input_shape": (8, 8, 3)},
    "resnet8": {"input_shape": (8, 8, 1)},
    "efficientnet_lite0": {"input_shape": (32, 32, 3)},
    "emnist_cnn": {"input_shape": (12, 12, 1)},
    "edge_cnn": {"input_shape": (28, 28, 1)},
    "small_cnn": {"input_shape": (8, 8, 3)},
    "vgg11": {"input_shape": (32, 32, 3)},
    "linear": {"input_shape": (8, 8, 1)},
    "char_lstm": {"sequence_length": 5, "vocab_size": 9},
    "char_cnn": {"sequence_length": 5, "vocab_size": 9},
    "char_cnn_lm": {"sequence_length": 3, "vocab_size": 9, "word_length": 8},
    "word_bag": {"sequence_length": 5, "vocab_size": 9},
    "word_lstm": {"sequence_length": 5, "vocab_size": 9, "embedding": 4, "units": 6},
    "gpt2": {"sequence_length": 5, "size": TINY_GPT},
    "distilgpt2": {"sequence_length": 5, "size": TINY_GPT},
    "bert_encoder": {"sequence_length": 5, "vocab_size": 9, "size": TINY_BERT},
}


def batch_of(model: tf.keras.Model, rows: int = 2) -> np.ndarray:
    """Some input of the model's kind: no two rows alike."""
    spec = model.inputs[0]
    random = np.random.default_rng(0)
    if spec.dtype == tf.int32:
        return random.integers(1, 7, (rows, *spec.shape[1:])).astype(np.int32)
    return random.standard_normal((rows, *spec.shape[1:])).astype(np.float32)


@pytest.mark.parametrize(("name", "classes", "arguments", "count", "shape"), PUBLISHED)
def test_a_model_has_the_published_number_of_parameters(name, classes, arguments, count, shape):
    # In a graph no variable takes memory, however large the model.
    with tf.Graph().as_default():
        model = known_models.build(name, classes, **arguments)
        assert sum(w.shape.num_elements() for w in model.trainable_weights) == count
        if shape is not None:
            assert model.output_shape == shape


def test_a_small_model_has_less_than_100_000_parameters():
    counts = {name: count for name, _, _, count, _ in PUBLISHED}
    small = [name for name in known_models.names() if known_models.get(name).small]
    assert set(small) == {"edge_cnn", "char_cnn", "linear"}
    assert all(counts[name] < 100_000 for name in small)


def test_every_registered_model_is_in_the_small_set_of_these_tests():
    own = {name for name in known_models.names() if not name.startswith("keras:")}
    assert own == set(SMALL)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in HEAVY else ()) for n in sorted(SMALL)],
)
def test_a_model_gives_logits_in_a_traced_function_and_survives_saving(name, tmp_path):
    model = known_models.build(name, 7, **SMALL[name])
    x = batch_of(model)
    spec = tf.TensorSpec((None, *x.shape[1:]), x.dtype)
    logits = tf.function(lambda x: model(x, training=False), input_signature=[spec])(x)
    assert logits.shape[0] == 2
    assert logits.shape[-1] == 7
    assert np.isfinite(logits).all()
    assert np.ptp(logits, axis=0).max() > 0, "two examples, one answer"

    model.save(tmp_path / "model.keras")
    again = tf.keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), model(x))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("name", sorted(set(SMALL) - set(HEAVY)))
def test_the_head_layer_is_the_one_whose_weights_grow_with_the_classes(name):
    shapes = [
        {w.name: tuple(w.shape) for w in known_models.build(name, n, **SMALL[name]).weights}
        for n in (7, 9)
    ]
    changed = {key.split("/")[0] for key in shapes[0] if shapes[0][key] != shapes[1].get(key)}
    head = known_models.head_layer(name)
    assert changed == ({head} if head else {"wte"})


def test_a_builder_can_be_pickled_with_its_arguments():
    builder = pickle.loads(pickle.dumps(known_models.builder("distilgpt2")))
    model = builder(11, sequence_length=4, size=TINY_GPT)
    assert model.output_shape == (None, 4, 11)


def test_an_unknown_model_is_told_with_the_known_ones():
    with pytest.raises(UserError, match=r"--model=alexnet is not one of squeezenet1_0"):
        known_models.build("alexnet", 10)


def test_a_model_from_outside_is_built_by_its_name_and_refused_twice(monkeypatch):
    monkeypatch.setattr(known_models.KNOWN, "registered", dict(known_models.KNOWN.registered))
    own = known_models.ModelSpec(
        "mine", "image", "fed_pretrain.models.small_cnns:linear", ("head",), "a user's own"
    )
    known_models.register(own)
    assert known_models.build("mine", 3, input_shape=(4, 4, 1)).output_shape == (None, 3)
    assert "mine" in known_models.names()
    known_models.register(own)  # a module may be imported again
    with pytest.raises(UserError, match="already a model named 'mine'"):
        known_models.register(dataclasses.replace(own, origin="another user's"))

import subprocess
import sys

import numpy as np
import tensorflow as tf

from fed_pretrain.exporting import model_files
from fed_pretrain.exporting.model_files import portable
from fed_pretrain.models import adapted_layers, preprocessing, recurrent, small_cnns
from fed_pretrain.models.adapters import Adapters
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.starts import trainable
from fed_pretrain.tasks.evaluation import assign

OPEN_ELSEWHERE = """
import sys
import numpy as np
import tensorflow as tf
x = np.load("x.npy")
answers = [tf.keras.models.load_model(name)(x) for name in ("dropout.keras", "norm.keras")]
assert not any(name.startswith("fed_pretrain") for name in sys.modules)
np.savez("answers.npz", *answers)
"""


def test_portable_models_open_without_this_package(tmp_path):
    raw = tf.keras.Input((16, 16, 3), dtype="uint8")
    x = preprocessing.apply("imagenet_bgr_means", tf.keras.layers.Rescaling(1.0)(raw))
    models = {
        "dropout": small_cnns.emnist_cnn(5, (16, 16, 3), inputs=x),
        "norm": small_cnns.small_cnn(5, (16, 16, 3), inputs=x, norm="group"),
    }
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    for name, model in models.items():
        portable(model).save(tmp_path / f"{name}.keras")
    subprocess.run([sys.executable, "-c", OPEN_ELSEWHERE], check=True, cwd=tmp_path)
    with np.load(tmp_path / "answers.npz") as answers:
        for model, answer in zip(models.values(), answers.values(), strict=True):
            np.testing.assert_allclose(answer, model(pixels), rtol=1e-4, atol=1e-4)


def test_a_portable_copy_shares_no_weight_with_its_original():
    model = recurrent.word_lstm(6, sequence_length=5, embedding=3, units=4)
    copy = portable(model)
    copy.set_weights([w * 0 for w in copy.get_weights()])
    assert any(np.any(w) for w in model.get_weights())


def test_a_copy_of_a_model_whose_biases_alone_train_has_each_weight_in_its_place():
    model = small_cnns.edge_cnn(3, (8, 8, 1))
    trainable.apply(model, "bias", "head")
    copy = portable(model)
    for name in ("conv1", "conv2", "head"):
        for part in ("kernel", "bias"):
            ours, theirs = (getattr(one.get_layer(name), part) for one in (model, copy))
            np.testing.assert_array_equal(ours, theirs)


def test_a_copy_of_a_model_with_adapters_is_plain_and_computes_the_same():
    lora = Adapters(rank=2, scale=0.5, targets="conv", trains_a=True, corrects=False)
    model = adapted_layers.add(small_cnns.edge_cnn(3, (8, 8, 1)), lora, "head")
    generator = np.random.default_rng(0)
    for name in ("conv1", "conv2"):
        factor = model.get_layer(name).lora_b
        factor.assign(generator.normal(size=factor.shape))
    copy = portable(model, lora)
    assert {type(layer).__module__ for layer in copy.layers} == {
        type(layer).__module__ for layer in small_cnns.edge_cnn(3, (8, 8, 1)).layers
    }
    x = generator.normal(size=(2, 8, 8, 1))
    np.testing.assert_allclose(copy(x), model(x), rtol=1e-4, atol=1e-4)


def test_a_file_of_other_weights_is_the_one_that_keras_would_write(tmp_path):
    def build() -> tf.keras.Model:
        return small_cnns.small_cnn(5, (16, 16, 3), norm="batch")

    model, generator = build(), np.random.default_rng(0)
    weights = ModelArrays(
        *(
            [generator.normal(size=v.shape).astype(np.float32) for v in variables]
            for variables in (model.trainable_variables, model.non_trainable_variables)
        )
    )
    model_files.KerasFiles(build, "abcde", {"a": 1}, None).write(weights, tmp_path / "ours.keras")
    assign(model, weights)
    model_files.save_keras(portable(model), "abcde", tmp_path / "keras.keras", {"a": 1})
    assert (tmp_path / "ours.keras").read_bytes() == (tmp_path / "keras.keras").read_bytes()

"""Layouts as their makers publish them land in the right layer, the right way round."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import bert_encoder, gpt2
from fed_pretrain.starts import labels
from fed_pretrain.starts.mapping import textgenrnn
from fed_pretrain.tasks.definitions.chitchat import CHITCHAT
from fed_pretrain.tasks.encoders.words import WordSequences, WordVocabulary
from groundwork import array_file, embedded_packages
from groundwork.errors import UserError
from tests.fed_pretrain.starts.small_tasks import ids_task, image_task, resolve, task_of, values
from tests.fed_pretrain.starts.torch_files import write_legacy, write_zip

Arrays = dict[str, np.ndarray]
RNG = np.random.default_rng(0)


def _random(shapes: dict[str, tuple[int, ...]]) -> Arrays:
    return {name: RNG.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def _resnet18(classes: int) -> Arrays:
    """torchvision's state dict: 122 tensors."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, width: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (width,)

    shapes["conv1.weight"] = (64, 3, 7, 7)
    norm("bn1", 64)
    before = 64
    for layer, width in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            name = f"layer{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, before, 3, 3)
            norm(f"{name}.bn1", width)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            norm(f"{name}.bn2", width)
            if before != width:
                shapes[f"{name}.downsample.0.weight"] = (width, before, 1, 1)
                norm(f"{name}.downsample.1", width)
            before = width
    shapes |= {"fc.weight": (classes, 512), "fc.bias": (classes,)}
    tensors = _random(shapes)
    counters = [name for name in tensors if name.endswith("running_mean")]
    for name in counters:
        tensors[name.replace("running_mean", "num_batches_tracked")] = np.array(7, np.int64)
    return {n: np.abs(t) if n.endswith("running_var") else t for n, t in tensors.items()}


@pytest.mark.parametrize("write", [write_zip, pytest.param(write_legacy, marks=pytest.mark.slow)])
def test_torchvisions_resnet18_fits_with_batch_norm_as_it_is(write: object, tmp_path: Path) -> None:
    tensors = _resnet18(10)
    assert len(tensors) == 122
    write(tmp_path / "r.pth", tensors)  # type: ignore[operator]
    task = image_task("resnet18", 32)
    start = resolve(task, f"checkpoint:{tmp_path / 'r.pth'}", head="keep", batch_norm="keep")
    assert start.report.counts() == {"matched": 102, "unused": 20}
    assert start.preprocessing == "imagenet_torch"
    mine = values(start)
    convolution = mine["layer2_0_downsample_0/kernel"]
    theirs = tensors["layer2.0.downsample.0.weight"]
    assert convolution[0, 0, 5, 9] == theirs[9, 5, 0, 0]
    np.testing.assert_array_equal(mine["fc/kernel"], tensors["fc.weight"].T)
    np.testing.assert_array_equal(mine["layer4_1_bn2/gamma"], tensors["layer4.1.bn2.weight"])
    np.testing.assert_array_equal(mine["bn1/moving_variance"], tensors["bn1.running_var"])


def test_torchvisions_resnet18_becomes_a_group_norm_model(tmp_path: Path) -> None:
    """As in "Where to Begin?": a new head, then GroupNorm for BatchNorm, its statistics dropped."""
    tensors = _resnet18(1000)
    write_zip(tmp_path / "r.pth", tensors)
    start = resolve(image_task("resnet18", 32), f"checkpoint:{tmp_path / 'r.pth'}")
    assert start.report.counts() == {"matched": 60, "re-initialised": 2, "unused": 62}
    assert start.names[1] == []
    np.testing.assert_array_equal(values(start)["bn1/gamma"], tensors["bn1.weight"])


# squeeze and expand widths of the fire modules 2 to 9, and the places the versions give them.
_WIDTHS = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
_PLACES = {"1_0": (3, 4, 5, 7, 8, 9, 10, 12), "1_1": (3, 4, 6, 7, 9, 10, 11, 12)}


@pytest.mark.parametrize(("version", "parameters"), [("1_0", 1_248_424), ("1_1", 1_235_496)])
def test_torchvisions_squeezenets_fit_whole(version: str, parameters: int, tmp_path: Path) -> None:
    first = (96, 3, 7, 7) if version == "1_0" else (64, 3, 3, 3)
    shapes: dict[str, tuple[int, ...]] = {"features.0.weight": first, "features.0.bias": first[:1]}
    width = first[0]
    for number, (squeeze, expand) in zip(_PLACES[version], _WIDTHS, strict=True):
        for part, shape in (
            ("squeeze", (squeeze, width, 1, 1)),
            ("expand1x1", (expand, squeeze, 1, 1)),
            ("expand3x3", (expand, squeeze, 3, 3)),
        ):
            shapes[f"features.{number}.{part}.weight"] = shape
            shapes[f"features.{number}.{part}.bias"] = shape[:1]
        width = 2 * expand
    shapes |= {"classifier.1.weight": (1000, 512, 1, 1), "classifier.1.bias": (1000,)}
    tensors = _random(shapes)
    assert sum(tensor.size for tensor in tensors.values()) == parameters
    write_zip(tmp_path / "s.pth", tensors)
    task = image_task(f"squeezenet{version}", 64)
    start = resolve(task, f"checkpoint:{tmp_path / 's.pth'}", head="keep")
    assert start.report.counts() == {"matched": 52}
    last = tensors["features.12.expand3x3.weight"]
    assert values(start)["fire9_expand3x3/kernel"][2, 1, 3, 4] == last[4, 3, 2, 1]
    other = image_task("squeezenet1_1" if version == "1_0" else "squeezenet1_0", 64)
    with pytest.raises(UserError, match="of another shape"):
        resolve(other, f"checkpoint:{tmp_path / 's.pth'}", head="keep")


def test_huggingfaces_gpt2_fits_without_transposes_and_its_mask_is_no_weight(
    tmp_path: Path,
) -> None:
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (20, 8), "wpe.weight": (16, 8)}
    for name, shape in (
        ("ln_1", (8,)),
        ("ln_2", (8,)),
        ("attn.c_attn", (8, 24)),
        ("attn.c_proj", (8, 8)),
        ("mlp.c_fc", (8, 32)),
        ("mlp.c_proj", (32, 8)),
    ):
        shapes[f"h.0.{name}.weight"], shapes[f"h.0.{name}.bias"] = shape, shape[-1:]
    shapes |= {"ln_f.weight": (8,), "ln_f.bias": (8,)}
    tensors = {f"transformer.{name}": tensor for name, tensor in _random(shapes).items()}
    tensors["transformer.h.0.attn.bias"] = np.ones((1, 1, 16, 16), np.float32)
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"]
    write_zip(tmp_path / "pytorch_model.bin", tensors)
    task = ids_task("gpt2", 20, size=gpt2.Size(1, 8, 2, 16))
    start = resolve(task, f"checkpoint:{tmp_path}")
    assert start.report.counts() == {"matched": 16, "unused": 2}
    np.testing.assert_array_equal(
        values(start)["h_0_mlp_c_fc/kernel"], tensors["transformer.h.0.mlp.c_fc.weight"]
    )
    tensors["lm_head.weight"] = tensors["lm_head.weight"] + 1
    write_zip(tmp_path / "pytorch_model.bin", tensors)
    with pytest.raises(UserError, match=r"1 unused by the model \(lm_head.weight"):
        resolve(task, f"checkpoint:{tmp_path}")


def test_huggingfaces_bert_fits_transposed_under_any_prefix(tmp_path: Path) -> None:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (20, 8),
        "embeddings.position_embeddings.weight": (16, 8),
        "embeddings.token_type_embeddings.weight": (2, 8),
    }
    for name, shape in (
        ("attention.self.query", (8, 8)),
        ("attention.self.key", (8, 8)),
        ("attention.self.value", (8, 8)),
        ("attention.output.dense", (8, 8)),
        ("attention.output.LayerNorm", (8,)),
        ("intermediate.dense", (32, 8)),
        ("output.dense", (8, 32)),
        ("output.LayerNorm", (8,)),
    ):
        shapes[f"encoder.layer.0.{name}.weight"] = shape
        shapes[f"encoder.layer.0.{name}.bias"] = shape[:1]
    shapes |= {"embeddings.LayerNorm.weight": (8,), "embeddings.LayerNorm.bias": (8,)}
    shapes |= {"pooler.dense.weight": (8, 8), "pooler.dense.bias": (8,)}
    tensors = {f"bert.{name}": tensor for name, tensor in _random(shapes).items()}
    write_zip(tmp_path / "b.bin", tensors)
    size = bert_encoder.Size(1, 8, 2, 32, 16)
    start = resolve(
        ids_task("bert_encoder", 20, classes=3, size=size), f"checkpoint:{tmp_path / 'b.bin'}"
    )
    assert start.report.counts() == {"matched": 21, "re-initialised": 2, "unused": 2}
    np.testing.assert_array_equal(
        values(start)["encoder_layer_0_intermediate_dense/kernel"],
        tensors["bert.encoder.layer.0.intermediate.dense.weight"].T,
    )


def test_cudnn_lstm_weights_convert_as_keras_converts_them() -> None:
    """Keras' own conversion, when it loads weights into an LSTM, is the oracle."""
    keras = tf.keras.layers.Layer.__module__.partition(".")[0]
    hdf5_format = importlib.import_module(f"{keras}.src.saving.legacy.hdf5_format")

    kernel, recurrent, bias = (
        RNG.standard_normal(shape).astype(np.float32) for shape in ((5, 12), (3, 12), (24,))
    )
    layer = tf.keras.layers.LSTM(3)
    layer.build((None, None, 5))
    expected = hdf5_format._convert_rnn_weights(layer, [kernel, recurrent, bias])
    found = textgenrnn.translate(
        {"rnn_1/kernel": kernel, "rnn_1/recurrent_kernel": recurrent, "rnn_1/bias": bias}
    )
    for name, value in zip(("kernel", "recurrent_kernel", "bias"), expected, strict=True):
        np.testing.assert_array_equal(found.tensors[f"rnn_1/{name}"], value)


def _word_task(*words: str) -> object:
    choice = next(choice for choice in CHITCHAT.models if choice.name == "word_lstm")
    return task_of(CHITCHAT, choice, WordSequences(WordVocabulary(words), 6))


def test_rows_of_another_vocabulary_of_the_same_size_are_refused(tmp_path: Path) -> None:
    ours, theirs = _word_task("good", "seven"), _word_task("seven", "good")
    start = resolve(ours)  # type: ignore[arg-type]
    arrays = {f"model/trainable/{name}": value for name, value in values(start).items()}
    path = tmp_path / "words.ckpt"
    array_file.save(path, labels.describe(ours, None), arrays)
    same = resolve(ours, f"checkpoint:{path}")  # type: ignore[arg-type]
    assert same.report.counts() == {"matched": 8}
    with pytest.raises(UserError, match="its rows mean other words"):
        resolve(theirs, f"checkpoint:{path}")  # type: ignore[arg-type]


@pytest.mark.skipif(
    not embedded_packages.available("glove"), reason="`fetch_embedded --large` brings it"
)
def test_word_vectors_stand_in_the_rows_of_their_words() -> None:
    task = _word_task("king", "queen", "cabbage", "zzqx")
    rows = values(resolve(task, "package:glove"))["embedding/embeddings"]  # type: ignore[arg-type]
    assert rows.shape == (8, 50)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert unit[1] @ unit[2] == pytest.approx(0.784, abs=0.001)
    drawn = values(resolve(task, "package:glove", blend="random:1"))  # type: ignore[arg-type]
    np.testing.assert_array_equal(rows[4], drawn["embedding/embeddings"][4])

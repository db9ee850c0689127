"""torchvision's resnet18: our layers are its modules with underscores for dots."""

import re

from fed_pretrain.starts.mapping.translation import (
    NameMap,
    Tensors,
    Translation,
    conv,
    dense,
    keep_strangers,
    put_batch_norm,
    put_layer,
)

_NORM = re.compile(r"^(?:bn1|layer\d\.\d\.bn\d|layer\d\.\d\.downsample\.1)$")


def recognises(tensors: Tensors) -> bool:
    return "layer1.0.conv1.weight" in tensors and "layer1.0.conv3.weight" not in tensors


def translate(tensors: Tensors) -> Translation:
    found = Translation(
        "torchvision resnet18", head="fc", labels="imagenet1k", preprocessing="imagenet_torch"
    )
    for module in dict.fromkeys(name.rpartition(".")[0] for name in tensors):
        layer = module.replace(".", "_")
        if _NORM.match(module):
            put_batch_norm(found, tensors, layer, module)
        else:
            put_layer(found, tensors, layer, module, dense if module == "fc" else conv)
    return keep_strangers(found, tensors)


MAP = NameMap("torchvision_resnet", recognises, translate)

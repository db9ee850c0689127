"""torchvision's networks: our layers are their modules with underscores for dots, or nearly so."""

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

_FIRES = {
    "1.0": {3: 2, 4: 3, 5: 4, 7: 5, 8: 6, 9: 7, 10: 8, 12: 9},
    "1.1": {3: 2, 4: 3, 6: 4, 7: 5, 9: 6, 10: 7, 11: 8, 12: 9},
}
_FIRE_PARTS = ("squeeze", "expand1x1", "expand3x3")


def _is_squeezenet(tensors: Tensors) -> bool:
    return "features.3.squeeze.weight" in tensors


def _squeezenet(tensors: Tensors) -> Translation:
    """features.N counts pooling and ReLU layers, too.

    The two versions differ in where they pool, which moves the numbers of the fire modules.
    """
    version = "1.1" if "features.6.squeeze.weight" in tensors else "1.0"
    found = Translation(
        f"torchvision squeezenet{version.replace('.', '_')}",
        head="conv10",
        labels="imagenet1k",
        preprocessing="imagenet_torch",
    )
    put_layer(found, tensors, "conv1", "features.0", conv)
    for number, fire in _FIRES[version].items():
        for part in _FIRE_PARTS:
            layer = "squeeze1x1" if part == "squeeze" else part
            put_layer(found, tensors, f"fire{fire}_{layer}", f"features.{number}.{part}", conv)
    put_layer(found, tensors, "conv10", "classifier.1", conv)
    return keep_strangers(found, tensors)


_RESNET_NORM = re.compile(r"^(?:bn1|layer\d\.\d\.bn\d|layer\d\.\d\.downsample\.1)$")


def _is_resnet(tensors: Tensors) -> bool:
    return "layer1.0.conv1.weight" in tensors and "layer1.0.conv3.weight" not in tensors


def _resnet(tensors: Tensors) -> Translation:
    found = Translation(
        "torchvision resnet18", head="fc", labels="imagenet1k", preprocessing="imagenet_torch"
    )
    for module in dict.fromkeys(name.rpartition(".")[0] for name in tensors):
        layer = module.replace(".", "_")
        if _RESNET_NORM.match(module):
            put_batch_norm(found, tensors, layer, module)
        else:
            put_layer(found, tensors, layer, module, dense if module == "fc" else conv)
    return keep_strangers(found, tensors)


_SHORT_HEAD = "the model has the short head"


def _is_vgg(tensors: Tensors) -> bool:
    return "features.0.weight" in tensors and "classifier.6.weight" in tensors


def _vgg(tensors: Tensors) -> Translation:
    found = Translation(
        "torchvision vgg11",
        head="classifier_6",
        labels="imagenet1k",
        preprocessing="imagenet_torch",
        optional={f"classifier_{number}": _SHORT_HEAD for number in (0, 3, 6)},
    )
    for module in dict.fromkeys(name.rpartition(".")[0] for name in tensors):
        kernel = dense if module.startswith("classifier") else conv
        put_layer(found, tensors, module.replace(".", "_"), module, kernel)
    return keep_strangers(found, tensors)


MAPS = (
    NameMap("torchvision_squeezenet", _is_squeezenet, _squeezenet),
    NameMap("torchvision_resnet", _is_resnet, _resnet),
    NameMap("torchvision_vgg", _is_vgg, _vgg),
)

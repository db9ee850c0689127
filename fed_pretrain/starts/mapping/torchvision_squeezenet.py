"""torchvision's squeezenet1_0 and squeezenet1_1: features.N counts pooling and ReLU layers too."""

from fed_pretrain.starts.mapping.translation import (
    NameMap,
    Tensors,
    Translation,
    conv,
    keep_strangers,
    put_layer,
)

_FIRES = {
    "1.0": {3: 2, 4: 3, 5: 4, 7: 5, 8: 6, 9: 7, 10: 8, 12: 9},
    "1.1": {3: 2, 4: 3, 6: 4, 7: 5, 9: 6, 10: 7, 11: 8, 12: 9},
}
_PARTS = ("squeeze", "expand1x1", "expand3x3")


def recognises(tensors: Tensors) -> bool:
    return "features.3.squeeze.weight" in tensors


def translate(tensors: Tensors) -> Translation:
    """The two versions differ in where they pool, which moves the numbers of the fire modules."""
    version = "1.1" if "features.6.squeeze.weight" in tensors else "1.0"
    found = Translation(
        f"torchvision squeezenet{version.replace('.', '_')}",
        head="conv10",
        labels="imagenet1k",
        preprocessing="imagenet_torch",
    )
    put_layer(found, tensors, "conv1", "features.0", conv)
    for number, fire in _FIRES[version].items():
        for part in _PARTS:
            layer = "squeeze1x1" if part == "squeeze" else part
            put_layer(found, tensors, f"fire{fire}_{layer}", f"features.{number}.{part}", conv)
    put_layer(found, tensors, "conv10", "classifier.1", conv)
    return keep_strangers(found, tensors)


MAP = NameMap("torchvision_squeezenet", recognises, translate)

"""torchvision's vgg11: features_N and classifier_N."""

from fed_pretrain.starts.mapping.translation import (
    NameMap,
    Tensors,
    Translation,
    conv,
    dense,
    keep_strangers,
    put_layer,
)

_SHORT = "the model has the short head"


def recognises(tensors: Tensors) -> bool:
    return "features.0.weight" in tensors and "classifier.6.weight" in tensors


def translate(tensors: Tensors) -> Translation:
    found = Translation(
        "torchvision vgg11",
        head="classifier_6",
        labels="imagenet1k",
        preprocessing="imagenet_torch",
        optional={f"classifier_{number}": _SHORT for number in (0, 3, 6)},
    )
    for module in dict.fromkeys(name.rpartition(".")[0] for name in tensors):
        kernel = dense if module.startswith("classifier") else conv
        put_layer(found, tensors, module.replace(".", "_"), module, kernel)
    return keep_strangers(found, tensors)


MAP = NameMap("torchvision_vgg", recognises, translate)

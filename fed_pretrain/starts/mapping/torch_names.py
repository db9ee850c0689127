"""Any PyTorch state dict whose modules are named like our layers, dots or underscores alike."""

from fed_pretrain.starts.mapping.translation import (
    NameMap,
    Tensors,
    Translation,
    conv,
    dense,
    keep_strangers,
    put_batch_norm,
    put_layer,
    put_layer_norm,
)


def recognises(tensors: Tensors) -> bool:
    return any(name.endswith(".weight") for name in tensors)


def translate(tensors: Tensors) -> Translation:
    """The rank of a weight shows its layer: 4 convolution, 2 linear, 1 a norm."""
    found = Translation("PyTorch modules by name")
    for module in dict.fromkeys(name.rpartition(".")[0] for name in tensors):
        layer = module.replace(".", "_")
        weight = tensors.get(f"{module}.weight")
        if f"{module}.running_mean" in tensors:
            put_batch_norm(found, tensors, layer, module)
        elif weight is not None and weight.ndim == 1:
            put_layer_norm(found, tensors, layer, module)
        elif weight is not None and weight.ndim in (2, 4):
            put_layer(found, tensors, layer, module, conv if weight.ndim == 4 else dense)
    return keep_strangers(found, tensors)


MAP = NameMap("torch_names", recognises, translate)

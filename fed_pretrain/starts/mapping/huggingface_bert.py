"""HuggingFace's BERT, MiniLM among them: Linear weights are transposed."""

import re

from fed_pretrain.starts.mapping.translation import (
    NameMap,
    Tensors,
    Translation,
    dense,
    ignore_rest,
    keep_strangers,
    put_if_present,
    put_layer,
    put_layer_norm,
)

_FIRST = "embeddings.word_embeddings.weight"
_EMBEDDING = re.compile(r"^embeddings\.\w+_embeddings$")


def recognises(tensors: Tensors) -> bool:
    return any(name.endswith(_FIRST) for name in tensors) and any(
        name.endswith("encoder.layer.0.attention.self.query.weight") for name in tensors
    )


def translate(tensors: Tensors) -> Translation:
    prefix = next(name for name in tensors if name.endswith(_FIRST)).removesuffix(_FIRST)
    found = Translation(
        "BERT (HuggingFace)",
        head="classifier",
        optional={"pooler_dense": "the model takes the mean of the tokens"},
    )
    ignore_rest(found, tensors, r"(.*\.)?position_ids", "a range, not a weight")
    ignore_rest(found, tensors, r"cls\..*", "the head of BERT's own pre-training")
    for module in dict.fromkeys(name.rpartition(".")[0] for name in tensors):
        inner = module.removeprefix(prefix)
        layer = inner.replace(".", "_")
        if _EMBEDDING.match(inner):
            put_if_present(found, tensors, f"{layer}/embeddings", f"{module}.weight")
        elif inner.endswith("LayerNorm"):
            put_layer_norm(found, tensors, layer, module)
        elif f"{module}.weight" in tensors and not inner.startswith("cls"):
            put_layer(found, tensors, layer, module, dense)
    return keep_strangers(found, tensors)


MAP = NameMap("huggingface_bert", recognises, translate)

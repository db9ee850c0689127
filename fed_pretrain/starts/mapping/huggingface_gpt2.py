"""HuggingFace's GPT-2 and DistilGPT2. Its Conv1D weights are [in, out] already: no transposes."""

import numpy as np

from fed_pretrain.starts.mapping.translation import (
    NameMap,
    Tensors,
    Translation,
    as_is,
    ignore_rest,
    keep_strangers,
    put_if_present,
    put_layer,
    put_layer_norm,
)

_PREFIX = "transformer."


def recognises(tensors: Tensors) -> bool:
    return any(f"{prefix}h.0.attn.c_attn.weight" in tensors for prefix in ("", _PREFIX))


def translate(tensors: Tensors) -> Translation:
    prefix = _PREFIX if f"{_PREFIX}wte.weight" in tensors else ""
    found = Translation("GPT-2 (HuggingFace)")
    for embedding in ("wte", "wpe"):
        put_if_present(found, tensors, f"{embedding}/embeddings", f"{prefix}{embedding}.weight")
    ignore_rest(found, tensors, r"(.*\.)?attn\.(masked_)?bias", "the causal mask, not a weight")
    for module in dict.fromkeys(name.rpartition(".")[0] for name in tensors):
        inner = module.removeprefix(prefix)
        layer = inner.replace(".", "_")
        if inner.rsplit(".", 1)[-1].startswith("ln_"):
            put_layer_norm(found, tensors, layer, module)
        elif inner.startswith("h.") and not inner.endswith(".attn"):
            put_layer(found, tensors, layer, module, as_is)
    _ignore_tied_head(found, tensors, prefix)
    return keep_strangers(found, tensors)


def _ignore_tied_head(found: Translation, tensors: Tensors, prefix: str) -> None:
    embedding = tensors.get(f"{prefix}wte.weight")
    output = tensors.get("lm_head.weight")
    if output is not None and embedding is not None and np.array_equal(output, embedding):
        found.ignored["lm_head.weight"] = "tied to the embedding"


MAP = NameMap("huggingface_gpt2", recognises, translate)

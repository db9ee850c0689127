"""HuggingFace's GPT-2 and BERT: a prefix, then our layers with dots for underscores."""

import re

import numpy as np

from fed_pretrain.starts.mapping.translation import (
    NameMap,
    Tensors,
    Translation,
    as_is,
    dense,
    ignore_rest,
    keep_strangers,
    put_if_present,
    put_layer,
    put_layer_norm,
)

_GPT2_PREFIX = "transformer."


def _is_gpt2(tensors: Tensors) -> bool:
    return any(f"{prefix}h.0.attn.c_attn.weight" in tensors for prefix in ("", _GPT2_PREFIX))


def _gpt2(tensors: Tensors) -> Translation:
    """GPT-2 and DistilGPT2. Their Conv1D weights are [in, out] already: no transposes."""
    prefix = _GPT2_PREFIX if f"{_GPT2_PREFIX}wte.weight" in tensors else ""
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


_BERT_FIRST = "embeddings.word_embeddings.weight"
_BERT_EMBEDDING = re.compile(r"^embeddings\.\w+_embeddings$")


def _is_bert(tensors: Tensors) -> bool:
    return any(name.endswith(_BERT_FIRST) for name in tensors) and any(
        name.endswith("encoder.layer.0.attention.self.query.weight") for name in tensors
    )


def _bert(tensors: Tensors) -> Translation:
    """BERT, MiniLM among them: Linear weights are transposed."""
    prefix = next(name for name in tensors if name.endswith(_BERT_FIRST)).removesuffix(_BERT_FIRST)
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
        if _BERT_EMBEDDING.match(inner):
            put_if_present(found, tensors, f"{layer}/embeddings", f"{module}.weight")
        elif inner.endswith("LayerNorm"):
            put_layer_norm(found, tensors, layer, module)
        elif f"{module}.weight" in tensors and not inner.startswith("cls"):
            put_layer(found, tensors, layer, module, dense)
    return keep_strangers(found, tensors)


MAPS = (
    NameMap("huggingface_gpt2", _is_gpt2, _gpt2),
    NameMap("huggingface_bert", _is_bert, _bert),
)

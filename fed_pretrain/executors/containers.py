"""Flat results back in the Python containers that a TFF type names."""

from collections.abc import Iterator, Sequence
from typing import Any

from fed_pretrain.executors import structures


def pack(flat: Sequence[Any], type_spec: Any) -> Any:
    """The value of `type_spec` on the host; a server-placed type is its member."""
    import tensorflow_federated as tff
    from tensorflow_federated.python.core.impl.types import type_conversions

    def nest(type_spec: Any, values: Iterator[Any]) -> Any:
        if isinstance(type_spec, tff.types.FederatedType):
            return nest(type_spec.member, values)
        if isinstance(type_spec, tff.types.StructType):
            return tff.structure.Struct(
                [(n, nest(t, values)) for n, t in tff.structure.iter_elements(type_spec)]
            )
        if isinstance(type_spec, tff.types.SequenceType):
            return _dataset(next(values), structures.from_type(type_spec.element))
        return structures.to_host(next(values))

    return type_conversions.type_to_py_container(nest(type_spec, iter(flat)), type_spec)


def _dataset(variant: Any, element: structures.Tree) -> Any:
    import tensorflow as tf

    def spec(tree: structures.Tree) -> Any:
        if isinstance(tree, structures.TensorLeaf):
            return tf.TensorSpec(tree.shape, tree.dtype)
        assert isinstance(tree, structures.Struct)
        leaves = iter([spec(child) for child in tree.children])
        return structures.unflatten(
            leaves,
            structures.Struct(
                tree.names, tuple(structures.TensorLeaf("", None) for _ in tree.children)
            ),
        )

    return tf.data.experimental.from_variant(variant, spec(element))

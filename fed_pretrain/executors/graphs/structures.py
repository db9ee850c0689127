"""TFF types as plain picklable trees, and values flattened by them without importing TFF."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from groundwork.untyped import Leaf, Nested, Spec, TffType


@dataclasses.dataclass(frozen=True)
class TensorLeaf:
    dtype: str
    shape: tuple[int | None, ...] | None

    def tensor(self, value: Nested) -> tf.Tensor:
        """`value` as a tensor on the device of the surrounding scope, without needless copies."""
        if not isinstance(value, np.ndarray) and isinstance(value, tf.Tensor):
            return value
        return tf.constant(value, dtype=self.dtype)

    def array(self, value: Nested) -> np.ndarray:
        """`value` on the host, without needless copies."""
        return np.asarray(to_host(value), tf.as_dtype(self.dtype).as_numpy_dtype)


@dataclasses.dataclass(frozen=True)
class SequenceLeaf:
    element: "Tree"


@dataclasses.dataclass(frozen=True)
class Struct:
    names: tuple[str | None, ...]
    children: tuple["Tree", ...]


Tree = TensorLeaf | SequenceLeaf | Struct


@dataclasses.dataclass(frozen=True)
class OneElement:
    """The value of a sequence that holds exactly this element."""

    element: Nested


def from_type(type_spec: TffType) -> Tree:
    """The tree of a TFF type; placements are dropped."""
    import tensorflow_federated as tff

    if isinstance(type_spec, tff.types.FederatedType):
        return from_type(type_spec.member)
    if isinstance(type_spec, tff.types.TensorType):
        shape = type_spec.shape
        known = None if shape is None else tuple(tf.TensorShape(shape).as_list())
        return TensorLeaf(tf.as_dtype(type_spec.dtype).name, known)
    if isinstance(type_spec, tff.types.SequenceType):
        return SequenceLeaf(from_type(type_spec.element))
    if isinstance(type_spec, tff.types.StructType):
        pairs = list(tff.structure.iter_elements(type_spec))
        return Struct(
            tuple(name for name, _ in pairs), tuple(from_type(child) for _, child in pairs)
        )
    raise TypeError(f"a value of type {type_spec} cannot enter a TensorFlow graph")


def leaves(tree: Tree) -> Iterator[TensorLeaf | SequenceLeaf]:
    if isinstance(tree, Struct):
        for child in tree.children:
            yield from leaves(child)
    else:
        yield tree


def count(tree: Tree) -> int:
    return sum(1 for _ in leaves(tree))


def flatten(value: Nested, tree: Tree) -> list[Leaf]:
    """The leaves of `value` in the order of `tree`."""
    if not isinstance(tree, Struct):
        return [value]
    _check_length(value, tree)
    flat: list[Leaf] = []
    for index, (name, child) in enumerate(zip(tree.names, tree.children, strict=True)):
        listed = name is None and isinstance(value, (list, tuple))
        part = value[index] if listed else _child(value, index, name)
        flat.extend(flatten(part, child) if isinstance(child, Struct) else (part,))
    return flat


def unflatten(flat: Iterator[Leaf], tree: Tree) -> Nested:
    """Nested `OrderedDict`s (named) and tuples (unnamed) of the leaves."""
    import collections

    if not isinstance(tree, Struct):
        return next(flat)
    children = [unflatten(flat, child) for child in tree.children]
    if children and all(tree.names):
        return collections.OrderedDict(zip(tree.names, children, strict=True))
    return tuple(children)


def flatten_element(
    value: Nested, tree: Tree, made: Callable[[TensorLeaf, Nested], Leaf] = TensorLeaf.tensor
) -> list[Leaf]:
    """The tensors of one sequence element, in the order in which tf.data flattens it."""
    if isinstance(tree, TensorLeaf):
        return [made(tree, value)]
    if isinstance(tree, SequenceLeaf):
        raise TypeError("a sequence of sequences cannot enter a TensorFlow graph")
    _check_length(value, tree)
    flat: list[Leaf] = []
    for index in _data_order(tree):
        child = _child(value, index, tree.names[index])
        flat.extend(flatten_element(child, tree.children[index], made))
    return flat


def element_leaves(tree: Tree) -> list[TensorLeaf]:
    """The tensors of one element, in the order of `flatten_element`."""
    if isinstance(tree, TensorLeaf):
        return [tree]
    assert isinstance(tree, Struct)
    return [leaf for index in _data_order(tree) for leaf in element_leaves(tree.children[index])]


def element_value(value: Nested, tree: Tree) -> Nested:
    """One element as the nested containers tf.data expects for this tree."""
    import collections

    if isinstance(tree, TensorLeaf):
        return tree.tensor(value)
    assert isinstance(tree, Struct)
    children = [
        element_value(_child(value, index, name), child)
        for index, (name, child) in enumerate(zip(tree.names, tree.children, strict=True))
    ]
    if children and all(tree.names):
        return collections.OrderedDict(zip(tree.names, children, strict=True))
    return tuple(children)


def to_host(tensor: Leaf) -> Leaf:
    """A NumPy value, read-only and without a copy where the tensor is on the host."""
    if isinstance(tensor, np.ndarray):  # TensorFlow takes long to say that this is not a tensor
        return tensor
    scalar = isinstance(tensor, tf.Tensor) and tensor.shape.rank == 0
    return tensor.numpy() if scalar else np.asarray(tensor)


def all_to_host(tensors: Sequence[Leaf]) -> list[Leaf]:
    return [to_host(tensor) for tensor in tensors]


def _data_order(tree: Struct) -> list[int]:
    """tf.data flattens mappings by sorted key and tuples by position."""
    order = list(range(len(tree.children)))
    return sorted(order, key=lambda i: str(tree.names[i])) if all(tree.names) else order


def _check_length(value: Nested, tree: Struct) -> None:
    found = len(value) if hasattr(value, "__len__") else None
    if found is not None and found != len(tree.children):
        raise TypeError(f"expected {len(tree.children)} values {tree.names}, found {found}")


def _child(value: Nested, index: int, name: str | None) -> Nested:
    if isinstance(value, Mapping):
        return value[name] if name in value else list(value.values())[index]
    if name is not None and hasattr(value, name):
        return getattr(value, name)
    return value[index]


def pack(flat: Sequence[Leaf], type_spec: TffType) -> Nested:
    """The value of `type_spec` on the host; a server-placed type is its member."""
    import tensorflow_federated as tff

    from fed_pretrain.executors.border import tff_private

    def nest(type_spec: TffType, values: Iterator[Leaf]) -> Nested:
        if isinstance(type_spec, tff.types.FederatedType):
            return nest(type_spec.member, values)
        if isinstance(type_spec, tff.types.StructType):
            return tff.structure.Struct(
                [(n, nest(t, values)) for n, t in tff.structure.iter_elements(type_spec)]
            )
        if isinstance(type_spec, tff.types.SequenceType):
            return _dataset(next(values), from_type(type_spec.element))
        return to_host(next(values))

    return tff_private.to_python(nest(type_spec, iter(flat)), type_spec)


def _dataset(variant: Nested, element: Tree) -> Nested:
    import tensorflow as tf

    def spec(tree: Tree) -> Spec:
        if isinstance(tree, TensorLeaf):
            return tf.TensorSpec(tree.shape, tree.dtype)
        assert isinstance(tree, Struct)
        leaves = iter([spec(child) for child in tree.children])
        return unflatten(
            leaves,
            Struct(tree.names, tuple(TensorLeaf("", None) for _ in tree.children)),
        )

    return tf.data.experimental.from_variant(variant, spec(element))

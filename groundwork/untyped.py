"""Names for values that have no type: of TensorFlow, of Keras, of TFF, and of JSON.

The libraries ship no annotations, so a type checker takes each for anything; the name says to a
reader what it is.
"""

from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A plain value as JSON and YAML hold it: text, a number, True, None, lists and dicts of them."""

Feature: TypeAlias = Any
"""A value of a record as a source gives it: text, bytes, a number, an array or a list of them."""

Leaf: TypeAlias = Any
"""A tensor, or what TensorFlow makes one of; where data enters a graph, a client's payload."""

Nested: TypeAlias = Any
"""Tensors in dicts, tuples and lists, as `tf.nest` and TFF take them."""

State: TypeAlias = Any
"""What a process, a client update or an optimizer keeps between rounds: nested tensors."""

Spec: TypeAlias = Any
"""Nested `tf.TensorSpec`."""

Weights: TypeAlias = Any
"""`tff.learning.models.ModelWeights`, or a list of its tensors."""

TffModel: TypeAlias = Any
"""`tff.learning.models.VariableModel`."""

TffType: TypeAlias = Any
"""`tff.types.Type`."""

Computation: TypeAlias = Any
"""A `tff.Computation`."""

Federated: TypeAlias = Any
"""A value inside a federated computation that TFF traces."""

Process: TypeAlias = Any
"""A `tff.templates.IterativeProcess` or MeasuredProcess, or an algorithm that holds one."""

Factory: TypeAlias = Any
"""A factory of `tff.aggregators`."""

Optimizer: TypeAlias = Any
"""A `tff.learning.optimizers.Optimizer`, or one of Keras."""

Client: TypeAlias = Any
"""A `ClientInput` of the executors, in rooms that do not know them."""

KerasLayer: TypeAlias = Any
"""A `tf.keras.layers.Layer`, or what in one holds variables."""

Proto: TypeAlias = Any
"""A protocol buffer: a graph, a node of it, a computation."""

FileSystem: TypeAlias = Any
"""One of fsspec's, which has no types."""

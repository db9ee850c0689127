"""A GraphSpec as a function of this process that any number of threads may call at once.

Three rewrites make it so. Variables become inputs: each client in flight brings its own, where
TFF's graphs would share them by name. A sequence of one element becomes its tensors: no tf.data.
Library functions get their own names, since TensorFlow's are global to the process.
"""

import contextlib
import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from fed_pretrain.executors.border import tensorflow_private
from fed_pretrain.executors.graphs import bounded_loops, structures
from fed_pretrain.executors.graphs.graph_spec import GraphSpec
from groundwork.errors import UserError
from groundwork.untyped import Leaf, Nested, Proto

_copies = itertools.count()
_ONE_ELEMENT_OPS = ("DatasetToSingleElement",)


class ImportedGraph:
    """One import of a GraphSpec; `variables()` makes what a concurrent caller needs."""

    def __init__(self, spec: GraphSpec, jit: bool = False, for_xla: bool = False) -> None:
        """`jit`: compile it here; `for_xla`: whoever inlines it will."""
        self.spec = spec
        self._jit = jit
        self._graph_def = tf.compat.v1.GraphDef.FromString(spec.graph_def)
        if jit or for_xla:
            bounded_loops.bound(self._graph_def)
        _rename_functions(self._graph_def, f"_{next(_copies)}_{uuid.uuid4().hex[:8]}")
        self.shareable = _name_resources(self._graph_def)
        self._leaves = list(structures.leaves(spec.input_tree))
        self._fed: list[list[str]] = []
        self._cut: list[bool] = []
        for name, leaf in zip(spec.inputs, self._leaves, strict=True):
            elements = None
            if isinstance(leaf, structures.SequenceLeaf):
                elements = _cut_sequence(self._graph_def, name)
            if jit and isinstance(leaf, structures.SequenceLeaf) and elements is None:
                raise UserError(
                    "--jit: this client work iterates a dataset, which XLA cannot compile; it must "
                    "take the one element of its data (data.get_single_element())"
                )
            self._cut.append(elements is not None)
            self._fed.append([name] if elements is None else elements)
        self._handles = _variables_to_inputs(self._graph_def)
        outputs = [_base(name) for name in spec.outputs]
        used = _extract(self._graph_def, outputs)
        names = [name for group in self._fed for name in group] + [h for h, _, _ in self._handles]
        first = self._initialisation(used)
        self._function = _Function(used, names, list(spec.outputs), first, self._handles, jit)

    def variables(self) -> list[tf.Tensor]:
        """Fresh variables on the device of the surrounding scope; nothing reads what they hold.

        XLA would compile once more for variables that hold nothing yet.
        """
        own = [
            tf.raw_ops.VarHandleOp(dtype=dtype, shape=shape, shared_name=uuid.uuid4().hex)
            for _, dtype, shape in self._handles
        ]
        for handle, (_, dtype, shape) in zip(own, self._handles, strict=True):
            if self._jit and shape.is_fully_defined():
                tf.raw_ops.AssignVariableOp(resource=handle, value=tf.zeros(shape, dtype))
        return own

    def feed(self, flat: Sequence[Leaf]) -> list[tf.Tensor]:
        """The graph's input tensors for the leaves of its argument."""
        tensors: list[tf.Tensor] = []
        for value, leaf, cut in zip(flat, self._leaves, self._cut, strict=True):
            if isinstance(leaf, structures.TensorLeaf):
                tensors.append(leaf.tensor(value))
            elif cut:
                tensors.extend(_one_element(value, leaf.element))
            else:
                tensors.append(_variant(value, leaf.element))
        return tensors

    def __call__(
        self, flat: Sequence[Leaf], variables: Sequence[tf.Tensor] | None = None
    ) -> list[tf.Tensor]:
        """The flat result; without `variables` the call makes and drops some."""
        if variables is None and self._handles:
            with self._own_variables() as own:
                return self(flat, own)
        return self._function([*self.feed(flat), *(variables or ())])

    @property
    def held(self) -> list[tuple[tf.DType, tf.TensorShape]]:
        """What the graph's variables hold."""
        return [(dtype, shape) for _, dtype, shape in self._handles]

    @property
    def iterates_data(self) -> bool:
        """Whether a dataset enters as such, and not as the tensors of its one element."""
        return any(
            isinstance(leaf, structures.SequenceLeaf) and not cut
            for leaf, cut in zip(self._leaves, self._cut, strict=True)
        )

    def inline(
        self, tensors: Sequence[tf.Tensor], variables: Sequence[tf.Tensor] = ()
    ) -> list[tf.Tensor]:
        """The flat result inside the trace of another function; `tensors` are those of `feed`."""
        return self._function([*tensors, *variables])

    @contextlib.contextmanager
    def _own_variables(self) -> Iterator[list[tf.Tensor]]:
        own = self.variables()
        try:
            yield own
        finally:
            destroy(own)

    def _initialisation(self, used: tf.compat.v1.GraphDef) -> "_First | None":
        """What runs first in each call: the initial values of the variables in use."""
        if not self.spec.initialize_op:
            return None
        whole = _extract(self._graph_def, [_base(self.spec.initialize_op)])
        in_use = {node.name for node in used.node}
        names = [_base(handle) for handle, _, _ in self._handles]
        assigning = [n for n in whole.node if n.op == "AssignVariableOp"]
        simple = all(
            _is_plain(n) or n.name in names or n.op in ("NoOp", "AssignVariableOp")
            for n in whole.node
        )
        if not simple:
            targets = [_base(self.spec.initialize_op)]
        else:
            targets = [n.name for n in assigning if _base(n.input[0]) in in_use]
        if not targets:
            return None
        return _First(_extract(self._graph_def, targets), targets)


def destroy(variables: Sequence[tf.Tensor]) -> None:
    for handle in variables:
        tf.raw_ops.DestroyResourceOp(resource=handle, ignore_lookup_error=True)


def _is_plain(node: Proto) -> bool:
    definition = tensorflow_private.op_def(node.op)
    return definition is not None and not definition.is_stateful


def _base(name: str) -> str:
    return name.removeprefix("^").split(":")[0]


def _extract(graph_def: Proto, names: list[str]) -> Proto:
    part = tf.compat.v1.GraphDef()
    nodes = {node.name: node for node in graph_def.node}
    seen: set[str] = set()
    stack = list(names)
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        stack.extend(_base(text) for text in nodes[name].input)
    part.node.extend(node for node in graph_def.node if node.name in seen)
    part.library.CopyFrom(graph_def.library)
    part.versions.CopyFrom(graph_def.versions)
    return part


def _rename_functions(graph_def: Proto, suffix: str) -> None:
    library = graph_def.library
    names = {f.signature.name: f.signature.name + suffix for f in library.function}
    for function in library.function:
        function.signature.name = names[function.signature.name]
    for gradient in library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    for node in _all_nodes(graph_def):
        node.op = names.get(node.op, node.op)
        for attribute in node.attr.values():
            for reference in (attribute.func, *attribute.list.func):
                if reference.name in names:
                    reference.name = names[reference.name]


def _all_nodes(graph_def: Proto) -> Iterator[Proto]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _name_resources(graph_def: Proto) -> bool:
    """Gives tables and nested variables names of this import; True if it has none of them."""
    shareable = True
    top = {id(node) for node in graph_def.node if node.op == "VarHandleOp"}
    suffix = uuid.uuid4().hex
    for node in _all_nodes(graph_def):
        if "shared_name" in node.attr and id(node) not in top:
            node.attr["shared_name"].s += b"_" + node.name.encode() + suffix.encode()
            shareable = False
    return shareable


def _cut_sequence(graph_def: Proto, input_name: str) -> list[str] | None:
    """Replaces `dataset -> its single element` by placeholders; their names, or None."""
    aliases = {_base(input_name)}
    takers = []
    for node in graph_def.node:
        if any(_base(text) in aliases for text in node.input if not text.startswith("^")):
            if node.op == "Identity":
                aliases.add(node.name)
            else:
                takers.append(node)
    if not takers or any(node.op not in _ONE_ELEMENT_OPS for node in takers):
        return None
    types, shapes = takers[0].attr["output_types"].list.type, takers[0].attr["output_shapes"].list
    names = [f"{_base(input_name)}_element_{i}" for i in range(len(types))]
    for name, dtype, shape in zip(names, list(types), list(shapes.shape), strict=True):
        placeholder = graph_def.node.add(name=name, op="Placeholder")
        placeholder.attr["dtype"].type = dtype
        placeholder.attr["shape"].shape.CopyFrom(shape)
    cut = {node.name for node in takers}
    for node in graph_def.node:
        for position, text in enumerate(node.input):
            if not text.startswith("^") and _base(text) in cut:
                output = int(text.split(":")[1]) if ":" in text else 0
                node.input[position] = names[output]
    for node in takers:  # control edges to it stay valid
        node.op = "NoOp"
        node.ClearField("input")
        node.ClearField("attr")
    return [f"{name}:0" for name in names]


def _variables_to_inputs(graph_def: Proto) -> list[tuple[str, tf.DType, tf.TensorShape]]:
    handles = []
    for node in graph_def.node:
        if node.op != "VarHandleOp":
            continue
        dtype = tf.as_dtype(node.attr["dtype"].type)
        shape = tf.TensorShape(node.attr["shape"].shape)
        handles.append((f"{node.name}:0", dtype, shape))
        node.op = "Placeholder"
        node.ClearField("attr")
        node.attr["dtype"].type = tf.resource.as_datatype_enum
        node.attr["shape"].shape.CopyFrom(tf.TensorShape([]).as_proto())
    return handles


class _First(NamedTuple):
    """What the operations named need of a graph."""

    graph_def: Proto
    targets: list[str]

    def run(self, inputs: Mapping[str, tf.Tensor]) -> list[tf.Operation]:
        """In the graph that is being traced, on those of the inputs that it has: variables."""
        inside = {node.name for node in self.graph_def.node}
        own = {name: value for name, value in inputs.items() if _base(name) in inside}
        rest = _without_nodes(self.graph_def, {_base(name) for name in own})
        operations: list[tf.Operation] = tf.graph_util.import_graph_def(
            rest, input_map=own, return_elements=self.targets, name="first"
        )
        return operations


class _Function:
    """A graph as a callable of a flat list of tensors, without automatic control dependencies.

    Inputs that the graph does not use are accepted and dropped. `first` is done before the graph
    sees any input.
    """

    def __init__(
        self,
        graph_def: Proto,
        inputs: Sequence[str],
        outputs: Sequence[str],
        first: _First | None,
        handles: Sequence[tuple[str, tf.DType, tf.TensorShape]],
        jit: bool,
    ) -> None:
        nodes = {node.name: node for node in graph_def.node}
        read = set(nodes)
        if first is not None:
            nodes |= {node.name: node for node in first.graph_def.node}
        self._used = [i for i, name in enumerate(inputs) if _base(name) in nodes]
        names = [inputs[i] for i in self._used]
        variables = {name: (dtype, shape) for name, dtype, shape in handles}
        specs = [_placeholder_spec(nodes[_base(name)]) for name in names]
        graph_def = _without_nodes(graph_def, {_base(name) for name in names})

        def body(*arguments: tf.Tensor) -> list[Leaf]:
            given = dict(zip(names, arguments, strict=True))
            if first is not None:
                with tf.control_dependencies(first.run(given)):
                    given = {name: tf.identity(value) for name, value in given.items()}
            own = {name: value for name, value in given.items() if _base(name) in read}
            elements: list[Leaf] = tf.graph_util.import_graph_def(
                graph_def, input_map=own, return_elements=list(outputs), name=""
            )
            return elements

        handle_types = [variables.get(name) for name in names]
        graph = tensorflow_private.traced("imported", body, specs, handle_types)
        tensorflow_private.define_functions(graph_def.library.function)
        self._function = tensorflow_private.callable_graph(
            graph, {"_XlaMustCompile": True} if jit else {}
        )
        if jit:  # called from a plain function, TensorFlow records the device it is compiled for
            compiled = self._function
            outer = tensorflow_private.traced(
                "compiled",
                lambda *a: tensorflow_private.call(compiled, a),
                specs,
                handle_types,
            )
            self._function = tensorflow_private.callable_graph(outer, {})

    def __call__(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        return tensorflow_private.call(self._function, [tensors[i] for i in self._used])


def _without_nodes(graph_def: Proto, names: set[str]) -> Proto:
    """Without the placeholders that are fed: XLA refuses a graph that still holds them."""
    part = tf.compat.v1.GraphDef()
    part.library.CopyFrom(graph_def.library)
    part.versions.CopyFrom(graph_def.versions)
    for node in graph_def.node:
        if node.name in names:
            continue
        copy = part.node.add()
        copy.CopyFrom(node)
        copy.attr.pop("_class", None)  # colocation, maybe with what is gone
        kept = [text for text in node.input if not (text.startswith("^") and text[1:] in names)]
        del copy.input[:]
        copy.input.extend(kept)
    return part


def _placeholder_spec(node: Proto) -> tf.TensorSpec:
    return tf.TensorSpec(
        tf.TensorShape(node.attr["shape"].shape), tf.as_dtype(node.attr["dtype"].type)
    )


def _one_element(value: Nested, element: structures.Tree) -> list[tf.Tensor]:
    if isinstance(value, structures.OneElement):
        return structures.flatten_element(value.element, element)
    if isinstance(value, tf.data.Dataset):
        return tf.nest.flatten(value.get_single_element())
    if isinstance(value, (list, tuple)) and len(value) == 1:
        return structures.flatten_element(value[0], element)
    raise UserError(
        "this computation takes client data of exactly one element, "
        f"found {type(value).__name__} of {len(value) if hasattr(value, '__len__') else '?'}"
    )


def _variant(value: Nested, element: structures.Tree) -> tf.Tensor:
    if isinstance(value, structures.OneElement):
        value = [value.element]
    if not isinstance(value, tf.data.Dataset):
        parts = [
            tf.data.Dataset.from_tensors(structures.element_value(item, element)) for item in value
        ]
        if not parts:
            raise UserError(
                "an empty list cannot stand for client data: pass an empty tf.data.Dataset"
            )
        dataset = parts[0]
        for part in parts[1:]:
            dataset = dataset.concatenate(part)
        value = dataset
    return tf.data.experimental.to_variant(value)

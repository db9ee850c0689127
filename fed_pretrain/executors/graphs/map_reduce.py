"""A federated computation as the pure TensorFlow pieces of TFF's map-reduce form.

broadcast = prepare(state)
update_i, secure_i = work(data_i, broadcast)          each client
total = accumulate(... accumulate(zero, update_1) ..., update_n)
state', output = update(state, (report(total), sums of secure_i))
"""

import dataclasses

import tensorflow as tf

from fed_pretrain.executors.graphs import bfloat16, graph_spec, structures
from fed_pretrain.executors.graphs.graph_spec import GraphSpec
from groundwork.errors import UserError, words_of
from groundwork.untyped import Computation, Leaf, Nested, Proto

CLIENT_STATE = "client_state"


@dataclasses.dataclass(frozen=True)
class Tap:
    """Where the client's new state is among the leaves of its update."""

    start: int
    stop: int
    tree: structures.Tree

    def value(self, update: list[Leaf]) -> Nested:
        flat = iter([structures.to_host(leaf) for leaf in update[self.start : self.stop]])
        return structures.unflatten(flat, self.tree)


@dataclasses.dataclass(frozen=True)
class MapReduceProgram:
    """Picklable; everything a round needs, wherever its parts run."""

    prepare: GraphSpec
    work: GraphSpec
    zero: GraphSpec
    accumulate: GraphSpec
    merge: GraphSpec
    report: GraphSpec
    modulus: GraphSpec
    update: GraphSpec
    update_leaves: int
    secure_leaves: tuple[structures.TensorLeaf, ...]
    modular_leaves: int
    state_leaves: int
    tap: Tap | None

    @property
    def data_tree(self) -> structures.Tree:
        assert isinstance(self.work.input_tree, structures.Struct)
        return self.work.input_tree.children[0]


class NotMapReduce(UserError):
    """The computation has no map-reduce form."""


def form_of(computation: Computation) -> Proto:
    """TFF's map-reduce form of a `(state@SERVER, data@CLIENTS) -> (state@SERVER, output@SERVER)`.

    Without TFF's Grappler: it would inline functions and lower loops to a form that neither
    TensorFlow's functions nor TFF's worker can take again. TensorFlow optimises at the first call.
    """
    import tensorflow_federated as tff

    plain = tf.compat.v1.ConfigProto()
    plain.graph_options.rewrite_options.disable_meta_optimizer = True
    try:
        return tff.backends.mapreduce.get_map_reduce_form_for_computation(
            computation, plain, tff_internal_preprocessing=_without_colocation
        )
    except Exception as error:  # TFF raises whatever its compiler stumbles over
        raise NotMapReduce(
            "this computation has no map-reduce form and cannot run on --executor=device or beam "
            f"(--executor=native can): {words_of(error)}"
        ) from error


def compile_program(computation: Computation, half: bool = False) -> MapReduceProgram:
    """`half`: the clients' products in bfloat16."""
    form = form_of(computation)
    specs = {
        name: graph_spec.from_computation(getattr(form, name))
        for name in ("prepare", "work", "zero", "accumulate", "merge", "report", "update")
    }
    if half:
        specs["work"] = bfloat16.halved(specs["work"])
    modulus = graph_spec.from_computation(form.secure_modular_sum_modulus)
    work_tree = specs["work"].output_tree
    assert isinstance(work_tree, structures.Struct)
    update, *secure = work_tree.children
    secure_leaves = tuple(leaf for part in secure for leaf in structures.leaves(part))
    return MapReduceProgram(
        **specs,
        modulus=modulus,
        update_leaves=structures.count(update),
        secure_leaves=secure_leaves,  # type: ignore[arg-type]
        modular_leaves=structures.count(secure[2]),
        state_leaves=structures.count(specs["prepare"].input_tree),
        tap=_find_tap(update, 0),
    )


def _without_colocation(block: Proto) -> Proto:
    """The computation's graphs without colocation, which TFF's own merging of graphs trips over."""
    from fed_pretrain.executors.border import tff_private

    def stripped(proto: Proto) -> Proto:
        graph = tf.compat.v1.GraphDef()
        proto.tensorflow.graph_def.Unpack(graph)
        if proto.WhichOneof("computation") != "tensorflow" or not _strip(graph):
            return None
        copy = type(proto).FromString(proto.SerializeToString())
        copy.tensorflow.graph_def.Pack(graph)
        return copy

    return tff_private.with_computations(block, stripped)


def _strip(graph: Proto) -> bool:
    colocated = [node for node in graph.node if "_class" in node.attr]
    for node in colocated:
        del node.attr["_class"]
    return bool(colocated)


def _find_tap(tree: structures.Tree, start: int) -> Tap | None:
    if not isinstance(tree, structures.Struct):
        return None
    for name, child in zip(tree.names, tree.children, strict=True):
        stop = start + structures.count(child)
        if name == CLIENT_STATE:
            return Tap(start, stop, child)
        inner = _find_tap(child, start)
        if inner is not None:
            return inner
        start = stop
    return None

"""A round on TFF's worker that also returns every client's new state.

The process drops the new states on the server's side; its map-reduce form still has them in the
result of `work`, so the same pieces are put together again with one output more.
"""

import dataclasses

from fed_pretrain.executors.graphs import structures
from fed_pretrain.executors.graphs.map_reduce import CLIENT_STATE, form_of
from groundwork.errors import UserError
from groundwork.untyped import Computation, Federated, Nested, TffType


@dataclasses.dataclass(frozen=True)
class Collecting:
    """`computation(state, data) -> (state, output, [client states])`."""

    computation: Computation
    tree: structures.Tree

    def nested(self, value: Nested) -> Nested:
        return structures.unflatten(iter(structures.flatten(value, self.tree)), self.tree)


def collecting(computation: Computation) -> Collecting | None:
    """None if the computation's clients keep no state."""
    import tensorflow_federated as tff

    if not _has_state(computation.type_signature.parameter[1]):
        return None
    form = form_of(computation)
    if any(len(part) for part in list(form.work.type_signature.result)[1:]):
        raise UserError("client states beside secure sums need --executor=device")
    update_type = form.work.type_signature.result[0]
    path = _path(update_type)
    if path is None:
        raise UserError(f"no value named {CLIENT_STATE!r} in the result of the client work")

    @tff.tensorflow.computation(form.work.type_signature.result)
    def new_client_state(result: Nested) -> Nested:
        value = result[0]
        for index in path:
            value = value[index]
        return value

    @tff.tensorflow.computation(form.work.type_signature.result)
    def update_of(result: Nested) -> Nested:
        return result[0]

    @tff.federated_computation(*computation.type_signature.parameter)
    def with_states(state: Federated, data: Federated) -> Federated:
        broadcast = tff.federated_broadcast(tff.federated_map(form.prepare, state))
        result = tff.federated_map(form.work, tff.federated_zip((data, broadcast)))
        total = tff.federated_aggregate(
            tff.federated_map(update_of, result),
            form.zero(),
            form.accumulate,
            form.merge,
            form.report,
        )
        nothing = tff.federated_value((), tff.SERVER)
        totals = tff.federated_zip((total, nothing, nothing, nothing))
        new_state, output = tff.federated_map(form.update, tff.federated_zip((state, totals)))
        return new_state, output, tff.federated_map(new_client_state, result)

    tree = structures.from_type(new_client_state.type_signature.result)
    return Collecting(with_states, tree)


def _has_state(type_spec: TffType) -> bool:
    tree = structures.from_type(type_spec)
    return isinstance(tree, structures.Struct) and "state" in tree.names


def _path(type_spec: TffType) -> tuple[int, ...] | None:
    import tensorflow_federated as tff

    if not isinstance(type_spec, tff.types.StructType):
        return None
    for index, (name, child) in enumerate(tff.structure.iter_elements(type_spec)):
        if name == CLIENT_STATE:
            return (index,)
        inner = _path(child)
        if inner is not None:
            return (index, *inner)
    return None

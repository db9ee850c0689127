"""The loops of recurrent layers in a form that XLA compiles: it must know how often they run.

Keras states that only where it knows that XLA will compile, and nobody knows it while TFF traces.
"""

from collections.abc import Sequence

import tensorflow as tf

from groundwork.untyped import Proto

_LOOPS = ("While", "StatelessWhile")
_MAXIMUM = 1  # the position of a loop's maximum among its inputs


def bound(graph_def: Proto) -> None:
    """Changes the graph in place; loops of another form are left as they are.

    `for i = 0; i < n; i += 1` gets the maximum n, and with it the lists that keep what the gradient
    needs.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    for nodes in (graph_def.node, *(function.node_def for function in functions.values())):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            if node.op in _LOOPS:
                _bound_loop(node, by_name, functions)
            if node.op == "AddN":
                _size_by_the_other(node, by_name)


def _bound_loop(loop: Proto, by_name: dict[str, Proto], functions: dict[str, Proto]) -> None:
    if _constant(loop.input[_MAXIMUM], by_name) != -1:
        return
    limit = _limit(loop, by_name, functions)
    if limit is None:
        return
    for text in loop.input:
        kept = by_name.get(_base(text))
        if kept is not None and kept.op == "EmptyTensorList":
            kept.input[1] = limit
    loop.input[_MAXIMUM] = limit


def _limit(loop: Proto, by_name: dict[str, Proto], functions: dict[str, Proto]) -> str | None:
    """What n is, where the loop runs from 0 to n by 1."""
    condition = functions[loop.attr["cond"].func.name]
    body = functions[loop.attr["body"].func.name]
    arguments = [argument.name for argument in condition.signature.input_arg]
    test = _result(condition, 0)
    if test is None or test.op != "Less" or not set(test.input) <= set(arguments):
        return None
    counter, limit = (arguments.index(text) for text in test.input)
    passed = [argument.name for argument in body.signature.input_arg]
    step, unchanged = _result(body, counter), _returned(body, limit)
    inside = {node.name: node for node in body.node_def}
    if (
        unchanged != passed[limit]
        or step is None
        or step.op not in ("Add", "AddV2")
        or step.input[0] != passed[counter]
        or _constant(step.input[1], inside) != 1
        or _constant(loop.input[counter], by_name) != 0
        or loop.attr["T"].list.type[limit] != tf.int32.as_datatype_enum
    ):
        return None
    return str(loop.input[limit])


def _size_by_the_other(addition: Proto, by_name: dict[str, Proto]) -> None:
    """The gradient of an item that was read: a list with this item alone, added to another.

    Its size comes out of a list that the forward loop kept, where XLA does not see that it is
    constant; the list that it is added to has the same.
    """
    reserved = [_list_of_one(text, by_name) for text in addition.input]
    others = [t for t, one in zip(addition.input, reserved, strict=True) if one is None]
    for text, reserve in zip(addition.input, reserved, strict=True):
        if reserve is None or not others:
            continue
        reserve.op = "ZerosLike"
        del reserve.input[:]
        reserve.input.append(others[0])
        reserve.ClearField("attr")
        reserve.attr["T"].type = tf.variant.as_datatype_enum
        written = by_name[_base(text)]
        written.input[0] = written.input[0].replace(":handle:", ":y:")


def _list_of_one(text: str, by_name: dict[str, Proto]) -> Proto | None:
    written = by_name.get(_base(text))
    if written is None or written.op != "TensorListSetItem":
        return None
    reserve = by_name.get(_base(written.input[0]))
    if reserve is None or reserve.op != "TensorListReserve":
        return None
    size = by_name.get(_base(reserve.input[1]))
    return reserve if size is not None and size.op == "TensorListPopBack" else None


def _result(function: Proto, position: int) -> Proto | None:
    """The node that computes one of a function's results."""
    return {n.name: n for n in function.node_def}.get(_base(_returned(function, position)))


def _returned(function: Proto, position: int) -> str:
    """Where a result comes from, behind what only passes it on."""
    by_name = {node.name: node for node in function.node_def}
    text = str(function.ret[function.signature.output_arg[position].name])
    while (node := by_name.get(_base(text))) is not None and node.op == "Identity":
        text = node.input[0]
    return text


def _constant(text: str, by_name: dict[str, Proto]) -> int | None:
    node = by_name.get(_base(text))
    if node is None or node.op != "Const":
        return None
    value: Sequence[int] = tf.make_ndarray(node.attr["value"].tensor).ravel()
    return int(value[0]) if len(value) == 1 else None


def _base(text: str) -> str:
    return text.removeprefix("^").split(":")[0]

"""Which variables of a graph are written before anything reads them, on every path.

Their initial values cannot be seen, so a Keras initialiser that draws a million random numbers
for each client of each round need not run. Whatever is not proven here is initialised.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from groundwork.untyped import Proto

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_ALIASES = ("Identity",)
_OLD_CONTROL_FLOW = ("Switch", "Merge", "Enter", "Exit", "NextIteration", "RefSwitch")


@dataclasses.dataclass(frozen=True)
class _Body:
    """Nodes of a graph or of a library function; `kept` are the nodes sure to run."""

    nodes: Mapping[str, Proto]
    kept: frozenset[str] | None
    ancestors: dict[str, frozenset[str]]

    def before(self, name: str) -> frozenset[str]:
        if name not in self.ancestors:
            self.ancestors[name] = _ancestors(self.nodes, [name]) - {name}
        return self.ancestors[name]


class AssignedFirst:
    """Answers for one graph; functions are looked into once."""

    def __init__(self, nodes: Iterable[Proto], functions: Iterable[Proto]) -> None:
        self._top = _Body({node.name: node for node in nodes}, None, {})
        self._functions = {function.signature.name: function for function in functions}
        self._bodies: dict[str, _Body] = {}
        self._seen: dict[tuple[str, int], bool] = {}
        self._old_style = any(n.op in _OLD_CONTROL_FLOW for n in self._top.nodes.values())

    def proves(self, handle: str) -> bool:
        """Whether every use of the variable `handle` comes after an assignment of all of it."""
        return not self._old_style and self._proves(self._top, handle, {handle})

    def _proves(self, body: _Body, source: str, aliases: set[str]) -> bool:
        readers, writers = [], set()
        for node in _consumers(body.nodes, aliases):
            uses = [i for i, name in enumerate(_data_inputs(node)) if name in aliases]
            if (node.op == "AssignVariableOp" and uses == [0]) or (
                node.op in _CALLS and len(uses) == 1 and self._call_writes(node, uses[0])
            ):
                writers.add(node.name)
            else:
                readers.append(node.name)
        if body.kept is not None:
            writers &= body.kept
        if not writers:
            return False
        return all(body.before(reader) & writers for reader in readers)

    def _call_writes(self, node: Proto, index: int) -> bool:
        name = node.attr["f"].func.name
        if (name, index) not in self._seen:
            self._seen[name, index] = False  # recursion proves nothing
            body = self._body(name)
            argument = self._functions[name].signature.input_arg[index].name
            self._seen[name, index] = self._proves(body, argument, {argument})
        return self._seen[name, index]

    def _body(self, name: str) -> _Body:
        if name not in self._bodies:
            function = self._functions[name]
            nodes = {node.name: node for node in function.node_def}
            ends = [_base(output) for output in function.ret.values()]
            ends += list(function.control_ret.values())
            self._bodies[name] = _Body(nodes, _ancestors(nodes, ends), {})
        return self._bodies[name]


def _consumers(nodes: Mapping[str, Proto], aliases: set[str]) -> Sequence[Proto]:
    """Nodes that take the handle, through identities too; `aliases` grows as they are found."""
    found: dict[str, Proto] = {}
    grown = True
    while grown:
        grown = False
        for node in nodes.values():
            if node.name in found or node.name in aliases:
                continue
            if not any(name in aliases for name in _data_inputs(node)):
                continue
            grown = True
            if node.op in _ALIASES:
                aliases.add(node.name)
            else:
                found[node.name] = node
    return list(found.values())


def _ancestors(nodes: Mapping[str, Proto], ends: Iterable[str]) -> frozenset[str]:
    seen: set[str] = set()
    stack = list(ends)
    while stack:
        name = stack.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        stack.extend(_base(text) for text in nodes[name].input)
    return frozenset(seen)


def _data_inputs(node: Proto) -> list[str]:
    return [_base(text) for text in node.input if not text.startswith("^")]


def _base(text: str) -> str:
    return text.removeprefix("^").split(":")[0]

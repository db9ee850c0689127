"""A YAML mapping that knows where each of its keys was written: a line of the file, or --set."""

import json
from pathlib import Path

import yaml

from groundwork.errors import UserError, nearest, words_of
from groundwork.untyped import Json

_LONGEST = 64 << 10
_MOST_NODES = 100_000
_MERGE = "tag:yaml.org,2002:merge"

# The keys that lead to a value, from the top; a number in a list is its index.
Place = tuple[str | int, ...]


class Document:
    """`value` is what the file says with the overrides so far applied."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines: dict[Place, int] = {}
        self._overrides: dict[Place, str] = {}
        try:
            node, self.value = _parsed(text)
        except _NotYaml as error:
            where = f", line {error.line}" if error.line else ""
            raise UserError(f"{path}{where}: not YAML ({error})") from error
        self._index(node, ())

    def _index(self, node: Json, place: Place) -> None:
        if isinstance(node, yaml.MappingNode):
            for key_node, child in node.value:
                if key_node.tag == _MERGE:  # Its values are written, and counted, elsewhere.
                    continue
                key = str(yaml.safe_load(yaml.serialize(key_node)))
                line = key_node.start_mark.line + 1
                if (*place, key) in self._lines:
                    raise UserError(f"{self.path}, line {line}: {key!r} is given twice")
                self._lines[(*place, key)] = line
                self._index(child, (*place, key))
        elif isinstance(node, yaml.SequenceNode):
            for number, child in enumerate(node.value):
                self._lines[(*place, str(number))] = child.start_mark.line + 1
                self._index(child, (*place, str(number)))

    def override(self, text: str) -> None:
        """Applies one `key.path=value`."""
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"--set: {text!r} is not of the form key.path=value")
        target = self.value if isinstance(self.value, dict) else {}
        *parents, last = name.split(".")
        for key in parents:
            if not isinstance(target, dict) or not isinstance(target.get(key), dict):
                known = list(map(str, target)) if isinstance(target, dict) else []
                raise UserError(f"--set {text}: no section {key!r}{nearest(key, known)}")
            target = target[key]
        try:
            target[last] = _parsed(value)[1]
        except _NotYaml as error:
            raise UserError(f"--set {text:.200}: the value is not YAML ({error})") from error
        place = (*parents, last)
        self._overrides[place] = text
        # The file's lines below speak of what stood there before.
        self._lines = {k: line for k, line in self._lines.items() if k[: len(place)] != place}

    def at(self, place: Place) -> Json:
        """The mapping at a place; an empty one where the document has none."""
        value = self.value
        for key in place:
            value = value.get(key, {})
        return value

    def where(self, place: Place) -> str:
        """The file and line, or the --set, that wrote the value at this place."""
        found = self._written(place)
        if found in self._overrides:
            return f"--set {self._overrides[found]}"
        return f"{self.path}, line {self._lines[found]}" if found else str(self.path)

    def rank(self, place: Place) -> int:
        """Sorts places: overrides first, then by line."""
        return self._lines.get(self._written(place), 0)

    def _written(self, place: Place) -> Place:
        """The place itself, or the nearest one above it that was written down."""
        place = tuple(map(str, place))
        while place and place not in self._overrides and place not in self._lines:
            place = place[:-1]
        return place


class _NotYaml(Exception):
    """What is wrong with a text, and the line where that is known."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(words_of(why))
        self.line = line


def _parsed(text: str) -> tuple[Json, Json]:
    """A YAML text as nodes, which know their lines, and as values."""
    if len(text) > _LONGEST:
        raise _NotYaml(f"it is longer than {_LONGEST >> 10} KiB, which no plan is")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if _size(node, {}) > _MOST_NODES:
            raise _NotYaml(f"its aliases multiply it to more than {_MOST_NODES:,} values")
        value = _with_text_keys(yaml.safe_load(text))
        json.dumps(value, ensure_ascii=False, default=str).encode()
        return node, value
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise _NotYaml(problem, mark.line + 1 if mark else None) from error
    except RecursionError as error:
        raise _NotYaml("it is nested too deep") from error
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
        # So PyYAML meets a value that its tag or its form does not fit, like the date 2020-13-45,
        # and the encoder half a letter.
        raise _NotYaml(f"a value is not what it is written as: {error}") from error


def _size(node: Json, known: dict[int, int]) -> int:
    """How many values a node is once its aliases are written out; infinite if it holds itself."""
    if isinstance(node, yaml.ScalarNode) or node is None:
        return 1
    if id(node) not in known:
        known[id(node)] = _MOST_NODES  # Met again before it is known: it holds itself.
        parts = node.value
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


def _with_text_keys(value: Json) -> Json:
    """YAML reads `1:` as a number; every name of a plan is text."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(child) for child in value]
    return value

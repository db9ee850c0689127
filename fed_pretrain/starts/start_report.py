"""What became of every tensor of a start: rows for `start.json` and a table for people."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping

from groundwork import markdown
from groundwork.untyped import Json

MATCHED = "matched"
REINITIALISED = "re-initialised"
MISSING = "missing"
MISMATCH = "shape mismatch"
UNUSED = "unused"
STATUSES = (MATCHED, REINITIALISED, MISSING, MISMATCH, UNUSED)


@dataclasses.dataclass(frozen=True)
class TensorRow:
    """One tensor. `expected` rows of the statuses missing, mismatch or unused never refuse a start.

    source: the tensor's name in the file it came from.
    frozen: it is in the model but does not train; rows of status `unused` are in no model.
    """

    name: str
    shape: tuple[int, ...]
    bytes: int
    status: str
    why: str = ""
    source: str | None = None
    frozen: bool = False
    expected: bool = True

    @property
    def in_model(self) -> bool:
        return self.status != UNUSED


@dataclasses.dataclass(frozen=True)
class StartReport:
    """`facts` say in words what the start is: file, format, head, BatchNorm, quality."""

    rows: tuple[TensorRow, ...]
    facts: Mapping[str, Json]
    warnings: tuple[str, ...] = ()

    @property
    def trainable_bytes(self) -> int:
        return sum(row.bytes for row in self.rows if row.in_model and not row.frozen)

    @property
    def frozen_bytes(self) -> int:
        return sum(row.bytes for row in self.rows if row.in_model and row.frozen)

    def counts(self) -> dict[str, int]:
        found = collections.Counter(row.status for row in self.rows)
        return {status: found[status] for status in STATUSES if found[status]}

    def as_json(self) -> dict[str, Json]:
        """The content of start.json."""
        return {
            **self.facts,
            "counts": self.counts(),
            "trainable_bytes": self.trainable_bytes,
            "frozen_bytes": self.frozen_bytes,
            "warnings": list(self.warnings),
            "tensors": [_as_json(row) for row in self.rows],
        }

    def table(self) -> str:
        """A line a layer and verdict, so that a deep model still fits on a screen or two."""
        lines = [f"  {key}: {value}" for key, value in self.facts.items() if value is not None]
        table = [("layer", "tensors", "weights", "verdict"), *_grouped(self.rows)]
        lines += [f"  {line}" for line in markdown.aligned(table)]
        lines.append(
            "  "
            + ", ".join(f"{count} {status}" for status, count in self.counts().items())
            + f"; trains {_megabytes(self.trainable_bytes)}"
            + f", frozen {_megabytes(self.frozen_bytes)}"
        )
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(["start", *lines])


def _as_json(row: TensorRow) -> dict[str, Json]:
    values = dataclasses.asdict(row)
    values["shape"] = list(row.shape)
    del values["expected"]
    return {key: value for key, value in values.items() if value not in ("", None)}


def _grouped(rows: Iterable[TensorRow]) -> list[tuple[str, str, str, str]]:
    groups: dict[tuple[str, str, bool], list[TensorRow]] = collections.defaultdict(list)
    for row in rows:
        groups[row.name.rsplit("/", 1)[0], row.status, row.frozen].append(row)
    return [
        (layer, _attributes(members), f"{sum(map(_count, members)):,}", _verdict(members))
        for (layer, _, _), members in groups.items()
    ]


def _verdict(rows: list[TensorRow]) -> str:
    reasons = "; ".join(dict.fromkeys(row.why for row in rows if row.why))
    verdict = f"{rows[0].status} ({reasons})" if reasons else rows[0].status
    return verdict + (", frozen" if rows[0].frozen else "")


def _attributes(rows: list[TensorRow]) -> str:
    return " ".join(row.name.rsplit("/", 1)[-1] for row in rows)


def _count(row: TensorRow) -> int:
    size = 1
    for length in row.shape:
        size *= length
    return size


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB"

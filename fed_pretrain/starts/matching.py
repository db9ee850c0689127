"""Each weight of a model meets the tensor of its name, and a row says how that went."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from fed_pretrain.starts import head, start_config, start_report
from fed_pretrain.starts.mapping.translation import Translation
from fed_pretrain.starts.start_report import TensorRow
from fed_pretrain.starts.weight_names import NamedWeight
from groundwork.errors import UserError

Draw = Callable[[NamedWeight], tuple[np.ndarray, str]]


@dataclasses.dataclass(frozen=True)
class Rules:
    """What of a file is deliberately not taken, with the reason given in the report.

    head: the model's head layer; head_policy new, keep or slice; indices for slice.
    fresh: weights that start fresh whatever the file has (GroupNorm's affine), each with the
        reason.
    dropped: names, or layers, that the model has no use for, each with the reason.
    """

    head: str | None
    head_policy: str
    indices: Sequence[int] | None = None
    fresh: Mapping[str, str] = dataclasses.field(default_factory=dict)
    dropped: Mapping[str, str] = dataclasses.field(default_factory=dict)


def match(
    weights: Iterable[NamedWeight], translation: Translation, rules: Rules, draw: Draw
) -> tuple[dict[str, np.ndarray], list[TensorRow]]:
    """Values by name, and the rows of the model's weights followed by the file's left-overs."""
    values: dict[str, np.ndarray] = {}
    rows: list[TensorRow] = []
    for weight in weights:
        values[weight.name], row = _match_one(weight, translation, rules, draw)
        rows.append(row)
    rows += _left_over(translation, rules, {row.name for row in rows})
    return values, rows


def drawn(
    weights: Iterable[NamedWeight], draw: Draw
) -> tuple[dict[str, np.ndarray], list[TensorRow]]:
    """A random start: every weight by its initialiser."""
    values: dict[str, np.ndarray] = {}
    rows = []
    for weight in weights:
        values[weight.name], initializer = draw(weight)
        rows.append(_row(weight, values[weight.name], start_report.REINITIALISED, initializer))
    return values, rows


def refuse_surprises(rows: Iterable[TensorRow], what: str, model: str) -> None:
    """One sentence with the first names of each kind of misfit; for starts that must fit whole."""
    misfits = [row for row in rows if not row.expected]
    if not misfits:
        return
    parts = []
    for status, words in (
        (start_report.MISSING, "missing from the file"),
        (start_report.MISMATCH, "of another shape"),
        (start_report.UNUSED, "unused by the model"),
    ):
        found = [row for row in misfits if row.status == status]
        if found:
            shown = ", ".join(_short(row) for row in found[:3])
            parts.append(f"{len(found)} {words} ({shown}{', ...' if len(found) > 3 else ''})")
    raise UserError(
        f"--start={what} does not fit model {model!r}: {'; '.join(parts)}; "
        "--allow_partial_start begins with the tensors that fit"
    )


def _match_one(
    weight: NamedWeight, translation: Translation, rules: Rules, draw: Draw
) -> tuple[np.ndarray, TensorRow]:
    source = translation.origins.get(weight.name)
    tensor = translation.tensors.get(weight.name)
    if weight.layer.name == rules.head and rules.head_policy == start_config.HEAD_NEW:
        value, initializer = draw(weight)
        return value, _row(weight, value, start_report.REINITIALISED, f"new head, {initializer}")
    if weight.name in rules.fresh:
        value, initializer = draw(weight)
        why = f"{rules.fresh[weight.name]}, {initializer}"
        return value, _row(weight, value, start_report.REINITIALISED, why)
    if tensor is None:
        value, initializer = draw(weight)
        row = _row(weight, value, start_report.MISSING, f"drawn by {initializer}")
        return value, dataclasses.replace(row, expected=False)
    why = translation.facts.get(weight.name, "")
    if weight.layer.name == rules.head and rules.indices is not None:
        tensor, why = head.cut(tensor, rules.indices), f"{len(rules.indices)} classes cut out"
    if tensor.shape != weight.shape:
        value, initializer = draw(weight)
        why = f"the file has {_shape(tensor.shape)}; drawn by {initializer}"
        row = _row(weight, value, start_report.MISMATCH, why, source)
        return value, dataclasses.replace(row, expected=False)
    value = np.ascontiguousarray(tensor, dtype=weight.variable.dtype.as_numpy_dtype)
    if not np.all(np.isfinite(value)):
        raise UserError(f"tensor {source!r} of the start's file holds values that are not finite")
    return value, _row(weight, value, start_report.MATCHED, why, source)


def _left_over(translation: Translation, rules: Rules, used: set[str]) -> list[TensorRow]:
    rows = []
    for name, tensor in translation.tensors.items():
        if name in used and not (name.rsplit("/", 1)[0] == rules.head and _head_is_new(rules)):
            continue
        why, expected = _reason(name, rules)
        source = translation.origins.get(name)
        rows.append(
            TensorRow(
                name,
                tensor.shape,
                tensor.nbytes,
                start_report.UNUSED,
                why,
                source,
                expected=expected,
            )
        )
    for source, why in translation.ignored.items():
        rows.append(TensorRow(source, (), 0, start_report.UNUSED, why, source))
    return rows


def _reason(name: str, rules: Rules) -> tuple[str, bool]:
    if name.rsplit("/", 1)[0] == rules.head and _head_is_new(rules):
        return "the head is new", True
    why = rules.dropped.get(name) or rules.dropped.get(name.rsplit("/", 1)[0])
    if why is not None:
        return why, True
    return "the model has no such weight", False


def _head_is_new(rules: Rules) -> bool:
    return rules.head_policy == start_config.HEAD_NEW


def _row(
    weight: NamedWeight, value: np.ndarray, status: str, why: str, source: str | None = None
) -> TensorRow:
    frozen = not weight.trains
    return TensorRow(weight.name, weight.shape, value.nbytes, status, why, source, frozen)


def _short(row: TensorRow) -> str:
    if row.status == start_report.MISMATCH:
        return f"{row.name}: model {_shape(row.shape)}, {row.why.split(';')[0]}"
    return row.name if row.source in (None, row.name) else f"{row.source} as {row.name}"


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"

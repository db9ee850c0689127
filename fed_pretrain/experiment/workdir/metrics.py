"""One row a round: JSON lines, CSV and TensorBoard, each rebuilt or cut back on resume.

`metrics.jsonl` is the record. The CSV and the TensorBoard events follow from it, so a resumed run
rewrites them from the rows that its checkpoint vouches for. Columns that depend on the machine
have `seconds` or `memory` in their names and come last.
"""

import csv
import io
import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from groundwork import files, from_json
from groundwork.errors import UserError
from groundwork.files import defined
from groundwork.untyped import Json

Row = dict[str, Json]


def machine_dependent(column: str) -> bool:
    return "seconds" in column or "memory" in column


def ordered(row: Mapping[str, Json]) -> Row:
    """The same row with its machine-dependent columns last."""
    return dict(sorted(row.items(), key=lambda item: machine_dependent(item[0])))


def to_line(row: Mapping[str, Json]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def read_rows(path: str | os.PathLike[str]) -> list[Row]:
    """Reads metrics.jsonl; a torn last line (the writer was killed in it) does not count."""
    rows: list[Row] = []
    try:
        lines = Path(path).read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return rows
    for number, line in enumerate(lines, start=1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("torn line")
            rows.append(from_json.text(line))
        except ValueError as error:
            if number == len(lines):
                break
            raise UserError(f"{path}, line {number}: not a JSON object ({error})") from error
    return rows


def best_index(evaluated: Sequence[Mapping[str, Json]]) -> int:
    """Index of the evaluation with the highest accuracy, the earliest on a tie."""

    def accuracy(index: int) -> float:
        value = evaluated[index].get("eval_accuracy")
        return float("-inf") if value is None or value != value else float(value)

    return max(range(len(evaluated)), key=accuracy)


def best_round(rows: Sequence[Mapping[str, Json]], kept: Collection[int]) -> int:
    """The best evaluated round among those whose weights are kept; round 0 without any."""
    there = [row for row in rows if row["round"] in kept and row.get("eval_accuracy") is not None]
    return int(there[best_index(there)]["round"]) if there else 0


def _check_against_csv(rows: Sequence[Row], jsonl: Path, table: Path) -> None:
    """Both files hold the same numbers: where they differ, one of them was damaged on the disk.

    Nothing else vouches for the rows of a run that is not finished.
    """
    if not rows or not table.exists():
        return
    whole = table.read_bytes().rpartition(b"\n")[0]  # The writer may have been killed in a line.
    found = {row.get("round"): row for row in _read_csv(whole.decode(errors="replace"))}
    for row in _read_csv(_to_csv(rows, columns(rows))):
        beside = found.get(row["round"], {})
        name = next((name for name in row if beside.get(name, row[name]) != row[name]), None)
        if name is not None:
            raise UserError(
                f"{jsonl} and {table.name} differ in {name!r} of round {row['round']}: one is"
                f" damaged; remove {table.name} to trust the other, or both to begin anew"
            )


def _read_csv(text: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(io.StringIO(text, newline=""))


def _to_csv(rows: Sequence[Row], names: list[str]) -> str:
    text = io.StringIO(newline="")
    writer = _csv_writer(text, names)
    if names:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class MetricsWriter:
    """Appends rows and keeps the CSV and the TensorBoard events in step."""

    def __init__(
        self,
        workdir: str | os.PathLike[str],
        *,
        tensorboard: bool = True,
        hyperparameters: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        self._workdir = Path(workdir)
        self._jsonl = self._workdir / "metrics.jsonl"
        self._csv = self._workdir / "metrics.csv"
        self._tensorboard = self._workdir / "tensorboard" if tensorboard else None
        self._hyperparameters = dict(hyperparameters or {})
        self._events: Any = None
        self._columns: list[str] = []
        self.rows: list[Row] = []

    def last_round_on_disk(self) -> int:
        """The round of the last whole row; -1 without any."""
        rows = read_rows(self._jsonl)
        return int(rows[-1]["round"]) if rows else -1

    def resume(self, last_round: int) -> None:
        """Forgets every row past `last_round` (-1 forgets all) in all three formats."""
        kept = read_rows(self._jsonl)
        _check_against_csv(kept, self._jsonl, self._csv)
        self.rows = [row for row in kept if row["round"] <= last_round]
        files.write_text(self._jsonl, "".join(to_line(row) for row in self.rows))
        self._rewrite_csv()
        if self._tensorboard is not None:
            self._close_events()
            shutil.rmtree(self._tensorboard, ignore_errors=True)
            for row in self.rows:
                self._write_events(row)

    def append(self, row: Mapping[str, Json]) -> None:
        """Adds a row, what is undefined as None, for `sync` to bring to the disk."""
        complete: Row = defined(ordered(row))
        files.append(self._jsonl, to_line(complete))
        self.rows.append(complete)
        if set(complete) <= set(self._columns):
            line = io.StringIO(newline="")
            _csv_writer(line, self._columns).writerow(complete)
            files.append(self._csv, line.getvalue())
        else:
            self._rewrite_csv()
        self._write_events(complete)

    def sync(self) -> None:
        """Before what speaks for the rows is written, a checkpoint: a power cut takes neither."""
        files.sync(self._jsonl)
        files.sync(self._csv)

    def close(self) -> None:
        self._close_events()

    def _rewrite_csv(self) -> None:
        self._columns = columns(self.rows)
        files.write_text(self._csv, _to_csv(self.rows, self._columns))

    def _write_events(self, row: Mapping[str, Json]) -> None:
        if self._tensorboard is None:
            return
        import tensorflow as tf

        if self._events is None:
            self._events = tf.summary.create_file_writer(str(self._tensorboard))
            self._write_hyperparameters()
        with self._events.as_default(), tf.device("CPU:0"):
            for name, value in row.items():
                if name != "round" and isinstance(value, (int, float)):
                    tf.summary.scalar(name, value, step=row["round"])
        self._events.flush()

    def _write_hyperparameters(self) -> None:
        """For TensorBoard's HParams page, where the runs of a study are side by side."""
        if not self._hyperparameters:
            return
        from tensorboard.plugins.hparams import api

        with self._events.as_default():
            api.hparams_config(
                hparams=[api.HParam(name) for name in self._hyperparameters],
                metrics=[api.Metric(tag) for tag in ("eval_accuracy", "eval_loss", "train_loss")],
            )
            api.hparams(self._hyperparameters)

    def _close_events(self) -> None:
        if self._events is not None:
            self._events.close()
            self._events = None


def columns(rows: Iterable[Mapping[str, Json]]) -> list[str]:
    """All columns in order of first appearance, the machine-dependent ones last."""
    return list(ordered({name: None for row in rows for name in row}))


def _csv_writer(file: IO[str], names: Sequence[str]) -> "csv.DictWriter[str]":
    return csv.DictWriter(file, names, lineterminator="\n", restval="")


def rounds_to_target(rows: Iterable[Mapping[str, Json]], column: str, target: float) -> int | None:
    """The first round whose `column` reaches `target`; None when none does."""
    for row in rows:
        value = row.get(column)
        if value is not None and value >= target:
            return int(row["round"])
    return None


def bytes_to_target(rows: Sequence[Mapping[str, Json]], column: str, target: float) -> int | None:
    """Bytes sent both ways up to the round that reaches `target`; None when none does."""
    reached = rounds_to_target(rows, column, target)
    if reached is None:
        return None
    return sum(
        int(row.get("bytes_down", 0)) + int(row.get("bytes_up", 0))
        for row in rows
        if row["round"] <= reached
    )

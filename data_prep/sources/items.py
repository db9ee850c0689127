"""What a source gives of its input, one after the other."""

from typing import NamedTuple

from data_prep.sources.parsing import compressed
from groundwork.untyped import Feature

_LONGEST_DETAIL = 500
"""It may quote a name or a value of the file, which may be of any length."""


class Record(NamedTuple):
    """One example.

    client_id: the natural client, or None where the source has none (then `--partition=natural`
        is refused). split: the split the source itself ships it in, or None.
    features: exactly the names of the reader's `features`: `image` as bytes or a uint8 array,
        `text` as str, numbers as int/float or arrays.
    order: sorts a client's examples (a time, a row number); a signed 64-bit integer that must not
        depend on the order in which files are listed. Ties are broken by the example's content.
    """

    client_id: str | None
    split: str | None
    features: dict[str, Feature]
    order: int = 0


class BadRecord(NamedTuple):
    """Input that could not be understood: stops the job, or is counted under --max_bad_records."""

    reason: str
    """A short name to count by, for instance "malformed_json"."""
    file: str
    line: int | None
    """Line (text) or row (tables), counted from 1; None where neither exists."""
    detail: str = ""

    def sentence(self) -> str:
        """Wrong bytes may come out of a damaged archive before its checksum is reached."""
        where = self.file if self.line is None else f"{self.file} line {self.line}"
        detail = (compressed.damage(self.file) or self.detail)[:_LONGEST_DETAIL]
        return f"{where}: {self.reason}{f': {detail}' if detail else ''}"


class Dropped(NamedTuple):
    """Well-formed input left out on purpose; counted by reason in the manifest."""

    reason: str
    examples: int = 1


Item = Record | BadRecord | Dropped

"""Stack Overflow as TensorFlow Federated ships it: stackoverflow.sqlite, packed or not.

The text is cleaned already (see text_cleaning); one example is one sentence, a client is a user.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from data_prep.sources.parsing import fields, sqlite_examples
from data_prep.sources.parsing.download import STACK_OVERFLOW, input_or_download
from data_prep.sources.public.stackoverflow_posts import FEATURES
from data_prep.sources.source import BadRecord, Item, Record, Source, WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Feature, Json

SPLITS = {"train": "train", "heldout": "validation", "test": "test"}


@dataclasses.dataclass(frozen=True)
class StackOverflowTffReader:
    """Sentences by user; a client's order is the order of its rows."""

    database: sqlite_examples.Database
    split_of: Mapping[str, str | None]
    features: tuple[FeatureSpec, ...] = FEATURES
    label_names: tuple[str, ...] | None = None
    extra: Mapping[str, Json] = dataclasses.field(
        default_factory=lambda: {"cleaning": "tff_stack_overflow", "examples": "sentence"}
    )

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(sorted(set(filter(None, self.split_of.values()))))

    def units(self) -> list[WorkUnit]:
        return self.database.units()

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        for row in sqlite_examples.read_rows(unit, self.split_of):
            try:
                features = _features(sqlite_examples.parse(row.serialized))
            except fields.BadField as error:
                yield BadRecord(error.reason, unit.path, row.number, str(error))
                continue
            yield Record(row.client_id, self.split_of[row.split_name], features, row.number)


def _features(example: Mapping[str, Feature]) -> dict[str, Feature]:
    values = {
        name: sqlite_examples.one(example, name)
        for name in ("tokens", "creation_date", "score", "tags", "title", "type")
    }
    return {
        "text": fields.text(values, "tokens"),
        "created": fields.time(values, "creation_date"),
        "score": fields.integer(values, "score"),
        "tags": fields.text(values, "tags"),
        "title": fields.text(values, "title"),
        "kind": fields.text(values, "type"),
    }


def open_sqlite(pattern: str, options: Mapping[str, str]) -> StackOverflowTffReader:
    database = sqlite_examples.open_database(input_or_download(pattern, STACK_OVERFLOW))
    held = database.examples_by_split
    splits: dict[str, str | None] = {name: SPLITS[name] for name in SPLITS if name in held}
    if not splits:
        splits = dict.fromkeys(held)  # of one's own making: no split of ours
    if not splits:
        raise UserError(f"{database.path} holds no examples")
    return StackOverflowTffReader(database, splits)


SOURCE = Source(
    name="stackoverflow_tff",
    summary="Stack Overflow sentences from TFF's stackoverflow.sqlite(.lzma), by user",
    open=open_sqlite,
    input_summary="stackoverflow.sqlite, stackoverflow.sqlite.lzma, or download:FOLDER",
    splits=("train", "validation", "test"),
)

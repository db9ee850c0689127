"""Stack Overflow as TensorFlow Federated ships it: stackoverflow.sqlite, packed or not.

The text is cleaned already (see text_cleaning); one example is one sentence, a client is a user.
"""

from collections.abc import Mapping

from data_prep.sources.parsing import fields, sqlite_examples
from data_prep.sources.parsing.download import STACK_OVERFLOW, input_or_download
from data_prep.sources.public.stackoverflow_posts import FEATURES
from data_prep.sources.source import Source, SourceReader
from groundwork.errors import UserError
from groundwork.untyped import Feature

SPLITS = {"train": "train", "heldout": "validation", "test": "test"}


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


def open_sqlite(pattern: str, options: Mapping[str, str]) -> SourceReader:
    database = sqlite_examples.open_database(input_or_download(pattern, STACK_OVERFLOW))
    held = database.examples_by_split
    splits: dict[str, str | None] = {name: SPLITS[name] for name in SPLITS if name in held}
    if not splits:
        splits = dict.fromkeys(held)  # a file that the user made: no split of ours
    if not splits:
        raise UserError(f"{database.path} holds no examples")
    extra = {"cleaning": "tff_stack_overflow", "examples": "sentence"}
    return database.reader(splits, FEATURES, _features, extra=extra)


SOURCE = Source(
    name="stackoverflow_tff",
    summary="Stack Overflow sentences from TFF's stackoverflow.sqlite(.lzma), by user",
    open=open_sqlite,
    input_summary="stackoverflow.sqlite, stackoverflow.sqlite.lzma, or download:FOLDER",
)

"""Reddit as LEAF ships it: JSON files of users under train/, val/ and test/.

`num_samples` is not looked at: LEAF writes the count of the whole user into every split.
"""

import functools
from collections.abc import Iterator, Mapping

from data_prep.sources.items import Item, Record
from data_prep.sources.parsing import fields, json_files
from data_prep.sources.public.reddit_chunks import LENGTH, rejoined
from data_prep.sources.public.reddit_pushshift import CHUNK_FEATURES, COMMENT_FEATURES
from data_prep.sources.source import Source, SourceOption, SourceReader
from data_prep.sources.work_units import WorkUnit, splits_of
from groundwork.untyped import Feature


def _read(chunked: bool, unit: WorkUnit) -> Iterator[Item]:
    """Comments, or their ten-token chunks, of LEAF's JSON files."""
    records = functools.partial(_records, chunked, unit.split)
    return fields.items(json_files.examples(unit.path), records)


def _records(chunked: bool, split: str | None, row: json_files.Example) -> Iterator[Record]:
    sequences, about = row.pair
    _check_tokens(sequences, "x")
    if not isinstance(about, dict):
        raise fields.BadField("wrong_type", "its y is not an object")
    created = fields.time(about, "created_utc")
    features = {
        "created": created,
        "subreddit": fields.text(about, "subreddit", default=""),
        "score": fields.integer(about, "score", default=0),
    }
    order = created << 26 | min(row.number, 8191) << 13
    if not chunked:
        features["text"] = fields.encodable(rejoined(sequences))
        yield Record(row.user.id, split, features, order)
        return
    targets = fields.present(about, "target_tokens")
    _check_tokens(targets, "target_tokens")
    if len(targets) != len(sequences):
        raise fields.BadField("wrong_type", "x and target_tokens differ in length")
    for part, (tokens, target) in enumerate(zip(sequences, targets, strict=True)):
        texts = {"text": " ".join(tokens), "target": " ".join(target), "chunk": part}
        yield Record(row.user.id, split, {**features, **texts}, order | min(part, 8191))


def _check_tokens(sequences: Feature, name: str) -> None:
    if not isinstance(sequences, list) or not sequences or not all(map(_is_ten, sequences)):
        raise fields.BadField("wrong_type", f"its {name} is not a list of sequences of 10 tokens")


def _is_ten(tokens: Feature) -> bool:
    return (
        isinstance(tokens, list)
        and len(tokens) == LENGTH
        and all(isinstance(token, str) for token in tokens)
    )


def open_leaf(pattern: str, options: Mapping[str, str]) -> SourceReader:
    chunked = options["examples"] == "chunk"
    units = json_files.split_units(pattern)
    return SourceReader(
        CHUNK_FEATURES if chunked else COMMENT_FEATURES,
        units,
        functools.partial(_read, chunked),
        extra={"examples": options["examples"], "cleaning": "leaf"},
        splits=splits_of(units),
    )


SOURCE = Source(
    name="reddit_leaf",
    summary="Reddit comments from LEAF's JSON files, by author",
    open=open_leaf,
    input_summary="LEAF's data folder (train/, val/, test/) or .json files",
    options=(
        SourceOption(
            "examples",
            "a whole comment, or each of LEAF's 10-token chunks, as one example",
            default="comment",
            choices=("comment", "chunk"),
        ),
    ),
)

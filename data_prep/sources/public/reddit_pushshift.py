"""Reddit comments as the Pushshift dumps hold them: one JSON object a line, a client is an author.

By default only deleted and removed comments are left out (and counted); the text stays as written.
`filters=leaf` follows LEAF: bots and moderators left out by name, the text cleaned, comments of at
least five tokens, authors with 5 to 1000 such comments, cut into sequences of ten tokens.
"""

import functools
import hashlib
from collections.abc import Iterator, Mapping

from data_prep.sources.items import Dropped, Item, Record
from data_prep.sources.parsing import fields, text_cleaning
from data_prep.sources.parsing.table_rows import Line, line_units, parts, read_lines
from data_prep.sources.public.reddit_chunks import chunks
from data_prep.sources.source import ClientLimits, Source, SourceOption, SourceReader
from data_prep.sources.work_units import WorkUnit, input_files
from data_prep.store.features import FeatureSpec
from groundwork.untyped import Feature

GONE = ("[deleted]", "[removed]")
SHORTEST_LEAF_COMMENT = 5
LEAF_LIMITS = ClientLimits(minimum=5, maximum=1000, feature="chunk")

COMMENT_FEATURES = (
    FeatureSpec("text", "text"),
    FeatureSpec("created", "int64"),
    FeatureSpec("subreddit", "text"),
    FeatureSpec("score", "int64"),
)
CHUNK_FEATURES = (
    *COMMENT_FEATURES,
    FeatureSpec("target", "text"),
    FeatureSpec("chunk", "int64"),
)


def _read(leaf: bool, unit: WorkUnit) -> Iterator[Item]:
    return fields.items(read_lines(unit), functools.partial(_items, leaf))


def _items(leaf: bool, line: Line) -> Iterator[Item]:
    comment = fields.json_object(line.content)
    author = fields.text(comment, "author")
    body = fields.text(comment, "body")
    created = fields.time(comment, "created_utc")
    subreddit = fields.text(comment, "subreddit", default="")
    if body.strip() in GONE:
        yield Dropped("deleted_or_removed_comment")
        return
    if author in GONE or not author:
        yield Dropped("deleted_author")
        return
    features = {
        "text": body,
        "created": created,
        "subreddit": subreddit,
        "score": fields.integer(comment, "score", default=0),
    }
    identity = fields.text(comment, "id", default="") or line.content.decode()
    if leaf:
        yield from _leaf_items(author, features, identity)
    else:
        yield Record(author, None, features, _order(created, identity, 0))


def _leaf_items(author: str, features: dict[str, Feature], identity: str) -> Iterator[Item]:
    if text_cleaning.leaf_refuses_name(author, features["subreddit"]):
        yield Dropped("leaf_bot_or_moderator")
        return
    cleaned = text_cleaning.leaf_reddit(features["text"])
    if any(phrase in cleaned for phrase in text_cleaning.LEAF_PHRASES):
        yield Dropped("leaf_automatic_message")
        return
    if len(cleaned.split()) < SHORTEST_LEAF_COMMENT:
        yield Dropped("leaf_short_comment")
        return
    for number, (text, target) in enumerate(chunks(cleaned)):
        content = {**features, "text": text, "target": target, "chunk": number}
        yield Record(author, None, content, _order(features["created"], identity, number))


def _order(created: int, identity: str, part: int) -> int:
    """By time, then comment, then place in the comment; comments of one second stay apart."""
    tie = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:2], "little") >> 3
    return created << 26 | tie << 13 | min(part, 8191)


def open_dump(pattern: str, options: Mapping[str, str]) -> SourceReader:
    leaf = options["filters"] == "leaf"
    return SourceReader(
        CHUNK_FEATURES if leaf else COMMENT_FEATURES,
        line_units(input_files(pattern)),
        functools.partial(_read, leaf),
        extra={"filters": options["filters"]},
        client_limits=LEAF_LIMITS if leaf else None,
        parts=parts,
    )


SOURCE = Source(
    name="reddit_pushshift",
    summary="Reddit comments from Pushshift dumps (.zst, .bz2, .xz, .gz, plain), by author",
    open=open_dump,
    input_summary="a file or glob, for instance 'RC_2017-12.zst'",
    options=(
        SourceOption(
            "filters",
            "leaf adds LEAF's cleaning, limits and 10-token chunks",
            default="none",
            choices=("none", "leaf"),
        ),
    ),
)

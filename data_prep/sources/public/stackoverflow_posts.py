"""Questions and answers, whatever file they come from, as sentences (or whole posts) by user."""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from data_prep.sources.items import Dropped, Item, Record
from data_prep.sources.parsing import fields, text_cleaning
from data_prep.sources.source import SourceOption, SourceReader
from data_prep.sources.work_units import WorkUnit
from data_prep.store.features import SPLITS, FeatureSpec
from groundwork.untyped import Feature

FEATURES = (
    FeatureSpec("text", "text"),
    FeatureSpec("created", "int64"),
    FeatureSpec("score", "int64"),
    FeatureSpec("tags", "text"),
    FeatureSpec("title", "text"),
    FeatureSpec("kind", "text"),
)
KINDS = {1: "question", 2: "answer"}
COMMUNITY = -1
HELD_OUT_EVERY = 10
TEST_FROM = 1_514_764_800  # 2018-01-01 UTC
_MOST_SENTENCES = 1 << 16
_TAG = re.compile(r"[^<>|]+")

OPTIONS = (
    SourceOption(
        "examples",
        "a sentence (as TFF) or a whole post as one example",
        default="sentence",
        choices=("sentence", "post"),
    ),
    SourceOption(
        "splits",
        "tff: validation = users whose id ends in 0, test = since 2018-01-01, train = the rest; "
        "none: left to the partition",
        default="none",
        choices=("none", "tff"),
    ),
)


def _tags(row: Mapping[str, Feature]) -> str:
    tags = row.get("tags", "")
    return "|".join(map(str, tags)) if isinstance(tags, list) else fields.text(row, "tags", "")


def _whole(row: Mapping[str, Feature], name: str, default: int | None = None) -> int:
    value = row.get(name, default)
    if isinstance(value, str) and value.endswith(".0"):  # columns with gaps, written by pandas
        value = value[:-2]
    return fields.integer({name: value}, name)


def reader(
    units: Iterable[WorkUnit],
    read: Callable[[Mapping[str, str], WorkUnit], Iterator[Item]],
    options: Mapping[str, str],
) -> SourceReader:
    """Sentences or posts by owner."""
    return SourceReader(
        FEATURES,
        tuple(units),
        functools.partial(read, dict(options)),
        extra={"cleaning": "tff_stack_overflow", **options},
        splits=SPLITS if options["splits"] == "tff" else (),
    )


def items(options: Mapping[str, str], values: Mapping[str, Feature]) -> Iterator[Item]:
    """The examples of a post; those that no user wrote are left out and counted.

    The names of its values count without case and underscores.
    """
    row = {
        name.lower().replace("_", ""): value
        for name, value in values.items()
        if value not in ("", None)
    }
    number = _whole(row, "id")
    if not 0 <= number < 1 << 46:
        raise fields.BadField("wrong_type", f"the post's id {number} is out of range")
    kind = _whole(row, "posttypeid", 2 if "parentid" in row else 1)
    owner = _whole(row, "owneruserid", COMMUNITY)
    created = fields.time(row, "creationdate")
    about = {
        "created": created,
        "score": _whole(row, "score", 0),
        "tags": "|".join(_TAG.findall(_tags(row))),
        "title": text_cleaning.stack_overflow(fields.text(row, "title", default="")),
        "kind": KINDS.get(kind, ""),
    }
    texts = text_cleaning.sentences(fields.text(row, "body", default=""))
    if kind not in KINDS:
        yield Dropped("neither_question_nor_answer")
    elif "owneruserid" not in row:
        yield Dropped("no_owner")
    elif owner == COMMUNITY:
        yield Dropped("owned_by_community")
    elif not texts:
        yield Dropped("no_text")
    else:
        split = _split(owner, created) if options["splits"] == "tff" else None
        whole = [" ".join(texts)] if options["examples"] == "post" else texts
        for place, text in enumerate(whole):
            order = number * _MOST_SENTENCES + min(place, _MOST_SENTENCES - 1)
            yield Record(str(owner), split, {"text": text, **about}, order)


def _split(owner: int, created: int) -> str:
    if owner % HELD_OUT_EVERY == 0:
        return "validation"
    return "test" if created >= TEST_FROM else "train"
